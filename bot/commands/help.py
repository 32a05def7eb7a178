"""``help``: what can be asked, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.dispatch.command import Command, Param, QueryContext
from bot.dispatch.verbs import find_command
from bot.presentation.card import Card, Column, Table
from bot.presentation.words import Words


@dataclass(frozen=True, slots=True)
class Topic:
    """One command as help shows it."""

    name: str
    summary: str
    examples: tuple[str, ...]
    params: tuple[Param, ...]


@dataclass(frozen=True, slots=True)
class Help:
    """All commands, or the ones that were asked for."""

    topics: tuple[Topic, ...]
    one: bool


async def ask(query: QueryContext, *, verb: str | None) -> Help:
    """Every command, or the one of a verb, or those of a group."""
    if verb is None:
        return Help(tuple(_topic(command) for command in query.commands), one=False)
    words = verb.lower().split()
    group = [command for command in query.commands if command.name.split()[:1] == words[:1]]
    if len(group) > 1 and len(words) == 1:
        return Help(tuple(_topic(command) for command in group), one=False)
    command, _ = find_command(words, query.commands)
    return Help((_topic(command),), one=True)


def _topic(command: Command) -> Topic:
    return Topic(command.name, command.summary, command.examples, command.params)


def card(answer: Help, words: Words) -> Card:
    """A line a command, or everything about one."""
    if answer.one:
        return _about(answer.topics[0], words)
    columns = (Column(words("ask")), Column(words("to learn")))
    rows = tuple((topic.name, words(topic.summary)) for topic in answer.topics)
    lead = words("Type one of these; “help <verb>” explains it.")
    notes = _examples([topic for topic in answer.topics if topic.examples][:EXAMPLES], words)
    return Card(words("What you can ask"), lead, (Table(words("Commands"), columns, rows),), notes=notes)


EXAMPLES = 4
"""Examples under the list of all commands."""


def _about(topic: Topic, words: Words) -> Card:
    columns = (Column(words("word")), Column(words("what it says")))
    rows = tuple((param.name, _param(param, words)) for param in topic.params)
    table = Table(words("What may follow, in this order; or anywhere as name=value"), columns, rows)
    notes = tuple(words("for example: {example}", example=example) for example in topic.examples)
    return Card(topic.name, words(topic.summary), (table,) if rows else (), notes=notes)


def _param(param: Param, words: Words) -> str:
    text = words(param.help)
    if param.choices:
        text += f" ({' | '.join(param.choices)})"
    return text + (words(" (needed)") if param.required else "")


def _examples(topics: Sequence[Topic], words: Words) -> tuple[str, ...]:
    return tuple(words("for example: {example}", example=topic.examples[0]) for topic in topics)


COMMAND = Command(
    name="help",
    summary="What can be asked, and how",
    path=None,
    params=(Param("verb", "text", "the command to explain; all if not given"),),
    ask=ask,
    card=card,
    examples=("help", "help predict"),
    role="member",
)
