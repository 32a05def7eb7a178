"""The experts: simple forecasts of log price, each as the change from the last price that it foretells.

All are computed for every origin at once from what was known then, arrays being (series, hours) as in
:mod:`analytics.forecasting.panel`. Where an expert has too little history it foretells no change.
Source: definitions, "Forecasts"; what each is worth: ``spotbot backtest``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analytics.forecasting.gradient_boosting import gradient_boosting
from analytics.forecasting.grid import LAST_VALUE
from analytics.forecasting.panel import QUARTER, Array, Panel, ahead, before

MEDIANS_H = {"24h": 24, "72h": 72, "7d": 168}
"""Windows of the medians, in hours (source: definitions, "Forecasts")."""

DRIFTS_H = (24, 72)
"""Spans whose change is carried on, in hours (source: definitions, "Forecasts")."""

DRIFT_SHARE = 0.5
"""The share of that change which is (source: definitions, "Forecasts")."""

SEASONAL_DAYS = 28
"""Days whose change over the same hours makes the seasonal change (ours: four of each weekday)."""

SEASONAL_LEAST = 5
"""Fewer such days foretell nothing (ours: their spread would be a guess)."""

DAY_H = 24
"""Hours of a day (source: the calendar)."""


def experts(panel: Panel, horizon: int) -> dict[str, Array]:
    """Name -> foretold change of log price over ``horizon`` hours, by series and origin; no NaN."""
    held = panel.held
    middle = medians(held)
    found = {LAST_VALUE: np.zeros_like(held)}
    found |= {f"half_way_{name}": (middle[hours] - held) / 2 for name, hours in MEDIANS_H.items()}
    found["median_7d"] = middle[MEDIANS_H["7d"]] - held
    found["seasonal"] = seasonal(held, horizon)
    found |= {f"drift_{hours}h": DRIFT_SHARE * (held - before(held, hours)) * horizon / hours for hours in DRIFTS_H}
    boosted = gradient_boosting(panel, middle, found["seasonal"], horizon)
    found |= {"gradient_boosting": boosted, "half_gradient_boosting": boosted / 2}
    return {name: np.nan_to_num(change) for name, change in found.items()}


def medians(held: Array) -> Mapping[int, Array]:
    """Window in hours -> trailing medians; NaN below a quarter of it, and below half a day."""
    table = pd.DataFrame(held.T)
    return {
        hours: table.rolling(hours, min_periods=max(DAY_H // 2, hours // QUARTER)).median().to_numpy().T
        for hours in MEDIANS_H.values()
    }


def seasonal(held: Array, horizon: int) -> Array:
    """The mean change over the same hours of the last 28 days, shrunk by what its spread says of it.

    The factor is the positive part of 1 - variance of the mean / mean² (James-Stein). Whole days have none.
    """
    hours = horizon % DAY_H
    total = np.zeros_like(held)
    squares, n = total.copy(), total.copy()
    changes = ahead(held, hours) - held
    for day in range(1, SEASONAL_DAYS + 1) if hours else ():
        past = before(changes, DAY_H * day)
        known = ~np.isnan(past)
        past = np.where(known, past, 0.0)
        total, squares, n = total + past, squares + past * past, n + known
    with np.errstate(all="ignore"):
        mean = total / n
        variance = (squares - n * mean * mean) / (n - 1) / n
        kept = np.clip(1 - variance / mean**2, 0, 1)
    return np.where((n >= SEASONAL_LEAST) & (total != 0), np.nan_to_num(mean * kept), 0.0)
