"""Walking forecasts over stored history: what would have been said at each hour, and how it came out.

At each hour only what had happened by then is used: experts look back, weights and records learn an outcome when its
hour has come, and so do ranges and confidence. Walking the same hours again gives the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.forecasting.aggregation import Weights
from analytics.forecasting.calibration import distribution, widening
from analytics.forecasting.distribution import HIT_SHARE, ROUNDING
from analytics.forecasting.grid import COLD_H, HORIZONS_H, OWN_H
from analytics.forecasting.panel import Array, Flags, Panel
from analytics.forecasting.serving import serve


@dataclass(frozen=True)
class Walked:
    """All forecasts of one horizon as served, by series and origin; changes, errors and widths are of log price."""

    horizon: int
    changes: Array
    came: Array
    """what came, NaN where it was not observed: such forecasts are not scored"""
    share: Array
    """how much of the aggregate is served, 0 being the last value"""
    half: Array
    """half the width of the 80 % range, NaN where none is known yet"""
    confidence: Array
    """the chance that the price lands within ±5 %, NaN where it is not known yet"""
    names: tuple[str, ...]
    foretold: Array
    """(experts, series, hours)"""
    weights: Weights
    """(series, experts): what each weighs at the last hour"""

    @property
    def scored(self) -> Flags:
        """Which forecasts have an outcome."""
        return np.isfinite(self.came)

    @property
    def errors(self) -> Array:
        """|log error|, NaN where not scored."""
        return np.abs(self.changes - self.came)

    @property
    def hits(self) -> Array:
        """1 where the price landed within ±5 %, 0 where not, NaN where not scored."""
        return hits(self.changes, self.came)

    @property
    def covered(self) -> Array:
        """1 where the range held the price, 0 where not, NaN where not scored or without a range."""
        return covered(self.changes, self.came, self.half)


def hits(changes: Array, came: Array) -> Array:
    """1 where what came is within ±5 % of the forecast, 0 where not, NaN where it is not known."""
    off = np.abs(np.exp(came - changes) - 1)
    return np.where(np.isfinite(off), off <= HIT_SHARE + ROUNDING, np.nan)


def covered(changes: Array, came: Array, half: Array) -> Array:
    """1 where the range held what came, 0 where not, NaN where either is not known."""
    known = np.isfinite(came) & np.isfinite(half)
    return np.where(known, np.abs(changes - came) <= half + ROUNDING, np.nan)


def walk(panel: Panel) -> dict[int, Walked]:
    """Horizon -> all its forecasts. One range is never narrower than a nearer horizon's, no chance higher.

    Source: definitions, "Forecasts".
    """
    served = {horizon: serve(panel, horizon) for horizon in HORIZONS_H}
    age = ages(panel)
    found = widening([distribution(np.abs(one.changes - one.came), age, horizon) for horizon, one in served.items()])
    return {
        horizon: Walked(
            horizon,
            one.changes,
            one.came,
            one.share,
            spread.half,
            spread.confidence,
            one.names,
            one.foretold,
            one.weights,
        )
        for (horizon, one), spread in zip(served.items(), found, strict=True)
    }


def ages(panel: Panel) -> Array:
    """Hours since each series' first price, negative before it."""
    first = np.isfinite(panel.seen).argmax(axis=1)
    hours: Array = (np.arange(panel.hours)[None, :] - first[:, None]).astype(np.float64)
    return hours


def regime(age: float) -> str:
    """What a series of so many hours of history has."""
    return "cold" if age < COLD_H else "mixed" if age < OWN_H else "own"
