"""From what people type to typed values: one conversion for each kind of parameter, the same on every face."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import Any

from analytics.catalog import Catalog, resolve
from analytics.errors import AskError
from analytics.evidence import Note, Plural
from bot.dispatch.command import Command, Param, QueryContext

MAX_TEXT = 200
"""Longest accepted value; a longer one is nobody's GPU name."""

_NUMBER = re.compile(r"[-+]?(?:\d[\d_,]*(?:\.\d*)?|\.\d+)(?:e[-+]?\d{1,3})?", re.IGNORECASE)
HOUR_UNITS = {
    **dict.fromkeys(("", "h", "hr", "hrs", "hour", "hours", "hora", "horas"), 1.0),
    **dict.fromkeys(("m", "min"), 1 / 60),
    **dict.fromkeys(("d", "day", "days", "dia", "dias"), 24.0),
    **dict.fromkeys(("w", "week", "weeks", "semana", "semanas"), 168.0),
}
SIZE_UNITS = {"": 1.0, "gb": 1.0, "g": 1.0, "gib": 1.073741824, "mb": 0.001, "m": 0.001, "tb": 1000.0, "t": 1000.0}
MONEY_UNITS = {"": 1.0, "usd": 1.0, "/h": 1.0, "/hr": 1.0, "/hour": 1.0, "usd/h": 1.0, "/month": 1.0, "/mo": 1.0}
EDGES = {"gigabytes": "{n} GB", "hours": "{n} h", "money": "${n}", "percent": "{n}%"}
"""How a limit is written, by kind: the same in every language."""
EVERYTHING = frozenset(("all", "any", "every", "tudo", "todas", "todos"))
"""Says of a parameter that takes models: all of them."""
_YES = {"1", "true", "yes", "on", "y", "sim"}
_NO = {"0", "false", "no", "off", "n", "nao", "não"}


def bad(param: Param, text: str, want: str) -> AskError:
    """The error for a value that does not fit its parameter."""
    note = Note(
        "{name}: “{given}” does not fit; {want}", {"name": param.name, "given": shorten(text), "want": Note(want)}
    )
    return AskError(note, suggestions=param.choices or param.suggest)


def shorten(text: str, width: int = 40) -> str:
    """Typed text as it may be repeated to its author: printable, on one line, not long."""
    clean = "".join(c for c in text if c.isprintable())
    return clean if len(clean) <= width else clean[: width - 1] + "…"


def quantity(text: str, units: Mapping[str, float]) -> float | None:
    """A number with an optional unit ("$0.35", "50GB", "100 h"), or None when it is not one."""
    body = text.strip().lower().removeprefix("us$").removeprefix("$").strip()
    match = _NUMBER.match(body)
    if not match:
        return None
    factor = units.get(body[match.end() :].strip())
    value = float(match.group().replace(",", "").replace("_", ""))
    return value * factor if factor is not None and math.isfinite(value * factor) else None


def _measure(units: Mapping[str, float], want: str) -> Callable[[Param, str, QueryContext], Awaitable[float]]:
    async def convert(param: Param, text: str, query: QueryContext) -> float:
        value = quantity(text, units)
        if value is None:
            raise bad(param, text, want)
        return _in_range(param, value)

    return convert


def _in_range(param: Param, value: float) -> float:
    low, high = param.minimum, param.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        edges = {"low": low, "high": high}
        limits = {"name": param.name, **{name: _edge(param, at) for name, at in edges.items() if at is not None}}
        if high is None:
            raise AskError(Note("{name} must be at least {low}", limits))
        if low is None:
            raise AskError(Note("{name} must be at most {high}", limits))
        raise AskError(Note("{name} must lie between {low} and {high}", limits))
    return value


def _edge(param: Param, value: float) -> Note:
    """A limit with the unit of its kind; a float, because those are written in the reader's way."""
    return Note(EDGES.get(param.kind, "{n}"), {"n": float(value)})


async def _int(param: Param, text: str, query: QueryContext) -> int:
    value = quantity(text, {"": 1.0, "x": 1.0, "gpus": 1.0, "gpu": 1.0})
    if value is None or value != int(value):
        raise bad(param, text, "give a whole number")
    return int(_in_range(param, value))


async def _text(param: Param, text: str, query: QueryContext) -> str:
    return text.strip()


async def _choice(param: Param, text: str, query: QueryContext) -> str:
    wanted = text.strip().lower()
    for choice in param.choices:
        if choice.lower() == wanted:
            return choice
    raise bad(param, text, "choose one of those offered")


async def _flag(param: Param, text: str, query: QueryContext) -> bool:
    if text.strip().lower() in _YES | _NO:
        return text.strip().lower() in _YES
    raise bad(param, text, "say yes or no")


async def _gpus(param: Param, text: str, query: QueryContext) -> tuple[str, ...] | None:
    if text.strip().lower() in EVERYTHING:
        return None
    names = [name for name in text.split(",") if name.strip()]
    return tuple(dict.fromkeys([model for name in names or [text] for model in await query.resolve(name)]))


async def _gpu(param: Param, text: str, query: QueryContext) -> str:
    found = await query.resolve(text)
    if len(found) > 1:
        raise AskError(
            Note("“{given}” may mean several models; say which", {"given": shorten(text)}), suggestions=found
        )
    return found[0]


CONVERT: dict[str, Callable[[Param, str, QueryContext], Awaitable[Any]]] = {
    "gpu": _gpu,
    "gpus": _gpus,
    "text": _text,
    "choice": _choice,
    "flag": _flag,
    "int": _int,
    "number": _measure({"": 1.0}, "give a number"),
    "percent": _measure({"": 1.0, "%": 1.0}, "give a percentage such as 5%"),
    "money": _measure(MONEY_UNITS, "give an amount in USD such as 0.35"),
    "hours": _measure(HOUR_UNITS, "give a number of hours such as 100 or 3d"),
    "gigabytes": _measure(SIZE_UNITS, "give a size such as 50GB"),
}


def gpu_test(catalog: Catalog, known: Sequence[str]) -> Callable[[str], bool]:
    """A test whether words name GPUs, where the store's models are ``known``; the same words are looked up once."""

    @cache
    def is_gpu(text: str) -> bool:
        if text.lower() in EVERYTHING:
            return True
        try:
            return all(resolve(part, catalog, known) for part in text.split(","))
        except AskError:
            return False

    return is_gpu


def takes_models(command: Command) -> bool:
    """Whether words of its line may name models."""
    return any(param.kind in ("gpu", "gpus") for param in command.params)


def own_name(command: Command, name: str) -> str:
    """The name of the parameter that this is another name of, else the name as it came."""
    return next((param.name for param in command.params if name in param.aliases), name)


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
            note = Note("{command} has no parameter “{name}”", {"command": command.name, "name": shorten(name)})
            raise AskError(note, suggestions=tuple(known))
    values = {}
    for param in command.params:
        text = given.get(param.name, "")
        if len(text) > MAX_TEXT:
            raise AskError(
                Note(
                    Plural("{name} is too long ({n} character)", "{name} is too long ({n} characters)"),
                    {"name": param.name, "n": len(text)},
                )
            )
        if text.strip():
            values[param.name] = await CONVERT[param.kind](param, text, query)
        elif param.required:
            values_help = {"command": command.name, "name": param.name, "example": command.examples[0]}
            raise AskError(Note("{command} needs {name}; for example: {example}", values_help))
        else:
            values[param.name] = param.default
    return values
