"""The rows of a day, counted before they are asked for."""

from __future__ import annotations

from dataclasses import dataclass

from bot.store.engine import Store
from bot.store.writer import Writer


@dataclass(slots=True)
class RowAccount:
    """Counts rows of a UTC day before they are asked for: a process that dies in between has counted too many."""

    store: Store
    day: int
    reserved: int = 0
    probes_share: int | None = None
    """for a probe: the rows of the day that probes may take"""
    requests: int = 0
    """requests of a probe that were counted before they were made"""

    async def reserve(self, rows: int) -> None:
        """Count rows that an answer may hold. Raises StoreError where that cannot be stored: then nothing is asked."""
        requests = 1 if self.probes_share is not None and not self.requests else 0
        async with self.store.writer() as writer:
            await writer.add_quota(self.day, rows)
            await self._count_probe(writer, self.day, requests, rows)
        self.reserved += rows
        self.requests += requests

    async def settle(self, writer: Writer, day: int, *, rows: int, requests: int) -> None:
        """Replace what was reserved by what was spent, which may be on another day than was believed."""
        await writer.add_quota(self.day, -self.reserved)
        await writer.add_quota(day, rows)
        if self.requests:
            await self._count_probe(writer, self.day, -self.requests, -self.reserved)
        await self._count_probe(writer, day, requests, rows)

    async def _count_probe(self, writer: Writer, day: int, requests: int, rows: int) -> None:
        if self.probes_share is not None:
            await writer.probes.spend(day, requests=requests, rows=rows, share=self.probes_share)
