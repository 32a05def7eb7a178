"""The kinds of parameters, one row a kind: how it is read, its units and limits, what faces need to know of it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from analytics import units
from analytics.errors import AskError
from analytics.evidence import Note
from analytics.hardware.llm_lookup import find_llm
from analytics.quantities import (
    QuantityText,
    plain_quantity,
    quantity,
    read_decimal,
    rewritten,
    split_quantity,
    write_decimal,
)
from analytics.units import DOLLARS, NO_UNITS, Units, foreign_currency, is_foreign_amount
from bot.dispatch.command import Param, QueryContext

_LLM_SIZE = re.compile(r"(?P<experts>(?:[0-9]{1,3}x)?)(?P<digits>[0-9][0-9.,]*) ?(?P<unit>[kmbt]?)", re.IGNORECASE)

_THOUSANDS = re.compile(r"([1-9][0-9]{0,2})[.,]000")
LEAST_THOUSANDS = 1000
"""A whole number below it that is written with three zeros behind a sign was perhaps meant to be so much larger."""

MAX_TEXT = 200
"""Longest accepted value; a longer one is nobody's GPU name."""

SHORTEST_GPU_NUMBER = 4
"""Digits from which a bare number is a GPU's rather than a size in billions of parameters."""
EVERYTHING = frozenset(("all", "any", "every", "tudo", "todas", "todos"))
"""Says of a parameter that takes models: all of them."""
_TIME_OF_DAY = re.compile(r"([0-9]{1,2})(?:[:h]([0-9]{2})|h| ?(?=[ap]m))? ?([ap]m)?", re.IGNORECASE)
_BARE_HOUR = re.compile(r"[0-9]{1,2}")
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


def _refusal(param: Param, text: str, query: QueryContext) -> AskError:
    """The error for a text that is no quantity of its kind: whether its currency, its number or all of it."""
    kind, shown = KINDS[param.kind], {"name": param.name, "given": shorten(text)}
    currency = foreign_currency(text) if kind.is_money else None
    if currency:
        return AskError(
            Note("{name}: “{given}” is in {currency}; amounts are in US dollars", shown | {"currency": currency})
        )
    parts = kind.split(text)
    if parts is None:
        return bad(param, text, kind.want)
    if read_decimal(parts.digits, query.numbers) is not None:  # no float is so large or so small
        return bad(param, text, kind.want)
    return _unreadable(param, text, parts.digits, query)


def _unreadable(param: Param, text: str, digits: str, query: QueryContext) -> AskError:
    """The error for digits that write no number in the question's language: how they may have to be written."""
    shown = {"name": param.name, "given": shorten(text)}
    options = rewritten(digits, query.numbers)
    if not options:
        whole, fraction = query.numbers.samples
        note = Note(
            "{name}: “{given}” is no number; write it such as {whole} or {fraction}",
            shown | {"whole": whole, "fraction": fraction},
        )
        return AskError(note)
    write = Note("write {number}", {"number": options[0]})
    if len(options) > 1:
        write = Note("write {number} or {other}", {"number": options[0], "other": options[1]})
    return AskError(Note("{name}: “{given}” does not fit; {want}", shown | {"want": write}))


async def _number(param: Param, text: str, query: QueryContext) -> float:
    kind = KINDS[param.kind]
    value = quantity(text, kind.units or NO_UNITS, query.numbers, kind.before)
    if value is None:
        raise _refusal(param, text, query)
    return _in_range(param, value)


async def _whole(param: Param, text: str, query: QueryContext) -> int:
    value = await _number(param, text, query)
    parts = KINDS[param.kind].split(text)
    if parts and (thousands := _THOUSANDS.fullmatch(parts.digits)) and value < LEAST_THOUSANDS:
        raise _choose(param, text, thousands[1], f"{thousands[1]}000")  # "1.000" of days is no fraction
    if not value.is_integer():
        raise bad(param, text, KINDS[param.kind].want)
    return int(value)


def _choose(param: Param, text: str, number: str, other: str) -> AskError:
    write = Note("write {number} or {other}", {"number": number, "other": other})
    return AskError(
        Note("{name}: “{given}” does not fit; {want}", {"name": param.name, "given": shorten(text), "want": write})
    )


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


async def _text(param: Param, text: str, query: QueryContext) -> str:
    return text.strip()


async def _choice(param: Param, text: str, query: QueryContext) -> str:
    wanted = text.strip().lower()
    for choice in param.choices:
        if choice.lower() == wanted:
            return choice
    raise bad(param, text, "choose one of those offered")


async def _period(param: Param, text: str, query: QueryContext) -> str:
    """The choice that is as long as what was said."""
    said = f"{text.strip()}d" if text.strip().isdigit() else text
    hours = quantity(said, units.PERIOD_HOURS, query.numbers)
    for choice in param.choices:
        if hours is not None and quantity(choice, units.PERIOD_HOURS, query.numbers) == hours:
            return choice
    raise bad(param, text, "choose one of those offered")


async def _time_of_day(param: Param, text: str, query: QueryContext) -> int:
    """Minutes after midnight."""
    match = _TIME_OF_DAY.fullmatch(text.strip())
    hour, minute = (int(match[1]), int(match[2] or 0)) if match else (24, 0)
    if match and match[3]:
        hour = hour % 12 + 12 * (match[3].lower() == "pm") if 1 <= hour <= 12 else 24
    if hour > 23 or minute > 59:
        raise bad(param, text, "give a time of day such as 09:00")
    return 60 * hour + minute


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
    """The one model that a name means, or of several the one that has prices here."""
    found = await query.resolve(text)
    if len(found) == 1:
        return found[0]
    priced = await query.with_prices(found)
    if len(priced) != 1:
        note = Note("“{given}” may mean several models; say which", {"given": shorten(text)})
        raise AskError(note, suggestions=list(dict.fromkeys((*priced, *found))))
    taken = {"given": shorten(text), "model": priced[0]}
    query.remarks.append(Note("“{given}” may mean several models; {model} is the one that has prices here", taken))
    return priced[0]


async def _llm(param: Param, text: str, query: QueryContext) -> str:
    """A language model's name, or a size whose number is then written as programs write it."""
    name = text.strip()
    size = _LLM_SIZE.fullmatch(name)
    if size:
        number = read_decimal(size["digits"], query.numbers)
        if number is None:
            raise _unreadable(param, text, size["digits"], query)
        name = f"{size['experts']}{number.normalize():f}{size['unit']}"
    if name.isdigit() and len(name) >= SHORTEST_GPU_NUMBER and await _is_gpu(name, query):
        raise AskError(
            Note("“{given}” is a GPU; name a language model or a size", {"given": name}), suggestions=("7B", "70B")
        )
    find_llm(name, query.catalog)
    return name


async def _is_gpu(name: str, query: QueryContext) -> bool:
    try:
        return bool(await query.resolve(name))
    except AskError:
        return False


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
    units: Units | None = None
    """units of its numbers; in free text a number with such a unit goes here"""
    before: Sequence[str] = ()
    """signs that may stand before its numbers"""
    want: str = ""
    """what to give, where a text is no number of its kind"""
    edge: str = "{n}"
    """how a limit is written, the same in every language"""
    is_money: bool = False
    """is an amount in US dollars"""
    says_itself: bool = False
    """its quantities are known by their unit wherever they stand, whether or not it may be given without its name"""
    is_choice: bool = False
    """takes one of the parameter's choices"""
    is_free_text: bool = False
    """takes any word, and the last such parameter all that are left"""
    names_llm: bool = False
    """takes the name or the size of a language model"""
    names_models: bool = False
    """takes as many words as still name a model"""
    several: bool = False
    """takes several models"""
    written: re.Pattern[str] | None = None
    """how its texts are written; in free text a word that is written so goes here"""

    @property
    def schema(self) -> dict[str, Any]:
        """Its JSON schema; where numbers may carry a unit ("3d", "50GB") such texts pass too."""
        if self.primitive != "text":
            return {"type": self.primitive}
        text = {"type": "string", "maxLength": MAX_TEXT}
        if self.units and not self.is_choice:
            return {"anyOf": [{"type": "number"}, text | {"pattern": with_unit(self.units)}]}
        return text if self.is_free_text or self.names_models else {"type": "string"}

    @property
    def is_number(self) -> bool:
        """Whether its texts are numbers."""
        return self.units is not None and not self.is_choice

    def resembles(self, text: str) -> bool:
        """Whether a text looks like one of its quantities, in whatever language its number is written."""
        return self.split(text) is not None or self._is_foreign(text)

    def is_measured(self, text: str) -> bool:
        """Whether it looks so and says what it is a number of, so that no other parameter can be meant."""
        if self.written is not None:
            return self.written.fullmatch(text) is not None and _BARE_HOUR.fullmatch(text) is None
        parts = self.split(text)
        return self._is_foreign(text) if parts is None else bool(parts.unit or parts.before)

    def split(self, text: str) -> QuantityText | None:
        """The parts of what looks like one of its quantities, None where it does not."""
        return None if self.units is None else split_quantity(text, self.units, self.before)

    def _is_foreign(self, text: str) -> bool:
        return self.is_money and is_foreign_amount(text)

    def plain(self, text: str, query: QueryContext) -> str:
        """A text of this kind with numbers that every language reads alike."""
        if self.names_llm and (size := _LLM_SIZE.fullmatch(text.strip())):
            number = read_decimal(size["digits"], query.numbers)
            return text if number is None else text.replace(size["digits"], write_decimal(number), 1)
        return plain_quantity(text, self.units, query.numbers, self.before) if self.units else text


KINDS: Mapping[str, Kind] = {
    "gpu": Kind(_gpu, names_models=True),
    "gpus": Kind(_gpus, names_models=True, several=True),
    "text": Kind(_text, is_free_text=True),
    "llm": Kind(_llm, is_free_text=True, names_llm=True),
    "choice": Kind(_choice, is_choice=True),
    "period": Kind(_period, units=units.PERIOD_HOURS, is_choice=True),
    "time_of_day": Kind(_time_of_day, written=_TIME_OF_DAY),
    "flag": Kind(_flag, "boolean"),
    "int": Kind(_whole, "integer", NO_UNITS, want="give a whole number"),
    "gpu_count": Kind(_whole, "integer", units.GPUS, units.BEFORE_GPUS, "give a whole number", says_itself=True),
    "tokens": Kind(_number, "number", units.TOKENS, want="give a number of tokens such as 1e9"),
    "times": Kind(_number, "number", units.TIMES, want="give a number"),
    "share": Kind(_number, "number", units.SHARE, want="give a share such as 0.4 or 40%"),
    "minutes": Kind(_number, "number", units.MINUTES, want="give a number of minutes"),
    "hours_per_month": Kind(
        _number, units=units.HOURS_PER_MONTH, want="give a number of hours such as 100 or 3d", edge="{n} h"
    ),
    "days": Kind(_whole, "integer", units.DAYS, want="give a whole number of days such as 30"),
    "number": Kind(_number, "number", NO_UNITS, want="give a number"),
    "percent": Kind(_number, "number", units.PERCENT, want="give a percentage such as 5%", edge="{n}%"),
    "usd_per_hour": Kind(
        _number,
        "number",
        units.USD_PER_HOUR,
        DOLLARS,
        "give an amount in USD an hour such as 0.35",
        "${n}",
        is_money=True,
    ),
    "usd_per_month": Kind(
        _number,
        "number",
        units.USD_PER_MONTH,
        DOLLARS,
        "give an amount in USD a month such as 500",
        "${n}",
        is_money=True,
    ),
    "hours": Kind(_number, units=units.HOURS, want="give a number of hours such as 100 or 3d", edge="{n} h"),
    "gigabytes": Kind(_number, units=units.GIGABYTES, want="give a size such as 50GB", edge="{n} GB"),
}
"""``gpu``: one model (ambiguous names ask back); ``gpus``: every model that a name may mean, as a tuple; ``period``: a
choice that is a length of time, as its text; ``llm``: a name or a size, as text; ``usd_...``: USD as float; ``hours``:
"100", "100h", "3d" as float; ``days``: "7", "7d", "2 weeks" as int; ``gigabytes``: "50", "50GB", "1.5TB" as float."""
