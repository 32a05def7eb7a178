"""What is recorded of deliveries to endpoints: three days of attempts, and an endpoint that only fails is disabled."""

from __future__ import annotations

from dataclasses import dataclass

from bot.outbox.outcomes import Outcomes
from bot.outbox.sender import Delivered, Delivery, TryLater
from bot.store.outbox_claims import Lease
from bot.store.webhooks import CHALLENGE, WebhookRow
from bot.store.writer import Writer

WAITS_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds before the second attempt, the third, and so on: ten in 75.6 hours (source: reliability.md, C3)."""

EARLIEST = 0.8
"""The least part of a wait that is waited: they are spread by a fifth to both sides (source: reliability.md, C3)."""

FAILING_S = 5 * 86_400
"""Seconds of nothing but failures after which an endpoint is disabled (source: reliability.md, C3)."""

REST_PART, REST_S, LONGEST_REST_S = 10, 5, 300
"""After a failure an endpoint rests for a tenth of the time that it has been failing, between so many seconds, before
another message is tried: an endpoint that comes back hears of it within five minutes. Ours."""


@dataclass(frozen=True, slots=True)
class WebhookOutcomes(Outcomes):
    """Records them, with how the endpoint fares."""

    waits: tuple[int, ...] = WAITS_S
    earliest: float = EARLIEST
    most_attempts: int | None = len(WAITS_S) + 1
    refusals: int = 1
    pause: int = 0

    async def record(self, writer: Writer, lease: Lease, delivery: Delivery, now: int) -> bool:
        """Record an answer in the open transaction; gives whether the endpoint was disabled by it."""
        gone = await Outcomes.record(self, writer, lease, delivery, now)
        row = await writer.webhooks.by_id(lease.destination.channel)
        if row is None or (isinstance(delivery, TryLater) and delivery.ours):
            return gone
        if isinstance(delivery, Delivered):
            await _lives(writer, row, lease, now)
            return False
        since = now if row.failing_since is None else row.failing_since
        unanswered = _is_challenge(lease) and (self.is_last(lease) or await _ends_first(writer, lease))
        if gone or unanswered or now - since >= FAILING_S:
            values = {"state": "disabled", "disabled_reason": delivery.reason, "failing_since": since}
            await writer.webhooks.change(row.id, now, **values)
            await writer.outbox_leases.disable(lease.destination_id, delivery.reason, now)
            return True
        if row.failing_since is None:
            await writer.webhooks.change(row.id, now, failing_since=since)
        rest = min(max((now - since) // REST_PART, REST_S), LONGEST_REST_S)
        await writer.outbox_leases.rest(lease.destination_id, now + rest)
        return False


async def _lives(writer: Writer, row: WebhookRow, lease: Lease, now: int) -> None:
    """It answered: its failures are over, and with its challenge it begins to take events."""
    if row.state == "pending" and _is_challenge(lease):
        await writer.webhooks.change(row.id, now, failing_since=None, state="active")
    elif row.failing_since is not None:
        await writer.webhooks.change(row.id, now, failing_since=None)


async def _ends_first(writer: Writer, lease: Lease) -> bool:
    """Whether a message's time is over before its next attempt."""
    message = await writer.outbox.message(lease.messages[0].identity)
    return message is not None and message.due_at >= message.expires_at


def _is_challenge(lease: Lease) -> bool:
    return lease.messages[0].kind == CHALLENGE
