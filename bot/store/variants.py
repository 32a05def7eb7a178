"""Shadow tenants who look less often or bid otherwise: their sums by the day, and who they are now."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, SmallInteger, Table, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics.interruptions.variants import FRESH, Lane, Moved, Variant
from analytics.market import Exposure, Tenant
from bot.store.bulk import put
from bot.store.names import Names
from bot.store.risk import SUMS, Reads, total
from bot.store.tables import Coded, code, metadata

FAST = 1
"""The level of compression: payloads are written anew each round."""


def _gpu() -> Column[Any]:
    return Column("gpu_id", SmallInteger, ForeignKey("gpu.id"), primary_key=True, nullable=False, autoincrement=False)


variant_day = Table(
    "variant_day",
    metadata,
    _gpu(),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("variant", Coded(Variant), primary_key=True, autoincrement=False),
    *(Column(name, BigInteger, nullable=False) for name in ("held_s", "interrupted_s")),
    *(Column(name, Integer, nullable=False) for name in SUMS[2:]),
    sqlite_with_rowid=False,
)
"""The plain tenants are among them: days on which variants began are comparable too."""

lane = Table(
    "lane",
    metadata,
    _gpu(),
    Column("variant", Coded(Variant), primary_key=True, autoincrement=False),
    Column("phase", SmallInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("tenants", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""The tenants of a variant after the last poll that they looked at, one a line (``packed``)."""


def packed(tenants: Iterable[Tenant]) -> bytes:
    """What sums take of tenants: slice, bid, end of the offer, since when they wait."""
    lines = (f"{n.slice_id} {n.bid} {_text(n.end_date)} {_text(n.down_since)}" for n in tenants)
    return zlib.compress("\n".join(lines).encode(), FAST)


def unpacked(payload: bytes, model: str, at: int) -> tuple[Tenant, ...]:
    """The tenants as far as sums take them; regions and ages are not kept."""
    lines = zlib.decompress(payload).decode().splitlines()
    return tuple(_tenant(model, at, *line.split(" ")) for line in lines)


def _tenant(model: str, at: int, slice_id: str, bid: str, end_date: str, down_since: str) -> Tenant:
    machine_id = int(slice_id.partition(":")[0])
    return Tenant(
        slice_id, model, "", machine_id, 0, int(bid), at, end_date=_number(end_date), down_since=_number(down_since)
    )


def _text(value: int | None) -> str:
    return "-" if value is None else str(value)


def _number(text: str) -> int | None:
    return None if text == "-" else int(text)


class VariantReads(Reads):
    """What variants lived through, and their tenants."""

    async def variant_days(self, models: Iterable[str] | None, since_day: int) -> dict[str, dict[Variant, Exposure]]:
        """Sums over the days (seconds // 86400) since, by model and variant."""
        v = variant_day.c
        query = select(v.gpu_id, v.variant, *(total(v[name]) for name in SUMS)).where(
            v.gpu_id.in_(self._names.gpu_ids(models)), v.day >= since_day
        )
        found: dict[str, dict[Variant, Exposure]] = defaultdict(dict)
        for gpu_id, variant, *sums in await self._rows(query.group_by(v.gpu_id, v.variant)):
            found[self._names.gpu_name[gpu_id]][variant] = Exposure(*sums)
        return dict(found)

    async def lanes(self, model: str) -> tuple[Lane, ...]:
        """The lanes after the latest complete poll; those that have not looked yet are empty."""
        c = lane.c
        query = select(c.variant, c.phase, c.at, c.tenants).where(c.gpu_id == self._names.gpu_id(model))
        stored = {
            (variant, phase): Lane(variant, phase, at, unpacked(tenants, model, at))
            for variant, phase, at, tenants in await self._rows(query)
        }
        return tuple(stored.get((fresh.variant, fresh.phase), fresh) for fresh in FRESH)


async def put_lived(conn: AsyncConnection, names: Names, moved: Sequence[tuple[str, Moved]]) -> None:
    """Add what the lanes of models lived through."""
    rows = [
        (names.gpus[model], day, code(variant), *(getattr(sums, name) for name in SUMS))
        for model, some in moved
        for (day, variant), sums in some.lived.items()
    ]
    await put(conn, variant_day, rows, "add")


async def put_lanes(conn: AsyncConnection, names: Names, moved: Mapping[str, Moved]) -> None:
    """Replace the lanes of models."""
    rows = [
        (names.gpus[model], code(one.variant), one.phase, one.at, packed(one.tenants))
        for model, some in moved.items()
        for one in some.lanes
        if one.at is not None
    ]
    await conn.execute(delete(lane).where(lane.c.gpu_id.in_(names.gpu_ids(moved))))
    await put(conn, lane, rows)
