"""Webhooks on Slack and Discord through the real faces: who sees a secret, and what its card offers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fakes.alert_market import alert_market
from tests.fakes.discord import ADMIN, EPHEMERAL, FakeDiscord
from tests.fakes.discord_house import discord, guild, names  # noqa: F401  a fixture
from tests.fakes.discord_house import plain as plain_of
from tests.fakes.endpoints import public_endpoints
from tests.fakes.slack import FakeSlack
from tests.fakes.slack_house import house, slack  # noqa: F401  a fixture

ADD = "webhook add https://hooks.example.com/t0ken"


async def test_on_slack_only_who_asks_sees_the_secret(slack: FakeSlack, market_file: Path, tmp_path: Path) -> None:  # noqa: F811
    async with alert_market(market_file, tmp_path) as market:
        endpoints = public_endpoints()
        market.dispatcher.endpoints = lambda: endpoints
        async with house(slack, market.dispatcher) as home:
            assert "whsec_" not in (await home.hear(ADD, person="U7")).text
            added = await home.hear(ADD, person="UA")
            shown = str(added.body)
            assert added.only == "UA"
            assert "whsec_" in shown
            assert "t0ken" not in shown
            assert not any("share" in button.lower() for button in button_texts(added.blocks))
            listed = await home.hear("webhook list", person="UA")
            assert (listed.only, "whsec_" in str(listed.body)) == ("UA", False)
            rotated = await home.hear("webhook rotate last", person="UA")
            assert (rotated.only, "whsec_" in str(rotated.body)) == ("UA", True)


def button_texts(blocks: Any) -> list[str]:
    return [one["text"]["text"] for block in blocks for one in block.get("elements", ()) if one.get("type") == "button"]


async def test_on_discord_only_who_asks_sees_it(discord: FakeDiscord, market_file: Path, tmp_path: Path) -> None:  # noqa: F811
    async with alert_market(market_file, tmp_path) as market:
        endpoints = public_endpoints()
        market.dispatcher.endpoints = lambda: endpoints
        async with guild(discord, market.dispatcher) as home:
            added = (await home.ask(ADD, permissions=ADMIN)).original
            assert added is not None
            assert "whsec_" in plain_of(added)
            assert "t0ken" not in str(added)
            assert added["flags"] & EPHEMERAL
            assert not any("share" in name.lower() for name in names(added))
