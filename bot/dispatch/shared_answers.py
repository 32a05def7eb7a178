"""Equal questions of one round are answered once. Only for questions that anybody may ask with the same answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING

from cachetools import FIFOCache

if TYPE_CHECKING:
    from bot.dispatch.dispatcher import Dispatcher

SHARED_SECONDS = 5
"""How long an answer is given again: forecasts and imports are stored without a round, and answers tell their age."""

MOST_ANSWERS = 256
"""Answers remembered; there are about twenty kilobytes in each."""


class SharedAnswers:
    """Answers as bytes, each computed once for all who ask the same within a round and five seconds.

    Who asks while one is being computed waits for that one, and for its error too; an error is not kept. ``question``
    must hold all that the answer depends on besides the stored market and the time: so nothing may be shared that
    depends on who asks, and nothing that acts.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._store, self._clock = dispatcher.store, dispatcher.clock
        self._answers: FIFOCache[Hashable, tuple[int, asyncio.Task[bytes]]] = FIFOCache(MOST_ANSWERS)
        self._reading: asyncio.Task[int | None] | None = None

    async def get(self, question: Hashable, compute: Callable[[], Awaitable[bytes]]) -> bytes:
        """The answer to a question, computed where nobody has asked it of this round just now."""
        key = (question, await self._last_round())
        now = self._clock()
        task = self._held(key, now) or self._begin(key, compute, now)
        return await asyncio.shield(task)  # one who gives up does not take the answer from the others

    async def holds(self, question: Hashable) -> bool:
        """Whether the answer to a question is there or on its way."""
        return self._held((question, await self._last_round()), self._clock()) is not None

    def _held(self, key: Hashable, now: int) -> asyncio.Task[bytes] | None:
        begun, task = self._answers.get(key, (now, None))
        return None if task is None or (task.done() and not 0 <= now - begun < SHARED_SECONDS) else task

    async def _last_round(self) -> int | None:
        """The newest stored round; who asks while it is being read waits for that reading."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_last_round())
            self._reading.add_done_callback(self._was_read)
        return await asyncio.shield(self._reading)

    async def _read_last_round(self) -> int | None:
        async with self._store.reader() as reader:
            return await reader.last_round_at()

    def _was_read(self, done: asyncio.Task[int | None]) -> None:
        self._reading = None

    def _begin(self, key: Hashable, compute: Callable[[], Awaitable[bytes]], now: int) -> asyncio.Task[bytes]:
        async def computed() -> bytes:
            return await compute()

        task = asyncio.create_task(computed())
        self._answers[key] = now, task
        task.add_done_callback(lambda done: self._forget_failed(key, done))
        return task

    def _forget_failed(self, key: Hashable, done: asyncio.Task[bytes]) -> None:
        failed = done.cancelled() or done.exception() is not None
        if failed and self._answers.get(key, (0, None))[1] is done:
            del self._answers[key]
