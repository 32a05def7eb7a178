"""What people use, noted in the store beside their questions: models asked about, keys used.

The poller, often another process, serves models first that somebody asked about. A note is a small write that may have
to wait; so it is made in the background, seldom, and a lost one is made up for by the next question.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from bot.store.errors import StoreError

if TYPE_CHECKING:
    from bot.store.engine import Store
    from bot.store.writer import Writer

NOTED_EVERY = 600
"""Seconds between two notes of the same model or key: recent questions are those of the last hours."""

log = structlog.get_logger()


@dataclass(slots=True)
class Usage:
    """Notes of one process. Where its store may only be read, nothing is noted."""

    store: Store
    clock: Callable[[], int]
    _noted: dict[str | int, int] = field(default_factory=dict)

    def asked(self, models: Collection[str]) -> None:
        """Somebody asked about these models."""
        due = [model for model in models if self._due(model)]
        if due:
            self._note(due, lambda writer, now: writer.touch_asked(due, now))

    def used(self, key_id: int) -> None:
        """An API key was used."""
        if self._due(key_id):
            self._note([key_id], lambda writer, now: writer.touch_key(key_id, now))

    def _due(self, thing: str | int) -> bool:
        noted = self._noted.get(thing)
        return self.store.writable and (noted is None or abs(self.clock() - noted) >= NOTED_EVERY)

    def _note(self, things: Collection[str | int], write: Callable[[Writer, int], Awaitable[None]]) -> None:
        now = self.clock()
        self._noted.update(dict.fromkeys(things, now))
        self.store.in_background(self._write(things, write, now))

    async def _write(
        self, things: Collection[str | int], write: Callable[[Writer, int], Awaitable[None]], now: int
    ) -> None:
        try:
            async with self.store.writer(beside=True) as writer:
                await write(writer, now)
        except StoreError as error:
            log.debug("use not noted", reason=str(error))
            for thing in things:
                self._noted.pop(thing, None)
