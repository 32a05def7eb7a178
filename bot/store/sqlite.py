"""The store in one SQLite file: write-ahead log, one writer guarded by a lock file, readers on snapshots."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sqlalchemy import URL, event, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.store.errors import StoreBusy, StoreError, explain
from bot.store.leadership import State
from bot.store.sqlite_thread import connect
from bot.store.tables import lease

PATIENCE_S = "5"
"""Seconds to wait for another program's lock; ``?timeout=`` in the URL overrides it."""

READ_CACHE_KB = 2_000
"""Page cache of a reading connection: there are several, and the system caches the file as well."""

LOG_TRIES, LOG_PAUSE_S = 100, 0.05
"""How often, and how many seconds apart, the switch to the write-ahead log is tried."""

WRITE_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
READ_PRAGMAS = ("query_only=1", f"cache_size=-{READ_CACHE_KB}")


def _file(url: str) -> tuple[str, str]:
    """The file that a URL or a plain path names, and how long to wait for a lock. A path is taken to the letter."""
    if "://" not in url:
        return url, PATIENCE_S
    _, _, rest = url.partition(":///")
    before, mark, query = rest.rpartition("?")
    pieces = [piece.partition("=") for piece in query.split("&")] if mark else []
    if not all(sign and re.fullmatch(r"\w+", name) for name, sign, _ in pieces):
        before, pieces = rest, []  # nothing that could be meant as parameters: the file's name has a question mark
    said = {name: value for name, _, value in pieces}
    patience = said.pop("timeout", PATIENCE_S)
    if said or not re.fullmatch(r"\d+(\.\d+)?", patience):
        raise StoreError(
            f"DATABASE_URL: behind the ? of a SQLite file only timeout=SECONDS can stand, not “{query}”. "
            "Where the file's name has a ?, write its path alone, without sqlite:///."
        )
    name = unquote(before if pieces else rest)
    if name in ("", ":memory:"):
        raise StoreError("SQLite needs a file: sqlite:///path/to/spotbot.db")
    return name, patience


class FileLock:
    """Leadership of a file: held as long as it is open, and nothing needs renewal."""

    state: State = "leader"
    rival = "nobody else"

    def __init__(self, lock: int, engine: AsyncEngine) -> None:
        self.epoch: int | None = None
        self._lock, self._engine = lock, engine

    def held(self) -> bool:
        """The system gives the lock to nobody else."""
        return True

    async def renew(self) -> bool:
        """Count this writer in, once."""
        if self.epoch is None:
            async with self._engine.begin() as conn:
                await conn.execute(update(lease).values(epoch=lease.c.epoch + 1))
                self.epoch = int((await conn.execute(select(lease.c.epoch))).scalar_one())
        return True

    async def keep(self) -> None:
        """Nothing to do."""

    async def release(self) -> None:
        """Let another one write."""
        os.close(self._lock)


class SqliteSite:
    """A database file and the two ways into it."""

    def __init__(self, url: str) -> None:
        name, patience = _file(url)
        # Two ways to name one file must meet at one lock.
        self.path = Path(os.path.expanduser(name)).resolve()
        self.where = str(self.path)
        if self.path.is_dir():
            raise StoreError(f"{self.path} is a folder. Name a file in it, such as {self.path / 'spotbot.db'}.")
        place = URL.create("sqlite+aiosqlite", database=self.where, query={"timeout": patience})
        self.write = _engine(place, WRITE_PRAGMAS, "BEGIN IMMEDIATE", pool_size=1, max_overflow=0)
        self.read = _engine(place, READ_PRAGMAS, "BEGIN", pool_size=4)

    def is_blank(self) -> bool:
        """Nothing has been written there yet."""
        return not self.path.exists() or not self.path.stat().st_size

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that changes the tables; waits for another one that does."""
        self._make_folder()
        with _unusable(self.path):
            self.path.touch()  # said better than by SQLite, whose driver leaves a thread behind where it cannot open
        await asyncio.to_thread(self._log_ahead)
        async with self.write.begin() as conn:
            yield conn

    def _log_ahead(self) -> None:
        """Switch to the write-ahead log. SQLite does not wait for others that are at it, however long its time-out."""
        for _ in range(LOG_TRIES):
            try:
                with closing(sqlite3.connect(self.path)) as conn:
                    conn.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                trouble = explain(str(error))
                if not isinstance(trouble, StoreBusy):
                    raise trouble from error
                time.sleep(LOG_PAUSE_S)
        raise trouble

    async def lead(self, length: float) -> FileLock:
        """Become the only writer or raise StoreBusy."""
        self._make_folder()
        with _unusable(self.path):
            lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 32).decode(errors="replace").strip() or "unknown"
            os.close(lock)
            raise StoreBusy(
                f"Another spotbot (process {holder}) is already writing to {self.path}. Stop it, or use another file."
            ) from None
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        return FileLock(lock, self.write)

    def _make_folder(self) -> None:
        with _unusable(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)

    async def backup(self, target: Path) -> None:
        """A compact copy of this instant; written beside the target first, so that a half copy never bears its name."""
        await asyncio.to_thread(self._copy, target)

    def _copy(self, target: Path) -> None:
        part = _begin(target)
        try:
            with closing(sqlite3.connect(self.path)) as conn:
                conn.execute("VACUUM INTO ?", (str(part),))
            # VACUUM INTO does not wait for the disk.
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.rename(target)
        except (sqlite3.Error, OSError) as error:
            part.unlink(missing_ok=True)
            raise explain(str(error)) from error

    async def integrity(self) -> list[str]:
        """What SQLite finds wrong with the file and its references."""
        return await asyncio.to_thread(self._check)

    def _check(self) -> list[str]:
        try:
            with closing(sqlite3.connect(self.path)) as conn:
                found = [str(row[0]) for row in conn.execute("PRAGMA integrity_check") if row[0] != "ok"]
                return found + [
                    f"{row[0]} refers to a missing {row[2]}" for row in conn.execute("PRAGMA foreign_key_check")
                ]
        except sqlite3.DatabaseError as error:
            return [str(error)]

    async def checkpoint(self) -> None:
        """Fold the write-ahead log into the file and empty it, as far as readers allow."""
        await asyncio.to_thread(self._fold)

    def _fold(self) -> None:
        try:
            with closing(sqlite3.connect(self.path)) as conn:
                conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise explain(str(error)) from error


@contextmanager
def _unusable(path: Path) -> Iterator[None]:
    """A place where no file can be made is said with what to do."""
    try:
        yield
    except OSError as error:
        reason = "a part of its path is a file" if isinstance(error, FileExistsError) else error.strerror
        raise StoreError(
            f"The database {path} cannot be made ({reason}). Name a file in a folder that this user may write."
        ) from error


def _begin(target: Path) -> Path:
    """An empty file of our own beside the target: what is wrong with the place shows before the database is read."""
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    try:
        if target.exists():
            raise StoreError(f"{target} exists already; a backup does not overwrite.")
        part.touch(exist_ok=False)
    except FileNotFoundError as error:
        raise StoreError(f"The folder {target.parent.absolute()} does not exist.") from error
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror}.") from error
    return part


def _engine(url: URL, pragmas: tuple[str, ...], begin: str, **pool: int) -> AsyncEngine:
    # With the driver's own transactions, SELECT opens none and read-then-write loses updates without an error.
    engine = create_async_engine(url, connect_args={"isolation_level": None, "async_creator_fn": connect}, **pool)

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begun(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine
