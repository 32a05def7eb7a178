"""Who is told, by direct message, that nothing can be delivered any more where they are told something."""

from __future__ import annotations

from itertools import groupby

import structlog

from bot.store.alerts import AlertRow
from bot.store.api_keys import KEY_PERSON
from bot.store.audit import AuditEntry
from bot.store.outbox import NewMessage
from bot.store.outbox_claims import Lease
from bot.store.schedules import ScheduleRow
from bot.store.writer import Writer

STOPPED = "stopped"
"""The kind of the message that tells it."""

ITSELF = "spotbot"
"""Who acts where nobody does."""

USEFUL_S = 7 * 86_400
"""Seconds in which it is worth telling: nothing else tells them, and it stays so until somebody acts. A choice."""

log = structlog.get_logger()


Owned = AlertRow | ScheduleRow


async def tell_creators(writer: Writer, lease: Lease, reason: str, now: int) -> None:
    """Queue one message to each person with something there, in the transaction that disabled the destination."""
    to = lease.destination
    log.warning("a destination was disabled", platform=to.platform, team=to.team, reason=reason)
    alerts = await writer.alerts.of_destination(lease.destination_id)
    schedules = await writer.schedules.of_destination(lease.destination_id)
    rows: list[Owned] = sorted([*alerts, *schedules], key=lambda row: row.owner.person)
    for row in rows:
        details = {"reason": reason, "where": to.channel}
        subject = f"{_kind(row)}/{row.public_id}"
        await writer.audit.add(AuditEntry(now, to.platform, row.owner.team, ITSELF, STOPPED, subject, details))
    if not to.channel:
        return  # it is the person who cannot be reached
    people = groupby((row for row in rows if not row.owner.person.startswith(KEY_PERSON)), lambda row: row.owner.person)
    for person, theirs in people:
        await writer.outbox.add([await _message(writer, lease, person, list(theirs), reason, now)], now)


async def _message(writer: Writer, lease: Lease, person: str, rows: list[Owned], reason: str, now: int) -> NewMessage:
    to = lease.destination
    direct = await writer.outbox.destination(to.platform, to.team, person=person, enterprise=to.enterprise)
    name = f"{STOPPED}/{lease.destination_id}/{now}/{person}"
    rules = [[row.public_id, row.rule] for row in rows if isinstance(row, AlertRow)]
    others = [[row.kind, row.public_id, row.spec] for row in rows if isinstance(row, ScheduleRow)]
    payload = {"where": to.channel, "reason": reason, "alerts": rules, "schedules": others}
    return NewMessage(name, direct, name, STOPPED, payload, expires_at=now + USEFUL_S)


def _kind(row: Owned) -> str:
    return "alert" if isinstance(row, AlertRow) else row.kind
