"""What follows for a dashboard from how its message was delivered, in the transaction that records it."""

from __future__ import annotations

from analytics.market import HOUR
from bot.outbox.sender import Delivered, Delivery, Rejected
from bot.schedules.producing import DASHBOARD, POST_ANEW_S, dashboard_message, removal
from bot.schedules.specs import load
from bot.store.audit import AuditEntry
from bot.store.outbox_claims import Lease
from bot.store.schedules import ScheduleRow
from bot.store.writer import Writer

ITSELF = "spotbot"
"""Who acts where nobody does."""

DELETED = "its message was deleted"
"""Why a dashboard ended whose message somebody took away."""


async def follow_dashboard(writer: Writer, lease: Lease, delivery: Delivery, now: int) -> None:
    """Keep where a dashboard's message is; end it where that is gone; begin anew where it cannot be edited."""
    message = lease.messages[0]
    if message.kind != DASHBOARD:
        return
    row = await writer.schedules.held(message.payload["schedule"])
    if isinstance(delivery, Delivered):
        await _delivered(writer, lease, row, message.payload["schedule"], now)
    elif row is not None and isinstance(delivery, Rejected) and delivery.edit_refused:
        # an answer that comes late is about a message that another one took the place of, or is about to
        if message.refers_to == row.message and not await writer.outbox.waiting([message.topic]):
            await _REFUSED[delivery.edit_refused](writer, row, now)
    elif row is not None and lease.action == "post":
        stored = await writer.outbox.message(message.identity)
        if stored is not None and stored.state == "ambiguous":
            await writer.schedules.change(row.id, now, posted_at=now)


async def _delivered(writer: Writer, lease: Lease, row: ScheduleRow | None, id_: int, now: int) -> None:
    message = lease.messages[0]
    identity, posted = message.identity, lease.action == "post"
    if row is None:  # it was turned off while this was sent
        await writer.outbox.add([removal(lease.destination_id, id_, identity)] if posted else [], now)
        return
    if posted and row.message not in (None, identity):  # an answer may be recorded twice
        await writer.outbox.add([removal(lease.destination_id, id_, str(row.message))], now)
    if posted or message.refers_to == row.message:
        await writer.schedules.change(row.id, now, message=identity, **({"posted_at": now} if posted else {}))


async def _missing(writer: Writer, row: ScheduleRow, now: int) -> None:
    await writer.schedules.end(row.id, now, DELETED)
    details = {"reason": DELETED}
    entry = AuditEntry(now, row.owner.platform, row.owner.team, ITSELF, "end", f"dashboard/{row.public_id}", details)
    await writer.audit.add(entry)


async def _too_often(writer: Writer, row: ScheduleRow, now: int) -> None:
    posted = row.posted_at or 0
    if now - posted >= POST_ANEW_S:
        spec = load(row)
        await writer.outbox.add([dashboard_message(row, now, "post", useful=spec.useful, anew=True)], now)
        return
    rests_until = min(posted + POST_ANEW_S, now + HOUR)
    if (row.due_at or 0) < rests_until:
        await writer.schedules.change(row.id, now, due_at=rests_until)


_REFUSED = {"missing": _missing, "too_often": _too_often}
