from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.interruptions.weekly_hazard import LEVEL_HOURS, WEEK, count, profile, skill
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


def test_even_hours_make_an_even_profile_at_the_recent_level() -> None:
    even = [(MONDAY + n, Exposure(36_000, absent=1)) for n in range(6 * WEEK)]
    found = profile(even)
    assert found
    assert found.hazards == (pytest.approx(0.1),) * WEEK
    assert found.base == pytest.approx(0.1)
    busier = [*even[:-LEVEL_HOURS], *((hour, Exposure(36_000, absent=3)) for hour, _ in even[-LEVEL_HOURS:])]
    raised = profile(busier)
    assert raised
    assert raised.base == pytest.approx(0.3, rel=0.03)
    assert sum(raised.hazards) / WEEK == pytest.approx(raised.base, rel=0.01)


def test_one_wild_cell_is_pulled_to_what_its_hour_and_day_say() -> None:
    even = {MONDAY + n: Exposure(36_000, absent=1) for n in range(4 * WEEK)}
    for week in range(4):
        even[MONDAY + 30 + week * WEEK] = Exposure(36_000, absent=11)
    found = profile(list(even.items()))
    assert found
    raw = 11 / 10
    assert 2 * found.base < found.hazards[30] < raw / 2
    assert found.hazards[30 + 24] > found.base > found.hazards[100]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 4), min_size=WEEK, max_size=WEEK), st.integers(1, 50))
def test_cells_lie_between_nothing_and_their_raw_rates(events: list[int], tenants: int) -> None:
    found = profile([(MONDAY + n, Exposure(tenants * HOUR, absent=k)) for n, k in enumerate(events)])
    if not any(events):
        assert found is None
        return
    assert found
    assert all(hazard > 0 for hazard in found.hazards)
    assert max(found.hazards) <= 8 * max(events) / tenants
    assert math.fsum(found.counts.events) == sum(events)


def test_hours_that_matter_have_sure_skill() -> None:
    found = skill(lived(6, nights_are_safe))
    assert found
    assert found.sure
    assert found.value > 0.02
    assert found.weeks == 3


def test_hours_that_do_not_matter_rarely_seem_to() -> None:
    found = [skill(lived(5, flat, seed=seed)) for seed in range(20)]
    assert sum(result is not None and result.sure for result in found) <= 2


@pytest.mark.parametrize("weeks", [0, 1, 3.2])
def test_there_is_no_skill_without_a_week_to_hold_out(weeks: float) -> None:
    assert skill(lived(weeks, nights_are_safe)) is None


def test_skill_looks_only_back() -> None:
    hours = lived(5, nights_are_safe)
    changed = [*hours[: 4 * WEEK], *((hour, Exposure(HOUR)) for hour, _ in hours[4 * WEEK :])]
    first, second = skill(hours[: 4 * WEEK]), skill(changed[: 4 * WEEK])
    assert first == second
    assert skill(hours) != skill(changed)
