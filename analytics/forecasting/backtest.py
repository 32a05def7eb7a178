"""Walking forecasts over stored history: what would have been said at each hour, and how it came out.

The twin of the served forecaster: last value on log prices, with the intervals and the confidence that go with it. At
each hour it uses only what had happened by then. Stdlib only: sorted windows are faster here than arrays.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from analytics.market import HourPoint

HORIZONS_H = (1, 6, 24)
"""The horizons that are served, in hours (source: the guide's keys next_1h, next_6h, next_24h)."""

CARRY_H = 3
"""The longest gap in hours over which the last price is carried as an origin (source: definitions, "Forecasts")."""

ALPHA = 0.2
"""The share of outcomes that may fall outside an 80 % interval (source: definitions, "Forecasts")."""

GAMMA = 0.02
"""Step of adaptive conformal inference (source: definitions, "Forecasts"; Gibbs & Candès 2021)."""

ALPHA_LOW, ALPHA_HIGH = 0.01, 0.5
"""Where adaptive alpha is clipped (source: definitions, "Forecasts")."""

WINDOW_H = 14 * 24
"""Errors of the last 14 days make intervals and confidence (source: definitions, "Forecasts")."""

HIT_SHARE = 0.05
"""How far from the forecast an actual price may lie to count as a hit (source: definitions, "Forecasts")."""

POOL_WEIGHT = 72
"""Pseudo-hours of the pool of all models in a confidence (source: definitions, "Forecasts")."""

OWN_WEIGHT = 96
"""A mixed interval weighs its own n errors n / (n + 96) (source: definitions, "Forecasts", regimes)."""

COLD_H = 24
"""With less history the interval is the pool's and there is no confidence (source: definitions, "Regimes")."""

OWN_H = 14 * 24
"""With this much history the interval is the series' own (source: definitions, "Regimes")."""

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
class Stand:
    """What is said at one hour beside the price: the interval's half width in log price, confidence, regime."""

    half: float | None
    confidence: float | None
    regime: str


@dataclass(frozen=True, slots=True)
class Pool:
    """The errors of all models at one horizon: step (hour // 6) -> half width and hit rate of the 14 days before it."""

    steps: Mapping[int, tuple[float, float]]

    def at(self, hour: int) -> tuple[float | None, float | None]:
        """Half width and hit rate as they were known at ``hour``."""
        return self.steps.get(hour // POOL_STEP_H, (None, None))


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
    ripe: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for series in grids:
        for hour, error, hit in errors(series, horizon):
            ripe[hour // POOL_STEP_H].append((error, hit))
    if not ripe:
        return Pool({})
    batches = {step: (sorted(e for e, _ in batch), sum(h for _, h in batch)) for step, batch in ripe.items()}
    window = WINDOW_H // POOL_STEP_H
    steps = {}
    for step in range(min(batches) + 1, max(batches) + window + 1):
        recent = [batches[s] for s in range(step - window, step) if s in batches]
        if recent:
            ordered = sorted(error for batch, _ in recent for error in batch)
            steps[step] = (conformal(ordered, ALPHA), sum(hits for _, hits in recent) / len(ordered))
    return Pool(steps)


def conformal(ordered: Sequence[float], alpha: float) -> float:
    """The error that a share 1 - alpha of new ones stays within, from past ones in ascending order (not empty)."""
    rank = math.ceil((len(ordered) + 1) * (1 - alpha))
    return ordered[min(rank, len(ordered)) - 1]


@dataclass(slots=True)
class _Window:
    """The trailing errors of one series and horizon, and the adaptive alpha that they led to."""

    alpha: float = ALPHA
    ordered: list[float] = field(default_factory=list)
    recent: deque[tuple[int, float, bool]] = field(default_factory=deque)
    hits: int = 0

    def add(self, outcome: Outcome, ripe: int) -> None:
        if outcome.covered is not None:
            self.alpha = min(ALPHA_HIGH, max(ALPHA_LOW, self.alpha + GAMMA * (ALPHA - (not outcome.covered))))
        insort(self.ordered, outcome.error)
        self.recent.append((ripe, outcome.error, outcome.hit))
        self.hits += outcome.hit

    def forget(self, before: int) -> None:
        while self.recent and self.recent[0][0] <= before:
            _, error, hit = self.recent.popleft()
            del self.ordered[bisect_left(self.ordered, error)]
            self.hits -= hit

    def stand(self, age: int, half: float | None, rate: float | None) -> Stand:
        """``age``: hours of history; ``half`` and ``rate``: the pool's."""
        n = len(self.ordered)
        regime = "cold" if age < COLD_H else "mixed" if age < OWN_H else "own"
        if n and regime != "cold":
            weight = 1.0 if regime == "own" or half is None else n / (n + OWN_WEIGHT)
            half = weight * conformal(self.ordered, self.alpha) + (1 - weight) * (half or 0.0)
        if regime == "cold" or rate is None:
            return Stand(half, None, regime)
        return Stand(half, (self.hits + POOL_WEIGHT * rate) / (n + POOL_WEIGHT), regime)


def walk(series: Grid, horizon: int, shared: Pool) -> tuple[list[Outcome], Stand]:
    """Every scored forecast of a series at one horizon, in order of time, and what is said at its last hour.

    Interval: adaptive conformal on the trailing 14 days of |log error|, the pool's or a mixture while history is short;
    confidence: trailing hit rate shrunk to the pool. An error counts from the hour of its target on, never before.
    Source: definitions, "Forecasts".
    """
    ripening = iter(errors(series, horizon))
    due = next(ripening, None)
    window = _Window()
    stands: list[Stand] = []
    outcomes: list[Outcome] = []
    for i in range(len(series.seen)):
        hour = series.start + i
        if due is not None and due[0] == hour:
            said = stands[i - horizon]
            outcomes.append(Outcome(hour - horizon, due[1], due[2], said.half, said.confidence))
            window.add(outcomes[-1], hour)
            due = next(ripening, None)
        window.forget(hour - WINDOW_H)
        stands.append(window.stand(i, *shared.at(hour)))
    return outcomes, stands[-1]
