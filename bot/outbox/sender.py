"""What a sender is given, and what it says became of it. Chat faces and webhooks each implement :class:`Sender`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from bot.presentation.card import Card


@dataclass(frozen=True, slots=True)
class Address:
    """Where messages go: a channel of a team, or a person's direct messages."""

    platform: str
    """``slack`` or ``discord``"""
    team: str
    """the workspace or server; for a person outside of any, the person again"""
    channel: str = ""
    """the channel's id; empty for direct messages"""
    person: str = ""
    """whose direct messages; empty for a channel"""
    enterprise: str = ""
    """Slack's Enterprise Grid organisation, where the app is installed for one"""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Names a message that was delivered, so that it can be edited or answered in its thread."""

    channel: str
    """where it went: for direct messages the conversation that the platform opened"""
    message: str
    """Slack's ``ts``, Discord's message id"""


@dataclass(frozen=True, slots=True)
class Message:
    """One message, complete. ``id`` is the same at each attempt; ``edit`` and ``thread`` name earlier messages."""

    id: str
    address: Address
    card: Card
    language: str
    edit: Receipt | None = None
    """replace this one"""
    thread: Receipt | None = None
    """answer this one"""
    mentions: tuple[str, ...] = ()
    """ids of roles that are called, already permitted to the rules' makers; nothing else is ever mentioned"""
    data: Mapping[str, Any] | None = None
    """the event for programs, where the destination is one"""
    edit_only: bool = False
    """where the message of ``edit`` cannot be edited any more, say so (``Rejected.edit_refused``): nothing is posted in
    its place, and nobody is mentioned"""
    remove: Receipt | None = None
    """take this one away, and say nothing: one that is no more is as one that was taken away"""
    pin: bool = False
    """pin it once it is posted, where that is permitted; the message counts as delivered either way"""

    @property
    def repeatable(self) -> bool:
        """Whether twice is as once: what posts nothing cannot be there twice."""
        return self.remove is not None or (self.edit is not None and self.edit_only)

    def pins(self, delivered: Receipt) -> bool:
        """Whether what was delivered is to be pinned: it was posted, not edited or removed."""
        return self.pin and delivered not in (self.edit, self.remove)


@dataclass(frozen=True, slots=True)
class Delivered:
    """It is there."""

    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Rejected:
    """It will never be taken: by this destination at all (``gone``), or only as it is."""

    reason: str
    gone: bool = False
    """nothing can be delivered there: archived channel, removed bot, closed direct messages"""
    edit_refused: Literal["", "missing", "too_often"] = ""
    """of an ``edit_only`` message: the message is no more (or not ours to edit any more), or the platform takes no more
    edits of it now, as of an old one or in a thread that rests"""


@dataclass(frozen=True, slots=True)
class TryLater:
    """It was certainly not delivered, or twice is as once; another attempt may succeed after ``seconds``."""

    reason: str
    seconds: float
    scope: Literal["destination", "team", "platform"] = "destination"
    """what has to wait"""
    ours: bool = False
    """nothing was done, by a fault of our own or because we edit too much: it counts as no attempt"""
    alone: bool = False
    """where the fault is ours: of this message, so that others to the destination go meanwhile"""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The connection ended after sending: it may be there or not."""

    reason: str


@dataclass(frozen=True, slots=True)
class Withheld:
    """There was nothing to say: it was not sent, and will not be."""

    reason: str


Delivery = Delivered | Rejected | TryLater | Ambiguous | Withheld


class Sender(Protocol):
    """Brings messages to one platform."""

    async def send(self, message: Message) -> Delivery:
        """One attempt, bounded in time; never raises but for cancellation."""
