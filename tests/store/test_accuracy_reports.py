"""Reports on forecasts in the store."""

from __future__ import annotations

import math

import pytest

from bot.store.engine import Store
from tests.fakes.reports import BACKTEST, LIVE
from tests.fakes.rounds import AT


async def test_a_report_of_each_kind_is_replaced_by_the_next(store: Store) -> None:
    async with store.reader() as reader:
        assert await reader.accuracy() == {}
    async with store.writer() as writer:
        await writer.save_accuracy("live", AT, BACKTEST)
        await writer.save_accuracy("live", AT + 1, LIVE)
        await writer.save_accuracy("backtest", AT, BACKTEST)
    async with store.reader() as reader:
        assert await reader.accuracy() == {"live": (AT + 1, LIVE), "backtest": (AT, BACKTEST)}


async def test_what_is_no_number_is_refused_and_changes_nothing(store: Store) -> None:
    async with store.writer() as writer:
        await writer.save_accuracy("live", AT, LIVE)
    with pytest.raises(ValueError, match="JSON"):
        async with store.writer() as writer:
            await writer.save_accuracy("live", AT + 1, {**LIVE, "since": math.nan})
    async with store.reader() as reader:
        assert await reader.accuracy() == {"live": (AT, LIVE)}
