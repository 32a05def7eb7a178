"""The predictive distribution of a horizon: how large |log error| will be, from which range and confidence both come.

It is the trailing errors of the served forecasts of the series, beside ``POOL_POINTS`` quantiles of those of all
models of its class (those that lately moved, or those that did not), each weighing as one. Its 80 % point is where
adaptive conformal inference puts it (Gibbs & Candès 2021); the chance of a hit is then recalibrated over the fleet.
Source: definitions, "Forecasts"; the classes are ours: prices that never move made ranges of those that do too narrow.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from analytics.forecasting.distribution import ALPHA, HIT_LOG, ROUNDING
from analytics.forecasting.grid import COLD_H, OWN_H
from analytics.forecasting.panel import Array, before

GAMMA = 0.02
"""Step of adaptive conformal inference (source: definitions, "Forecasts"; Gibbs & Candès 2021)."""

AIM = 0.185
"""The share of misses that alpha is steered to (ours: below .2, so that no series falls far below 80 %)."""

ALPHA_LOW, ALPHA_HIGH = 0.01, 0.5
"""Where adaptive alpha is clipped (source: definitions, "Forecasts")."""

WINDOW_H = OWN_H
"""Errors of the last 14 days make intervals and confidence (source: definitions, "Forecasts")."""

POOL_POINTS = 72
"""Pseudo-hours of the pool of its class, as evenly spaced quantiles (source: definitions, "Forecasts", confidence)."""

LEAST_POINTS = 6
"""The fewest of them (ours: so that a series never stands alone on its first errors)."""

_PLACES = np.array(
    [
        [(2 * k + 1) * POOL_POINTS // (2 * n) if k < n else POOL_POINTS for k in range(POOL_POINTS)]
        for n in range(POOL_POINTS + 1)
    ]
)
"""Which of the pool's points stand for it when it weighs n: evenly spaced ones, and none (the last place) beyond."""

FLAT_SCORED = 24
"""Scored forecasts without any error that make a series flat (ours: a day)."""

POOL_STEP_H = 6
"""Hours between two looks at the pool of all models' errors (ours: the pool moves slowly and costs a sort)."""

RECALIBRATION_H = 48
"""What recalibration looks back on, in hours, beside ``RECALIBRATION_HORIZONS`` (ours: two days)."""

RECALIBRATION_HORIZONS = 5
"""And so many horizons more (ours: that many forecasts whose hours do not overlap)."""

FLEET_WEIGHT = 1
"""A fleet of so many series recalibrates confidence by half (ours: with few series it makes it worse)."""

MOST_SHIFT = 1.5
"""The largest recalibration, in log odds (ours)."""


class Distribution(NamedTuple):
    """Beside each origin's forecast: half the width of its 80 % range in log price, and the chance of a hit."""

    half: Array
    """NaN before any forecast of any model has come due"""
    confidence: Array
    """NaN with less than a day of history, and while no other errors stand beside the series' own first ones"""


def distribution(errors: Array, age: Array, horizon: int) -> Distribution:
    """The distribution of one horizon at each origin.

    ``errors``: |log error| by series and origin, NaN where it was not scored; ``age``: hours of history.
    """
    matured = before(errors, horizon)
    moving = _moving(matured)
    pools = _pools(matured, before(moving, horizon))
    series, hours = matured.shape
    padded = np.concatenate([np.full((series, WINDOW_H - 1), np.nan), matured], axis=1)
    half, share = np.full((series, hours), np.nan), np.full((series, hours), np.nan)
    alpha = np.full(series, ALPHA)
    for hour in range(hours):
        if hour >= horizon:
            alpha = _adapted(alpha, matured[:, hour], half[:, hour - horizon])
        own = padded[:, hour : hour + WINDOW_H]
        pooled = pools[:, hour // POOL_STEP_H][moving[:, hour].astype(np.int64)]
        others = _weighed(pooled, own, age[:, hour])
        mixed = np.sort(np.concatenate([np.where(age[:, hour, None] < COLD_H, np.nan, own), others], axis=1))
        level = np.where(age[:, hour] < COLD_H, ALPHA, alpha)
        half[:, hour], hits = _points(mixed, level)
        share[:, hour] = np.where(np.isfinite(others).any(axis=1), hits, np.nan)
    confidence = _recalibrated(share, errors, horizon)
    confidence[age < COLD_H] = np.nan
    return Distribution(half, _agreeing(half, confidence))


def _weighed(pooled: Array, own: Array, age: Array) -> Array:
    """The points of its pool beside each series: fewer of them where its hours are scored more rarely than each.

    Pseudo-hours are hours: where one in four can be scored, 72 of them are 18 errors.
    """
    density = np.isfinite(own).sum(axis=1) / np.clip(age, 1, WINDOW_H)
    points = np.where(age < COLD_H, POOL_POINTS, np.clip(np.rint(POOL_POINTS * density), LEAST_POINTS, POOL_POINTS))
    pooled = np.concatenate([pooled, np.full((len(pooled), 1), np.nan)], axis=1)
    return np.take_along_axis(pooled, _PLACES[points.astype(np.int64)], axis=1)


def _adapted(alpha: Array, error: Array, half: Array) -> Array:
    """Alpha after what was said has come true or not; where nothing was said or scored it stays."""
    known = np.isfinite(error) & np.isfinite(half)
    missed = error > half
    return np.where(known, np.clip(alpha + GAMMA * (AIM - missed), ALPHA_LOW, ALPHA_HIGH), alpha)


def _points(mixed: Array, alpha: Array) -> tuple[Array, Array]:
    """(the 1 - alpha quantile, the share of hits) of each row of errors in ascending order, NaN last."""
    n = np.isfinite(mixed).sum(axis=1)
    place = np.clip(np.ceil(n * (1 - alpha) - ROUNDING).astype(np.int64) - 1, 0, None)
    quantile = mixed[np.arange(len(mixed)), place]
    with np.errstate(all="ignore"):
        return quantile, (mixed <= HIT_LOG).sum(axis=1) / np.where(n, n, np.nan)


def _moving(matured: Array) -> Array:
    """1 where a forecast of the last 14 days was off at all, and where too few were scored to say; else 0.

    A price that never moved says nothing about the errors of one that does, nor the other way round.
    """
    window = pd.DataFrame(matured.T).rolling(WINDOW_H, min_periods=1)
    scored, largest = window.count().to_numpy().T, window.max().to_numpy().T
    return np.where((scored >= FLAT_SCORED) & (largest < ROUNDING), 0.0, 1.0)


def _pools(matured: Array, moving: Array) -> Array:
    """(class, step of six hours, point): quantiles of the errors of the 14 days before, flat series first.

    ``moving``: whether the series was when the forecast was made. A class without errors has those of all.
    """
    steps = -(-matured.shape[1] // POOL_STEP_H)
    pools = np.full((2, steps, POOL_POINTS), np.nan)
    known = np.isfinite(matured)
    for step in range(steps):
        recent = slice(max(0, step * POOL_STEP_H - WINDOW_H), step * POOL_STEP_H)
        for kind in (0, 1):
            some = matured[:, recent][known[:, recent] & (moving[:, recent] == kind)]
            some = some if len(some) else matured[:, recent][known[:, recent]]
            if len(some):
                pools[kind, step] = np.sort(some)[(2 * np.arange(POOL_POINTS) + 1) * len(some) // (2 * POOL_POINTS)]
    return pools


def _recalibrated(share: Array, errors: Array, horizon: int) -> Array:
    """The chance of a hit, its log odds shifted by what the last 14 days of the fleet fell short of or exceeded."""
    known = np.isfinite(errors) & np.isfinite(share)
    said = np.where(known, share, 0.0)
    hits = np.where(known, errors <= HIT_LOG, 0.0)
    span = RECALIBRATION_H + RECALIBRATION_HORIZONS * horizon
    excess = before(np.where(known, hits - said, 0.0).sum(axis=0)[None, :], horizon)
    spread = before((said * (1 - said)).sum(axis=0)[None, :], horizon)
    window = pd.DataFrame(np.concatenate([excess, spread]).T).rolling(span, min_periods=1).sum().to_numpy().T
    series = np.maximum.accumulate(before(known.astype(np.float64), horizon) == 1, axis=1).sum(axis=0)
    weight = series / (series + FLEET_WEIGHT)
    with np.errstate(all="ignore"):
        shift = np.clip(np.nan_to_num(weight * window[0] / window[1]), -MOST_SHIFT, MOST_SHIFT)
        odds = share / (1 - share) * np.exp(shift)
        return np.where(share < 1, odds / (1 + odds), share)


def _agreeing(half: Array, confidence: Array) -> Array:
    """Range and confidence as of one distribution: a chance above 80 % goes with a range within ±5 %, and no other."""
    with np.errstate(invalid="ignore"):
        narrow = half <= HIT_LOG
        return np.where(narrow, np.maximum(confidence, 1 - ALPHA), np.minimum(confidence, 1 - ALPHA))


def widening(found: list[Distribution]) -> list[Distribution]:
    """The distributions of the horizons, ascending: no range narrower and no chance higher than a nearer one's."""
    half, confidence, result = found[0].half, found[0].confidence, []
    for one in found:
        half, confidence = np.fmax(half, one.half), np.fmin(confidence, one.confidence)
        result.append(
            Distribution(
                np.where(np.isnan(one.half), np.nan, half), np.where(np.isnan(one.confidence), np.nan, confidence)
            )
        )
    return result
