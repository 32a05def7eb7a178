"""The hourly run, and the answer made from what it stored."""

from __future__ import annotations

import json
import math
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.errors import NotYet
from analytics.evidence import Basis, seconds_of, to_json
from analytics.forecasting.backtest import Backtest, backtest
from analytics.forecasting.forecasts import Forecast, Prediction, TrackRecord, from_price, prediction
from analytics.forecasting.issuing import Run
from analytics.forecasting.issuing import run as hourly_run
from analytics.forecasting.ledger import Due
from analytics.market import HOUR, HourPoint, Quote
from tests.analytics.test_backtest import START, points, steadied, wandering

N = 24 * 45
NOW_HOUR = START + N - 1
NOW = NOW_HOUR * HOUR + 120
BASIS = Basis(NOW, NOW - 60, 300, START * HOUR, 5)


@pytest.fixture(scope="module")
def history() -> dict[str, list[HourPoint]]:
    return {
        "moves": points(wandering(N, 1)),
        "flat": points([400_000] * N),
        "new": points([300_000] * 10, NOW_HOUR - 9),
        "gone": points([300_000] * (N - 7)),
    }


@pytest.fixture(scope="module")
def run(history: dict[str, list[HourPoint]]) -> Told:
    return told(hourly_run(history, NOW_HOUR))


Told = dict[str, tuple[tuple[Forecast, ...], TrackRecord]]


def told(brought: Run | None) -> Told:
    """Model -> its forecasts and record."""
    assert brought is not None
    return {
        record.model: (tuple(one for one in brought.forecasts if one.model == record.model), record)
        for record in brought.records
    }


def test_each_model_with_a_fresh_price_gets_three_forecasts(run: Told) -> None:
    assert {model: len(forecasts) for model, (forecasts, _) in run.items()} == {
        "moves": 3,
        "flat": 3,
        "new": 3,
        "gone": 0,
    }
    for forecast in run["moves"][0]:
        assert forecast.target_at - forecast.issued_at == forecast.horizon_h * HOUR
        assert forecast.issued_at == NOW_HOUR * HOUR
        assert forecast.source in ("last_value", "aggregation")
        assert (forecast.source == "last_value") <= (forecast.price == forecast.y_last)
    assert [forecast.advice for forecast in run["moves"][0]] == [None, None, "now"]


def test_intervals_hold_the_price_and_widen_with_the_horizon(run: Told) -> None:
    widths = []
    for forecast in run["moves"][0]:
        assert forecast.lo80 is not None
        assert forecast.hi80 is not None
        assert forecast.lo80 <= forecast.price <= forecast.hi80
        assert forecast.lo80 * forecast.hi80 == pytest.approx(forecast.price**2, rel=1e-4)
        widths.append(math.log(forecast.hi80 / forecast.lo80))
    assert widths == sorted(widths)
    assert [(f.lo80, f.hi80) for f in run["flat"][0]] == [(400_000, 400_000)] * 3


def test_a_new_model_borrows_its_interval_and_claims_no_confidence(run: Told) -> None:
    assert {(f.regime, f.confidence) for f in run["new"][0]} == {("cold", None)}
    assert all(f.lo80 is not None and f.lo80 <= f.price for f in run["new"][0])
    assert run["new"][0][2].lo80 < run["new"][0][2].price
    assert {f.regime for f in run["moves"][0]} == {"own"}


def test_the_first_errors_of_a_horizon_make_no_confidence_by_themselves() -> None:
    """26 hours after polling began a forecast over a day has come due twice, and nothing stands beside that."""
    prices = {f"m{seed}": points(wandering(27, seed), NOW_HOUR - 26) for seed in range(5)}
    run = told(hourly_run(prices, NOW_HOUR))
    for model, (forecasts, _) in run.items():
        assert [forecast.confidence is None for forecast in forecasts] == [False, False, True]
        found = answer(run, prices, model)
        assert found.predictions["next_24h"].confidence is None
        assert "no confidence where too few forecasts have come due" in to_json(found)


def test_the_record_is_that_of_the_walk_until_enough_was_issued(run: Told) -> None:
    for _, record in run.values():
        assert record.source == "backtest"
    assert run["flat"][1].skill == 0.0
    assert abs(run["moves"][1].skill or 1) < 0.05
    assert run["flat"][1].model_accuracy == 1.0
    assert run["new"][1].model_accuracy is None
    assert run["moves"][1].n_scored == 3 * 720


def test_what_happens_after_now_is_not_looked_at(history: dict[str, list[HourPoint]], run: Told) -> None:
    ahead = {model: [*hours, HourPoint(NOW_HOUR + 1, 9, 9, 9, 9, 9, 9, 9, 9)] for model, hours in history.items()}
    assert told(hourly_run(ahead, NOW_HOUR)) == run


def test_arguments_and_results_travel_between_processes(history: dict[str, list[HourPoint]], run: Told) -> None:
    assert pickle.loads(pickle.dumps((hourly_run, history))) == (hourly_run, history)
    assert pickle.loads(pickle.dumps(run)) == run


def test_what_is_heavy_is_loaded_only_where_it_runs() -> None:
    heavy = "[m for m in ('sktime', 'sklearn', 'pandas', 'numpy') if m in sys.modules]"
    code = f"import sys, analytics.forecasting.forecasts, bot.store.engine\nprint({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def quote(price: int | None = 400_000) -> Quote:
    return Quote(NOW - 60, price, price, price, price, 500_000, 5, 9, 4)


def answer(run: Told, history: dict[str, list[HourPoint]], model: str = "moves", basis: Basis = BASIS) -> Prediction:
    forecasts, record = run[model]
    return prediction(model, basis, quote(history[model][-1].price), forecasts, record, history[model])


def test_the_answer_has_the_guides_keys_and_the_record(run: Told, history: dict[str, list[HourPoint]]) -> None:
    found = json.loads(to_json(answer(run, history)))
    assert list(found)[:4] == ["gpu_name", "current_price", "predictions", "recommendation"]
    assert list(found["predictions"]) == ["next_1h", "next_6h", "next_24h"]
    for point in found["predictions"].values():
        assert isinstance(point["price"], float)
        assert 0 < point["confidence"] <= 1
        assert point["low_80"] <= point["price"] <= point["high_80"]
    assert isinstance(found["recommendation"], str)
    assert 0 < found["model_accuracy"] <= 1
    assert (found["record_source"], found["n_scored"]) == ("backtest", 2160)
    assert found["record"]["next_6h"]["n"] == 720
    assert len(found["history"]) == 48
    assert [hour["price"] for hour in found["past"][-48:]] == found["history"]
    assert len(found["past"]) == 7 * 24
    assert found["past"][-1]["at"] == found["issued_at"]
    assert found["evidence"]["stale"] is False


def test_a_new_model_gets_its_last_value_and_no_advice(run: Told, history: dict[str, list[HourPoint]]) -> None:
    found = answer(run, history, "new")
    assert (found.model_accuracy, found.advice.action, found.regime) == (None, None, "cold")
    assert found.predictions["next_1h"].price == 0.3
    assert found.predictions["next_1h"].confidence is None
    assert [hour.price for hour in found.past] == [None] * 158 + [0.3] * 10
    assert any("less than 24 hours" in str(note) for note in found.evidence.caveats)


def test_a_flat_price_is_said_to_be_flat(run: Told, history: dict[str, list[HourPoint]]) -> None:
    assert str(answer(run, history, "flat").recommendation) == "Start now: the price has not changed for 45 days"


@pytest.mark.parametrize(("hours", "refused"), [(5.9, False), (6.1, True)])
def test_old_prices_are_refused(run: Told, history: dict[str, list[HourPoint]], hours: float, refused: bool) -> None:
    basis = replace(BASIS, as_of=NOW - round(hours * HOUR))
    if not refused:
        assert answer(run, history, basis=basis).evidence.stale
        return
    with pytest.raises(NotYet, match="too old"):
        answer(run, history, basis=basis)


def test_without_a_current_forecast_it_says_when_the_next_run_is(history: dict[str, list[HourPoint]]) -> None:
    old = Forecast("moves", 1, NOW - 7 * HOUR, NOW - 6 * HOUR, 1, 1, 1, 1, 0.5, "own", "last_value")
    for forecasts in ([], [old]):
        with pytest.raises(NotYet) as caught:
            prediction("moves", BASIS, quote(), forecasts, None, history["moves"])
        assert caught.value.ready_at == (NOW_HOUR + 1) * HOUR


def test_where_polling_has_stopped_no_run_is_promised(history: dict[str, list[HourPoint]]) -> None:
    stale = replace(BASIS, as_of=NOW - 2 * HOUR)
    assert stale.stale
    with pytest.raises(NotYet) as caught:
        prediction("moves", stale, quote(), [], None, history["moves"])
    assert caught.value.ready_at is None


def test_a_model_never_polled_has_no_prediction() -> None:
    with pytest.raises(NotYet) as caught:
        prediction("moves", Basis(NOW, None, 0, None, 0), None, [], None, [])
    assert caught.value.ready_at is None


PRICES = st.integers(1_000, 50_000_000)


@given(PRICES, PRICES, st.integers(0, 3 * HOUR), st.sampled_from([1, 6, 24]))
def test_a_forecast_of_no_change_is_the_price_shown(last: int, shown: int, after: int, horizon: int) -> None:
    stored = Forecast("m", horizon, NOW, NOW + horizon * HOUR, last, last, last, last, 0.9, "own", "last_value")
    [told] = from_price([stored], shown, NOW + after)
    assert (told.price, told.lo80, told.hi80, told.y_last) == (shown,) * 4
    assert told.target_at == NOW + after + horizon * HOUR


@given(PRICES, PRICES, st.floats(0.5, 2), st.floats(1, 3))
def test_change_and_range_are_carried_over_as_shares(last: int, shown: int, change: float, width: float) -> None:
    price = round(last * change)
    low, high = math.floor(price / width), math.ceil(price * width)
    stored = Forecast("m", 6, NOW, NOW, last, price, low, high, 0.5, "own", "experts")
    [told] = from_price([stored], shown, NOW)
    for moved, kept in ((told.price, price), (told.lo80, low), (told.hi80, high)):
        assert moved == pytest.approx(shown * kept / last, abs=1)
    assert told.lo80 <= told.price <= told.hi80


def test_predict_starts_from_the_price_shown_and_counts_from_now(
    run: Told, history: dict[str, list[HourPoint]]
) -> None:
    forecasts, record = run["moves"]
    later = replace(BASIS, now=NOW + 1000, as_of=NOW + 900)
    found = prediction("moves", later, quote(1_016_000), forecasts, record, history["moves"])
    assert found.current_price == 1.016
    for told_, stored in zip(found.predictions.values(), forecasts, strict=True):
        assert told_.price == pytest.approx(1.016 * stored.price / stored.y_last, abs=1e-4)
    assert [seconds_of(point.target_at) - later.now for point in found.predictions.values()] == [
        h * HOUR for h in (1, 6, 24)
    ]
    for told, stored in zip(found.predictions.values(), forecasts, strict=True):
        assert told.high_80 == pytest.approx(1.016 * stored.hi80 / stored.y_last, abs=1e-4)


def test_where_nothing_is_on_offer_nothing_is_foretold(run: Told, history: dict[str, list[HourPoint]]) -> None:
    found = prediction("moves", BASIS, quote(None), *run["moves"], history["moves"])
    assert {(point.price, point.low_80, point.confidence) for point in found.predictions.values()} == {
        (None, None, None)
    }
    assert any("no price to forecast from" in str(note) for note in found.evidence.caveats)


def test_a_forecast_that_has_earned_it_is_told_with_its_change_and_its_method() -> None:
    history = {f"m{seed}": points(steadied(24 * 45, seed)) for seed in range(4)}
    run = told(hourly_run(history, NOW_HOUR))
    changed = [f for forecasts, _ in run.values() for f in forecasts if f.source == "aggregation"]
    assert any(forecast.price != forecast.y_last for forecast in changed)
    forecasts, record = next(found for found in run.values() if any(f.source == "aggregation" for f in found[0]))
    assert record.skill is not None
    assert record.skill > 0.03
    assert record.model_accuracy > record.baseline_accuracy
    found = prediction(record.model, BASIS, quote(), forecasts, record, history[record.model])
    assert found.forecaster == "aggregation"
    assert "aggregation of experts" in str(found.evidence.method)


def test_what_is_issued_hour_by_hour_is_what_the_walk_would_have_said() -> None:
    """The seeded record is of the very forecasts that would have been issued: nothing is tuned afterwards."""
    history = {f"m{seed}": points(steadied(500, seed)) for seed in range(2)}
    whole = backtest(history, START + 499)
    assert whole is not None
    for hour in (30, 200, 430):
        brought = hourly_run({m: some[: hour + 1] for m, some in history.items()}, START + hour)
        assert brought is not None
        for forecast in brought.forecasts:
            row, walked = whole.panel.models.index(forecast.model), whole.walked[forecast.horizon_h]
            assert math.log(forecast.price / forecast.y_last) == pytest.approx(walked.changes[row, hour], abs=1e-5)
            if forecast.hi80 is not None:
                half = math.log(forecast.hi80 / forecast.price)
                assert half == pytest.approx(walked.half[row, hour], abs=1e-5)


def ledger_of(whole: Backtest, model: str, hours: range, polls: int = 12) -> list[Due]:
    """What would have been issued over some hours, as the ledger keeps it."""
    row, series = whole.panel.models.index(model), next(one for one in whole.grids if one.model == model)
    due = []
    for hour in hours:
        last_price = series.seen[hour]
        for horizon, one in whole.walked.items():
            price = round(last_price * math.exp(one.changes[row, hour]))
            half, sure = float(one.half[row, hour]), float(one.confidence[row, hour])
            high = None if math.isnan(half) else math.ceil(price * math.exp(half))
            source = "aggregation" if one.share[row, hour] > 0 else "last_value"
            advice = "now" if horizon == 24 else None
            issued = (START + hour) * HOUR
            due.append(
                Due(
                    model,
                    issued,
                    horizon,
                    last_price,
                    price,
                    high,
                    None if math.isnan(sure) else sure,
                    source,
                    advice,
                    300,
                )
            )
    return due


def test_the_ledger_scores_what_was_issued_as_the_walk_does() -> None:
    history = {"m": points(steadied(600, 3))}
    whole = backtest(history, START + 599)
    assert whole is not None
    due = ledger_of(whole, "m", range(300, 570))
    brought = hourly_run(history, START + 599, due=due)
    assert brought is not None
    assert len(brought.outcomes) == len(due)
    assert all(outcome.actual is not None for outcome in brought.outcomes)
    [record] = brought.records
    assert (record.source, record.n_scored) == ("live", 3 * 270)
    for told_ in record.horizons:
        one = whole.walked[told_.horizon_h]
        kept = slice(300, 570)
        assert told_.mae == pytest.approx(np.abs(one.changes - one.came)[0, kept].mean(), abs=1e-5)
        assert told_.coverage_80 == pytest.approx(np.nanmean(one.covered[0, kept]), abs=0.01)
    live, walked = brought.reports["live"], brought.reports["backtest"]
    assert set(live) == set(walked)
    assert {row["horizon_hours"]: row["n"] for row in live["series"]} == {1: 270, 6: 270, 24: 270}
    assert live["advice"]["n"] == 270
    assert live["advice"]["waits"] == 0
    json.dumps(brought.reports, allow_nan=False)


def test_an_hour_that_too_few_polls_saw_makes_the_forecast_void() -> None:
    prices = steadied(100, 3)
    thin = [replace(point, polls=5) if point.hour == START + 51 else point for point in points(prices)]
    history = {"m": [point for point in thin if point.hour != START + 56]}
    due = [Due("m", (START + 50) * HOUR, horizon, 1, 1, None, None, "last_value", None, 300) for horizon in (1, 6, 24)]
    brought = hourly_run(history, START + 99, due=due)
    assert brought is not None
    assert [outcome.actual is None for outcome in brought.outcomes] == [True, True, False]
    assert [outcome.entry is None for outcome in brought.outcomes] == [True, True, False]
