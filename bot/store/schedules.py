"""What is told at fixed times: dashboards that are edited in place, and digests. One row each, with when it is due.

What a row says (its ``spec``) is JSON text here; what it means is for :mod:`bot.schedules`.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    and_,
    case,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store import tables as t
from bot.store.alerts import ID_LENGTH, LETTERS, Owner
from bot.store.bulk import put_changes
from bot.store.outbox import Destination
from bot.store.tables import metadata

ScheduleKind = Literal["dashboard", "digest"]

LONGEST_WAIT_S = 8 * 86_400
"""Nothing is due later than a week from now, and the hour by which a clock may be put back."""

schedule = Table(
    "schedule",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("public_id", Text, nullable=False, unique=True),
    *(Column(name, Text, nullable=False) for name in ("platform", "enterprise", "team", "person")),
    Column("destination_id", Integer, ForeignKey("destination.id"), nullable=False),
    *(Column(name, Text, nullable=False) for name in ("kind", "spec")),
    *(Column(name, BigInteger, nullable=False) for name in ("created_at", "changed_at")),
    *(Column(name, BigInteger) for name in ("due_at", "told_at", "posted_at", "deleted_at")),
    *(Column(name, Text) for name in ("message", "ended")),
    Index("schedule_due", "due_at"),
    Index("schedule_team", "platform", "team"),
    Index("schedule_destination", "destination_id"),
    sqlite_autoincrement=True,
)
"""``due_at``: when it is told next; ``told_at``: of when it was told last; ``message``: the identity of the newest
delivered state of a dashboard, posted anew last at ``posted_at``; ``ended``: why it is not told any more."""


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A dashboard or a digest as it is stored."""

    id: int
    public_id: str
    owner: Owner
    destination: Destination
    destination_id: int
    kind: ScheduleKind
    spec: str
    created_at: int
    due_at: int | None
    told_at: int | None
    posted_at: int | None
    message: str | None
    stopped: str | None
    """why nothing is sent to its destination any more"""


_ROW = [
    schedule.c[name]
    for name in ("id", "public_id", "destination_id", "kind", "spec", "created_at", "due_at", "told_at", "posted_at",
                 "message")
] + [t.destination.c.disabled_reason.label("stopped")]  # fmt: skip
_OWNER = [schedule.c[field.name] for field in fields(Owner)]
_TO = [t.destination.c[field.name].label(f"to_{field.name}") for field in fields(Destination)]


class ScheduleReads:
    """Reading schedules. Those that ended are not there."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def next_due(self) -> int | None:
        """When the next one is due, of those that can be delivered."""
        found: int | None = await self._conn.scalar(
            select(func.min(schedule.c.due_at))
            .join(t.destination)
            .where(_open(), t.destination.c.disabled_at.is_(None))
        )
        return found

    async def due(self, now: int, limit: int) -> list[ScheduleRow]:
        """Those that are due and can be delivered, the earliest first."""
        s = schedule.c
        return await self._schedules(
            s.due_at <= now, t.destination.c.disabled_at.is_(None), order=(s.due_at, s.id), limit=limit
        )

    async def of_team(self, platform: str, enterprise: str, team: str) -> list[ScheduleRow]:
        """All of a team, the oldest first."""
        return await self._schedules(_of_team(platform, enterprise, team))

    async def told_alone(self, platform: str, person: str) -> list[ScheduleRow]:
        """Those of any team that this person made and is told of alone."""
        s = schedule.c
        return await self._schedules(s.platform == platform, s.person == person, t.destination.c.person == person)

    async def of_destination(self, destination_id: int) -> list[ScheduleRow]:
        """All that are told at a destination."""
        return await self._schedules(schedule.c.destination_id == destination_id)

    async def by_id(self, id_: int) -> ScheduleRow | None:
        """One of them, whoever's it is: for those who deliver."""
        found = await self._schedules(schedule.c.id == id_)
        return found[0] if found else None

    async def _schedules(
        self,
        *conditions: ColumnElement[bool],
        order: Sequence[ColumnElement[Any]] = (),
        limit: int | None = None,
        held: bool = False,
    ) -> list[ScheduleRow]:
        query = select(*_ROW, *_OWNER, *_TO).join(t.destination).where(_open(), *conditions)
        query = query.order_by(*(order or (schedule.c.id,))).limit(limit)
        rows = await self._conn.execute(query.with_for_update(of=schedule) if held else query)
        return [_schedule(row) for row in rows]


class ScheduleWrites(ScheduleReads):
    """Changing schedules, inside the transaction of what causes it."""

    async def held(self, id_: int) -> ScheduleRow | None:
        """One of them, which nobody else changes before this transaction ends."""
        found = await self._schedules(schedule.c.id == id_, held=True)
        return found[0] if found else None

    async def create(
        self, owner: Owner, destination_id: int, kind: ScheduleKind, spec: str, due_at: int, now: int
    ) -> int:
        """Store a new one; gives its id."""
        public_id = "".join(secrets.choice(LETTERS) for _ in range(ID_LENGTH))
        values: dict[str, Any] = {field.name: getattr(owner, field.name) for field in fields(Owner)}
        values |= {"public_id": public_id, "destination_id": destination_id, "kind": kind, "spec": spec}
        values |= {"due_at": due_at, "created_at": now, "changed_at": now}
        made = await self._conn.execute(schedule.insert().values(**values).returning(schedule.c.id))
        return int(made.scalar_one())

    async def change(self, id_: int, now: int, **values: Any) -> None:
        """Change columns of one."""
        await self._conn.execute(update(schedule).where(schedule.c.id == id_).values(**values, changed_at=now))

    async def told(self, rows: Sequence[tuple[int, int, int | None]]) -> None:
        """When each (id) is due next, and of when it was told last."""
        each = [(due_at, told_at, id_) for id_, due_at, told_at in rows]
        await put_changes(self._conn, schedule, each, ("due_at", "told_at"))

    async def end(self, id_: int, now: int, why: str) -> str | None:
        """Tell nothing more of it, and show it to nobody; gives the message that it has by then."""
        ended = {"changed_at": now, "deleted_at": now, "due_at": None, "ended": why}
        one = update(schedule).where(schedule.c.id == id_).values(**ended)
        message: str | None = await self._conn.scalar(one.returning(schedule.c.message))
        return message

    async def redate(self, now: int) -> None:
        """Look again at what a clock that ran ahead has told or put off: it would wait until then."""
        s = schedule.c
        ahead = or_(s.due_at > now + LONGEST_WAIT_S, s.told_at > now, s.posted_at > now)
        told = {name: case((s[name] > now, now), else_=s[name]) for name in ("told_at", "posted_at")}
        await self._conn.execute(update(schedule).where(_open(), ahead).values(due_at=now, **told))

    async def forget_team(self, platform: str, team: str) -> None:
        """Remove those of a team that left."""
        s = schedule.c
        await self._conn.execute(delete(schedule).where(s.platform == platform, s.team == team))


def _open() -> ColumnElement[bool]:
    return schedule.c.deleted_at.is_(None)


def _of_team(platform: str, enterprise: str, team: str) -> ColumnElement[bool]:
    s = schedule.c
    return and_(s.platform == platform, s.enterprise == enterprise, s.team == team)


def _schedule(row: Any) -> ScheduleRow:
    known = {column.name: value for column, value in zip(_ROW, row[: len(_ROW)], strict=True)}
    owner, to = Owner(*row[len(_ROW) : -len(_TO)]), Destination(*row[-len(_TO) :])
    return ScheduleRow(owner=owner, destination=to, **known)
