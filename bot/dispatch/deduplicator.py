"""Doing a thing once although it is asked for twice: platforms deliver again, and people click twice."""

from __future__ import annotations

import time
from collections.abc import Callable

from cachetools import TTLCache


class Deduplicator:
    """Remembers keys for ``seconds``, at most ``room`` of them (the oldest are forgotten first)."""

    def __init__(self, seconds: float, *, room: int = 10_000, timer: Callable[[], float] = time.monotonic) -> None:
        self._seen: TTLCache[str, None] = TTLCache(room, seconds, timer)

    def first(self, key: str) -> bool:
        """Whether this key was not seen before; from now on it was."""
        if key in self._seen:
            return False
        self._seen[key] = None
        return True

    def forget(self, key: str) -> None:
        """The thing was not done after all: it may be asked for again."""
        self._seen.pop(key, None)
