"""From what is due to messages in the outbox, in one transaction: nothing is told twice, and nothing twice at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.schedules.specs import DashboardSpec, DigestSpec, load
from bot.store.outbox import Action, NewMessage, State
from bot.store.schedules import ScheduleRow
from bot.store.writer import Writer

DASHBOARD, REMOVED, DIGEST = "dashboard", "dashboard.removed", "digest"
"""Kinds of messages."""

A_SECOND = 2
"""Messages that are due at one moment and begin to go in one second (ours): digests of 500 teams take four minutes, and
at no time do more wait than senders take at once, so that an alert is sent at once."""

MOST_A_PASS = 10_000
"""Rows of one transaction; the others come with the next."""

POST_ANEW_S = 86_400
"""Seconds between two new messages of one dashboard at least: a channel is for people."""


async def produce(writer: Writer, now: int) -> int:
    """Queue what is due at a UTC second; gives how many messages that were."""
    due = await writer.schedules.due(now, MOST_A_PASS)
    past = _Past(
        await writer.outbox.waiting([topic_of(row.id) for row in due]),
        await writer.outbox.states([name for row in due if (name := _newest(row)) is not None]),
    )
    messages: list[NewMessage] = []
    told: list[tuple[int, int, int | None]] = []
    for row in due:
        spec = load(row)
        last = spec.last_by(now, row.created_at)
        message = _message(row, spec, last, now, past, later=len(messages) // A_SECOND)
        if message is not None:
            messages.append(message)
        told.append((row.id, spec.next_after(now, row.created_at), row.told_at if message is None else last))
    await writer.outbox.add(messages, now)
    places = {row.id: row.destination_id for row in due}  # in the order in which outcomes are recorded: nobody waits
    await writer.schedules.told(sorted(told, key=lambda one: places[one[0]]))  # for another in a circle
    return len(messages)


@dataclass(frozen=True, slots=True)
class _Past:
    """Topics of which something waits, and what became of the newest message of each."""

    waiting: Collection[str]
    states: Mapping[str, tuple[State, Mapping[str, Any]]]

    def since(self, row: ScheduleRow) -> int | None:
        """From when on a digest has not been told: where the last one never arrived, since the one before it."""
        state, payload = self.states.get(str(_newest(row)), ("delivered", {}))
        return payload["since"] if state in _NEVER_ARRIVED else row.told_at

    def state_of(self, row: ScheduleRow, spec: DashboardSpec, now: int, *, later: int) -> NewMessage | None:
        """As of one without a message, where it is so long ago that the message is not known any more."""
        known = row if row.message in self.states else replace(row, message=None)
        return state_of(known, spec, now, later=later)


_NEVER_ARRIVED = ("rejected", "expired")


def _newest(row: ScheduleRow) -> str | None:
    """The identity of its newest message, if it has one."""
    if row.kind == "dashboard":
        return row.message
    return None if row.told_at is None else _digest_name(row.id, row.told_at)


def _digest_name(id_: int, at: int) -> str:
    return f"{DIGEST}/{id_}/{at}"


def topic_of(id_: int) -> str:
    """The topic of a schedule's messages."""
    return f"schedule/{id_}"


def _message(
    row: ScheduleRow, spec: DashboardSpec | DigestSpec, last: int, now: int, past: _Past, *, later: int
) -> NewMessage | None:
    if isinstance(spec, DigestSpec):
        return _digest(row, spec, last, now, past, later=later)
    return None if topic_of(row.id) in past.waiting else past.state_of(row, spec, now, later=later)


def _digest(row: ScheduleRow, spec: DigestSpec, last: int, now: int, past: _Past, *, later: int) -> NewMessage | None:
    """The digest of the last time that it came, unless that was told, or is too long ago."""
    known = row.created_at if row.told_at is None else row.told_at
    if last <= known or now - last > spec.useful:
        return None
    payload = {"schedule": row.id, "since": past.since(row), "at": last}
    return NewMessage(
        _digest_name(row.id, last),
        row.destination_id,
        topic_of(row.id),
        DIGEST,
        payload,
        not_before=now + later,
        expires_at=last + spec.useful,
    )


def state_of(row: ScheduleRow, spec: DashboardSpec, now: int, *, later: int = 0) -> NewMessage | None:
    """How a dashboard stands now: as an edit of its message, or as a message where it has none.

    One that may be there, though nobody knows, is not posted again before a day has passed.
    """
    if row.message is None and row.posted_at is not None and now - row.posted_at < POST_ANEW_S:
        return None
    return dashboard_message(row, now, "post" if row.message is None else "edit_only", useful=spec.useful, later=later)


def dashboard_message(
    row: ScheduleRow, now: int, action: Action, *, useful: int, later: int = 0, anew: bool = False
) -> NewMessage:
    """A message of a dashboard, as a post or as an edit; ``anew``: because the last one takes no more edits."""
    edits: dict[str, Any] = {} if action == "post" else {"expires_at": now + useful + later}
    return NewMessage(
        f"{DASHBOARD}/{row.id}/{action}/{now}",
        row.destination_id,
        topic_of(row.id),
        DASHBOARD,
        {"schedule": row.id, **({"anew": True} if anew else {})},
        action=action,
        refers_to=None if action == "post" else row.message,
        not_before=now + later,
        **edits,
    )


def removal(destination_id: int, id_: int, identity: str) -> NewMessage:
    """What takes a dashboard's message out of its channel."""
    payload = {"schedule": id_}
    name = f"{REMOVED}/{identity}"
    return NewMessage(name, destination_id, name, REMOVED, payload, action="remove", refers_to=identity)
