"""Two processes on one database, as two stores."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.store.engine import Store, open_store


@pytest.fixture
async def store_two(postgres_tables: str) -> AsyncIterator[tuple[Store, Store]]:
    """The leader and one that writes beside it."""
    leader = await open_store(postgres_tables, writer=True)
    beside = await open_store(postgres_tables, writer=True, alone=False)
    yield leader, beside
    await beside.close()
    await leader.close()
