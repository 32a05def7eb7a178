"""What can be probed for, one row a kind: which rules, by which searches, and what an answer proves."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.alerts.codec import load_rule, load_state
from bot.alerts.rules import Direction, Measure, Metric
from bot.polling.last_books import MOST_SIZES, LastBook
from bot.sources.base import PROBE_ROWS, ProbeQuery
from bot.store.alerts import AlertRow, SeriesKey


class ProbeKind(enum.StrEnum):
    """What is probed for."""

    FLOOR = "floor"
    STOCK = "stock"
    OFFER = "offer"
    CURRENT = "current"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the rules of one series wait for: a threshold passed strictly, and the newest reading to be confirmed."""

    limit: int
    to_confirm: int | None = None
    gpus: int | None = None
    """of rules on offers: the fewest GPUs that one takes; on what is available: those that the last poll lacks"""


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """A kind of probe."""

    serves: Callable[[SeriesKey], bool]
    queries: Callable[[str, Sequence[Wanted], LastBook], Iterator[ProbeQuery]]
    """by the service's name of the model"""
    bound: Direction | None
    """on which side of what it met with the true value lies if not there; None: it proves nothing, a poll must"""


def wanted_by(
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
            found[alert.series_id] = Wanted(limit, newest((known, unconfirmed(alert))), gpus)
    return found


def with_gpus(wanted: Mapping[int, Wanted], waiting: Sequence[AlertRow]) -> dict[int, Wanted]:
    """The same with the fewest GPUs that a waiting rule on offers takes."""
    found = dict(wanted)
    for alert in waiting:
        gpus, before = load_rule(alert.rule).wanted.gpus, found[alert.series_id]
        found[alert.series_id] = replace(before, gpus=gpus if before.gpus is None else min(gpus, before.gpus))
    return found


def unconfirmed(alert: AlertRow) -> int | None:
    """When the newest reading was of a rule that waits for another one, rather than for its time."""
    state = load_state(alert.state)
    return state.last_at if state.readings < load_rule(alert.rule).readings else None


def newest(times: Iterable[int | None]) -> int | None:
    """The newest of those that are known."""
    return max((at for at in times if at is not None), default=None)


def _floor_queries(name: str, wanted: Sequence[Wanted], book: LastBook) -> Iterator[ProbeQuery]:
    return _cheap_slices(name, wanted, book.sizes)


def _offer_queries(name: str, wanted: Sequence[Wanted], book: LastBook) -> Iterator[ProbeQuery]:
    """Slices of as many GPUs as a rule takes, at the bid without disk: the rest is looked at when they are there."""
    fewest = min(one.gpus or 1 for one in wanted)
    large = [size for size in book.all_sizes if size >= fewest][:MOST_SIZES]
    return _cheap_slices(name, wanted, large or (fewest,))


def _current_queries(name: str, wanted: Sequence[Wanted], book: LastBook) -> Iterator[ProbeQuery]:
    return _cheap_slices(name, wanted, book.largest_answer[:1])


def _cheap_slices(name: str, wanted: Sequence[Wanted], sizes: Iterable[int]) -> Iterator[ProbeQuery]:
    limit = max(one.limit for one in wanted)
    return (ProbeQuery(name, size, limit - 1) for size in sizes if limit > 1)


def _stock_queries(name: str, wanted: Sequence[Wanted], book: LastBook) -> Iterator[ProbeQuery]:
    """Slices of machines that had none, so large that one answer of them can be all that is lacking.

    Those that are known would be brought by every search, and of few GPUs no size of slices tells more from fewer.
    """
    lacking = min(one.gpus or 1 for one in wanted)
    yield ProbeQuery(name, -(-lacking // PROBE_ROWS), known_machines=book.machines)


def _is_price(metric: Metric) -> Callable[[SeriesKey], bool]:
    return lambda key: (key.measure, key.metric) == (Measure.PRICE, metric)


def _is(measure: Measure) -> Callable[[SeriesKey], bool]:
    return lambda key: key.measure == measure


PROBE_KINDS: Mapping[ProbeKind, ProbeSpec] = {
    ProbeKind.FLOOR: ProbeSpec(_is_price(Metric.FLOOR), _floor_queries, Direction.BELOW),
    ProbeKind.STOCK: ProbeSpec(_is(Measure.GPUS), _stock_queries, None),
    ProbeKind.OFFER: ProbeSpec(_is(Measure.OFFER), _offer_queries, Direction.BELOW),
    ProbeKind.CURRENT: ProbeSpec(_is_price(Metric.CURRENT), _current_queries, None),
}
"""A slice proves that the floor is no higher; of a median or of how many there are it proves nothing."""
