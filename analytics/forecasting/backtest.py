"""Walking forecasts over stored history: what would have been said at each hour, and how it came out.

The twin of the served forecaster: last value on log prices, with the intervals and the confidence that go with it. At
each hour it uses only what had happened by then. Stdlib only: sorted windows are faster here than arrays.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, insort
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from analytics.forecasting.distribution import ALPHA, HIT_SHARE, Mixture, Stand, calibrated, thinned, widening
from analytics.market import HourPoint

HORIZONS_H = (1, 6, 24)
"""The horizons that are served, in hours (source: the guide's keys next_1h, next_6h, next_24h)."""

CARRY_H = 3
"""The longest gap in hours over which the last price is carried as an origin (source: definitions, "Forecasts")."""

GAMMA = 0.02
"""Step of adaptive conformal inference (source: definitions, "Forecasts"; Gibbs & Candès 2021)."""

ALPHA_LOW, ALPHA_HIGH = 0.01, 0.5
"""Where adaptive alpha is clipped (source: definitions, "Forecasts")."""

WINDOW_H = 14 * 24
"""Errors of the last 14 days make intervals and confidence (source: definitions, "Forecasts")."""

COLD_H = 24
"""With less history the interval is the pool's and there is no confidence (source: definitions, "Regimes")."""

OWN_H = 14 * 24
"""With this much history the series' own errors fill the window (source: definitions, "Regimes")."""

POOL_STEP_H = 6
"""Hours between two looks at the pool of all models' errors (ours: the pool moves slowly and costs a sort)."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A model's prices (micro-dollars) hour by hour from ``start`` on, ``None`` where there is none.

    ``seen`` holds what was observed, and only that is scored; ``held`` has short gaps filled with the last price.
    """

    model: str
    start: int
    seen: tuple[int | None, ...]
    held: tuple[int | None, ...]

    @property
    def end(self) -> int:
        """The last hour of the grid."""
        return self.start + len(self.seen) - 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """One scored forecast: errors are in log price, ``half`` is half the width of its 80 % interval."""

    origin: int
    error: float
    hit: bool
    half: float | None
    confidence: float | None

    @property
    def covered(self) -> bool | None:
        """Whether the interval held the actual price."""
        return None if self.half is None else self.error <= self.half


@dataclass(frozen=True, slots=True)
class Pool:
    """The errors of all models at one horizon: step (hour // 6) -> quantiles of those of the 14 days before it."""

    steps: Mapping[int, Sequence[float]]

    def at(self, hour: int) -> Sequence[float]:
        """The errors in ascending order, as they were known at ``hour``; empty as long as there are none."""
        return self.steps.get(hour // POOL_STEP_H, ())


def grid(model: str, points: Iterable[HourPoint], until: int) -> Grid | None:
    """The regular hourly grid from a model's first price to hour ``until`` at the latest; None without a price."""
    prices = {point.hour: point.price for point in points if point.price and point.hour <= until}
    if not prices:
        return None
    start = min(prices)
    seen = tuple(prices.get(hour) for hour in range(start, until + 1))
    return Grid(model, start, seen, tuple(_carried(seen)))


def _carried(seen: Iterable[int | None]) -> Iterator[int | None]:
    last, age = None, 0
    for price in seen:
        last, age = (price, 0) if price is not None else (last, age + 1)
        yield last if age <= CARRY_H else None


def within(forecast: int, actual: int) -> bool:
    """Whether the actual price landed within ±5 % of the forecast."""
    return abs(actual - forecast) <= HIT_SHARE * forecast


def errors(series: Grid, horizon: int) -> Iterator[tuple[int, float, bool]]:
    """(hour of the target, |log error|, hit) of last value for each origin whose target was observed, ascending."""
    for i, (last, actual) in enumerate(zip(series.held, series.seen[horizon:], strict=False)):
        if last is not None and actual is not None:
            yield series.start + i + horizon, abs(math.log(actual / last)), within(last, actual)


def pool(grids: Iterable[Grid], horizon: int) -> Pool:
    """What the models together knew of their errors, every six hours."""
    ripe: dict[int, list[float]] = defaultdict(list)
    for series in grids:
        for hour, error, _ in errors(series, horizon):
            ripe[hour // POOL_STEP_H].append(error)
    if not ripe:
        return Pool({})
    window = WINDOW_H // POOL_STEP_H
    steps: dict[int, Sequence[float]] = {}
    for step in range(min(ripe) + 1, max(ripe) + window + 1):
        recent = [ripe[s] for s in range(step - window, step) if s in ripe]
        if recent:
            steps[step] = array("d", thinned(sorted(chain.from_iterable(recent))))
    return Pool(steps)


class _Window:
    """The trailing errors of one series and horizon, the adaptive alpha that they led to, and what was said."""

    def __init__(self, series: Grid, horizon: int, shared: Pool) -> None:
        self.horizon, self.shared = horizon, shared
        self.alpha = ALPHA
        self.ordered: list[float] = []
        self.recent: deque[tuple[int, float]] = deque()
        self.halves: list[float | None] = []
        self.outcomes: list[Outcome] = []
        self.ripening = errors(series, horizon)
        self.due = next(self.ripening, None)

    def ripen(self, hour: int, said: Sequence[Stand]) -> None:
        """Score what was said ``horizon`` hours ago about this hour, and forget what is two weeks old."""
        if self.due is not None and self.due[0] == hour:
            _, error, hit = self.due
            self.due = next(self.ripening, None)
            stand, half = said[-self.horizon], self.halves[-self.horizon]
            self.outcomes.append(Outcome(hour - self.horizon, error, hit, stand.half, stand.confidence))
            if half is not None:
                # by its own range, not by the one that a nearer horizon may have widened: that one tells nothing of it
                self.alpha = min(ALPHA_HIGH, max(ALPHA_LOW, self.alpha + GAMMA * (ALPHA - (error > half))))
            insort(self.ordered, error)
            self.recent.append((hour, error))
        while self.recent and self.recent[0][0] <= hour - WINDOW_H:
            del self.ordered[bisect_left(self.ordered, self.recent.popleft()[1])]

    def stand(self, hour: int, age: int) -> Stand:
        """What this horizon alone says; ``age``: hours of history."""
        pooled = self.shared.at(hour)
        regime = "cold" if age < COLD_H else "mixed" if age < OWN_H else "own"
        own = () if regime == "cold" else self.ordered
        half, confidence = None, None
        if own or pooled:
            half, confidence = calibrated(Mixture(own, pooled), ALPHA if regime == "cold" else self.alpha)
        self.halves.append(half)
        return Stand(half, None if regime == "cold" or not pooled else confidence, regime)


def walk(series: Grid, shared: Mapping[int, Pool]) -> dict[int, tuple[list[Outcome], Stand]]:
    """By horizon: every scored forecast of a series as served, in order of time, and what is said at its last hour.

    ``shared``: horizon -> pool, ascending. Range and confidence come from one distribution a horizon
    (:mod:`analytics.forecasting.distribution`): the trailing 14 days of |log error| shrunk to the pool's, at the
    adaptive conformal level; made monotone over the horizons. An error counts from the hour of its target on.
    Source: definitions, "Forecasts".
    """
    windows = {horizon: _Window(series, horizon, pool_) for horizon, pool_ in shared.items()}
    said: dict[int, list[Stand]] = {horizon: [] for horizon in shared}
    for i in range(len(series.seen)):
        hour = series.start + i
        for horizon, window in windows.items():
            window.ripen(hour, said[horizon])
        for horizon, stand in widening({h: window.stand(hour, i) for h, window in windows.items()}).items():
            said[horizon].append(stand)
    return {horizon: (window.outcomes, said[horizon][-1]) for horizon, window in windows.items()}
