"""How interruptions bunch, and intervals that know it."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.evidence import Basis
from analytics.interruptions.estimator import BUNCHED, WAVES, Prior, estimate, interruption_rates
from analytics.interruptions.overdispersion import MIN_DAYS, overdispersion
from analytics.interruptions.scales import Scale
from analytics.market import HOUR, Exposure

BASIS = Basis(1_790_000_000, 1_790_000_000 - 60, 300, 1_780_000_000, 5)


def day(events: int, held_h: float = 480.0) -> Exposure:
    return Exposure(held_s=round(held_h * HOUR), up_steps=round(held_h * 12), outbid=events)


def poisson(chance: random.Random, mean: float) -> int:
    count, left = 0, math.exp(-mean)
    product = chance.random()
    while product > left:
        count, product = count + 1, product * chance.random()
    return count


def test_independent_interruptions_scatter_as_chance_does_and_paired_ones_twice_as_much() -> None:
    chance = random.Random(5)
    counts = [poisson(chance, 20) for _ in range(600)]
    assert overdispersion([day(n) for n in counts]) == pytest.approx(1.0, abs=0.12)
    assert overdispersion([day(2 * n) for n in counts]) == pytest.approx(2.0, abs=0.24)


def test_more_tenants_on_a_day_are_no_wave() -> None:
    chance = random.Random(6)
    found = overdispersion([day(poisson(chance, 0.05 * held), held) for held in (100, 400, 900) * 100])
    assert found == pytest.approx(1.0, abs=0.15)


@given(st.lists(st.integers(0, 60), min_size=MIN_DAYS, max_size=40))
def test_an_interval_is_never_narrowed(counts: list[int]) -> None:
    found = overdispersion([day(n) for n in counts])
    assert (found is None) == (sum(counts) == 0)
    assert found is None or found >= 1


def test_a_few_days_or_days_without_tenants_say_nothing() -> None:
    assert overdispersion([day(n) for n in range(1, MIN_DAYS)]) is None
    assert overdispersion([*(day(3) for _ in range(MIN_DAYS - 1)), Exposure()]) is None
    assert overdispersion([day(3) for _ in range(MIN_DAYS)]) == 1


def test_overdispersion_widens_the_interval_and_leave_the_estimate() -> None:
    lived = day(200, 2000)
    plain, wide = estimate(lived), estimate(lived, overdispersion=4.0)
    assert (plain.mtbi_hours, plain.uptime, plain.overdispersion) == (wide.mtbi_hours, wide.uptime, None)
    assert wide.overdispersion == 4.0
    assert estimate(lived, overdispersion=1.0).interval_95 == plain.interval_95
    width, wider = (math.log(one.interval_95[1] / one.interval_95[0]) for one in (plain, wide))  # type: ignore[operator]
    assert wider == pytest.approx(2 * width, rel=0.02)
    few = estimate(day(5, 100), prior=Prior(8, 80), overdispersion=3.0)
    assert few.interval_95[0] < few.mtbi_hours < few.interval_95[1]  # type: ignore[operator]


def test_where_whole_days_are_bad_the_interval_still_holds_the_truth() -> None:
    """Good and bad days at a fifth and at nearly twice the mean rate: a Poisson interval is right half of the time."""
    chance, truth, held = random.Random(7), 0.05, 480.0
    plain = wide = 0
    for _ in range(300):
        days = [day(poisson(chance, held * truth * chance.choice((0.2, 1.8))), held) for _ in range(21)]
        for widened in (False, True):
            low, high = estimate(
                sum(days, Exposure()), overdispersion=overdispersion(days) if widened else None
            ).interval_95
            assert low is not None
            assert high is not None
            plain += not widened and low <= 1 / truth <= high
            wide += widened and low <= 1 / truth <= high
    assert plain / 300 < 0.7
    assert wide / 300 > 0.9


def test_an_answer_says_whether_overdispersion_is_counted() -> None:
    market = {"RTX 4090": {"EU-West": day(40, 400)}, "H100 SXM": {"EU-West": day(12, 2000)}}
    known = interruption_rates(market, "7d", BASIS, scale={"RTX 4090": Scale(2.5), "H100 SXM": Scale(1.0)})
    assert {row.gpu_name: row.overdispersion for row in known.gpus} == {"RTX 4090": 2.5, "H100 SXM": 1.0}
    assert WAVES in known.evidence.caveats
    assert BUNCHED not in known.evidence.caveats
    partly = interruption_rates(market, "7d", BASIS, scale={"RTX 4090": Scale(2.5)})
    assert all(note in partly.evidence.caveats for note in (WAVES, BUNCHED))
    assert BUNCHED in interruption_rates(market, "7d", BASIS).evidence.caveats
