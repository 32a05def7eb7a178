"""Who did what. The database refuses to change it; it is removed only by age or with a whole team."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store import tables as t


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act. ``actor`` is a person's id, or what acted by itself."""

    at: int
    platform: str
    team: str
    actor: str
    action: str
    subject: str
    details: Mapping[str, Any]


class AuditReads:
    """Reading it."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def of(self, platform: str, team: str, subject: str) -> list[AuditEntry]:
        """What was done to something of a team, the oldest first."""
        a = t.audit.c
        query = select(a.at, a.platform, a.team, a.actor, a.action, a.subject, a.details)
        mine = query.where(a.platform == platform, a.team == team, a.subject == subject).order_by(a.id)
        return [AuditEntry(*row[:-1], json.loads(row.details)) for row in await self._conn.execute(mine)]


class AuditWrites(AuditReads):
    """Adding to it."""

    async def add(self, entry: AuditEntry) -> None:
        """Note an act in the transaction that does it."""
        row = {name: getattr(entry, name) for name in AuditEntry.__slots__}
        await self._conn.execute(t.audit.insert().values(row | {"details": json.dumps(dict(entry.details))}))

    async def forget_team(self, platform: str, team: str) -> None:
        """Remove what was done in a team that left."""
        a = t.audit.c
        async with erasure(self._conn, platform=platform, team=team):
            await self._conn.execute(delete(t.audit).where(a.platform == platform, a.team == team))


@asynccontextmanager
async def erasure(
    conn: AsyncConnection, *, before: int = 0, platform: str | None = None, team: str | None = None
) -> AsyncIterator[None]:
    """Inside, entries from before a second, or those of a team, may be removed; by this transaction only."""
    await conn.execute(t.audit_erasure.insert().values(before=before, platform=platform, team=team))
    yield
    await conn.execute(delete(t.audit_erasure))
