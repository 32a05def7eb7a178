"""Poll thinning: who looks when, and what it makes of the time between interruptions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analytics.interruptions.estimator import estimate
from analytics.interruptions.scales import Scale, scales
from analytics.interruptions.shadow_tenants import Book, advance
from analytics.interruptions.thinning import THINNING_EVENTS, effective_hours, thinning
from analytics.interruptions.variants import FRESH, Lane, Lived, Variant, move, summed
from analytics.market import DAY, Exposure, Offer, Poll, Tenant
from bot.sources.sim_calibration import DEFAULT
from bot.sources.simulated import SimulatedMarket
from tests.analytics.test_interruptions import exposure, exposures
from tests.fakes.markets import offer, poll

START = 1_790_000_000 // DAY * DAY
STEP = 300
factors = st.floats(0.4, 1.5)


def walk(polls: Iterable[Poll]) -> tuple[list[tuple[Lane, ...]], list[Lived]]:
    """The lanes after each poll and what they lived through, the tenants of the definition beside them."""
    tenants: tuple[Tenant, ...] = ()
    before, lanes = None, FRESH
    seen, lived = [], []
    for one in polls:
        book = Book.of(one)
        shadow = advance(tenants, one, previous_at=before, interval=one.interval, book=book)
        moved = move(lanes, one, book, previous_at=before, plain=shadow.exposure)
        tenants, before, lanes = shadow.tenants, one.at, moved.lanes
        seen.append(lanes)
        lived.append(moved.lived)
    return seen, lived


def books(*machines: Sequence[int], step: int = STEP) -> list[Poll]:
    return [poll(START + n * step, *map(offer, some), every=step) for n, some in enumerate(machines)]


def at(lanes: Sequence[Lane]) -> list[int | None]:
    return [None if lane.at is None else (lane.at - START) // STEP for lane in lanes]


def test_each_phase_looks_at_every_second_poll_and_bids_look_at_all() -> None:
    seen, _ = walk(books(*[(1, 2)] * 4))
    assert [at(lanes) for lanes in seen] == [[0, None, 0, 0], [0, 1, 1, 1], [2, 1, 2, 2], [2, 3, 3, 3]]


def test_what_the_thinned_live_through_takes_twice_the_step_and_misses_what_was_short() -> None:
    _, lived = walk(books((1,), (1,), (1,), (), (1,), (1,), (1,)))
    sums = summed(lived)
    plain, thinned = sums[Variant.PLAIN], sums[Variant.THINNED]
    assert (plain.events, plain.resumed, thinned.events, thinned.resumed) == (1, 1, 1, 1)
    assert plain.held_s + plain.interrupted_s == 6 * STEP
    # one phase saw 0, 2, 4, 6 and never missed the slice; the other 1, 3, 5
    assert (thinned.up_steps, thinned.down_steps) == (4, 1)
    assert thinned.held_s + thinned.interrupted_s == 5 * 2 * STEP


def test_bids_are_lost_at_their_own_prices() -> None:
    prices = (300_000, 310_000, 340_000, 376_000)
    polls = [poll(START + n * STEP, offer(1, price)) for n, price in enumerate(prices)]
    _, lived = walk(polls)
    lost = [[(variant, sums.outbid) for (_, variant), sums in some.items() if sums.outbid] for some in lived]
    assert lost == [[], [(Variant.BID_100, 1)], [(Variant.PLAIN, 1), (Variant.THINNED, 1)], [
        (Variant.THINNED, 1), (Variant.BID_125, 1)
    ]]  # fmt: skip


def test_where_the_tenants_are_censored_every_lane_begins_anew() -> None:
    polls = books((1,), (1,))
    late = poll(START + 5 * STEP, every=STEP)
    seen, lived = walk([*polls, late])
    assert at(seen[-1]) == [5, None, 5, 5]
    assert summed(lived[2:]) == {}


def test_a_gap_that_the_tenants_bear_is_borne_by_the_thinned_who_looked_before_it() -> None:
    polls = [poll(START + n * STEP, offer(1), every=STEP) for n in (0, 1, 4)]
    _, lived = walk(polls)
    assert summed(lived)[Variant.PLAIN].held_s == 4 * STEP
    assert summed(lived)[Variant.THINNED].held_s == 4 * STEP


def test_days_are_kept_apart() -> None:
    around = [poll(START + DAY + n * STEP, offer(1)) for n in (-2, -1, 0, 1, 2)]
    _, lived = walk(around)
    days = {day for some in lived for day, variant in some if variant is Variant.PLAIN}
    assert days == {START // DAY, START // DAY + 1}


@settings(deadline=None)
@given(exposures, factors)
def test_the_identity_of_uptime_holds_exactly_with_thinning(lived: Exposure, factor: float) -> None:
    rate, plain = estimate(lived, thinning=factor), estimate(lived)
    assume(rate.mtbi_hours is not None and plain.mtbi_hours is not None)
    assert rate.mtbi_hours
    assert plain.mtbi_hours
    assert rate.duration_hours is not None
    assert rate.mtbi_hours == pytest.approx(factor * plain.mtbi_hours)
    assert rate.correction == pytest.approx(plain.correction / factor)
    assert rate.uptime == pytest.approx(rate.mtbi_hours / (rate.mtbi_hours + rate.duration_hours), rel=1e-12)
    assert rate.uptime == plain.uptime


@settings(deadline=None)
@given(exposures, factors)
def test_the_interval_follows_and_gains_the_doubt_about_the_factor(lived: Exposure, factor: float) -> None:
    rate, plain = estimate(lived, thinning=factor), estimate(lived)
    assume(rate.mtbi_hours is not None and plain.mtbi_hours is not None)
    (low, high), (least, most) = rate.interval_95, plain.interval_95
    assert rate.mtbi_hours
    assert low
    assert high
    assert least
    assert most
    assert plain.mtbi_hours
    assert low <= rate.mtbi_hours <= high
    assert high / low >= most / least - 1e-9
    for end, own in ((low, least), (high, most)):
        doubt = math.log(end / rate.mtbi_hours) ** 2 - math.log(own / plain.mtbi_hours) ** 2
        assert doubt == pytest.approx(math.log(factor) ** 2, abs=1e-9)


def test_a_factor_takes_enough_interruptions_and_polls_close_enough() -> None:
    plain, thinned = exposure(40, 400), exposure(32, 400, step=2 * STEP)
    once, twice = effective_hours(plain), effective_hours(thinned)
    assert once
    assert twice
    assert thinning(plain, thinned) == pytest.approx(once / 40 / (twice / 32))
    few = THINNING_EVENTS - 1
    assert thinning(exposure(few, 400), thinned) is None
    assert thinning(plain, exposure(few, 400)) is None
    assert thinning(plain, None) is None
    assert thinning(None, thinned) is None
    coarse = Exposure(held_s=900 * 60, interrupted_s=900 * 60, up_steps=60, down_steps=60, outbid=60, resumed=60)
    assert thinning(plain, coarse) is None


def test_a_model_without_variants_has_no_factor() -> None:
    days = {"A": [exposure(3, 40)] * 8}
    assert scales(days, {}) == {"A": Scale(1.0, None)}
    assert estimate(exposure(40, 400), thinning=None) == estimate(exposure(40, 400))


def polled(model: str, minutes: int, days: int) -> dict[Variant, Exposure]:
    market = SimulatedMarket(3, START, DEFAULT[:3])
    every = minutes * 60
    polls = []
    for now in range(START + every, START + days * DAY + 1, every):
        offers: Sequence[Offer] = market.offers(model, now)
        polls.append(poll(now, *offers, model=model, every=every))
    return summed(walk(polls)[1])


def test_thinning_takes_most_of_the_bias_of_hourly_polls_away() -> None:
    before, after = [], []
    for spec in DEFAULT[:3]:
        truth = estimate(polled(spec.name, 3, 6)[Variant.PLAIN]).mtbi_hours
        seen = polled(spec.name, 60, 6)
        factor = thinning(seen[Variant.PLAIN], seen[Variant.THINNED])
        plain, thinned = (estimate(seen[Variant.PLAIN], thinning=one).mtbi_hours for one in (None, factor))
        assert truth
        assert plain
        assert thinned
        before.append(plain / truth - 1)
        after.append(abs(thinned / truth - 1))
    assert statistics.median(before) > 0.15
    assert statistics.median(after) < statistics.median(before) / 2


def test_a_slice_that_another_model_shows_is_censored_not_lost() -> None:
    first, second = poll(START, offer(1), offer(2)), poll(START + STEP)
    tenants = advance((), first, previous_at=None, interval=STEP).tenants
    step = advance(
        tenants, second, previous_at=START, interval=STEP, book=Book.of(second, elsewhere=frozenset({"1:10"}))
    )
    assert [lost.slice_id for lost in step.started] == ["2:20"]
    assert [tenant.slice_id for tenant in step.tenants] == ["2:20"]
    assert sum((part.held_s for part in (step.exposure or {}).values()), 0) == STEP // 2
