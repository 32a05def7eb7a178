"""What the endpoints of a team are told of its alerts: queued beside the messages, in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.alerts.decide import EventKind
from bot.store.outbox import NewMessage
from bot.store.webhooks import FIRED, RESOLVED, to_endpoint
from bot.store.writer import Writer

_EVENTS: Mapping[EventKind, str] = {
    EventKind.FIRE: FIRED,
    EventKind.MORE: FIRED,
    EventKind.RESOLVE: RESOLVED,
}
"""Reminders and notices are for people alone."""


@dataclass(frozen=True, slots=True)
class ToldEvent:
    """An event of a rule that was written down: under which identity, in which order, and what it says."""

    alert_id: int
    model: str
    kind: EventKind
    identity: str
    topic: str
    payload: Mapping[str, Any]


async def endpoint_messages(writer: Writer, told: Iterable[ToldEvent], at: int) -> list[NewMessage]:
    """The messages to the endpoints that want some events, those of one rule in their order."""
    some = [one for one in told if one.kind in _EVENTS]
    endpoints = await writer.webhooks.of_alerts([one.alert_id for one in some]) if some else {}
    return [
        to_endpoint(row, event, one.identity, one.topic, one.payload, at)
        for one in some
        for row in endpoints.get(one.alert_id, ())
        if row.wants(event := _EVENTS[one.kind], one.model)
    ]
