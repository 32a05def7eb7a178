"""Opening the store: one writer, any number of readers, each at work in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import make_url, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.store import schema
from bot.store.errors import StoreBusy, StoreError, plain_errors
from bot.store.names import Names
from bot.store.reader import Books, Reader
from bot.store.tables import lease
from bot.store.writer import Writer

__all__ = ["Store", "StoreBusy", "StoreError", "open_store"]

Release = Callable[[], Awaitable[None]]


class Site(Protocol):
    """What SQLite and PostgreSQL do differently."""

    where: str
    read: AsyncEngine
    write: AsyncEngine

    def is_blank(self) -> bool:
        """Nothing has been written there, without asking the database."""

    async def hold(self) -> Release:
        """Become the only writer or raise StoreBusy; gives the release."""

    async def backup(self, target: Path) -> None:
        """A copy of this instant."""

    async def integrity(self) -> list[str]:
        """What is wrong with the files."""

    async def checkpoint(self) -> None:
        """Fold logs into the file."""


async def open_store(url: str, *, writer: bool, alone: bool = True) -> Store:
    """Open or create the store at an SQLAlchemy URL (``sqlite:///file`` or ``postgresql://...``).

    ``writer=True`` brings old tables up to date and becomes the only writer, or raises StoreBusy when there is one.
    With ``alone=False`` it may write beside that one: for small changes by hand, such as API keys.
    A place where nothing has been stored yet is made and reads as empty. Raises StoreError when it cannot be used.
    """
    site = _site(url)
    release: Release | None = None
    try:
        with plain_errors():
            if writer and alone:
                release = await site.hold()
            await _prepare(site, held=release is not None)
            epoch = await _new_epoch(site) if release is not None else None
    except BaseException as error:
        await _shut(site, release)
        if isinstance(error, OSError):
            raise StoreError(f"{site.where} cannot be reached: {error}") from error
        raise
    return Store(site, release, epoch, url=url, writable=writer)


def _site(url: str) -> Site:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        from bot.store.sqlite import SqliteSite

        return SqliteSite(parsed)
    if parsed.get_backend_name() in ("postgresql", "postgres"):
        from bot.store.postgres import PostgresSite

        return PostgresSite(parsed)
    raise StoreError("spotbot stores in SQLite or PostgreSQL: sqlite:///file.db or postgresql://user@host/database")


async def _prepare(site: Site, *, held: bool) -> None:
    found = await _version(site)
    if found < schema.HEAD and held:
        await _migrate(site)
    elif found == schema.BLANK:
        # Nobody has written here: make it, so that it reads as empty.
        release = await site.hold()
        try:
            await _migrate(site)
        finally:
            await release()
    else:
        schema.check(found, site.where)


async def _version(site: Site) -> str:
    if site.is_blank():
        return schema.BLANK
    async with site.read.connect() as conn:
        return await schema.version(conn)


async def _migrate(site: Site) -> None:
    async with site.write.begin() as conn:
        await schema.migrate(conn)


async def _new_epoch(site: Site) -> int:
    """Count a new writer in. One that lost its lock without noticing finds a number that is not its own."""
    async with site.write.begin() as conn:
        await conn.execute(update(lease).values(epoch=lease.c.epoch + 1))
        return int((await conn.execute(select(lease.c.epoch))).scalar_one())


async def _shut(site: Site, release: Release | None) -> None:
    if release is not None:
        await release()
    await site.read.dispose()
    await site.write.dispose()


@asynccontextmanager
async def _connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    with plain_errors():
        async with AsyncExitStack() as stack:
            try:
                conn = await stack.enter_async_context(engine.connect())
            except OSError as error:
                raise StoreError(f"The database cannot be reached: {error}") from error
            yield conn


class Store:
    """The open store. Close it, or a lock and some threads stay behind."""

    def __init__(self, site: Site, release: Release | None, epoch: int | None, *, url: str, writable: bool) -> None:
        self.where = site.where
        self.url = url
        self._site = site
        self._release = release
        self._epoch = epoch
        self._writable = writable
        self._turn = asyncio.Lock()
        self._books: Books = {}

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Reader]:
        """Read at one instant: what is written meanwhile is not seen."""
        async with _connection(self._site.read) as conn:
            yield Reader(conn, await Names.load(conn), self._books)

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[Writer]:
        """Write all or nothing: kept when the block ends, undone when it raises. One at a time: no network inside."""
        if not self._writable:
            raise StoreError("The store was opened for reading only.")
        async with self._turn, _connection(self._site.write) as conn, conn.begin():
            await self._fence(conn)
            yield Writer(conn, await Names.load(conn))

    async def _fence(self, conn: AsyncConnection) -> None:
        # On PostgreSQL this row is also what makes writers of several processes wait for each other.
        epoch = (await conn.execute(select(lease.c.epoch).with_for_update())).scalar_one()
        if self._epoch is not None and epoch != self._epoch:
            raise StoreBusy("Another spotbot has become the writer of this database; this one may not write any more.")

    async def backup(self, path: str | Path) -> None:
        """Copy this instant to a new file while others read and write; SQLite only."""
        await self._site.backup(Path(path))

    async def integrity(self) -> list[str]:
        """What is wrong with the stored files; empty when all is well."""
        with plain_errors():
            return await self._site.integrity()

    async def checkpoint(self) -> None:
        """Fold SQLite's write-ahead log into the file: once a day keeps it small."""
        await self._site.checkpoint()

    async def close(self) -> None:
        """Give back the lock and all connections."""
        await _shut(self._site, self._release)
        self._release = None
