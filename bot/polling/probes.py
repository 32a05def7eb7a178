"""Between full polls: searches for what would satisfy a rule, which cost no rows while nothing does.

They feed rules alone, never what is stored of the market: a probe sees only what it asks for.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import structlog

from analytics.market import DAY, HOUR, Offer, Quality
from analytics.prices import quotes
from bot.alerts.engine import ProbedSeries, evaluate_probe
from bot.alerts.measures import measure
from bot.alerts.noticing import CONFIRM_POLL_SECONDS, CONFIRM_SECONDS
from bot.alerts.state import Status
from bot.polling.last_books import EarlyPolls, LastBook, Near, NewMachines, is_near, last_book, near
from bot.polling.probe_kinds import (
    PROBE_KINDS,
    ProbeKind,
    ProbeSpec,
    Wanted,
    newest,
    unconfirmed,
    wanted_by,
    with_gpus,
)
from bot.polling.row_account import RowAccount
from bot.sources.base import ProbeAnswer, ProbeQuery
from bot.store.alerts import AlertRow, SeriesKey
from bot.store.engine import Store
from bot.store.probes import StoredProbe
from bot.store.reader import ModelRow, Reader

log = structlog.get_logger()

ProbeCall = Callable[..., Awaitable[ProbeAnswer]]
"""``probe(query, at=, max_rows=, reserve=)``"""

PROBE_SECONDS = 90
"""Seconds between two equal probes that bring nothing (ours: fifteen fit at the service's ten a minute)."""

REREAD_SECONDS = 15
"""How old the known rules may be (ours: they are searched for in all of them)."""

IGNORED_SECONDS = 6 * HOUR
"""How long a kind of probe rests once the service ignored its filter (ours: four wasted answers a day)."""

ROW_SHARE = 20
"""One of so many of the day's rows may go to probes (ours); those that bring many are asked less often."""

UNDECIDED_READ = 1000
"""Rules read at once of those that are new or wait for a confirmation (ours)."""


PartKey = tuple[ProbeKind, str, int]
"""Kind, model and size of slices."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What one model is probed for, by one of ``queries`` a turn, and the newest reading that is to be confirmed."""

    kind: ProbeKind
    row: ModelRow
    queries: tuple[ProbeQuery, ...]
    series: Mapping[int, SeriesKey]
    to_confirm: int | None
    near: Mapping[int, Near] = field(default_factory=dict)
    """by series: what makes a poll worth its rows, where a probe decides nothing itself"""

    @property
    def query(self) -> ProbeQuery:
        """The one that is next, of a watch that is due."""
        return self.queries[0]

    @property
    def spec(self) -> ProbeSpec:
        """Its kind."""
        return PROBE_KINDS[self.kind]

    def key(self, query: ProbeQuery) -> PartKey:
        """The part of the market that a query looks at, whatever the threshold."""
        return self.kind, self.row.name, query.num_gpus


@dataclass(frozen=True, slots=True)
class LastProbe:
    """What the last probe of a part of the market said."""

    at: int
    rows: int = 0
    values: Mapping[int, int | None] = field(default_factory=dict)
    """by series"""
    turn: int | None = None
    """seconds since the one before it, or as measured then where this one only confirmed"""
    watched: bool = True
    """whether it has been due ever since"""
    offers: tuple[Offer, ...] = ()

    def turn_until(self, now: int) -> int | None:
        """The turn of a probe made now, the next after this one."""
        return (now - self.at if now - self.at >= PROBE_SECONDS else self.turn) if self.watched else None


@dataclass(slots=True)
class Probes:
    """Which probes are due, what they have said since this process began to lead, and what they cost today."""

    store: Store
    ask: ProbeCall
    rows_today: int = 0
    requests_today: int = 0
    _day: int = 0
    _read_at: int | None = None
    _watches: tuple[Watch, ...] = ()
    _to_confirm: frozenset[str] = frozenset()
    """names of which only a full poll can confirm what was read"""
    _last: dict[PartKey, LastProbe] = field(default_factory=dict)
    _books: dict[str, tuple[int | None, LastBook]] = field(default_factory=dict)
    """model -> its last complete poll and what was learnt from it"""
    _kept: frozenset[PartKey] | None = None
    """what the store knows to be watched; None: what it knows of the last probes was not read yet"""
    _early: EarlyPolls = field(default_factory=EarlyPolls)
    _new: NewMachines = field(default_factory=NewMachines)
    _resting: dict[ProbeKind, int] = field(default_factory=dict)

    def forget(self) -> None:
        """Begin anew: another process may have led since."""
        self._read_at = None
        self._last.clear()
        self._kept = None

    async def read(self, now: int, rows: Iterable[ModelRow]) -> None:
        """Learn what the rules of the followed models wait for, unless that is known."""
        rows = list(rows)
        self._early.polled(rows)
        known = self._read_at is not None and 0 <= now - self._read_at < REREAD_SECONDS
        if known and self._day == now // DAY:
            return
        followed = {row.name: row for row in rows if row.followed}
        async with self.store.reader() as reader:
            spent = await reader.probes.day(now // DAY)
            if self._kept is None:
                self._recall(await reader.probes.last(), now)
            self._day, self.rows_today, self.requests_today = now // DAY, spent.rows, spent.requests
            series = await reader.alerts.series(followed) if followed else {}
            undecided = await reader.alerts.undecided(series, UNDECIDED_READ)
            wanted = wanted_by(series, await reader.alerts.armed(series), undecided)
            wanted = with_gpus(wanted, await _waiting_for_offers(reader, series, wanted))
            self._watches = tuple([watch async for watch in self._watched(reader, followed, series, wanted, now)])
        probed = {id_ for watch in self._watches if watch.spec.bound for id_ in watch.series}
        self._to_confirm = frozenset(
            row.vast_name
            for alert in undecided
            if alert.series_id not in probed
            and alert.status == Status.PENDING
            and (at := unconfirmed(alert)) is not None
            and at >= ((row := followed[series[alert.series_id].model]).last_poll_at or 0)
        )
        await self._keep(frozenset(watch.key(query) for watch in self._watches for query in watch.queries))
        self._read_at = now

    def _recall(self, stored: Iterable[StoredProbe], now: int) -> None:
        for one in stored:
            if one.kind in PROBE_KINDS and one.asked_at <= now:
                key = ProbeKind(one.kind), one.model, one.num_gpus
                self._last[key] = LastProbe(one.asked_at, one.rows, turn=one.turn_s)

    async def _keep(self, keys: frozenset[PartKey]) -> None:
        """Let the store know of probes of what is watched only."""
        if keys != self._kept:
            async with self.store.writer() as writer:
                await writer.probes.keep(keys)
            for key in self._last.keys() - keys:
                self._last[key] = replace(self._last[key], watched=False)
            self._kept = keys

    def hasten(self, intervals: Mapping[str, int]) -> dict[str, int]:
        """The planned intervals, short where a poll is to confirm what was read."""
        confirmed = {
            name: min(interval, CONFIRM_POLL_SECONDS) if name in self._to_confirm else interval
            for name, interval in intervals.items()
        }
        return self._early.hasten(confirmed)

    def due(self, now: int, budget: int) -> tuple[Watch | None, float]:
        """The probe whose turn it is, or none and the seconds until there is one; ``budget``: rows of a day."""
        share = row_share(budget)
        if not self._watches or self.rows_today >= share:
            return None, math.inf
        turns = [(self._turn(watch, share, now), watch) for watch in self._watches]
        ready = [(not self._unconfirmed(w), at, w.kind, w.row.name, w) for at, w in turns if at <= now]
        if ready:
            return self._next_query(min(ready)[-1]), 0.0
        return None, float(min(REREAD_SECONDS, min(at for at, _ in turns) - now))

    async def record(self, watch: Watch, answer: ProbeAnswer, account: RowAccount, now: int) -> None:
        """Decide rules by what a probe brought, in one transaction with the rows that it cost."""
        key, met_with = watch.key(watch.query), _met_with(watch, answer)
        before = self._last.get(key, LastProbe(now))
        values = before.values
        async with self.store.writer() as writer:
            await account.settle(writer, account.day, rows=answer.fetch.rows, requests=answer.fetch.requests)
            turn = before.turn_until(now)
            rows = answer.fetch.rows
            await writer.probes.save(StoredProbe(watch.row.name, watch.kind, watch.query.num_gpus, now, rows, turn))
            believed = self._believed(watch, answer, now)
            if believed and watch.spec.bound:
                values = await _measured(watch, answer, writer.read, now)
                unproven = LastProbe(now) if answer.sampled else before  # what a sample lacks may be there
                probed = {
                    id_: ProbedSeries(value, watch.spec.bound, unproven.values.get(id_), met_with, unproven.offers)
                    for id_, value in values.items()
                }
                await evaluate_probe(writer, probed, now, watch.row.interval)
        if answer.sampled:
            values = {**values, **{id_: value for id_, value in before.values.items() if value is not None}}
        if believed and watch.near:
            self._early.note(watch.row.vast_name, now, near=self._worth_a_poll(watch, answer, now))
        self._last[key] = LastProbe(now, answer.fetch.rows, values, turn, offers=met_with)
        self.rows_today += answer.fetch.rows
        self.requests_today += answer.fetch.requests
        if answer.offers or before.rows:
            self._read_at = None  # where rules stand has changed

    def _worth_a_poll(self, watch: Watch, answer: ProbeAnswer, now: int) -> bool:
        offers = answer.offers
        if watch.kind is ProbeKind.STOCK:  # there may be more than an answer holds, each as large as is looked for
            offers = self._new.add(watch.row.name, watch.row.last_good_at, offers)
            if answer.sampled:
                return True
        return any(is_near(watch.series[id_], some, offers, now) for id_, some in watch.near.items())

    def _believed(self, watch: Watch, answer: ProbeAnswer, now: int) -> bool:
        if answer.ignored:
            self._resting[watch.kind] = now + IGNORED_SECONDS
            self._read_at = None
            log.warning("the market ignores the filter of probes", kind=watch.kind.value, rows=answer.ignored)
        return answer.fetch.quality is Quality.COMPLETE and not answer.ignored

    def _turn(self, watch: Watch, share: int, now: int) -> int:
        """When a probe's turn comes: those that bring many rows get an equal part of the share."""
        made = [last for query in watch.queries if (last := self._last.get(watch.key(query)))]
        if not made:
            return 0
        stretched = sum(last.rows for last in made) * DAY * self._bringing() // (len(made) * max(1, share))
        pause = CONFIRM_SECONDS if self._unconfirmed(watch) else max(PROBE_SECONDS, stretched)
        return min(max(last.at for last in made), now) + pause

    def _bringing(self) -> int:
        """How many of the watches bring rows: they share what probes may take."""
        keys = ({watch.key(query) for query in watch.queries} for watch in self._watches)
        return sum(any(key in self._last and self._last[key].rows for key in some) for some in keys)

    def _asked_at(self, watch: Watch, query: ProbeQuery) -> int:
        last = self._last.get(watch.key(query))
        return -1 if last is None else last.at

    def _unconfirmed(self, watch: Watch) -> list[ProbeQuery]:
        """The queries that were not asked since the reading that is to be confirmed."""
        at = watch.to_confirm
        return [] if at is None else [query for query in watch.queries if self._asked_at(watch, query) <= at]

    def _next_query(self, watch: Watch) -> Watch:
        """A watch with its next query: the one that met with what is to be confirmed, else the oldest."""
        some = self._unconfirmed(watch)
        met = [query for query in some if self._asked_at(watch, query) == watch.to_confirm]
        query = min(met or some or watch.queries, key=lambda query: self._asked_at(watch, query))
        return replace(watch, queries=(query,))

    async def _watched(
        self,
        reader: Reader,
        rows: Mapping[str, ModelRow],
        series: Mapping[int, SeriesKey],
        wanted: Mapping[int, Wanted],
        now: int,
    ) -> AsyncIterator[Watch]:
        for kind, spec in PROBE_KINDS.items():
            if self._resting.get(kind, 0) > now:
                continue
            for name, row in rows.items():
                some = {
                    id_: key for id_, key in series.items() if id_ in wanted and key.model == name and spec.serves(key)
                }
                if not some:
                    continue
                same = [other for other in rows.values() if other.vast_name == row.vast_name]
                if watch := _watch(kind, row, some, wanted, await self._book_of(reader, row, same)):
                    yield watch

    async def _book_of(self, reader: Reader, row: ModelRow, same: Iterable[ModelRow]) -> LastBook:
        """A model's last book, with the machines of all models of its name: one search brings them all."""
        books = [await self._one_book(reader, other) for other in same]
        new = frozenset(offer.machine_id for offer in self._new.since(row.name, row.last_good_at))
        own = await self._one_book(reader, row)
        return replace(own, machines=new.union(*(book.machines for book in books)))

    async def _one_book(self, reader: Reader, row: ModelRow) -> LastBook:
        known = self._books.get(row.name)
        if known is None or known[0] != row.last_good_at:
            book = last_book(row.name, await reader.book([row.name]), row.last_good_at or 0)
            known = self._books[row.name] = row.last_good_at, book
        return known[1]


def _watch(
    kind: ProbeKind, row: ModelRow, series: Mapping[int, SeriesKey], wanted: Mapping[int, Wanted], book: LastBook
) -> Watch | None:
    """The watch of one model for these series, None where no query can show what they wait for."""
    marks: dict[int, Near] = {}
    spec = PROBE_KINDS[kind]
    if spec.bound is None:  # what waits for a confirmation is polled for
        some = {id_: near(key, wanted[id_].limit, book) for id_, key in series.items() if not wanted[id_].to_confirm}
        marks = {id_: mark for id_, mark in some.items() if mark is not None}
        series = {id_: series[id_] for id_ in marks}
        wanted = {id_: replace(wanted[id_], gpus=mark.gpus) for id_, mark in marks.items()}
    if not series:
        return None
    waited = [wanted[id_] for id_ in series]
    queries = tuple(spec.queries(row.vast_name, waited, book))
    return Watch(kind, row, queries, series, newest(one.to_confirm for one in waited), marks) if queries else None


def row_share(budget: int) -> int:
    """Rows of a day that probes may take, of those that may be spent at all."""
    return budget // ROW_SHARE


def _met_with(watch: Watch, answer: ProbeAnswer) -> tuple[Offer, ...]:
    return tuple(offer for offer in answer.offers if offer.model == watch.row.name)


async def _waiting_for_offers(
    reader: Reader, series: Mapping[int, SeriesKey], wanted: Mapping[int, Wanted]
) -> list[AlertRow]:
    """The rules on offers that wait; none where there are too many to be read."""
    some = [id_ for id_ in wanted if PROBE_KINDS[ProbeKind.OFFER].serves(series[id_])]
    waiting = await reader.alerts.waiting(some, UNDECIDED_READ) if some else []
    return waiting if len(waiting) < UNDECIDED_READ else []


async def _measured(watch: Watch, answer: ProbeAnswer, reader: Reader, now: int) -> dict[int, int | None]:
    """What the slices of a probe say of each series."""
    offers = _met_with(watch, answer)
    book = {(watch.row.name, *place): quote for place, quote in quotes(offers, now).items()}
    return {id_: await measure(key, book, reader, now, offers) for id_, key in watch.series.items()}
