"""What prices were: points, gaps and figures over up to thirteen months."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from analytics.catalog import Catalog
from analytics.evidence import OMIT, Basis, Evidence, Note, iso
from analytics.hardware.comparators import CLOUDS, comparator
from analytics.market import DAY, HOUR, HourPoint, Quote, usd
from analytics.offer_now import OfferNow
from analytics.on_demand import cheaper_on_demand
from analytics.prices import DAY_HOURS, HOLD_HOURS, nothing_polled, quantile

DEFAULT_DAYS = 30
"""Days shown unless told otherwise (source: the guide, "atualmente 30 dias")."""

MOST_DAYS = 396
"""Hourly history is kept for 13 months (source: design, "How it stays true", History)."""

HOURLY_DAYS = 30
"""Longer spans are shown by the day (ours: 720 points are as many as a chart can hold)."""


LEVEL_MIN_HOURS = 2 * HOLD_HOURS + 1
"""Prices that stand for fewer hours of a day than this give no level of it (ours: one price, which stands for at most
``HOLD_HOURS``, is then less than half of them and cannot move their median far)."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One hour, or one UTC day as the median of its hours; USD per GPU-hour."""

    at: str
    price: float | None
    p10: float | None
    p90: float | None
    on_demand: float | None
    offers: int | None
    """None where the price was imported without them"""


@dataclass(frozen=True, slots=True)
class Gap:
    """Hours without a complete poll, in [since, until)."""

    since: str
    until: str
    hours: int


@dataclass(frozen=True, slots=True)
class Stats:
    """Over the hours with a price, the first and the last of them included; USD per GPU-hour, changes in percent."""

    hours: int
    first: float | None
    last: float | None
    low: float | None
    median: float | None
    high: float | None
    first_day: float | None
    """median of the 24 h from the first price on, each price weighted by how long it stands"""
    last_day: float | None
    """the same of the 24 h up to the last price"""
    change_percent: float | None
    """from ``first_day`` to ``last_day``: two hours are too noisy to compare"""
    unchanged_percent: float | None
    """share of steps between neighbouring hours at which the price stayed the same"""
    why: Note | None
    """why there is no change"""


@dataclass(frozen=True, slots=True)
class CloudReference:
    """What a big cloud asks on demand for the same chip; USD per GPU-hour, as listed on ``date``."""

    cloud: str
    gpu_name: str
    on_demand_price: float
    date: str


METHOD = (
    "time-weighted median of each hour's polls; days are medians of hours; "
    "the change is from the median of the first 24 h with prices to that of the last 24 h"
)


@dataclass(frozen=True, slots=True)
class History:
    """What is stored of a model's price; gaps are listed, never filled."""

    gpu_name: str
    days: int
    step: str
    """``hour`` or ``day``"""
    points: tuple[Moment, ...]
    gaps: tuple[Gap, ...]
    stats: Stats | None
    clouds: tuple[CloudReference, ...] = field(default=(), kw_only=True)
    """prices of today's list, to compare with; not what the clouds asked then"""
    offers_now: tuple[OfferNow, ...] | None = field(default=None, kw_only=True, metadata=OMIT)
    """the best matching offers; left out where the answer names no model"""
    evidence: Evidence


def cloud_references(model: str, catalog: Catalog, now: int) -> tuple[CloudReference, ...]:
    """Each cloud's on-demand price of the same chip (source: the catalogue's price list); none where none sells it."""
    gpu = catalog.gpu(model)
    if gpu is None:
        return ()
    found = (comparator(cloud, gpu, catalog, now) for cloud in CLOUDS)
    return tuple(
        CloudReference(one.cloud, one.gpu_name, one.usd_per_gpu_hour, one.date)
        for one in found
        if one is not None and (one.same_gpu or one.same_chip)
    )


def since_hour(last: int, days: int) -> int:
    """The first hour of the ``days`` that end with the hour ``last``."""
    return last - 24 * days + 1


def history(model: str, stored: Sequence[HourPoint], days: int, basis: Basis, quote: Quote | None = None) -> History:
    """The last ``days`` of a model from its hour points (ascending): hourly up to 30 days, daily beyond.

    Points, gaps and figures are of one window: it ends with the newest stored hour that is not later than
    ``basis.now``, and begins ``days`` before that or with the first stored hour. What is missing between its end and
    now is no gap but age: the evidence says how old the data are, and whether they are stale. ``quote``: the latest
    complete poll, by which spot and on demand are compared as everywhere. Raises NotYet when no hour is stored.
    """
    known = [point for point in stored if point.hour <= basis.now // HOUR]
    if not known:
        raise nothing_polled()
    step = HOUR if days <= HOURLY_DAYS else DAY
    last = known[-1].hour
    first = max(since_hour(last, days), known[0].hour if basis.first_at is None else basis.first_at // HOUR)
    hours = [point for point in known if point.hour >= first]
    gaps = tuple(_gaps((point.hour for point in hours), first))
    caveats = (
        (Note("gaps, which are not filled: {n}, together {hours} h", {"n": len(gaps), "hours": _lost(gaps)}),)
        if gaps
        else ()
    )
    cheaper = cheaper_on_demand([(model, quote.price, quote.on_demand)]) if quote else ()
    return History(
        gpu_name=model,
        days=days,
        step="hour" if step == HOUR else "day",
        points=tuple(_moment(list(group), at * step) for at, group in groupby(hours, lambda p: p.hour * HOUR // step)),
        gaps=gaps,
        stats=_stats(hours),
        evidence=basis.evidence(Note(METHOD), (*cheaper, *caveats)),
    )


def _lost(gaps: Iterable[Gap]) -> int:
    return sum(gap.hours for gap in gaps)


def _gaps(polled: Iterable[int], first: int) -> Iterable[Gap]:
    """Runs of hours from ``first`` to the last of ``polled`` that are not among them."""
    expected = first
    for hour in polled:
        if hour > expected:
            yield Gap(iso(expected * HOUR), iso(hour * HOUR), hour - expected)
        expected = hour + 1


def _moment(hours: Sequence[HourPoint], at: int) -> Moment:
    def middle(name: str) -> int | None:
        return quantile(sorted((v, 1) for point in hours if (v := getattr(point, name)) is not None), 0.5)

    price, p10, p90, on_demand = (usd(middle(name)) for name in ("price", "p10", "p90", "on_demand"))
    counted = sorted((point.offers, 1) for point in hours if point.offers or point.price is None)
    return Moment(iso(at), price, p10, p90, on_demand, quantile(counted, 0.5))


def _stats(hours: Sequence[HourPoint]) -> Stats | None:
    priced = [(point.hour, point.price) for point in hours if point.price]
    if not priced:
        return None
    prices = [price for _, price in priced]
    first_day, last_day, why = _levels(priced)
    steps = [a == b for (h, a), (k, b) in pairwise(priced) if k == h + 1]
    return Stats(
        hours=len(prices),
        first=usd(prices[0]),
        last=usd(prices[-1]),
        low=usd(min(prices)),
        median=usd(statistics.median(prices)),
        high=usd(max(prices)),
        first_day=usd(first_day),
        last_day=usd(last_day),
        change_percent=round(100 * (last_day / first_day - 1), 2) if first_day and last_day else None,
        unchanged_percent=round(100 * statistics.fmean(steps), 1) if steps else None,
        why=why,
    )


def _levels(priced: Sequence[tuple[int, int]]) -> tuple[int | None, int | None, Note | None]:
    """The levels of the first and the last day of (hour, price) pairs, and why one is missing."""
    first, end = priced[0][0], priced[-1][0] + 1
    if end - first < 2 * DAY_HOURS:
        return None, None, Note("less than 2 days of prices, so no change is given")
    levels = _level(priced, first), _level(priced, end - DAY_HOURS)
    few = Note("too few prices on the first or last day, so no change is given")
    return *levels, few if None in levels else None


def _level(priced: Sequence[tuple[int, int]], first: int) -> int | None:
    """The median price of the 24 h from the hour ``first``, weighted by how long each stands; None for too few."""
    day = [(hour, price) for hour, price in priced if first <= hour < first + DAY_HOURS]
    ends = [*(hour for hour, _ in day[1:]), first + DAY_HOURS]
    held = sorted((price, min(end - hour, HOLD_HOURS)) for (hour, price), end in zip(day, ends, strict=True))
    return quantile(held, 0.5) if sum(hours for _, hours in held) >= LEVEL_MIN_HOURS else None
