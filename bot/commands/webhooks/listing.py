"""``webhook list``, ``show`` and ``log``: the endpoints of a team, how one fares, and what was delivered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analytics.evidence import iso
from bot.alerts.elements import clock_of
from bot.commands.webhooks.owned import ID, ROLE, WEBHOOKS, asker_of, find, least_change
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Action, Card, Column, Table
from bot.presentation.words import Words
from bot.store.webhooks import PRICE, WebhookRow

SHOWN = 10
"""Attempts that ``webhook show`` tells of."""


@dataclass(frozen=True, slots=True)
class WebhookLine:
    """An endpoint; of its address only the host, because the rest may be secret."""

    id: str
    host: str
    state: str
    events: tuple[str, ...]
    gpus: tuple[str, ...]
    min_change_percent: float
    by: str
    created_at: str
    failing_since: str | None
    disabled_reason: str | None


@dataclass(frozen=True, slots=True)
class WebhookList:
    """The endpoints of a team."""

    webhooks: tuple[WebhookLine, ...]


@dataclass(frozen=True, slots=True)
class AttemptLine:
    """One attempt; ``status`` is null where there was no answer, ``message`` the id under which it went."""

    at: str
    event: str
    message: str
    status: int | None
    milliseconds: int
    error: str
    answer: str
    """the beginning of what the receiver said"""


@dataclass(frozen=True, slots=True)
class WebhookShown:
    """An endpoint and its last attempts, the newest first."""

    webhook: WebhookLine
    attempts: tuple[AttemptLine, ...]


async def ask_list(query: QueryContext) -> WebhookList:
    """All of the asker's team."""
    asker = asker_of(query)
    rows = await query.reader.webhooks.of_team(asker.platform, asker.enterprise, asker.team)
    return WebhookList(tuple(line_of(row) for row in rows))


async def ask_log(query: QueryContext, *, id: str, limit: int) -> WebhookShown:  # noqa: A002
    """One endpoint with its attempts."""
    row = await find(query.reader.webhooks, asker_of(query), id)
    attempts = await query.reader.webhooks.log(row.id, limit)
    return WebhookShown(
        line_of(row),
        tuple(
            AttemptLine(iso(one.at), one.event, one.message, one.status, one.milliseconds, one.error, one.excerpt)
            for one in attempts
        ),
    )


async def ask_show(query: QueryContext, *, id: str) -> WebhookShown:  # noqa: A002
    """One endpoint with its last attempts."""
    return await ask_log(query, id=id, limit=SHOWN)


def line_of(row: WebhookRow) -> WebhookLine:
    """An endpoint as it is told."""
    return WebhookLine(
        row.public_id,
        row.host,
        row.state,
        row.events,
        row.gpus,
        row.min_change_ppm / 10_000,
        row.owner.person,
        iso(row.created_at),
        None if row.failing_since is None else iso(row.failing_since),
        row.disabled_reason,
    )


_STATES = {"pending": "waits for its challenge", "active": "active", "disabled": "disabled"}


def list_card(answer: WebhookList, words: Words) -> Card:
    """A line an endpoint."""
    title = words("Webhooks")
    if not answer.webhooks:
        return Card(title, words("There are none yet. For example: {example}", example="webhook add https://…"))
    columns = tuple(Column(words(name)) for name in ("webhook", "host", "events", "state"))
    rows = tuple((line.id, line.host, ", ".join(line.events), words(_STATES[line.state])) for line in answer.webhooks)
    lead = words("{n} here", n=len(rows))
    return Card(title, lead, (Table(title, columns, rows),), notes=(words("webhook show and its name tells more"),))


def show_card(answer: WebhookShown, words: Words) -> Card:
    """How it stands, and its attempts."""
    return _card(answer, words)


def log_card(answer: WebhookShown, words: Words) -> Card:
    """The same, with the ids by which “webhook replay” sends one again."""
    return _card(answer, words, ids=True)


def _card(answer: WebhookShown, words: Words, *, ids: bool = False) -> Card:
    line = answer.webhook
    lead = words("{host}: {state}", host=line.host, state=words(_STATES[line.state]))
    return Card(
        words("Webhook {id}", id=line.id),
        lead,
        (_attempts(answer.attempts, words, ids=ids),) if answer.attempts else (),
        notes=_notes(line, words),
        actions=(
            Action(words("Test it"), f"webhook test {line.id}"),
            Action(words("Delete"), f"webhook delete {line.id}", "danger"),
        ),
    )


def _attempts(attempts: Sequence[AttemptLine], words: Words, *, ids: bool) -> Table:
    columns = [Column(words("when")), Column(words("event")), Column(words("answer"), "right"), Column("ms", "right")]
    rows = tuple(
        (clock_of(one.at), one.event, words(one.error) or str(one.status), str(one.milliseconds), one.message)
        for one in attempts
    )
    if ids:
        columns.append(Column("id"))
    return Table(words("Attempts"), tuple(columns), tuple(row[: len(columns)] for row in rows))


def _notes(line: WebhookLine, words: Words) -> tuple[str, ...]:
    notes = [words("It is told of {events}.", events=", ".join(line.events))]
    if line.gpus:
        notes.append(words("Only of {models}.", models=", ".join(line.gpus)))
    if PRICE in line.events:
        notes.append(least_change(line.min_change_percent, words))
    if line.failing_since:
        notes.append(words("Nothing was delivered since {at}.", at=clock_of(line.failing_since)))
    if line.disabled_reason:
        notes.append(words("Disabled: {reason}; “webhook test” tries it again.", reason=words(line.disabled_reason)))
    return tuple(notes)


LIST = Command(
    name="webhook list",
    summary="The webhooks of this workspace",
    path="/api/webhooks",
    params=(),
    ask=ask_list,
    card=list_card,
    examples=("webhook list",),
    role=ROLE,
    scope=WEBHOOKS,
)
SHOW = Command(
    name="webhook show",
    summary="One webhook, how it fares, and its last deliveries",
    path="/api/webhooks/{id}",
    params=(ID,),
    ask=ask_show,
    card=show_card,
    examples=("webhook show last", "webhook show id=last"),
    role=ROLE,
    scope=WEBHOOKS,
)
LOG = Command(
    name="webhook log",
    summary="What was sent to a webhook and what it answered",
    path="/api/webhooks/{id}/log",
    params=(ID, Param("limit", "int", "attempts at most", default=50, minimum=1, maximum=500)),
    ask=ask_log,
    card=log_card,
    examples=("webhook log last", "webhook log last limit=10"),
    role=ROLE,
    scope=WEBHOOKS,
)
