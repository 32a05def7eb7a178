"""Q10: the hours of the week in which a tenant of this model is least often interrupted, if hours matter at all."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from analytics.errors import NotYet
from analytics.evidence import OMIT, Basis, Evidence, Note, Percent, Plural, iso
from analytics.interruptions.estimator import BUNCHED, assumptions, estimate, implied
from analytics.interruptions.resolution import TOO_COARSE, too_coarse
from analytics.interruptions.weekly_hazard import (
    DAY_HOURS,
    LOOK_BACK_HOURS,
    MIN_EVENTS,
    MIN_WEEKS,
    SAFEST_SHARE,
    WEEK,
    Fitted,
    Hours,
    Profile,
    profile,
)
from analytics.market import HOUR, Exposure, HourOfWeek, HourPoint, usd
from analytics.offer_now import OfferNow

MAX_WINDOWS = 5
"""How many windows of each kind are named (ours: more is a heat map)."""

FIT_MINUTE = 2
"""The minute of the hour in which profiles are fitted (source: design, the hourly forecast job)."""

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

HOURS_DO_NOT_MATTER = Note("hours do not matter for this model: they do not foretell its interruptions in later weeks")
SOME_HOURS = Note("some hours are safer: they foretold interruptions in weeks that were held out")
NONE_THAT_LONG = Note("no run of safer hours is that long; this is the least risky time to start")
TOO_FEW = Note(
    Plural(
        "{n} interruption is too few to tell hours apart: it takes {need}",
        "{n} interruptions are too few to tell hours apart: it takes {need}",
    )
)
TIMES = Plural("{n} time", "{n} times")
TENANT_HOURS = Plural("{n} tenant-hour", "{n} tenant-hours")
LESS = Note("interrupted {percent} less often than in the average hour ({times} in {exposure})")
MORE = Note("interrupted {percent} more often than in the average hour ({times} in {exposure})")


@dataclass(frozen=True, slots=True)
class Window:
    """A run of hours, each week. ``end_hour`` (1..24, exclusive) is on ``end_day``; both as local time next time.

    ``safety_score``: P(no interruption while running through it); ``base_score``: the same at the average hour's rate.
    """

    day_of_week: str
    start_hour: int
    end_hour: int
    safety_score: float
    avg_price: float | None
    reasoning: Note
    end_day: str
    duration_hours: int
    base_score: float
    next_start: str
    next_end: str


@dataclass(frozen=True, slots=True)
class SafeWindows:
    """Q10. ``base_rate``: interruptions per hour of running, at the level of the last 7 days."""

    gpu_name: str
    timezone: str
    safe_windows: tuple[Window, ...]
    worst_windows: tuple[Window, ...]
    hours_matter: bool
    conclusion: Note
    skill: float | None
    base_rate: float | None
    weeks: float
    next_start: str | None
    """when a job of the ``hours`` asked for can start first within safer hours that last as long, this hour's rest
    left out; the least risky start where none do"""
    safety_by_hour: tuple[tuple[float | None, ...], ...] | None
    """P(no interruption within the hour that begins then): 7 days from Monday × 24 local hours, as they come next;
    None unless hours matter, and for an hour that the clock leaves out"""
    offers_now: tuple[OfferNow, ...] | None = field(default=None, kw_only=True, metadata=OMIT)
    """the best matching offers; left out where the answer names no model"""
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked: a time zone with its name, and how long the job runs (hours), None for any length."""

    zone: dt.tzinfo = dt.UTC
    zone_name: str = "UTC"
    hours: float | None = None


def safe_windows(
    gpu: str,
    hours: Hours,
    prices: Sequence[HourPoint],
    basis: Basis,
    asked: Asked | None = None,
    fitted: Fitted | None = None,
) -> SafeWindows:
    """Q10 for one model.

    ``hours``: (hour since 1970, exposure), ascending, of the last ``LOOK_BACK_HOURS``; ``prices``: hour points of the
    same time; ``fitted``: the profile of the week. Windows are runs of hours whose hazard beats the base rate; with
    ``asked.hours`` the best stretch that long. None are given unless the profile is published. Raises NotYet below
    four weeks of recorded hours, where polls are too far apart, and before the first fit. Source: definitions, "Q10".
    """
    asked = asked or Asked()
    if len(hours) < MIN_WEEKS * WEEK:
        raise _not_yet(len(hours), basis)
    rate = estimate(sum((exposure for _, exposure in hours), Exposure()), thinning=fitted.thinning if fitted else None)
    if TOO_COARSE in rate.notes:
        raise too_coarse(rate.events, rate.exposure_hours, rate.step_s, LOOK_BACK_HOURS / DAY_HOURS, basis)
    if fitted is None and rate.events >= MIN_EVENTS:
        raise _not_fitted(basis)
    found = profile(hours, fitted.profile.relative if fitted else (1.0,) * WEEK)
    conclusion = _conclusion(rate.events, fitted)
    sheet = None
    if found is not None and conclusion is SOME_HOURS:
        sheet = _Sheet(found, rate.correction, _mean_prices(prices), basis.now, asked.zone)
    safe, long_enough = sheet.safe(asked.hours) if sheet else ((), True)
    return SafeWindows(
        gpu_name=gpu,
        timezone=asked.zone_name,
        safe_windows=safe,
        worst_windows=sheet.worst() if sheet else (),
        hours_matter=sheet is not None,
        conclusion=conclusion,
        skill=fitted.profile.skill if fitted else None,
        base_rate=None if found is None else round(found.base * rate.correction, 5),
        weeks=round(len(hours) / WEEK, 1),
        next_start=sheet.soonest(asked.hours) if asked.hours and sheet else None,
        safety_by_hour=sheet.by_hour() if sheet else None,
        evidence=_evidence(rate.exposure_hours, fitted, long_enough, basis),
    )


def _conclusion(events: int, fitted: Fitted | None) -> Note:
    if events < MIN_EVENTS:
        return Note(TOO_FEW.text, {"n": events, "need": MIN_EVENTS})
    return SOME_HOURS if fitted is not None and fitted.profile.published else HOURS_DO_NOT_MATTER


def _evidence(exposure_hours: float, fitted: Fitted | None, long_enough: bool, basis: Basis) -> Evidence:
    return basis.evidence(
        implied(),
        (BUNCHED,) if long_enough else (BUNCHED, NONE_THAT_LONG),
        exposure_hours=round(exposure_hours, 1),
        assumptions=assumptions(),
        details=None if fitted is None else _details(fitted),
    )


def _details(fitted: Fitted) -> dict[str, object]:
    found = fitted.profile
    return {
        "published": found.published,
        "claimed_risk": found.claimed_risk,
        "met_risk": found.met_risk,
        "own_gain": found.own_gain,
        "pooled_t": found.pooled_t,
        "held_out_weeks": found.held_out_weeks,
        "fitted_at": iso(fitted.at),
    }


def _not_fitted(basis: Basis) -> NotYet:
    ready = (basis.now // HOUR + 1) * HOUR + FIT_MINUTE * 60
    return NotYet(
        Note("the rhythm of the week is not fitted yet: that comes with the next hourly run"),
        have=Note("the records that it takes"),
        need=Note("one hourly run"),
        ready_at=None if basis.stale else ready,
    )


def _not_yet(recorded: int, basis: Basis) -> NotYet:
    missing = MIN_WEEKS * WEEK - recorded
    return NotYet(
        Note(
            Plural(
                "hours of the week need {weeks} week of records",
                "hours of the week need {weeks} weeks of records",
                "weeks",
            ),
            {"weeks": MIN_WEEKS},
        ),
        have=Note(
            Plural("{days} day with followed slices", "{days} days with followed slices", "days"),
            {"days": round(recorded / DAY_HOURS, 1)},
        ),
        need=Note(Plural("{days} day", "{days} days", "days"), {"days": MIN_WEEKS * WEEK // DAY_HOURS}),
        ready_at=basis.ready_after(missing * HOUR),
    )


def _mean_prices(prices: Sequence[HourPoint]) -> list[float | None]:
    """The mean of the hourly prices (micro-dollars) by hour of the week."""
    cells: list[list[int]] = [[] for _ in range(WEEK)]
    for point in prices:
        if point.price is not None:
            cells[HourOfWeek.of(point.hour).index].append(point.price)
    return [math.fsum(cell) / len(cell) if cell else None for cell in cells]


class _Sheet:
    """The 168 hours as people read them. A run is (first cell, number of cells) and may pass the end of the week."""

    def __init__(
        self, found: Profile, correction: float, prices: Sequence[float | None], now: int, zone: dt.tzinfo
    ) -> None:
        self.hazards = [correction * hazard for hazard in found.hazards]
        self.base = correction * found.base
        self.counts, self.prices, self.now, self.zone = found.counts, prices, now, zone

    def safe(self, hours: float | None) -> tuple[tuple[Window, ...], bool]:
        """The safest runs first, and whether they are runs of safer hours throughout."""
        runs = self._safer()
        if hours is None:
            return self._best(runs, sign=-1, note=LESS), True
        length = math.ceil(hours)
        fitting = [self._safest(range(first, first + n - length + 1), length) for first, n in runs if n >= length]
        if fitting:
            return self._best(fitting, sign=-1, note=LESS), True
        start = self._safest(range(WEEK), length)
        return (self._window(start, LESS if self._excess(start) <= 0 else MORE),), False

    def soonest(self, hours: float) -> str:
        """The first full hour from now on that safer hours follow for as long, else the least risky one."""
        length = math.ceil(hours)
        within = [(first + n, length) for first, run in self._safer() for n in range(run - length + 1)]
        starts = [self._next(run)[0] for run in within or [self._safest(range(WEEK), length)]]
        return min(starts, key=dt.datetime.timestamp).isoformat()

    def _safer(self) -> list[tuple[int, int]]:
        return _runs([hazard < self.base for hazard in self.hazards])

    def worst(self) -> tuple[Window, ...]:
        """The riskiest runs of the riskiest quarter of the week."""
        limit = sorted(self.hazards)[-round(SAFEST_SHARE * WEEK)]
        runs = _runs([hazard >= limit and hazard > self.base for hazard in self.hazards])
        return self._best(runs, sign=1, note=MORE)

    def by_hour(self) -> tuple[tuple[float | None, ...], ...]:
        """P(no interruption) of each hour, by local day and hour of its next occurrence."""
        table: list[list[float | None]] = [[None] * DAY_HOURS for _ in DAYS]
        for cell, hazard in enumerate(self.hazards):
            start, _ = self._next((cell, 1))
            before, score = table[start.weekday()][start.hour], round(math.exp(-hazard), 4)
            # an hour that the clock strikes twice is as safe as the riskier of the two
            table[start.weekday()][start.hour] = score if before is None else min(before, score)
        return tuple(tuple(row) for row in table)

    def _safest(self, starts: range, length: int) -> tuple[int, int]:
        return min(((start % WEEK, length) for start in starts), key=self._excess)

    def _excess(self, run: tuple[int, int]) -> float:
        """Interruptions expected in the run beyond those at the base rate."""
        return math.fsum(self.hazards[cell] - self.base for cell in _cells(run))

    def _best(self, runs: Sequence[tuple[int, int]], *, sign: int, note: Note) -> tuple[Window, ...]:
        ranked = sorted(runs, key=lambda run: -sign * self._excess(run))[:MAX_WINDOWS]
        return tuple(self._window(run, note) for run in ranked)

    def _window(self, run: tuple[int, int], note: Note) -> Window:
        cells = _cells(run)
        hazard = math.fsum(self.hazards[cell] for cell in cells)
        start, end = self._next(run)
        last = end - dt.timedelta(microseconds=1)
        prices = [price for cell in cells if (price := self.prices[cell]) is not None]
        values = {
            "percent": Percent(100 * abs(hazard / (self.base * len(cells)) - 1)),
            "times": Note(TIMES, {"n": round(math.fsum(self.counts.events[cell] for cell in set(cells)))}),
            "exposure": Note(TENANT_HOURS, {"n": round(math.fsum(self.counts.held_h[cell] for cell in set(cells)))}),
        }
        return Window(
            day_of_week=DAYS[start.weekday()],
            start_hour=start.hour,
            end_hour=last.hour + 1,
            safety_score=round(math.exp(-hazard), 4),
            avg_price=usd(math.fsum(prices) / len(prices)) if prices else None,
            reasoning=Note(note.text, values),
            end_day=DAYS[last.weekday()],
            duration_hours=len(cells),
            base_score=round(math.exp(-self.base * len(cells)), 4),
            next_start=start.isoformat(),
            next_end=end.isoformat(),
        )

    def _next(self, run: tuple[int, int]) -> tuple[dt.datetime, dt.datetime]:
        return next_time(run, self.now, self.zone)


def next_time(run: tuple[int, int], now: int, zone: dt.tzinfo) -> tuple[dt.datetime, dt.datetime]:
    """Start and end of a run's next occurrence that begins at ``now`` (UTC seconds) or later, in local time."""
    hour = -(-now // HOUR)
    hour += (run[0] - HourOfWeek.of(hour).index) % WEEK
    return dt.datetime.fromtimestamp(hour * HOUR, zone), dt.datetime.fromtimestamp((hour + run[1]) * HOUR, zone)


def safest_runs(relative: Sequence[float]) -> list[tuple[int, int]]:
    """The safe windows of 168 hazards over their mean, Monday 00:00 UTC first: the runs below it, the safest first."""

    def excess(run: tuple[int, int]) -> float:
        return math.fsum(relative[cell] - 1 for cell in _cells(run))

    return sorted(_runs([hazard < 1 for hazard in relative]), key=excess)[:MAX_WINDOWS]


def _cells(run: tuple[int, int]) -> list[int]:
    return [(run[0] + step) % WEEK for step in range(run[1])]


def _runs(marked: Sequence[bool]) -> list[tuple[int, int]]:
    """The maximal runs of marked cells of a week without end."""
    if all(marked):
        return [(0, len(marked))]
    starts = [cell for cell in range(len(marked)) if marked[cell] and not marked[cell - 1]]
    return [(start, next(n for n in range(WEEK) if not marked[(start + n) % WEEK])) for start in starts]
