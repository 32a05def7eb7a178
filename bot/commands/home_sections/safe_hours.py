"""Safe hours of the week to come, on the asker's clock."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from analytics.answers.windows import SafeWindows, Window, safe_windows
from analytics.errors import NotYet
from analytics.evidence import Note
from analytics.interruptions.weekly_hazard import Hours
from bot.commands.home_sections.section import Ground, Section, Shown
from bot.commands.windows import DAY_NAMES, asked_in, first_hour
from bot.dispatch.command import QueryContext
from bot.presentation.card import Column, Table
from bot.presentation.words import Words
from bot.store.reader import ModelRow

MOST_GPUS = 3
"""Models whose weeks are read: each is twelve weeks of hours (ours: that is quick)."""

MOST_STARTS = 2
"""Windows that are named of a model (ours: one line of a telephone)."""


@dataclass(frozen=True, slots=True)
class SafeHours:
    """The next windows of a model, or in one sentence why there are none."""

    gpu_name: str
    windows: tuple[Window, ...]
    why: Note | None


@dataclass(frozen=True, slots=True)
class MySafeHours:
    """Of the first of the asker's models; ``others``: those that ``windows`` tells of."""

    timezone: str
    gpus: tuple[SafeHours, ...]
    others: tuple[str, ...]


async def read(ground: Ground) -> MySafeHours:
    """The windows of ``windows``, without their prices."""
    asked = asked_in(ground.query.zone())
    mine, others = ground.mine[:MOST_GPUS], ground.mine[MOST_GPUS:]
    fitted = await ground.query.reader.hazard_profiles([row.name for row in mine])
    weeks, found = await _lived(ground.query, mine), []
    for row in mine:
        own = fitted.get(row.name)
        profile = own and replace(own, thinning=ground.thinnings.get(row.name))
        try:
            lived, basis = weeks.get(row.name, []), ground.query.basis_of([row])
            answer = safe_windows(row.name, lived, (), basis, asked, profile)
        except NotYet as error:
            found.append(SafeHours(row.name, (), error.note))
        else:
            found.append(_next(answer))
    return MySafeHours(asked.zone_name, tuple(found), tuple(row.name for row in others))


async def _lived(query: QueryContext, rows: Sequence[ModelRow]) -> Mapping[str, Hours]:
    """What shadow tenants lived through by hour, of each model as far back as ``windows`` looks."""
    since = {row.name: await first_hour(query, row.name) for row in rows}
    if not since:
        return {}
    found = await query.reader.exposure_hours_by_model(since, min(since.values()))
    return {name: [one for one in hours if one[0] >= since[name]] for name, hours in found.items()}


def _next(answer: SafeWindows) -> SafeHours:
    windows = sorted(answer.safe_windows, key=lambda window: window.next_start)[:MOST_STARTS]
    return SafeHours(answer.gpu_name, tuple(windows), None if windows else answer.conclusion)


def show(answer: MySafeHours, words: Words) -> Shown:
    """The next windows of each model that has some; of the others why there are none."""
    columns = (Column(words("GPU")), Column(words("next windows")))
    rows = tuple(
        (one.gpu_name, ", ".join(_short(window, words) for window in one.windows)) for one in answer.gpus if one.windows
    )
    caption = words("Safe hours this week ({zone})", zone=answer.timezone)
    return Shown((Table(caption, columns, rows),) if rows else (), tuple(_reasons(answer, words)))


def _short(window: Window, words: Words) -> str:
    """A window in few letters; its last day is named only where it is another."""
    start, end = (dt.datetime.fromisoformat(time) for time in (window.next_start, window.next_end))
    last = "" if start.date() == end.date() else f"{words(DAY_NAMES[end.weekday()])} "
    return f"{words(DAY_NAMES[start.weekday()])} {start:%H:%M}–{last}{end:%H:%M}"


def _reasons(answer: MySafeHours, words: Words) -> Iterator[str]:
    """Models of which the same is to be said share a sentence."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for one in answer.gpus:
        if one.why is not None:
            by_reason[words(one.why)].append(one.gpu_name)
    for why, gpus in by_reason.items():
        yield words("no safe hours for {gpus}: {why}", gpus=gpus, why=why)
    if answer.others:
        yield words("safe hours of {gpus}: ask windows and the model", gpus=answer.others)


SECTION = Section("safe_hours", read, show)
