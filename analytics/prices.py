"""What the market asks: quotes of one poll, points of one hour, a model's own band of changes, and the monitor (Q1).

Stdlib only: a round of 5,000 offers passes through here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from analytics.evidence import OMIT, Basis, Evidence, Note, iso
from analytics.market import HOUR, WORLD, ChangeBand, HourPoint, Offer, Quote, Scope, usd
from analytics.shadow import minimal

BAND_LOW, BAND_HIGH = 0.1, 0.9
"""The edges of the middle 80 % (source: definitions, "Q1 monitor")."""

BAND_HOURS = 30 * 24
"""How far back a model's own changes are looked at (source: definitions, "Q1 monitor")."""

BAND_MIN_CHANGES = 168
"""Fewer 24 h changes than this give no band (ours: one week of hours, so that each hour of the week was seen once)."""

DAY_HOURS = 24
"""The window of the 24 h figures."""

HOLD_HOURS = 6
"""How long an hour's price stands for the hours after it that have none (source: the longest planned poll interval)."""

DAY_MIN_HOURS = 12
"""Fewer hours than this that a price stands for give no 24 h figures (ours: half of the window)."""


def quotes(offers: Sequence[Offer], at: int) -> dict[tuple[str, Scope], Quote]:
    """The market of one model at one poll, for the world in both scopes and for each region in scope verified.

    Prices in micro-dollars per GPU-hour over rentable minimal slices, weighted by GPUs; ``floor`` the cheapest;
    ``offers`` slices, ``gpus`` physical GPUs (each once), ``machines``. A slice without min_bid counts for
    ``on_demand`` and availability only. ``at``: UTC seconds. The two world quotes are there even when nothing is free.
    Source: definitions, "current_price".
    """
    verified = [offer for offer in offers if offer.verified and offer.rentable]
    everyone = verified if len(verified) == len(offers) else [offer for offer in offers if offer.rentable]
    regions: dict[str, list[Offer]] = defaultdict(list)
    free = minimal(verified)
    for offer in free:
        regions[offer.region].append(offer)
    gpus = _gpus(verified)
    book = {(region, Scope.VERIFIED): _quote(at, slices, gpus) for region, slices in regions.items()}
    book[WORLD, Scope.VERIFIED] = _quote(at, free, gpus)
    book[WORLD, Scope.ALL] = (
        book[WORLD, Scope.VERIFIED] if everyone is verified else _quote(at, minimal(everyone), _gpus(everyone))
    )
    return book


def _gpus(offers: Iterable[Offer]) -> dict[int, int]:
    """Machine -> how many of its GPUs are on offer, each once however many slices hold it."""
    named: dict[int, set[int]] = defaultdict(set)
    most: dict[int, int] = defaultdict(int)
    for offer in offers:
        named[offer.machine_id].update(offer.gpu_ids)
        most[offer.machine_id] = max(most[offer.machine_id], offer.num_gpus)
    return {machine: max(count, len(named[machine])) for machine, count in most.items()}


def _quote(at: int, slices: Sequence[Offer], gpus: Mapping[int, int]) -> Quote:
    spot = sorted((o.min_bid, o.num_gpus) for o in slices if o.min_bid)
    demand = sorted((o.on_demand, o.num_gpus) for o in slices if o.on_demand)
    machines = {o.machine_id for o in slices}
    return Quote(
        at=at,
        price=quantile(spot, 0.5),
        floor=spot[0][0] if spot else None,
        p10=quantile(spot, BAND_LOW),
        p90=quantile(spot, BAND_HIGH),
        on_demand=quantile(demand, 0.5),
        offers=len(slices),
        gpus=sum(gpus[machine] for machine in machines),
        machines=len(machines),
    )


def quantile(pairs: Sequence[tuple[int, int]], q: float) -> int | None:
    """The weighted quantile of (value, weight) pairs sorted by value; where two values meet at q, their mean."""
    if not pairs:
        return None
    sums = list(accumulate(weight for _, weight in pairs))
    wanted = q * sums[-1]
    i = min(bisect_left(sums, wanted - 1e-9 * sums[-1]), len(pairs) - 1)
    if abs(sums[i] - wanted) <= 1e-9 * sums[-1] and i + 1 < len(pairs):
        return (pairs[i][0] + pairs[i + 1][0]) // 2
    return pairs[i][0]


def hour_point(hour: int, quotes: Sequence[Quote]) -> HourPoint:
    """One hour of one (model, region, scope) from its quotes in order of time, each weighted by how long it stood.

    A quote stands until the next or the end of the hour. Prices are None when no quote had one.
    """
    edges = [*(quote.at for quote in quotes[1:]), (hour + 1) * HOUR]
    spans = [max(1, edge - quote.at) for quote, edge in zip(quotes, edges, strict=True)] if quotes else []

    def middle(name: str) -> int | None:
        pairs = [(getattr(quote, name), span) for quote, span in zip(quotes, spans, strict=True)]
        return quantile(sorted(pair for pair in pairs if pair[0] is not None), 0.5)

    prices = {name: middle(name) for name in ("price", "floor", "p10", "p90", "on_demand")}
    return HourPoint(hour=hour, **prices, offers=middle("offers") or 0, gpus=middle("gpus") or 0, polls=len(quotes))


def change_band(hours: Sequence[HourPoint]) -> ChangeBand | None:
    """The middle 80 % of a model's 24 h changes (fractions) over the 30 days up to the last of ``hours`` (ascending).

    One change per priced hour: its price against the time-weighted mean of the 24 h before. None when there are
    fewer than ``BAND_MIN_CHANGES``. Source: definitions, "Q1 monitor".
    """
    points = [(point.hour, point.price) for point in hours if point.price]
    if not points:
        return None
    times = [hour for hour, _ in points]
    spans = [min(later - hour, HOLD_HOURS) for hour, later in pairwise(times)]
    covered = list(accumulate(spans, initial=0))
    worth = list(accumulate((span * p for span, (_, p) in zip(spans, points, strict=False)), initial=0))
    changes = []
    for i in range(bisect_left(times, times[-1] - BAND_HOURS + 1), len(points)):
        first = bisect_left(times, times[i] - DAY_HOURS)
        held = covered[i] - covered[first]
        if held >= DAY_MIN_HOURS:
            changes.append(points[i][1] * held / (worth[i] - worth[first]) - 1)
    if len(changes) < BAND_MIN_CHANGES:
        return None
    changes.sort()
    return ChangeBand(_at(changes, BAND_LOW), _at(changes, BAND_HIGH), len(changes))


def _at(ordered: Sequence[float], q: float) -> float:
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]
