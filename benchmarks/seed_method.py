"""What others would say at the same hours: the seed product's method, an hour-of-day mean, and split conformal ranges.

The seed product forecast a price with a random forest on hour and weekday. Both it and the mean are fitted anew each
day on the 30 days before it, and say the last value while there is less than a day to learn from. Ranges are those of
split conformal prediction over the last value. Errors are |log(forecast / actual)|; nothing looks ahead.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor

HORIZONS_H = (1, 6, 24)
CARRY_H = 3
"""Hours over which the last price is carried as an origin, as the backtest does."""
TRAILING_H = 30 * 24
LEAST_H = 24
WEEK_H = 168
TREES = 30
"""Of the forest; scikit-learn's usual hundred take three times as long and change nothing at 168 distinct inputs."""
CALIBRATION_H = 14 * 24
ALPHA = 0.2
JUDGED_ORIGINS = 500

Floats = NDArray[np.float64]
Model = Callable[[NDArray[np.int64], Floats], Floats]
"""(hours since 1970, prices then) -> a price for each of the 168 hours of a week."""


@dataclass(frozen=True, slots=True)
class Series:
    """Hourly prices from hour ``start`` on; NaN where there is none. ``held``: short gaps filled with the last."""

    start: int
    seen: Floats
    held: Floats

    def origins(self, horizon: int) -> NDArray[np.int64]:
        """Indices with a price now and an observed one ``horizon`` hours later."""
        later = np.append(self.seen[horizon:], np.full(min(horizon, len(self.seen)), np.nan))
        return np.flatnonzero(~np.isnan(self.held) & ~np.isnan(later))


def series(prices: Mapping[int, float]) -> Series:
    """From hour since 1970 -> price."""
    start = min(prices)
    seen = np.array([prices.get(hour, math.nan) for hour in range(start, max(prices) + 1)])
    held, last, age = seen.copy(), math.nan, 0
    for i, price in enumerate(seen):
        last, age = (last, age + 1) if math.isnan(price) else (price, 0)
        held[i] = last if age <= CARRY_H else math.nan
    return Series(start, seen, held)


def week_hour(hours: NDArray[np.int64]) -> NDArray[np.int64]:
    """The hour of the week, 0 to 167, Monday first (1970 began on a Thursday)."""
    return (hours + 3 * 24) % WEEK_H


def forest(hours: NDArray[np.int64], prices: Floats) -> Floats:
    """The seed product's model: a random forest on hour and weekday."""
    model = RandomForestRegressor(n_estimators=TREES, random_state=0)
    model.fit(_features(week_hour(hours)), prices)
    return np.asarray(model.predict(_features(np.arange(WEEK_H))))


def _features(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.column_stack((cells % 24, cells // 24))


def hour_mean(hours: NDArray[np.int64], prices: Floats) -> Floats:
    """The mean of the same hour of the day; of all hours where that one was never seen."""
    counts = np.bincount(hours % 24, minlength=24)
    sums = np.bincount(hours % 24, weights=prices, minlength=24)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), prices.mean())
    return np.tile(means, WEEK_H // 24)


MODELS: Mapping[str, Model] = {"random forest": forest, "hour mean": hour_mean}


def tables(one: Series, model: Model) -> dict[int, Floats]:
    """Day since 1970 -> what the model says on it, from the hours before that day only."""
    found: dict[int, Floats] = {}
    hours = one.start + np.arange(len(one.seen))
    for day in range(one.start // 24 + 1, (one.start + len(one.seen) - 1) // 24 + 1):
        past = (hours < day * 24) & (hours >= day * 24 - TRAILING_H) & ~np.isnan(one.seen)
        if past.sum() >= LEAST_H:
            found[day] = model(hours[past], one.seen[past])
    return found


def ratio(one: Series, said: Mapping[int, Floats], horizon: int) -> float | None:
    """Mean error over that of the last value, at the same origins; None where the price never moved."""
    origins = one.origins(horizon)
    if not len(origins):
        return None
    last, actual = one.held[origins], one.seen[origins + horizon]
    hours = one.start + origins
    cells = week_hour(hours + horizon)
    forecast = np.array(
        [
            said[hour // 24][cell] if hour // 24 in said else now
            for hour, cell, now in zip(hours, cells, last, strict=True)
        ]
    )
    naive = np.abs(np.log(actual / last)).mean()
    return float(np.abs(np.log(actual / forecast)).mean() / naive) if naive else None


def conformal(one: Series, horizon: int) -> list[tuple[bool, float, float]]:
    """(covered, width, Winkler score) of the 80 % range at each origin that has one; both in percent of the last value.

    The range is the last value ± the conformal quantile of the |log error| that ripened in the last 14 days.
    """
    found: list[tuple[bool, float, float]] = []
    window = _Trailing()
    ripe = {int(i) + horizon: _error(one, int(i), horizon) for i in one.origins(horizon)}
    for i in range(len(one.seen)):
        window.move(i, ripe.get(i))
        half = window.half()
        if half is not None and i + horizon in ripe:
            found.append(_scored(half, one.seen[i + horizon] / one.held[i]))
    return found


def _error(one: Series, origin: int, horizon: int) -> float:
    return abs(math.log(one.seen[origin + horizon] / one.held[origin]))


class _Trailing:
    """The errors of the last 14 days, in order of size."""

    def __init__(self) -> None:
        self.recent: deque[tuple[int, float]] = deque()
        self.ordered: list[float] = []

    def move(self, i: int, error: float | None) -> None:
        """Take in what ripened at index ``i`` and forget what is two weeks old."""
        if error is not None:
            self.recent.append((i, error))
            insort(self.ordered, error)
        while self.recent and self.recent[0][0] <= i - CALIBRATION_H:
            del self.ordered[bisect_left(self.ordered, self.recent.popleft()[1])]

    def half(self) -> float | None:
        """The split conformal quantile: the ⌈(n+1)(1-α)⌉-th smallest; None while n is too small for it."""
        rank = math.ceil((len(self.ordered) + 1) * (1 - ALPHA))
        return self.ordered[rank - 1] if rank <= len(self.ordered) else None


def _scored(half: float, actual: float) -> tuple[bool, float, float]:
    low, high = math.exp(-half), math.exp(half)
    # an actual price at the very edge is inside; the log that made the edge may differ from it by a rounding error
    covered = abs(math.log(actual)) <= half + 1e-12
    beyond = 0.0 if covered else max(low - actual, actual - high)
    return covered, 100 * (high - low), 100 * (high - low + 2 / ALPHA * beyond)


def compare(prices: Mapping[str, Mapping[int, float]]) -> dict[str, Any]:
    """Of one data set (series -> hour -> price): by method and horizon its figures over the series that move."""
    made = [series(found) for found in prices.values() if found]
    moving = [one for one in made if len({price for price in one.seen if not math.isnan(price)}) > 1]
    report: dict[str, Any] = {}
    for name, model in MODELS.items():
        said = [tables(one, model) for one in moving]
        report[name] = {h: _ratios(ratio(*pair, h) for pair in zip(moving, said, strict=True)) for h in HORIZONS_H}
    report["split conformal"] = {h: _ranges([conformal(one, h) for one in moving]) for h in HORIZONS_H}
    return report


def _ratios(found: Iterator[float | None]) -> dict[str, float | None]:
    there = [value for value in found if value]
    return {"ratio": statistics.geometric_mean(there) if there else None, "worst": max(there, default=None)}


def _ranges(found: Sequence[Sequence[tuple[bool, float, float]]]) -> dict[str, float | None]:
    there = [np.array(one, dtype=float).mean(axis=0) for one in found if one]
    long = [float(np.array(one, dtype=float)[:, 0].mean()) for one in found if len(one) >= JUDGED_ORIGINS]
    if not there:
        return dict.fromkeys(("coverage", "worst_coverage", "width", "winkler"))
    coverage, width, winkler = (float(value) for value in np.array(there).mean(axis=0))
    return {"coverage": coverage, "worst_coverage": min(long, default=None), "width": width, "winkler": winkler}
