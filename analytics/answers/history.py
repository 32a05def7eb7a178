"""What prices were: points, gaps and figures over up to thirteen months."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from analytics.evidence import Basis, Evidence, Note, iso
from analytics.market import DAY, HOUR, HourPoint, usd
from analytics.prices import nothing_polled, quantile

DEFAULT_DAYS = 30
"""Days shown unless told otherwise (source: the guide, "atualmente 30 dias")."""

MOST_DAYS = 396
"""Hourly history is kept for 13 months (source: design, "How it stays true", History)."""

HOURLY_DAYS = 30
"""Longer spans are shown by the day (ours: 720 points are as many as a chart can hold)."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One hour, or one UTC day as the median of its hours; USD per GPU-hour."""

    at: str
    price: float | None
    p10: float | None
    p90: float | None
    on_demand: float | None
    offers: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Hours without a complete poll, in [since, until)."""

    since: str
    until: str
    hours: int


@dataclass(frozen=True, slots=True)
class Stats:
    """Over the hours with a price; USD per GPU-hour, changes in percent."""

    hours: int
    first: float | None
    last: float | None
    low: float | None
    median: float | None
    high: float | None
    change_percent: float
    unchanged_percent: float | None
    """share of steps between neighbouring hours at which the price stayed the same"""


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
    evidence: Evidence


def since_hour(last: int, days: int) -> int:
    """The first hour of the ``days`` that end with the hour ``last``."""
    return last - 24 * days + 1


def history(model: str, stored: Sequence[HourPoint], days: int, basis: Basis) -> History:
    """The last ``days`` of a model from its hour points (ascending): hourly up to 30 days, daily beyond.

    Points, gaps and figures are of one window: it ends with the newest stored hour that is not later than
    ``basis.now``, and begins ``days`` before that or with the first stored hour. What is missing between its end and
    now is no gap but age: the evidence says how old the data are, and whether they are stale. Raises NotYet when no
    hour is stored.
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
    return History(
        gpu_name=model,
        days=days,
        step="hour" if step == HOUR else "day",
        points=tuple(_moment(list(group), at * step) for at, group in groupby(hours, lambda p: p.hour * HOUR // step)),
        gaps=gaps,
        stats=_stats(hours),
        evidence=basis.evidence(Note("time-weighted median of each hour's polls; days are medians of hours"), caveats),
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
    return Moment(iso(at), price, p10, p90, on_demand, middle("offers") or 0)


def _stats(hours: Sequence[HourPoint]) -> Stats | None:
    priced = [(point.hour, point.price) for point in hours if point.price]
    if not priced:
        return None
    prices = [price for _, price in priced]
    steps = [a == b for (h, a), (k, b) in pairwise(priced) if k == h + 1]
    return Stats(
        hours=len(prices),
        first=usd(prices[0]),
        last=usd(prices[-1]),
        low=usd(min(prices)),
        median=usd(statistics.median(prices)),
        high=usd(max(prices)),
        change_percent=round(100 * (prices[-1] / prices[0] - 1), 2),
        unchanged_percent=round(100 * statistics.fmean(steps), 1) if steps else None,
    )
