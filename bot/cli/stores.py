"""The store as the commands of the program open it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.clock import SteadyClock
from bot.commands import COMMANDS
from bot.config import Settings
from bot.dispatch.dispatcher import Dispatcher
from bot.store.engine import Store, open_store


@asynccontextmanager
async def open_dispatcher(settings: Settings) -> AsyncIterator[Dispatcher]:
    """A dispatcher that only reads."""
    async with open_reader(settings) as store:
        yield Dispatcher(store, COMMANDS, SteadyClock(), home=settings.home)


@asynccontextmanager
async def open_reader(settings: Settings) -> AsyncIterator[Store]:
    """The store for reading; raises StoreEmpty, and makes nothing, where nothing was ever stored."""
    store = await open_store(settings.database_url, writer=False, create=False)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def open_writer(
    settings: Settings, *, alone: bool = True, wait: bool = False, create: bool = True
) -> AsyncIterator[Store]:
    """The store for writing; ``alone=False`` beside a running spotbot, for small changes; ``wait``: as a stand-by.

    ``create=False``: only where there is one, for what changes nothing but what is stored; else raises StoreEmpty.
    """
    store = await open_store(settings.database_url, writer=True, alone=alone, wait=wait, create=create)
    try:
        yield store
    finally:
        await store.close()
