"""The store in PostgreSQL: one leader by lease, readers on repeatable-read snapshots."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.store.errors import StoreError
from bot.store.leadership import LEASE_SECONDS
from bot.store.postgres_address import connect, postgres_address
from bot.store.postgres_lease import PostgresLease

LOCK_KEY = 0x73706F74
"""The advisory lock of whoever changes the tables ("spot"), and of the writer of a spotbot before leases."""

MIGRATION_PATIENCE = "5s"
"""How long to wait for another process that changes the tables."""

IDLE_MS = str(int(1000 * LEASE_SECONDS))
"""A write left open by a process that was stopped ends after this: its lock must not keep others from leading."""

READ_TIMEOUT_MS = "30000"
"""No question takes longer; a lost one must not hold its snapshot for ever."""


class PostgresSite:
    """A database and the ways into it. ``idle_ends``: a write that pauses too long ends; not for long work by hand."""

    def __init__(self, url: str, *, idle_ends: bool = False) -> None:
        self._address = postgres_address(url)
        self.where, self._holder = self._address.where, f"{socket.gethostname()}:{os.getpid()}"
        patience = {"idle_in_transaction_session_timeout": IDLE_MS} if idle_ends else {}
        self.write = self._engine(patience, pool_size=2)
        self.read = self._engine(
            {"statement_timeout": READ_TIMEOUT_MS},
            pool_size=4,
            execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
        )

    def _engine(self, session: Mapping[str, str], **options: Any) -> AsyncEngine:
        named = {"application_name": f"spotbot {self._holder}", **session}
        return create_async_engine(
            "postgresql+asyncpg://",
            async_creator=partial(connect, self._address, named),
            connect_args=dict(self._address.driver),
            pool_pre_ping=True,
            **options,
        )

    def is_blank(self) -> bool:
        """Only the database itself can tell."""
        return False

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that changes the tables; waits for another one that does."""
        async with self.write.begin() as conn:
            await conn.execute(text(f"SET LOCAL lock_timeout = '{MIGRATION_PATIENCE}'"))
            await conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
            yield conn

    async def lead(self, length: float) -> PostgresLease:
        """A claim to be the leader, not yet made."""
        return PostgresLease(self._engine({}, pool_size=1), self._holder, self.where, length)

    async def backup(self, target: Path) -> None:
        """Refused: PostgreSQL has its own tools."""
        raise StoreError(f"{self.where} is PostgreSQL: use pg_dump to make {target}.")

    async def integrity(self) -> list[str]:
        """Nothing to add to PostgreSQL's own page checks; says only whether it answers."""
        async with self.read.connect() as conn:
            await conn.execute(text("SELECT 1"))
        return []

    async def checkpoint(self) -> None:
        """PostgreSQL does this by itself."""
