"""The rows of a day, counted before they are asked for."""

from __future__ import annotations

from dataclasses import dataclass

from bot.store.engine import Store


@dataclass(slots=True)
class RowAccount:
    """Counts rows of a UTC day before they are asked for: a process that dies in between has counted too many."""

    store: Store
    day: int
    reserved: int = 0

    async def reserve(self, rows: int) -> None:
        """Count rows that an answer may hold. Raises StoreError where that cannot be stored: then nothing is asked."""
        async with self.store.writer() as writer:
            await writer.add_quota(self.day, rows)
        self.reserved += rows
