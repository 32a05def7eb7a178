"""Dispatchers on the stored market, and on nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.store.engine import open_store
from tests.fakes.stored import DAYS, NAMES, NOW

__all__ = ["DAYS", "NAMES", "NOW"]


@pytest.fixture
async def dispatcher(market_file: Path) -> AsyncIterator[Dispatcher]:
    """A dispatcher on the stored market, a minute after its last poll."""
    store = await open_store(f"sqlite:///{market_file}", writer=False)
    yield Dispatcher(store, COMMANDS, lambda: NOW + 60, home="Sao Paulo, BR")
    await store.close()


@pytest.fixture
async def empty_dispatcher(tmp_path: Path) -> AsyncIterator[Dispatcher]:
    """A dispatcher on a store in which nothing has ever been stored."""
    store = await open_store(f"sqlite:///{tmp_path / 'empty.db'}", writer=False)
    yield Dispatcher(store, COMMANDS, lambda: NOW)
    await store.close()
