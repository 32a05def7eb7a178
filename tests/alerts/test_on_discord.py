"""From ``/spot alert`` to the message in the channel, its buttons and its end, on Discord through the real face."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.alerts.engine import pass_time
from tests.fakes.alert_market import Market, alert_in, alert_market
from tests.fakes.discord import ADMIN, CHANNEL, EPHEMERAL, FakeDiscord
from tests.fakes.discord_house import Guild, discord, guild, names, new_face, plain  # noqa: F401  a fixture

SNOOZES = ("30m", "1h", "4h", "24h")


@dataclass
class Chat:
    """A Discord that hears of the market."""

    market: Market
    home: Guild

    async def hear(self, text: str, **who: Any) -> dict[str, Any]:
        """Ask, and wait for the answer."""
        asked = await self.home.ask(text, **who)
        assert asked.original is not None
        return asked.original

    async def below(self, factor: float, more: str = "", **who: Any) -> str:
        """Make an alert below a part of the usual price; gives its name."""
        return alert_in(plain(await self.hear(f"alert 4090 < {self.market.mark(factor)} {more}", **who)))

    async def restart(self) -> None:
        """The face ends, and one that remembers nothing takes its place."""
        await self.home.end()
        self.home.stop, self.home.discord.commands = asyncio.Event(), []
        self.home.face = new_face(self.market.dispatcher, self.home.gallery, self.home.discord.token)
        self.market.send_through(self.home.face.platform, self.home.face.sender)
        await self.home.start()

    @property
    def posts(self) -> list[dict[str, Any]]:
        """What nobody asked for."""
        return [message for message in self.home.discord.messages.values() if "nonce" in message]


@pytest.fixture
async def chat(discord: FakeDiscord, market_file: Path, tmp_path: Path) -> AsyncIterator[Chat]:  # noqa: F811
    async with alert_market(market_file, tmp_path) as market, guild(discord, market.dispatcher) as home:
        market.send_through(home.face.platform, home.face.sender)
        yield Chat(market, home)
    assert discord.broken == []


async def test_a_price_that_falls_is_told_once_with_offers_a_picture_and_buttons(chat: Chat) -> None:
    name = await chat.below(0.9)
    await chat.market.poll(1.0, times=2)
    await chat.market.poll(0.85)
    assert chat.posts == []  # one reading may be a slip
    await chat.market.poll(0.85)
    (told,) = chat.posts
    assert (told["channel_id"], chat.market.mark(0.9) in plain(told)) == (CHANNEL, True)
    assert "Cheapest to rent now" in plain(told)
    (picture,) = told["attachments"]
    assert picture["description"].startswith("RTX 4090")
    lines = [f"alert ack {name}", *(f"alert snooze {name} {time}" for time in SNOOZES)]
    pressed = [f"spot:run:{line}" for line in lines]
    assert names(told) == [*pressed, f"spot:form:alert edit {name}", f"spot:run:alert delete {name}"]
    await chat.market.poll(0.8, times=3)
    assert chat.posts == [told]


async def test_its_end_edits_the_message_and_a_second_episode_answers_in_its_thread(chat: Chat) -> None:
    await chat.below(0.9)
    await chat.market.poll(1.0)
    await chat.market.poll(0.85, times=2)
    await chat.market.poll(0.91)  # back, but not by the margin
    assert chat.posts[0]["edited_timestamp"] is None
    await chat.market.poll(1.0)
    (told,) = chat.posts
    assert (plain(told).startswith("Over: RTX 4090"), names(told)) == (True, [])
    await chat.market.poll(0.85, times=2)
    first, again = chat.posts
    assert (first, again["channel_id"]) == (told, told["id"])  # a thread has the id of the message it begins with
    assert plain(again).startswith("Alert: RTX 4090")
    await chat.market.poll(1.0)
    assert [plain(post).startswith("Over: ") for post in chat.posts] == [True, True]


async def test_a_snooze_after_a_restart_keeps_it_silent_and_then_says_so_once(chat: Chat) -> None:
    name = await chat.below(0.9, "repeat=10m")
    await chat.market.poll(1.0)
    await chat.market.poll(0.85, times=2)
    (told,) = chat.posts
    await chat.restart()
    clicked = await chat.home.press(told, f"spot:run:alert snooze {name} 1h", user="bob")
    (answer,) = clicked.followups
    assert (answer["flags"], "silent until" in plain(answer)) == (EPHEMERAL, True), plain(answer)
    await chat.market.poll(0.85, times=10)
    assert chat.posts == [told]
    await chat.market.poll(0.85, times=4)
    assert [post["channel_id"] for post in chat.posts] == [CHANNEL, told["id"]]


async def test_a_server_set_to_portuguese_is_told_in_portuguese(chat: Chat) -> None:
    await chat.hear("settings team language=pt-BR", permissions=ADMIN)
    name = await chat.below(0.9, locale="pt-BR")
    await chat.market.poll(1.0)
    await chat.market.poll(0.85, times=2)
    (told,) = chat.posts
    assert plain(told).startswith("Alerta: RTX 4090")
    assert chat.market.mark(0.9).replace(".", ",") in plain(told)
    assert f"spot:run:alert snooze {name} 1h" in names(told)
    await chat.market.poll(1.0)
    assert plain(chat.posts[0]).startswith("Terminou: RTX 4090")


async def test_a_button_pressed_while_it_ends_brings_nothing_back(chat: Chat) -> None:
    name = await chat.below(0.9)
    await chat.market.poll(1.0)
    await chat.market.poll(0.85, times=2)
    pressed = dict(chat.posts[0])
    await chat.market.poll(1.0)
    await chat.home.press(pressed, f"spot:run:alert ack {name}")
    (over,) = chat.posts
    assert (plain(over).startswith("Over: "), names(over)) == (True, [])


async def test_what_is_deleted_by_its_button_is_silent_and_gone(chat: Chat) -> None:
    name = await chat.below(0.9)
    await chat.market.poll(1.0)
    await chat.market.poll(0.85, times=2)
    refused = await chat.home.press(chat.posts[0], f"spot:run:alert delete {name}", user="bob")
    assert "only who made this alert" in plain(refused.followups[0])
    await chat.home.press(chat.posts[0], f"spot:run:alert delete {name}", user="ana")
    await chat.market.poll(1.0)
    await chat.market.poll(0.85, times=3)
    assert len(chat.posts) == 1
    assert "none yet" in plain(await chat.hear("alert list"))


async def test_a_direct_one_is_told_to_the_person_alone(chat: Chat) -> None:
    await chat.below(0.9, "to=dm")
    await chat.market.poll(1.0)
    await chat.market.poll(0.85, times=2)
    (told,) = chat.posts
    assert chat.home.discord.channels[told["channel_id"]] == "direct"
    await chat.market.poll(1.0)
    await chat.market.poll(0.85, times=2)
    assert [post["answers"] for post in chat.posts] == ["", told["id"]]  # there are no threads in direct messages


async def test_the_buttons_of_a_direct_one_work_where_it_is_told_and_for_nobody_else(chat: Chat) -> None:
    name = await chat.below(0.9, "to=dm")
    await chat.market.poll(1.0)
    await chat.market.poll(0.85, times=2)
    (told,) = chat.posts
    other = await chat.home.press(told, f"spot:run:alert snooze {name} 1h", user="bob", guild=None)
    assert "no alert of that name" in plain(other.followups[0])
    mine = await chat.home.press(told, f"spot:run:alert snooze {name} 1h", user="ana", guild=None)
    assert "silent until" in plain(mine.followups[0])


async def test_direct_messages_list_what_is_told_there_and_all_that_was_done(chat: Chat) -> None:
    name = await chat.below(0.9, "to=dm")
    elsewhere = await chat.below(0.9)
    await chat.hear("alert snooze last 1h", guild=None)
    listed = plain(await chat.hear("alert list", guild=None))
    assert (name in listed, elsewhere in listed) == (True, False)
    assert name in plain(await chat.hear("alert show last", guild=None))
    for where in ({"guild": None}, {}):
        shown = plain(await chat.hear(f"alert show {name}", **where))
        assert "create" in shown
        assert "snooze: until" in shown
    other = plain(await chat.hear("alert list", guild=None, user="bob"))
    assert name not in other


async def test_nobody_reaches_a_channels_alert_from_direct_messages(chat: Chat) -> None:
    name = await chat.below(0.9)
    assert "no alert of that name" in plain(await chat.hear(f"alert delete {name}", guild=None))


async def test_one_made_in_direct_messages_is_told_there_in_the_persons_language(chat: Chat) -> None:
    await chat.hear("settings me language=pt-BR", guild=None)
    await chat.below(0.9, guild=None)
    await chat.market.poll(1.0)
    await chat.market.poll(0.85, times=2)
    (told,) = chat.posts
    assert chat.home.discord.channels[told["channel_id"]] == "direct"
    assert plain(told).startswith("Alerta: RTX 4090")


async def test_silence_of_the_market_is_told_once(chat: Chat) -> None:
    await chat.below(0.9)
    await chat.market.poll(1.0)
    for _ in range(5):
        chat.market.clock.pass_(600)
        async with chat.market.store.writer() as writer:
            await pass_time(writer, chat.market.clock())
        await chat.market.send()
    (told,) = chat.posts
    assert plain(told).startswith("No data: RTX 4090")
