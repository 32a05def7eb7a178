"""What a person in chat gets: settings, roles, help, and a card whatever happens."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analytics.errors import AskError, Refused
from bot.accounts import Asker, Role, permits
from bot.commands import COMMANDS
from bot.dispatch.command import Command, QueryContext
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.reply import Reply, reply
from bot.presentation.text import plain
from bot.store.engine import StoreError, open_store
from tests.commands.conftest import NOW
from tests.dialogues import DIALOGUES, Turn
from tests.fakes.endpoints import SITE, public_endpoints

ANA = Asker("slack", "T1", "U1")
BOSS = replace(ANA, person="U2", role="manager")


@pytest.fixture
async def chat(market_file: Path, tmp_path: Path) -> AsyncIterator[Dispatcher]:
    """A dispatcher on a market of its own, which can be written."""
    shutil.copy(market_file, tmp_path / "chat.db")
    store = await open_store(f"sqlite:///{tmp_path / 'chat.db'}", writer=True)
    endpoints = public_endpoints()
    yield Dispatcher(store, COMMANDS, lambda: NOW + 60, endpoints=lambda: endpoints, site=lambda: SITE)
    await store.close()


async def _say(chat: Dispatcher, text: str, asker: Asker = ANA) -> Reply:
    return await reply(chat, asker, text, default="en")


async def _hear(chat: Dispatcher, text: str, asker: Asker = ANA) -> str:
    return plain((await _say(chat, text, asker)).card)


async def test_settings_are_kept_and_fill_what_was_not_said(chat: Dispatcher) -> None:
    assert "Saved" in await _hear(chat, "settings me gpus=l40s,4090 tz=America/Sao_Paulo home=Berlin,DE")
    answer = (await _say(chat, "monitor")).answer
    assert {row.gpu_name for row in answer.price_trends} == {"L40S", "RTX 4090"}
    assert (await _say(chat, "predict")).answer.gpu_name == "L40S"
    assert (await _say(chat, "history 3090")).answer.gpu_name == "RTX 3090"
    everything = (await _say(chat, "monitor gpu=all")).answer
    assert len(everything.price_trends) == 7
    assert "Saved" in await _hear(chat, "settings forget")
    assert len((await _say(chat, "monitor")).answer.price_trends) == 7
    assert "predict needs gpu_name" in await _hear(chat, "predict")


async def test_what_the_team_says_holds_for_those_who_say_nothing(chat: Dispatcher) -> None:
    await _say(chat, "settings team language=pt-BR gpus=L40S", BOSS)
    assert (await _say(chat, "monitor")).words.language == "pt-BR"
    assert (await _say(chat, "monitor", replace(ANA, team="T2"))).words.language == "en"
    assert (await _say(chat, "monitor", replace(ANA, locale="en-US"))).words.language == "en"
    await _say(chat, "settings me language=en")
    mine = await _say(chat, "monitor")
    assert mine.words.language == "en"
    assert [row.gpu_name for row in mine.answer.price_trends] == ["L40S"]
    loud = await reply(chat, ANA, "monitor", default="en", public=True)
    assert loud.words.language == "pt-BR"


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("settings me", "say what to change"),
        ("settings me language=fr", "choose one of those"),
        ("settings me tz=Mars/Base", "no time zone of that name"),
        ("settings me home=Nowhereville", "no place of that name"),
        ("settings me gpus=4091", "RTX 4090"),
        ("settings them", "no command “settings them”"),
    ],
)
async def test_a_setting_that_cannot_be_is_refused_and_changes_nothing(chat: Dispatcher, said: str, heard: str) -> None:
    await _say(chat, "settings me language=en home=Berlin,DE")
    before = await _hear(chat, "settings")
    assert heard in await _hear(chat, said)
    assert await _hear(chat, "settings") == before


async def test_only_a_manager_changes_the_team(chat: Dispatcher) -> None:
    refused = await _say(chat, "settings team language=pt-BR")
    assert not refused.ok
    assert "manager" in plain(refused.card)
    assert "Saved" in await _hear(chat, "settings team language=pt-BR", BOSS)


@pytest.mark.parametrize(
    ("role", "needed", "allowed"),
    [
        ("member", "member", True),
        ("member", "manager", False),
        ("manager", "member", True),
        ("admin", "manager", True),
        ("admin", None, False),
        ("admin", "god", False),
        ("ghost", "member", False),
    ],
)
def test_nothing_is_permitted_that_no_table_permits(role: str, needed: str | None, allowed: bool) -> None:
    assert permits(role, needed) is allowed


async def test_a_command_without_a_role_is_nobodys(chat: Dispatcher) -> None:
    monitor = replace(chat.command("monitor"), role=None)
    roles: tuple[Role, ...] = ("member", "manager", "admin")
    for role in roles:
        with pytest.raises(Refused):
            await chat.ask(monitor, {}, replace(ANA, role=role))


async def test_help_lists_all_and_explains_each_with_examples_that_run(chat: Dispatcher) -> None:
    listed = await _hear(chat, "")
    for command in COMMANDS:
        assert command.name in listed
        explained = await _hear(chat, f"{command.name} help")
        assert explained == await _hear(chat, f"help {command.name}")
        for param in command.params:
            assert param.name in explained
        for example in command.examples:
            assert example in explained
            if command.name.startswith("alert "):
                await _say(chat, "alert 4090 < 0.01", BOSS)
            if command.name.startswith("webhook "):
                await _say(chat, "webhook add https://example.com/hook", BOSS)
            told = await _say(chat, example, BOSS)
            assert told.ok, (example, plain(told.card))
    assert "settings me" in await _hear(chat, "help settings")
    assert "Try: monitor" in await _hear(chat, "help montor")


async def test_a_line_to_ask_again_means_the_same(chat: Dispatcher) -> None:
    await _say(chat, "alert 4090 < 0.01", BOSS)
    await _say(chat, "webhook add https://example.com/hook", BOSS)
    for command in COMMANDS:
        for example in command.examples:
            if not command.acts:
                again = (await _say(chat, example, BOSS)).line
                assert await chat.read(again) == await chat.read(example)


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (RuntimeError("the password is hunter2"), "went wrong on our side"),
        (StoreError("database is locked"), "database is busy"),
        (TimeoutError(), "takes too long"),
    ],
)
async def test_a_failing_answer_says_what_to_do_and_never_why(chat: Dispatcher, error: Exception, shown: str) -> None:
    async def fail(query: QueryContext) -> Any:
        raise error

    broken = replace(chat.command("status"), ask=fail)
    for language in ("en", "pt-BR"):
        found = await reply(chat, replace(ANA, locale=language), (broken, {}), default="en")
        text = plain(found.card)
        assert not found.ok
        assert not found.line
        assert "hunter2" not in text
        assert "Traceback" not in text
        assert (shown in text) == (language == "en")


async def test_two_questions_at_a_time(chat: Dispatcher) -> None:
    running = most = 0
    both = asyncio.Event()

    async def count(query: QueryContext) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 2:
            both.set()
        await both.wait()
        running -= 1
        return None

    slow: Command = replace(chat.command("status"), ask=count)
    async with asyncio.timeout(10):
        await asyncio.gather(*(chat.ask(slow, {}) for _ in range(9)))
    assert most == 2


async def test_outside_of_chat_there_are_no_settings(chat: Dispatcher) -> None:
    with pytest.raises(AskError, match="`spotbot settings`"):
        await chat.ask_line("settings")


@pytest.mark.parametrize("turn", [t for t in DIALOGUES if t.only != "chat"], ids=lambda turn: turn.says[:40])
async def test_dialogues_as_replies(chat: Dispatcher, turn: Turn) -> None:
    text = await _hear(chat, turn.says, replace(ANA, locale=turn.language))
    for part in turn.hears:
        assert part in text


async def test_the_dialogue_on_settings(chat: Dispatcher) -> None:
    for turn in DIALOGUES:
        if turn.only == "chat":
            text = await _hear(chat, turn.says, BOSS if turn.boss else ANA)
            for part in turn.hears:
                assert part in text, turn.says
