"""From ``/spot alert`` to the message in the channel, its buttons and its end, on Slack through the real face."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from analytics.market import MICRO, Poll, Quality
from bot.alerts.engine import evaluate, pass_time
from bot.alerts.messages import AlertMessages
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.outbox.dispatch import OutboxDispatcher
from bot.polling.rounds import Collector
from bot.store.engine import Store, open_store
from tests.fakes.polling import HandClock
from tests.fakes.slack import until
from tests.fakes.slack_channels import Message
from tests.fakes.slack_house import Home, house, slack  # noqa: F401  a fixture
from tests.fakes.stored import NOW

MODEL = "RTX 4090"


@dataclass
class Market:
    """A stored market that is moved by hand, and a Slack that hears of it."""

    store: Store
    clock: HandClock
    chat: Home
    collector: Collector
    outbox: OutboxDispatcher
    usual: int

    async def poll(self, factor: float, times: int = 1) -> None:
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
        await self.send()

    async def send(self) -> None:
        """Whatever is due."""
        self.clock.pass_(2)
        await self.outbox.drain()

    async def price(self) -> int:
        """The current price in micro-dollars."""
        async with self.store.reader() as reader:
            quote = (await reader.quotes([MODEL]))[MODEL]
        assert quote.price is not None
        return quote.price

    @property
    def posts(self) -> list[Message]:
        """What everybody sees."""
        return [message for message in self.chat.slack.messages if not message.only]


@pytest.fixture
async def market(slack, market_file: Path, tmp_path: Path) -> AsyncIterator[Market]:  # noqa: F811
    shutil.copy(market_file, tmp_path / "alerts.db")
    store, clock = await open_store(f"sqlite:///{tmp_path / 'alerts.db'}", writer=True), HandClock(NOW + 60)
    async with house(slack, Dispatcher(store, COMMANDS, clock)) as chat:
        senders = {chat.face.platform: chat.face.sender}
        outbox = OutboxDispatcher(store, senders, AlertMessages(store, clock, "en").render, clock)
        moved = Market(store, clock, chat, Collector(store, on_round=evaluate), outbox, 0)
        moved.usual = await moved.price()
        yield moved
    assert slack.refused == []
    await store.close()


def mark(market: Market, factor: float) -> str:
    return f"{market.usual * factor / MICRO:.3f}"


def name_in(message: Message) -> str:
    found = re.search(r"(?:Alert|Alerta) (\w{6})\b", message.text)
    assert found, message.text
    return found[1]


@pytest.mark.parametrize("person", ["UA", "UP"])
async def test_a_price_that_falls_is_told_once_with_offers_and_buttons(market: Market, person: str) -> None:
    confirmed = await market.chat.hear(f"alert 4090 < {mark(market, 0.9)}", person=person)
    assert (confirmed.only, "spot_run_1" in confirmed.buttons) == (person, True)
    await market.poll(1.0, times=2)
    assert market.posts == []
    await market.poll(0.85)
    assert market.posts == []  # one reading may be a slip
    await market.poll(0.85)
    (told,) = market.posts
    assert (told.channel, name_in(confirmed) in told.text) == ("C1", True)
    assert mark(market, 0.9) in told.text.replace(",", ".")
    assert {"table", "image"} <= {block["type"] for block in told.blocks}
    assert told.buttons == [f"spot_run_{n}" for n in range(6)]
    await market.poll(0.8, times=3)
    assert market.posts == [told]


async def test_its_end_edits_the_message_and_a_second_episode_answers_in_the_thread(market: Market) -> None:
    await market.chat.hear(f"alert 4090 < {mark(market, 0.9)}", person="UA")
    await market.poll(1.0)
    await market.poll(0.85, times=2)
    await market.poll(0.91)  # back, but not by the margin
    assert market.posts[0].edits == 0
    await market.poll(1.0)
    (told,) = market.posts
    assert (told.edits, told.text.startswith("Over: RTX 4090"), told.buttons) == (1, True, [])
    await market.poll(0.85, times=2)
    again = market.posts[-1]
    assert (len(market.posts), again.body["thread_ts"]) == (2, told.ts)


async def test_a_snooze_from_the_button_keeps_it_silent_and_then_says_so_once(market: Market) -> None:
    await market.chat.hear(f"alert 4090 < {mark(market, 0.9)} repeat=10m", person="UA")
    await market.poll(1.0)
    await market.poll(0.85, times=2)
    (told,) = market.posts
    seen = len(market.chat.slack.messages)
    await market.chat.slack.click(told, "spot_run_2", person="UP")  # 1 h, by somebody else of the channel
    await until(lambda: len(market.chat.slack.messages) > seen)
    assert market.chat.slack.messages[-1].only == "UP"
    await market.poll(0.85, times=10)
    assert market.posts == [told]
    await market.poll(0.85, times=4)
    assert [post.body.get("thread_ts") for post in market.posts] == [None, told.ts]


async def test_what_is_deleted_is_silent_and_gone(market: Market) -> None:
    confirmed = await market.chat.hear(f"alert 4090 < {mark(market, 0.9)}", person="UA")
    await market.chat.hear(f"alert delete {name_in(confirmed)}", person="UA")
    await market.poll(1.0)
    await market.poll(0.85, times=3)
    assert market.posts == []
    assert "none yet" in (await market.chat.hear("alert list", person="UA")).text


async def test_a_test_message_comes_at_once(market: Market) -> None:
    confirmed = await market.chat.hear(f"alert 4090 < {mark(market, 0.9)}", person="UA")
    await market.chat.hear(f"alert test {name_in(confirmed)}", person="UA")
    await market.send()
    (told,) = market.posts
    assert told.text.startswith("Test: RTX 4090")


async def test_silence_of_the_market_is_told_once(market: Market) -> None:
    await market.chat.hear(f"alert 4090 < {mark(market, 0.9)}", person="UA")
    await market.poll(1.0)
    for _ in range(5):
        market.clock.pass_(600)
        async with market.store.writer() as writer:
            await pass_time(writer, market.clock())
        await market.send()
    (told,) = market.posts
    assert told.text.startswith("No data: RTX 4090")


async def test_alert_show_tells_why(market: Market) -> None:
    confirmed = await market.chat.hear(f"alert 4090 < {mark(market, 0.5)}", person="UA")
    shown = await market.chat.hear(f"alert show {name_in(confirmed)}", person="UP")
    assert "waiting:" in shown.text or "aguardando" in shown.text, shown.text
    assert "create" in shown.text or "criou" in shown.text


async def test_only_who_made_it_or_a_manager_may_change_it(market: Market) -> None:
    confirmed = await market.chat.hear(f"alert 4090 < {mark(market, 0.9)}", person="UA")
    for verb in ("delete {}", "edit {} < 0.2", "test {}"):
        refused = await market.chat.hear("alert " + verb.format(name_in(confirmed)), person="U7")
        assert "only who made this alert" in refused.text
