"""The fields of a form, made from a command's parameters: what chats complete and complain about is the same here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bot.dispatch.command import Command, Param
from bot.dispatch.kinds import KINDS
from bot.presentation.words import Words

Look = Literal["choice", "flag", "gpu", "llm", "number", "text"]

SLIDERS = {"usd_per_month": (10, 5000, 10)}
"""Kinds whose number may also be drawn: from, to and by how much (ours: what one person or a small team spends)."""


@dataclass(frozen=True, slots=True)
class FieldView:
    """One field: what it is called, what it takes, and what it says now."""

    name: str
    label: str
    look: Look
    text: str
    required: bool
    hint: str
    """what holds where nothing is said"""
    choices: tuple[str, ...] = ()
    slider: tuple[int, int, int] | None = None
    suggest: tuple[str, ...] = ()
    """texts worth offering"""


def fields_of(command: Command, said: Mapping[str, str], words: Words) -> tuple[FieldView, ...]:
    """The fields of all parameters of a command."""
    return tuple(field_of(param, said.get(param.name, ""), words) for param in command.params)


def field_of(param: Param, text: str, words: Words, *, name: str = "") -> FieldView:
    """The field of one parameter; ``name``: what it is called here, where not as the command calls it."""
    default = param.default if not isinstance(param.default, tuple) else ",".join(param.default)
    if isinstance(default, (int, float)):
        default = words.number(default)
    return FieldView(
        name=name or param.name,
        label=words(param.help),
        look=_look(param),
        text=text,
        required=param.required,
        hint=str(default) if default is not None else "".join(param.suggest[:1]),
        choices=param.choices,
        slider=SLIDERS.get(param.kind),
        suggest=param.suggest,
    )


def _look(param: Param) -> Look:
    kind = KINDS[param.kind]
    if param.choices:
        return "choice"
    if kind.names_models or param.offers == "gpus":
        return "gpu"
    if kind.names_llm or param.offers == "llms":
        return "llm"
    return "flag" if kind.primitive == "boolean" else "number" if kind.is_number else "text"


def find_param(commands: Sequence[Command], verb: str, name: str) -> Param:
    """A parameter by its command and name."""
    return next(p for command in commands if command.name == verb for p in command.params if p.name == name)
