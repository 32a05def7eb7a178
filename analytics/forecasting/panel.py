"""The hourly log prices of many series side by side: what the forecasting run computes on. Needs numpy and pandas.

Arrays are (series, hours). Origin ``o`` is the hour whose price is the last one known; a target is ``horizon`` later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.forecasting.grid import CARRY_H
from analytics.market import HourPoint

QUARTER = 4
"""A trailing window counts from a quarter of its hours on (ours: so that young series have some)."""

Array = npt.NDArray[np.float64]
"""Numbers by (series, hour); NaN where there is none."""

Flags = npt.NDArray[np.bool_]
"""Truths by (series, hour)."""


@dataclass(frozen=True)
class Panel:
    """``seen``: log of the hourly price in micro-dollars, NaN where none was observed: only that is scored.

    ``held``: the same with gaps of up to ``CARRY_H`` hours filled with the last price: what forecasts start from.
    """

    models: tuple[str, ...]
    start: int
    """the hour (since 1970) of the first column"""
    seen: Array
    held: Array

    @property
    def hours(self) -> int:
        """How many hours there are."""
        return int(self.seen.shape[1])

    def changes(self, horizon: int) -> Array:
        """What came: log of the price ``horizon`` hours after each origin over that at the origin."""
        return ahead(self.seen, horizon) - self.held


def panel(hours: Mapping[str, Sequence[HourPoint]], until: int) -> Panel | None:
    """The panel of all models with a price, up to hour ``until`` and not beyond; None without any."""
    prices = {
        model: {point.hour: point.price for point in points if point.price and point.hour <= until}
        for model, points in hours.items()
    }
    models = tuple(model for model, found in prices.items() if found)
    if not models:
        return None
    start = min(min(prices[model]) for model in models)
    seen = np.full((len(models), until - start + 1), np.nan)
    for row, model in zip(seen, models, strict=True):
        at = np.fromiter(prices[model], dtype=np.int64)
        row[at - start] = np.log(np.fromiter(prices[model].values(), dtype=np.float64))
    return Panel(models, start, seen, carried(seen, CARRY_H))


def carried(values: Array, hours: int) -> Array:
    """Each number carried on over at most so many hours without one."""
    filled: Array = pd.DataFrame(values.T).ffill(limit=hours).to_numpy().T
    return filled


def before(values: Array, hours: int) -> Array:
    """At each hour the number of so many hours earlier."""
    moved = np.full_like(values, np.nan)
    if hours < values.shape[-1]:
        moved[..., hours:] = values[..., : values.shape[-1] - hours]
    return moved


def ahead(values: Array, hours: int) -> Array:
    """At each hour the number of so many hours later."""
    moved = np.full_like(values, np.nan)
    if hours < values.shape[-1]:
        moved[..., : values.shape[-1] - hours] = values[..., hours:]
    return moved
