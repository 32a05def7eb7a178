"""Time that never runs backwards and never stands still, whatever is done to the wall clock."""

from __future__ import annotations

import time
from collections.abc import Callable

SLEW = 2 / 3
"""How fast time passes while the wall clock is behind what was already told: polls then come 1.5 intervals apart."""


class SteadyClock:
    """UTC seconds: the wall clock's, unless that was set back; then slower time until the wall clock catches up."""

    def __init__(
        self, wall: Callable[[], float] = time.time, timer: Callable[[], float] = time.monotonic, *, floor: int = 0
    ) -> None:
        self._wall, self._timer = wall, timer
        self._now = max(float(wall()), float(floor))
        self._mark = timer()

    def __call__(self) -> int:
        """The time now."""
        mark = self._timer()
        self._now = max(float(self._wall()), self._now + (mark - self._mark) * SLEW)
        self._mark = mark
        return int(self._now)

    def not_before(self, floor: int) -> None:
        """Never tell a time before this one: what is stored must not lie in the future."""
        self._now = max(self._now, float(floor))
