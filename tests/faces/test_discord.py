"""Discord through its own SDK: commands, pictures, buttons, suggestions, roles and languages."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from bot.accounts import NO_PREFERENCES, Asker
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.discord.buttons import buttons
from bot.presentation.card import Action
from tests.fakes.discord import ADMIN, EPHEMERAL, GUILD, MANAGE_GUILD, MEMBER, FakeDiscord, until
from tests.fakes.discord_house import Guild, guild, names, plain
from tests.fakes.slack_house import PIXEL

BUTTONS = ["spot:share", "spot:refresh"]


def options(discord: FakeDiscord, *path: str) -> dict[str, Any]:
    """The options of a command as they were told to Discord."""
    (node,) = discord.commands
    for name in path:
        (node,) = [option for option in node["options"] if option["name"] == name]
    return {option["name"]: option for option in node["options"]}


async def test_a_command_is_answered_for_who_asked_with_picture_and_buttons(server: Guild) -> None:
    asked = await server.ask("history 4090")
    [acknowledged] = asked.acknowledged
    assert (acknowledged["type"], acknowledged["data"]["flags"]) == (5, EPHEMERAL)
    message = asked.original
    assert message is not None
    assert message["flags"] & EPHEMERAL
    assert names(message) == [*BUTTONS, "spot:run:why history 4090"]
    text = plain(message)
    assert text.splitlines()[0] == "/spot history 4090"
    assert "RTX 4090" in text.splitlines()[1]
    assert "of history" in text
    [picture] = message["attachments"]
    assert "RTX 4090" in picture["description"]
    [call] = server.discord.sent("@original", "PATCH")
    assert list(call.files.values()) == [PIXEL]
    assert message["embeds"][0]["image"]["url"] == f"attachment://{picture['filename']}"


async def test_without_the_right_to_attach_files_the_text_twin_goes_alone(server: Guild) -> None:
    asked = await server.ask("history 4090", app_permissions=MEMBER & ~(1 << 15))
    assert asked.original is not None
    assert asked.original["attachments"] == []
    assert server.gallery.drawn == []
    assert any(mark in plain(asked.original) for mark in "▁▂▃▄▅▆▇█")


@pytest.mark.parametrize(("locale", "hears"), [("pt-BR", "às últimas 24 h"), ("en-GB", "last 24 h"), ("fr", "last 24")])
async def test_the_answer_is_in_the_askers_language(server: Guild, locale: str, hears: str) -> None:
    assert hears in await server.say("monitor 4090", locale=locale)


async def test_commands_are_told_with_types_choices_and_both_languages(server: Guild) -> None:
    [root] = server.discord.commands
    assert (root["name"], root["contexts"], root["integration_types"]) == ("spot", [0, 1, 2], [0, 1])
    leaves = options(server.discord)
    assert {"monitor", "predict", "help", "status", "settings"} <= leaves.keys()
    assert leaves["predict"]["description_localizations"]["pt-BR"] != leaves["predict"]["description"]
    predict = options(server.discord, "predict")
    assert predict["gpu_name"]["required"]
    assert predict["gpu_name"]["autocomplete"]
    cost = options(server.discord, "cost")
    assert any(option.get("choices") for option in cost.values())
    assert options(server.discord, "settings").keys() >= {"me", "team", "show"}
    for leaf in leaves.values():
        assert 1 <= len(leaf["description"]) <= 100


async def test_commands_are_told_again_only_when_they_changed(
    discord: FakeDiscord, discord_dispatcher: Dispatcher
) -> None:
    async def told() -> int:
        return len(discord.sent("/commands", "PUT"))

    async with guild(discord, discord_dispatcher):
        assert await told() == 1
    async with guild(discord, discord_dispatcher):
        await until(lambda: len(discord.sent("/commands", "GET")) == 2)
    assert await told() == 1
    discord_dispatcher.commands = discord_dispatcher.commands[:-1]
    async with guild(discord, discord_dispatcher):
        await until(lambda: len(discord.sent("/commands", "PUT")) == 2)


async def test_models_of_the_market_are_offered_while_typing(server: Guild) -> None:
    everything = await server.discord.complete("predict", "gpu_name", "")
    assert len(everything) == 7
    assert (await server.discord.complete("predict", "gpu_name", "a100"))[0].startswith("A100")
    assert "RTX 4090" in await server.discord.complete("predict", "gpu_name", "rtx49")
    several = await server.discord.complete("monitor", "gpu", "RTX 4090,3090")
    assert several[0] == "RTX 4090,RTX 3090"


async def test_what_a_person_set_is_offered_first(server: Guild) -> None:
    await server.ask("settings me gpus=L40S")
    assert (await server.discord.complete("predict", "gpu_name", ""))[0] == "L40S"


async def test_at_most_twenty_five_are_offered(server: Guild) -> None:
    offered = await server.discord.complete("llm", "model_size", "")
    assert 0 < len(offered) <= 25


async def test_share_posts_once_for_everybody_in_the_servers_language(server: Guild) -> None:
    asked = await server.ask("monitor 4090", locale="pt-BR", guild_locale="en-US")
    message = json.loads(json.dumps(asked.original))
    both = await asyncio.gather(*(server.discord.click(message, "spot:share") for _ in range(2)))
    await server.idle()
    [shared] = [followup for one in both for followup in one.followups]
    assert not shared["flags"] & EPHEMERAL
    assert "against its last 24 h" in plain(shared)
    assert "shared by ana" in plain(shared)
    assert "spot:share" not in names(shared)
    assert asked.original is not None
    assert "spot:share" not in names(asked.original)


async def test_who_may_not_write_in_a_channel_cannot_share_there(server: Guild) -> None:
    asked = await server.ask("monitor 4090")
    assert asked.original is not None
    clicked = await server.press(asked.original, "spot:share", permissions=0)
    [told] = clicked.followups
    assert told["flags"] & EPHEMERAL
    assert "may not write" in plain(told)


async def test_refresh_asks_again_in_place(server: Guild) -> None:
    asked = await server.ask("monitor 4090")
    assert asked.original is not None
    before = plain(asked.original)
    later = server.dispatcher.clock() + 3 * 3600
    server.dispatcher.clock = lambda: later
    await server.press(asked.original, "spot:refresh")
    assert plain(asked.original) != before
    assert len(server.discord.messages) == 1


async def test_long_answers_page(server: Guild) -> None:
    asked = await server.ask("help")
    message = asked.original
    assert message is not None
    assert "spot:page:1" in names(message)
    first = plain(message)
    await server.press(message, "spot:page:1")
    assert plain(message) != first
    assert "spot:page:0" in names(message)


async def test_buttons_work_after_a_restart(discord: FakeDiscord, discord_dispatcher: Dispatcher) -> None:
    async with guild(discord, discord_dispatcher) as home:
        asked = await home.ask("predict 4090")
    assert asked.original is not None
    async with guild(discord, discord_dispatcher) as home:
        await home.press(asked.original, "spot:refresh")
        clicked = await home.press(asked.original, "spot:share")
    assert "RTX 4090" in plain(clicked.followups[0])


@pytest.mark.parametrize(("permissions", "may"), [(MEMBER, False), (MANAGE_GUILD, True), (ADMIN, True)])
async def test_only_those_who_manage_a_server_set_what_holds_for_it(server: Guild, permissions: int, may: bool) -> None:
    text = await server.say("settings team language=pt-BR", permissions=permissions)
    assert ("is for a manager" in text) is not may
    assert ("Português" in text or "pt-BR" in text) is may


async def test_buttons_ask_for_the_role_too(server: Guild) -> None:
    asked = await server.ask("monitor 4090")
    message = json.loads(json.dumps(asked.original))
    for embed in message["embeds"]:
        for part in ("author", "footer"):
            if "monitor" in json.dumps(embed.get(part, {})):
                embed[part] = json.loads(
                    json.dumps(embed[part]).replace("monitor RTX 4090", "settings team language=pt-BR")
                )
    await server.press(message, "spot:refresh")
    async with server.dispatcher.store.reader() as reader:
        assert await reader.preferences(Asker("discord", GUILD, "x")) == (NO_PREFERENCES, NO_PREFERENCES)


async def test_in_direct_messages_settings_are_ones_own(server: Guild) -> None:
    await server.ask("settings me language=pt-BR", guild=None)
    assert "modelos" in await server.say("monitor", guild=None)
    assert "models" in await server.say("monitor")


async def test_a_server_that_removes_the_app_is_forgotten(server: Guild) -> None:
    await server.ask("settings team language=pt-BR", permissions=ADMIN)
    asked = await server.ask("monitor 4090")
    assert asked.original is not None
    await server.discord.dispatch("GUILD_DELETE", {"id": GUILD})
    await until(lambda: int(GUILD) in server.face.answers._left)
    await server.idle()
    async with server.dispatcher.store.reader() as reader:
        assert await reader.preferences(Asker("discord", GUILD, "x")) == (NO_PREFERENCES, NO_PREFERENCES)


async def test_a_cards_own_buttons_run_their_line_for_who_presses_them(server: Guild) -> None:
    asked = await server.ask("tell")
    assert names(asked.original) == [*BUTTONS, "spot:run:act now", "spot:run:tell"]
    before = plain(asked.original)
    clicked = await server.press(asked.original, "spot:run:act now", permissions=ADMIN)
    [told] = clicked.followups
    assert told["flags"] & EPHEMERAL
    assert "done for a admin" in plain(told)
    assert plain(asked.original) == before


def test_a_line_too_long_for_a_button_has_none() -> None:
    view = buttons([Action("fits", "x" * 91), Action("too long", "x" * 92)])
    assert view is not None
    assert [item.custom_id for item in view.children] == [f"spot:run:{'x' * 91}"]


def test_a_second_button_that_would_refresh_asks_its_own_line() -> None:
    whole = Action("Show all", "llm 7B limit=31", place="here")
    view = buttons([Action("Refresh", "llm 7B", place="here"), whole, whole])
    assert view is not None
    assert [item.custom_id for item in view.children] == ["spot:refresh", "spot:run:llm 7B limit=31"]
