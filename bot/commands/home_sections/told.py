"""What comes by itself: the dashboards and digests of this place and one's own, and when each was told last."""

from __future__ import annotations

from dataclasses import dataclass

from analytics.evidence import Note
from bot.commands import settings
from bot.commands.home_sections.section import Ground, Section, Shown
from bot.commands.schedules.owned import known_to, place_in_words, where
from bot.presentation.card import Action, Column, Table
from bot.presentation.words import Words
from bot.schedules.descriptions import describe, local_clock
from bot.schedules.specs import load

MOST_SHOWN = 4
"""Dashboards and digests that are listed (ours: one screen; ``subscriptions`` has them all)."""


@dataclass(frozen=True, slots=True)
class ToldHere:
    """One of them; ``told_at``, ``next_at``: as the clock on the wall shows them."""

    what: Note
    where: str
    told_at: str | None
    next_at: str | None
    stopped: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """The newest of them, and how many more there are."""

    schedules: tuple[ToldHere, ...]
    more: int
    channel: str


async def read(ground: Ground) -> Told:
    """Those that the asker made, and those that are told where they ask."""
    asker = settings.asker_of(ground.query)
    rows = await known_to(ground.query.reader.schedules, asker)
    mine = [row for row in rows if row.owner.person == asker.person or row.destination.channel == asker.channel]
    mine.sort(key=lambda row: row.id, reverse=True)
    shown = []
    for row in mine[:MOST_SHOWN]:
        spec = load(row)
        told_at, due_at = (None if at is None else local_clock(at, spec.zone) for at in (row.told_at, row.due_at))
        shown.append(ToldHere(describe(spec), where(row.destination), told_at, due_at, row.stopped))
    return Told(tuple(shown), max(0, len(mine) - MOST_SHOWN), asker.channel)


def show(answer: Told, words: Words) -> Shown:
    """A line each; where there is none, how one is made."""
    if not answer.schedules:
        text = words("No digest comes to you yet. For example: {example}", example="digest daily 09:00")
        return Shown(notes=(text,))
    columns = tuple(Column(words(title)) for title in ("what", "last", "next", "where"))
    rows = tuple(_cells(one, answer.channel, words) for one in answer.schedules)
    notes = (words("dashboards and digests beyond these: {n}", n=answer.more),) if answer.more else ()
    table = Table(words("Dashboards and digests"), columns, rows)
    return Shown((table,), notes, (Action(words("Subscriptions"), "subscriptions"),))


def _cells(one: ToldHere, channel: str, words: Words) -> tuple[str, ...]:
    following = words("not delivered") if one.stopped else one.next_at or "–"
    return words(one.what), one.told_at or "–", following, place_in_words(one.where, channel, words)


SECTION = Section("told", read, show)
