"""The one learnt expert: gradient boosting over all series together, on features without scale, fitted anew each week.

Fitted at multiples of a week since 1970, on what had come true by then: a walk over the same history always gives the
same. The median is what is learnt (absolute error), in units of the series' own usual move.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from analytics.forecasting.panel import QUARTER, Array, Panel, before

REFIT_H = 7 * 24
"""How often it is fitted, in hours (source: definitions, "Forecasts")."""

WINDOW_H = 45 * 24
"""What it is fitted on, in hours before (ours: six refits, so that old habits fade)."""

LEAST_H = 5 * 24
"""With less to learn from it foretells nothing (ours: each hour of the day five times)."""

LEAST_ROWS = 500
"""And with fewer rows (ours: ten leaves' worth)."""

MOST_ROWS = 12_000
"""Rows of one fit, drawn evenly from all (ours: a second of one core; more did not help)."""

LAGS_H = (1, 2, 3, 6, 12, 24, 48, 72, 168)
"""Spans whose changes are features (ours)."""

RANGES_H = (24, 168)
"""Spans whose range and mean move are features (ours)."""

USUAL_H = 7 * 24
"""The span of the usual move by which everything is divided (ours)."""

CLIP = 20.0
"""Targets beyond so many usual moves count as that (ours: one jump must not shape a tree)."""

ROUNDS, LEAVES, RATE, LEAST_LEAF = 80, 15, 0.06, 50
"""Trees, leaves of each, learning rate and rows a leaf at least (ours: few and small; twice as many gain nothing)."""

Features = npt.NDArray[np.float32]


def gradient_boosting(panel: Panel, medians: Mapping[int, Array], seasonal: Array, horizon: int) -> Array:
    """The foretold change of log price at each origin; 0 before the first fit.

    ``medians``: as of :func:`analytics.forecasting.experts.medians`; ``seasonal``: that expert's changes.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    usual = _usual_move(panel.held) * np.sqrt(horizon)
    features = _features(panel, medians, seasonal, usual)
    with np.errstate(all="ignore"):
        targets = np.clip(panel.changes(horizon) / usual, -CLIP, CLIP)
    foretold = np.zeros_like(panel.held)
    first = -panel.start % REFIT_H
    for cut in range(first, panel.hours, REFIT_H):
        since, until = max(0, cut - WINDOW_H), cut - horizon
        if until - since < LEAST_H:
            continue
        ahead = features[:, cut : cut + REFIT_H]
        with threadpool_limits(1):  # beside other work its threads wait for each other ten times longer than they count
            model = _fitted(features[:, since:until], targets[:, since:until])
            said = None if model is None else model.predict(ahead.reshape(-1, features.shape[2]))
        if said is not None:
            said = said.reshape(ahead.shape[:2])
            foretold[:, cut : cut + REFIT_H] = said * np.nan_to_num(usual[:, cut : cut + REFIT_H])
    return foretold


def _fitted(features: Features, targets: Array):  # type: ignore[no-untyped-def]
    from sklearn.ensemble import HistGradientBoostingRegressor

    rows = np.flatnonzero(np.isfinite(targets))
    if len(rows) < LEAST_ROWS:
        return None
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS)).astype(np.int64)]
    model = HistGradientBoostingRegressor(
        loss="absolute_error",
        max_iter=ROUNDS,
        max_leaf_nodes=LEAVES,
        learning_rate=RATE,
        min_samples_leaf=LEAST_LEAF,
        l2_regularization=1,
        early_stopping=False,
        random_state=0,
    )
    return model.fit(features.reshape(-1, features.shape[2])[rows], targets.ravel()[rows])


def _usual_move(held: Array) -> Array:
    """Mean hourly move of the last week; NaN where nothing moved or too little is known."""
    moves = pd.DataFrame(np.abs(held - before(held, 1)).T)
    mean = moves.rolling(USUAL_H, min_periods=USUAL_H // QUARTER).mean().to_numpy().T
    return np.where(mean > 0, mean, np.nan)


def _features(panel: Panel, medians: Mapping[int, Array], seasonal: Array, usual: Array) -> Features:
    """(series, hours, features): moves in units of the usual one, then the hour of the day and hours unchanged."""
    held = panel.held
    table = pd.DataFrame(held.T)
    moves = [held - before(held, lag) for lag in LAGS_H]
    moves += [middle - held for middle in medians.values()]
    for span in RANGES_H:
        window = table.rolling(span, min_periods=span // QUARTER)
        moves += [held - window.min().to_numpy().T, window.max().to_numpy().T - held]
        moves.append(table.diff().abs().rolling(span, min_periods=span // QUARTER).mean().to_numpy().T)
    moves.append(seasonal)
    clock = np.broadcast_to((panel.start + np.arange(panel.hours)) % 24, held.shape)
    with np.errstate(all="ignore"):
        scaled = [move / usual for move in moves]
    stacked = np.stack([*scaled, clock, _unchanged(held)], axis=-1).astype(np.float32)
    return np.nan_to_num(stacked, posinf=0.0, neginf=0.0)


def _unchanged(held: Array) -> Array:
    """Hours since the price last changed."""
    at = np.arange(held.shape[1])
    changed = np.maximum.accumulate(np.where(held != before(held, 1), at, 0), axis=1)
    return (at - changed).astype(np.float64)
