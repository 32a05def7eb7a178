"""``dashboard market 4090 here``: one message that stays current; ``dashboard list`` and ``dashboard off``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.evidence import Note, Plural, iso
from analytics.market import DAY, HOUR
from bot.commands.alerts.owned import asker_of
from bot.commands.schedules import turning_off
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
    place_in_words,
    put,
    time_of,
    told_in,
    where,
    zone_of,
)
from bot.commands.schedules.turning_off import ALL, TurnedOff, off_card
from bot.commands.team_settings import aimed, elsewhere
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Action, Card, Column, Table
from bot.presentation.words import Words
from bot.schedules.descriptions import VIEWS, describe, local_clock
from bot.schedules.producing import dashboard_message
from bot.schedules.specs import RHYTHMS, DashboardSpec, Spec, View, load

EVERY: Mapping[str, int] = {"5min": 300, "hourly": HOUR, "daily": DAY}


@dataclass(frozen=True, slots=True)
class DashboardPosted:
    """A dashboard that is on its way to its place."""

    id: str
    what: Note
    where: str
    moved: bool
    """there was one of this view, which this one takes the place of"""
    next_at: str
    channel: str | None
    """the team's default channel, where it is told there and was asked elsewhere"""


@dataclass(frozen=True, slots=True)
class Line:
    """A dashboard or digest in a list."""

    id: str
    what: Note
    where: str
    by: str
    mine: bool
    next_at: str | None
    """as the clock on the wall shows it"""
    stopped: str | None
    """why nothing is sent there any more"""


@dataclass(frozen=True, slots=True)
class DashboardList:
    """Those of a team, as far as the asker may know of them."""

    dashboards: tuple[Line, ...]
    channel: str
    """that it is asked in"""


async def ask_post(
    query: QueryContext, *, view: View, gpus: Sequence[str] | None, to: str, **given: Any
) -> DashboardPosted:
    """Post it, in place of one of the same view that is there."""
    there = aimed(query, to)
    channel, query = elsewhere(query, there), there
    asker = asker_of(query)
    direct = is_direct(asker, to)
    seconds = EVERY.get(given["every"], RHYTHMS[view])
    models, zone = await named_models(query, gpus), zone_of(query, given["tz"])
    language = language_of(query, given["language"], direct=direct)
    spec = DashboardSpec(view, models, seconds, time_of(given["at"]), zone, language)
    async with query.writing() as writer:
        row, changed = await put(query, writer, spec, direct=direct, same=lambda one: _is_same(one, spec))
        await writer.outbox.add([dashboard_message(row, query.now, "post", useful=spec.useful)], query.now)
    next_at = iso(spec.next_after(query.now, row.created_at))
    return DashboardPosted(row.public_id, describe(spec), where(row.destination), changed, next_at, channel)


def _is_same(one: Spec, spec: DashboardSpec) -> bool:
    """Whether one stands where the other is to be: a channel has one of a view."""
    return isinstance(one, DashboardSpec) and one.view == spec.view


async def ask_list(query: QueryContext) -> DashboardList:
    """The asker's own first."""
    asker = asker_of(query)
    rows = [row for row in await known_to(query.reader.schedules, asker) if row.kind == "dashboard"]
    return DashboardList(lines([Owned(row, load(row)) for row in rows], asker.person), asker.channel)


def lines(some: Sequence[Owned], person: str) -> tuple[Line, ...]:
    """A line each, a person's own first."""
    found = (
        Line(
            one.row.public_id,
            describe(one.spec),
            where(one.row.destination),
            one.row.owner.person,
            one.row.owner.person == person,
            None if one.row.due_at is None else local_clock(one.row.due_at, one.spec.zone),
            one.row.stopped,
        )
        for one in some
    )
    return tuple(sorted(found, key=lambda line: not line.mine))


async def ask_off(query: QueryContext, *, which: str | None) -> TurnedOff:
    """End one: by its name, by its view, or the only one that is here."""
    return await turning_off.ask_off(query, "dashboard", which)


def post_card(answer: DashboardPosted, words: Words) -> Card:
    """What it is, and how it ends."""
    lead = words("It is on its way: one message that is edited in place, and pinned where that is permitted.")
    moved = (words("It takes the place of the one that was here."),) if answer.moved else ()
    return Card(
        words("Dashboard {id}", id=answer.id),
        lead,
        notes=(
            words(answer.what),
            *told_in(answer.channel, words),
            *moved,
            words("Delete its message, or turn it off, to end it."),
        ),
        actions=(Action(words("Turn off"), f"dashboard off {answer.id}", "danger"),),
    )


def list_card(answer: DashboardList, words: Words) -> Card:
    """A line each."""
    title = words("Dashboards")
    if not answer.dashboards:
        return Card(title, words("There are none yet. For example: {example}", example="dashboard market here"))
    count = Plural("{n} dashboard", "{n} dashboards")
    return Card(
        title, words(count, n=len(answer.dashboards)), lines_table(title, answer.dashboards, answer.channel, words)
    )


def lines_table(title: str, some: Sequence[Line], channel: str, words: Words) -> tuple[Table, ...]:
    """Dashboards or digests as a table."""
    columns = tuple(Column(words(name)) for name in ("what", "next", "where", "name"))
    rows = tuple(
        (words(line.what), next_of(line, words), place_in_words(line.where, channel, words), line.id) for line in some
    )
    return (Table(title, columns, rows),)


def next_of(line: Line, words: Words) -> str:
    """When it comes next, or that it cannot be delivered."""
    if line.stopped:
        return words("not delivered")
    return line.next_at or "–"


POST = Command(
    name="dashboard add",
    summary="One message in this channel that stays current: market, reliability or cost",
    path=None,
    params=(
        Param("view", "choice", "what it shows", required=True, choices=tuple(VIEWS)),
        GPUS,
        TO,
        Param("every", "choice", "how often it is edited", choices=tuple(EVERY)),
        AT,
        TZ,
        LANGUAGE,
    ),
    ask=ask_post,
    card=post_card,
    examples=("dashboard market here", "dashboard cost 4090 here", "dashboard reliability daily 08:30"),
    role="member",
    method="POST",
    group_default=True,
)
LIST = Command(
    name="dashboard list",
    summary="The dashboards of this workspace",
    path=None,
    params=(),
    ask=ask_list,
    card=list_card,
    examples=("dashboard list",),
    role="member",
)
OFF = Command(
    name="dashboard off",
    summary="Take a dashboard out of its channel",
    path=None,
    params=(Param("which", "text", "its name, its view, or “all” of this channel", suggest=(*VIEWS, ALL)),),
    ask=ask_off,
    card=off_card,
    examples=("dashboard off market", "dashboard off all"),
    role="member",
    method="POST",
)
