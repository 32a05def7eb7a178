"""Databases as earlier versions left them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from bot.store import schema

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}


async def make_older(url: str, revision: str, statements: Sequence[str] = ()) -> None:
    """The tables of a revision in an empty place, and some statements after that."""
    parsed = make_url(url)
    engine = create_async_engine(parsed.set(drivername=DRIVERS[parsed.get_backend_name()]))
    async with engine.begin() as conn:
        await schema.migrate(conn, revision)
        for statement in statements:
            await conn.execute(text(statement))
    await engine.dispose()
