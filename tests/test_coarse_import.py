"""A file whose polls are far apart or cut off, brought in by ``spotbot import``: every question about risk refuses."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from analytics.errors import NotYet
from analytics.market import HOUR
from bot.accounts import Asker
from bot.cli.import_export import import_files
from bot.commands import COMMANDS
from bot.config import load_settings
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.reply import reply
from bot.presentation.words import Words
from bot.store.engine import Store, open_store
from tests.test_import_export import NOW, OFFERS, iso

STEP = 12 * HOUR
POLLS = 80
ROWS = 64
ANA = Asker("slack", "T1", "UA", channel="C1", role="manager")


def polls(complete: int) -> str:
    """Forty days of polls twelve hours apart, of the first 64 rows of a larger market each."""
    chance, lines = random.Random(4), [OFFERS + ",complete"]
    for n in range(POLLS):
        at = iso(NOW - HOUR - (POLLS - 1 - n) * STEP)
        lines += [
            f'{at},RTX 4090,{machine},1,"Texas, US",0.4,0.3,1,1,0.99,{complete}'
            for machine in chance.sample(range(1, 90), ROWS)
        ]
    return "\n".join(lines)


@pytest.fixture
def brought(tmp_path: Path) -> Callable[[int], object]:
    @asynccontextmanager
    async def bring(complete: int) -> AsyncIterator[tuple[Store, Dispatcher]]:
        async def forecast_nothing(store: Store, at: int) -> None:
            """None are needed."""

        url = f"sqlite:///{tmp_path / 'spotbot.db'}"
        settings, file = load_settings(database_url=url, _env_file=None), tmp_path / "polls.csv"
        file.write_text(polls(complete))
        code = await import_files(
            settings, [file], kind=None, complete=bool(complete), clock=lambda: NOW, forecast=forecast_nothing
        )
        assert code == (0 if complete else 2)
        store = await open_store(url, writer=True)
        try:
            yield store, Dispatcher(store, COMMANDS, lambda: NOW)
        finally:
            await store.close()

    return bring


@pytest.mark.parametrize(
    ("complete", "why", "have"),
    [
        (1, "cannot be resolved", "polls 12 h apart"),
        (0, "no slice was followed", "cut off at a number of rows"),
    ],
)
async def test_reliability_windows_and_rules_on_the_risk_refuse(
    brought: Callable[[int], object], complete: int, why: str, have: str
) -> None:
    async with brought(complete) as (_, dispatcher):
        with pytest.raises(NotYet, match=why) as refused:
            await dispatcher.ask_line("reliability 4090")
        assert have in str(refused.value.have)
        assert refused.value.ready_at is None
        with pytest.raises(NotYet, match=why if complete else "hours of the week"):
            await dispatcher.ask_line("windows 4090")
        made = await reply(dispatcher, ANA, "alert 4090 risk > 20% in 24h", default="en")
        assert made.answer.foretold.value is None
        assert why in str(made.answer.foretold.missing.why)


async def test_rates_and_costs_refuse_model_by_model(brought: Callable[[int], object]) -> None:
    async with brought(1) as (_, dispatcher):
        command, rates = await dispatcher.ask_line("interruptions 30d 4090")
        [row] = rates.gpus
        assert (row.interruption_rate_per_day, row.uptime_percent, row.interval_95["low"]) == (None, None, None)
        card = command.card(rates, Words("en", NOW))
        assert any(
            "interrupted too often for the poll interval, so no rate is given: RTX 4090" in note for note in card.notes
        )
        _, cost = await dispatcher.ask_line("cost llama2-7b 1GB 4090")
        assert cost.gpu_recommendations == ()
        [missing] = cost.not_fitting
        assert "cannot be resolved" in str(missing.reason)


async def test_rates_of_capped_polls_alone_are_refused(brought: Callable[[int], object]) -> None:
    async with brought(0) as (_, dispatcher):
        with pytest.raises(NotYet, match="no slice was followed"):
            await dispatcher.ask_line("interruptions 30d 4090")
