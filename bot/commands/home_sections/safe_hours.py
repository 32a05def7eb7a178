"""Safe hours of the week to come, on the asker's clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from analytics.answers.windows import Asked, SafeWindows, Window, safe_windows
from analytics.errors import NotYet
from analytics.evidence import Note
from bot.commands.home_sections.section import Ground, Section, Shown
from bot.commands.windows import asked_in, when
from bot.presentation.card import Column, Table
from bot.presentation.words import Words

MOST_STARTS = 3
"""Windows that are named of a model (ours: one line)."""


@dataclass(frozen=True, slots=True)
class SafeHours:
    """The next windows of a model, or in one sentence why there are none."""

    gpu_name: str
    windows: tuple[Window, ...]
    why: Note | None


@dataclass(frozen=True, slots=True)
class MySafeHours:
    """Of each of the asker's models."""

    timezone: str
    gpus: tuple[SafeHours, ...]


async def read(ground: Ground) -> MySafeHours:
    """The windows of ``windows``, without their prices."""
    asked = asked_in(ground.query.zone())
    fitted = await ground.query.reader.hazard_profiles([row.name for row in ground.mine])
    found = []
    for row in ground.mine:
        own = fitted.get(row.name)
        profile = own and replace(own, thinning=ground.thinnings.get(row.name))
        try:
            lived = ground.lived.get(row.name, [])
            answer = safe_windows(row.name, lived, (), ground.query.basis_of([row]), asked, profile)
        except NotYet as error:
            found.append(SafeHours(row.name, (), error.note))
        else:
            found.append(_next(answer))
    return MySafeHours(_name(asked), tuple(found))


def _name(asked: Asked) -> str:
    return asked.zone_name


def _next(answer: SafeWindows) -> SafeHours:
    windows = sorted(answer.safe_windows, key=lambda window: window.next_start)[:MOST_STARTS]
    return SafeHours(answer.gpu_name, tuple(windows), None if windows else answer.conclusion)


def show(answer: MySafeHours, words: Words) -> Shown:
    """The next windows of each model that has some; of the others why there are none."""
    columns = (Column(words("GPU")), Column(words("next windows")))
    rows = tuple(
        (one.gpu_name, " · ".join(when(window, words) for window in one.windows)) for one in answer.gpus if one.windows
    )
    caption = words("Safe hours this week ({zone})", zone=answer.timezone)
    return Shown((Table(caption, columns, rows),) if rows else (), tuple(_reasons(answer, words)))


def _reasons(answer: MySafeHours, words: Words) -> Iterator[str]:
    """Models of which the same is to be said share a sentence."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for one in answer.gpus:
        if one.why is not None:
            by_reason[words(one.why)].append(one.gpu_name)
    for why, gpus in by_reason.items():
        yield words("no safe hours for {gpus}: {why}", gpus=gpus, why=why)


SECTION = Section("safe_hours", read, show)
