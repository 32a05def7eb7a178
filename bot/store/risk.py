"""Reading what shadow tenants lived through: sums over (model, region, hour), never scans of raw polls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Executable, FromClause, cast, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics.interruptions.weekly_hazard import Hours
from analytics.market import AGE_BINS_H, Exposure, Interruption, LifeTable, Tenant
from bot.store import tables as t
from bot.store.names import Names


def total(column: ColumnElement[int]) -> ColumnElement[int]:
    """The sum of a column, as a whole number in every database."""
    # PostgreSQL sums bigints into decimals.
    return cast(func.sum(column), BigInteger)


SUMS = tuple(Exposure.__dataclass_fields__)
"""The columns of an exposure, in its order."""


class Reads:
    """One open reading transaction and the names that hold in it."""

    def __init__(self, conn: AsyncConnection, names: Names) -> None:
        self._conn = conn
        self._names = names

    async def _rows(self, query: Executable) -> Sequence[Any]:
        return (await self._conn.execute(query)).all()

    @staticmethod
    def _span(column: ColumnElement[int], since: int, until: int | None) -> list[ColumnElement[bool]]:
        return [column >= since] if until is None else [column >= since, column < until]


class RiskReads(Reads):
    """Exposure, life tables, interruptions and the tenants of now."""

    async def exposure(
        self, models: Iterable[str] | None, since_hour: int, until_hour: int | None = None
    ) -> dict[str, dict[str, Exposure]]:
        """Sums over the hours [since, until) by model and region."""
        e = self._lived(models, since_hour, until_hour).c
        query = select(e.gpu_id, e.region_id, *(total(e[name]) for name in SUMS)).group_by(e.gpu_id, e.region_id)
        found: dict[str, dict[str, Exposure]] = defaultdict(dict)
        for gpu_id, region_id, *sums in await self._rows(query):
            found[self._names.gpu_name[gpu_id]][self._names.region_name[region_id]] = Exposure(*sums)
        return dict(found)

    def _lived(self, models: Iterable[str] | None, since: int, until: int | None) -> FromClause:
        """The hours [since, until) as rows of whole days and, before and after these, of single hours."""
        ids = self._names.gpu_ids(models)
        first, last = -(-since // 24), None if until is None else until // 24
        hours, days = t.exposure_hour, t.exposure_day
        if last is not None and first >= last:
            spans = [(hours, self._span(hours.c.hour, since, until))]
        else:
            spans = [(hours, self._span(hours.c.hour, since, first * 24)), (days, self._span(days.c.day, first, last))]
            spans += [] if last is None else [(hours, self._span(hours.c.hour, last * 24, until))]
        columns = ("gpu_id", "region_id", *SUMS)
        return union_all(
            *(
                select(*(table.c[name] for name in columns)).where(table.c.gpu_id.in_(ids), *span)
                for table, span in spans
            )
        ).subquery()

    async def exposure_hours(
        self, model: str, since_hour: int, until_hour: int | None = None
    ) -> list[tuple[int, Exposure]]:
        """The hours [since, until) of one model that have any, regions summed, ascending."""
        return (await self.exposure_hours_by_model([model], since_hour, until_hour)).get(model, [])

    async def exposure_hours_by_model(
        self, models: Iterable[str], since_hour: int, until_hour: int | None = None
    ) -> dict[str, list[tuple[int, Exposure]]]:
        """The same of several models at once."""
        e = t.exposure_hour.c
        query = select(e.gpu_id, e.hour, *(total(e[name]) for name in SUMS)).where(
            e.gpu_id.in_(self._names.gpu_ids(models)), *self._span(e.hour, since_hour, until_hour)
        )
        found: dict[str, list[tuple[int, Exposure]]] = defaultdict(list)
        for gpu_id, hour, *sums in await self._rows(query.group_by(e.gpu_id, e.hour).order_by(e.gpu_id, e.hour)):
            found[self._names.gpu_name[gpu_id]].append((hour, Exposure(*sums)))
        return dict(found)

    async def exposure_hours_of_all(self, since_hour: int, until_hour: int) -> dict[str, Hours]:
        """The hours [since, until) of every model that has any, as ``exposure_hours`` gives them."""
        found = {model: await self.exposure_hours(model, since_hour, until_hour) for model in sorted(self._names.gpus)}
        return {model: hours for model, hours in found.items() if hours}

    async def exposure_days(self, models: Iterable[str] | None, since_day: int) -> dict[str, list[Exposure]]:
        """The days (seconds // 86400) since that have any, of each model, regions summed, ascending."""
        e = t.exposure_day.c
        query = select(e.gpu_id, e.day, *(total(e[name]) for name in SUMS)).where(
            e.gpu_id.in_(self._names.gpu_ids(models)), e.day >= since_day
        )
        found: dict[str, list[Exposure]] = defaultdict(list)
        for gpu_id, _, *sums in await self._rows(query.group_by(e.gpu_id, e.day).order_by(e.gpu_id, e.day)):
            found[self._names.gpu_name[gpu_id]].append(Exposure(*sums))
        return dict(found)

    async def life_tables(self, models: Iterable[str] | None, since_day: int) -> dict[str, LifeTable]:
        """Life tables summed over the days (seconds // 86400) since."""
        b = t.life_day.c
        query = select(b.gpu_id, b.bin, total(b.at_risk_s), total(b.events)).where(
            b.gpu_id.in_(self._names.gpu_ids(models)), b.day >= since_day
        )
        found: dict[str, list[tuple[int, int]]] = {}
        for gpu_id, bin_, at_risk, events in await self._rows(query.group_by(b.gpu_id, b.bin)):
            found.setdefault(self._names.gpu_name[gpu_id], [(0, 0)] * (len(AGE_BINS_H) + 1))[bin_] = (at_risk, events)
        return {name: LifeTable(*zip(*bins, strict=True)) for name, bins in found.items()}

    async def interruptions(self, model: str, since: int, limit: int = 100) -> list[Interruption]:
        """Those seen since a second, the newest first."""
        i = t.interruption.c
        columns = (
            i.region_id, i.slice_id, i.machine_id, i.host_id, i.num_gpus, i.cause, i.bid, i.held_at, i.seen_at,
            i.back_at,
        )  # fmt: skip
        query = select(*columns).where(i.gpu_id == self._names.gpu_id(model), i.seen_at >= since)
        rows = await self._rows(query.order_by(i.seen_at.desc(), i.slice_id).limit(limit))
        return [Interruption(model, self._names.region_name[row[0]], *row[1:]) for row in rows]

    async def tenants(self, model: str) -> tuple[Tenant, ...]:
        """The shadow tenants after the latest complete poll."""
        n = t.tenant.c
        columns = (
            n.region_id, n.machine_id, n.num_gpus, n.bid, n.since, n.verified, n.host_id, n.end_date,
            n.down_since, n.cause,
        )  # fmt: skip
        query = select(n.slice_id, *columns).where(n.gpu_id == self._names.gpu_id(model)).order_by(n.slice_id)
        return tuple(
            Tenant(row[0], model, self._names.region_name[row[1]], *row[2:]) for row in await self._rows(query)
        )
