"""What open pages are told as it happens, as server-sent events: that there is a new round, and messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from bot.store.errors import StoreError

if TYPE_CHECKING:
    from bot.store.engine import Store

LOOK_SECONDS = 2.0
"""How often the store is asked for a new round while anybody listens; once for all of them."""

BEAT_SECONDS = 15.0
"""After so long without an event a comment is sent: proxies close what is silent, and who has left is noticed."""

MOST_LISTENERS = 400
"""Open streams; connections are needed for questions too."""

WAITING = 32
"""Events that may wait for one listener; of a slower one the oldest are dropped."""


@dataclass(slots=True)
class LiveEvents:
    """Tells listeners of rounds that any process stored, and of what is published here."""

    store: Store
    _queues: set[asyncio.Queue[str | None]] = field(default_factory=set)
    _watching: asyncio.Task[None] | None = None
    _closed: bool = False

    def publish(self, event: str, data: str) -> None:
        """Tell all who listen; ``data`` is one line."""
        for queue in self._queues:
            _put(queue, f"event: {event}\ndata: {data}\n\n")

    def open(self) -> None:
        """Take listeners, also after a close."""
        self._closed = False

    def close(self) -> None:
        """End all streams, and take no new ones."""
        self._closed = True
        for queue in self._queues:
            _put(queue, None)

    def response(self) -> StreamingResponse:
        """The answer to who wants to listen; raises 503 where too many do."""
        if len(self._queues) >= MOST_LISTENERS or self._closed:
            raise HTTPException(503, "too many pages are open", {"Retry-After": "60"})
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._stream(), headers=headers, media_type="text/event-stream")

    async def _stream(self) -> AsyncIterator[str]:
        with self._listening() as queue:
            yield "retry: 3000\nevent: ready\ndata: now\n\n"  # what came before this was not heard
            while True:
                try:
                    text = await asyncio.wait_for(queue.get(), BEAT_SECONDS)
                except TimeoutError:
                    text = ": still here\n\n"
                if text is None:
                    return
                yield text

    @contextmanager
    def _listening(self) -> Iterator[asyncio.Queue[str | None]]:
        queue: asyncio.Queue[str | None] = asyncio.Queue(WAITING)
        self._queues.add(queue)
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        try:
            yield queue
        finally:
            self._queues.discard(queue)
            if not self._queues and self._watching is not None:
                self._watching.cancel()
                self._watching = None

    async def _watch(self) -> None:
        last = await self._last_round()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = await self._last_round()
            if now is not None and now != last:
                last = now
                self.publish("round", str(now))

    async def _last_round(self) -> int | None:
        try:
            async with self.store.reader() as reader:
                return await reader.last_round_at()
        except StoreError:
            return None  # it is busy: the next look tells


def _put(queue: asyncio.Queue[str | None], text: str | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(text)
