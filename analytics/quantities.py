"""Numbers and quantities as people write them, in languages that separate differently: never another number."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from analytics.units import Units


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """Which signs separate digits. Where nothing groups them (``group`` is empty), numbers are written as JSON's."""

    group: str
    decimal: str

    @property
    def samples(self) -> tuple[str, str]:
        """A whole number and a fraction, written so."""
        return f"1{self.group}500", f"1{self.decimal}5"


ENGLISH = NumberFormat(",", ".")
PORTUGUESE = NumberFormat(".", ",")
PLAIN = NumberFormat("", ".")
"""What programs write: the only one that is read where no language is stated."""

_JSON = re.compile(r"(?P<whole>0|[1-9][0-9]*)(?:\.(?P<part>[0-9]+))?")
_POINT = re.compile(r"(?P<whole>[0-9]*)\.(?P<part>[0-9]+)")
_GROUPED_ALIKE = re.compile(r"-?[1-9][0-9]{0,2}\.[0-9]{3}")


@functools.cache
def _forms(written: NumberFormat) -> tuple[re.Pattern[str], ...]:
    """How a number is written, tried in this order."""
    if not written.group:
        return (_JSON,)
    group, decimal = re.escape(written.group), re.escape(written.decimal)
    fraction = f"(?:{decimal}(?P<part>[0-9]+))?"
    grouped = re.compile(f"(?P<whole>[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+){fraction}")
    own = re.compile(f"(?P<whole>[0-9]*){fraction}")
    return (grouped, own) if written.decimal == "." else (grouped, own, _POINT)


def read_decimal(text: str, written: NumberFormat) -> Decimal | None:
    """The number that a text of digits and separators writes, or None where it writes none.

    Groups have three digits and begin with another than 0: ``1,500`` is 1500 in English and 1.5 in Portuguese. What
    programs write is read everywhere, so ``0.35`` also in Portuguese, where it can be no group; ``0,35`` in English is
    refused, because a slip of the finger and another country's habit look the same.
    """
    for form in _forms(written):
        match = form.fullmatch(text.strip())
        if match and any(match.groups()):
            whole = (match["whole"] or "0").replace(written.group or ",", "")
            return Decimal(f"{whole}.{match['part'] or '0'}")
    return None


def write_decimal(value: Decimal | float) -> str:
    """A finite number in digits that are read as the same number whatever the language: no groups, a point."""
    exact = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    text = f"{exact:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    # three digits behind the point are a group in Portuguese, four are none
    return f"{text}0" if _GROUPED_ALIKE.fullmatch(text) else text


def rewritten(text: str, written: NumberFormat) -> tuple[str, ...]:
    """How to write, in this format, the numbers that a refused text may have meant; empty where it is none anywhere."""
    others = (ENGLISH, PORTUGUESE)
    meant = dict.fromkeys(number for other in others if (number := read_decimal(text, other)) is not None)
    return tuple(write_decimal(number).replace(".", written.decimal) for number in meant)


_QUANTITY = re.compile(
    r"(?P<digits>[0-9.,_'’]*[0-9])(?P<stop>\.?)(?P<power>(?:e[-+]?[0-9]{1,3})?)(?P<unit>.*)", re.DOTALL | re.IGNORECASE
)
_PER = re.compile(r"\s*(?:/|\b(?:per|por|an?|ao)\b)\s*")


@dataclass(frozen=True, slots=True)
class QuantityText:
    """What a text says of a quantity; its digits are not yet read as a number."""

    sign: str
    before: str
    """a currency's sign before the digits"""
    digits: str
    stop: str
    """a full stop behind the digits"""
    power: str
    """a power of ten such as ``e9``"""
    unit: str
    """in lower case, with ``/`` for the word between two units"""


def split_quantity(text: str, units: Units, before: Sequence[str] = ()) -> QuantityText | None:
    """What looks like a number with one of these units, or None. ``before``: signs that may stand before the number."""
    body = text.strip()
    sign = body[:1] if body.startswith(("-", "+")) else ""
    body = body[len(sign) :].lstrip()
    leading = next((each for each in before if body.lower().startswith(each)), "")
    match = _QUANTITY.fullmatch(body[len(leading) :].lstrip())
    unit = _PER.sub("/", match["unit"].strip().lower().rstrip(".!?;,")).strip() if match else ""
    if match is None or unit not in units:
        return None
    return QuantityText(sign, leading, match["digits"], match["stop"], match["power"], unit)


def quantity(text: str, units: Units, written: NumberFormat, before: Sequence[str] = ()) -> float | None:
    """A number with its unit ("$0.35", "2.5 %", "100 h"), in the first of the units; None where it is none."""
    parts = split_quantity(text, units, before)
    number = read_decimal(parts.digits, written) if parts else None
    if parts is None or number is None or (written == PLAIN and (parts.sign == "+" or parts.stop)):
        return None
    value = float(f"{parts.sign}{number:f}{parts.power}") * units[parts.unit]
    vanished = value == 0 and number != 0  # a power that no float has
    return value if math.isfinite(value) and not vanished else None


def plain_quantity(text: str, units: Units, written: NumberFormat, before: Sequence[str] = ()) -> str:
    """The same quantity with digits that every language reads alike; the text itself where it is none."""
    parts = split_quantity(text, units, before)
    number = read_decimal(parts.digits, written) if parts else None
    if parts is None or number is None:
        return text
    return text.replace(parts.digits + parts.stop, write_decimal(number), 1)


_NUMBER_IN_TEXT = re.compile(r"(?<![\w.,])[0-9](?:[0-9.,]*[0-9])?")


def plain_numbers(text: str, written: NumberFormat) -> str:
    """A text in which each number is written as every language reads it; what is no number stays."""

    def plain(found: re.Match[str]) -> str:
        number = read_decimal(found[0], written)
        return found[0] if number is None else write_decimal(number)

    return _NUMBER_IN_TEXT.sub(plain, text)
