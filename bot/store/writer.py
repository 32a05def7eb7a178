"""Writing the market down. One Writer is one transaction: all of it is kept, or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, select

from analytics.interruptions.variants import Moved
from analytics.market import (
    DAY,
    ChangeBand,
    HourPoint,
    Interruption,
    LifeTable,
    Offer,
    Poll,
    Quality,
    Quote,
    Shadow,
    Tenant,
)
from bot.store import tables as t
from bot.store.alerts import AlertWrites
from bot.store.audit import AuditWrites
from bot.store.browser_sessions import BrowserSessionWrites
from bot.store.bulk import put
from bot.store.outbox import OutboxWrites
from bot.store.outbox_claims import OutboxLeases
from bot.store.probes import ProbeWrites
from bot.store.reader import Reader
from bot.store.schedules import ScheduleWrites
from bot.store.tables import code
from bot.store.team_settings import TeamSettingWrites
from bot.store.upkeep import Place, Upkeep
from bot.store.variants import put_lanes, put_lived
from bot.store.webhooks import WebhookWrites


@dataclass(frozen=True, slots=True)
class Entry:
    """What a round learnt about one model. What is kept of it depends on the poll's quality (see ``save_round``)."""

    poll: Poll
    quotes: Mapping[Place, Quote] = field(default_factory=dict)
    points: Mapping[Place, HourPoint] = field(default_factory=dict)
    """the hours that this poll changed, whole: they replace what was there"""
    shadow: Shadow | None = None
    variants: Moved | None = None
    band: ChangeBand | None = None
    rows: int = 0
    requests: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    """bad rows by reason"""
    vast_name: str | None = None
    """the name to query by, where it is not the model's own"""
    vram_gb: int | None = None


class Writer(Upkeep):
    """An open writing transaction; ``read`` sees what it has written so far."""

    @property
    def read(self) -> Reader:
        """Reads inside this transaction: what is read here cannot change before it is written."""
        return Reader(self._conn, self._names)

    @property
    def outbox(self) -> OutboxWrites:
        """Messages to queue in this transaction."""
        return OutboxWrites(self._conn)

    @property
    def outbox_leases(self) -> OutboxLeases:
        """Messages to send outside of it."""
        return OutboxLeases(self._conn)

    @property
    def alerts(self) -> AlertWrites:
        """The alert rules, to be changed."""
        return AlertWrites(self._conn, self._names)

    @property
    def schedules(self) -> ScheduleWrites:
        """Dashboards and digests, to be changed."""
        return ScheduleWrites(self._conn)

    @property
    def team_settings(self) -> TeamSettingWrites:
        """What teams set for their members, to be changed."""
        return TeamSettingWrites(self._conn)

    @property
    def webhooks(self) -> WebhookWrites:
        """Endpoints of webhooks, to be changed."""
        return WebhookWrites(self._conn, self._names)

    @property
    def probes(self) -> ProbeWrites:
        """What probes did and cost, to be counted."""
        return ProbeWrites(self._conn, self._names)

    @property
    def audit(self) -> AuditWrites:
        """Who did what."""
        return AuditWrites(self._conn)

    @property
    def browser_sessions(self) -> BrowserSessionWrites:
        """Who is signed in to the web pages, to be changed."""
        return BrowserSessionWrites(self._conn)

    async def save_round(self, at: int, entries: Sequence[Entry], *, source: str = "live") -> tuple[Entry, ...]:
        """Store polls of any number of models and moments; returns those that were new, in time order.

        Complete polls give everything, suspect ones their poll and quotes, failed and capped ones their poll only.
        A poll (model, at) that is stored already is skipped whole. Book, tenants and band follow the latest complete
        poll of each model, so a late older poll adds its history without turning the present back.
        """
        fresh = await self._unseen(entries)
        if fresh:
            await self._learn_names(fresh)
            await put(self._conn, t.round_, [(at, source, len(fresh))], "skip")
            await put(self._conn, t.poll, [self._poll(entry) for entry in fresh])
            await self._save_prices(fresh)
            await self._save_shadows([entry for entry in fresh if entry.poll.quality is Quality.COMPLETE])
            await self._turn_page(fresh)
        return fresh

    async def _unseen(self, entries: Sequence[Entry]) -> tuple[Entry, ...]:
        by_key = {(entry.poll.model, entry.poll.at): entry for entry in reversed(entries)}
        if not by_key:
            return ()
        ids = self._names.gpu_ids(model for model, _ in by_key)
        first, last = min(at for _, at in by_key), max(at for _, at in by_key)
        query = select(t.poll.c.gpu_id, t.poll.c.at).where(t.poll.c.gpu_id.in_(ids), t.poll.c.at.between(first, last))
        for gpu_id, at in await self._rows(query):
            by_key.pop((self._names.gpu_name[gpu_id], at), None)
        return tuple(sorted(by_key.values(), key=lambda entry: entry.poll.at))

    async def _learn_names(self, entries: Iterable[Entry]) -> None:
        new = [
            (e.poll.model, e.vast_name or e.poll.model, e.vram_gb, e.poll.interval)
            for e in entries
            if e.poll.model not in self._names.gpus
        ]
        await self._names.add_gpus(self._conn, new)
        await self._names.add_regions(self._conn, {region for e in entries for region in _regions(e)})

    def _poll(self, entry: Entry) -> tuple[Any, ...]:
        poll = entry.poll
        dropped = json.dumps(dict(entry.dropped)) if entry.dropped else None
        return (
            self._names.gpus[poll.model], poll.at, code(poll.quality), len(poll.offers), entry.rows, entry.requests,
            dropped, poll.note or None,
        )  # fmt: skip

    async def _save_prices(self, entries: Sequence[Entry]) -> None:
        raw = [e for e in entries if e.poll.quality in (Quality.COMPLETE, Quality.SUSPECT)]
        quotes = [self._quote(e.poll, place, quote) for e in raw for place, quote in e.quotes.items()]
        await put(self._conn, t.quote, quotes)
        # Many polls of one import change the same hour: only its last state is written.
        points = {
            (e.poll.model, place, point.hour): point
            for e in raw
            if e.poll.quality is Quality.COMPLETE
            for place, point in e.points.items()
        }
        await self._save_hours([(model, place, point) for (model, place, _), point in points.items()])

    def _quote(self, poll: Poll, place: Place, q: Quote) -> tuple[Any, ...]:
        return (
            self._names.gpus[poll.model], poll.at, self._names.regions[place[0]], code(place[1]),
            q.price, q.floor, q.p10, q.p90, q.on_demand, q.offers, q.gpus, q.machines,
        )  # fmt: skip

    async def _save_shadows(self, entries: Sequence[Entry]) -> None:
        shadows = [(e.poll, e.shadow) for e in entries if e.shadow is not None]
        lived = [(poll.model, key, sums) for poll, shadow in shadows for key, sums in (shadow.exposure or {}).items()]
        hours = [self._exposure(model, region, hour, sums) for model, (region, hour), sums in lived]
        await put(self._conn, t.exposure_hour, hours, "add")
        await put(self._conn, t.exposure_day, [(row[0], row[1] // 24, *row[2:]) for row in hours], "add")
        life = [row for poll, shadow in shadows if shadow.life for row in self._life(poll.model, poll.at, shadow.life)]
        await put(self._conn, t.life_day, life, "add")
        await self._save_interruptions(shadows)
        moved = [(e.poll.model, e.variants) for e in entries if e.variants is not None]
        await put_lived(self._conn, self._names, moved)

    def _life(self, model: str, at: int, life: LifeTable) -> list[tuple[Any, ...]]:
        bins = enumerate(zip(life.at_risk_s, life.events, strict=True))
        return [(self._names.gpus[model], at // DAY, n, risk, events) for n, (risk, events) in bins if risk or events]

    async def _save_interruptions(self, shadows: Sequence[tuple[Poll, Shadow]]) -> None:
        rows = [self._interruption(i) for _, shadow in shadows for i in (*shadow.started, *shadow.ended)]
        # One that ended is written over the row of its beginning.
        await put(self._conn, t.interruption, rows)

    def _interruption(self, i: Interruption) -> tuple[Any, ...]:
        return (
            self._names.gpus[i.model], i.seen_at, i.slice_id, self._names.regions[i.region], i.machine_id, i.host_id,
            i.num_gpus, code(i.cause), i.bid, i.held_at, i.back_at,
        )  # fmt: skip

    async def _turn_page(self, entries: Sequence[Entry]) -> None:
        """Bring the rows of the models, and the present (book, tenants, bands), up to the latest polls."""
        rows = await self._gpu_rows(entry.poll.model for entry in entries)
        current: dict[str, Entry] = {}
        for entry in entries:
            poll, row = entry.poll, rows[entry.poll.model]
            if poll.at > (row["last_poll_at"] or -1):
                row.update(last_poll_at=poll.at, last_quality=poll.quality, interval_s=poll.interval)
                row.update({} if poll.quality is Quality.FAILED else {"last_rows": entry.rows})
            if poll.quality is Quality.COMPLETE and poll.at > (row["last_good_at"] or -1):
                current[poll.model] = entry
                row.update(last_good_at=poll.at, offers=sum(offer.rentable for offer in poll.offers))
            row.update({} if entry.vast_name is None else {"vast_name": entry.vast_name})
            row.update({} if entry.vram_gb is None else {"vram_gb": entry.vram_gb})
        await self._put_gpu_rows(rows.values())
        await self._replace_present(list(current.values()))

    async def _replace_present(self, entries: Sequence[Entry]) -> None:
        ids = self._names.gpu_ids(entry.poll.model for entry in entries)
        await self._conn.execute(delete(t.slice_).where(t.slice_.c.gpu_id.in_(ids)))
        book = [self._slice(n, o) for e in entries for n, o in enumerate(e.poll.offers) if o.rentable]
        await put(self._conn, t.slice_, book)
        moved = [entry for entry in entries if entry.shadow is not None]
        ids = self._names.gpu_ids(entry.poll.model for entry in moved)
        await self._conn.execute(delete(t.tenant).where(t.tenant.c.gpu_id.in_(ids)))
        await put(self._conn, t.tenant, [self._tenant(n) for e in moved if e.shadow for n in e.shadow.tenants])
        lanes = {entry.poll.model: entry.variants for entry in entries if entry.variants is not None}
        await put_lanes(self._conn, self._names, lanes)
        bands = [(e.poll, e.band) for e in entries if e.band is not None]
        await put(self._conn, t.band, [(self._names.gpus[p.model], b.low, b.high, b.n, p.at) for p, b in bands])

    def _slice(self, n: int, o: Offer) -> tuple[Any, ...]:
        return (
            self._names.gpus[o.model], n, o.machine_id, o.num_gpus, o.on_demand, o.min_bid, o.verified,
            ",".join(map(str, o.gpu_ids)), o.geolocation, self._names.regions[o.region], o.reliability, o.host_id,
            o.offer_id, o.gpu_ram_mb, o.end_date, o.datacenter, o.storage_cost, o.egress_cost, o.disk_gb,
        )  # fmt: skip

    def _tenant(self, n: Tenant) -> tuple[Any, ...]:
        return (
            self._names.gpus[n.model], n.slice_id, self._names.regions[n.region], n.machine_id, n.num_gpus, n.bid,
            n.since, n.verified, n.host_id, n.end_date, n.down_since, code(n.cause),
        )  # fmt: skip


def _regions(entry: Entry) -> Iterable[str]:
    yield from (region for region, _ in entry.quotes)
    yield from (region for region, _ in entry.points)
    yield from (offer.region for offer in entry.poll.offers if offer.rentable)
    if entry.shadow is not None:
        yield from (tenant.region for tenant in entry.shadow.tenants)
        yield from (region for region, _ in entry.shadow.exposure or {})
        yield from (i.region for i in (*entry.shadow.started, *entry.shadow.ended))
