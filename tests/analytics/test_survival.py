from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.interruptions.survival import Chance, fit
from analytics.market import AGE_BINS_H, HOUR, LifeTable

BINS = len(AGE_BINS_H) + 1
EDGES = (0.0, *AGE_BINS_H, math.inf)


def mixture(*kinds: tuple[float, float], tenancies: int = 1_000_000) -> LifeTable:
    """What tenancies of several kinds, each (share of the starts, mean hours), leave in a life table."""

    def ended(age: float) -> float:
        return sum(share * -math.expm1(-age / mean) for share, mean in kinds)

    def lived(age: float) -> float:
        return sum(share * mean * -math.expm1(-age / mean) for share, mean in kinds)

    spans = list(itertools.pairwise(EDGES))
    return LifeTable(
        tuple(round(tenancies * (lived(end) - lived(start)) * HOUR) for start, end in spans),
        tuple(round(tenancies * (ended(end) - ended(start))) for start, end in spans),
    )


def truth(hours: float, *kinds: tuple[float, float]) -> float:
    """P(still running) on a slice that is free now: kinds count by the time they are free, not by how often."""
    time = sum(share * mean for share, mean in kinds)
    return sum(share * mean / time * math.exp(-hours / mean) for share, mean in kinds)


@pytest.mark.parametrize("hours", [1, 6, 24])
@pytest.mark.parametrize("kinds", [((1.0, 8.0),), ((0.5, 1.0), (0.5, 100.0)), ((0.7, 0.5), (0.2, 5.0), (0.1, 40.0))])
def test_the_curve_finds_the_chance_of_who_starts_now(hours: float, kinds: tuple[tuple[float, float], ...]) -> None:
    curve = fit(mixture(*kinds))
    assert curve
    assert curve.survival(hours) == pytest.approx(truth(hours, *kinds), abs=0.015)


def test_heavy_tails_are_not_an_exponential() -> None:
    kinds = ((0.5, 1.0), (0.5, 100.0))
    curve = fit(mixture(*kinds))
    assert curve
    mtbi = 0.5 * 1.0 + 0.5 * 100.0
    assert curve.survival(24) > math.exp(-24 / mtbi) + 0.1


tables = st.builds(
    LifeTable,
    st.tuples(*[st.integers(0, 10**7)] * (BINS - 1), st.integers(1, 10**7)),
    st.tuples(*[st.integers(0, 300)] * BINS),
)


@settings(deadline=None)
@given(tables, st.floats(0.1, 100), st.floats(0.1, 100), st.floats(1, 3))
def test_survival_is_a_probability_that_falls_and_lies_within_its_bounds(
    life: LifeTable, hours: float, more: float, correction: float
) -> None:
    curve = fit(life, correction=correction)
    assert curve
    assert 0 <= curve.survival(hours + more) <= curve.survival(hours) <= 1
    chance = curve.chance(hours)
    ends = [round(end, 9) for end in (chance.low_95, chance.lower_5, chance.value, chance.high_95)]
    assert ends == sorted(ends)
    assert chance.value == curve.survival(hours)


@settings(deadline=None)
@given(tables)
def test_half_are_interrupted_by_the_median(life: LifeTable) -> None:
    curve = fit(life)
    assert curve
    median = curve.median(200)
    if median is None:
        assert curve.survival(200) > 0.5
    else:
        assert curve.survival(median) <= 0.5
        assert curve.survival(max(0, median - 1 / 60)) >= 0.5


def test_the_lower_bound_is_missed_about_one_time_in_twenty() -> None:
    rng, misses, trials, kinds = random.Random(3), 0, 400, ((1.0, 12.0),)
    for _ in range(trials):
        at_risk, events = [0] * BINS, [0] * BINS
        for _ in range(60):
            life = rng.expovariate(1 / 12)
            for index, (start, end) in enumerate(itertools.pairwise(EDGES)):
                at_risk[index] += round(max(0.0, min(life, end) - start) * HOUR)
                events[index] += start <= life < end
        curve = fit(LifeTable(tuple(at_risk), tuple(events)))
        assert curve
        misses += curve.chance(24).lower_5 > truth(24, *kinds)
    assert 0.01 < misses / trials < 0.10


def test_an_age_never_seen_is_as_risky_as_the_mean_and_more_data_narrow_the_bounds() -> None:
    young = LifeTable((900_000, *[0] * (BINS - 1)), (100, *[0] * (BINS - 1)))
    curve = fit(young)
    assert curve
    assert curve.hazards[-1] == pytest.approx(100.5 / 250, rel=1e-6)
    few, many = fit(mixture((1.0, 8.0), tenancies=50)), fit(mixture((1.0, 8.0), tenancies=5000))
    assert few
    assert many
    widths = [chance.high_95 - chance.low_95 for chance in (few.chance(6), many.chance(6))]
    assert widths[1] < widths[0] / 5


def test_what_polls_hide_makes_every_hazard_larger() -> None:
    plain, corrected = fit(mixture((1.0, 8.0))), fit(mixture((1.0, 8.0)), correction=2.0)
    assert plain
    assert corrected
    assert corrected.survival(4) == pytest.approx(plain.survival(4) ** 2, abs=0.02)


def test_nothing_at_risk_makes_no_curve() -> None:
    assert fit(LifeTable()) is None


def test_overdispersion_widens_the_curves_interval_by_its_root_and_leaves_the_curve() -> None:
    life = LifeTable((900 * HOUR,) * 13, (40,) * 13)
    plain, wide = fit(life), fit(life, overdispersion=4.0)
    assert plain
    assert wide
    for hours in (1.0, 6.0, 24.0):
        one, other = plain.chance(hours), wide.chance(hours)
        assert other.value == one.value
        assert _spread(other) == pytest.approx(2 * _spread(one))
        assert other.low_95 < other.lower_5 < one.lower_5 < one.value < one.high_95 < other.high_95


def _spread(chance: Chance) -> float:
    """The width of the interval on the scale on which it is symmetric."""
    return math.log(-math.log(chance.low_95)) - math.log(-math.log(chance.high_95))
