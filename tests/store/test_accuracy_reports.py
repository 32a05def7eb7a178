"""Reports on forecasts in the store."""

from __future__ import annotations

import math

import pytest

from analytics.market import DAY
from bot.store.engine import Store
from tests.fakes.reports import BACKTEST, LIVE
from tests.fakes.rounds import AT


async def test_the_reports_of_a_run_replace_those_of_the_last(store: Store) -> None:
    async with store.reader() as reader:
        assert await reader.accuracy() == {}
    async with store.writer() as writer:
        await writer.replace_accuracy({"live": LIVE, "backtest": LIVE}, AT)
        await writer.replace_accuracy({"live": LIVE, "backtest": BACKTEST}, AT + 1)
    async with store.reader() as reader:
        assert await reader.accuracy() == {"live": (AT + 1, LIVE), "backtest": (AT + 1, BACKTEST)}


async def test_where_no_forecast_came_due_for_long_none_is_reported_as_issued(store: Store) -> None:
    async with store.writer() as writer:
        await writer.replace_accuracy({"live": LIVE, "backtest": BACKTEST}, AT)
        await writer.replace_accuracy({"backtest": BACKTEST}, AT + 31 * DAY)
    async with store.reader() as reader:
        assert await reader.accuracy() == {"backtest": (AT + 31 * DAY, BACKTEST)}


async def test_what_is_no_number_is_refused_and_changes_nothing(store: Store) -> None:
    async with store.writer() as writer:
        await writer.replace_accuracy({"live": LIVE}, AT)
    with pytest.raises(ValueError, match="JSON"):
        async with store.writer() as writer:
            await writer.replace_accuracy({"live": {**LIVE, "since": math.nan}}, AT + 1)
    async with store.reader() as reader:
        assert await reader.accuracy() == {"live": (AT, LIVE)}
