"""A stored market to ask: seven simulated models, five weeks of hourly polls, forecasts and two reports on them."""

from __future__ import annotations

from pathlib import Path

from analytics.market import DAY, HOUR
from bot.forecasts import refresh
from bot.polling.rounds import Collector
from bot.sources.sim_calibration import DEFAULT
from bot.sources.simulated import SimulatedMarket
from bot.store.engine import open_store
from tests.fakes.reports import BACKTEST, LIVE

NOW = 1_790_000_000 // HOUR * HOUR
DAYS = 35
NAMES = ("RTX 4090", "RTX 3090", "A100 SXM4 80GB", "A100 PCIE 80GB", "H100 SXM", "L40S", "RTX A6000")


async def fill(file: Path) -> None:
    """Store it in a file."""
    store = await open_store(f"sqlite:///{file}", writer=True)
    try:
        market = SimulatedMarket(3, NOW - DAYS * DAY, [spec for spec in DEFAULT if spec.name in NAMES])
        await Collector(store, source="simulated").record_many(market.history(DAYS, NOW))
        await refresh(store, NOW)
        async with store.writer() as writer:
            await writer.replace_accuracy({"live": LIVE, "backtest": BACKTEST}, NOW)
    finally:
        await store.close()
