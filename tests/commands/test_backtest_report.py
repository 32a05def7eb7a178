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
    assert len(lines) == 1 + len(found["series"])


async def test_without_history_there_is_no_report(
    empty_dispatcher: Dispatcher, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await report(empty_dispatcher.store, None, as_json=True) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "no history" in err
