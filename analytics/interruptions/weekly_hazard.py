"""Does the hour of the week matter? Hazards of its 168 hours, shrunk, and whether they foretell weeks not yet seen."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from analytics.interruptions.estimator import SHRINK_BELOW
from analytics.interruptions.survival import Z_ONE_SIDED_95
from analytics.market import HOUR, Exposure, HourOfWeek

DAY_HOURS = 24
WEEK = 7 * DAY_HOURS
"""Hours of a day and of a week."""

PRIOR_WEEKS = 12
"""What the prior of a cell weighs, in weeks of its own exposure (source: definitions, "Q10"; features 4.7)."""

MIN_WEEKS = 4
"""Fewer weeks tell nothing about hours of the week (source: definitions, "Q10"; features 4.7)."""

MIN_EVENTS = 20
"""Fewer interruptions tell nothing about hours of the week (source: forecasting, "Safe windows, MTBI")."""

LEVEL_HOURS = WEEK
"""The span whose level scales all cells (source: definitions, "Q10")."""

Hours = Sequence[tuple[int, Exposure]]
"""(hour since 1970, exposure in it), ascending; hours without exposure are absent."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Interruptions and held hours by hour of the week, Monday 00:00 UTC first."""

    events: tuple[float, ...]
    held_h: tuple[float, ...]


NO_COUNTS = Counts((0.0,) * WEEK, (0.0,) * WEEK)


@dataclass(frozen=True, slots=True)
class Profile:
    """Interruptions per held hour: ``hazards`` by hour of the week and their ``base``, both at the recent level."""

    hazards: tuple[float, ...]
    base: float
    counts: Counts


@dataclass(frozen=True, slots=True)
class Skill:
    """How much the hour of the week improves the log loss in held-out weeks, as a share of the base rate's loss.

    ``sure``: the gain exceeds what chance gives (one-sided 5 % over held-out days).
    """

    value: float
    sure: bool
    weeks: int


def count(hours: Hours) -> Counts:
    """Sums by hour of the week."""
    return _extended(NO_COUNTS, hours)


def _extended(counts: Counts, hours: Hours) -> Counts:
    events, held = list(counts.events), list(counts.held_h)
    for hour, exposure in hours:
        cell = HourOfWeek.index_of(hour)
        events[cell] += exposure.events
        held[cell] += exposure.held_s / HOUR
    return Counts(tuple(events), tuple(held))


def profile(hours: Hours) -> Profile | None:
    """Hazard of each hour of the week; None without interruptions.

    Cells are shrunk by a Gamma prior to base x hour-of-day effect x day-of-week effect, and those effects to 1. Each
    prior weighs 12 weeks of one cell. The level of the last 7 days scales cells and base. Source: definitions, "Q10".
    """
    return _profile(count(hours), hours)


def _profile(counts: Counts, hours: Hours) -> Profile | None:
    events, held = math.fsum(counts.events), math.fsum(counts.held_h)
    if not events or not held:
        return None
    base = events / held
    weight = PRIOR_WEEKS * held / len(hours)
    of_hour = [_effect(counts, range(hour, WEEK, DAY_HOURS), base, weight) for hour in range(DAY_HOURS)]
    of_day = [_effect(counts, range(day, day + DAY_HOURS), base, weight) for day in range(0, WEEK, DAY_HOURS)]
    expected = [base * of_hour[cell % DAY_HOURS] * of_day[cell // DAY_HOURS] for cell in range(WEEK)]
    hazards = [
        (k + mean * weight) / (t + weight) for k, t, mean in zip(counts.events, counts.held_h, expected, strict=True)
    ]
    recent = count(hours[_first(hours, hours[-1][0] - LEVEL_HOURS + 1) :])
    level = _level(recent, hazards)
    return Profile(tuple(level * h for h in hazards), _level(recent, [base] * WEEK) * base, counts)


def _effect(counts: Counts, cells: range, base: float, weight: float) -> float:
    events = math.fsum(counts.events[cell] for cell in cells)
    held = math.fsum(counts.held_h[cell] for cell in cells)
    return (events / base + weight) / (held + weight)


def _level(recent: Counts, hazards: Sequence[float]) -> float:
    expected = math.fsum(t * h for t, h in zip(recent.held_h, hazards, strict=True))
    return (math.fsum(recent.events) + SHRINK_BELOW) / (expected + SHRINK_BELOW)


def skill(hours: Hours) -> Skill | None:
    """Out-of-sample skill of the hours: each week after the first three is foretold from all before it.

    Log loss of "interrupted within this hour" against the base rate at the same level. None when no week can be
    held out. Source: definitions, "Q10".
    """
    if not hours:
        return None
    cuts = range(hours[0][0] + (MIN_WEEKS - 1) * WEEK, hours[-1][0] - WEEK // 2, WEEK)
    gains: list[float] = []
    losses: list[float] = []
    counts, counted = NO_COUNTS, 0
    for cut in cuts:
        begin, end = _first(hours, cut), _first(hours, cut + WEEK)
        counts, counted = _extended(counts, hours[counted:begin]), begin
        known = _profile(counts, hours[:begin])
        if known is not None:
            _score(known, hours[begin:end], gains, losses)
    loss = math.fsum(losses)
    if not loss or len(gains) < 2:
        return None
    mean = math.fsum(gains) / len(gains)
    error = math.sqrt(math.fsum((gain - mean) ** 2 for gain in gains) / (len(gains) - 1) / len(gains))
    return Skill(math.fsum(gains) / loss, mean > Z_ONE_SIDED_95 * error, len(cuts))


def _first(hours: Hours, since: int) -> int:
    """The place of the first that is not before an hour."""
    return bisect_left(hours, since, key=lambda row: row[0])


def _score(known: Profile, week: Hours, gains: list[float], losses: list[float]) -> None:
    """Append what the hours gained over the base rate, and the base rate's loss, for each day of a held-out week."""
    days: dict[int, tuple[float, float]] = {}
    for hour, exposure in week:
        cell, k = known.hazards[HourOfWeek.index_of(hour)], exposure.events
        survived = max(0.0, exposure.held_s / HOUR - k)
        loss = survived * known.base - k * math.log(-math.expm1(-known.base))
        gain = loss - (survived * cell - k * math.log(-math.expm1(-cell)))
        before = days.get(hour // DAY_HOURS, (0.0, 0.0))
        days[hour // DAY_HOURS] = (before[0] + gain, before[1] + loss)
    gains += [gain for gain, _ in days.values()]
    losses += [loss for _, loss in days.values()]
