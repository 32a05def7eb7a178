"""Hazards of the 168 hours of the week at the recent level, from the stored profile of the model."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from analytics.interruptions.class_prior import SHRINK_BELOW
from analytics.market import HOUR, Exposure, HourOfWeek

DAY_HOURS = 24
WEEK = 7 * DAY_HOURS
"""Hours of a day and of a week."""

LOOK_BACK_HOURS = 12 * WEEK
"""How far back hours of the week are counted (ours: a quarter, so that old habits fade)."""

SAFEST_SHARE = 0.25
"""The safest, or riskiest, share of the week (source: forecasting, "Safe windows")."""

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


@dataclass(frozen=True, slots=True)
class Profile:
    """Interruptions per held hour: ``hazards`` by hour of the week and their ``base``, both at the recent level."""

    hazards: tuple[float, ...]
    base: float
    counts: Counts


@dataclass(frozen=True, slots=True)
class HazardProfile:
    """What is stored of a model: ``relative`` hazards by hour of the week, Monday 00:00 UTC first, with mean 1.

    amplitude: hazard of the riskiest hour over the safest; own_gain: log-likelihood gained over even hours in weeks
    that were foretold from all others, and skill: the same as a share of the loss of even hours; pooled_t: Student's t
    of the fleet's gain over their days; claimed_risk and met_risk: the hazard of the safest quarter of the week over
    the average, here and (the fleet's) in the ``held_out_weeks``, which were foretold only from those before them.
    """

    relative: tuple[float, ...]
    amplitude: float
    own_gain: float | None
    skill: float | None
    pooled_t: float | None
    held_out_weeks: int
    weeks: float
    events: int
    published: bool
    claimed_risk: float
    met_risk: float | None


@dataclass(frozen=True, slots=True)
class Fitted:
    """The stored profile of the model, and when (UTC seconds) it was fitted."""

    profile: HazardProfile
    at: int
    thinning: float | None = None
    """the model's factor of now, as for Q9; None without one"""


def count(hours: Hours) -> Counts:
    """Sums by hour of the week."""
    events, held = [0.0] * WEEK, [0.0] * WEEK
    for hour, exposure in hours:
        cell = HourOfWeek.index_of(hour)
        events[cell] += exposure.events
        held[cell] += exposure.held_s / HOUR
    return Counts(tuple(events), tuple(held))


def profile(hours: Hours, relative: Sequence[float]) -> Profile | None:
    """Hazard of each hour of the week at the level of the last 7 days; None without interruptions.

    ``relative``: 168 hazards over their mean. The recent level is shrunk to that of all hours by a Gamma prior of
    ``SHRINK_BELOW`` interruptions. Source: definitions, "Q10".
    """
    counts = count(hours)
    events = math.fsum(counts.events)
    if not events:
        return None
    usual = events / _expected(counts, relative)
    recent = count(hours[bisect_left(hours, hours[-1][0] - LEVEL_HOURS + 1, key=lambda row: row[0]) :])
    level = (math.fsum(recent.events) + SHRINK_BELOW) / (usual * _expected(recent, relative) + SHRINK_BELOW)
    base = usual * level
    return Profile(tuple(base * ratio for ratio in relative), base, counts)


def _expected(counts: Counts, hazards: Sequence[float]) -> float:
    return math.fsum(held * hazard for held, hazard in zip(counts.held_h, hazards, strict=True))
