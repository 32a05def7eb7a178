"""Counters on the stored market, and on nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.commands import COMMANDS
from bot.commands.counter import Counter
from bot.store.engine import open_store
from tests.fakes.stored import DAYS, NAMES, NOW

__all__ = ["DAYS", "NAMES", "NOW"]


@pytest.fixture
async def counter(market_file: Path) -> AsyncIterator[Counter]:
    """A counter on the stored market, a minute after its last poll."""
    store = await open_store(f"sqlite:///{market_file}", writer=False)
    yield Counter(store, COMMANDS, lambda: NOW + 60, home="Sao Paulo, BR")
    await store.close()


@pytest.fixture
async def empty_counter(tmp_path: Path) -> AsyncIterator[Counter]:
    """A counter on a store in which nothing has ever been stored."""
    store = await open_store(f"sqlite:///{tmp_path / 'empty.db'}", writer=False)
    yield Counter(store, COMMANDS, lambda: NOW)
    await store.close()
