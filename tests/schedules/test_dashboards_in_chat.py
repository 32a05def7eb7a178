"""From ``/spot dashboard`` to the message that stays in the channel and its end, on both platforms."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import discord_house
from tests.fakes.alert_market import Market, alert_market
from tests.fakes.discord import FakeDiscord
from tests.fakes.discord_house import Guild, discord, guild  # noqa: F401  a fixture
from tests.fakes.slack import FakeSlack
from tests.fakes.slack_channels import Message
from tests.fakes.slack_house import Home, house, slack  # noqa: F401  a fixture


@dataclass
class OnSlack:
    """A Slack that hears of the market."""

    market: Market
    home: Home

    async def say(self, text: str) -> str:
        return (await self.home.hear(text, person="UA")).text

    @property
    def posts(self) -> list[Message]:
        return [message for message in self.home.slack.messages if not message.only]

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.posts]

    @property
    def pinned(self) -> list[bool]:
        return [bool(message.pinned) for message in self.posts]

    def delete(self) -> None:
        self.home.slack.messages.remove(self.posts[0])


@dataclass
class OnDiscord:
    """A Discord that hears of the market."""

    market: Market
    home: Guild

    async def say(self, text: str) -> str:
        return await self.home.say(text)

    @property
    def posts(self) -> list[dict[str, Any]]:
        return [message for message in self.home.discord.messages.values() if "nonce" in message]

    @property
    def texts(self) -> list[str]:
        return [discord_house.plain(message) for message in self.posts]

    @property
    def pinned(self) -> list[bool]:
        return [bool(message.get("pinned")) for message in self.posts]

    def delete(self) -> None:
        del self.home.discord.messages[self.posts[0]["id"]]


Chat = OnSlack | OnDiscord


@pytest.fixture(params=["slack", "discord"])
async def chat(
    request: pytest.FixtureRequest,
    slack: FakeSlack,  # noqa: F811
    discord: FakeDiscord,  # noqa: F811
    market_file: Path,
    tmp_path: Path,
) -> AsyncIterator[Chat]:
    async with alert_market(market_file, tmp_path) as market:
        if request.param == "slack":
            async with house(slack, market.dispatcher) as home:
                market.send_through("slack", home.face.sender)
                yield OnSlack(market, home)
        else:
            async with guild(discord, market.dispatcher) as server:
                market.send_through("discord", server.face.sender)
                yield OnDiscord(market, server)
    assert slack.refused == []
    assert discord.broken == []


async def test_one_message_is_posted_pinned_and_edited_with_what_holds_then(chat: Chat) -> None:
    assert "on its way" in await chat.say("dashboard market 4090 here")
    await chat.market.send()
    (first,) = chat.texts
    assert chat.pinned == [True]
    assert f"${chat.market.usual / 1e6:.3f}" in first
    for factor in (0.9, 1.1, 0.8):
        await chat.market.poll(factor)
        await chat.market.send()
        (text,) = chat.texts
        assert f"${await chat.market.price() / 1e6:.3f}" in text
    assert chat.pinned == [True]


async def test_turned_off_it_is_taken_away(chat: Chat) -> None:
    await chat.say("dashboard market here")
    await chat.market.send()
    assert len(chat.texts) == 1
    assert "Turned off" in await chat.say("dashboard off market")
    await chat.market.send()
    assert chat.texts == []


async def test_asked_for_again_it_moves_down_and_is_one(chat: Chat) -> None:
    await chat.say("dashboard market here")
    await chat.market.send()
    await chat.say("dashboard market 4090 here")
    await chat.market.send()
    await chat.market.send()
    (text,) = chat.texts
    assert "L40S" not in text


async def test_a_deleted_message_ends_it(chat: Chat) -> None:
    await chat.say("dashboard market here")
    await chat.market.send()
    chat.delete()
    for _ in range(3):
        await chat.market.poll(0.9)
        await chat.market.send()
    assert chat.texts == []
    assert "none yet" in await chat.say("dashboard list")


async def test_a_digest_comes_at_its_time_and_no_second_one(chat: Chat) -> None:
    await chat.say("digest daily 15:00 tz=UTC")
    await chat.market.send()
    assert chat.texts == []
    chat.market.clock.pass_(3600)
    for _ in range(3):
        await chat.market.send()
    (text,) = chat.texts
    assert "Digest" in text
    assert "STALE" in text  # nothing was polled for an hour
