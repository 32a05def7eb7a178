"""``settings`` shows what really holds for whoever asks, in which order, and who said so."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.accounts import Asker
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.reply import reply
from bot.store.engine import open_store
from tests.fakes.stored import NOW


@pytest.fixture
async def chat(sqlite_tables: str) -> AsyncIterator[Dispatcher]:
    """A dispatcher whose environment says Portuguese and Berlin."""
    store = await open_store(sqlite_tables, writer=True)
    yield Dispatcher(store, COMMANDS, lambda: NOW, home="Berlin, DE", language="pt-BR")
    await store.close()


async def _rows(chat: Dispatcher, line: str, **profile: str | None) -> tuple[str, dict[str, tuple[str, str]]]:
    asker = Asker("slack", "T1", "U1", role="manager", **profile)  # type: ignore[arg-type]
    found = await reply(chat, asker, line, default=chat.language or "en")
    table = found.card.tables[0]
    return found.words.language, {str(row[0]): (str(row[1]), str(row[2])) for row in table.rows}


async def test_the_environment_and_the_defaults_are_shown(chat: Dispatcher) -> None:
    language, rows = await _rows(chat, "settings")
    assert language == "pt-BR"
    assert rows == {
        "language": ("pt-BR", "o ambiente"),
        "tz": ("UTC", "o padrão"),
        "home": ("Berlin, DE", "o ambiente"),
        "gpus": ("–", "o padrão"),
    }
    chat.language = chat.home = None
    language, rows = await _rows(chat, "settings")
    assert (language, rows["language"], rows["home"]) == ("en", ("en", "the default"), ("–", "the default"))


async def test_the_language_shown_is_the_one_that_is_answered_in(chat: Dispatcher) -> None:
    await _rows(chat, "settings team language=pt-BR tz=Europe/Paris")
    language, rows = await _rows(chat, "settings", locale="en-US", tz="America/New_York")
    assert (language, rows["language"]) == ("en", ("en", "your chat profile"))
    assert rows["tz"] == ("Europe/Paris", "the workspace")
    language, rows = await _rows(chat, "settings", locale="fr-FR")  # not on offer, so it says nothing
    assert (language, rows["language"]) == ("pt-BR", ("pt-BR", "o workspace"))
    language, rows = await _rows(chat, "settings me language=en home=Paris,FR", locale="pt-BR")
    assert rows["language"] == ("en", "you" if language == "en" else "você")
    assert rows["home"][0] == "Paris,FR"
