"""The hourly run, and the answer made from what it stored."""

from __future__ import annotations

import json
import math
import pickle
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.errors import NotYet
from analytics.evidence import Basis, seconds_of, to_json
from analytics.forecasting.forecasts import Forecast, Prediction, TrackRecord, from_price, prediction, refresh
from analytics.market import HOUR, HourPoint, Quote
from tests.analytics.test_backtest import START, points, wandering

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
def run(history: dict[str, list[HourPoint]]) -> dict[str, tuple[tuple[Forecast, ...], TrackRecord]]:
    return {record.model: (forecasts, record) for forecasts, record in refresh(history, NOW_HOUR)}


Run = dict[str, tuple[tuple[Forecast, ...], TrackRecord]]


def test_each_model_with_a_fresh_price_gets_three_forecasts(run: Run) -> None:
    assert {model: len(forecasts) for model, (forecasts, _) in run.items()} == {
        "moves": 3,
        "flat": 3,
        "new": 3,
        "gone": 0,
    }
    for forecast in run["moves"][0]:
        assert forecast.target_at - forecast.issued_at == forecast.horizon_h * HOUR
        assert forecast.issued_at == NOW_HOUR * HOUR
        assert forecast.price == forecast.y_last


def test_intervals_hold_the_price_and_widen_with_the_horizon(run: Run) -> None:
    widths = []
    for forecast in run["moves"][0]:
        assert forecast.lo80 is not None
        assert forecast.hi80 is not None
        assert forecast.lo80 <= forecast.price <= forecast.hi80
        assert forecast.lo80 * forecast.hi80 == pytest.approx(forecast.price**2, rel=1e-4)
        widths.append(math.log(forecast.hi80 / forecast.lo80))
    assert widths == sorted(widths)
    assert [(f.lo80, f.hi80) for f in run["flat"][0]] == [(400_000, 400_000)] * 3


def test_a_new_model_borrows_its_interval_and_claims_no_confidence(run: Run) -> None:
    assert {(f.regime, f.confidence) for f in run["new"][0]} == {("cold", None)}
    assert all(f.lo80 is not None and f.lo80 < f.price for f in run["new"][0][1:])
    assert {f.regime for f in run["moves"][0]} == {"own"}


def test_last_value_claims_no_skill_over_last_value(run: Run) -> None:
    for _, record in run.values():
        assert record.skill in (0.0, None)
        assert record.model_accuracy == record.baseline_accuracy
        assert record.source == "backtest"
    assert run["flat"][1].model_accuracy == 1.0
    assert run["new"][1].model_accuracy is None
    assert run["moves"][1].n_scored == 3 * 720


def test_what_happens_after_now_is_not_looked_at(history: dict[str, list[HourPoint]], run: Run) -> None:
    ahead = {model: [*hours, HourPoint(NOW_HOUR + 1, 9, 9, 9, 9, 9, 9, 9, 9)] for model, hours in history.items()}
    assert {record.model: (f, record) for f, record in refresh(ahead, NOW_HOUR)} == run


def test_arguments_and_results_travel_between_processes(history: dict[str, list[HourPoint]], run: Run) -> None:
    assert pickle.loads(pickle.dumps((refresh, history))) == (refresh, history)
    assert pickle.loads(pickle.dumps(run)) == run


def test_sktime_is_loaded_only_where_it_runs() -> None:
    heavy = "[m for m in ('sktime', 'pandas', 'numpy') if m in sys.modules]"
    code = f"import sys, analytics.forecasting.forecasts\nprint({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def quote(price: int | None = 400_000) -> Quote:
    return Quote(NOW - 60, price, price, price, price, 500_000, 5, 9, 4)


def answer(run: Run, history: dict[str, list[HourPoint]], model: str = "moves", basis: Basis = BASIS) -> Prediction:
    forecasts, record = run[model]
    return prediction(model, basis, quote(history[model][-1].price), forecasts, record, history[model])


def test_the_answer_has_the_guides_keys_and_the_record(run: Run, history: dict[str, list[HourPoint]]) -> None:
    found = json.loads(to_json(answer(run, history)))
    assert list(found)[:4] == ["gpu_name", "current_price", "predictions", "recommendation"]
    assert list(found["predictions"]) == ["next_1h", "next_6h", "next_24h"]
    for point in found["predictions"].values():
        assert isinstance(point["price"], float)
        assert 0 < point["confidence"] <= 1
        assert point["low_80"] <= point["price"] <= point["high_80"]
    assert isinstance(found["recommendation"], str)
    assert 0 < found["model_accuracy"] <= 1
    assert (found["skill"], found["record_source"], found["n_scored"]) == (0.0, "backtest", 2160)
    assert found["record"]["next_6h"]["n"] == 720
    assert len(found["history"]) == 48
    assert [hour["price"] for hour in found["past"][-48:]] == found["history"]
    assert len(found["past"]) == 7 * 24
    assert found["past"][-1]["at"] == found["issued_at"]
    assert found["evidence"]["stale"] is False


def test_a_new_model_gets_its_last_value_and_no_advice(run: Run, history: dict[str, list[HourPoint]]) -> None:
    found = answer(run, history, "new")
    assert (found.model_accuracy, found.advice.action, found.regime) == (None, None, "cold")
    assert found.predictions["next_1h"].price == 0.3
    assert found.predictions["next_1h"].confidence is None
    assert [hour.price for hour in found.past] == [None] * 158 + [0.3] * 10
    assert any("less than 24 hours" in str(note) for note in found.evidence.caveats)


def test_a_flat_price_is_said_to_be_flat(run: Run, history: dict[str, list[HourPoint]]) -> None:
    assert str(answer(run, history, "flat").recommendation) == "Start now: the price has not changed for 45 days"


@pytest.mark.parametrize(("hours", "refused"), [(5.9, False), (6.1, True)])
def test_old_prices_are_refused(run: Run, history: dict[str, list[HourPoint]], hours: float, refused: bool) -> None:
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


def test_predict_starts_from_the_price_shown_and_counts_from_now(run: Run, history: dict[str, list[HourPoint]]) -> None:
    forecasts, record = run["moves"]
    later = replace(BASIS, now=NOW + 1000, as_of=NOW + 900)
    found = prediction("moves", later, quote(1_016_000), forecasts, record, history["moves"])
    assert found.current_price == 1.016
    assert [point.price for point in found.predictions.values()] == [1.016] * 3
    assert [seconds_of(point.target_at) - later.now for point in found.predictions.values()] == [
        h * HOUR for h in (1, 6, 24)
    ]
    for told, stored in zip(found.predictions.values(), forecasts, strict=True):
        assert told.high_80 == pytest.approx(1.016 * stored.hi80 / stored.y_last, abs=1e-4)


def test_where_nothing_is_on_offer_nothing_is_foretold(run: Run, history: dict[str, list[HourPoint]]) -> None:
    found = prediction("moves", BASIS, quote(None), *run["moves"], history["moves"])
    assert {(point.price, point.low_80, point.confidence) for point in found.predictions.values()} == {
        (None, None, None)
    }
    assert any("no price to forecast from" in str(note) for note in found.evidence.caveats)
