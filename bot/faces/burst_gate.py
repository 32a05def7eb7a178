"""A rush of questions: all are acknowledged before their answers are computed, which would keep them waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

LULL, LONGEST = 0.1, 2.0
"""Seconds with hardly a new question that end a rush, and seconds that an answer waits for that at most: a platform
waits three for an acknowledgement, a person longer for an answer."""

THICK = 4
"""Questions within a lull that keep a rush going. Fewer are acknowledged between answers: those of somebody who asks
without a pause keep nobody else waiting."""


class BurstGate:
    """Knows whether questions come thick and fast."""

    def __init__(self, *, lull: float = LULL, longest: float = LONGEST) -> None:
        self._lull, self._longest = lull, longest
        self._end: asyncio.TimerHandle | None = None
        """while there is a rush"""
        self._over = asyncio.Event()
        self._unacknowledged = self._newcomers = 0

    @contextmanager
    def acknowledging(self) -> Iterator[None]:
        """While this lasts the rush does not end."""
        self._unacknowledged += 1
        try:
            yield
        finally:
            self._unacknowledged -= 1

    def goes_on(self) -> bool:
        """Something came; whether that was in a rush rather than the first for a while."""
        self._newcomers += 1
        if self._end is not None:
            return True
        self._over.clear()
        self._wait()
        return False

    async def over(self) -> None:
        """Wait for the end of the rush, but not for too long."""
        try:
            async with asyncio.timeout(self._longest):
                await self._over.wait()
        except TimeoutError:
            pass  # there is always somebody who asks

    def _wait(self) -> None:
        self._newcomers = 0
        self._end = asyncio.get_running_loop().call_later(self._lull, self._calm)

    def _calm(self) -> None:
        if self._unacknowledged or self._newcomers >= THICK:
            self._wait()
            return
        self._end = None
        self._over.set()
