"""``spotbot backtest`` on a stored market."""

from __future__ import annotations

import json

import pytest

from bot.dispatch.dispatcher import Dispatcher
from bot.forecasts import report


async def test_the_report_is_of_the_models_asked_for(
    dispatcher: Dispatcher, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await report(dispatcher.store, ["RTX 4090"], as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["gpu"] for row in found["series"]} == {"RTX 4090"}
    assert all(row["n"] for row in found["series"])
    assert await report(dispatcher.store, ["RTX 4090"], as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["GPU", "h"]
    assert [line.split()[:2] for line in lines[1:4]] == [["RTX", "4090"]] * 3
    assert [line.split()[:3] for line in lines[4:7]] == [["all", "models", h] for h in ("1", "6", "24")]
    assert [line.split()[0] for line in lines[7:]] == [*["calibration"] * 3, "advice:", "safe", *["weights,"] * 3]


async def test_the_shape_is_the_one_that_is_promised(
    dispatcher: Dispatcher, capsys: pytest.CaptureFixture[str]
) -> None:
    await report(dispatcher.store, None, as_json=True)
    found = json.loads(capsys.readouterr().out)
    for row in found["series"]:
        assert {"gpu", "region", "horizon_hours", "n", "mae", "mae_naive", "ratio", "coverage_80", "winkler"} < set(row)
        assert {"width_80_percent", "confidence_mean", "hit_5_percent", "moves_percent", "served"} < set(row)
    assert set(found["overall"]) == set(found["experts"]) == {"1", "6", "24"}
    assert set(found["advice"]) == {"n", "waits", "saved_percent", "oracle_percent", "wrong_waits_percent"}
    assert {"published", "skill_percent", "claimed_risk", "met_risk"} < set(found["windows"])
    assert {one["name"] for one in found["experts"]["6"]} >= {"last_value", "seasonal", "gradient_boosting"}


async def test_without_history_there_is_no_report(
    empty_dispatcher: Dispatcher, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await report(empty_dispatcher.store, None, as_json=True) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "no history" in err
