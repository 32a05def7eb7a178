from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.catalog import load_catalog
from analytics.interruptions.shadow_tenants import advance
from analytics.market import DAY, HOUR, Cause, Exposure, Offer, Poll, Quality, Tenant
from analytics.regions import region_of
from analytics.slices import minimal_slices
from bot.sources.sim_calibration import BID_RATIO, DEFAULT, RELIABILITY, SimModel, share_at, value_at
from bot.sources.sim_model import WEEK, Clock
from bot.sources.simulated import OLD_INTERVAL_S, RECENT_INTERVAL_S, RECENT_S, SimulatedMarket, poll_times

START = 1_790_000_000
SOME = DEFAULT[:4]
CURVES = st.sampled_from([BID_RATIO, RELIABILITY])

# What the demo must look like, generously: sources and the figures aimed at are in sim_calibration.
SAME_PRICE_NEXT_DAY = (0.88, 1.0)
RUNS_WITHIN_AN_HOUR = (0.15, 0.60)
MEAN_OVER_MEDIAN_RUN = 2.0
"""An exponential has 1.44."""
VERIFIED = (0.45, 0.68)
MEDIAN_BID_RATIO = (0.65, 0.95)
SAME_MODEL_PRICE = 2.0
"""Median on-demand price over the one aimed at, either way: a book of some hosts is not the market."""
MEAN_HOURLY_MOVE = 0.15


def observed(market: SimulatedMarket, model: str, times: Sequence[int]) -> tuple[Exposure, Counter[Cause]]:
    """What shadow tenants who only see polls make of a model."""
    tenants: tuple[Tenant, ...] = ()
    total, causes = Exposure(), Counter[Cause]()
    for before, at in itertools.pairwise([None, *times]):
        assert at is not None
        poll = Poll(model, at, Quality.COMPLETE, market.offers(model, at), interval=times[1] - times[0])
        shadow = advance(tenants, poll, previous_at=before, interval=poll.interval)
        tenants = shadow.tenants
        total = sum((shadow.exposure or {}).values(), total)
        causes.update(lost.cause for lost in shadow.started)
    return total, causes


@pytest.fixture(scope="module")
def month() -> SimulatedMarket:
    market = SimulatedMarket(11, START)
    market.advance(START + 30 * DAY)
    return market


def test_equal_seeds_make_equal_markets_whoever_looks_and_when() -> None:
    watched, unwatched = SimulatedMarket(7, START, SOME), SimulatedMarket(7, START, SOME)
    for at in range(START, START + 5 * DAY, 7 * HOUR):
        for model in watched.models:
            watched.offers(model, at)
    for model in watched.models:
        assert watched.offers(model, START + 5 * DAY) == unwatched.offers(model, START + 5 * DAY)
        assert watched.truth(model, START, watched.now) == unwatched.truth(model, START, unwatched.now)


def test_another_seed_is_another_market() -> None:
    model = SOME[0].name
    one, other = (SimulatedMarket(seed, START, SOME).offers(model, START) for seed in (1, 2))
    assert {offer.on_demand for offer in one} != {offer.on_demand for offer in other}


def test_time_only_moves_forwards() -> None:
    market = SimulatedMarket(7, START, SOME)
    market.advance(START + HOUR)
    with pytest.raises(ValueError, match="cannot go back"):
        market.offers(SOME[0].name, START)
    with pytest.raises(ValueError, match="not decided yet"):
        market.truth(SOME[0].name, START, START + 2 * HOUR)


def test_every_model_is_one_of_the_catalogue_with_offers_of_its_own() -> None:
    market = SimulatedMarket(7, START)
    assert len(set(market.models)) == len(DEFAULT) == 20
    machines: Counter[int] = Counter()
    for spec in DEFAULT:
        assert load_catalog().gpu(spec.name), spec.name
        offers = market.offers(spec.name, START)
        assert offers, spec.name
        assert {(o.model, o.gpu_ram_mb) for o in offers} == {(spec.name, spec.gpu_ram_mb)}
        machines.update({o.machine_id for o in offers})
    assert max(machines.values()) == 1
    assert 150 < len(machines) < 600


def test_slices_overlap_as_on_the_real_market(month: SimulatedMarket) -> None:
    sizes: Counter[int] = Counter()
    for model in month.models:
        offers = month.offers(model, month.now)
        assert len({o.slice_id for o in offers}) == len({o.offer_id for o in offers}) == len(offers)
        held = [gpu for offer in minimal_slices(offers) for gpu in offer.gpu_ids]
        assert len(held) == len(set(held))
        for offer in offers:
            sizes[offer.num_gpus] += 1
            assert len(offer.gpu_ids) == offer.num_gpus
            assert set(offer.gpu_ids) <= set(held)
            assert offer.region == region_of(offer.geolocation) != "Unknown"
            assert offer.rentable
            assert offer.end_date is not None
            assert offer.end_date > month.now
            assert offer.min_bid is not None
            assert offer.on_demand > 0
    assert set(sizes) == {1, 2, 4, 8}
    assert sizes[1] > sizes[2] > sizes[4] > sizes[8]


def test_one_machine_asks_one_price_per_gpu_and_unions_cost_the_dearest_bid(month: SimulatedMarket) -> None:
    unions = 0
    for model in month.models:
        offers = month.offers(model, month.now)
        for offer in offers:
            parts = [o for o in offers if set(o.gpu_ids) < set(offer.gpu_ids)]
            unions += bool(parts)
            assert {o.on_demand for o in parts} <= {offer.on_demand}
            assert max((o.min_bid or 0 for o in parts), default=offer.min_bid) == offer.min_bid
    assert unions > 20


def test_the_slices_of_a_machine_share_its_disk(month: SimulatedMarket) -> None:
    book = month.offers(SOME[0].name, month.now)
    sizes = {offer.machine_id: offer for offer in book if offer.num_gpus > 1}
    assert sizes
    for offer in book:
        whole = sizes.get(offer.machine_id, offer)
        assert offer.disk_gb is not None
        assert whole.disk_gb is not None
        assert abs(offer.disk_gb * whole.num_gpus - whole.disk_gb * offer.num_gpus) <= 8 * offer.num_gpus


def test_prices_stick_to_machines_while_offer_ids_do_not() -> None:
    market, same_price, same_id = SimulatedMarket(11, START), [], []
    for day in range(10):
        books = [
            {o.slice_id: o for model in market.models for o in market.offers(model, START + at)}
            for at in (day * DAY, day * DAY + DAY - 1)
        ]
        for key in books[0].keys() & books[1].keys():
            same_price.append(books[0][key].on_demand == books[1][key].on_demand)
            same_id.append(books[0][key].offer_id == books[1][key].offer_id)
    assert SAME_PRICE_NEXT_DAY[0] < statistics.mean(same_price) < SAME_PRICE_NEXT_DAY[1]
    assert 0.3 < statistics.mean(same_id) < 0.9


def test_what_is_on_offer_lies_near_what_was_measured(month: SimulatedMarket) -> None:
    offers = [o for model in month.models for o in month.offers(model, month.now)]
    ratios = [(o.min_bid or 0) / o.on_demand for o in offers]
    assert MEDIAN_BID_RATIO[0] < statistics.median(ratios) < MEDIAN_BID_RATIO[1]
    assert any(ratio > 1 for ratio in ratios)
    assert any(ratio == 1 for ratio in ratios)
    assert VERIFIED[0] < statistics.mean(o.verified for o in offers) < VERIFIED[1]
    assert 0.98 < statistics.median(o.reliability or 0 for o in offers) < 0.999
    assert len({o.region for o in offers}) >= 8
    for spec in (spec for spec in DEFAULT if spec.machines >= 14):
        asked = statistics.median(o.on_demand for o in offers if o.model == spec.name) / 1e6
        assert 1 / SAME_MODEL_PRICE < asked / spec.on_demand < SAME_MODEL_PRICE, spec.name


def test_free_times_have_heavy_tails(month: SimulatedMarket) -> None:
    pooled: list[float] = []
    for spec in DEFAULT:
        truth = month.truth(spec.name, START, month.now)
        pooled += [run / spec.up_median_h for run in truth.runs_s]
        assert truth.interruptions > 30
        assert 3 < (truth.mtbi_hours or 0) < 100
        assert 40 < (truth.uptime_percent or 0) < 95
        assert 0 < truth.outbid < truth.lost
    runs = month.truth("RTX 4090", START, month.now).runs_s
    assert RUNS_WITHIN_AN_HOUR[0] < statistics.mean(run <= HOUR for run in runs) < RUNS_WITHIN_AN_HOUR[1]
    assert statistics.mean(pooled) / statistics.median(pooled) > MEAN_OVER_MEDIAN_RUN


def test_machines_fail_whole_and_come_back() -> None:
    calm = SimModel("RTX 4090", 24564, 0.3, machines=60, up_median_h=1e6, availability=0.999)
    market = SimulatedMarket(2, START, [calm])
    left: list[set[str]] = []
    for before in range(START, START + 20 * DAY, HOUR):
        books = [market.offers(calm.name, at) for at in (before, before + HOUR)]
        for machine in {o.machine_id for o in books[0]}:
            there, still = ({o.slice_id for o in book if o.machine_id == machine} for book in books)
            left += [there & still] if there - still else []
    truth = market.truth(calm.name, START, market.now)
    assert len(left) > 20
    assert not any(left)
    assert truth.lost > 20
    assert 90 < (truth.uptime_percent or 0) < 99.9
    assert len(truth.runs_s) > 10


def test_medians_move_by_the_mix_and_mostly_stay() -> None:
    moves: list[float] = []
    for spec in DEFAULT[:3]:
        market, model = SimulatedMarket(11, START, [spec]), spec.name
        books = (market.offers(model, START + hour * HOUR) for hour in range(10 * 24))
        series = [statistics.median(o.min_bid or 0 for o in minimal_slices(book) if o.verified) for book in books]
        moves += [abs(math.log(b / a)) for a, b in itertools.pairwise(series)]
    still = [move == 0 for move in moves]
    assert 0 < statistics.mean(moves) < MEAN_HOURLY_MOVE
    assert 0.2 < statistics.mean(still) < 0.95


def vanished_by_hour(hazard_ratio: float) -> tuple[list[float], list[float]]:
    """Share of slices gone within the hour, and slices on offer, by hour of the day."""
    lost, seen = [0] * 24, [0] * 24
    for spec in DEFAULT[:8]:
        market = SimulatedMarket(3, START, [spec], hazard_ratio=hazard_ratio)
        books = [{o.slice_id for o in market.offers(spec.name, START + hour * HOUR)} for hour in range(42 * 24)]
        for index, (before, after) in enumerate(itertools.pairwise(books)):
            hour = (START // HOUR + index) % 24
            lost[hour] += len(before - after)
            seen[hour] += len(before)
    return [gone / total for gone, total in zip(lost, seen, strict=True)], [total / 42 for total in seen]


@pytest.mark.parametrize(("hazard_ratio", "least", "most"), [(1.0, 1.0, 1.2), (2.0, 1.4, 2.4)])
def test_hours_matter_as_much_as_they_are_told_to(hazard_ratio: float, least: float, most: float) -> None:
    rates, offers = vanished_by_hour(hazard_ratio)
    ordered = sorted(rates)
    assert least < statistics.mean(ordered[-6:]) / statistics.mean(ordered[:6]) < most
    cycle = (max(offers) - min(offers)) / statistics.mean(offers)
    assert cycle < 0.12 if hazard_ratio == 1 else 0.12 < cycle < 0.4


def test_truth_is_what_tenants_see_who_never_look_away() -> None:
    model, market = "RTX 4090", SimulatedMarket(5, START, SOME)
    times = range(START + DAY, START + 2 * DAY + 1, 30)
    seen, causes = observed(market, model, times)
    truth = market.truth(model, times[0], times[-1])
    assert seen.held_s == pytest.approx(truth.held_s, rel=0.01)
    assert seen.interrupted_s == pytest.approx(truth.interrupted_s, rel=0.03)
    assert causes[Cause.OUTBID] == pytest.approx(truth.outbid, abs=2)
    assert causes[Cause.ABSENT] == pytest.approx(truth.lost, abs=2)
    assert truth.interruptions > 40


def test_quarter_hourly_polls_come_near_the_truth() -> None:
    model, market = "RTX 5090", SimulatedMarket(5, START, SOME)
    times = range(START, START + 14 * DAY + 1, 900)
    seen, _ = observed(market, model, times)
    truth = market.truth(model, times[0], times[-1])
    assert truth.mtbi_hours is not None
    assert seen.held_s / HOUR / seen.events == pytest.approx(truth.mtbi_hours, rel=0.3)


async def test_a_fetch_brings_every_model_of_the_name() -> None:
    market = SimulatedMarket(7, START)
    fetch = await market.fetch("A100 SXM4", at=START + HOUR, interval=300, models=["A100 SXM4 80GB"])
    assert [poll.model for poll in fetch.polls] == ["A100 SXM4 40GB", "A100 SXM4 80GB"]
    assert {(poll.at, poll.interval, poll.quality) for poll in fetch.polls} == {(START + HOUR, 300, Quality.COMPLETE)}
    assert fetch.rows == sum(len(poll.offers) for poll in fetch.polls) > 0
    assert fetch.polls[0].offers == market.offers("A100 SXM4 40GB", START + HOUR)
    await market.aclose()


async def test_a_strange_name_has_an_empty_market_and_too_few_rows_make_it_capped() -> None:
    market = SimulatedMarket(7, START, SOME)
    strange = await market.fetch("Voodoo 2", at=START, interval=300, models=["Voodoo 2"])
    assert [(poll.model, poll.offers, poll.quality) for poll in strange.polls] == [("Voodoo 2", (), Quality.COMPLETE)]
    capped = await market.fetch("RTX 4090", at=START, interval=300, models=[], max_rows=5)
    assert (capped.quality, capped.rows, capped.polls[0].quality) == (Quality.CAPPED, 5, Quality.CAPPED)
    survey = await market.survey(at=START)
    assert survey.rows_by_name["RTX 4090"] == len(market.offers("RTX 4090", START))
    assert not survey.sampled


def test_history_is_rounds_of_all_models_in_order() -> None:
    until = START + 4 * DAY
    rounds = list(SimulatedMarket(7, START, SOME).history(4, until))
    assert [at for at, _ in rounds] == sorted({at for at, _ in rounds})
    assert (rounds[0][0], rounds[-1][0]) == (START, until)
    assert all([poll.model for poll in polls] == [spec.name for spec in SOME] for _, polls in rounds)
    assert {(poll.at - at, poll.quality) for at, polls in rounds for poll in polls} == {(0, Quality.COMPLETE)}
    again = SimulatedMarket(7, START, SOME)
    assert rounds[-1][1][0].offers == again.offers(SOME[0].name, until)


@given(st.integers(0, 10**9), st.integers(0, 100 * DAY))
def test_poll_times_fill_the_span_as_planned(since: int, span: int) -> None:
    until = since + span
    times = list(poll_times(since, until))
    assert times[-1][0] == until
    assert since <= times[0][0] < since + OLD_INTERVAL_S
    for (before, _), (after, interval) in itertools.pairwise(times):
        assert after - before == interval == (RECENT_INTERVAL_S if after > until - RECENT_S else OLD_INTERVAL_S)


@given(st.floats(1, 4), st.integers(0, 23), st.integers(0, 2 * 10**9), st.floats(0, 3 * WEEK), st.floats(0, WEEK))
def test_a_clock_adds_up_and_is_right_once_a_week(ratio: float, peak: int, at: int, some: float, more: float) -> None:
    clock = Clock(ratio, peak)
    assert clock.after(at, WEEK) == pytest.approx(at + WEEK, abs=0.01)
    assert clock.after(clock.after(at, some), more) == pytest.approx(clock.after(at, some + more), abs=0.01)
    assert max(clock.weights) / min(clock.weights) <= ratio * 1.0001
    if ratio == 1:
        assert clock.after(at, some) == pytest.approx(at + some, abs=0.01)


@given(CURVES, st.floats(0.001, 0.999))
def test_quantiles_rise_and_have_an_inverse(curve: tuple[tuple[float, float], ...], share: float) -> None:
    value = value_at(curve, share)
    assert value_at(curve, share * 0.99) <= value
    assert value_at(curve, share_at(curve, value)) == pytest.approx(value)


def test_offers_are_reused_while_nothing_changes() -> None:
    market = SimulatedMarket(7, START, SOME)
    first: dict[str, Offer] = {o.slice_id: o for o in market.offers("RTX 4090", START)}
    later = [o for o in market.offers("RTX 4090", START + 60) if o.slice_id in first]
    assert sum(o is first[o.slice_id] for o in later) > len(later) / 2
