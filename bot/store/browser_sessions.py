"""Signing in to the web pages: links that sign somebody in once, and the sessions of browsers.

Of links' and sessions' secrets only the SHA-256 is stored, as of API keys.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    and_,
    delete,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.accounts import Asker
from bot.store import tables as t
from bot.store.api_keys import digest
from bot.store.tables import metadata

LINK_S = 600
"""Seconds in which a link must be used."""

LIFE_S = 12 * 3600
"""Seconds after which a session ends, however much it is used."""

IDLE_S = 2 * 3600
"""Seconds without use after which it ends."""

ROTATE_S = 3600
"""Seconds after which its token is replaced."""

GRACE_S = 60
"""Seconds in which a replaced token is still good: for requests that were under way."""

NOTED_S = 60
"""Seconds between two notes of its use: each is a write."""

MOST_SESSIONS = 20
"""Sessions of one person, or of one key, at a time; the oldest give way."""

_PERSON = ("platform", "team", "person")
_ASKER = (*_PERSON, "channel", "role", "enterprise")
_PROFILE = ("locale", "tz", "mentionable")

sign_in_link = Table(
    "sign_in_link",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),
    *(Column(name, Text, nullable=False) for name in _ASKER),
    *(Column(name, Text) for name in _PROFILE),
    Column("expires_at", BigInteger, nullable=False),
    Index("sign_in_link_person", *_PERSON),
    Index("sign_in_link_expires_at", "expires_at"),
    sqlite_with_rowid=False,
)
"""One row a link that was not used; ``mentionable`` as a JSON list, null where they may call anybody."""

browser_session = Table(
    "browser_session",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sha256", LargeBinary, nullable=False, unique=True),
    Column("old_sha256", LargeBinary, unique=True),
    Column("old_until", BigInteger),
    *(Column(name, Text) for name in (*_ASKER, *_PROFILE)),
    Column("key_id", Integer, ForeignKey("api_key.id")),
    *(Column(name, BigInteger, nullable=False) for name in ("expires_at", "used_at", "rotated_at")),
    Index("browser_session_person", *_PERSON),
    Index("browser_session_expires_at", "expires_at"),
    Index("browser_session_key", "key_id"),
    sqlite_autoincrement=True,
)
"""Of one that signed in by an API key only ``key_id`` says who it is: what the key may do can change meanwhile."""


def new_link() -> str:
    """A fresh secret of a link: of hexadecimal digits, which no chat takes for markup."""
    return secrets.token_hex(32)


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """A session that has not ended: of somebody, or of an API key."""

    id: int
    asker: Asker | None
    key_id: int | None
    expires_at: int
    used_at: int
    rotated_at: int
    replaced: bool
    """it was found by the token that it had before"""


class BrowserSessionReads:
    """Finding links and sessions by their secrets."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def link(self, secret: str, now: int) -> Asker | None:
        """Whom a link signs in; None where it is unknown, used or too old."""
        link = sign_in_link.c
        query = select(sign_in_link).where(link.sha256 == digest(secret), link.expires_at > now)
        row = (await self._conn.execute(query)).one_or_none()
        return None if row is None else _asker(row._mapping)

    async def find(self, token: str, now: int) -> BrowserSession | None:
        """The session of a token; None where it is unknown, has ended, or was replaced a while ago."""
        s, stored = browser_session.c, digest(token)
        mine = or_(s.sha256 == stored, and_(s.old_sha256 == stored, s.old_until > now))
        query = select(browser_session).where(mine, s.expires_at > now, s.used_at > now - IDLE_S)
        row = (await self._conn.execute(query)).one_or_none()
        return None if row is None else _session(row._mapping, stored)


class BrowserSessionWrites(BrowserSessionReads):
    """Making and ending them."""

    async def add_link(self, secret: str, asker: Asker, now: int) -> int:
        """A link that signs somebody in, in place of those they did not use; gives when it ends.

        With the role of the platform: whom their team raises is raised anew at each question.
        """
        asker = asker.by_platform
        await self._conn.execute(delete(sign_in_link).where(_of_person(sign_in_link, asker)))
        until = now + LINK_S
        new = sign_in_link.insert().values(sha256=digest(secret), expires_at=until, **_columns(asker))
        await self._conn.execute(new)
        return until

    async def use_link(self, secret: str, now: int) -> Asker | None:
        """Whom a link signs in, and never again: of two who use it at once, one is given the asker."""
        link = sign_in_link.c
        use = delete(sign_in_link).where(link.sha256 == digest(secret), link.expires_at > now)
        row = (await self._conn.execute(use.returning(*link))).one_or_none()
        return None if row is None else _asker(row._mapping)

    async def begin(self, token: str, who: Asker | int, now: int) -> None:
        """A session of somebody, or of the API key with an id."""
        values = _columns(who) if isinstance(who, Asker) else {"key_id": who}
        times = {"expires_at": now + LIFE_S, "used_at": now, "rotated_at": now}
        await self._conn.execute(browser_session.insert().values(sha256=digest(token), **values, **times))
        mine = _of_person(browser_session, who) if isinstance(who, Asker) else browser_session.c.key_id == who
        newest = select(browser_session.c.id).where(mine).order_by(browser_session.c.id.desc()).limit(MOST_SESSIONS)
        await self._conn.execute(delete(browser_session).where(mine, browser_session.c.id.not_in(newest)))

    async def rotate(self, token: str, new: str, now: int) -> bool:
        """Replace a token; False where another request has replaced it already."""
        s = browser_session.c
        change = update(browser_session).where(s.sha256 == digest(token)).values(
            sha256=digest(new), old_sha256=s.sha256, old_until=now + GRACE_S, rotated_at=now, used_at=now
        )  # fmt: skip
        return bool((await self._conn.execute(change)).rowcount)

    async def touch(self, session_id: int, now: int) -> None:
        """Note that a session was used, unless that was noted a moment ago."""
        s = browser_session.c
        stale = (s.id == session_id, s.used_at <= now - NOTED_S)
        await self._conn.execute(update(browser_session).where(*stale).values(used_at=now))

    async def end(self, token: str) -> None:
        """End the session of a token, also of one that was just replaced."""
        s, stored = browser_session.c, digest(token)
        await self._conn.execute(delete(browser_session).where(or_(s.sha256 == stored, s.old_sha256 == stored)))

    async def end_of_keys(self, keys: ColumnElement[bool]) -> None:
        """End the sessions that signed in by these API keys."""
        ids = select(t.api_key.c.id).where(keys)
        await self._conn.execute(delete(browser_session).where(browser_session.c.key_id.in_(ids)))

    async def forget_person(self, asker: Asker) -> None:
        """Remove somebody's links and sessions."""
        for table in (sign_in_link, browser_session):
            await self._conn.execute(delete(table).where(_of_person(table, asker)))

    async def forget_team(self, platform: str, team: str) -> None:
        """Remove the links and sessions of a team, those of its API keys too."""
        for table in (sign_in_link, browser_session):
            await self._conn.execute(delete(table).where(table.c.platform == platform, table.c.team == team))
        await self.end_of_keys(and_(t.api_key.c.platform == platform, t.api_key.c.team == team))


def _of_person(table: Table, asker: Asker) -> ColumnElement[bool]:
    return and_(*(table.c[name] == getattr(asker, name) for name in _PERSON))


def _columns(asker: Asker) -> dict[str, Any]:
    called = None if asker.mentionable is None else json.dumps(asker.mentionable)
    return {name: getattr(asker, name) for name in (*_ASKER, *_PROFILE)} | {"mentionable": called}


def _asker(row: Mapping[Any, Any]) -> Asker:
    called = row["mentionable"]
    values = {name: row[name] for name in (*_ASKER, *_PROFILE)}
    return Asker(**values | {"mentionable": None if called is None else tuple(json.loads(called))})


def _session(row: Mapping[Any, Any], stored: bytes) -> BrowserSession:
    key_id = row["key_id"]
    return BrowserSession(
        id=row["id"],
        asker=_asker(row) if key_id is None else None,
        key_id=key_id,
        expires_at=row["expires_at"],
        used_at=row["used_at"],
        rotated_at=row["rotated_at"],
        replaced=bytes(row["sha256"]) != stored,
    )
