"""The outbox: messages are queued in the transaction that causes them, and what became of each is kept.

A message is queued until it ends, once: delivered, rejected, expired, cancelled, or ambiguous (it may be there or not).
Those of one topic go in the order in which they were added.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from sqlalchemy import Executable, Row, Select, Table, and_, case, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics.market import DAY
from bot.store import tables as t
from bot.store.bulk import put

Action = Literal["post", "edit", "thread", "edit_only", "remove"]
"""``edit``: else a post in its place; ``edit_only``, ``remove``: else nothing."""

State = Literal["queued", "delivered", "rejected", "expired", "cancelled", "ambiguous"]

USEFUL_S = DAY
"""After so many seconds a message is not news any more, unless it says otherwise."""


REPLAYED_S = 4 * DAY
"""Seconds in which what is sent again may be delivered."""

TOPICS_A_QUERY = 5_000
"""Topics that one statement asks for: PostgreSQL takes 32,767 parameters, SQLite 32,766."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A channel of a team or a person's direct messages; ``channel`` or ``person`` is empty."""

    platform: str
    enterprise: str
    team: str
    channel: str
    person: str


@dataclass(frozen=True, slots=True)
class NewMessage:
    """What to queue. ``payload`` is neutral data: words are made when it is sent."""

    identity: str
    """names the event; a second message of the same identity is not queued"""
    destination_id: int
    topic: str
    kind: str
    payload: Mapping[str, Any]
    action: Action = "post"
    refers_to: str | None = None
    """identity of the message to edit or to answer in its thread"""
    batch: int | None = None
    """posts of one batch to one destination go as one message"""
    not_before: int = 0
    expires_at: int | None = None
    """a day after it may be sent, where it is not said"""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message and what became of it."""

    seq: int
    id: str
    identity: str
    destination_id: int
    topic: str
    kind: str
    payload: Mapping[str, Any]
    action: Action
    refers_to: str | None
    batch: int | None
    created_at: int
    not_before: int
    expires_at: int
    due_at: int
    attempts: int
    ambiguities: int
    state: State
    send_id: str | None
    ended_at: int | None
    receipt_channel: str | None
    receipt_message: str | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread: the identity of the message that began it, and when its newest message was queued."""

    root: str
    newest_at: int


MESSAGE_COLUMNS = [t.message.c[field.name] for field in fields(StoredMessage)]


def stored_message(row: Row[Any]) -> StoredMessage:
    """A row of MESSAGE_COLUMNS."""
    return StoredMessage(**{**row._mapping, "payload": json.loads(row.payload)})


def insert_new(conn: AsyncConnection, table: Table) -> Any:
    """An INSERT that leaves out rows that are there already."""
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    return dialect.insert(table).on_conflict_do_nothing()


class OutboxReads:
    """Reading the outbox."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def message(self, identity: str) -> StoredMessage | None:
        """The message of an event."""
        query = select(*MESSAGE_COLUMNS).where(t.message.c.identity == identity)
        row = (await self._conn.execute(query)).first()
        return None if row is None else stored_message(row)

    async def topic(self, topic: str) -> list[StoredMessage]:
        """The messages of a topic in their order."""
        query = select(*MESSAGE_COLUMNS).where(t.message.c.topic == topic).order_by(t.message.c.seq)
        return [stored_message(row) for row in await self._conn.execute(query)]

    async def threads(self, topics: Sequence[str], kinds: Sequence[str]) -> dict[str, Thread]:
        """Where the newest message of these kinds of each topic is; topics without one that may be there are absent."""
        found: dict[str, Thread] = {}
        for start in range(0, len(topics), TOPICS_A_QUERY):
            for row in await self._conn.execute(_newest(topics[start : start + TOPICS_A_QUERY], kinds)):
                found[row.topic] = Thread(row.refers_to or row.identity, row.created_at)
        return found

    async def waiting(self, topics: Sequence[str]) -> set[str]:
        """Those of these topics that have messages which have not ended."""
        m, found = t.message.c, set[str]()
        for start in range(0, len(topics), TOPICS_A_QUERY):
            some = m.topic.in_(topics[start : start + TOPICS_A_QUERY])
            found.update(await self._conn.scalars(select(m.topic).where(some, m.state == "queued").distinct()))
        return found

    async def states(self, identities: Sequence[str]) -> dict[str, tuple[State, Mapping[str, Any]]]:
        """What became of those of these messages that are still known, and what they say."""
        m, found = t.message.c, dict[str, tuple[State, Mapping[str, Any]]]()
        for start in range(0, len(identities), TOPICS_A_QUERY):
            some = m.identity.in_(identities[start : start + TOPICS_A_QUERY])
            for identity, state, payload in await self._conn.execute(
                select(m.identity, m.state, m.payload).where(some)
            ):
                found[identity] = state, json.loads(payload)
        return found

    async def counts(self) -> dict[str, int]:
        """How many messages are in each state."""
        query = select(t.message.c.state, func.count()).group_by(t.message.c.state)
        return dict(map(tuple, (await self._conn.execute(query)).all()))

    async def disabled(self, destination_id: int) -> str | None:
        """Why nothing is sent to a destination any more; None where it is."""
        d = t.destination.c
        reason: str | None = await self._conn.scalar(select(d.disabled_reason).where(d.id == destination_id))
        return reason


class OutboxWrites(OutboxReads):
    """Changing the outbox, inside the transaction of what causes it."""

    async def destination(
        self, platform: str, team: str, *, channel: str = "", person: str = "", enterprise: str = ""
    ) -> int:
        """The id of a destination, which is made where it is new."""
        address = {"platform": platform, "enterprise": enterprise, "team": team, "channel": channel, "person": person}
        new = {"next_at": 0, "lease_until": 0, "refusals": 0, "last_served_at": 0}
        await self._conn.execute(insert_new(self._conn, t.destination).values(**address, **new))
        same = [t.destination.c[name] == value for name, value in address.items()]
        return int((await self._conn.execute(select(t.destination.c.id).where(*same))).scalar_one())

    async def add(self, messages: Sequence[NewMessage], now: int) -> None:
        """Queue messages in this order; those whose identity is known already are left out."""
        rows = [_row(message, now) for message in messages]
        if rows:
            await put(self._conn, t.message, [tuple(row.values()) for row in rows], "skip", tuple(rows[0]))

    async def cancel(self, topic: str, now: int) -> int:
        """End what waits of a topic; gives how many. What is being sent at this moment cannot be called back."""
        m = t.message.c
        waiting = update(t.message).where(m.topic == topic, m.state == "queued")
        return await self._change(waiting.values(state="cancelled", ended_at=now))

    async def cancel_all(self, destination_id: int, now: int, *, kind: str | None = None) -> int:
        """End what waits for a destination, of one kind or of all; gives how many."""
        m = t.message.c
        these = [] if kind is None else [m.kind == kind]
        waiting = update(t.message).where(m.destination_id == destination_id, m.state == "queued", *these)
        return await self._change(waiting.values(state="cancelled", ended_at=now))

    async def hold(self, destination_id: int, kind: str) -> None:
        """Let the posts that wait for a destination go only after the newest message of a kind."""
        m, here = t.message.c, t.message.c.destination_id == destination_id
        first = select(m.identity).where(here, m.kind == kind).order_by(m.seq.desc()).limit(1)
        waiting = update(t.message).where(here, m.state == "queued", m.action == "post", m.kind != kind)
        await self._change(waiting.values(refers_to=await self._conn.scalar(first)))

    async def replay(
        self, destination_id: int, now: int, *, since: int, send_id: str | None = None, but: str = ""
    ) -> int:
        """Queue again, under the same ids and in the same order, what a destination was not told since a second, also
        what waits for its next attempt; or the message of one id, whatever became of it; but none of the kind ``but``.
        Gives how many."""
        m = t.message.c
        untold = or_(m.state.in_(("rejected", "expired", "ambiguous")), and_(m.state == "queued", m.due_at > now))
        these = [untold, m.created_at >= since] if send_id is None else [func.coalesce(m.send_id, m.id) == send_id]
        again = update(t.message).where(m.destination_id == destination_id, m.kind != but, *these)
        fresh = {"state": "queued", "due_at": now, "attempts": 0, "ambiguities": 0, "ended_at": None}
        late = case((m.expires_at < now + REPLAYED_S, now + REPLAYED_S), else_=m.expires_at)
        return await self._change(again.values(**fresh, expires_at=late))

    async def enable(self, destination_id: int) -> None:
        """Send again where nothing could be delivered; what waits there and has not expired goes out."""
        again = {"disabled_at": None, "disabled_reason": None, "refusals": 0, "next_at": 0}
        d = t.destination.c
        stopped = update(t.destination).where(d.id == destination_id, d.disabled_at.is_not(None))
        await self._conn.execute(stopped.values(**again))

    async def free_all(self) -> int:
        """End every lease: for the only process that sends, when it starts after a crash."""
        free = update(t.destination).where(t.destination.c.lease_until > 0)
        return await self._change(free.values(lease_until=0, lease_token=None))

    async def redate(self, now: int) -> None:
        """Bring back what a clock that ran ahead has queued or served after ``now``: it would wait until then."""
        m, d = t.message.c, t.destination.c
        ahead = m.created_at - now
        times = {name: m[name] - ahead for name in ("created_at", "not_before", "due_at", "expires_at")}
        await self._conn.execute(update(t.message).where(m.state == "queued", ahead > 0).values(**times))
        served = update(t.destination).where(d.last_served_at > now)
        await self._conn.execute(served.values(last_served_at=now, next_at=now, lease_until=0, lease_token=None))

    async def forget_team(self, platform: str, team: str) -> None:
        """Remove the alerts, messages and destinations of a team that left."""
        d, a = t.destination.c, t.alert.c
        theirs = select(d.id).where(d.platform == platform, d.team == team)
        own = (a.platform == platform, a.team == team)
        await self._conn.execute(delete(t.alert).where(*own))
        await self._conn.execute(delete(t.message).where(t.message.c.destination_id.in_(theirs)))
        await self._conn.execute(delete(t.destination).where(d.id.in_(theirs)))

    async def _change(self, statement: Executable) -> int:
        return int((await self._conn.execute(statement)).rowcount)


def _newest(topics: Sequence[str], kinds: Sequence[str]) -> Select[Any]:
    m = t.message.c
    there = m.state.in_(("queued", "delivered", "ambiguous"))
    last = select(func.max(m.seq)).where(m.topic.in_(topics), m.kind.in_(kinds), there).group_by(m.topic)
    return select(m.topic, m.identity, m.refers_to, m.created_at).where(m.seq.in_(last))


def _row(new: NewMessage, now: int) -> dict[str, Any]:
    first = max(new.not_before, now)
    return {
        "id": secrets.token_urlsafe(16),  # 22 characters: Discord takes at most 25 as a nonce
        "identity": new.identity,
        "destination_id": new.destination_id,
        "topic": new.topic,
        "batch": new.batch,
        "kind": new.kind,
        "payload": json.dumps(dict(new.payload)),
        "refers_to": new.refers_to,
        "action": new.action,
        "created_at": now,
        "not_before": first,
        "due_at": first,
        "expires_at": first + USEFUL_S if new.expires_at is None else new.expires_at,
        "attempts": 0,
        "ambiguities": 0,
        "state": "queued",
    }
