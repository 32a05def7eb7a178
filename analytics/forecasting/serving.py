"""What is served of the aggregated forecast: as much as its own record over the last value bears, else the last value.

The record is that of the last 21 days, of forecasts whose hour has come. Two t-values: the series' own, and that of the
mean gain of all series, which tells early whether anything can be foretold in this market at all.
Source: definitions, "Forecasts"; the grading by t is ours, see :func:`trust`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from analytics.forecasting.aggregation import Weights, aggregate
from analytics.forecasting.experts import experts
from analytics.forecasting.grid import LAST_VALUE
from analytics.forecasting.panel import Array, Panel, before

RECORD_H = 21 * 24
"""The record that decides, in hours (source: definitions, "Forecasts")."""

LEAST_SCORED = 72
"""Scored forecasts of a series that make a record of its own (source: definitions, "Forecasts")."""

LEAST_SCORED_FLEET = 24
"""Scored forecasts where the record of all series is beyond chance (ours: a day)."""

SERVED_T = 0.5
"""The t beyond which anything is served (source: definitions, "Forecasts")."""

FULL_T = 2.0
"""The t from which all of it is served (ours: on 27 days of Prime Intellect's prices, serving all of it from .5 on made
24-hour forecasts 2 % worse than the last value; so graded it is within 1 %, and elsewhere loses little)."""

FLEET_T = 0.75
"""What the t of all series has beyond this counts for each of them (ours: chosen with ``FULL_T``)."""

AGAINST_T = -0.5
"""The t of its own below which a series is not helped by that of all (ours: without it one of 41 AWS series was 6 %
worse off; at 0 so many lose their gain by chance that all are)."""

FLEET_SURE_T = 1.645
"""The t at which the record of all series is beyond chance (source: normal distribution, one-sided 5 %)."""

NAIVE_PRIOR = (0.5, 0.25, 0.25)
"""Weights that {last value, fleet, own} begin with (ours: half for what is hard to beat)."""


class Served(NamedTuple):
    """One horizon's forecasts, by series and origin, as changes of log price."""

    changes: Array
    """as served"""
    share: Array
    """how much of the aggregate is served: 0 is the last value"""
    came: Array
    """what came, NaN where it was not observed"""
    names: tuple[str, ...]
    foretold: Array
    """(experts, series, hours): what each expert foretold"""
    weights: Weights
    """(series, experts): what each expert weighs in what is served at the last hour"""


def serve(panel: Panel, horizon: int) -> Served:
    """Aggregate the experts over the fleet, per series, and over {last value, fleet, own}; grade by the record."""
    found = experts(panel, horizon)
    foretold, came = np.stack(list(found.values())), panel.changes(horizon)
    fleet = aggregate(foretold, came, horizon, together=True)
    own = aggregate(foretold, came, horizon)
    three = np.stack([np.zeros_like(came), fleet.changes, own.changes])
    both = aggregate(three, came, horizon, prior=NAIVE_PRIOR)
    share = trust(both.changes, came, horizon)
    changes = share * both.changes
    weights = both.weights[:, 1:2] * fleet.weights + both.weights[:, 2:3] * own.weights
    weights = share[:, -1:] * weights
    weights[:, list(found).index(LAST_VALUE)] += 1 - weights.sum(axis=1)
    return Served(changes, share, came, tuple(found), foretold, weights)


def trust(changes: Array, came: Array, horizon: int) -> Array:
    """How much of these forecasts their matured record bears, in [0, 1], by series and hour.

    0 up to t = ``SERVED_T``, t / ``FULL_T`` beyond it, at most 1, where t is the series' own, raised by what the t of
    all series has beyond ``FLEET_T``; 0 where that one is negative, or its own below ``AGAINST_T``.
    """
    gains = before(np.abs(came) - np.abs(changes - came), horizon)
    scored, t = _record(gains, horizon)
    _, fleet_t = _record(_mean_gain(gains, before(np.abs(came), horizon)), horizon)
    raised = t + np.maximum(0, fleet_t - FLEET_T)
    least = np.where(fleet_t > FLEET_SURE_T, LEAST_SCORED_FLEET, LEAST_SCORED)
    served = (raised > SERVED_T) & (t > AGAINST_T) & (fleet_t > 0) & (scored >= least)
    return np.where(served, np.clip(raised / FULL_T, 0, 1), 0.0)


def _mean_gain(gains: Array, naive: Array) -> Array:
    """One row: the mean over the series of what each gained, relative to its own usual error of the last value."""
    usual = pd.DataFrame(naive.T).rolling(RECORD_H, min_periods=1).mean().to_numpy().T
    with np.errstate(all="ignore"):
        relative = np.where(usual > 0, gains / usual, np.nan)
        known = np.isfinite(relative)
        mean: Array = np.where(known, relative, 0).sum(axis=0) / known.sum(axis=0)
    return mean[None, :]


def _record(gains: Array, horizon: int) -> tuple[Array, Array]:
    """(scored forecasts, t of their mean gain) over the record's days; overlapping horizons count as one."""
    window = pd.DataFrame(gains.T).rolling(RECORD_H, min_periods=1)
    n, mean, spread = (part.to_numpy().T for part in (window.count(), window.mean(), window.std()))
    with np.errstate(all="ignore"):
        t = mean / (spread / np.sqrt(n / horizon))
    return n, np.where(spread > 0, t, -np.inf)
