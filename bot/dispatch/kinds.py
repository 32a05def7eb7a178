"""The kinds of parameters, one row a kind: how it is read, its units and limits, what faces need to know of it."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from analytics.errors import AskError
from analytics.evidence import Note
from analytics.quantities import read_decimal
from bot.dispatch.command import Param, QueryContext

MAX_TEXT = 200
"""Longest accepted value; a longer one is nobody's GPU name."""

_NUMBER = re.compile(r"(?P<sign>[-+]?)(?P<digits>[\d.,_]*\d)\.?(?P<power>(?:e[-+]?\d{1,3})?)", re.IGNORECASE)
HOUR_UNITS = {
    **dict.fromkeys(("", "h", "hr", "hrs", "hour", "hours", "hora", "horas"), 1.0),
    **dict.fromkeys(("m", "min"), 1 / 60),
    **dict.fromkeys(("d", "day", "days", "dia", "dias"), 24.0),
    **dict.fromkeys(("w", "week", "weeks", "semana", "semanas"), 168.0),
}
SIZE_UNITS = {"": 1.0, "gb": 1.0, "g": 1.0, "gib": 1.073741824, "mb": 0.001, "m": 0.001, "tb": 1000.0, "t": 1000.0}
MONEY_UNITS = {"": 1.0, "usd": 1.0, "/h": 1.0, "/hr": 1.0, "/hour": 1.0, "usd/h": 1.0, "/month": 1.0, "/mo": 1.0}
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
    """A number with an optional unit ("$0.35", "2,5%", "100 h"), or None when it is not one; "1,500" has a group."""
    body = text.strip().lower().removeprefix("us$").removeprefix("$").strip()
    match = _NUMBER.match(body)
    if not match:
        return None
    factor = units.get(body[match.end() :].strip())
    number = read_decimal(match["digits"].replace("_", ""))
    if number is None or factor is None:
        return None
    value = float(f"{match['sign']}{number:f}{match['power']}") * factor
    return value if math.isfinite(value) else None


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
    return Note(KINDS[param.kind].edge, {"n": float(value)})


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


def with_unit(units: Mapping[str, float]) -> str:
    """A pattern for JSON schemas, which know no flags: a number and one of the units, in either case."""
    letters = ("".join(f"[{c}{c.upper()}]" if c.isalpha() else re.escape(c) for c in unit) for unit in units if unit)
    return rf"^(0|[1-9][0-9]*)(\.[0-9]+)? ?({'|'.join(letters)})$"


Primitive = Literal["text", "integer", "number", "boolean"]
"""What faces let people type."""


@dataclass(frozen=True, slots=True)
class Kind:
    """All that there is to know of one kind of parameter."""

    read: Callable[[Param, str, QueryContext], Awaitable[Any]]
    """the typed value of a text; raises AskError with what to write"""
    primitive: Primitive = "text"
    units: Mapping[str, float] = field(default_factory=dict)
    """units of its numbers; in free text a word with such a unit goes here"""
    edge: str = "{n}"
    """how a limit is written, the same in every language"""
    signs: tuple[str, ...] = ()
    """a word that begins so goes here"""
    is_free_text: bool = False
    """takes any word, and the last such parameter all that are left"""
    names_models: bool = False
    """takes as many words as still name a model"""

    @property
    def is_number(self) -> bool:
        """Whether its texts are numbers."""
        return bool(self.units) or self.primitive in ("integer", "number")

    @property
    def schema(self) -> dict[str, Any]:
        """Its JSON schema; where numbers may carry a unit ("3d", "50GB") such texts pass too."""
        if self.primitive != "text":
            return {"type": self.primitive}
        text = {"type": "string", "maxLength": MAX_TEXT}
        if self.units:
            return {"anyOf": [{"type": "number"}, text | {"pattern": with_unit(self.units)}]}
        return text if self.is_free_text or self.names_models else {"type": "string"}


_PLAIN = {"": 1.0, "%": 1.0, "x": 1.0}
KINDS: Mapping[str, Kind] = {
    "gpu": Kind(_gpu, names_models=True),
    "gpus": Kind(_gpus, names_models=True),
    "text": Kind(_text, is_free_text=True),
    "choice": Kind(_choice),
    "flag": Kind(_flag, "boolean"),
    "int": Kind(_int, "integer"),
    "number": Kind(_measure({"": 1.0}, "give a number"), "number"),
    "percent": Kind(_measure({"": 1.0, "%": 1.0}, "give a percentage such as 5%"), "number", edge="{n}%"),
    "money": Kind(
        _measure(MONEY_UNITS, "give an amount in USD such as 0.35"), "number", MONEY_UNITS, "${n}", signs=("$",)
    ),
    "hours": Kind(_measure(HOUR_UNITS, "give a number of hours such as 100 or 3d"), units=HOUR_UNITS, edge="{n} h"),
    "gigabytes": Kind(_measure(SIZE_UNITS, "give a size such as 50GB"), units=SIZE_UNITS, edge="{n} GB"),
}
"""``gpu``: one model (ambiguous names ask back); ``gpus``: every model that a name may mean, as a tuple; ``money``: USD
as float; ``hours``: "100", "100h", "3d" as float; ``gigabytes``: "50", "50GB", "1.5TB" as float."""


def is_quantity(kind: Kind, text: str) -> bool:
    """Whether a text is a number that this kind takes."""
    return quantity(text, kind.units or _PLAIN) is not None
