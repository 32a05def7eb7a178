"""Words in the reader's language: translation (gettext catalogues), numbers, money, durations and times.

English is the key; ``locales/pt_BR/LC_MESSAGES/*.po`` holds Brazilian Portuguese, one file a question.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from analytics.evidence import (
    AHEAD_SECONDS,
    PLACES,
    SMALL_PLACES,
    SMALL_USD,
    Evidence,
    Freshness,
    Note,
    Percent,
    Plural,
    Usd,
    written,
)
from analytics.quantities import ENGLISH, PORTUGUESE

LOCALES = {"en": "en_US", "pt-BR": "pt_BR"}
"""Languages on offer -> the CLDR locale of their numbers."""

NUMBERS = {"en": ENGLISH, "pt-BR": PORTUGUESE}
"""How each writes numbers."""

_FOLDER = Path(__file__).with_name("locales")
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@functools.cache
def _catalogue(locale: str) -> dict[str, tuple[str, ...]]:
    """English (its singular) -> the forms of the translation, from every .po file of the locale.

    Babel is slow to import, so only when needed.
    """
    from babel.messages.pofile import read_po

    forms: dict[str, tuple[str, ...]] = {}
    for path in sorted((_FOLDER / locale / "LC_MESSAGES").glob("*.po")):
        with path.open("rb") as file:
            messages = [message for message in read_po(file, locale=locale) if message.id]
        forms |= {_tuple(m.id)[0]: _tuple(m.string) for m in messages if m.string}
    return forms


def _tuple(text: str | Sequence[str]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


@functools.cache
def _plural_form(locale: str) -> Callable[[Any], str]:
    """CLDR's rule of a locale: number -> plural category. Unlike gettext's it knows fractions."""
    from babel import Locale

    return Locale.parse(locale).plural_form


def pick_language(asked: str | None, default: str = "en") -> str:
    """The language on offer nearest to a locale tag such as ``pt``, ``pt_BR`` or ``en-GB``, else the default."""
    head = (asked or "").replace("_", "-").split(",")[0].split(";")[0].strip().lower()
    for tag in LOCALES:
        if head == tag.lower():
            return tag
    for tag in LOCALES:
        if head.split("-")[0] == tag.split("-")[0].lower():
            return tag
    return default


@functools.cache
def is_language(tag: str) -> bool:
    """Whether a locale tag begins with a language that CLDR knows, on offer here or not."""
    from babel import Locale, UnknownLocaleError

    head = tag.replace("_", "-").split("-")[0].strip().lower()
    try:
        Locale.parse(head)
    except (ValueError, UnknownLocaleError):
        return False
    return True


class Words:
    """Texts and figures of one language. ``now`` (UTC seconds) is what ages are counted from."""

    def __init__(self, language: str, now: int) -> None:
        self.language = pick_language(language)
        self.locale = LOCALES[self.language]
        self.now = now

    def __call__(self, text: str | Plural | Note, /, **values: Any) -> str:
        """A sentence in this language with its places filled; notes inside it are translated too."""
        if isinstance(text, Note):
            return self(text.text, **text.values)
        shown = {key: self._value(value) for key, value in values.items()}
        template = text.english(shown) if isinstance(text, Plural) else text
        if self.language != "en":
            template = self._translation(text, values) or template
        return template.format(**shown) if values else template

    def _translation(self, text: str | Plural, values: Mapping[str, Any]) -> str | None:
        """The template in this language, in the form for its number; None where there is no translation."""
        if isinstance(text, str):
            return _catalogue(self.locale).get(text, (None,))[0]
        forms = _catalogue(self.locale).get(text.one)
        return forms[_plural_form(self.locale)(values[text.count]) != "one"] if forms else None

    def _value(self, value: Any) -> Any:
        if isinstance(value, Note):
            return self(value)
        if isinstance(value, Usd):
            return self.money(value.dollars, value.digits)
        if isinstance(value, Percent):
            return self.percent(value.value, value.digits)
        if isinstance(value, (tuple, list)):
            return ", ".join(str(self._value(item)) for item in value)
        return self.number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value

    def number(self, value: float | None, digits: int | None = None) -> str:
        """A number with this language's separators, ``–`` for None; without ``digits`` at most four decimals.

        A number too small for four decimals keeps ten, so that it is not said to be zero.
        """
        if value is None:
            return "–"
        text = written(value) if digits is None else f"{value:,.{digits}f}"
        return text if self.language == "en" else text.translate(str.maketrans(",.", ".,"))

    def money(self, dollars: float | None, digits: int | None = None) -> str:
        """USD: three decimals below $10 (GPU prices are cents), two from there; ``–`` for None."""
        if dollars is None:
            return "–"
        places = digits if digits is not None else (SMALL_PLACES if abs(dollars) < SMALL_USD else PLACES)
        return f"{'-' if dollars < 0 else ''}${self.number(abs(dollars), places)}"

    def percent(self, value: float | None, digits: int = 1, *, signed: bool = False) -> str:
        """A percentage given in percent."""
        if value is None:
            return "–"
        rounded = round(value, digits) + 0.0  # what rounds to nothing has no sign, and -0.0 + 0.0 is 0.0
        return f"{'+' if signed and rounded > 0 else ''}{self.number(rounded, digits)}%"

    def share(self, fraction: float | None, digits: int = 0) -> str:
        """A fraction as a percentage."""
        return self.percent(None if fraction is None else 100 * fraction, digits)

    def hours(self, hours: float | None) -> str:
        """A duration given in hours, in the unit people use for that length."""
        if hours is None:
            return "–"
        if hours < 1:
            return f"{self.number(hours * 60, 0)} min"
        return f"{self.number(hours, 1)} h" if hours < 72 else f"{self.number(hours / 24, 1)} d"

    def ago(self, at: int) -> str:
        """How long ago UTC second ``at`` was."""
        age = self.now - at
        if age < -AHEAD_SECONDS:
            return self("{hours} ahead of now", hours=self.hours(-age / _HOUR))
        age = max(0, age)
        if age < 2 * _MINUTE:
            return self("{n} s ago", n=age)
        if age < 2 * _HOUR:
            return self("{n} min ago", n=age // _MINUTE)
        if age < 2 * _DAY:
            return self("{n} h ago", n=age // _HOUR)
        return self(Plural("{n} d ago", "{n} d ago"), n=age // _DAY)

    def lead(self, conclusion: str, evidence: Evidence) -> str:
        """The first line of an answer. It begins with its age when the data are stale: nobody may take it for now."""
        if not evidence.stale or evidence.as_of is None:
            return conclusion
        return self("As of {age}: {text}", age=self.ago(_second(evidence.as_of)), text=conclusion)

    def footer(self, evidence: Evidence) -> str:
        """The line under every answer: sample, history, age, and a warning when it is stale."""
        parts = [self(Plural("{n} offer", "{n} offers"), n=evidence.offers)] if evidence.offers else []
        if evidence.exposure_hours is not None:
            parts.append(self("{hours} observed", hours=self.hours(evidence.exposure_hours)))
        if evidence.history_days is not None:
            history = Plural("{days} day of history", "{days} days of history")
            days = evidence.history_days
            parts.append(self(history, n=round(days), days=self.number(days, 0)))
        if evidence.as_of is None:
            parts.append(self("never polled"))
        else:
            at = _second(evidence.as_of)
            parts.append(self(_AGE[evidence.freshness], age=self.ago(at)))
        return " · ".join(parts)


_AGE = {
    Freshness.FRESH: "{age}",
    Freshness.LATE: "STALE: {age}",
    Freshness.QUOTA_SPENT: "STALE, the market's rows of the day are spent: {age}",
    Freshness.MARKET_DOWN: "STALE, the market cannot be read: {age}",
    Freshness.MISDATED: "AGE UNKNOWN: {age}",
}
"""How the age of data is told."""


def _second(text: str) -> int:
    """UTC seconds of an ISO time."""
    return int(dt.datetime.fromisoformat(text).timestamp())
