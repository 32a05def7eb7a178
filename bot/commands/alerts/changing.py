"""``alert edit``, ``snooze``, ``ack``, ``test`` and ``delete``: what can be done with a rule."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from analytics.evidence import Note
from analytics.market import HOUR
from bot.alerts.condition_text import condition_text
from bot.alerts.decide import Event, EventKind, listing
from bot.alerts.descriptions import describe
from bot.alerts.elements import clock
from bot.alerts.engine import TEST, key_of, payload, rule_row, standing, topic_of
from bot.alerts.rules import Rule
from bot.alerts.state import State, acknowledged, edited, snoozed
from bot.commands.alerts.acts import edit_details
from bot.commands.alerts.listing import latest
from bot.commands.alerts.options import (
    CONDITION,
    OPTIONS,
    condition_of,
    following,
    option_texts,
    rule_of,
    with_options,
)
from bot.commands.alerts.owned import ID, Owned, asker_of, find, may_change, note, resume
from bot.dispatch.command import Command, Form, Method, Param, QueryContext
from bot.presentation.card import Action, Card
from bot.presentation.words import Words
from bot.store.outbox import NewMessage
from bot.store.writer import Writer


@dataclass(frozen=True, slots=True)
class AlertChanged:
    """What was done; ``rule`` as it is now, or was when it was deleted."""

    id: str
    rule: Note
    done: Note
    restorable: bool = False
    """whether it is still there to be looked at"""


@dataclass(frozen=True, slots=True)
class Done:
    """What a change came to, and what is written down of it; None where nothing was done."""

    said: Note
    details: Mapping[str, Any] | None = field(default_factory=dict)


Change = Callable[[Writer, Owned], Awaitable[Done]]


async def _change(query: QueryContext, public_id: str, action: str, change: Change, *, anybody: bool) -> AlertChanged:
    """Do it in one transaction with its note; only who may."""
    asker = asker_of(query)
    async with query.writing() as writer:
        owned = await find(writer.alerts, asker, public_id)
        if not anybody:
            may_change(owned, asker)
        done = await change(writer, owned)
        if done.details is not None:
            await note(writer, asker, action, owned.row.public_id, query.now, team=owned.row.owner.team, **done.details)
        is_left = action != "delete"
        rule = (await find(writer.alerts, asker, owned.row.public_id)).rule if is_left else owned.rule
    return AlertChanged(owned.row.public_id, describe(rule), done.said, restorable=is_left)


async def _save(writer: Writer, owned: Owned, state: State) -> None:
    await writer.alerts.save([(owned.row.id, standing(owned.rule, state))])


async def ask_snooze(query: QueryContext, *, id: str, time: float) -> AlertChanged:  # noqa: A002
    """No messages of this rule for a while."""
    until = query.now + round(time * HOUR)

    async def change(writer: Writer, owned: Owned) -> Done:
        await _save(writer, owned, snoozed(owned.state, until))
        return Done(Note("It is silent until {at}.", {"at": clock(until)}), {"until": until})

    return await _change(query, id, "snooze", change, anybody=True)


async def ask_ack(query: QueryContext, *, id: str) -> AlertChanged:  # noqa: A002
    """Somebody has seen it: no reminders of this episode."""

    async def change(writer: Writer, owned: Owned) -> Done:
        after = acknowledged(owned.state)
        if not after.acknowledged:
            return Done(Note("It does not fire now."))
        await _save(writer, owned, after)
        return Done(Note("Seen: no reminders until it fires anew."))

    return await _change(query, id, "acknowledge", change, anybody=True)


async def ask_delete(query: QueryContext, *, id: str) -> AlertChanged:  # noqa: A002
    """Take a rule away, with what waits to be sent of it."""

    async def change(writer: Writer, owned: Owned) -> Done:
        await writer.alerts.delete(owned.row.id, query.now)
        await writer.outbox.cancel(topic_of(owned.row.id), query.now)
        return Done(Note("It is deleted."))

    return await _change(query, id, "delete", change, anybody=False)


async def ask_edit(query: QueryContext, *, id: str, condition: str | None, **given: Any) -> AlertChanged:  # noqa: A002
    """Let a rule say something else; what is not said stays."""

    async def change(writer: Writer, owned: Owned) -> Done:
        await resume(writer, asker_of(query), owned.row.destination_id, query.now)
        rule = with_options(_reworded(query, owned.rule, condition), query, given)
        rule = following(rule, await writer.team_settings.of(owned.row.owner.platform, owned.row.owner.team))
        if rule == owned.rule:
            return Done(Note("Nothing was changed."), None)
        series_id = await writer.alerts.series_id(key_of(rule))
        state = edited(owned.state, same=rule.condition == owned.rule.condition)
        await writer.outbox.cancel(topic_of(owned.row.id), query.now)
        await writer.alerts.change(owned.row.id, rule_row(series_id, rule, state), query.now)
        return Done(Note("It is changed."), edit_details(owned.rule, rule))

    return await _change(query, id, "edit", change, anybody=False)


async def texts_now(query: QueryContext, given: Mapping[str, str]) -> Mapping[str, str]:
    """What the form shows: the rule that ``given`` names, as one would type it."""
    asker = asker_of(query)
    owned = await find(query.reader.alerts, asker, given.get("id", ""))
    may_change(owned, asker)
    shown = {"condition": condition_text(owned.rule, query.numbers)}
    return shown | option_texts(owned.rule)


def _reworded(query: QueryContext, rule: Rule, condition: str | None) -> Rule:
    if condition is None:
        return rule
    fresh = rule_of(rule.series.model, condition_of(query, condition), rule.created_at)
    kept = ("rearm_ppm", "readings", "hold_seconds", "repeat_seconds", "expires_at", "quiet", "mention", "loud")
    return replace(fresh, **{name: getattr(rule, name) for name in kept})


async def ask_test(query: QueryContext, *, id: str) -> AlertChanged:  # noqa: A002
    """Send its message once as it would look now, marked as a test."""
    reading = None

    async def change(writer: Writer, owned: Owned) -> Done:
        value = None if reading is None else reading.value
        event = Event(EventKind.FIRE, owned.state.episode, 0, query.now, value, query.now)
        if reading is not None and reading.matches is not None:
            event = listing(event, reading.matches, len(reading.matches))
        name = f"{topic_of(owned.row.id)}/test/{secrets.token_hex(6)}"
        message = NewMessage(
            name, owned.row.destination_id, f"{name}/only", TEST, payload(owned.row, owned.rule, event)
        )
        await resume(writer, asker_of(query), owned.row.destination_id, query.now)
        await writer.outbox.add([message], query.now)
        return Done(Note("A test message is on its way to where this alert is told."))

    owned = await find(query.reader.alerts, asker_of(query), id)
    reading = await latest(query, owned.rule)
    return await _change(query, id, "test", change, anybody=False)


def card(answer: AlertChanged, words: Words) -> Card:
    """What was done with which rule."""
    show = (Action(words("Show"), f"alert show {answer.id}"),) if answer.restorable else ()
    return Card(words("Alert {id}", id=answer.id), words(answer.done), notes=(words(answer.rule),), actions=show)


def _command(
    name: str,
    summary: str,
    ask: Callable[..., Awaitable[AlertChanged]],
    *params: Param,
    examples: tuple[str, ...],
    method: Method = "POST",
    form: Form | None = None,
) -> Command:
    path = "/api/alerts/{id}"
    return Command(
        name=f"alert {name}",
        summary=summary,
        path=f"{path}/{name}" if method == "POST" else path,
        params=(ID, *params),
        ask=ask,
        card=card,
        examples=examples,
        role="member",
        method=method,
        scope="alerts",
        form=form,
    )


_LABELS = {
    "condition": "Condition",
    "hold": "Must hold for",
    "repeat": "Reminder every",
    "quiet": "Quiet hours",
}
EDIT = _command(
    "edit",
    "Let an alert say something else",
    ask_edit,
    replace(CONDITION, required=False),
    *OPTIONS,
    examples=("alert edit last < 0.30", "alert edit last repeat=4h quiet=22:00-08:00 tz=America/Sao_Paulo"),
    method="PATCH",
    form=Form(_LABELS, texts_now, {"hold": "0", "repeat": "0", "quiet": "off"}),
)
SNOOZE = _command(
    "snooze",
    "No messages of an alert for a while",
    ask_snooze,
    Param("time", "hours", "how long", default=1.0, minimum=0.01, maximum=720, suggest=("30m", "1h", "4h", "24h")),
    examples=("alert snooze last 4h", "alert snooze last 30m"),
)
ACK = _command(
    "ack", "Say that you have seen an alert: no reminders", ask_ack, examples=("alert ack last", "alert ack id=last")
)
TESTING = _command(
    "test", "Send an alert's message once, as a test", ask_test, examples=("alert test last", "alert test id=last")
)
DELETE = _command(
    "delete",
    "Delete an alert",
    ask_delete,
    examples=("alert delete id=last", "alert delete last"),
    method="DELETE",
)
