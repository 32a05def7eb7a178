"""A SQLite statement costs one errand to the thread of its connection, and does all that the driver's own four do."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from bot.store.sqlite_thread import connect

TABLE = "CREATE TABLE number (id INTEGER PRIMARY KEY, value INTEGER UNIQUE)"


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[AsyncConnection]:
    options = {"isolation_level": None, "async_creator_fn": connect}
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}", connect_args=options)
    event.listen(engine.sync_engine, "begin", lambda conn: conn.exec_driver_sql("BEGIN"))
    with closing(sqlite3.connect(tmp_path / "a.db")) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute(TABLE)
    async with engine.connect() as conn:
        yield conn
    await engine.dispose()


async def errands(connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is done from now on in the thread."""
    raw = await connection.get_raw_connection()
    done: list[Any] = []
    execute = raw.driver_connection._execute

    async def noted(work: Any, *arguments: Any, **more: Any) -> Any:
        done.append(arguments[2:3] or work.__name__)
        return await execute(work, *arguments, **more)

    monkeypatch.setattr(raw.driver_connection, "_execute", noted)
    return done


async def test_a_transaction_begins_with_its_first_statement(
    connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = await errands(connection, monkeypatch)
    assert (await connection.execute(text("SELECT 1 UNION SELECT 2"))).all() == [(1,), (2,)]
    assert (await connection.execute(text("SELECT 3"))).scalar() == 3
    await connection.rollback()
    assert done == [("SELECT 1 UNION SELECT 2",), ("SELECT 3",), "rollback"]


async def test_what_is_read_is_of_one_instant(connection: AsyncConnection, tmp_path: Path) -> None:
    count = text("SELECT count(*) FROM number")
    assert (await connection.execute(count)).scalar() == 0
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as other:
        other.execute("INSERT INTO number VALUES (1, 1)")
    assert (await connection.execute(count)).scalar() == 0
    await connection.rollback()
    assert (await connection.execute(count)).scalar() == 1


async def test_changes_are_counted_returned_and_undone(connection: AsyncConnection) -> None:
    rows = [{"value": 7}, {"value": 8}]
    assert (await connection.execute(text("INSERT INTO number (value) VALUES (:value)"), rows)).rowcount == 2
    changed = await connection.execute(text("UPDATE number SET value = value + 10 RETURNING value"))
    assert changed.scalars().all() == [17, 18]
    await connection.rollback()
    assert (await connection.execute(text("SELECT count(*) FROM number"))).scalar() == 0


async def test_a_statement_that_fails_leaves_the_transaction_usable(connection: AsyncConnection) -> None:
    insert = text("INSERT INTO number (value) VALUES (1)")
    made = await connection.execute(insert)
    assert (made.rowcount, made.lastrowid) == (1, 1)
    with pytest.raises(IntegrityError):
        await connection.execute(insert)
    await connection.commit()
    assert (await connection.execute(text("SELECT value FROM number"))).all() == [(1,)]
