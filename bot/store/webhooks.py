"""Endpoints of webhooks, the log of attempts, and the prices they were told of last."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    and_,
    delete,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics.market import DAY
from bot.store import tables as t
from bot.store.alerts import ID_LENGTH, LETTERS, Owner
from bot.store.bulk import put
from bot.store.names import Names
from bot.store.outbox import NewMessage
from bot.store.tables import metadata

PLATFORM = "webhook"
"""The platform of destinations that are endpoints; team and channel are the endpoint's public id."""

FIRED, RESOLVED, PRICE = "alert.fired", "alert.resolved", "price.changed"
TEST, CHALLENGE = "webhook.test", "webhook.challenge"
"""The names of events."""

SUBSCRIBED = (FIRED, RESOLVED, PRICE)
"""Those that may be chosen; every endpoint is told of its challenge, first, and of tests."""

ALERTS_A_QUERY = 5_000
"""Rules that one statement asks for: databases take some 32,000 parameters."""

KEPT_S = 4 * DAY
"""Seconds in which a message may be delivered: longer than its ten attempts take (source: reliability.md, C3)."""

State = Literal["pending", "active", "disabled"]

webhook = Table(
    "webhook",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("public_id", Text, nullable=False, unique=True),
    *(Column(name, Text, nullable=False) for name in ("platform", "enterprise", "team", "person", "channel")),
    Column("destination_id", Integer, ForeignKey("destination.id"), nullable=False),
    Column("host", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    *(Column(name, Text, nullable=False) for name in ("state", "events", "gpus")),
    Column("min_change_ppm", Integer, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in ("created_at", "changed_at")),
    *(Column(name, BigInteger) for name in ("failing_since", "deleted_at")),
    Column("disabled_reason", Text),
    Index("webhook_team", "platform", "team"),
    sqlite_autoincrement=True,
)
"""``sealed``: address, secrets and challenge, encrypted; ``channel``: where its owner added it; ``events`` and ``gpus``
as JSON lists (all models where ``gpus`` is empty); ``failing_since``: of the failures since the last success."""

webhook_attempt = Table(
    "webhook_attempt",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("webhook_id", Integer, ForeignKey("webhook.id"), nullable=False),
    *(Column(name, Text, nullable=False) for name in ("message", "event")),
    Column("at", BigInteger, nullable=False),
    Column("milliseconds", Integer, nullable=False),
    Column("status", Integer),
    *(Column(name, Text, nullable=False) for name in ("error", "excerpt")),
    Index("webhook_attempt_log", "webhook_id", "id"),
    Index("webhook_attempt_at", "at"),
    sqlite_autoincrement=True,
)
"""One row an attempt; ``message`` is the id under which it went."""

webhook_price = Table(
    "webhook_price",
    metadata,
    Column("webhook_id", Integer, ForeignKey("webhook.id"), primary_key=True, nullable=False, autoincrement=False),
    Column("gpu_id", SmallInteger, ForeignKey("gpu.id"), primary_key=True, nullable=False, autoincrement=False),
    Column("price", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""The price in micro-dollars from which the next change is counted."""


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """An endpoint."""

    id: int
    public_id: str
    owner: Owner
    channel: str
    destination_id: int
    host: str
    sealed: bytes
    state: State
    events: tuple[str, ...]
    gpus: tuple[str, ...]
    min_change_ppm: int
    created_at: int
    failing_since: int | None
    disabled_reason: str | None

    def wants(self, event: str, gpu: str) -> bool:
        """Whether it is to be told of an event of a model."""
        return event in self.events and (not self.gpus or gpu in self.gpus)


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """What to store of a new endpoint."""

    owner: Owner
    channel: str
    host: str
    events: Sequence[str]
    gpus: Sequence[str]
    min_change_ppm: int


@dataclass(frozen=True, slots=True)
class StoredAttempt:
    """What came of one attempt; ``status`` is None where there was no answer."""

    message: str
    event: str
    at: int
    milliseconds: int
    status: int | None
    error: str
    excerpt: str


_OWNER = [webhook.c[field.name] for field in fields(Owner)]
_REST = [
    webhook.c[name]
    for name in ("channel", "destination_id", "host", "sealed", "state", "events", "gpus", "min_change_ppm",
                 "created_at", "failing_since", "disabled_reason")
]  # fmt: skip
_COLUMNS = [webhook.c.id, webhook.c.public_id, *_OWNER, *_REST]
_ATTEMPT = [webhook_attempt.c[field.name] for field in fields(StoredAttempt)]


class WebhookReads:
    """Reading endpoints and their log."""

    def __init__(self, conn: AsyncConnection, names: Names) -> None:
        self._conn, self._names = conn, names

    async def of_team(self, platform: str, enterprise: str, team: str) -> list[WebhookRow]:
        """The endpoints of a team, in the order in which they were added."""
        return await self._endpoints(_team(platform, enterprise, team))

    async def find(self, platform: str, enterprise: str, team: str, public_id: str) -> WebhookRow | None:
        """One endpoint of a team."""
        found = await self._endpoints(_team(platform, enterprise, team), webhook.c.public_id == public_id)
        return found[0] if found else None

    async def by_id(self, public_id: str) -> WebhookRow | None:
        """An endpoint, whoever's it is: for those who deliver."""
        found = await self._endpoints(webhook.c.public_id == public_id)
        return found[0] if found else None

    async def active(self, teams: Collection[tuple[str, str, str]] | None = None) -> list[WebhookRow]:
        """The endpoints that take events, of these (platform, enterprise, team), or of all."""
        of_teams = [] if teams is None else [or_(*(_team(*team) for team in teams))]
        return await self._endpoints(webhook.c.state == "active", *of_teams)

    async def of_alerts(self, alert_ids: Sequence[int]) -> dict[int, list[WebhookRow]]:
        """The endpoints that take events, by the rules of their teams; rules without one are absent."""
        a, w = t.alert.c, webhook.c
        same = and_(a.platform == w.platform, a.enterprise == w.enterprise, a.team == w.team)
        found: dict[int, list[WebhookRow]] = {}
        for start in range(0, len(alert_ids), ALERTS_A_QUERY):
            some = a.id.in_(alert_ids[start : start + ALERTS_A_QUERY])
            query = select(a.id, *_COLUMNS).join_from(webhook, t.alert, same)
            for id_, *row in await self._conn.execute(query.where(some, w.state == "active", w.deleted_at.is_(None))):
                found.setdefault(id_, []).append(_row(row))
        return found

    async def sealed(self) -> list[tuple[int, bytes]]:
        """What is sealed of every endpoint, by its id."""
        query = select(webhook.c.id, webhook.c.sealed).where(webhook.c.deleted_at.is_(None))
        return [(id_, sealed) for id_, sealed in await self._conn.execute(query)]

    async def log(self, webhook_id: int, most: int) -> list[StoredAttempt]:
        """The last attempts, the newest first."""
        a = webhook_attempt.c
        query = select(*_ATTEMPT).where(a.webhook_id == webhook_id).order_by(a.id.desc()).limit(most)
        return [StoredAttempt(*row) for row in await self._conn.execute(query)]

    async def prices(self, webhook_ids: Iterable[int]) -> dict[tuple[int, str], int]:
        """The price that each endpoint was told of last, by endpoint and model."""
        p = webhook_price.c
        rows = await self._conn.execute(
            select(p.webhook_id, p.gpu_id, p.price).where(p.webhook_id.in_(list(webhook_ids)))
        )
        return {(id_, self._names.gpu_name[gpu_id]): price for id_, gpu_id, price in rows}

    async def _endpoints(self, *where: ColumnElement[bool]) -> list[WebhookRow]:
        w = webhook.c
        query = select(*_COLUMNS).where(w.deleted_at.is_(None), *where).order_by(w.id)
        return [_row(row) for row in await self._conn.execute(query)]


class WebhookWrites(WebhookReads):
    """Changing endpoints."""

    async def create(self, public_id: str, new: NewWebhook, destination_id: int, sealed: bytes, now: int) -> int:
        """Store a new endpoint, which waits for its challenge; gives its id."""
        values: dict[str, Any] = {field.name: getattr(new.owner, field.name) for field in fields(Owner)}
        values |= {"public_id": public_id, "destination_id": destination_id, "sealed": sealed, "state": "pending"}
        values |= {"channel": new.channel, "host": new.host, "min_change_ppm": new.min_change_ppm}
        values |= {"events": json.dumps(list(new.events)), "gpus": json.dumps(list(new.gpus))}
        values |= {"created_at": now, "changed_at": now}
        made = await self._conn.execute(webhook.insert().values(**values).returning(webhook.c.id))
        return int(made.scalar_one())

    async def change(self, id_: int, now: int, **values: Any) -> None:
        """Change columns of an endpoint."""
        await self._conn.execute(update(webhook).where(webhook.c.id == id_).values(**values, changed_at=now))

    async def delete(self, id_: int, now: int) -> None:
        """Take an endpoint away; its secrets with it."""
        await self.change(id_, now, deleted_at=now, sealed=b"")
        await self._conn.execute(delete(webhook_price).where(webhook_price.c.webhook_id == id_))

    async def attempted(self, attempts: Sequence[tuple[str, StoredAttempt]]) -> None:
        """Add attempts, by the public id of their endpoint, to the log, unless it was deleted."""
        w = webhook.c
        theirs = select(w.public_id, w.id).where(w.public_id.in_({id_ for id_, _ in attempts}), w.deleted_at.is_(None))
        ids = dict(map(tuple, (await self._conn.execute(theirs)).all()))
        names = [field.name for field in fields(StoredAttempt)]
        rows = [
            {"webhook_id": ids[id_], **{name: getattr(one, name) for name in names}}
            for id_, one in attempts
            if id_ in ids
        ]
        if rows:
            await self._conn.execute(webhook_attempt.insert(), rows)

    async def told_prices(self, prices: Iterable[tuple[int, str, int]]) -> None:
        """From which price (endpoint, model, micro-dollars) the next change is counted."""
        rows = [(id_, self._names.gpus[gpu], price) for id_, gpu, price in prices]
        if rows:
            await put(self._conn, webhook_price, rows)

    async def forget_team(self, platform: str, team: str) -> None:
        """Remove the endpoints of a team that left, with their log and messages."""
        own = and_(webhook.c.platform == platform, webhook.c.team == team)
        found = (await self._conn.execute(select(webhook.c.id, webhook.c.destination_id).where(own))).all()
        ids, destinations = [row[0] for row in found], [row[1] for row in found]
        for table in (webhook_attempt, webhook_price):
            await self._conn.execute(delete(table).where(table.c.webhook_id.in_(ids)))
        await self._conn.execute(delete(webhook).where(own))
        await self._conn.execute(delete(t.message).where(t.message.c.destination_id.in_(destinations)))
        await self._conn.execute(delete(t.destination).where(t.destination.c.id.in_(destinations)))


def to_endpoint(
    row: WebhookRow, kind: str, identity: str, topic: str, payload: Mapping[str, Any], now: int
) -> NewMessage:
    """A message to an endpoint; those of one topic reach it in their order."""
    mine = f"to/{row.public_id}"
    return NewMessage(
        f"{identity}/{mine}", row.destination_id, f"{topic}/{mine}", kind, payload, expires_at=now + KEPT_S
    )


def new_public_id() -> str:
    """A name that nobody comes upon by trying."""
    return "".join(secrets.choice(LETTERS) for _ in range(ID_LENGTH + 2))


def _team(platform: str, enterprise: str, team: str) -> ColumnElement[bool]:
    w = webhook.c
    return and_(w.platform == platform, w.enterprise == enterprise, w.team == team)


def _row(row: Sequence[Any]) -> WebhookRow:
    id_, public_id, *rest = row
    owner, known = Owner(*rest[: len(_OWNER)]), dict(zip([c.name for c in _REST], rest[len(_OWNER) :], strict=True))
    lists = {name: tuple(json.loads(known[name])) for name in ("events", "gpus")}
    return WebhookRow(id_, public_id, owner, **(known | lists))
