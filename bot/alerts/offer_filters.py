"""What people write behind the price of an offer: ``gpus>=2 region=EU reliability>=98% disk=100 GB``, in any order."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from analytics.errors import AskError
from analytics.evidence import Note
from analytics.quantities import NumberFormat, read_decimal
from bot.alerts.places import region_named
from bot.alerts.rules import PPM, OfferFilter

LONGEST_NUMBER = 20
"""Characters of a number: so many are reckoned with exactly (source: decimal keeps 28 digits)."""

_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("gpus", "gpu"), "gpus"),
    **dict.fromkeys(("region", "região", "regiao", "place", "lugar"), "region"),
    **dict.fromkeys(("reliability", "confiabilidade"), "reliability"),
    **dict.fromkeys(("disk", "disco"), "disk"),
}
"""What each may be called."""

NAMES = tuple(_NAMES)
"""All of them: where a line gives ``name=value`` for one, it belongs to the condition."""

OFFER_WORDS = ("offer", "offers", "oferta", "ofertas")
"""What a rule on offers begins with."""

_ANY_NAME = "|".join(sorted(_NAMES, key=len, reverse=True))
_SIGN = r"(?:>=|=|:|at least|no mínimo|no minimo)"
FILTER = rf"(?:{_ANY_NAME})(?= ?{_SIGN})"
"""The name of a filter, as a pattern."""

_STARTS = re.compile(rf"(?:^|[ ,;]+)({_ANY_NAME}) ?{_SIGN} ?")
_COUNT = re.compile(r"(?P<number>[0-9.,]+)(?: ?gpus?)?")
_SHARE = re.compile(r"(?P<number>[0-9.,]+) ?(?P<unit>%)?")
_SIZE = re.compile(r"(?P<number>[0-9.,]+) ?(?P<unit>gb|g|tb|t)?")
_GB = {None: 1, "gb": 1, "g": 1, "tb": 1000, "t": 1000}
SUGGESTIONS = ("gpus>=2", "region=EU", "reliability>=98%", "disk=100GB")
"""One of each."""

_EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "gpus": ("gpus>=2",),
    "reliability": ("reliability>=98%",),
    "disk": ("disk=100GB",),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """What was asked for; ``region`` is None where nothing was said of it."""

    offer: OfferFilter
    region: str | None = None


def read_filters(text: str, written: NumberFormat) -> Filters:
    """The filters of a text in lower case; raises AskError where one is none, or is said twice."""
    before, *parts = _STARTS.split(text)
    said: dict[str, Any] = {}
    for name, value in zip(map(_NAMES.__getitem__, parts[::2]), parts[1::2], strict=True):
        if name in said:
            raise AskError(Note("{name} was given twice", {"name": name}))
        said[name] = _value(name, value.strip(" ,;"), written)
    if before.strip():
        raise _unread(before)
    offer = OfferFilter(said.get("gpus", 1), said.get("reliability", 0), said.get("disk", 0))
    return Filters(offer, said.get("region"))


def _value(name: str, text: str, written: NumberFormat) -> Any:
    try:
        return _READ[name](text, written)
    except ValueError:
        given = {"given": _shown(text), "name": name}
        raise AskError(Note("“{given}” is no value of {name}", given), suggestions=_EXAMPLES.get(name, ())) from None


def _shown(text: str) -> str:
    return "".join(c for c in text if c.isprintable())[:40]


def _unread(text: str) -> AskError:
    return AskError(Note("“{given}” says nothing of an offer", {"given": _shown(text)}), suggestions=SUGGESTIONS)


def _read(form: re.Pattern[str], text: str, written: NumberFormat) -> tuple[Decimal, str | None]:
    match = form.fullmatch(text)
    number = read_decimal(match["number"], written) if match else None
    if match is None or number is None or len(match["number"]) > LONGEST_NUMBER:
        raise ValueError(text)
    return number, match.groupdict().get("unit")


def _whole(value: Decimal, text: str) -> int:
    if value != value.to_integral_value():
        raise ValueError(text)
    return int(value)


def _gpus(text: str, written: NumberFormat) -> int:
    number, _ = _read(_COUNT, text, written)
    return _whole(number, text)


def _reliability(text: str, written: NumberFormat) -> int:
    """A fraction or a percentage; a number above 1 without its sign might be a slip, so it is none."""
    number, unit = _read(_SHARE, text, written)
    share = number / 100 if unit else number
    if share > 1:
        raise AskError(Note("a reliability lies between 0% and 100%"), suggestions=("reliability>=98%",))
    return _whole(share * PPM, text)


def _disk(text: str, written: NumberFormat) -> int:
    number, unit = _read(_SIZE, text, written)
    if not number:
        raise ValueError(text)
    return _whole(number * _GB[unit], text)


def _region(text: str, written: NumberFormat) -> str:
    return region_named(text)


_READ: Mapping[str, Callable[[str, NumberFormat], Any]] = {
    "gpus": _gpus,
    "region": _region,
    "reliability": _reliability,
    "disk": _disk,
}
