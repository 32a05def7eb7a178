"""What cannot be answered is answered with questions that can: each a button."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.accounts import Asker
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.reply import Reply, reply
from bot.store.engine import open_store
from tests.commands.conftest import NOW

ANA = Asker("slack", "T1", "UA", "C1", locale="en-US")
RUI = Asker("slack", "T1", "UR", "C1", locale="pt-BR")


@pytest.fixture
async def chat(market_file: Path, tmp_path: Path) -> AsyncIterator[Dispatcher]:
    store = await open_store(f"sqlite:///{shutil.copy(market_file, tmp_path / 'own.db')}", writer=True)
    yield Dispatcher(store, COMMANDS, lambda: NOW + 60)
    await store.close()


async def said(chat: Dispatcher, line: str, asker: Asker = ANA) -> Reply:
    return await reply(chat, asker, line, default="en")


def offered(found: Reply) -> dict[str, str]:
    return {action.label: action.line for action in found.card.actions}


async def test_a_name_of_several_models_offers_each_with_the_rest_of_the_question(chat: Dispatcher) -> None:
    found = await said(chat, "savings a100 100 h")
    lines = offered(found)
    assert found.ok is False
    assert set(list(lines)[:2]) == {"A100 SXM4 80GB", "A100 PCIE 80GB"}
    assert "A100 PCIE 40GB" in lines
    assert lines == {model: f"savings {model} 100h" for model in lines}
    for model in list(lines)[:2]:
        assert model in (await said(chat, lines[model])).card.title


async def test_where_one_of_several_models_has_prices_it_is_taken_and_that_is_said(chat: Dispatcher) -> None:
    found = await said(chat, "predict h100")
    assert found.ok
    assert "H100 SXM" in found.card.lead
    assert found.card.notes[0] == "“h100” may mean several models; H100 SXM is the one that has prices here"


async def test_what_was_taken_is_also_said_where_that_has_no_answer(chat: Dispatcher) -> None:
    chat.clock = lambda: NOW + 30 * 86_400
    found = await said(chat, "predict h100")
    assert found.ok is False
    assert any("H100 SXM is the one that has prices here" in note for note in found.card.notes)


@pytest.mark.parametrize(
    ("line", "label", "instead"),
    [
        ("predict 4O9O", "RTX 4090", "predict RTX 4090"),
        ("predikt RTX 4090", "predict RTX 4090", "predict RTX 4090"),
        ("how much is a 4090", "monitor 4090", "monitor 4090"),
        ("interruptions period=31d 4090", "30d", "interruptions 30d 4090"),
        ("cost lama2-7b 50 GB", "llama2-7b", "cost llama2-7b 50GB"),
    ],
)
async def test_what_was_perhaps_meant_is_a_button_that_asks_it(
    chat: Dispatcher, line: str, label: str, instead: str
) -> None:
    found = await said(chat, line)
    assert offered(found)[label] == instead
    assert (await said(chat, instead)).ok


async def test_what_stands_for_no_value_offers_no_button(chat: Dispatcher) -> None:
    assert offered(await said(chat, "savings 4090 1,5h")) == {}


async def test_a_condition_on_a_button_is_read_alike_in_every_language(chat: Dispatcher) -> None:
    lines = offered(await said(chat, "alert a100 < 1,250 hold=1,5h", RUI))
    assert "< 1.25" in lines["A100 PCIE 80GB"]
    assert not any("," in line for line in lines.values())
    assert all("1.5h" in line for line in lines.values())


@pytest.mark.parametrize(
    ("line", "asker", "again", "name", "value"),
    [
        ("fleet 1.500 training", RUI, "fleet 1500 training", "budget", 1500.0),
        ("fleet $99,90", RUI, "fleet $99.9", "budget", 99.9),
        ("fleet 1,500", ANA, "fleet 1500", "budget", 1500.0),
        ("savings RTX 4090 1,5h", RUI, "savings RTX 4090 1.5h", "hours", 1.5),
        ("savings RTX 4090 1.500 h", RUI, "savings RTX 4090 1500h", "hours", 1500.0),
        ("savings RTX 4090 1.125h", ANA, "savings RTX 4090 1.1250h", "hours", 1.125),
        ("savings RTX 4090 1,5h", ANA, None, "", None),
    ],
)
async def test_what_one_asks_can_be_asked_again_by_somebody_of_another_language(
    chat: Dispatcher, line: str, asker: Asker, again: str | None, name: str, value: Any
) -> None:
    found = await said(chat, line, asker)
    if again is None:
        assert "write 1.5" in found.card.lead
        return
    assert found.line == again
    for other in (ANA, RUI):
        repeated = await said(chat, found.line, other)
        assert getattr(repeated.answer, name) == value


async def test_preferences_decide_how_numbers_are_read(chat: Dispatcher) -> None:
    await said(chat, "settings me language=pt-BR", ANA)
    assert (await said(chat, "savings RTX 4090 1,5h", ANA)).answer.hours == 1.5
    await said(chat, "settings me language=en", RUI)
    assert "write 1.5" in (await said(chat, "savings RTX 4090 1,5h", RUI)).card.lead
