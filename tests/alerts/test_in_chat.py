"""From ``/spot alert`` to the message in the channel, its buttons and its end, on Slack through the real face."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.alerts.engine import pass_time
from tests.fakes.alert_market import Market, alert_in, alert_market
from tests.fakes.slack import FakeSlack, until
from tests.fakes.slack_channels import Message
from tests.fakes.slack_house import Home, house, slack  # noqa: F401  a fixture


@dataclass
class Chat:
    """A Slack that hears of the market."""

    market: Market
    home: Home

    async def hear(self, text: str, **who: Any) -> Message:
        """Ask, and wait for the answer."""
        return await self.home.hear(text, **who)

    @property
    def posts(self) -> list[Message]:
        """What everybody sees."""
        return [message for message in self.home.slack.messages if not message.only]


@pytest.fixture
async def chat(slack: FakeSlack, market_file: Path, tmp_path: Path) -> AsyncIterator[Chat]:  # noqa: F811
    async with alert_market(market_file, tmp_path) as market, house(slack, market.dispatcher) as home:
        market.send_through(home.face.platform, home.face.sender)
        yield Chat(market, home)
    assert slack.refused == []


@pytest.mark.parametrize("person", ["UA", "UP"])
async def test_a_price_that_falls_is_told_once_with_offers_and_buttons(chat: Chat, person: str) -> None:
    confirmed = await chat.hear(f"alert 4090 < {chat.market.mark(0.9)}", person=person)
    assert (confirmed.only, "spot_run_1" in confirmed.buttons) == (person, True)
    await chat.market.poll(1.0, times=2)
    assert chat.posts == []
    await chat.market.poll(0.85)
    assert chat.posts == []  # one reading may be a slip
    await chat.market.poll(0.85)
    (told,) = chat.posts
    assert (told.channel, alert_in(confirmed.text) in told.text) == ("C1", True)
    assert chat.market.mark(0.9) in told.text.replace(",", ".")
    assert {"table", "image"} <= {block["type"] for block in told.blocks}
    assert told.buttons == [f"spot_run_{n}" for n in range(6)]
    await chat.market.poll(0.8, times=3)
    assert chat.posts == [told]


async def test_its_end_edits_the_message_and_a_second_episode_answers_in_the_thread(chat: Chat) -> None:
    await chat.hear(f"alert 4090 < {chat.market.mark(0.9)}", person="UA")
    await chat.market.poll(1.0)
    await chat.market.poll(0.85, times=2)
    await chat.market.poll(0.91)  # back, but not by the margin
    assert chat.posts[0].edits == 0
    await chat.market.poll(1.0)
    (told,) = chat.posts
    assert (told.edits, told.text.startswith("Over: RTX 4090"), told.buttons) == (1, True, [])
    await chat.market.poll(0.85, times=2)
    again = chat.posts[-1]
    assert (len(chat.posts), again.body["thread_ts"]) == (2, told.ts)


async def test_a_snooze_from_the_button_keeps_it_silent_and_then_says_so_once(chat: Chat) -> None:
    await chat.hear(f"alert 4090 < {chat.market.mark(0.9)} repeat=10m", person="UA")
    await chat.market.poll(1.0)
    await chat.market.poll(0.85, times=2)
    (told,) = chat.posts
    seen = len(chat.home.slack.messages)
    await chat.home.slack.click(told, "spot_run_2", person="UP")  # 1 h, by somebody else of the channel
    await until(lambda: len(chat.home.slack.messages) > seen)
    assert chat.home.slack.messages[-1].only == "UP"
    await chat.market.poll(0.85, times=10)
    assert chat.posts == [told]
    await chat.market.poll(0.85, times=4)
    assert [post.body.get("thread_ts") for post in chat.posts] == [None, told.ts]


async def test_what_is_deleted_is_silent_and_gone(chat: Chat) -> None:
    confirmed = await chat.hear(f"alert 4090 < {chat.market.mark(0.9)}", person="UA")
    await chat.hear(f"alert delete {alert_in(confirmed.text)}", person="UA")
    await chat.market.poll(1.0)
    await chat.market.poll(0.85, times=3)
    assert chat.posts == []
    assert "none yet" in (await chat.hear("alert list", person="UA")).text


async def test_a_test_message_comes_at_once(chat: Chat) -> None:
    confirmed = await chat.hear(f"alert 4090 < {chat.market.mark(0.9)}", person="UA")
    await chat.hear(f"alert test {alert_in(confirmed.text)}", person="UA")
    await chat.market.send()
    (told,) = chat.posts
    assert told.text.startswith("Test: RTX 4090")


async def test_silence_of_the_market_is_told_once(chat: Chat) -> None:
    await chat.hear(f"alert 4090 < {chat.market.mark(0.9)}", person="UA")
    await chat.market.poll(1.0)
    for _ in range(5):
        chat.market.clock.pass_(600)
        async with chat.market.store.writer() as writer:
            await pass_time(writer, chat.market.clock())
        await chat.market.send()
    (told,) = chat.posts
    assert told.text.startswith("No data: RTX 4090")


async def test_alert_show_tells_why(chat: Chat) -> None:
    confirmed = await chat.hear(f"alert 4090 < {chat.market.mark(0.5)}", person="UA")
    shown = await chat.hear(f"alert show {alert_in(confirmed.text)}", person="UP")
    assert "waiting:" in shown.text or "aguardando" in shown.text, shown.text
    assert "create" in shown.text or "criou" in shown.text


async def test_only_who_made_it_or_a_manager_may_change_it(chat: Chat) -> None:
    confirmed = await chat.hear(f"alert 4090 < {chat.market.mark(0.9)}", person="UA")
    for verb in ("delete {}", "edit {} < 0.2", "test {}"):
        refused = await chat.hear("alert " + verb.format(alert_in(confirmed.text)), person="U7")
        assert "only who made this alert" in refused.text
