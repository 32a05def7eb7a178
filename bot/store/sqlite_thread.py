"""SQLite beside the event loop: a statement is one errand to its connection's thread, where the driver makes four."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any, NamedTuple

import aiosqlite

CHUNK = 64
"""Rows at a time of the driver's own cursors, which nothing here uses; its default."""


class _Done(NamedTuple):
    """What a statement left behind."""

    rows: list[Any]
    description: Any
    rowcount: int
    lastrowid: int | None


_NOTHING = _Done([], None, -1, None)


def connect(database: str, **options: Any) -> aiosqlite.Connection:
    """What ``aiosqlite.connect`` gives, with cursors that do all in one errand. Await it to open the file."""
    return _Connection(lambda: sqlite3.connect(database, **options), CHUNK)


class _Connection(aiosqlite.Connection):
    def __init__(self, connector: Any, iter_chunk_size: int) -> None:
        super().__init__(connector, iter_chunk_size)
        self._thread.daemon = True  # as SQLAlchemy has it: what was not closed keeps no process from ending
        self._begins = False

    def cursor(self) -> _Cursor:  # type: ignore[override]
        return _Cursor(self)

    async def run(self, method: str, sql: str, parameters: Any) -> _Done:
        """A statement from its beginning to its last row.

        A plain BEGIN takes no lock and fixes no snapshot before the next statement, so it goes with that one.
        """
        if sql == "BEGIN":
            self._begins = True
            return _NOTHING
        work, self._begins = (_begun if self._begins else _whole), False
        done: _Done = await self._execute(work, self._conn, method, sql, parameters)  # type: ignore[no-untyped-call]
        return done

    async def commit(self) -> None:
        self._begins = False
        await super().commit()

    async def rollback(self) -> None:
        self._begins = False
        await super().rollback()


class _Cursor:
    """As much of a driver's cursor as SQLAlchemy asks for where results are not streamed."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._done = _NOTHING

    async def __aenter__(self) -> _Cursor:
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        self._done = await self._connection.run("execute", sql, parameters)

    async def executemany(self, sql: str, parameters: Sequence[Sequence[Any]]) -> None:
        self._done = await self._connection.run("executemany", sql, parameters)

    async def fetchall(self) -> list[Any]:
        return self._done.rows

    async def close(self) -> None:
        """The errand has closed it."""

    @property
    def description(self) -> Any:
        return self._done.description

    @property
    def rowcount(self) -> int:
        return self._done.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._done.lastrowid


def _whole(conn: sqlite3.Connection, method: str, sql: str, parameters: Any) -> _Done:
    with closing(conn.cursor()) as cursor:
        getattr(cursor, method)(sql, parameters)
        rows = cursor.fetchall() if cursor.description else []
        return _Done(rows, cursor.description, cursor.rowcount, cursor.lastrowid)


def _begun(conn: sqlite3.Connection, method: str, sql: str, parameters: Any) -> _Done:
    conn.execute("BEGIN")
    return _whole(conn, method, sql, parameters)
