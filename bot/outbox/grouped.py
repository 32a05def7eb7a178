"""Writing together what comes while another write is going on: one transaction, and one wait for the disk, for many."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from bot.store.errors import StoreError

Item = TypeVar("Item")


class Grouped(Generic[Item]):
    """Calls ``write`` with all that waits, and lets everyone know what came of it. ``write``: all or nothing."""

    def __init__(self, write: Callable[[Sequence[Item]], Awaitable[None]]) -> None:
        self._write, self._turn = write, asyncio.Lock()
        self._waiting: list[tuple[Item, asyncio.Future[None]]] = []

    async def add(self, item: Item) -> None:
        """Come back when it is written; raises what writing raised."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        async with self._turn:
            if not done.done():
                await self._write_all()
        done.result()

    async def _write_all(self) -> None:
        group, self._waiting = self._waiting, []
        try:
            await self._settle(group)
        finally:  # whoever writes was cancelled: nothing is written, and the others may try again
            for _, done in group:
                if not done.done():
                    _fail(done, StoreError("the write was broken off"))

    async def _settle(self, group: Sequence[tuple[Item, asyncio.Future[None]]]) -> None:
        try:
            await self._write([item for item, _ in group])
        except Exception as error:
            if isinstance(error, StoreError) or len(group) == 1:
                for _, done in group:
                    _fail(done, error)
                return
            for one in group:  # one that cannot be written must not take the others with it
                await self._settle([one])
        else:
            for _, done in group:
                done.set_result(None)


def _fail(done: asyncio.Future[None], error: Exception) -> None:
    done.set_exception(error)
    done.exception()  # seen: who waited for it may have been cancelled
