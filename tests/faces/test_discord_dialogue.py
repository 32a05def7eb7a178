"""The dialogues on Discord, one answer on all faces, and a command that no face knows."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from analytics.errors import AskError
from analytics.evidence import to_json
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Answered, Dispatcher
from bot.dispatch.reply import Reply, card_of
from bot.faces.console import face as console
from bot.faces.discord import responder
from tests.dialogues import DIALOGUES
from tests.faces.test_slack_dialogue import RANSOM, TEN
from tests.fakes.discord import ADMIN, MEMBER, FakeDiscord
from tests.fakes.discord_house import CannotBeTyped, Guild, guild, names, plain


@pytest.mark.parametrize("only", ["", "typed", "chat"])
async def test_the_dialogues_on_discord(server: Guild, only: str) -> None:
    one_line = []
    for turn in (turn for turn in DIALOGUES if turn.only == only):
        locale = "pt-BR" if turn.language == "pt-BR" else "en-US"
        try:
            text = await server.say(turn.says, locale=locale, permissions=ADMIN if turn.boss else MEMBER)
        except (AskError, CannotBeTyped):
            assert only != "chat", turn.says  # Discord's fields take no misspelled verbs, words for numbers or blanks
            continue
        one_line.append(turn.says)
        for part in turn.hears:
            assert part in text, turn.says
    assert len(one_line) >= {"": 50, "typed": 1, "chat": 1}[only]


@pytest.fixture
def replies(monkeypatch: pytest.MonkeyPatch) -> list[Reply]:
    """The replies that the Discord face shows."""
    found: list[Reply] = []
    reply = responder.reply

    async def kept(*given: Any, **how: Any) -> Reply:
        found.append(await reply(*given, **how))
        return found[-1]

    monkeypatch.setattr(responder, "reply", kept)
    return found


@pytest.mark.parametrize("locale", ["en-US", "pt-BR"])
async def test_the_data_behind_a_card_are_those_of_the_console(
    server: Guild, replies: list[Reply], capsys: pytest.CaptureFixture[str], locale: str
) -> None:
    for line in (server.dispatcher.command(verb).examples[0] for verb in TEN):
        asked = await server.ask(line, locale=locale)
        shown = replies[-1]
        assert asked.original is not None
        assert shown.command is not None
        assert shown.card == card_of(Answered(shown.command, shown.answer, shown.line), shown.words)
        text = plain(asked.original)
        for part in (shown.card.title, shown.card.lead, shown.card.footer):
            assert part in text, line
        capsys.readouterr()
        err = Console(file=io.StringIO())
        assert await console.answer(server.dispatcher, line, language="en", as_json=True, out=err, err=err) == 0
        assert capsys.readouterr().out == to_json(shown.answer), line


async def test_a_new_command_is_on_discord_without_touching_the_face(
    discord: FakeDiscord, discord_dispatcher: Dispatcher
) -> None:
    discord_dispatcher.commands = (*COMMANDS, RANSOM)
    async with guild(discord, discord_dispatcher) as home:
        assert (await home.discord.complete("ransom", "gpu_name", "4090"))[0] == "RTX 4090"
        asked = await home.ask("ransom 4090")
        assert asked.original is not None
        assert "Ransom for RTX 4090" in plain(asked.original)
        assert names(asked.original) == ["spot:share", "spot:refresh", "spot:run:why ransom 4090"]
        assert "ransom" in await home.say("help")
