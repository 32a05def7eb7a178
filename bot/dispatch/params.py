"""From named texts to typed values: one conversion for each parameter of a command, the same on every face."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any

from rapidfuzz import fuzz, process

from analytics.catalog import Catalog, resolve
from analytics.errors import AskError
from analytics.evidence import Note, Plural
from analytics.typed_text import plain_text
from bot.dispatch.command import Command, QueryContext
from bot.dispatch.kinds import EVERYTHING, KINDS, MAX_TEXT, shorten


def gpu_test(catalog: Catalog, known: Sequence[str]) -> Callable[[str], Collection[str]]:
    """Which models words name, none if they name none; the store's are ``known``. The same words are looked up once."""

    @cache
    def models(text: str) -> Collection[str]:
        if text.lower() in EVERYTHING:
            return (text,)
        try:
            return frozenset(name for part in text.split(",") for name in resolve(part, catalog, known))
        except AskError:
            return ()

    return models


def takes_models(command: Command) -> bool:
    """Whether words of its line may name models."""
    return any(KINDS[param.kind].names_models for param in command.params)


def own_name(command: Command, name: str) -> str:
    """The name of the parameter that this is another name of, else the name as it came."""
    return next((param.name for param in command.params if name in param.aliases), name)


def unknown_name(command: Command, name: str) -> AskError:
    """The error for a parameter that a command does not have: those that it has, the most alike first."""
    known = [param.name for param in command.params]
    alike = [near for near, *_ in process.extract(name[:40], known, scorer=fuzz.ratio, limit=None)]
    note = Note("{command} has no parameter “{name}”", {"command": command.name, "name": shorten(name)})
    return AskError(note, suggestions=alike)


def _named(command: Command, given: Mapping[str, str]) -> dict[str, str]:
    """The texts under the parameters' own names."""
    named: dict[str, str] = {}
    for name, text in given.items():
        own = own_name(command, name)
        if own in named:
            raise AskError(Note("{name} was given twice", {"name": shorten(own)}))
        named[own] = text
    return named


async def convert(command: Command, given: Mapping[str, str], query: QueryContext) -> dict[str, Any]:
    """Typed values for every parameter of a command from texts by name; defaults filled, unknown names refused."""
    given = _named(command, given)
    known = {param.name: param for param in command.params}
    for name in given:
        if name not in known:
            raise unknown_name(command, name)
    values = {}
    for param in command.params:
        text = given.get(param.name, "")
        if query.language is not None and not KINDS[param.kind].is_free_text:
            text = plain_text(text)
        if len(text) > MAX_TEXT:
            raise AskError(
                Note(
                    Plural("{name} is too long ({n} character)", "{name} is too long ({n} characters)"),
                    {"name": param.name, "n": len(text)},
                )
            )
        if text.strip():
            try:
                values[param.name] = await KINDS[param.kind].read(param, text, query)
            except AskError as error:
                error.about = param.name
                raise
        elif param.required:
            values_help = {"command": command.name, "name": param.name, "example": command.examples[0]}
            raise AskError(Note("{command} needs {name}; for example: {example}", values_help))
        else:
            values[param.name] = param.default
    return values
