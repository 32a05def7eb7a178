"""How fresh the data are, and what the bot may do here: where it tells, for whom, in which language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analytics.evidence import Evidence, Freshness, Note, clock_time, iso, seconds_of
from bot.accounts import permits
from bot.commands import settings, status
from bot.commands.alerts.owned import is_told_alone
from bot.commands.home_sections.section import Ground, Section, Shown
from bot.dispatch.command import Command
from bot.presentation.card import Column, Table
from bot.presentation.words import Words

MOST_NAMED = 5
"""Models in trouble that are named (ours: one line)."""


@dataclass(frozen=True, slots=True)
class Held:
    """What holds of a setting, and who said so."""

    value: str
    by: str


@dataclass(frozen=True, slots=True)
class Here:
    """The state of the data and of this place. ``trouble``: model -> why its data are not fresh."""

    evidence: Evidence
    followed: int
    trouble: dict[str, str]
    polls_resume_at: str | None
    alone: bool
    """whether messages can only go to the asker"""
    role: str
    for_managers: tuple[str, ...]
    """commands, and groups of them"""
    language: Held
    tz: Held


async def read(ground: Ground) -> Here:
    """What ``status`` and ``settings`` say, as far as it needs no more reading."""
    query = ground.query
    followed = [row for row in ground.rows.values() if row.followed]
    held = await settings.show(query)
    asker = settings.asker_of(query)
    states = {row.name: query.basis_of([row]).freshness for row in followed}
    return Here(
        evidence=query.basis_of(followed or list(ground.rows.values())).evidence(Note("read from the poll log")),
        followed=len(followed),
        trouble={name: status.STATES[state] for name, state in states.items() if state is not Freshness.FRESH},
        polls_resume_at=None if query.spent_until is None else iso(query.spent_until),
        alone=is_told_alone(asker, "channel") or asker.is_alone or asker.channel.startswith("D"),
        role=asker.role,
        for_managers=tuple(_for_managers(query.commands)),
        language=_held(held, "language"),
        tz=_held(held, "tz"),
    )


def _for_managers(commands: Sequence[Command]) -> Iterator[str]:
    """A group whose commands all are for managers is told once."""
    rest = {command.name.split()[0] for command in commands if permits("member", command.role)}
    told = (command for command in commands if not permits("member", command.role) and command.role)
    yield from dict.fromkeys(c.name if c.name.split()[0] in rest else c.name.split()[0] for c in told)


def _held(answer: settings.Settings, name: str) -> Held:
    value, by = settings.held(answer, name)
    return Held(str(value), by)


def show(answer: Here, words: Words) -> Shown:
    """Two small tables."""
    columns = (Column(words("what")), Column(words("now")))
    state = Table(words("Status"), columns, tuple(_status(answer, words)))
    return Shown((state, Table(words("Here"), columns, tuple(_here(answer, words)))))


def _status(answer: Here, words: Words) -> Iterator[tuple[str, str]]:
    as_of = answer.evidence.as_of
    yield words("newest data"), words("never polled") if as_of is None else words.ago(seconds_of(as_of))
    yield words("models followed"), words.number(answer.followed)
    names = list(answer.trouble)
    told = [f"{name} ({words(answer.trouble[name])})" for name in names[:MOST_NAMED]]
    told += [f"+{len(names) - MOST_NAMED}"] if len(names) > MOST_NAMED else []
    yield words("trouble"), ", ".join(told) or words("none known")
    if answer.polls_resume_at is not None:
        yield words("polls go on at"), f"{clock_time(seconds_of(answer.polls_resume_at))} UTC"


def _here(answer: Here, words: Words) -> Iterator[tuple[str, str]]:
    told = "it writes to you directly" if answer.alone else "it may post in this channel, or write to you directly"
    yield words("messages"), words(told)
    yield words("your role"), words(answer.role)
    yield words("for managers"), ", ".join((words("others' alerts"), *answer.for_managers))
    for name, held in (("language", answer.language), ("time zone", answer.tz)):
        yield words(name), f"{held.value} ({words(held.by)})"


SECTION = Section("here", read, show)
