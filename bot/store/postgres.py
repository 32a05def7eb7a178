"""The store in PostgreSQL: one writer by advisory lock, readers on repeatable-read snapshots."""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import create_async_engine

from bot.store.errors import StoreBusy, StoreError

LOCK_KEY = 0x73706F74
"""The advisory lock of the writer ("spot"); PostgreSQL keeps such locks apart by database."""

READ_TIMEOUT_MS = "30000"
"""No question takes longer; a lost one must not hold its snapshot for ever."""

_HOLDER = text(
    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
    "JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() "
    "WHERE l.locktype = 'advisory' AND l.objid = :key AND l.granted"
)


class PostgresSite:
    """A database and the two ways into it."""

    def __init__(self, url: URL) -> None:
        url = url.set(drivername="postgresql+asyncpg")
        self.where = url.render_as_string(hide_password=True)
        name = {"application_name": f"spotbot {socket.gethostname()}:{os.getpid()}"}
        self.write = create_async_engine(url, connect_args={"server_settings": name}, pool_size=2, pool_pre_ping=True)
        self.read = create_async_engine(
            url,
            connect_args={"server_settings": {**name, "statement_timeout": READ_TIMEOUT_MS}},
            pool_size=4,
            pool_pre_ping=True,
            execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
        )

    def is_blank(self) -> bool:
        """Only the database itself can tell."""
        return False

    async def hold(self) -> Callable[[], Awaitable[None]]:
        """Become the only writer; gives the release."""
        conn = await self.write.connect()
        try:
            await conn.execution_options(isolation_level="AUTOCOMMIT")
            if not await conn.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK_KEY}):
                holder = await conn.scalar(_HOLDER, {"key": LOCK_KEY}) or "unknown"
                raise StoreBusy(f"Another writer ({holder}) is at work in {self.where}. Stop it first.")
        except BaseException:
            await conn.close()
            raise

        async def release() -> None:
            # Closing the session itself, not only giving it back to the pool, is what frees the lock.
            await conn.invalidate()
            await conn.close()

        return release

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
