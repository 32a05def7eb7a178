"""Rolling origins over stored history: the records and the report of what would have been forecast and advised."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.forecasting.advice import Case, WaitRecord, advised, cases, wait_records
from analytics.forecasting.grid import Grid, grid
from analytics.forecasting.panel import Panel, panel
from analytics.forecasting.scoring import Sample, tables, track_record
from analytics.forecasting.track_record import BACKTEST, RECORD_H, TrackRecord
from analytics.forecasting.walk import Walked, walk
from analytics.market import HOUR, HourPoint

ADVICE_H = 24
"""The horizon whose forecast advice goes by, in hours (source: definitions, "Forecasts", recommendation)."""

LEAST_RATIO = 1e-9
"""What an expert without any error counts as in a geometric mean (ours: it cannot hold a zero)."""

Hours = Mapping[str, Sequence[HourPoint]]
"""Model -> its hourly points (world, verified), ascending."""


@dataclass(frozen=True)
class Backtest:
    """A walk over stored history with what was advised on the way."""

    panel: Panel
    walked: Mapping[int, Walked]
    grids: tuple[Grid, ...]
    waits: Callable[[int], WaitRecord]
    advice: Mapping[str, tuple[tuple[Case, bool], ...]]

    def record(self, model: str, now_hour: int) -> TrackRecord:
        """How one model's forecasts of the last 30 days would have fared."""
        samples = self._samples(self.panel.models.index(model), now_hour - RECORD_H + 1 - self.panel.start)
        return track_record(model, samples, now_hour, BACKTEST, self.waits(now_hour))

    def _samples(self, series: int, column: int) -> dict[int, Sample]:
        """Horizon -> a series' scored forecasts whose target is not before a column of the panel."""
        return {horizon: Sample.of(one, series, column) for horizon, one in self.walked.items()}

    def report(self, since: int | None = None) -> dict[str, Any]:
        """The report of ``spotbot backtest``, of targets from hour ``since`` on, else of all.

        ``mae``: mean |log error|; ``overall`` by horizon: geometric mean of the ratios over the series that move;
        ``advice``: the rule at every hour; ``experts``: their weights at the end and their own ratios.
        """
        column = 0 if since is None else since - self.panel.start
        samples = {model: self._samples(series, column) for series, model in enumerate(self.panel.models)}
        start = self.panel.start if since is None else since
        found = [(case, wait) for some in self.advice.values() for case, wait in some if case.hour >= start]
        return {
            **tables(samples, self.moves),
            "advice": advice_figures(found),
            "experts": self.report_experts(column),
            "since": max(start, self.panel.start) * HOUR,
            "until": (self.panel.start + self.panel.hours - 1) * HOUR,
        }

    def report_experts(self, column: int = 0) -> dict[str, Any]:
        """Horizon -> what each expert weighs and how it fared from a column of the panel on."""
        return {str(horizon): _experts(one, column) for horizon, one in self.walked.items()}

    def moves(self, model: str) -> float | None:
        """Percent of the hours in which a model's price moved; None where that is not known."""
        if model not in self.panel.models:
            return None
        seen = self.panel.seen[self.panel.models.index(model)]
        steps = np.diff(seen)
        steps = steps[np.isfinite(steps)]
        return float(100 * (steps != 0).mean()) if len(steps) else None


def backtest(hours: Hours, until: int) -> Backtest | None:
    """Walk the hours up to ``until`` and no further; None without a price. Slow: run it in a process of its own."""
    found = panel(hours, until)
    if found is None:
        return None
    walked = walk(found)
    grids = tuple(one for model in found.models if (one := grid(model, hours[model], until)))
    by_model = {one.model: list(cases(one)) for one in grids}
    waits = wait_records((case for some in by_model.values() for case in some), until + 1)
    changes = walked[ADVICE_H].changes
    advice = {
        model: tuple(advised(by_model[model], _at(found, changes[series]), waits))
        for series, model in enumerate(found.models)
    }
    return Backtest(found, walked, grids, waits, advice)


def _at(found: Panel, changes: np.ndarray[Any, Any]) -> Callable[[int], float]:
    return lambda hour: float(changes[hour - found.start])


def advice_figures(found: Sequence[tuple[Case, bool]]) -> dict[str, Any]:
    """What advice would have saved: shares of the price in percent, over all hours; of waits, how many lost money."""
    waits = [case for case, wait in found if wait]
    saved = sum(case.saved for case in waits)
    return {
        "n": len(found),
        "waits": len(waits),
        "saved_percent": 100 * saved / len(found) if found else None,
        "oracle_percent": 100 * statistics.fmean(case.best for case, _ in found) if found else None,
        "wrong_waits_percent": 100 * statistics.fmean(case.saved < 0 for case in waits) if waits else None,
    }


def _experts(walked: Walked, since: int) -> list[dict[str, Any]]:
    """Each expert's weight in what is served, and its error relative to the last value's, the heaviest first."""
    kept = walked.scored & (np.arange(walked.came.shape[1]) + walked.horizon >= since)
    naive = _mae(np.zeros_like(walked.came), walked.came, kept)
    weights = walked.weights.mean(axis=0)
    rows = []
    for name, weight, foretold in zip(walked.names, weights, walked.foretold, strict=True):
        own = _mae(foretold, walked.came, kept)
        ratios = own[naive > 0] / naive[naive > 0]
        ratio = float(np.exp(np.log(np.maximum(ratios, LEAST_RATIO)).mean())) if len(ratios) else None
        rows.append({"name": name, "weight": float(weight), "ratio": ratio})
    return sorted(rows, key=lambda row: -row["weight"])


def _mae(
    foretold: np.ndarray[Any, Any], came: np.ndarray[Any, Any], kept: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    error: np.ndarray[Any, Any] = np.where(kept, np.abs(foretold - came), 0.0).sum(axis=1)
    mean: np.ndarray[Any, Any] = error / np.maximum(kept.sum(axis=1), 1)
    return mean
