"""Who sends what next. A sender leases a destination, not a message: one at a time keeps the order and the pace.

Candidates are free, due and hold a message that may go. They are taken by turns between teams, the team that was served
longest ago first; a team has only so many destinations leased at once. Several processes share on PostgreSQL.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, and_, case, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store import tables as t
from bot.store.outbox import MESSAGE_COLUMNS, Action, Destination, State, StoredMessage, stored_message

LEASE_S = 60
"""Seconds until another sender takes over what one has leased and not finished: longer than an attempt may take."""

TEAM_SLOTS = 3
"""Destinations of one team that are leased at once, so that a team with many leaves room for others. A choice."""

# Made once: an alias copies every column, which took a third of a claim's time.
_OTHER = t.destination.alias("other").c
_EARLIER, _FIRST = t.message.alias("earlier").c, t.message.alias("first").c

Scope = Literal["destination", "team", "platform"]

Tried = Literal["failed", "ambiguous", "not"]
"""What an attempt was: certainly in vain, perhaps not, or none, which is not counted."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Messages a second to one team and to all teams of a platform."""

    team: int
    platform: int


@dataclass(frozen=True, slots=True)
class Lease:
    """A destination that is this sender's until it says what became of ``messages``, which go as one."""

    token: str
    destination_id: int
    destination: Destination
    messages: tuple[StoredMessage, ...]
    action: Action
    receipt: tuple[str, str] | None = None
    """channel and message to edit or to answer"""

    @property
    def id(self) -> str:
        """The id under which they go, the same at each attempt."""
        return self.messages[0].send_id or self.messages[0].id

    @property
    def ambiguities(self) -> int:
        """How often they may already have arrived."""
        return max(message.ambiguities for message in self.messages)


class OutboxLeases:
    """Leasing destinations and recording what became of their messages."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def claim(self, now: int, most: int, rates: Mapping[str, Rate], *, seconds: int = LEASE_S) -> list[Lease]:
        """Lease up to ``most`` destinations, of the platforms that have a rate, where there is something to send."""
        await self._expire(now)
        chosen = _within_rates(await self._candidates(now, rates), rates, await self._recent(now))[:most]
        d = t.destination.c
        free = select(d.id).where(d.id.in_(chosen), _free(now)).with_for_update(skip_locked=True, key_share=True)
        ids = set((await self._conn.scalars(free)).all())
        simple = await self._lease_posts(ids, now, seconds)
        leases = [simple.get(id_) or await self._lease(id_, now, seconds) for id_ in chosen if id_ in ids]
        return [lease for lease in leases if lease is not None]

    async def _expire(self, now: int) -> None:
        m = t.message.c
        old = _unlocked(m.state == "queued", m.expires_at <= now)
        await self._conn.execute(update(t.message).where(old).values(state="expired", ended_at=now))

    async def _candidates(self, now: int, platforms: Iterable[str]) -> Sequence[Row[Any]]:
        d = t.destination.c
        team = (d.platform, d.enterprise, d.team)
        turn = func.row_number().over(partition_by=team, order_by=(d.last_served_at, d.id)).label("turn")
        waiting = exists().where(t.message.c.destination_id == d.id, _may_go(now))
        c = select(d.id, *team, turn).where(d.platform.in_(platforms), _free(now), waiting).subquery().c
        o = _OTHER
        same = (o.platform == c.platform, o.enterprise == c.enterprise, o.team == c.team)
        served = select(func.max(o.last_served_at)).where(*same).scalar_subquery()
        recent = select(func.count()).where(*same, o.last_served_at >= now).scalar_subquery()
        leased = select(func.count()).where(*same, o.lease_until > now).scalar_subquery()
        query = select(c.id, c.platform, c.turn, recent.label("recent")).where(c.turn + leased <= TEAM_SLOTS)
        rows: Sequence[Any] = (await self._conn.execute(query.order_by(c.turn, served, c.id))).all()
        return rows

    async def _recent(self, now: int) -> Counter[str]:
        """Messages that began to go in this second, by platform."""
        d = t.destination.c
        query = select(d.platform, func.count()).where(d.last_served_at >= now).group_by(d.platform)
        return Counter(dict(map(tuple, (await self._conn.execute(query)).all())))

    async def _lease_posts(self, ids: Collection[int], now: int, seconds: int) -> dict[int, Lease]:
        """Lease, with two statements for all, the destinations whose next message is a post that goes by itself."""
        m, d, token = t.message.c, t.destination.c, secrets.token_hex(8)
        heads = select(func.min(m.seq)).where(m.destination_id.in_(ids), _may_go(now)).group_by(m.destination_id)
        alone = _unlocked(m.seq.in_(heads), m.action == "post", m.batch.is_(None), m.state == "queued")
        taken = update(t.message).where(alone).values(send_id=func.coalesce(m.send_id, m.id), attempts=m.attempts + 1)
        rows = (await self._conn.execute(taken.returning(*MESSAGE_COLUMNS))).all()
        messages = {row.destination_id: stored_message(row) for row in rows}
        lease = {"lease_until": now + seconds, "lease_token": token, "last_served_at": now}
        held = update(t.destination).where(d.id.in_(messages)).values(**lease)
        places = await self._conn.execute(held.returning(d.id, *(d[f.name] for f in fields(Destination))))
        return {id_: Lease(token, id_, Destination(*place), (messages[id_],), "post") for id_, *place in places}

    async def _lease(self, destination_id: int, now: int, seconds: int) -> Lease | None:
        token, d = secrets.token_hex(8), t.destination.c
        while (head := await self._head(destination_id, now)) is not None:
            action, receipt = await self._target(head)
            if action is None:
                await self._end([head], "cancelled", now, last_error="nothing to edit was delivered")
                continue
            if messages := await self._group(head, now):
                lease = {"lease_until": now + seconds, "lease_token": token, "last_served_at": now}
                taken = update(t.destination).where(d.id == destination_id).values(**lease)
                row = (await self._conn.execute(taken.returning(*(d[f.name] for f in fields(Destination))))).one()
                return Lease(token, destination_id, Destination(*row), messages, action, receipt)
        return None

    async def _head(self, destination_id: int, now: int) -> StoredMessage | None:
        m = t.message.c
        query = select(*MESSAGE_COLUMNS).where(m.destination_id == destination_id, _may_go(now))
        row = (await self._conn.execute(query.order_by(m.seq).limit(1))).first()
        return None if row is None else stored_message(row)

    async def _target(self, head: StoredMessage) -> tuple[Action | None, tuple[str, str] | None]:
        """What can be done. An edit of what nobody saw is not told (None); an answer to it is news, and is posted.

        A message that went with others is answered, not edited: they still stand. What is forgotten, somewhere else,
        or perhaps there (ambiguous) cannot be edited, but may have been seen: then a post.
        """
        if head.action == "post" or head.refers_to is None:
            return "post", None
        only = head.action in ("edit_only", "remove")
        query = select(*MESSAGE_COLUMNS).where(t.message.c.identity == head.refers_to)
        row = (await self._conn.execute(query)).first()
        if row is None:
            return (None if only else "post"), None
        if row.state != "delivered":
            return (None if only or (head.action == "edit" and row.state != "ambiguous") else "post"), None
        if row.destination_id != head.destination_id or not row.receipt_message:
            return (None if only else "post"), None
        return ("thread" if await self._shared(row) else head.action), (row.receipt_channel, row.receipt_message)

    async def _shared(self, row: Row[Any]) -> bool:
        m = t.message.c
        return bool(await self._conn.scalar(select(exists().where(m.send_id == row.send_id, m.seq != row.seq))))

    async def _group(self, head: StoredMessage, now: int) -> tuple[StoredMessage, ...]:
        """Those that go with the head, fixed when first leased: under one id always the same is sent."""
        m, send_id = t.message.c, head.send_id or head.id
        one = m.seq == head.seq
        if head.send_id is not None:
            one = and_(m.destination_id == head.destination_id, m.send_id == send_id)
        elif head.action == "post" and head.batch is not None:
            one = and_(m.destination_id == head.destination_id, m.batch == head.batch, m.action == "post")
            one = and_(one, m.send_id.is_(None), _may_go(now))
        free = _unlocked(one, m.state == "queued")
        taken = update(t.message).where(free).values(send_id=send_id, attempts=m.attempts + 1)
        rows = await self._conn.execute(taken.returning(*MESSAGE_COLUMNS))
        return tuple(sorted((stored_message(row) for row in rows), key=lambda message: message.seq))

    async def delivered(self, lease: Lease, now: int, receipt: tuple[str, str], pause: int) -> None:
        """They are there, also where they were cancelled meanwhile."""
        channel, message = receipt
        known = {"receipt_channel": channel, "receipt_message": message, "last_error": None}
        await self._end(lease.messages, "delivered", now, **known)
        await self._free(lease, now + pause, refusals=0)

    async def ended(self, lease: Lease, now: int, state: State, error: str, pause: int) -> None:
        """They will not be tried again."""
        await self._end(lease.messages, state, now, last_error=error)
        await self._free(lease, now + pause)

    async def postponed(
        self,
        lease: Lease,
        due_at: int,
        error: str,
        *,
        next_at: int,
        scope: Scope = "destination",
        tried: Tried = "failed",
    ) -> None:
        """They go again at ``due_at``, and others to the destination, the team or the platform from ``next_at``."""
        m, d, place = t.message.c, t.destination.c, lease.destination
        again = update(t.message).where(m.seq.in_([one.seq for one in lease.messages]), m.state == "queued")
        count = m.ambiguities + int(tried == "ambiguous")
        attempts = m.attempts - int(tried == "not")
        values = {"due_at": due_at, "last_error": error, "ambiguities": count, "attempts": attempts}
        await self._conn.execute(again.values(**values))
        await self._free(lease, next_at)
        team = (d.platform == place.platform, d.enterprise == place.enterprise, d.team == place.team)
        if scope != "destination":
            all_ = update(t.destination).where(*(team if scope == "team" else team[:1]), d.next_at < next_at)
            await self._conn.execute(all_.values(next_at=next_at))

    async def refused(self, lease: Lease, now: int, error: str, *, due_at: int, most: int) -> bool:
        """Nothing can be delivered there. After ``most`` such answers in a row it is disabled; gives whether it is."""
        d = t.destination.c
        here = d.id == lease.destination_id
        await self._conn.execute(update(t.destination).where(here).values(refusals=d.refusals + 1))
        refusals = int((await self._conn.execute(select(d.refusals).where(here))).scalar_one())
        if refusals < most:
            await self.postponed(lease, due_at, error, next_at=due_at)
            return False
        await self.ended(lease, now, "rejected", error, 0)
        await self.disable(lease.destination_id, error, now)
        return True

    async def rest(self, destination_id: int, until: int) -> None:
        """Nothing goes there before ``until``."""
        d = t.destination.c
        sooner = update(t.destination).where(d.id == destination_id, d.next_at < until)
        await self._conn.execute(sooner.values(next_at=until))

    async def disable(self, destination_id: int, error: str, now: int) -> None:
        """Nothing goes there any more until it is enabled."""
        here = update(t.destination).where(t.destination.c.id == destination_id)
        await self._conn.execute(here.values(disabled_at=now, disabled_reason=error))

    async def released(self, lease: Lease, now: int) -> None:
        """They were not tried."""
        await self._free(lease, now)

    async def _end(self, messages: Sequence[StoredMessage], state: State, now: int, **more: str | None) -> None:
        m = t.message.c
        these = update(t.message).where(m.seq.in_([message.seq for message in messages]))
        if state != "delivered":
            these = these.where(m.state == "queued")
        await self._conn.execute(these.values(state=state, ended_at=now, **more))

    async def _free(self, lease: Lease, next_at: int, **more: int) -> None:
        """Give the destination back, if the lease has not run out and gone to another."""
        d = t.destination.c
        mine = update(t.destination).where(d.id == lease.destination_id, d.lease_token == lease.token)
        later = case((d.next_at > next_at, d.next_at), else_=next_at)
        await self._conn.execute(mine.values(lease_until=0, lease_token=None, next_at=later, **more))


def _free(now: int) -> ColumnElement[bool]:
    d = t.destination.c
    return and_(d.disabled_at.is_(None), d.next_at <= now, d.lease_until <= now)


def _unlocked(*which: ColumnElement[bool]) -> ColumnElement[bool]:
    """Messages that nobody changes at this moment: whoever sends waits for no writer, and no writer for long."""
    return t.message.c.seq.in_(select(t.message.c.seq).where(*which).with_for_update(skip_locked=True))


def _may_go(now: int) -> ColumnElement[bool]:
    """Queued and due, nothing earlier of the topic still waits, nor what it refers to."""
    m, earlier, first = t.message.c, _EARLIER, _FIRST
    before = exists().where(earlier.topic == m.topic, earlier.seq < m.seq, earlier.state == "queued")
    pending = exists().where(first.identity == m.refers_to, first.state == "queued")
    return and_(m.state == "queued", m.due_at <= now, ~before, or_(m.refers_to.is_(None), ~pending))


def _within_rates(candidates: Sequence[Row[Any]], rates: Mapping[str, Rate], sent: Counter[str]) -> list[int]:
    chosen = []
    for row in candidates:
        rate = rates[row.platform]
        if row.recent + row.turn <= rate.team and sent[row.platform] < rate.platform:
            sent[row.platform] += 1
            chosen.append(row.id)
    return chosen
