from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.interruptions.weekly_hazard import LEVEL_HOURS, WEEK, count, profile
from analytics.market import HOUR, Exposure, HourOfWeek

MONDAY = 480_000 - HourOfWeek.of(480_000).index
"""A Monday 00:00 UTC, in hours since 1970."""

TENANTS = 20


def nights_are_safe(cell: int) -> float:
    """Interruptions per running hour: four times fewer from 22:00 to 8:00."""
    return 0.03 if cell % 24 >= 22 or cell % 24 < 8 else 0.12


def flat(cell: int) -> float:
    return 0.08


def lived(weeks: float, hazard: Callable[[int], float], *, seed: int = 1) -> list[tuple[int, Exposure]]:
    """Hours of a market of ``TENANTS`` running tenants, interrupted at random with the hazard of each hour."""
    rng = random.Random(seed)
    hours = []
    for hour in range(MONDAY, MONDAY + round(weeks * WEEK)):
        events = sum(rng.random() < -math.expm1(-hazard(HourOfWeek.of(hour).index)) for _ in range(TENANTS))
        down = TENANTS * 2
        hours.append(
            (
                hour,
                Exposure(TENANTS * HOUR, down * 300, TENANTS * 12, down, absent=events, resumed=events),
            )
        )
    return hours


def test_counts_fall_into_their_hours_of_the_week() -> None:
    hours = [(MONDAY + 25, Exposure(7200, absent=1)), (MONDAY + 25 + WEEK, Exposure(3600, outbid=2))]
    counts = count(hours)
    assert (counts.events[25], counts.held_h[25]) == (3, 3)
    assert sum(counts.events) == 3


EVEN = (1.0,) * WEEK


def test_even_hours_make_an_even_profile_at_the_recent_level() -> None:
    even = [(MONDAY + n, Exposure(36_000, absent=1)) for n in range(6 * WEEK)]
    found = profile(even, EVEN)
    assert found
    assert found.hazards == (pytest.approx(0.1),) * WEEK
    assert found.base == pytest.approx(0.1)
    busier = [*even[:-LEVEL_HOURS], *((hour, Exposure(36_000, absent=3)) for hour, _ in even[-LEVEL_HOURS:])]
    raised = profile(busier, EVEN)
    assert raised
    assert raised.base == pytest.approx(0.3, rel=0.03)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.integers(0, 4), min_size=WEEK, max_size=WEEK),
    st.lists(st.floats(0.2, 5), min_size=WEEK, max_size=WEEK),
    st.integers(1, 50),
)
def test_hazards_are_the_profile_and_foretell_as_many_interruptions_as_there_were(
    events: list[int], ratios: list[float], tenants: int
) -> None:
    """All in one week, so that the recent level is that of all hours."""
    mean = math.fsum(ratios) / WEEK
    relative = [ratio / mean for ratio in ratios]
    found = profile([(MONDAY + n, Exposure(tenants * HOUR, absent=k)) for n, k in enumerate(events)], relative)
    if not any(events):
        assert found is None
        return
    assert found
    assert [hazard / found.base for hazard in found.hazards] == pytest.approx(relative)
    assert math.fsum(hazard * tenants for hazard in found.hazards) == pytest.approx(sum(events))
