"""Quiet hours: what is meant is the clock on the wall, whatever daylight saving does to it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from bot.zones import zone_or_utc

DAY_MINUTES = 1440
_JUMPS = 3
"""One landing, and one more for each change of the clock on the way."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """From minute ``start`` to minute ``end`` of the local day, over midnight if ``end`` is smaller."""

    start: int
    end: int
    zone: str = "UTC"
    of_team: bool = False
    """they are those of the team, and move with them"""

    def holds(self, at: int) -> bool:
        """Whether UTC second ``at`` lies in quiet hours."""
        return (self._minute(at) - self.start) % DAY_MINUTES < (self.end - self.start) % DAY_MINUTES

    def ends(self, at: int) -> int | None:
        """The first second after ``at`` that is not quiet; None if ``at`` is not."""
        if not self.holds(at):
            return None
        after = at
        for _ in range(_JUMPS):
            after += (self.end - self._minute(after)) % DAY_MINUTES * 60
            if not self.holds(after):
                break
        return self._first(at, after)

    def _first(self, before: int, after: int) -> int:
        # ``after`` is late by some seconds, or by an hour where a clock put forward jumped over the end
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (middle, after) if self.holds(middle) else (before, middle)
        return after

    def _minute(self, at: int) -> int:
        local = dt.datetime.fromtimestamp(at, zone_or_utc(self.zone))
        return local.hour * 60 + local.minute
