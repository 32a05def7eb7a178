"""Discord takes 8,000 characters of a command with all below it; descriptions of parameters give way."""

from __future__ import annotations

from typing import Any

import pytest

from bot.commands import COMMANDS
from bot.faces.discord.command_tree import ALL_TEXTS, DESCRIPTION, LEAST_ROOM, Portuguese, room_of, size_of, spot_group
from bot.presentation.words import Words
from tests.fakes.discord_objects import written

TOLD = [command for command in COMMANDS if command.role is not None]


async def _payload() -> dict[str, Any]:
    async def unasked(*args: Any) -> Any:
        raise AssertionError("nobody asks")

    from discord import Client, Intents, app_commands

    tree: app_commands.CommandTree[Any] = app_commands.CommandTree(Client(intents=Intents.none()))
    group = spot_group(TOLD, unasked, unasked)
    tree.add_command(group)
    return dict(await group.get_translated_payload(tree, Portuguese()))


async def test_all_commands_together_are_what_discord_takes_and_as_we_count_them() -> None:
    payload = await _payload()
    assert written(payload) <= ALL_TEXTS
    assert size_of(TOLD, room_of(TOLD)) == written(payload)


def test_descriptions_are_as_long_as_there_is_room_for() -> None:
    room = room_of(TOLD)
    assert LEAST_ROOM < room <= DESCRIPTION
    assert size_of(TOLD, room) <= ALL_TEXTS < size_of(TOLD, room + 1)
    assert room_of(TOLD[:5]) == DESCRIPTION


@pytest.mark.parametrize("language", ["en", "pt-BR"])
async def test_what_gives_way_are_last_clauses_then_last_words(language: str) -> None:
    told = await _payload()
    alert = next(group for group in told["options"] if group["name"] == "alert")
    edit = next(command for command in alert["options"] if command["name"] == "edit")
    shown = {
        option["name"]: option["description"] if language == "en" else option["description_localizations"]["pt-BR"]
        for option in edit["options"]
    }
    (edited,) = (command for command in TOLD if command.name == "alert edit")
    whole = {param.name: Words(language, 0)(param.help) for param in edited.params}
    assert any(shown[name] != text for name, text in whole.items())
    for name, text in whole.items():
        said = shown[name].removesuffix("…").rstrip()
        assert text.startswith(said)
        assert len(said) >= LEAST_ROOM // 2 or said == text
