"""Roles of a Discord server that count as managers, from the interaction to what it may do; and people on Slack."""

from __future__ import annotations

from typing import Any

from bot.dispatch.dispatcher import Dispatcher
from tests.fakes.discord import GUILD, MANAGE_GUILD
from tests.fakes.discord_house import Guild, discord, discord_dispatcher, server  # noqa: F401  fixtures
from tests.fakes.discord_objects import CALLABLE_ROLE, QUIET_ROLE
from tests.fakes.slack import FakeSlack
from tests.fakes.slack_house import house, slack, slack_dispatcher  # noqa: F401  fixtures

MANAGER = {"permissions": MANAGE_GUILD}
REFUSED = "is for a manager"


async def test_who_has_the_role_is_a_manager(server: Guild) -> None:  # noqa: F811
    change = "settings team language=en"
    assert REFUSED in await server.say(change, user="bob", roles=[QUIET_ROLE])
    assert QUIET_ROLE in await server.say(f"settings team managers=<@&{QUIET_ROLE}>", **MANAGER)
    assert "Saved." in await server.say("settings team language=pt-BR", user="bob", roles=[QUIET_ROLE])
    await server.say(change, **MANAGER)
    for who in ({"roles": [CALLABLE_ROLE]}, {"roles": []}, {"roles": [QUIET_ROLE], "guild": None}):
        told = await server.say(change, user="bob", **who)
        assert (REFUSED in told) is (who.get("guild", GUILD) is not None)
    assert "managers of the chat itself" in await server.say(
        "settings team managers=none", user="bob", roles=[QUIET_ROLE]
    )


async def test_the_role_of_everybody_is_refused(server: Guild) -> None:  # noqa: F811
    for everybody in (GUILD, f"<@&{GUILD}>"):
        assert "the role of everybody" in await server.say(f"settings team managers={everybody}", **MANAGER)
    for hostile in ("@everyone", "<@&x>", "U0123ABCD", "-"):
        told: Any = await server.say(f"settings team managers={hostile}", **MANAGER)
        assert ("no id of a role or a person" in told) is (hostile != "-")


async def test_slack_knows_people(slack: FakeSlack, slack_dispatcher: Dispatcher) -> None:  # noqa: F811
    slack.people["UC"] = {"locale": "en-US", "is_admin": True}
    slack.people["UE"] = {"locale": "en-US"}
    async with house(slack, slack_dispatcher) as home:
        assert REFUSED in (await home.hear("settings team language=en", person="UE")).text
        assert "user group" in (await home.hear("settings team managers=S0123ABC", person="UC")).text
        assert "Saved." in (await home.hear("settings team managers=<@UE|eve>", person="UC")).text
        assert "Saved." in (await home.hear("settings team language=en", person="UE")).text
        assert REFUSED in (await home.hear("settings team language=en", person="UB")).text
