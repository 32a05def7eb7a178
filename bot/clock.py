"""Time that a wrong wall clock neither turns back nor carries away."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from analytics.evidence import AHEAD_SECONDS

SLEW = 2 / 3
"""How fast time passes while the wall clock is a little behind what was already told: polls then come 1.5 intervals
apart."""

STEP_SECONDS = 60
"""How far wall clock and timer may drift apart between two looks; more is a step, and a step may be a mistake."""

BELIEVE_AFTER = 900
"""Seconds for which a stepped wall clock must hold before it is believed with nobody to ask. A choice: corrections by
hand and mistakes that are noticed take minutes."""

TOLERANCE_SECONDS = AHEAD_SECONDS
"""How far our time may be from the market's before one of them is wrong: what is stored within it is not misdated."""

WITNESS_SECONDS = 6 * 3600
"""How long the market's word on the time counts."""

log = structlog.get_logger()


def boot_seconds() -> float:
    """Seconds that also pass while the machine sleeps, where the system counts them (Linux); else monotonic ones."""
    counted = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if counted is None else time.clock_gettime(counted)


class SteadyClock:
    """UTC seconds: the wall clock's, as long as the timer confirms them.

    Set back a little, time passes more slowly until the wall clock has caught up. A greater step is not believed: time
    goes on by the timer until the market's clock agrees with the stepped one (:meth:`witness`) or, where no market has
    spoken lately, until the step has held for ``BELIEVE_AFTER``. Only then may time run backwards.
    """

    def __init__(
        self, wall: Callable[[], float] = time.time, timer: Callable[[], float] = boot_seconds, *, floor: int = 0
    ) -> None:
        self._wall, self._timer = wall, timer
        start = float(wall())
        # what is stored a moment ahead comes from an earlier run's slewing, what lies further ahead from a wrong clock
        self._now = max(start, float(floor)) if floor - start <= TOLERANCE_SECONDS else start
        self._mark = timer()
        self._step: tuple[float, float] | None = None
        """a wall clock that is not believed: by how much it is ahead, and since when on the timer"""
        self._witnessed: tuple[float, float] | None = None
        """the market's time, and the timer then"""

    def __call__(self) -> int:
        """The time now."""
        mark, wall = self._timer(), float(self._wall())
        passed, self._mark = max(0.0, mark - self._mark), mark
        ahead = wall - (self._now + passed)
        if abs(ahead) <= STEP_SECONDS:
            self._step = None
            self._now = max(wall, self._now + passed * SLEW)
        elif self._believes(ahead, mark, wall):
            self._set(wall)
        else:
            self._now += passed
        return int(self._now)

    def witness(self, at: float) -> bool:
        """Hear the market's time. Whether ours agreed with it; if not, what was stamped with ours is not to be stored.

        Our time is then set by the wall clock if that agrees with the market, or by the market once it has said the
        same time twice.
        """
        now, wall = self(), float(self._wall())
        before, self._witnessed = self._market_time(self._mark), (at, self._mark)
        if abs(now - at) <= TOLERANCE_SECONDS:
            return True
        if abs(wall - at) <= TOLERANCE_SECONDS:
            self._set(wall)
        elif before is not None and abs(before - at) <= TOLERANCE_SECONDS:
            self._set(at)
        else:
            log.warning("the market's clock contradicts ours", ours=now, market=int(at))
        return False

    @property
    def confirmed(self) -> bool:
        """Whether the market's clock agreed with ours lately."""
        market = self._market_time(self._mark)
        return market is not None and abs(market - self._now) <= TOLERANCE_SECONDS

    def _believes(self, ahead: float, mark: float, wall: float) -> bool:
        if self._step is None or abs(ahead - self._step[0]) > STEP_SECONDS:
            self._step = ahead, mark
            log.warning("the wall clock was set; not believed yet", ahead_seconds=round(ahead))
        market = self._market_time(mark)
        if market is not None:
            return abs(wall - market) <= TOLERANCE_SECONDS < abs(self._now - market)
        return mark - self._step[1] >= BELIEVE_AFTER

    def _market_time(self, mark: float) -> float | None:
        """The market's time at a reading of the timer, None where it has not spoken lately."""
        if self._witnessed is None or mark - self._witnessed[1] > WITNESS_SECONDS:
            return None
        return self._witnessed[0] + mark - self._witnessed[1]

    def _set(self, now: float) -> None:
        log.warning("time was corrected", by_seconds=round(now - self._now))
        self._now, self._step = now, None
