"""Scoring: records of forecasts and how well confidences were met."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.forecasting.advice import WaitRecord
from analytics.forecasting.scoring import Sample, calibration_error, overall, reliability, series_row, track_record
from analytics.forecasting.track_record import MIN_SCORED
from analytics.market import HOUR

NOW = 500_000


def sample(n: int, *, error: float = 0.01, move: float = 0.02, half: float = 0.02, confidence: float = 0.9) -> Sample:
    """Forecasts that each were ``error`` off what came, which was ``move`` off the last value."""
    came = np.full(n, move)
    return Sample(came - error, came, np.full(n, half), np.full(n, confidence), np.ones(n))


def test_horizons_weigh_alike_however_many_were_scored() -> None:
    wide = sample(100, error=0.1, move=0.2, half=0.3)
    samples = {1: sample(300), 6: wide, 24: sample(50, error=0.1, move=0.2, half=0.3)}
    found = track_record("m", samples, NOW, "backtest", WaitRecord(3, 1, 0.2))
    assert found.model_accuracy == found.baseline_accuracy == pytest.approx(1 / 3)
    assert (found.n_scored, found.coverage_80) == (450, 1.0)
    assert found.skill == pytest.approx(0.5)
    assert [(h.horizon_h, h.n, h.hit) for h in found.horizons] == [(1, 300, 1.0), (6, 100, 0.0), (24, 50, 0.0)]
    assert (found.scored_until, found.source, found.waits) == (NOW * HOUR, "backtest", WaitRecord(3, 1, 0.2))


def test_below_a_hundred_there_is_a_count_but_no_accuracy() -> None:
    found = track_record("m", {1: sample(MIN_SCORED - 1)}, NOW, "backtest")
    assert found.n_scored == 99
    assert [found.model_accuracy, found.baseline_accuracy, found.skill, found.coverage_80] == [None] * 4
    assert track_record("m", {1: sample(MIN_SCORED)}, NOW, "backtest").model_accuracy == 1.0


def test_nothing_scored_is_no_number() -> None:
    row = series_row("m", 6, sample(0), None)
    numbers = {key: value for key, value in row.items() if key not in ("gpu", "region", "horizon_hours", "n")}
    assert set(numbers.values()) == {None}
    assert overall([], [])["ece"] is None


def test_a_forecast_without_a_range_is_not_counted_as_covered() -> None:
    found = track_record("m", {1: sample(120, half=np.nan)}, NOW, "backtest")
    assert found.coverage_80 is None
    assert track_record("m", {1: sample(120, half=0.001)}, NOW, "backtest").coverage_80 == 0.0


def test_the_winkler_score_is_the_width_and_ten_times_what_was_missed_by() -> None:
    inside, above, below = (
        sample(1, error=0.05, half=0.1),
        sample(1, error=-0.2, half=0.1),
        sample(1, error=0.2, half=0.1),
    )
    width = 100 * (np.exp(0.1) - np.exp(-0.1))
    assert inside.winkler[0] == pytest.approx(width)
    assert below.winkler[0] == pytest.approx(width + 1000 * (np.exp(0.2) - np.exp(0.1)))
    assert above.winkler[0] == pytest.approx(width + 1000 * (np.exp(-0.1) - np.exp(-0.2)))


def test_an_error_as_large_as_the_range_is_covered() -> None:
    assert sample(1, error=0.02, half=0.02).covered[0] == 1
    assert sample(1, error=0.0, half=0.0).winkler[0] == 0


def test_the_calibration_error_is_the_gap_between_said_and_met() -> None:
    said = np.array([0.95] * 20 + [0.5] * 2 + [np.nan])
    met = np.array([1.0] * 15 + [0.0] * 5 + [1.0, 0.0] + [1.0])
    bins = reliability(said, met)
    assert [(one["said"], one["met"], one["n"]) for one in bins] == [(0.5, 0.5, 2), (pytest.approx(0.95), 0.75, 20)]
    assert calibration_error(bins) == pytest.approx(0.2 * 20 / 22)
    assert calibration_error([]) is None
