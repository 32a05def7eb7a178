"""Records of forecasts and the report of a backtest."""

from __future__ import annotations

import json

import pytest

from analytics.forecasting.backtest import Outcome
from analytics.forecasting.track_record import MIN_SCORED, RECORD_H, backtest_report, calibration_error, record
from analytics.market import HOUR
from tests.analytics.test_backtest import points, wandering

NOW = 500_000


def outcomes(n: int, *, hit: bool = True, error: float = 0.01, half: float | None = 0.02) -> list[Outcome]:
    return [Outcome(NOW - 30 - i, error, hit, half, 0.9) for i in range(n)]


def test_horizons_weigh_alike_however_many_were_scored() -> None:
    found = record("m", {1: outcomes(300), 6: outcomes(100, hit=False), 24: outcomes(50, hit=False)}, NOW, "backtest")
    assert found.model_accuracy == found.baseline_accuracy == pytest.approx(1 / 3)
    assert (found.n_scored, found.coverage_80, found.skill) == (450, 1.0, 0.0)
    assert [(h.horizon_h, h.n, h.hit) for h in found.horizons] == [(1, 300, 1.0), (6, 100, 0.0), (24, 50, 0.0)]
    assert (found.scored_until, found.source) == (NOW * HOUR, "backtest")


def test_below_a_hundred_there_is_a_count_but_no_accuracy() -> None:
    found = record("m", {1: outcomes(MIN_SCORED - 1)}, NOW, "backtest")
    assert found.n_scored == 99
    assert [found.model_accuracy, found.baseline_accuracy, found.skill, found.coverage_80] == [None] * 4
    assert record("m", {1: outcomes(MIN_SCORED)}, NOW, "backtest").model_accuracy == 1.0


def test_only_the_last_thirty_days_count() -> None:
    late = Outcome(NOW - 1, 0.0, True, None, None)
    early = Outcome(NOW - 1 - RECORD_H, 0.0, True, None, None)
    unripe = Outcome(NOW, 0.0, True, None, None)
    assert record("m", {1: [early, late, unripe]}, NOW, "backtest").n_scored == 1


def test_forecasts_without_an_interval_are_not_counted_as_covered() -> None:
    found = record("m", {1: outcomes(60, half=None) + outcomes(60, half=0.001)}, NOW, "backtest")
    assert found.coverage_80 == 0.0


def test_the_calibration_error_is_the_gap_between_said_and_come_true() -> None:
    sure = [Outcome(NOW, 0.0, hit, None, 0.95) for hit in [True] * 15 + [False] * 5]
    unsure = [Outcome(NOW, 0.0, hit, None, 0.5) for hit in [True, False]]
    assert calibration_error(sure) == pytest.approx(0.2)
    assert calibration_error(sure + unsure) == pytest.approx(0.2 * 20 / 22)
    assert calibration_error([]) is None


def test_the_report_has_a_row_for_each_series_and_horizon() -> None:
    hours = {"moves": points(wandering(500, 1)), "flat": points([400_000] * 500), "new": points([300_000])}
    report = backtest_report(hours)
    assert {(row["gpu"], row["horizon_hours"]) for row in report["series"]} == {
        (gpu, horizon) for gpu in ("moves", "flat") for horizon in (1, 6, 24)
    }
    moves = next(row for row in report["series"] if row["gpu"] == "moves" and row["horizon_hours"] == 6)
    flat = next(row for row in report["series"] if row["gpu"] == "flat" and row["horizon_hours"] == 6)
    assert (moves["ratio"], flat["ratio"], flat["moves_percent"], flat["hit_5_percent"]) == (1.0, None, 0.0, 1.0)
    assert moves["n"] == 494
    assert 40 < moves["moves_percent"] < 60
    assert 0 < moves["width_80_percent"] < 40
    assert set(report["overall"]) == {"1", "6", "24"}
    assert report["overall"]["24"]["moving_series"] == 1
    assert report["advice"]["n"] > 800
    json.dumps(report, allow_nan=False)


def test_an_empty_store_gives_an_empty_report() -> None:
    report = backtest_report({})
    assert report["series"] == []
    assert report["advice"]["saved_percent"] is None
