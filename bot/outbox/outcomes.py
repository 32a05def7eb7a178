"""What is recorded for each answer of a sender, and when a message that was not delivered goes again."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bot.outbox.sender import Ambiguous, Delivered, Delivery, Rejected, TryLater, Withheld
from bot.store.outbox_claims import Lease, OutboxLeases
from bot.store.writer import Writer

BACKOFF_S = (2, 5, 15, 60, 180, 600)
"""Seconds before the second attempt, the third, and so on; then always the last. A choice: an hour's outage costs ten
attempts."""

JITTER = 0.2
"""The part of a wait by which it is lengthened at random, so that not all return at the same moment."""

REFUSALS = 3
"""Refusals in a row after which a destination is disabled: one may be a mistake of the platform's."""

REFUSED_S = 60
"""Seconds between refusals: a channel may be opened again, or the bot invited."""

PAUSE_S = 1
"""Seconds between messages to one destination: what Slack allows to a channel, and less than Discord does."""

RESENDS = {"discord": 5, "webhook": 9}
"""How often what may have arrived is sent again. Discord drops a second message of the same nonce for a few minutes,
which the first waits fit into; receivers of webhooks know a second one by its id. Elsewhere somebody may read it twice:
once, because an alert unread is worse."""

RESENDS_ELSEWHERE = 1
"""Where a platform does not drop a second message of the same id."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Records them. ``spread`` gives a number from 0 to 1 for the jitter."""

    spread: Callable[[], float] = field(default=random.random)
    waits: tuple[int, ...] = BACKOFF_S
    """seconds before the second attempt, the third, and so on"""
    earliest: float = 1.0
    """the least part of a wait that is waited"""
    most_attempts: int | None = None
    """after so many a message is given up; None: only its time ends it"""
    refusals: int = REFUSALS
    pause: int = PAUSE_S

    async def record(self, writer: Writer, lease: Lease, delivery: Delivery, now: int) -> bool:
        """Record an answer in the open transaction; gives whether the destination was disabled by it."""
        return await _TABLE[type(delivery)](self, writer.outbox_leases, lease, delivery, now)

    def is_last(self, lease: Lease) -> bool:
        """Whether a message is given up if it is not delivered by this attempt."""
        return self.most_attempts is not None and _attempts(lease) >= self.most_attempts

    async def _delivered(self, leases: OutboxLeases, lease: Lease, delivery: Delivered, now: int) -> bool:
        receipt = delivery.receipt
        await leases.delivered(lease, now, (receipt.channel, receipt.message), self.pause)
        return False

    async def _rejected(self, leases: OutboxLeases, lease: Lease, delivery: Rejected, now: int) -> bool:
        if delivery.gone:
            return await leases.refused(lease, now, delivery.reason, due_at=now + REFUSED_S, most=self.refusals)
        await leases.ended(lease, now, "rejected", delivery.reason, self.pause)
        return False

    async def _later(self, leases: OutboxLeases, lease: Lease, delivery: TryLater, now: int) -> bool:
        wait = max(-int(-delivery.seconds // 1), PAUSE_S)  # upwards: never before the platform allows it
        if delivery.ours:
            next_at = now + (self.pause if delivery.alone else wait)
            await leases.postponed(lease, now + wait, delivery.reason, next_at=next_at, tried="not")
        elif self.is_last(lease):
            await leases.ended(lease, now, "rejected", delivery.reason, max(self.pause, wait))
        else:
            due_at = now + max(wait, self._backoff(lease))
            await leases.postponed(lease, due_at, delivery.reason, next_at=now + wait, scope=delivery.scope)
        return False

    async def _ambiguous(self, leases: OutboxLeases, lease: Lease, delivery: Ambiguous, now: int) -> bool:
        resends = RESENDS.get(lease.destination.platform, RESENDS_ELSEWHERE)
        if lease.ambiguities >= resends or self.is_last(lease):
            await leases.ended(lease, now, "ambiguous", delivery.reason, PAUSE_S)
        else:
            due_at = now + self._backoff(lease)
            await leases.postponed(lease, due_at, delivery.reason, next_at=now + PAUSE_S, tried="ambiguous")
        return False

    async def _withheld(self, leases: OutboxLeases, lease: Lease, delivery: Withheld, now: int) -> bool:
        await leases.ended(lease, now, "cancelled", delivery.reason, 0)
        return False

    def _backoff(self, lease: Lease) -> int:
        wait = self.waits[min(_attempts(lease), len(self.waits)) - 1]
        return round(wait * (self.earliest + (1 + JITTER - self.earliest) * self.spread()))


def _attempts(lease: Lease) -> int:
    return max(message.attempts for message in lease.messages)


_TABLE: dict[type, Callable[..., Awaitable[bool]]] = {
    Delivered: Outcomes._delivered,
    Rejected: Outcomes._rejected,
    TryLater: Outcomes._later,
    Ambiguous: Outcomes._ambiguous,
    Withheld: Outcomes._withheld,
}
