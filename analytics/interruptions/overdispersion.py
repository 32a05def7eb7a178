"""How much interruptions bunch: by how much their daily counts scatter more than independent events would."""

from __future__ import annotations

import math
from collections.abc import Iterable

from analytics.market import Exposure

MIN_DAYS = 7
"""Fewer days with tenants than this do not tell how they differ (ours: a week, so that each of its days was seen)."""

OVERDISPERSION_DAYS = 30
"""How far back days are looked at, whatever period is asked for (source: definitions, ``uptime_percent_30d``)."""


def overdispersion(days: Iterable[Exposure]) -> float | None:
    """The dispersion of daily counts, given the tenants of each day: 1 where they scatter as chance does, at least 1.

    Pearson's chi-square of counts against one common rate, over its degrees of freedom (source: McCullagh and Nelder
    1989, section 4.5: quasi-likelihood). Tenants are interrupted together when demand rises, hour after hour, so that
    many interruptions tell no more than a few independent ones: ``overdispersion`` of them count as one. Whole days, so
    that the rhythm of the day, which every day repeats, is none. None for fewer than ``MIN_DAYS`` days with tenants,
    or without an interruption.
    """
    lived = [day for day in days if day.held_s]
    events, held = sum(day.events for day in lived), sum(day.held_s for day in lived)
    if len(lived) < MIN_DAYS or not events:
        return None
    rate = events / held
    chi_square = math.fsum((day.events - rate * day.held_s) ** 2 / (rate * day.held_s) for day in lived)
    return max(1.0, chi_square / (len(lived) - 1))
