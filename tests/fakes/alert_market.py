"""A stored market that is moved by hand, with alerts on it and a chat that hears of them."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from analytics.market import MICRO, Poll, Quality
from bot.alerts.engine import evaluate
from bot.alerts.stopped import tell_creators
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.outbox.dispatch import DispatchOptions, OutboxDispatcher
from bot.outbox.sender import Sender
from bot.polling.rounds import Collector
from bot.scheduled_messages import Messages
from bot.schedules.delivered import follow_dashboard
from bot.schedules.producing import produce
from bot.store.engine import Store, open_store
from tests.fakes.polling import HandClock
from tests.fakes.stored import NOW

MODEL = "RTX 4090"


@dataclass
class Market:
    """Its polls, its clock and its outbox; ``usual`` is its price in micro-dollars before anything moves."""

    store: Store
    clock: HandClock
    dispatcher: Dispatcher
    collector: Collector
    usual: int = 0
    outbox: OutboxDispatcher | None = None

    def send_through(self, platform: str, sender: Sender) -> None:
        """Bring the messages for a platform through this sender."""
        messages = Messages(self.dispatcher, "en")
        options = DispatchOptions(on_disabled=tell_creators, on_outcome=follow_dashboard)
        self.outbox = OutboxDispatcher(self.store, {platform: sender}, messages.render, self.clock, options)

    async def poll(self, factor: float, times: int = 1, *, sends: bool = True) -> None:
        """Polls of the usual offers at a part of their prices, five minutes apart; what they cause is sent."""
        async with self.store.reader() as reader:
            row, book = await reader.model(MODEL), await reader.book([MODEL])
        assert row is not None
        price = await self.price()
        for _ in range(times):
            self.clock.pass_(300)
            offers = tuple(
                replace(offer, min_bid=round((offer.min_bid or 0) * factor * self.usual / price)) for offer in book
            )
            round_ = await self.collector.record(
                self.clock(), [Poll(MODEL, self.clock(), Quality.COMPLETE, offers, 300)]
            )
            assert round_.quotes, round_.polls[0].note
        if sends:
            await self.send()

    async def send(self) -> None:
        """Whatever is due."""
        self.clock.pass_(2)
        async with self.store.writer() as writer:
            await produce(writer, self.clock())
        assert self.outbox is not None
        await self.outbox.drain()

    async def price(self) -> int:
        """The current price in micro-dollars."""
        async with self.store.reader() as reader:
            quote = (await reader.quotes([MODEL]))[MODEL]
        assert quote.price is not None
        return quote.price

    def mark(self, factor: float) -> str:
        """A part of the usual price, as people type it."""
        return f"{self.usual * factor / MICRO:.3f}"


@asynccontextmanager
async def alert_market(market_file: Path, folder: Path) -> AsyncIterator[Market]:
    """A market of its own, a copy of the stored one."""
    shutil.copy(market_file, folder / "alerts.db")
    store, clock = await open_store(f"sqlite:///{folder / 'alerts.db'}", writer=True), HandClock(NOW + 60)
    market = Market(store, clock, Dispatcher(store, COMMANDS, clock), Collector(store, on_round=evaluate))
    market.usual = await market.price()
    try:
        yield market
    finally:
        await store.close()


def alert_in(text: str) -> str:
    """The name of the alert that a message tells of."""
    found = re.search(r"(?:Alert|Alerta) (\w{6})\b", text)
    assert found, text
    return found[1]
