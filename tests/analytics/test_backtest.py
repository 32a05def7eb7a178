"""Walking forecasts over history: what is said uses only what had happened, and is what sktime says."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.forecasting.backtest import HORIZONS_H, Grid, Pool, errors, grid, pool, walk, within
from analytics.forecasting.distribution import ALPHA, HIT_LOG, POOL_WEIGHT, Mixture, Stand, calibrated, widening
from analytics.market import HourPoint

START = 480_000


def points(prices: list[int | None], start: int = START) -> list[HourPoint]:
    """One point an hour; a price of 0 is an hour without a poll."""
    at = enumerate(prices, start)
    return [HourPoint(hour, p, p, p, p, p, 1, 1, 12) for hour, p in at if p != 0]


def laid(prices: list[int | None], model: str = "m") -> Grid:
    found = grid(model, points(prices), START + len(prices) - 1)
    assert found is not None
    return found


def wandering(n: int, seed: int, step: float = 0.02) -> list[int | None]:
    """A price that moves in some hours."""
    chance, price, prices = random.Random(seed), 400_000, []
    for _ in range(n):
        if chance.random() < 0.5:
            price = round(price * math.exp(chance.gauss(0, step)))
        prices.append(price)
    return prices


def said(series: Grid, horizon: int, *others: Grid) -> tuple[list, object]:
    return walk(series, {horizon: pool([series, *others], horizon)})[horizon]


def test_a_price_is_carried_over_three_hours_and_no_longer() -> None:
    found = laid([100, 0, 0, 0, 0, None, 200, 0])
    assert found.seen == (100, None, None, None, None, None, 200, None)
    assert found.held == (100, 100, 100, 100, None, None, 200, 200)


def test_a_grid_begins_with_the_first_price_and_ends_now() -> None:
    found = grid("m", points([None, 0, 300, 400, 500]), START + 3)
    assert found is not None
    assert (found.start, found.end, found.seen) == (START + 2, START + 3, (300, 400))
    assert grid("m", points([None, 0, None]), START + 9) is None


def test_only_observed_hours_are_scored_and_only_short_gaps_are_origins() -> None:
    series = laid([100, 110, 0, 121, 0, 0, 0, 0, 0, 100])
    assert [(hour - START, round(error, 6), hit) for hour, error, hit in errors(series, 1)] == [
        (1, round(math.log(1.1), 6), False),
        (3, round(math.log(1.1), 6), False),
    ]


@pytest.mark.parametrize(("actual", "hit"), [(95, True), (105, True), (94, False), (106, False)])
def test_a_hit_is_within_five_percent(actual: int, hit: bool) -> None:
    assert within(100, actual) is hit


ERRORS = st.lists(st.sampled_from([0.0, 0.01, HIT_LOG, 0.05, 0.3]) | st.floats(0, 1), max_size=60).map(sorted)


@given(ERRORS, ERRORS, st.floats(0.01, 0.5))
def test_the_quantile_of_a_mixture_is_the_least_error_that_holds_its_share(
    own: list[float], pooled: list[float], alpha: float
) -> None:
    if not own and not pooled:
        return
    mixture = Mixture(own, pooled)
    by_hand = min(error for error in own + pooled if mixture.share(error) >= 1 - alpha - 1e-9)
    assert mixture.quantile(1 - alpha) == by_hand


@given(ERRORS, ERRORS, st.floats(0.01, 0.5))
def test_range_and_confidence_of_one_distribution_agree(own: list[float], pooled: list[float], alpha: float) -> None:
    if own or pooled:
        agree(*calibrated(Mixture(own, pooled), alpha))


def agree(half: float | None, confidence: float | None) -> None:
    """Less than 80 % within ±5 % takes a range of ±5 % or wider; more than 80 % takes one no wider."""
    if half is not None and confidence is not None:
        assert half >= HIT_LOG or confidence >= 1 - ALPHA
        assert half <= HIT_LOG or confidence <= 1 - ALPHA


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([0, None, 300_000, 310_000, 318_000, 400_000]), min_size=30, max_size=120),
    st.lists(st.sampled_from([0, 300_000, 306_000, 330_000]), min_size=30, max_size=120),
)
def test_what_is_served_widens_with_the_horizon_and_agrees_with_itself(
    prices: list[int | None], others: list[int | None]
) -> None:
    grids = [g for g in (grid(m, points(p), START + 119) for m, p in (("m", prices), ("o", others))) if g]
    shared = {horizon: pool(grids, horizon) for horizon in HORIZONS_H}
    for series in grids:
        walked = walk(series, shared)
        served = [stand for _, stand in walked.values()]
        halves = [stand.half for stand in served if stand.half is not None]
        chances = [stand.confidence for stand in served if stand.confidence is not None]
        assert (halves, chances) == (sorted(halves), sorted(chances, reverse=True))
        for said_ in (*served, *(outcome for found, _ in walked.values() for outcome in found)):
            agree(said_.half, said_.confidence)
        by_origin: dict[int, list[float]] = {}
        for found, _ in walked.values():
            for outcome in found:
                if outcome.half is not None:
                    by_origin.setdefault(outcome.origin, []).append(outcome.half)
        assert all(some == sorted(some) for some in by_origin.values()), "the record is of what is served"


def test_a_nearer_horizon_widens_a_farther_one_and_makes_it_less_sure() -> None:
    stands = {
        1: Stand(0.1, 0.6, "own"),
        6: Stand(0.02, 0.9, "own"),
        24: Stand(0.2, None, "own"),
        48: Stand(None, None, "own"),
    }
    assert widening(stands) == stands | {6: Stand(0.1, 0.6, "own")}


def test_history_decides_how_much_a_series_speaks_for_itself() -> None:
    others = [laid(wandering(500, seed), f"m{seed}") for seed in range(3)]
    flat = [400_000] * 500
    cold, young, old = (laid([None] * (500 - n) + flat[:n], "flat") for n in (24, 200, 400))
    shared = pool([*others, cold], 1)
    half = {n: said_half(series, shared) for n, series in ((24, cold), (200, young), (400, old))}
    pooled = Mixture((), shared.at(START + 499)).quantile(0.8)
    assert half[24] == ("cold", pooled)
    assert half[200][0] == "mixed"
    assert half[400] == ("own", 0.0)
    assert 0.0 <= half[200][1] < pooled


def said_half(series: Grid, shared: Pool) -> tuple[str, float | None]:
    stand = walk(series, {1: shared})[1][1]
    return stand.regime, stand.half


def test_confidence_is_the_hit_rate_shrunk_to_the_pool() -> None:
    series = laid([400_000] * 200, "flat")
    wild = laid([400_000 if hour % 2 else 800_000 for hour in range(200)], "wild")
    _, stand = said(series, 1, wild)
    assert stand.confidence == pytest.approx((199 + POOL_WEIGHT * 0.5) / (199 + POOL_WEIGHT), abs=1e-3)
    _, cold = said(laid([400_000] * 20), 1)
    assert (cold.regime, cold.confidence) == ("cold", None)


def test_without_any_error_there_is_no_interval() -> None:
    outcomes, stand = said(laid([400_000]), 24)
    assert (outcomes, stand.half, stand.confidence) == ([], None, None)


def test_nothing_is_said_from_the_future() -> None:
    past, future = wandering(400, 1), wandering(200, 2, step=0.5)
    other = laid(wandering(600, 3), "other")
    for horizon in HORIZONS_H:
        long, _ = said(laid(past + future), horizon, other)
        short, _ = said(laid(past), horizon, laid(wandering(600, 3)[:400], "other"))
        known = [outcome for outcome in long if outcome.origin + horizon < START + 400]
        assert known == short
        assert len(known) > 300


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([0, None, 300_000, 310_000, 400_000]), min_size=2, max_size=80), st.integers(1, 79))
def test_a_planted_leak_would_show(prices: list[int | None], cut: int) -> None:
    """What was said up to an hour is the same whatever came after it."""
    whole = grid("m", points(prices), START + len(prices) - 1)
    head = grid("m", points(prices[:cut]), START + cut - 1)
    if whole is None or head is None:
        return
    for horizon in (1, 6):
        known = [o for o in said(whole, horizon)[0] if o.origin + horizon < START + cut]
        assert known == said(head, horizon)[0]


@pytest.mark.parametrize("horizon", HORIZONS_H)
def test_intervals_cover_what_they_promise(horizon: int) -> None:
    outcomes, _ = said(laid(wandering(2500, 5)), horizon)
    covered = [outcome.covered for outcome in outcomes if outcome.covered is not None]
    assert statistics.fmean(covered) == pytest.approx(0.8, abs=0.03)


def test_an_interval_widens_after_misses() -> None:
    calm = wandering(700, 7, step=0.001)
    before = said(laid(calm), 1)[1].half
    after = said(laid(calm + wandering(40, 8, step=0.1)), 1)[1].half
    assert before is not None
    assert after is not None
    assert after > 3 * before


def test_errors_of_more_than_two_weeks_ago_are_forgotten() -> None:
    stand = said(laid([*wandering(200, 9, step=0.3), *[400_000] * 400]), 1)[1]
    assert (stand.half, stand.confidence) == (0.0, 1.0)


def test_the_walk_says_what_sktime_says() -> None:
    from analytics.forecasting.forecasts import last_value

    gapped = [None if hour % 11 == 0 else price for hour, price in enumerate(wandering(60, 9))]
    for prices in (wandering(30, 1), gapped, [400_000] * 25, [0, 0, 300_000, 0]):
        series = grid("m", points(prices), START + len(prices) - 1)
        assert series is not None
        assert series.held[-1] is not None
        assert last_value(series) == dict.fromkeys(HORIZONS_H, series.held[-1])
