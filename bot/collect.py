"""One round: polls become quotes, hour points, exposure and interruptions, and are stored in one transaction.

The same path serves live polling, imports and the demo's back-history; they differ only in how many rounds are
committed together.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from analytics.catalog import load_catalog
from analytics.market import (
    DAY,
    HOUR,
    WORLD,
    ChangeBand,
    Interruption,
    Poll,
    Quality,
    Quote,
    Scope,
    Tenant,
)
from analytics.prices import BAND_HOURS, DAY_HOURS, change_band, hour_point, quotes
from analytics.shadow import advance, minimal
from bot.store.engine import Store
from bot.store.reader import Reader
from bot.store.writer import Entry, Writer

RECENT_POLLS = 12
"""How many earlier polls a poll's size is judged against (definitions, "Quality of a poll")."""

COLLAPSE_SHARE = 0.4
"""Fewer offers than this share of their median make a poll suspect (definitions, "Quality of a poll")."""

COLLAPSE_LEAST = 5
"""Below this median the share says nothing: a book of four halves by chance. Then only a whole round is judged."""

Place = tuple[str, Scope]
WORLD_PLACE: Place = (WORLD, Scope.VERIFIED)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is carried from one poll of a model to the next."""

    tenants: tuple[Tenant, ...] = ()
    good_at: int | None = None
    seen_at: int | None = None
    recent: tuple[int, ...] = ()
    """offers in the last polls that were neither failed nor capped"""
    hour: int | None = None
    hour_quotes: Mapping[Place, tuple[Quote, ...]] = field(default_factory=dict)
    """the quotes of ``hour`` so far"""


@dataclass(frozen=True, slots=True)
class Round:
    """What a round brought, for those who listen."""

    at: int
    polls: tuple[Poll, ...]
    prices: Mapping[str, Quote]
    interruptions: tuple[Interruption, ...]


def judge(polls: Sequence[Poll], recent: Mapping[str, Sequence[int]]) -> list[Poll]:
    """The polls of one round, collapsed ones marked suspect: alone where the book is large enough, else together."""
    complete = [poll for poll in polls if poll.quality is Quality.COMPLETE]
    usual = {poll.model: statistics.median(recent[poll.model]) for poll in complete if recent.get(poll.model)}
    judged_before = [poll for poll in complete if poll.model in usual]
    seen = sum(len(poll.offers) for poll in judged_before)
    expected = sum(usual.values())
    everything = expected >= COLLAPSE_LEAST and seen < COLLAPSE_SHARE * expected
    return [_judge_one(poll, usual.get(poll.model), everything) for poll in polls]


def _judge_one(poll: Poll, usual: float | None, everything: bool) -> Poll:
    if usual is None or poll.quality is not Quality.COMPLETE:
        return poll
    alone = usual >= COLLAPSE_LEAST and len(poll.offers) < COLLAPSE_SHARE * usual
    if not (alone or everything):
        return poll
    note = f"{len(poll.offers)} offers where the median of the last polls is {usual:g}"
    return replace(poll, quality=Quality.SUSPECT, note=poll.note or note)


def step(ledger: Ledger, poll: Poll) -> tuple[Ledger, Entry | None]:
    """A judged poll of one model: the ledger after it, and what to store; nothing for a poll that is not newer."""
    if ledger.seen_at is not None and poll.at <= ledger.seen_at:
        return ledger, None
    ledger = replace(ledger, seen_at=poll.at)
    if poll.quality in (Quality.FAILED, Quality.CAPPED):
        return ledger, Entry(poll)
    ledger = replace(ledger, recent=(*ledger.recent, len(poll.offers))[-RECENT_POLLS:])
    free = minimal(poll.offers)
    found = quotes(poll.offers, poll.at, free=free)
    if poll.quality is Quality.SUSPECT:
        return ledger, Entry(poll, quotes=found)
    hour = poll.at // HOUR
    earlier = ledger.hour_quotes if ledger.hour == hour else {}
    so_far = {**earlier, **{place: (*earlier.get(place, ()), quote) for place, quote in found.items()}}
    points = {place: hour_point(hour, so_far[place]) for place in found}
    shadow = advance(ledger.tenants, poll, previous_at=ledger.good_at, interval=poll.interval, free=free)
    ledger = replace(ledger, tenants=shadow.tenants, good_at=poll.at, hour=hour, hour_quotes=so_far)
    return ledger, Entry(poll, quotes=found, points=points, shadow=shadow)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a fetch cost, and the name it was asked by; told once for all models of that name."""

    vast_name: str
    rows: int = 0
    requests: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    reserved: int = 0
    """rows that were counted before they were asked for"""


class Collector:
    """Stores rounds. Keeps each model's ledger between rounds, and reads it anew after a round that was not stored."""

    def __init__(self, store: Store, *, source: str = "live") -> None:
        self._store = store
        self._source = source
        self._ledgers: dict[str, Ledger] = {}
        self._banded: dict[str, int] = {}

    async def settle(self, at: int, polls: Sequence[Poll], cost: Cost | None = None) -> Round:
        """One round: judged, worked out and committed together with the rows it cost."""
        return (await self.settle_many([(at, polls)], cost))[0]

    async def settle_many(
        self, rounds: Iterable[tuple[int, Sequence[Poll]]], cost: Cost | None = None, *, bands: bool = True
    ) -> list[Round]:
        """Rounds in time order, committed together: for back-fill, where a commit for each would take hours."""
        try:
            async with self._store.writer() as writer:
                done = [await self._settle_one(writer, at, polls, cost) for at, polls in rounds]
                entries = [entry for _, some in done for entry in some]
                if bands:
                    entries = await self._with_bands(writer, entries)
                if entries:
                    await writer.save_round(done[-1][0].at, entries, source=self._source)
                if cost is not None and cost.rows != cost.reserved:
                    await writer.add_quota(done[-1][0].at // DAY, cost.rows - cost.reserved)
        except BaseException:
            self._ledgers.clear()
            raise
        return [round_ for round_, _ in done]

    def knows(self, model: str) -> bool:
        """Whether it carries a ledger of this model."""
        return model in self._ledgers

    def forget(self, model: str, ledger: Ledger | None = None) -> None:
        """Let a model's next poll begin from what is stored, or from the given ledger."""
        if ledger is None:
            self._ledgers.pop(model, None)
        else:
            self._ledgers[model] = ledger

    def forget_all(self) -> None:
        """Let every model's next poll begin from what is stored."""
        self._ledgers.clear()
        self._banded.clear()

    async def _settle_one(
        self, writer: Writer, at: int, polls: Sequence[Poll], cost: Cost | None
    ) -> tuple[Round, list[Entry]]:
        for poll in polls:
            if poll.model not in self._ledgers:
                self._ledgers[poll.model] = await load_ledger(writer.read, poll.model)
        entries: list[Entry] = []
        for poll in judge(polls, {poll.model: self._ledgers[poll.model].recent for poll in polls}):
            self._ledgers[poll.model], entry = step(self._ledgers[poll.model], poll)
            if entry is not None:
                entries.append(_priced(entry, cost, first=not entries))
        return _round(at, entries), entries

    async def _with_bands(self, writer: Writer, entries: Sequence[Entry]) -> list[Entry]:
        """The entries, the newest of each model with its band of usual changes if a new hour has begun for it."""
        by_model: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            if entry.points:
                by_model[entry.poll.model].append(entry)
        bands = {id(some[-1]): await self._band(writer, some) for some in by_model.values()}
        return [replace(entry, band=bands.get(id(entry))) for entry in entries]

    async def _band(self, writer: Writer, entries: Sequence[Entry]) -> ChangeBand | None:
        """The band of one model before the hour of its newest entry, from what is stored and what is about to be."""
        model, hour = entries[-1].poll.model, entries[-1].poll.at // HOUR
        if self._banded.get(model) == hour:
            return None
        self._banded[model] = hour
        since = hour - BAND_HOURS - DAY_HOURS
        stored = (await writer.read.hours([model], since, hour)).get(model, [])
        points = {point.hour: point for point in (*stored, *(entry.points[WORLD_PLACE] for entry in entries))}
        return change_band([points[h] for h in sorted(points) if since <= h < hour])


def _priced(entry: Entry, cost: Cost | None, *, first: bool) -> Entry:
    """The entry with its name on the market and what its fetch cost, borne by the first of the models that share it."""
    gpu = load_catalog().gpu(entry.poll.model)
    known = None if gpu is None else gpu.vram_gb
    if cost is None:
        return replace(entry, vast_name=None if gpu is None else gpu.vast_name, vram_gb=known)
    entry = replace(entry, vast_name=cost.vast_name, vram_gb=known)
    return replace(entry, rows=cost.rows, requests=cost.requests, dropped=cost.dropped) if first else entry


def _round(at: int, entries: Sequence[Entry]) -> Round:
    fresh = [entry for entry in entries if entry.poll.quality is Quality.COMPLETE]
    return Round(
        at=at,
        polls=tuple(entry.poll for entry in entries),
        prices={entry.poll.model: entry.quotes[WORLD_PLACE] for entry in fresh},
        interruptions=tuple(i for entry in fresh if entry.shadow for i in entry.shadow.started),
    )


async def load_ledger(reader: Reader, model: str) -> Ledger:
    """A model's ledger as the store has it: a restart continues where the last round ended."""
    row = next((row for row in await reader.models() if row.name == model), None)
    if row is None:
        return Ledger()
    hour = None if row.last_good_at is None else row.last_good_at // HOUR
    in_hour = {} if hour is None else await reader.quotes_in_hour(model, hour)
    return Ledger(
        tenants=await reader.tenants(model),
        good_at=row.last_good_at,
        seen_at=row.last_poll_at,
        recent=tuple(await reader.recent_offer_counts(model, RECENT_POLLS)),
        hour=hour,
        hour_quotes={place: tuple(some) for place, some in in_hour.items()},
    )
