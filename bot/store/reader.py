"""Reading the stored market. One Reader is one transaction: everything it says is of the same instant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics.market import WORLD, ChangeBand, HourPoint, Offer, Quality, Quote, Scope
from bot.store import tables as t
from bot.store.accounts import AccountReads
from bot.store.alerts import AlertReads
from bot.store.audit import AuditReads
from bot.store.browser_sessions import BrowserSessionReads
from bot.store.digest_reads import DigestReads
from bot.store.hazard_profiles import HazardProfileReads
from bot.store.ledger import LedgerReads
from bot.store.market_reads import QUOTE_COLUMNS, MarketReads
from bot.store.names import Names
from bot.store.outbox import OutboxReads
from bot.store.probes import ProbeReads
from bot.store.risk import RiskReads
from bot.store.schedules import ScheduleReads
from bot.store.team_settings import TeamSettingReads
from bot.store.variants import VariantReads
from bot.store.webhooks import WebhookReads

__all__ = ["ModelRow", "Reader"]

_HOUR_POINT = [t.price_hour.c[name] for name in HourPoint.__dataclass_fields__]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """What is known of a model without its prices; times are UTC seconds, ``first_hour`` an hour."""

    name: str
    vast_name: str
    vram_gb: int | None
    followed: bool
    interval: int
    """planned seconds between polls"""
    last_poll_at: int | None
    last_quality: Quality | None
    last_good_at: int | None
    """the last complete poll"""
    first_hour: int | None
    last_rows: int | None
    """rows that its last answered poll cost"""
    asked_at: int | None = None
    """when somebody last asked about it"""
    offers: int = 0
    """rentable slices at the last complete poll"""
    recorded_at: int | None = None
    """the newest hour with an imported price, where no complete poll is of that hour or later"""

    @property
    def priced_at(self) -> int | None:
        """When its price was known last: at a complete poll, or in a newer hour that was imported."""
        return self.last_good_at if self.recorded_at is None else self.recorded_at


def _recorded_at() -> ColumnElement[int | None]:
    """The second at which a model's newest hour begins, where it is later than that of any complete poll."""
    p = t.price_hour.c
    newest = select(func.max(p.hour) * 3600).where(
        p.gpu_id == t.gpu.c.id,
        p.hour > func.coalesce(t.gpu.c.last_good_at // 3600, -1),
        p.region_id == t.WORLD_ID,
        p.scope == Scope.VERIFIED,
        p.price.is_not(None),
    )
    return newest.scalar_subquery()


Books = dict[str, tuple[int | None, tuple[Offer, ...]]]
"""Model -> the poll that its book is of, and the book."""


class Reader(RiskReads, VariantReads, MarketReads, LedgerReads, AccountReads, HazardProfileReads, DigestReads):
    """The stored market at one instant. Dicts leave out what has nothing stored; unknown names find nothing.

    ``books``: books read before, shared between readers; a model's book only changes with its ``last_good_at``.
    """

    def __init__(self, conn: AsyncConnection, names: Names, books: Books | None = None) -> None:
        super().__init__(conn, names)
        self._books: Books = {} if books is None else books
        self._models: list[ModelRow] | None = None

    @property
    def outbox(self) -> OutboxReads:
        """What is to be sent and what became of it."""
        return OutboxReads(self._conn)

    @property
    def alerts(self) -> AlertReads:
        """The alert rules."""
        return AlertReads(self._conn, self._names)

    @property
    def probes(self) -> ProbeReads:
        """What probes did and cost."""
        return ProbeReads(self._conn, self._names)

    @property
    def schedules(self) -> ScheduleReads:
        """Dashboards and digests."""
        return ScheduleReads(self._conn)

    @property
    def team_settings(self) -> TeamSettingReads:
        """What teams set for their members."""
        return TeamSettingReads(self._conn)

    @property
    def webhooks(self) -> WebhookReads:
        """Endpoints of webhooks and their log."""
        return WebhookReads(self._conn, self._names)

    @property
    def audit(self) -> AuditReads:
        """Who did what."""
        return AuditReads(self._conn)

    @property
    def browser_sessions(self) -> BrowserSessionReads:
        """Who is signed in to the web pages."""
        return BrowserSessionReads(self._conn)

    async def models(self) -> list[ModelRow]:
        """Every model, the one with most offers now first."""
        if self._models is None:
            self._models = await self._read_models()
        return list(self._models)

    async def model(self, name: str) -> ModelRow | None:
        """One model, without reading the others unless they were."""
        if self._models is not None:
            return next((row for row in self._models if row.name == name), None)
        return next(iter(await self._read_models(t.gpu.c.name == name)), None)

    async def _read_models(self, *where: ColumnElement[bool]) -> list[ModelRow]:
        g = t.gpu.c
        columns = (
            g.name, g.vast_name, g.vram_gb, g.followed, g.interval_s, g.last_poll_at, g.last_quality, g.last_good_at,
            g.first_hour, g.last_rows, g.asked_at, g.offers, _recorded_at(),
        )  # fmt: skip
        query = select(*columns).where(*where).order_by(g.offers.desc(), g.name)
        return [ModelRow(*row) for row in await self._rows(query)]

    async def quotes(
        self, models: Iterable[str] | None = None, *, region: str = WORLD, scope: Scope = Scope.VERIFIED
    ) -> dict[str, Quote]:
        """The market at the latest complete poll of each model."""
        rows = await self._latest(models, t.quote.c.region_id == self._names.region_id(region), scope)
        return {self._names.gpu_name[row[0]]: Quote(*row[2:]) for row in rows}

    async def recorded_quotes(self, models: Iterable[str] | None = None) -> dict[str, Quote]:
        """The newest imported price of each model where it is newer than its polls; ``at``: when its hour begins."""
        wanted = self._names.gpu_ids(models)
        ends = {
            row.name: row.recorded_at // 3600 + 1
            for row in await self.models()
            if row.recorded_at is not None and self._names.gpu_id(row.name) in wanted
        }
        return {name: points[-1].as_quote() for name, points in (await self.hours_until(ends, 1)).items()}

    async def regional_quotes(self, model: str) -> dict[str, Quote]:
        """Verified offers at the latest complete poll, by region without WORLD."""
        rows = await self._latest([model], t.quote.c.region_id != t.WORLD_ID, Scope.VERIFIED)
        return {self._names.region_name[row[1]]: Quote(*row[2:]) for row in rows}

    async def _latest(self, models: Iterable[str] | None, where: ColumnElement[bool], scope: Scope) -> Sequence[Any]:
        last = and_(t.quote.c.gpu_id == t.gpu.c.id, t.quote.c.at == t.gpu.c.last_good_at)
        query = select(t.quote.c.gpu_id, t.quote.c.region_id, *QUOTE_COLUMNS).select_from(t.gpu.join(t.quote, last))
        return await self._rows(
            query.where(t.gpu.c.id.in_(self._names.gpu_ids(models)), where, t.quote.c.scope == scope)
        )

    async def book(self, models: Iterable[str] | None = None) -> list[Offer]:
        """The rentable slices of the latest complete poll of each model, in the poll's order."""
        stamps = {row.name: row.last_good_at for row in await self.models()}
        wanted = [self._names.gpu_name[id_] for id_ in sorted(self._names.gpu_ids(models))]
        unread = [name for name in wanted if self._books.get(name, (None, ()))[0] != stamps[name]]
        if unread:
            found: dict[str, list[Offer]] = {name: [] for name in unread}
            for offer in await self._read_book(unread):
                found[offer.model].append(offer)
            self._books.update({name: (stamps[name], tuple(offers)) for name, offers in found.items()})
        return [offer for name in wanted for offer in self._books.get(name, (None, ()))[1]]

    async def _read_book(self, models: Sequence[str]) -> list[Offer]:
        s = t.slice_.c
        columns = (
            s.gpu_id, s.machine_id, s.num_gpus, s.on_demand, s.min_bid, s.verified, s.gpu_ids, s.geolocation,
            s.region_id, s.reliability, s.host_id, s.offer_id, s.gpu_ram_mb, s.end_date, s.datacenter, s.storage_cost,
            s.egress_cost, s.disk_gb,
        )  # fmt: skip
        query = select(*columns).where(s.gpu_id.in_(self._names.gpu_ids(models))).order_by(s.gpu_id, s.n)
        return [self._offer(row) for row in await self._rows(query)]

    def _offer(self, row: Sequence[Any]) -> Offer:
        gpu_id, machine, gpus, on_demand, min_bid, verified, gpu_ids, place, region_id, *rest = row
        ids = tuple(map(int, gpu_ids.split(","))) if gpu_ids else ()
        return Offer(
            self._names.gpu_name[gpu_id], machine, gpus, on_demand, min_bid, True, verified, ids, place,
            self._names.region_name[region_id], *rest,
        )  # fmt: skip

    async def points(
        self, model: str, since: int, *, region: str = WORLD, scope: Scope = Scope.VERIFIED
    ) -> list[Quote]:
        """Quotes of the complete polls since a second, ascending; they are kept for 30 days."""
        query = self._complete(model).where(
            t.quote.c.at >= since, t.quote.c.region_id == self._names.region_id(region), t.quote.c.scope == scope
        )
        return [Quote(*row[2:]) for row in await self._rows(query)]

    async def quotes_in_hour(self, model: str, hour: int) -> dict[tuple[str, Scope], list[Quote]]:
        """Quotes of the complete polls of one hour by region and scope, ascending."""
        query = self._complete(model).where(t.quote.c.at >= hour * 3600, t.quote.c.at < (hour + 1) * 3600)
        found: dict[tuple[str, Scope], list[Quote]] = defaultdict(list)
        for region_id, scope, *values in await self._rows(query):
            found[self._names.region_name[region_id], scope].append(Quote(*values))
        return dict(found)

    async def quote_history(
        self, model: str, since: int, until: int, *, region: str = WORLD, scope: Scope = Scope.VERIFIED
    ) -> list[Quote]:
        """The market of one place at the complete polls in [since, until), ascending."""
        q = t.quote.c
        here = (q.region_id == self._names.region_id(region), q.scope == scope, q.at >= since, q.at < until)
        return [Quote(*row[2:]) for row in await self._rows(self._complete(model).where(*here))]

    def _complete(self, model: str) -> Select[Any]:
        same = and_(t.poll.c.gpu_id == t.quote.c.gpu_id, t.poll.c.at == t.quote.c.at)
        query = select(t.quote.c.region_id, t.quote.c.scope, *QUOTE_COLUMNS).select_from(t.quote.join(t.poll, same))
        whole = t.poll.c.quality == Quality.COMPLETE
        return query.where(t.quote.c.gpu_id == self._names.gpu_id(model), whole).order_by(t.quote.c.at)

    async def hours(
        self,
        models: Iterable[str] | None,
        since_hour: int,
        until_hour: int | None = None,
        *,
        region: str = WORLD,
        scope: Scope = Scope.VERIFIED,
    ) -> dict[str, list[HourPoint]]:
        """Hour points in [since, until) of each model, ascending; hours without a poll are absent."""
        p = t.price_hour.c
        query = select(p.gpu_id, *_HOUR_POINT).where(
            p.gpu_id.in_(self._names.gpu_ids(models)),
            *self._span(p.hour, since_hour, until_hour),
            p.region_id == self._names.region_id(region),
            p.scope == scope,
        )
        return self._by_model(await self._rows(query.order_by(p.gpu_id, p.hour)))

    async def hours_until(
        self, ends: Mapping[str, int], n: int, *, scope: Scope = Scope.VERIFIED
    ) -> dict[str, list[HourPoint]]:
        """The points of the ``n`` hours before each model's own end, of all regions together."""
        models_of: dict[int, list[str]] = defaultdict(list)
        for model, end in ends.items():
            models_of[end].append(model)
        if not models_of:
            return {}
        p = t.price_hour.c
        points = union_all(
            *(
                select(p.gpu_id, *_HOUR_POINT).where(
                    p.gpu_id.in_(self._names.gpu_ids(models)),
                    p.hour.between(end - n, end - 1),
                    p.region_id == t.WORLD_ID,
                    p.scope == scope,
                )
                for end, models in models_of.items()
            )
        )
        return self._by_model(await self._rows(points.order_by("gpu_id", "hour")))

    def _by_model(self, rows: Iterable[Sequence[Any]]) -> dict[str, list[HourPoint]]:
        found: dict[str, list[HourPoint]] = defaultdict(list)
        for row in rows:
            found[self._names.gpu_name[row[0]]].append(HourPoint(*row[1:]))
        return dict(found)

    async def last_hour(self, model: str, until_hour: int) -> int | None:
        """The newest hour up to this one that has a point of all regions together."""
        p = t.price_hour.c
        query = select(p.hour).where(
            p.gpu_id == self._names.gpu_id(model),
            p.hour <= until_hour,
            p.region_id == t.WORLD_ID,
            p.scope == Scope.VERIFIED,
        )
        rows = await self._rows(query.order_by(p.hour.desc()).limit(1))
        return rows[0][0] if rows else None

    async def regional_hours(self, model: str, hour: int) -> dict[str, HourPoint]:
        """One hour in all regions but WORLD."""
        p = t.price_hour.c
        query = select(p.region_id, *_HOUR_POINT).where(
            p.gpu_id == self._names.gpu_id(model), p.hour == hour, p.region_id != t.WORLD_ID, p.scope == Scope.VERIFIED
        )
        return {self._names.region_name[row[0]]: HourPoint(*row[1:]) for row in await self._rows(query)}

    async def bands(self) -> dict[str, ChangeBand]:
        """The band of usual 24 h changes of each model that has one."""
        b = t.band.c
        rows = await self._rows(select(b.gpu_id, b.low, b.high, b.n))
        return {self._names.gpu_name[row[0]]: ChangeBand(*row[1:]) for row in rows}
