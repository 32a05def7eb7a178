"""Doing a thing once although it is asked for twice: platforms deliver again, and people click twice."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable


class Deduplicator:
    """Remembers keys for ``seconds``, at most ``room`` of them (the oldest are forgotten first)."""

    def __init__(self, seconds: float, *, room: int = 10_000, timer: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self.room, self.timer = seconds, room, timer
        self._seen: OrderedDict[str, float] = OrderedDict()

    def first(self, key: str) -> bool:
        """Whether this key was not seen before; from now on it was."""
        now = self.timer()
        while self._seen and (next(iter(self._seen.values())) <= now - self.seconds or len(self._seen) > self.room):
            self._seen.popitem(last=False)
        if key in self._seen:
            return False
        self._seen[key] = now
        return True

    def forget(self, key: str) -> None:
        """The thing was not done after all: it may be asked for again."""
        self._seen.pop(key, None)
