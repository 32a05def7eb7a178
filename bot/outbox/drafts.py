"""What a message is made of when it is sent, and what goes out where that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from bot.outbox.sender import Address
from bot.presentation.card import Card
from bot.store.outbox import Action
from bot.store.outbox_claims import Lease

LATE_S = 1800
"""Seconds after which a message says its age."""

RENDER_LIMIT_S = 15.0
"""Seconds that drawing may take."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a message."""

    identity: str
    kind: str
    payload: Mapping[str, Any]
    created_at: int


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be said: events of one batch to one address. ``plain``: without pictures, because they failed."""

    address: Address
    action: Action
    events: tuple[Event, ...]
    late: bool
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """A draft in words; ``card``: None where there is nothing to say after all, or not yet, and why in ``withheld``."""

    card: Card | None
    language: str = "en"
    mentions: tuple[str, ...] = ()
    data: Mapping[str, Any] | None = None
    pin: bool = False
    """it is to be found at the top of its channel"""
    withheld: str = ""
    again: bool = False
    """there may be something to say later"""


Render = Callable[[Draft], Awaitable[Rendered]]

NO_WORDS = "it could not be rendered"
"""Why what is edited in place stays as it is, and what names a row alone is tried again."""

AGAIN_S = 60
"""Seconds until a message is rendered again whose data say nothing to people (ours)."""

ROW = "schedule"
"""In a payload: the message is made of answers of when it is sent, and its data only name what it is of."""


def draft(lease: Lease, now: int, *, plain: bool = False) -> Draft:
    """The draft of what was leased."""
    to = lease.destination
    address = Address(to.platform, to.team, to.channel, to.person, to.enterprise)
    events = tuple(Event(m.identity, m.kind, m.payload, m.created_at) for m in lease.messages)
    late = any(now - message.not_before > LATE_S for message in lease.messages)
    return Draft(address, lease.action, events, late, plain)


async def rendered(render: Render, lease: Lease, now: int) -> Rendered:
    """The message in words: drawn, else plain, else its bare data where those say something. Never fails."""
    for plain in (False, True):
        try:
            async with asyncio.timeout(RENDER_LIMIT_S):
                return await render(draft(lease, now, plain=plain))
        except Exception:
            log.exception("a message could not be rendered", message=lease.id, plain=plain)
    if any(ROW in message.payload for message in lease.messages):
        return Rendered(None, withheld=NO_WORDS, again=lease.action != "edit_only")
    return Rendered(_bare(draft(lease, now)))


def _bare(bare: Draft) -> Card:
    notes = tuple(f"{event.kind}: {name} = {value}" for event in bare.events for name, value in event.payload.items())
    return Card(title="spotbot", lead=", ".join(event.kind for event in bare.events), notes=notes)
