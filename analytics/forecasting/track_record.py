"""How forecasts fared: one model's record over the last 30 days, and the report of a whole backtest."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.forecasting.advice import Case, cases
from analytics.forecasting.backtest import HORIZONS_H, Grid, Outcome, grid, pool, walk
from analytics.market import HOUR, WORLD, HourPoint

RECORD_H = 30 * 24
"""Forecasts whose hour came in the last 30 days make a record (source: definitions, "Forecasts", model_accuracy)."""

MIN_SCORED = 100
"""Fewer scored forecasts than this give no accuracy, skill or coverage (source: definitions, "Forecasts")."""

CONFIDENCE_BINS = 10
"""Equal-width bins of the expected calibration error (source: Naeini et al. 2015 use ten)."""


@dataclass(frozen=True, slots=True)
class HorizonRecord:
    """How the forecasts of one horizon fared: shares in [0, 1], mean absolute errors in log price; None when n is 0."""

    horizon_h: int
    n: int
    hit: float | None
    baseline_hit: float | None
    coverage_80: float | None
    mae: float | None
    mae_naive: float | None


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """How a model's forecasts of the last 30 days fared; the four shares are None below 100 scored forecasts."""

    model: str
    scored_until: int
    """UTC seconds: targets up to this hour were scored"""
    model_accuracy: float | None
    baseline_accuracy: float | None
    skill: float | None
    coverage_80: float | None
    n_scored: int
    source: str
    """``backtest`` (rolling origins over stored history, no look-ahead) or ``live`` (forecasts as they were issued)"""
    horizons: tuple[HorizonRecord, ...] = ()


def record(model: str, outcomes: Mapping[int, Sequence[Outcome]], now_hour: int, source: str) -> TrackRecord:
    """The record of one model from its scored forecasts by horizon, over targets in the 30 days up to ``now_hour``.

    Accuracy: share within ±5 %, horizons weighted alike. Skill: 1 - MAE / MAE of last value. While last value itself is
    served, the baseline is the same and the skill 0. Source: definitions, "Forecasts".
    """
    recent = {h: [o for o in outcomes[h] if now_hour - RECORD_H < o.origin + h <= now_hour] for h in outcomes}
    horizons = tuple(_horizon(h, found) for h, found in sorted(recent.items()))
    n = sum(horizon.n for horizon in horizons)
    enough = n >= MIN_SCORED
    naive = _mean([horizon.mae_naive for horizon in horizons])
    mae = _mean([horizon.mae for horizon in horizons])
    skill = 0.0 if not naive or mae is None else 1 - mae / naive
    return TrackRecord(
        model=model,
        scored_until=now_hour * HOUR,
        model_accuracy=_mean([horizon.hit for horizon in horizons]) if enough else None,
        baseline_accuracy=_mean([horizon.baseline_hit for horizon in horizons]) if enough else None,
        skill=skill if enough else None,
        coverage_80=_mean([horizon.coverage_80 for horizon in horizons]) if enough else None,
        n_scored=n,
        source=source,
        horizons=horizons,
    )


def _horizon(horizon: int, outcomes: Sequence[Outcome]) -> HorizonRecord:
    hit = _mean([float(o.hit) for o in outcomes])
    mae = _mean([o.error for o in outcomes])
    covered = _mean([None if o.covered is None else float(o.covered) for o in outcomes])
    return HorizonRecord(horizon, len(outcomes), hit, hit, covered, mae, mae)


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return statistics.fmean(there) if there else None


def backtest_report(hours: Mapping[str, Sequence[HourPoint]]) -> dict[str, Any]:
    """Rolling origins over the whole history of every model: the JSON of ``spotbot backtest``.

    ``hours``: model -> its points, ascending. ``mae``: mean |log error|; ``hit_5_percent``: share within ±5 %.
    ``overall`` by horizon: geometric mean of the ratios over the series that move, mean coverage, expected calibration
    error of the confidence. ``advice``: the rule at every hour. Source: definitions, "Forecasts".
    """
    until = max((points[-1].hour for points in hours.values() if points), default=0)
    grids = [series for model, points in hours.items() if (series := grid(model, points, until))]
    table: list[dict[str, Any]] = []
    overall: dict[str, Any] = {}
    shared = {horizon: pool(grids, horizon) for horizon in HORIZONS_H}
    walked = {one.model: walk(one, shared) for one in grids}
    for horizon in HORIZONS_H:
        scored = {model: found[horizon][0] for model, found in walked.items()}
        rows = [_row(one, horizon, scored[one.model]) for one in grids if scored[one.model]]
        overall[str(horizon)] = _overall(rows, [outcome for found in scored.values() for outcome in found])
        table += rows
    return {"series": table, "overall": overall, "advice": _advice([case for one in grids for case in cases(one)])}


def _row(series: Grid, horizon: int, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    found = _horizon(horizon, outcomes)
    widths = [None if o.half is None else 100 * (math.exp(o.half) - math.exp(-o.half)) for o in outcomes]
    steps = [a != b for a, b in zip(series.seen, series.seen[1:], strict=False) if a is not None and b is not None]
    return {
        "gpu": series.model,
        "region": WORLD,
        "horizon_hours": horizon,
        "n": found.n,
        "mae": found.mae,
        "mae_naive": found.mae_naive,
        "ratio": found.mae / found.mae_naive if found.mae and found.mae_naive else None,
        "coverage_80": found.coverage_80,
        "width_80_percent": _mean(widths),
        "confidence_mean": _mean([o.confidence for o in outcomes]),
        "hit_5_percent": found.hit,
        "moves_percent": 100 * statistics.fmean(steps) if steps else None,
    }


def _overall(rows: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    ratios = [row["ratio"] for row in rows if row["ratio"]]
    return {
        "ratio": statistics.geometric_mean(ratios) if ratios else None,
        "coverage_80": _mean([row["coverage_80"] for row in rows]),
        "ece": calibration_error(outcomes),
        "moving_series": len(ratios),
        "series": len(rows),
    }


def calibration_error(outcomes: Sequence[Outcome]) -> float | None:
    """Expected calibration error of the confidence: the gap between said and come true, by bin, weighted by size."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for o in outcomes:
        if o.confidence is not None:
            bins.setdefault(min(CONFIDENCE_BINS - 1, int(o.confidence * CONFIDENCE_BINS)), []).append(
                (o.confidence, o.hit)
            )
    n = sum(map(len, bins.values()))
    return sum(abs(sum(said - hit for said, hit in found)) for found in bins.values()) / n if n else None


def _advice(found: Sequence[Case]) -> dict[str, Any]:
    waits = [case for case in found if case.waited]
    return {
        "n": len(found),
        "waits": len(waits),
        "saved_percent": 100 * statistics.fmean(case.saved for case in found) if found else None,
        "oracle_percent": 100 * statistics.fmean(case.best for case in found) if found else None,
        "wrong_waits_percent": 100 * statistics.fmean(case.saved < 0 for case in waits) if waits else None,
    }
