"""``digest daily 09:00`` and ``weekly``: what happened, told once a day or week; ``digest list`` and ``off``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from analytics.evidence import Note, Plural
from bot.commands.alerts.owned import asker_of
from bot.commands.schedules import turning_off
from bot.commands.schedules.dashboards import Line, lines, lines_table
from bot.commands.schedules.owned import (
    AT,
    GPUS,
    LANGUAGE,
    TO,
    TZ,
    Owned,
    is_direct,
    known_to,
    language_of,
    named_models,
    put,
    time_of,
    told_in,
    where,
    zone_of,
)
from bot.commands.schedules.turning_off import ALL, TurnedOff, off_card
from bot.commands.team_settings import aimed, elsewhere
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Action, Card
from bot.presentation.words import Words
from bot.schedules.descriptions import DAYS, asked_now, describe, local_clock, terms
from bot.schedules.specs import DigestSpec, Spec, load

WEEKDAYS = tuple(day.lower() for day in DAYS)

ALWAYS, NEWS = "always", "news"
"""Whether a digest comes each time, or only when something happened."""


@dataclass(frozen=True, slots=True)
class DigestAdded:
    """A digest that comes from now on."""

    id: str
    what: Note
    terms: tuple[Note, ...]
    where: str
    changed: bool
    """there was one of the same models, whose time this is now"""
    next_at: str
    """as the clock on the wall shows it"""
    now: str
    """what to type to see one now"""
    channel: str | None
    """the team's default channel, where it is told there and was asked elsewhere"""


@dataclass(frozen=True, slots=True)
class DigestList:
    """Those of a team, as far as the asker may know of them."""

    digests: tuple[Line, ...]
    channel: str
    """that it is asked in"""


async def ask_daily(query: QueryContext, *, to: str, **given: Any) -> DigestAdded:
    """One a day."""
    there = aimed(query, to)
    return await _add(there, await _spec(there, to, given), to, elsewhere(query, there))


async def ask_weekly(query: QueryContext, *, to: str, day: str, **given: Any) -> DigestAdded:
    """One a week."""
    there = aimed(query, to)
    spec = replace(await _spec(there, to, given), period="week", weekday=WEEKDAYS.index(day))
    return await _add(there, spec, to, elsewhere(query, there))


async def _spec(query: QueryContext, to: str, given: Mapping[str, Any]) -> DigestSpec:
    direct = is_direct(asker_of(query), to)
    return DigestSpec(
        at=time_of(given["at"]),
        gpus=await named_models(query, given["gpus"]),
        zone=zone_of(query, given["tz"]),
        language=language_of(query, given["language"], direct=direct),
        news_only=given["when"] == NEWS,
    )


async def _add(query: QueryContext, spec: DigestSpec, to: str, channel: str | None) -> DigestAdded:
    asker = asker_of(query)
    direct = is_direct(asker, to)
    async with query.writing() as writer:
        row, changed = await put(query, writer, spec, direct=direct, same=lambda one: _is_same(one, spec))
    next_at = local_clock(spec.next_after(query.now, row.created_at), spec.zone)
    told = tuple(terms(spec))
    place = where(row.destination)
    return DigestAdded(row.public_id, describe(spec), told, place, changed, next_at, asked_now(spec), channel)


def _is_same(one: Spec, spec: DigestSpec) -> bool:
    """Whether two tell the same people of the same: then the new one is the time of the old one."""
    return isinstance(one, DigestSpec) and (one.period, set(one.gpus)) == (spec.period, set(spec.gpus))


async def ask_list(query: QueryContext) -> DigestList:
    """The asker's own first."""
    asker = asker_of(query)
    rows = [row for row in await known_to(query.reader.schedules, asker) if row.kind == "digest"]
    return DigestList(lines([Owned(row, load(row)) for row in rows], asker.person), asker.channel)


async def ask_off(query: QueryContext, *, which: str | None) -> TurnedOff:
    """End one by its name, or the only one that is told here."""
    return await turning_off.ask_off(query, "digest", which)


def card(answer: DigestAdded, words: Words) -> Card:
    """What it is and when it comes first."""
    changed = (words("It takes the place of the one that was here."),) if answer.changed else ()
    return Card(
        words("Digest {id}", id=answer.id),
        words("The first one comes at {at}.", at=answer.next_at),
        notes=(words(answer.what), *map(words, answer.terms), *told_in(answer.channel, words), *changed),
        actions=(
            Action(words("Show one now"), answer.now),
            Action(words("Turn off"), f"digest off {answer.id}", "danger"),
        ),
    )


def list_card(answer: DigestList, words: Words) -> Card:
    """A line each."""
    title = words("Digests")
    if not answer.digests:
        return Card(title, words("There are none yet. For example: {example}", example="digest daily 09:00"))
    count = Plural("{n} digest", "{n} digests")
    return Card(title, words(count, n=len(answer.digests)), lines_table(title, answer.digests, answer.channel, words))


_WHEN = Param(
    "when", "choice", "each time, or only when something happened (news)", default=ALWAYS, choices=(ALWAYS, NEWS)
)

DAILY = Command(
    name="digest daily",
    summary="What happened, once a day at a time of your choice",
    path=None,
    params=(AT, GPUS, _WHEN, TO, TZ, LANGUAGE),
    ask=ask_daily,
    card=card,
    examples=("digest daily 09:00", "digest daily 18:30 4090 news"),
    role="member",
    method="POST",
)
WEEKLY = Command(
    name="digest weekly",
    summary="What happened, once a week",
    path=None,
    params=(AT, GPUS, Param("day", "choice", "the day of the week", default="monday", choices=WEEKDAYS), _WHEN, TO, TZ,
            LANGUAGE),
    ask=ask_weekly,
    card=card,
    examples=("digest weekly 09:00", "digest weekly friday 17:00"),
    role="member",
    method="POST",
)  # fmt: skip
LIST = Command(
    name="digest list",
    summary="The digests of this workspace",
    path=None,
    params=(),
    ask=ask_list,
    card=list_card,
    examples=("digest list",),
    role="member",
)
OFF = Command(
    name="digest off",
    summary="End a digest",
    path=None,
    params=(Param("which", "text", "its name, or “all” of this channel", suggest=(ALL,)),),
    ask=ask_off,
    card=off_card,
    examples=("digest off last", "digest off all"),
    role="member",
    method="POST",
)
