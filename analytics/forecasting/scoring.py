"""Scoring forecasts: records of models and the report on all of them, the same for a backtest and for the ledger."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analytics.forecasting.advice import WaitRecord
from analytics.forecasting.distribution import ALPHA
from analytics.forecasting.grid import HORIZONS_H
from analytics.forecasting.track_record import MIN_SCORED, HorizonRecord, TrackRecord
from analytics.forecasting.walk import Walked, covered, hits
from analytics.market import HOUR, WORLD

CONFIDENCE_BINS = 10
"""Equal-width bins of the expected calibration error (source: Naeini et al. 2015 use ten)."""

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Scored forecasts of one series and horizon; changes and widths are of log price, NaN where nothing was said."""

    changes: Numbers
    came: Numbers
    half: Numbers
    confidence: Numbers
    served: Numbers
    """1 where something else than the last value was served"""

    @staticmethod
    def of(walked: Walked, series: int, since: int = 0) -> Sample:
        """The scored forecasts of a walk whose target is not before column ``since``."""
        origins = np.arange(walked.came.shape[1])
        kept = walked.scored[series] & (origins + walked.horizon >= since)
        parts = (walked.changes, walked.came, walked.half, walked.confidence, (walked.share > 0).astype(np.float64))
        return Sample(*(part[series][kept] for part in parts))

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.came)

    @property
    def hits(self) -> Numbers:
        """1 where the price landed within ±5 %, else 0."""
        return hits(self.changes, self.came)

    @property
    def covered(self) -> Numbers:
        """1 where the range held the price, 0 where not, NaN without a range."""
        return covered(self.changes, self.came, self.half)

    @property
    def winkler(self) -> Numbers:
        """The interval score in percent of the forecast: the width, and ten times what was missed by (Winkler 1972)."""
        low, high, actual = np.exp(-self.half), np.exp(self.half), np.exp(self.came - self.changes)
        missed = np.maximum(0, low - actual) + np.maximum(0, actual - high)
        missed = np.where(self.covered == 1, 0.0, missed)
        return 100 * (high - low + 2 / ALPHA * missed)


def mean(values: Numbers) -> float | None:
    """The mean of those that are known; None where none is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def horizon_record(horizon: int, sample: Sample) -> HorizonRecord:
    """How one horizon of one model fared."""
    return HorizonRecord(
        horizon_h=horizon,
        n=sample.n,
        hit=mean(sample.hits),
        baseline_hit=mean(hits(np.zeros_like(sample.came), sample.came)),
        coverage_80=mean(sample.covered),
        mae=mean(np.abs(sample.changes - sample.came)),
        mae_naive=mean(np.abs(sample.came)),
    )


def track_record(
    model: str, samples: Mapping[int, Sample], now_hour: int, source: str, waits: WaitRecord | None = None
) -> TrackRecord:
    """The record of one model from its scored forecasts by horizon: of the 30 days up to ``now_hour``.

    Accuracy: share within ±5 %, horizons weighted alike. Skill: 1 - MAE / MAE of last value. Source: definitions,
    "Forecasts".
    """
    horizons = tuple(horizon_record(h, sample) for h, sample in sorted(samples.items()))
    n = sum(horizon.n for horizon in horizons)
    enough = n >= MIN_SCORED
    naive, mae = _mean([one.mae_naive for one in horizons]), _mean([one.mae for one in horizons])
    skill = 0.0 if not naive or mae is None else 1 - mae / naive
    return TrackRecord(
        model=model,
        scored_until=now_hour * HOUR,
        model_accuracy=_mean([one.hit for one in horizons]) if enough else None,
        baseline_accuracy=_mean([one.baseline_hit for one in horizons]) if enough else None,
        skill=skill if enough else None,
        coverage_80=_mean([one.coverage_80 for one in horizons]) if enough else None,
        n_scored=n,
        source=source,
        horizons=horizons,
        waits=waits or WaitRecord(),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return statistics.fmean(there) if there else None


def series_row(model: str, horizon: int, sample: Sample, moves: float | None) -> dict[str, Any]:
    """One row of a report; ``moves``: percent of hours in which the price moved."""
    found = horizon_record(horizon, sample)
    return {
        "gpu": model,
        "region": WORLD,
        "horizon_hours": horizon,
        "n": found.n,
        "mae": found.mae,
        "mae_naive": found.mae_naive,
        "ratio": found.mae / found.mae_naive if found.mae is not None and found.mae_naive else None,
        "coverage_80": found.coverage_80,
        "width_80_percent": mean(100 * (np.exp(sample.half) - np.exp(-sample.half))),
        "winkler": mean(sample.winkler),
        "confidence_mean": mean(sample.confidence),
        "hit_5_percent": found.hit,
        "moves_percent": moves,
        "served": mean(sample.served),
    }


def tables(
    samples: Mapping[str, Mapping[int, Sample]], moves: Callable[[str], float | None]
) -> dict[str, list[dict[str, Any]] | dict[str, Any]]:
    """``series`` and ``overall`` of a report: model -> horizon -> its forecasts; those without any are left out."""
    table: list[dict[str, Any]] = []
    whole: dict[str, Any] = {}
    for horizon in HORIZONS_H:
        some = {model: found[horizon] for model, found in samples.items() if found[horizon].n}
        rows = [series_row(model, horizon, sample, moves(model)) for model, sample in some.items()]
        whole[str(horizon)] = overall(rows, list(some.values()))
        table += rows
    return {"series": table, "overall": whole}


def overall(rows: Sequence[Mapping[str, Any]], samples: Sequence[Sample]) -> dict[str, Any]:
    """One horizon of all series: geometric mean of the ratios of those that move, means of the rest, calibration."""
    ratios = [row["ratio"] for row in rows if row["ratio"]]
    said = np.concatenate([sample.confidence for sample in samples]) if samples else np.zeros(0)
    met = np.concatenate([sample.hits for sample in samples]) if samples else np.zeros(0)
    bins = reliability(said, met)
    return {
        "ratio": statistics.geometric_mean(ratios) if ratios else None,
        "coverage_80": _mean([row["coverage_80"] for row in rows]),
        "width_80_percent": _mean([row["width_80_percent"] for row in rows]),
        "winkler": _mean([row["winkler"] for row in rows]),
        "ece": calibration_error(bins),
        "moving_series": len(ratios),
        "series": len(rows),
        "n": sum(row["n"] for row in rows),
        "reliability": bins,
    }


def reliability(said: Numbers, met: Numbers) -> list[dict[str, Any]]:
    """The reliability diagram of confidences: mean said and share met in ten bins of equal width, no empty one."""
    known = np.isfinite(said) & np.isfinite(met)
    said, met = said[known], met[known]
    places = np.minimum(CONFIDENCE_BINS - 1, (said * CONFIDENCE_BINS).astype(np.int64))
    found = ((said[places == one], met[places == one]) for one in range(CONFIDENCE_BINS))
    return [{"said": float(a.mean()), "met": float(b.mean()), "n": len(a)} for a, b in found if len(a)]


def calibration_error(bins: Iterable[Mapping[str, Any]]) -> float | None:
    """Expected calibration error: the gap between said and met, by bin, weighted by size."""
    bins = list(bins)
    n = sum(one["n"] for one in bins)
    return math.fsum(one["n"] * abs(one["said"] - one["met"]) for one in bins) / n if n else None
