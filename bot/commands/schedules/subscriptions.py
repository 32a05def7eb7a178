"""``subscriptions``: alerts, webhooks, dashboards and digests that tell something in this channel, or to who asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analytics.evidence import Note
from bot.accounts import Asker, permits
from bot.alerts.codec import load_rule, load_state
from bot.alerts.descriptions import describe as describe_rule
from bot.commands.alerts.listing import STATUS, shown_status
from bot.commands.alerts.owned import asker_of
from bot.commands.alerts.owned import known_to as known_alerts
from bot.commands.schedules.owned import DIRECT, known_to, place_in_words, where
from bot.commands.webhooks.owned import ROLE as WEBHOOK_ROLE
from bot.dispatch.command import Command, QueryContext
from bot.presentation.card import Action, Card, Column, Table
from bot.presentation.words import Words
from bot.schedules.descriptions import describe, local_clock
from bot.schedules.specs import load
from bot.store.alerts import AlertRow
from bot.store.schedules import ScheduleRow
from bot.store.webhooks import WebhookRow

MOST_BUTTONS = 10
"""Buttons of one card (ours): more are not found any more."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Something that tells somebody something."""

    kind: str
    id: str
    what: Note
    where: str
    state: Note
    mine: bool
    stopped: str | None
    """why nothing is delivered there any more"""


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """Those of the channel that is asked in, and the asker's own."""

    subscriptions: tuple[Subscription, ...]
    elsewhere: int
    """how many more there are in other channels of the team"""
    channel: str
    """that it is asked in"""


async def ask(query: QueryContext) -> Subscriptions:
    """All of them, from one snapshot."""
    asker = asker_of(query)
    alerts = await known_alerts(query.reader.alerts, asker)
    schedules = await known_to(query.reader.schedules, asker)
    webhooks: list[WebhookRow] = []
    if permits(asker.role, WEBHOOK_ROLE):
        webhooks = await query.reader.webhooks.of_team(asker.platform, asker.enterprise, asker.team)
    every = [
        *(_alert(row, asker, query.now) for row in alerts),
        *(_webhook(row, asker) for row in webhooks),
        *(_schedule(row, asker) for row in schedules),
    ]
    shown = tuple(one for one in every if one.mine or one.where == asker.channel)
    elsewhere = sum(not one.mine and one.where not in (asker.channel, DIRECT) for one in every)
    return Subscriptions(shown, elsewhere, asker.channel)


def _alert(row: AlertRow, asker: Asker, now: int) -> Subscription:
    state = Note(STATUS[shown_status(load_state(row.state), now)])
    return Subscription(
        "alert",
        row.public_id,
        describe_rule(load_rule(row.rule)),
        where(row.destination),
        state,
        row.owner.person == asker.person,
        row.stopped,
    )


def _webhook(row: WebhookRow, asker: Asker) -> Subscription:
    what = Note("{events} to {host}", {"events": list(row.events), "host": row.host})
    mine = row.owner.person == asker.person
    return Subscription("webhook", row.public_id, what, row.channel, Note(row.state), mine, row.disabled_reason)


def _schedule(row: ScheduleRow, asker: Asker) -> Subscription:
    spec = load(row)
    next_at = "–" if row.due_at is None else local_clock(row.due_at, spec.zone)
    state = Note("next: {at}", {"at": next_at})
    mine = row.owner.person == asker.person
    return Subscription(row.kind, row.public_id, describe(spec), where(row.destination), state, mine, row.stopped)


def card(answer: Subscriptions, words: Words) -> Card:
    """A line each, and what can be done."""
    title = words("Subscriptions")
    notes = []
    if answer.elsewhere:
        notes.append(words("in other channels of this workspace: {n}", n=answer.elsewhere))
    if not answer.subscriptions:
        lead = words("Nothing is told here or to you yet. For example: {example}", example="digest daily 09:00")
        return Card(title, lead, notes=tuple(notes))
    columns = tuple(Column(words(name)) for name in ("what", "state", "where", "kind", "name"))
    rows = tuple(
        (
            words(one.what),
            _state(one, words),
            place_in_words(one.where, answer.channel, words),
            words(one.kind),
            one.id,
        )
        for one in answer.subscriptions
    )
    mine = sum(one.mine for one in answer.subscriptions)
    return Card(
        title,
        words("subscriptions: {n}; yours: {mine}", n=len(answer.subscriptions), mine=mine),
        (Table(title, columns, rows),),
        notes=tuple(notes),
        actions=tuple(_actions(answer, words)),
    )


def _state(one: Subscription, words: Words) -> str:
    return words("not delivered ({reason})", reason=one.stopped) if one.stopped else words(one.state)


def _actions(answer: Subscriptions, words: Words) -> Iterator[Action]:
    for one in answer.subscriptions[:MOST_BUTTONS]:
        if one.kind in ("dashboard", "digest"):
            yield Action(words("Turn off {id}", id=one.id), f"{one.kind} off {one.id}", "danger")
        else:
            yield Action(words("Show {id}", id=one.id), f"{one.kind} show {one.id}")


COMMAND = Command(
    name="subscriptions",
    summary="All that is told in this channel and to you: alerts, webhooks, dashboards, digests",
    path=None,
    params=(),
    ask=ask,
    card=card,
    examples=("subscriptions",),
    role="member",
)
