"""Whom an alert calls: one role or group, only where its maker may call it; on its fires alone, never everybody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from analytics.errors import AskError, Refused
from bot.accounts import Asker
from bot.commands.alerts.mentions import mention_of
from tests.fakes.alert_market import Market, alert_in, alert_market
from tests.fakes.discord import ADMIN, FakeDiscord
from tests.fakes.discord_house import Guild, discord, guild, plain  # noqa: F401  a fixture
from tests.fakes.discord_objects import CALLABLE_ROLE, QUIET_ROLE
from tests.fakes.slack import FakeSlack
from tests.fakes.slack_blocks import markup
from tests.fakes.slack_house import Home, house, slack  # noqa: F401  a fixture

ROLE = "123456789012345678"


@pytest.mark.parametrize(
    ("platform", "text", "meant"),
    [
        ("slack", "S0123ABCD", "S0123ABCD"),
        ("slack", "<!subteam^S0123ABCD|@oncall>", "S0123ABCD"),
        ("discord", f"<@&{ROLE}>", ROLE),
        ("discord", f" {ROLE} ", ROLE),
        ("discord", "off", ""),
        ("console", "ninguém", ""),
    ],
)
def test_what_people_paste(platform: str, text: str, meant: str) -> None:
    assert mention_of(Asker(platform, "T1", "U1", mentionable=None), text) == meant


@pytest.mark.parametrize(
    "text", ["@everyone", "@here", "<!channel>", "<!here|S1>", "<@U123>", "oncall", "S1><!here>", "1" * 40]
)
@pytest.mark.parametrize("platform", ["slack", "discord", "console"])
def test_nothing_else_is_called(platform: str, text: str) -> None:
    with pytest.raises(AskError):
        mention_of(Asker(platform, "T1", "U1", mentionable=None), text)


def test_only_what_they_may_call_themselves_and_never_everybody() -> None:
    assert mention_of(Asker("discord", "1", "U1", mentionable=(ROLE,)), ROLE) == ROLE
    for asker in (Asker("discord", "1", "U1"), Asker("discord", ROLE, "U1", mentionable=None)):
        with pytest.raises(Refused):
            mention_of(asker, ROLE)


@pytest.fixture
async def market(market_file: Path, tmp_path: Path) -> AsyncIterator[Market]:
    async with alert_market(market_file, tmp_path) as market:
        yield market


async def test_on_discord_who_may_call_a_role_lets_an_alert_call_it(
    discord: FakeDiscord,  # noqa: F811
    market: Market,
) -> None:
    async with guild(discord, market.dispatcher) as home:
        market.send_through(home.face.platform, home.face.sender)

        async def hear(line: str, **who: Any) -> str:
            asked = await home.ask(line, **who)
            assert asked.original is not None
            return plain(asked.original)

        line = f"alert 4090 < {market.mark(0.9)} mention="
        assert "may not call" in await hear(f"{line}<@&{QUIET_ROLE}>")
        name = alert_in(await hear(f"{line}<@&{CALLABLE_ROLE}>"))
        assert CALLABLE_ROLE in await hear(f"alert show {name}")
        await market.poll(0.85, times=2)
        await market.poll(1.0)
        (told,) = [message for message in discord.messages.values() if "nonce" in message]
        posted, edited = (discord.sent("/channels/", method)[-1].body for method in ("POST", "PATCH"))
        assert (posted["content"], posted["allowed_mentions"]["roles"]) == (
            f"<@&{CALLABLE_ROLE}>",
            [int(CALLABLE_ROLE)],
        )
        assert (edited["content"], edited["allowed_mentions"].get("roles")) == (None, None)  # an end calls nobody
        assert plain(told).startswith("Over")
        assert CALLABLE_ROLE not in await hear(f"alert edit {name} mention=off", user="ana")
        assert QUIET_ROLE in await hear(f"{line}{QUIET_ROLE}", permissions=ADMIN) + await hear("alert show last")


async def test_on_slack_it_takes_a_manager_and_several_alerts_call_each_group_once(
    slack: FakeSlack,  # noqa: F811
    market: Market,
) -> None:
    slack.people["UM"] = {"is_admin": True}
    async with house(slack, market.dispatcher) as home:
        market.send_through(home.face.platform, home.face.sender)
        line = f"alert 4090 < {market.mark(0.9)} mention="
        assert "may not call" in (await home.hear(f"{line}S0AB", person="U1")).text
        for group in ("S0AB", "S0CD", "S0AB"):
            alert_in((await home.hear(f"{line}{group}", person="UM")).text)
        await market.poll(0.85, times=2)
        (told,) = [message for message in slack.messages if not message.only]
        groups = told.blocks[0]["elements"][0]["elements"]
        assert [part["usergroup_id"] for part in groups] == ["S0AB", "S0CD"]
        assert markup(told.body) == ["usergroup", "usergroup"]
