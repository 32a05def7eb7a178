"""Opening the store: one leader writes, any number of readers, each at work in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.store import schema
from bot.store.errors import StoreBusy, StoreEmpty, StoreError, plain_errors
from bot.store.leadership import LEASE_SECONDS, Leadership, State
from bot.store.names import Names
from bot.store.reader import Books, Reader
from bot.store.tables import lease
from bot.store.writer import Writer

__all__ = ["Store", "StoreBusy", "StoreEmpty", "StoreError", "open_store"]


class Site(Protocol):
    """What SQLite and PostgreSQL do differently."""

    where: str
    read: AsyncEngine
    write: AsyncEngine

    def is_blank(self) -> bool:
        """Nothing has been written there, without asking the database."""

    def migrating(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that changes the tables; waits for another one that does."""

    async def lead(self, length: float) -> Leadership:
        """A claim to be the leader; raises StoreBusy where no second process may wait for its turn."""

    async def backup(self, target: Path) -> None:
        """A copy of this instant."""

    async def integrity(self) -> list[str]:
        """What is wrong with the files."""

    async def checkpoint(self) -> None:
        """Fold logs into the file."""


async def open_store(
    url: str,
    *,
    writer: bool,
    alone: bool = True,
    wait: bool = False,
    create: bool = True,
    lease_seconds: float = LEASE_SECONDS,
) -> Store:
    """Open or create the store at a URL (``sqlite:///file`` or ``postgresql://...``) or a path, that of a SQLite file.

    ``writer=True`` brings old tables up to date and becomes the leader, or raises StoreBusy when there is one; with
    ``wait=True`` it then stands by in PostgreSQL until it can lead (see :meth:`Store.leads`).
    With ``alone=False`` it may write beside that one: for small changes by hand, such as API keys.
    A place where nothing has been stored yet is made and reads as empty; with ``create=False`` it is left as it is
    and raises StoreEmpty. Raises StoreError when it cannot be used.
    """
    site = _site(url, stays=wait or not alone)
    leadership: Leadership | None = None
    try:
        with plain_errors():
            leadership = await site.lead(lease_seconds) if writer and alone else None
            await _prepare(site, leadership, writer=writer, create=create)
            if leadership and not await leadership.renew() and not wait:
                raise StoreBusy(leadership.rival)
    except BaseException as error:
        await _shut(site, leadership)
        if isinstance(error, OSError):
            raise StoreError(f"{site.where} cannot be reached: {error}") from error
        raise
    return Store(site, leadership, url=url, writable=writer)


def _site(url: str, *, stays: bool) -> Site:
    scheme, sign, _ = url.partition("://")
    kind = scheme.partition("+")[0] if sign else "sqlite"
    if kind == "sqlite":
        from bot.store.sqlite import SqliteSite

        return SqliteSite(url)
    if kind in ("postgresql", "postgres"):
        from bot.store.postgres import PostgresSite

        return PostgresSite(url, idle_ends=stays)
    raise StoreError("spotbot stores in SQLite or PostgreSQL: sqlite:///file.db or postgresql://user@host/database")


async def _prepare(site: Site, leadership: Leadership | None, *, writer: bool, create: bool) -> None:
    found = await _version(site)
    if found == schema.BLANK and not create:
        raise StoreEmpty(site.where)
    if found < schema.HEAD and (writer or found == schema.BLANK):
        if found >= schema.LEASED and leadership and not await leadership.renew():
            raise StoreBusy(leadership.rival)
        async with site.migrating() as conn:
            found = await schema.version(conn)  # another process may have been at it
            if found == schema.BLANK or (found < schema.HEAD and leadership):
                await schema.migrate(conn)
                found = schema.HEAD
    schema.check(found, site.where)


async def _version(site: Site) -> str:
    if site.is_blank():
        return schema.BLANK
    async with site.read.connect() as conn:
        return await schema.version(conn)


async def _shut(site: Site, leadership: Leadership | None) -> None:
    if leadership is not None:
        await leadership.release()
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

    def __init__(self, site: Site, leadership: Leadership | None, *, url: str, writable: bool) -> None:
        self.where = site.where
        self.url = url
        self._site = site
        self._leadership = leadership
        self._keeper = asyncio.create_task(leadership.keep()) if leadership else None
        self._writable = writable
        self._turn = asyncio.Lock()
        self._books: Books = {}
        self._background: set[asyncio.Task[None]] = set()

    @property
    def writable(self) -> bool:
        """Whether it was opened for writing."""
        return self._writable

    @property
    def state(self) -> State | None:
        """Whether this process leads; None where it was not opened to."""
        return self._leadership.state if self._leadership else None

    @property
    def epoch(self) -> int | None:
        """Which leader this process is, counted from the first there was; None while it is none."""
        return self._leadership.epoch if self._leadership else None

    def leads(self) -> bool:
        """Whether this process may ask the market and write what it saw, at this moment."""
        return self._leadership is not None and self._leadership.held()

    def must_lead(self) -> None:
        """Raise StoreBusy unless this process leads."""
        if not self.leads():
            raise StoreBusy("This spotbot does not lead: another has become the writer, or the database is away.")

    async def renew(self) -> bool:
        """Lead for longer, or from now on if nobody does; happens in time by itself."""
        return self._leadership is not None and await self._leadership.renew()

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something with this store beside everything else; it is closed only after that."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def settled(self) -> None:
        """Wait for what is done in the background."""
        await asyncio.gather(*self._background, return_exceptions=True)

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Reader]:
        """Read at one instant: what is written meanwhile is not seen."""
        async with _connection(self._site.read) as conn:
            yield Reader(conn, await Names.load(conn), self._books)

    @asynccontextmanager
    async def writer(self, *, beside: bool = False, sharing: bool = False) -> AsyncIterator[Writer]:
        """Write all or nothing: kept when the block ends, undone when it raises. One at a time: no network inside.

        Raises StoreBusy where this process was opened to lead and does not. ``beside``: a small change that may be made
        beside a leader, such as somebody's preferences. ``sharing``: it locks the rows that it changes and
        waits for no other process that changes others.
        """
        if not self._writable:
            raise StoreError("The store was opened for reading only.")
        fenced = self._leadership is not None and not beside and not sharing
        if fenced and not self.leads() and self.epoch is not None:
            await self.renew()  # late, perhaps after long work without a pause; refused if another one leads by now
        async with self._turn, _connection(self._site.write) as conn, conn.begin():
            if fenced:
                self.must_lead()
            if not sharing:
                await self._fence(conn, self.epoch if fenced else None)
            yield Writer(conn, await Names.load(conn))

    async def _fence(self, conn: AsyncConnection, mine: int | None) -> None:
        # On PostgreSQL this row is also what makes writers of several processes wait for each other.
        epoch = (await conn.execute(select(lease.c.epoch).with_for_update())).scalar_one()
        if mine is not None and epoch != mine:
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
        """Let another process lead, and give back all connections."""
        await self.settled()
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        await _shut(self._site, self._leadership)
        self._leadership = None
