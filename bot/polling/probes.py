"""Between full polls: searches for what would satisfy a rule, which cost no rows while nothing does.

They feed rules alone, never what is stored of the market: a probe sees only what it asks for.
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from analytics.market import DAY, HOUR, Offer, Quality
from analytics.prices import quotes
from analytics.slices import minimal_slices
from bot.alerts.codec import load_rule, load_state
from bot.alerts.engine import ProbedSeries, evaluate_probe
from bot.alerts.measures import measure
from bot.alerts.rules import Direction, Measure, Metric
from bot.alerts.state import Status
from bot.sources.base import PROBE_ROWS, ProbeAnswer, ProbeQuery
from bot.store.alerts import AlertRow, SeriesKey
from bot.store.engine import Store
from bot.store.reader import ModelRow, Reader

log = structlog.get_logger()

ProbeCall = Callable[..., Awaitable[ProbeAnswer]]
"""``probe(query, at=, max_rows=, reserve=)``"""

PROBE_SECONDS = 90
"""Seconds between two equal probes that bring nothing (ours: fifteen fit at the service's ten a minute)."""

CONFIRM_SECONDS = 10
"""Seconds until a probe is repeated to confirm what it met with (ours: beyond the service's least spacing of six)."""

CONFIRM_POLL_SECONDS = 60
"""Seconds after which a full poll is repeated where only a poll can confirm what it met with (ours)."""

REREAD_SECONDS = 15
"""How old the known rules may be (ours: they are searched for in all of them)."""

IGNORED_SECONDS = 6 * HOUR
"""How long a kind of probe rests once the service ignored its filter (ours: four wasted answers a day)."""

ROW_SHARE = 20
"""One of so many of the day's rows may go to probes (ours); those that bring many are asked less often."""

MOST_SIZES = 2
"""Sizes of slices that the floor of one model is probed for: the most frequent ones of its last book (ours)."""

UNDECIDED_READ = 1000
"""Rules read at once of those that are new or wait for a confirmation (ours)."""


class ProbeKind(enum.StrEnum):
    """What is probed for."""

    FLOOR = "floor"
    STOCK = "stock"
    OFFER = "offer"


@dataclass(frozen=True, slots=True)
class Watch:
    """A probe, the series that it speaks of, and the newest reading that it is to confirm."""

    kind: ProbeKind
    row: ModelRow
    query: ProbeQuery
    series: Mapping[int, SeriesKey]
    to_confirm: int | None

    @property
    def key(self) -> tuple[ProbeKind, str, int]:
        """The part of the market that it looks at, whatever the threshold."""
        return self.kind, self.row.name, self.query.num_gpus


@dataclass(frozen=True, slots=True)
class LastProbe:
    """What the last probe of a part of the market said."""

    at: int
    rows: int = 0
    values: Mapping[int, int | None] = field(default_factory=dict)
    """by series"""
    offers: tuple[Offer, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the rules of one series wait for: a threshold passed strictly, and the newest reading to be confirmed."""

    limit: int
    to_confirm: int | None = None
    gpus: int | None = None
    """of rules on offers: the fewest GPUs that one takes; None where that is not known"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """GPUs of the slices of a model's last book, the most frequent first."""

    minimal: tuple[int, ...]
    """of slices that hold no smaller one, a few"""
    all: tuple[int, ...]


@dataclass(slots=True)
class Probes:
    """Which probes are due, and what they have said and cost since this process began to lead."""

    store: Store
    ask: ProbeCall
    rows_today: int = 0
    requests_today: int = 0
    _day: int = 0
    _read_at: int | None = None
    _watches: tuple[Watch, ...] = ()
    _to_confirm: frozenset[str] = frozenset()
    """names of which only a full poll can confirm what was read"""
    _last: dict[tuple[ProbeKind, str, int], LastProbe] = field(default_factory=dict)
    _sizes: dict[str, tuple[int | None, Sizes]] = field(default_factory=dict)
    """model -> its last complete poll and the sizes of slices it had"""
    _resting: dict[ProbeKind, int] = field(default_factory=dict)

    def forget(self) -> None:
        """Begin anew: another process may have led since."""
        self._read_at = None
        self._last.clear()

    async def read(self, now: int, rows: Iterable[ModelRow]) -> None:
        """Learn what the rules of the followed models wait for, unless that is known."""
        if self._day != now // DAY:
            self._day, self.rows_today, self.requests_today = now // DAY, 0, 0
        if self._read_at is not None and 0 <= now - self._read_at < REREAD_SECONDS:
            return
        followed = {row.name: row for row in rows if row.followed}
        async with self.store.reader() as reader:
            series = await reader.alerts.series(followed) if followed else {}
            undecided = await reader.alerts.undecided(series, UNDECIDED_READ)
            wanted = _wanted(series, await reader.alerts.armed(series), undecided)
            await self._learn_sizes(reader, series, wanted)
            self._watches = tuple([watch async for watch in self._watched(reader, followed, series, wanted, now)])
        probed = {id_ for watch in self._watches for id_ in watch.series}
        self._to_confirm = frozenset(
            row.vast_name
            for alert in undecided
            if alert.series_id not in probed
            and alert.status == Status.PENDING
            and (at := _unconfirmed(alert)) is not None
            and at >= ((row := followed[series[alert.series_id].model]).last_poll_at or 0)
        )
        self._read_at = now

    def hasten(self, intervals: Mapping[str, int]) -> dict[str, int]:
        """The planned intervals, short where a poll is to confirm what was read."""
        return {
            name: min(interval, CONFIRM_POLL_SECONDS) if name in self._to_confirm else interval
            for name, interval in intervals.items()
        }

    def due(self, now: int, budget: int) -> tuple[Watch | None, float]:
        """The probe whose turn it is, or none and the seconds until there is one; ``budget``: rows of a day."""
        share = budget // ROW_SHARE
        if not self._watches or self.rows_today >= share:
            return None, math.inf
        turns = [(self._turn(watch, share, now), watch) for watch in self._watches]
        # the sizes of one model apart: what a price does to one it mostly does to the others
        ready = [(w.to_confirm is None, at, w.query.num_gpus, w.key, w) for at, w in turns if at <= now]
        if ready:
            return min(ready)[-1], 0.0
        return None, float(min(REREAD_SECONDS, min(at for at, _ in turns) - now))

    async def record(self, watch: Watch, answer: ProbeAnswer, reserved: int, now: int) -> None:
        """Decide rules by what a probe brought, in one transaction with the rows that it cost."""
        before = self._last.get(watch.key, LastProbe(now))
        values = before.values
        async with self.store.writer() as writer:
            await writer.add_quota(now // DAY, answer.fetch.rows - reserved)
            if self._believed(watch, answer, now):
                values = await _measured(watch, answer, writer.read, now)
                unproven = LastProbe(now) if answer.sampled else before  # what a sample lacks may be there
                bound = _BOUNDS[watch.kind]
                probed = {
                    id_: ProbedSeries(value, bound, unproven.values.get(id_), _met_with(watch, answer), unproven.offers)
                    for id_, value in values.items()
                }
                await evaluate_probe(writer, probed, now, watch.row.interval)
        if answer.sampled:
            values = {**values, **{id_: value for id_, value in before.values.items() if value is not None}}
        self._last[watch.key] = LastProbe(now, answer.fetch.rows, values, _met_with(watch, answer))
        self.rows_today += answer.fetch.rows
        self.requests_today += answer.fetch.requests
        if answer.offers or before.rows:
            self._read_at = None  # where rules stand has changed

    def _believed(self, watch: Watch, answer: ProbeAnswer, now: int) -> bool:
        if answer.ignored:
            self._resting[watch.kind] = now + IGNORED_SECONDS
            self._read_at = None
            log.warning("the market ignores the filter of probes", kind=watch.kind.value, rows=answer.ignored)
        return answer.fetch.quality is Quality.COMPLETE and not answer.ignored

    def _turn(self, watch: Watch, share: int, now: int) -> int:
        """When a probe's turn comes: those that bring many rows get an equal part of the share."""
        last = self._last.get(watch.key)
        if last is None:
            return 0
        stretched = last.rows * DAY * len(self._watches) // max(1, share)
        unconfirmed = watch.to_confirm is not None and watch.to_confirm >= last.at
        return min(last.at, now) + (CONFIRM_SECONDS if unconfirmed else max(PROBE_SECONDS, stretched))

    async def _watched(
        self,
        reader: Reader,
        rows: Mapping[str, ModelRow],
        series: Mapping[int, SeriesKey],
        wanted: Mapping[int, Wanted],
        now: int,
    ) -> AsyncIterator[Watch]:
        for kind, of_kind in _PROBED.items():
            if self._resting.get(kind, 0) > now:
                continue
            for name, row in rows.items():
                some = {id_: key for id_, key in series.items() if id_ in wanted and key.model == name and of_kind(key)}
                if some:
                    sizes = await self._sizes_of(reader, row)
                    for query in _QUERIES[kind](row, [wanted[id_] for id_ in some], sizes):
                        yield Watch(kind, row, query, some, _newest(wanted[id_].to_confirm for id_ in some))

    async def _learn_sizes(self, reader: Reader, series: Mapping[int, SeriesKey], wanted: dict[int, Wanted]) -> None:
        """The fewest GPUs that a rule on offers of each series takes; 1 where there are too many rules to be read."""
        some = [id_ for id_ in wanted if _is_offer(series[id_])]
        waiting = await reader.alerts.waiting(some, UNDECIDED_READ) if some else []
        fewest: dict[int, int] = {}
        for alert in waiting if len(waiting) < UNDECIDED_READ else ():
            gpus = load_rule(alert.rule).wanted.gpus
            fewest[alert.series_id] = min(gpus, fewest.get(alert.series_id, gpus))
        for id_, gpus in fewest.items():
            pending = wanted[id_].gpus
            wanted[id_] = replace(wanted[id_], gpus=gpus if pending is None else min(gpus, pending))

    async def _sizes_of(self, reader: Reader, row: ModelRow) -> Sizes:
        known = self._sizes.get(row.name)
        if known is None or known[0] != row.last_good_at:
            book = [offer for offer in await reader.book([row.name]) if offer.verified]
            minimal = tuple(_by_frequency(minimal_slices(book))[:MOST_SIZES]) or (1,)
            known = self._sizes[row.name] = row.last_good_at, Sizes(minimal, tuple(_by_frequency(book)))
        return known[1]


def _by_frequency(book: Iterable[Offer]) -> list[int]:
    return [size for size, _ in Counter(offer.num_gpus for offer in book).most_common()]


def _met_with(watch: Watch, answer: ProbeAnswer) -> tuple[Offer, ...]:
    return tuple(offer for offer in answer.offers if offer.model == watch.row.name)


def _wanted(
    series: Mapping[int, SeriesKey],
    armed: Mapping[int, tuple[int | None, int | None]],
    undecided: Sequence[AlertRow],
) -> dict[int, Wanted]:
    """What each series' rules wait for that a probe may show: of several the easiest."""
    found: dict[int, Wanted] = {}
    for id_, limits in armed.items():
        limit = limits[Measure(series[id_].measure) is Measure.GPUS]
        if limit is not None:
            found[id_] = Wanted(limit)
    for alert in undecided:
        rule, before = load_rule(alert.rule), found.get(alert.series_id)
        limit = rule.limit
        if before is not None:
            limit = max(limit, before.limit) if rule.direction is Direction.BELOW else min(limit, before.limit)
        if rule.direction is (Direction.ABOVE if rule.series.measure is Measure.GPUS else Direction.BELOW):
            known = None if before is None else before.to_confirm
            gpus = rule.wanted.gpus if before is None or before.gpus is None else min(rule.wanted.gpus, before.gpus)
            found[alert.series_id] = Wanted(limit, _newest((known, _unconfirmed(alert))), gpus)
    return found


def _unconfirmed(alert: AlertRow) -> int | None:
    """When the newest reading was of a rule that waits for another one, rather than for its time."""
    state = load_state(alert.state)
    return state.last_at if state.readings < load_rule(alert.rule).readings else None


def _newest(times: Iterable[int | None]) -> int | None:
    return max((at for at in times if at is not None), default=None)


async def _measured(watch: Watch, answer: ProbeAnswer, reader: Reader, now: int) -> dict[int, int | None]:
    """What the slices of a probe say of each series."""
    offers = _met_with(watch, answer)
    book = {(watch.row.name, *place): quote for place, quote in quotes(offers, now).items()}
    return {id_: await measure(key, book, reader, now, offers) for id_, key in watch.series.items()}


def _floor_queries(row: ModelRow, wanted: Sequence[Wanted], sizes: Sizes) -> Iterator[ProbeQuery]:
    return _cheap_slices(row, wanted, sizes.minimal)


def _offer_queries(row: ModelRow, wanted: Sequence[Wanted], sizes: Sizes) -> Iterator[ProbeQuery]:
    """Slices of as many GPUs as a rule takes, at the bid without disk: the rest is looked at when they are there."""
    fewest = min(one.gpus or 1 for one in wanted)
    large = [size for size in sizes.all if size >= fewest][:MOST_SIZES]
    return _cheap_slices(row, wanted, large or (fewest,))


def _cheap_slices(row: ModelRow, wanted: Sequence[Wanted], sizes: Iterable[int]) -> Iterator[ProbeQuery]:
    limit = max(one.limit for one in wanted)
    return (ProbeQuery(row.vast_name, size, limit - 1) for size in sizes if limit > 1)


def _stock_queries(row: ModelRow, wanted: Sequence[Wanted], sizes: Sizes) -> Iterator[ProbeQuery]:
    """Slices large enough that one answer of them can prove the smallest number that is waited for."""
    yield ProbeQuery(row.vast_name, -(-(min(one.limit for one in wanted) + 1) // PROBE_ROWS))


def _is_floor(key: SeriesKey) -> bool:
    return (key.measure, key.metric) == (Measure.PRICE, Metric.FLOOR)


def _is_stock(key: SeriesKey) -> bool:
    return key.measure == Measure.GPUS


def _is_offer(key: SeriesKey) -> bool:
    return key.measure == Measure.OFFER


_PROBED: Mapping[ProbeKind, Callable[[SeriesKey], bool]] = {
    ProbeKind.FLOOR: _is_floor,
    ProbeKind.STOCK: _is_stock,
    ProbeKind.OFFER: _is_offer,
}
_BOUNDS = {ProbeKind.FLOOR: Direction.BELOW, ProbeKind.STOCK: Direction.ABOVE, ProbeKind.OFFER: Direction.BELOW}
"""A slice proves that the floor is no higher, and that there are no fewer GPUs."""
_QUERIES: Mapping[ProbeKind, Callable[[ModelRow, Sequence[Wanted], Sizes], Iterator[ProbeQuery]]] = {
    ProbeKind.FLOOR: _floor_queries,
    ProbeKind.STOCK: _stock_queries,
    ProbeKind.OFFER: _offer_queries,
}
