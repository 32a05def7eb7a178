"""What ``spotbot import`` says of a file that it brought in, for a terminal of 80 columns."""

from __future__ import annotations

import datetime as dt
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from analytics.market import DAY, HOUR, Poll, Quality
from bot.cli.counted import counted
from bot.sources.import_book import BAD_ROWS
from bot.sources.importing import ImportReport
from bot.store.retention import HISTORY_DAYS

WIDTH = 80
MOST_NAMES = 12
"""Names that a line lists; the rest is counted."""
OLD = DAY
"""Seconds after which the newest row tells nothing of now."""
_WRAPPER = textwrap.TextWrapper(WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
KINDS = ("complete", "cut off", "void", "doubtful")
"""What a poll may be: whole; a part of the market; with too many unreadable rows; or not to be believed."""


@dataclass(slots=True)
class Stored:
    """What of a file was stored: hours of prices or polls of offers, by what they are."""

    hours: int = 0
    priced: int = 0
    """hours with a price, those stored before too"""
    world: int = 0
    """as many of all regions together"""
    polls: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    """hours or polls of time that was stored before"""

    @property
    def counts(self) -> bool:
        """Whether anything of the file counts, now or since it was stored before."""
        return bool(self.priced or self.polls["complete"] or (self.skipped and not self.hours))


def kind_of(poll: Poll) -> str:
    """Which of ``KINDS`` a stored poll is."""
    if poll.quality is Quality.CAPPED:
        return "void" if poll.note == BAD_ROWS else "cut off"
    return "complete" if poll.quality is Quality.COMPLETE else "doubtful"


def said(report: ImportReport, stored: Stored, part: str, now: int) -> str:
    """The lines about a file: what was stored and what was read otherwise, how old it is and what it is good for."""
    lines = [_first(report, stored)]
    for what, text in (
        ("polls", _polls(report, stored)),
        ("listed less often, unknown in between", _slower(report)),
        ("span", _span(report)),
        ("taken as incomplete", _incomplete(report, part)),
        ("taken as whole", "" if part or not report.sample else f"as you say, though {report.sample}"),
        *_names(report),
        ("old", _too_old(report, now)),
        ("newest", _newest(report, now)),
        ("good for", _good_for(report, stored, now)),
    ):
        if text:
            lines += _WRAPPER.wrap(f"{what}: {text}")
    return "\n".join(lines)


def skipped_lines(report: ImportReport) -> str:
    """The lines that could not be used, by number."""
    lines = [f"{report.path.name}: {counted(report.bad, 'line')} skipped", *(f"  {text}" for text in report.messages)]
    more = report.bad - len(report.messages)
    return "\n".join([*lines, f"  and {more} more"] if more else lines)


def _first(report: ImportReport, stored: Stored) -> str:
    rows, models = counted(report.rows, "row"), counted(len(report.models), "model")
    what = counted(stored.polls.total(), "poll") if report.kind == "offers" else counted(stored.hours, "hour")
    before = "already covered" if report.kind == "offers" else "already there"
    left = f", {stored.skipped} {before}" if stored.skipped else ""
    return f"{report.path.name}: {rows} of {models}, {what} stored{left}"


def _polls(report: ImportReport, stored: Stored) -> str:
    if report.kind != "offers" or not stored.polls:
        return ""
    every = f", {_length(report.interval)} apart" if report.last_round != report.since else ""
    return ", ".join(f"{stored.polls[kind]} {kind}" for kind in KINDS) + every


def _slower(report: ImportReport) -> str:
    return _list(f"{model} every {_length(wait)}" for model, wait in sorted(report.slower.items()))


def _span(report: ImportReport) -> str:
    if report.since is None or report.until is None:
        return ""
    return f"{_time(report.since)} to {_time(report.until)} UTC ({_length(report.until - report.since)})"


def _incomplete(report: ImportReport, part: str) -> str:
    return part and (
        f"{report.sample or part}. What such polls leave out is unknown, so no price, interruption or empty market is "
        "counted from them. --complete=yes insists that they are whole."
    )


def _names(report: ImportReport) -> Iterator[tuple[str, str]]:
    yield "read as", _list(f"{read.spelt} as {read.model}" for read in report.names if read.otherwise)
    several = (f"{read.spelt} ({' or '.join(read.meant)})" for read in report.names if len(read.meant) > 1)
    yield "may be several models, kept as written", _list(several)
    yield "not in the catalogue, kept as written", _list(read.spelt for read in report.names if not read.meant)


def _too_old(report: ImportReport, now: int) -> str:
    edge = now - HISTORY_DAYS * DAY
    if report.since is None or report.until is None or report.since >= edge:
        return ""
    what = "all of it" if report.until < edge else f"what is before {_time(edge)}"
    return f"{what} is older than the {HISTORY_DAYS} days kept; history does not show it, and polling lets it go"


def _newest(report: ImportReport, now: int) -> str:
    if report.until is None or now - report.until < OLD:
        return ""
    return f"{_length(now - report.until)} old; answers about now call it old or refuse until newer data come"


def _good_for(report: ImportReport, stored: Stored, now: int) -> str:
    if not stored.counts:
        return "nothing: no row or poll of this file counts"
    if report.until is not None and report.until < now - HISTORY_DAYS * DAY:
        return "backtest alone"
    if report.kind == "prices" and not stored.world:
        return "no question yet: no row with a price is of all regions together (an empty region, or World)"
    if report.kind == "prices":
        return "monitor, predict, history, savings, backtest"
    return "all questions, as far as the history reaches"


def _list(texts: Iterable[str]) -> str:
    known = list(dict.fromkeys(texts))
    more = [f"and {len(known) - MOST_NAMES} more"] if len(known) > MOST_NAMES else []
    return ", ".join([*known[:MOST_NAMES], *more])


def _time(at: int) -> str:
    return f"{dt.datetime.fromtimestamp(at, dt.UTC):%Y-%m-%d %H:%M}"


def _length(seconds: int) -> str:
    """A length of time in its largest unit that is not below two, or in seconds."""
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (60, "minute")):
        if seconds >= 2 * unit:
            return counted(round(seconds / unit), name)
    return counted(seconds, "second")
