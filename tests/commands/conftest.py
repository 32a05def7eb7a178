"""A stored market to ask: seven simulated models, five weeks of hourly polls and forecasts; made once a session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from analytics.market import DAY, HOUR
from bot.collect import Collector
from bot.commands import COMMANDS
from bot.commands.counter import Counter
from bot.forecasts import refresh
from bot.sources.sim_calibration import DEFAULT
from bot.sources.simulated import SimulatedMarket
from bot.store.engine import open_store

NOW = 1_790_000_000 // HOUR * HOUR
DAYS = 35
NAMES = ("RTX 4090", "RTX 3090", "A100 SXM4 80GB", "A100 PCIE 80GB", "H100 SXM", "L40S", "RTX A6000")


async def _fill(file: Path) -> None:
    store = await open_store(f"sqlite:///{file}", writer=True)
    try:
        market = SimulatedMarket(3, NOW - DAYS * DAY, [spec for spec in DEFAULT if spec.name in NAMES])
        await Collector(store, source="simulated").settle_many(market.history(DAYS, NOW))
        await refresh(store, NOW)
    finally:
        await store.close()


@pytest.fixture(scope="session")
def market_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stored market. Only read it."""
    file = tmp_path_factory.mktemp("market") / "spotbot.db"
    asyncio.run(_fill(file))
    return file


@pytest.fixture
async def counter(market_file: Path) -> AsyncIterator[Counter]:
    """A counter on the stored market, a minute after its last poll."""
    store = await open_store(f"sqlite:///{market_file}", writer=False)
    yield Counter(store, COMMANDS, lambda: NOW + 60, home="Sao Paulo, BR")
    await store.close()


@pytest.fixture
async def empty_counter(tmp_path: Path) -> AsyncIterator[Counter]:
    """A counter on a store in which nothing has ever been stored."""
    store = await open_store(f"sqlite:///{tmp_path / 'empty.db'}", writer=False)
    yield Counter(store, COMMANDS, lambda: NOW)
    await store.close()
