"""The clock on the wall: when a time of day comes, once on each local day, whatever daylight saving does to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from bot.zones import UTC, zone_or_utc

WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class DayTime:
    """Minute ``minute`` of the local day, each day or on one day of the week (0 is Monday)."""

    minute: int
    zone: str = UTC
    weekday: int | None = None

    def next_after(self, at: int) -> int:
        """The first time it comes after UTC second ``at``."""
        return min(second for second in self._around(at) if second > at)

    def last_by(self, at: int) -> int:
        """The last time it came by UTC second ``at``, that second included."""
        return max(second for second in self._around(at) if second <= at)

    def _around(self, at: int) -> Iterator[int]:
        zone = zone_or_utc(self.zone)
        today = dt.datetime.fromtimestamp(at, zone).date()
        for days in range(-WEEK_DAYS - 1, WEEK_DAYS + 2):
            day = today + dt.timedelta(days=days)
            if self.weekday in (None, day.weekday()):
                yield self._on(day, zone)

    def _on(self, day: dt.date, zone: dt.tzinfo) -> int:
        """A time that comes twice is the first of the two; one that is left out comes as much later as is left out."""
        hour, minute = divmod(self.minute, 60)
        return int(dt.datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).timestamp())
