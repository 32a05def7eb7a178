"""What stands beside every answer: its age, sample, method, interval and caveats; and texts that can be translated."""

from __future__ import annotations

import datetime as dt
import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from analytics.market import DAY

STALE_AFTER_INTERVALS = 3
"""Data older than this many planned poll intervals is stale (source: definitions, "Freshness")."""

AHEAD_SECONDS = 300
"""Data dated further ahead of now than this was dated by a wrong clock (ours: a market's answer takes a minute, clocks
that are kept in time differ by seconds)."""


@dataclass(frozen=True, slots=True)
class Plural:
    """A template in its two forms, chosen by the number at the place ``count``; gettext's msgid and msgid_plural."""

    one: str
    other: str
    count: str = "n"

    def english(self, shown: Mapping[str, Any]) -> str:
        """The English form for values as they are written: 1 is singular, 0, 1.0 and 2 are not."""
        return self.one if str(shown[self.count]) == "1" else self.other


SMALL_USD, SMALL_PLACES, PLACES = 10, 3, 2
"""Amounts below $10 have three decimals, others two (ours: prices of a GPU-hour are cents)."""


@dataclass(frozen=True, slots=True)
class Usd:
    """An amount of money in a sentence, which faces write as they write all money. ``str()`` is English."""

    dollars: float
    digits: int | None = None
    """decimals, where not those of a price"""

    def __str__(self) -> str:
        usual = SMALL_PLACES if abs(self.dollars) < SMALL_USD else PLACES
        places = usual if self.digits is None else self.digits
        return f"{'-' if self.dollars < 0 else ''}${abs(self.dollars):,.{places}f}"


@dataclass(frozen=True, slots=True)
class Percent:
    """A percentage, given in percent, in a sentence; faces write it as they write all of them. ``str()`` is English."""

    value: float
    digits: int = 0

    def __str__(self) -> str:
        return f"{round(self.value, self.digits) + 0.0:,.{self.digits}f}%"


LEAST_WRITTEN = 1e-4
"""A number below this keeps ten decimals, others four (ours: none is said to be zero that is not)."""


def written(value: float) -> str:
    """A number as English writes it: thousands apart, and no more decimals than it needs."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.{4 if abs(value) >= LEAST_WRITTEN else 10}f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence with named places, kept apart from its values so that faces can translate it. ``str()`` is English.

    Write ``Note("gaps: {n}, together {hours} h", {"n": 3, "hours": 24})``; the template is the translation key. Where a
    noun follows its number, the template is a ``Plural``; of two counted nouns each is a Note of its own, as a value.
    ``usual``: true of every answer to its question, so it is said after what is true of this one.
    """

    text: str | Plural
    values: Mapping[str, Any] = field(default_factory=dict)
    usual: bool = False

    def __str__(self) -> str:
        shown = {key: _english(value) for key, value in self.values.items()}
        if isinstance(self.text, Plural):
            return self.text.english(shown).format(**shown)
        return self.text.format(**shown) if shown else self.text


def _english(value: Any) -> Any:
    """Numbers have their thousands apart; several things are a list with commas."""
    if isinstance(value, (tuple, list)):
        return ", ".join(str(_english(item)) for item in value)
    return written(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


class Freshness(enum.StrEnum):
    """The state of the data behind an answer (source: definitions, "State of the data")."""

    FRESH = "fresh"
    LATE = "late"
    """no complete poll for more than three planned intervals"""
    QUOTA_SPENT = "quota_spent"
    """late, because the market gives no more rows today"""
    MARKET_DOWN = "market_down"
    """late, because the polls since then failed"""
    MISDATED = "misdated"
    """dated ahead of now"""
    NEVER_POLLED = "never_polled"


QUOTA_SPENT = "The rows that the market gives in a day are spent; polling goes on at {time} UTC."

CAUSES = {
    Freshness.MARKET_DOWN: Note("The market could not be read since then: every poll failed."),
    Freshness.MISDATED: Note(
        "The latest poll is dated in the future: the clock was wrong when it was made, or is wrong now. "
        "Its age is unknown."
    ),
}
"""Why data are not fresh, where more is known than their age."""

RECORDED = "the price is as imported, without the offers behind it: {models}"
RECORDED_MANY = "models whose price is as imported, without the offers behind it: {n}"
"""What is said of prices that were not worked out here: the method of the answer is not how they were made."""

RECORDED_NAMED = 3
"""Models that are named in it; of more the number is enough (ours: a line of chat)."""

OMIT = {"omit_none": True}
"""Field metadata: leave the key out of the JSON when the value is None (never for a key that the guide promises)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What an answer rests on."""

    as_of: str | None
    stale: bool
    freshness: Freshness
    history_days: float | None
    offers: int
    method: Note
    caveats: tuple[Note, ...] = ()
    exposure_hours: float | None = field(default=None, metadata=OMIT)
    interval_95: Mapping[str, Any] | None = field(default=None, metadata=OMIT)
    assumptions: Mapping[str, Any] | None = field(default=None, metadata=OMIT)
    details: Mapping[str, Any] | None = field(default=None, metadata=OMIT)


@dataclass(frozen=True, slots=True)
class Basis:
    """The state of the data behind an answer, from which its :class:`Evidence` is made.

    as_of: UTC seconds of the oldest latest poll among the models used, None when no poll counts;
    interval: planned seconds between polls; first_at: UTC seconds of the first stored hour;
    offers: free minimal slices, the same number in every answer about the same models.
    """

    now: int
    as_of: int | None
    interval: int
    first_at: int | None
    offers: int
    failing: bool = False
    """every model's latest poll failed"""
    spent_until: int | None = None
    """when the market gives rows again, if none are left today"""
    capped: bool = False
    """every model's latest poll was cut off at a number of rows"""
    recorded: tuple[str, ...] = ()
    """the models whose price was imported without the offers behind it"""

    @property
    def freshness(self) -> Freshness:
        """What is known of why the data are as old as they are."""
        if self.as_of is None:
            return Freshness.NEVER_POLLED
        if self.as_of - self.now > AHEAD_SECONDS:
            return Freshness.MISDATED
        if self.now - self.as_of <= STALE_AFTER_INTERVALS * self.interval:
            return Freshness.FRESH
        if self.spent_until is not None and self.now < self.spent_until:
            return Freshness.QUOTA_SPENT
        return Freshness.MARKET_DOWN if self.failing else Freshness.LATE

    @property
    def stale(self) -> bool:
        """Older than three planned intervals, or of no known age."""
        return self.freshness is not Freshness.FRESH

    @property
    def history_days(self) -> float | None:
        """Days between the first stored hour and the latest poll."""
        if self.first_at is None or self.as_of is None:
            return None
        return round(max(0, self.as_of - self.first_at) / DAY, 1)

    def ready_after(self, missing: int) -> int | None:
        """UTC seconds when ``missing`` more seconds will have been polled; never past. None where nobody polls."""
        return None if self.as_of is None or self.stale else max(self.now, self.as_of + missing)

    def evidence(self, method: Note, caveats: tuple[Note, ...] = (), **more: Any) -> Evidence:
        """The evidence of an answer that used ``method``; why the data are old comes first, what is usual last."""
        return Evidence(
            as_of=None if self.as_of is None else iso(self.as_of),
            stale=self.stale,
            freshness=self.freshness,
            history_days=self.history_days,
            offers=self.offers,
            method=method,
            caveats=tuple(sorted((*self._cause(), *self._recorded(), *caveats), key=lambda note: note.usual)),
            **more,
        )

    def _cause(self) -> tuple[Note, ...]:
        """Why the data are not fresh, if that is known."""
        if self.freshness is Freshness.QUOTA_SPENT and self.spent_until is not None:
            return (Note(QUOTA_SPENT, {"time": clock_time(self.spent_until)}),)
        return (CAUSES[self.freshness],) if self.freshness in CAUSES else ()

    def _recorded(self) -> tuple[Note, ...]:
        """That prices were not worked out here."""
        if len(self.recorded) > RECORDED_NAMED:
            return (Note(RECORDED_MANY, {"n": len(self.recorded)}),)
        return (Note(RECORDED, {"models": self.recorded}),) if self.recorded else ()


def clock_time(at: int) -> str:
    """Hours and minutes, UTC."""
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%H:%M")


def iso(at: int) -> str:
    """UTC seconds as ISO 8601 with a Z."""
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(text: str) -> int:
    """UTC seconds of an ISO 8601 time."""
    return int(dt.datetime.fromisoformat(text).timestamp())


_ATOMS = frozenset({str, int, float, bool, type(None)})


def plain(value: Any) -> Any:
    """An answer as JSON-ready dicts, lists, numbers and strings; field order is kept, notes become English."""
    if type(value) in _ATOMS:  # most of any answer
        return value
    if isinstance(value, Note):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: plain(item)
            for f in fields(value)
            if not ((item := getattr(value, f.name)) is None and f.metadata.get("omit_none"))
        }
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def to_json(answer: Any) -> str:
    """The one JSON text of an answer: what HTTP sends and the console prints. NaN and infinity are refused."""
    return json.dumps(plain(answer), ensure_ascii=False, allow_nan=False, indent=2) + "\n"
