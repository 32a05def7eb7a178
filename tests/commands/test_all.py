"""Every command, without being told which there are: on a full store, an empty one, in both languages."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from analytics.errors import AskError, NotYet
from analytics.evidence import Evidence, to_json
from bot.accounts import ROLES
from bot.commands import COMMANDS
from bot.dispatch.command import Command
from bot.dispatch.dispatcher import Dispatcher
from bot.presentation.card import Card
from bot.presentation.words import LOCALES, Words

ANSWERS = [command for command in COMMANDS if command.path and command.shared]
"""What is answered with evidence, on every face and alike to everybody; the others are about who asks."""
EXAMPLES = [(command, example) for command in ANSWERS for example in command.examples]
QUESTIONS = [command for command in ANSWERS if command.name != "status"]


def _texts(card: Card) -> list[str]:
    cells = [text for table in card.tables for row in table.rows for text in row]
    heads = [text for table in card.tables for text in (table.caption, *(column.title for column in table.columns))]
    return [card.title, card.lead, *card.notes, card.footer, *cells, *heads, *(spark.label for spark in card.sparks)]


@pytest.mark.parametrize(("command", "example"), EXAMPLES, ids=[example for _, example in EXAMPLES])
@pytest.mark.parametrize("language", LOCALES)
async def test_every_example_answers_with_json_and_a_card(
    dispatcher: Dispatcher, command: Command, example: str, language: str
) -> None:
    asked, answer = await dispatcher.ask_line(example)
    assert asked is command
    assert isinstance(json.loads(to_json(answer)), dict)
    assert isinstance(answer.evidence, Evidence)
    card = command.card(answer, Words(language, dispatcher.clock()))
    assert card.title
    assert card.lead
    for text in _texts(card):
        assert "{" not in text, text
        assert not re.search(r"\b(None|nan|inf)\b", text), text
    for table in card.tables:
        assert {len(row) for row in table.rows} <= {len(table.columns)}


@pytest.mark.parametrize("command", ANSWERS, ids=lambda command: command.name)
async def test_every_text_of_a_card_is_translated(dispatcher: Dispatcher, command: Command) -> None:
    _, answer = await dispatcher.ask_line(command.examples[0])
    english = command.card(answer, Words("en", dispatcher.clock()))
    portuguese = command.card(answer, Words("pt-BR", dispatcher.clock()))
    for ours, theirs in ((english.lead, portuguese.lead), *zip(english.notes, portuguese.notes, strict=True)):
        words = re.sub(r"[^A-Za-z ]+", " ", ours).split()
        assert ours != theirs or len(words) < 4, f"not translated: {ours}"
    assert Words("pt-BR", 0)(command.summary) != command.summary


@pytest.mark.parametrize("command", QUESTIONS, ids=lambda command: command.name)
async def test_on_an_empty_store_there_is_no_number_but_what_is_missing(
    empty_dispatcher: Dispatcher, command: Command
) -> None:
    with pytest.raises(NotYet) as caught:
        await empty_dispatcher.ask_line(command.examples[0])
    assert str(caught.value.have)
    assert str(caught.value.need)


@pytest.mark.parametrize("command", ANSWERS, ids=lambda command: command.name)
async def test_an_unknown_gpu_gets_suggestions(dispatcher: Dispatcher, command: Command) -> None:
    for param in command.params:
        if param.kind in ("gpu", "gpus"):
            with pytest.raises(AskError) as caught:
                await dispatcher.ask(command, {**_needed(command), param.name: "RTX 4091"})
            assert caught.value.suggestions


def _needed(command: Command) -> dict[str, str]:
    """Texts that satisfy the required parameters."""
    fill: dict[str, Any] = {"model_size": "7B", "model": "llama2-7b", "budget": "500"}
    return {
        param.name: "RTX 4090" if param.kind in ("gpu", "gpus") else fill[param.name]
        for param in command.params
        if param.required
    }


@pytest.mark.parametrize("command", ANSWERS, ids=lambda command: command.name)
async def test_stale_data_says_so(dispatcher: Dispatcher, command: Command) -> None:
    late = Dispatcher(dispatcher.store, COMMANDS, lambda: dispatcher.clock() + 5 * 3600)
    _, answer = await late.ask_line(command.examples[0])
    assert answer.evidence.stale
    assert "STALE" in command.card(answer, Words("en", late.clock())).footer


@pytest.mark.parametrize("command", QUESTIONS, ids=lambda command: command.name)
async def test_a_stale_conclusion_begins_with_its_age_and_does_not_say_now(
    dispatcher: Dispatcher, command: Command
) -> None:
    late = Dispatcher(dispatcher.store, COMMANDS, lambda: dispatcher.clock() + 5 * 3600)
    for example in command.examples:
        fresh = command.card((await dispatcher.ask_line(example))[1], Words("en", dispatcher.clock()))
        stale = command.card((await late.ask_line(example))[1], Words("en", late.clock()))
        assert stale.lead.startswith("As of 5 h ago: "), example
        assert not fresh.lead.startswith("As of")
        # what to do now may be said of old data, what is so now may not
        assert " now" not in stale.title + stale.lead.replace("Start now", ""), example
        theirs = command.card((await late.ask_line(example))[1], Words("pt-BR", late.clock()))
        assert theirs.lead.startswith("Como estava há 5 h: ")


def test_names_paths_and_examples_are_unique_and_told() -> None:
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)
    routes = [(command.method, command.path) for command in COMMANDS if command.path]
    assert len(set(routes)) == len(routes)
    for command in COMMANDS:
        assert len(command.examples) >= (1 if not command.params else 2)
        assert command.role in ROLES
        assert all(param.help for param in command.params)
