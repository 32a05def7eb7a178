"""Fleets: what adds up, what is never broken, and that none does more work."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.answers.fleet import SPEEDS, FleetStrategy, Order, fleet_strategy, lots
from analytics.answers.fleet_program import GAP, LEVELS, Lot, best, cheapest, cost, work_of
from analytics.answers.fleet_simple import LINES, NEAR, simplest
from analytics.catalog import load_catalog
from analytics.evidence import Basis, to_json
from analytics.market import HOUR, Exposure, Offer
from tests.fakes.markets import offer

CATALOG = load_catalog()
NOW = 1_800_000_000
BASIS = Basis(NOW, NOW - 60, 300, NOW - 86_400 * 40, 50)
MODELS = ("RTX 4090", "RTX 3090", "H100 SXM", "A100 SXM4 80GB", "RTX 3060")
REGIONS = ("US-East", "EU-West", "Asia-East")
CALM = Exposure(held_s=990 * HOUR, interrupted_s=10 * HOUR, up_steps=9900, down_steps=100, outbid=20, resumed=20)
WILD = Exposure(held_s=800 * HOUR, interrupted_s=200 * HOUR, up_steps=8000, down_steps=2000, outbid=90, resumed=90)
CALM_MARKET = {model: {"": CALM} for model in MODELS}


def market(per_region: int = 6, bid: int = 300_000) -> list[Offer]:
    """Free 4090s in three regions, a little dearer in each."""
    at = itertools.count(1)
    return [
        offer(next(at), bid + 10_000 * i, region=region, on_demand=bid + 100_000)
        for i, region in enumerate(REGIONS)
        for _ in range(per_region)
    ]


def ask(book: list[Offer], budget: float, reliability: str = "medium", **more: object) -> FleetStrategy:
    order = Order(str(more.pop("workload", "training")), budget, reliability, **more)  # type: ignore[arg-type]
    return fleet_strategy(order, lots(book, order, CALM_MARKET, CATALOG), BASIS, CATALOG)


@st.composite
def markets(draw: st.DrawFn) -> list[Offer]:
    at = itertools.count(1)
    book = []
    for model, region, size in draw(
        st.lists(st.tuples(*map(st.sampled_from, (MODELS, REGIONS, (1, 2, 4)))), max_size=14)
    ):
        bid = draw(st.none() | st.integers(20_000, 2_000_000))
        on_demand = draw(st.integers(20_000, 4_000_000))
        ids = tuple(range(size))
        for _ in range(draw(st.integers(1, 4))):
            book.append(
                offer(next(at), bid, model=model, region=region, num_gpus=size, gpu_ids=ids, on_demand=on_demand)  # type: ignore[arg-type]
            )
    return book


def shares(fleet: FleetStrategy) -> tuple[float, float]:
    """The fullest place's share of GPUs, and the share on demand."""
    places: Counter[tuple[str, str]] = Counter()
    for part in fleet.composition:
        places[part.gpu_type, part.region] += part.quantity
    safe = sum(part.quantity for part in fleet.composition if part.market == "on-demand")
    return max(places.values()) / fleet.total_gpus, safe / fleet.total_gpus


@settings(max_examples=60, deadline=None)
@given(
    markets(),
    st.sampled_from(sorted(LEVELS)),
    st.sampled_from(sorted(SPEEDS)),
    st.floats(1, 5_000),
    st.sampled_from([1.0, 37.5, 160.0, 744.0]),
)
def test_every_fleet_adds_up_and_keeps_its_limits(
    book: list[Offer], reliability: str, workload: str, budget: float, hours: float
) -> None:
    fleet = ask(book, budget, reliability, workload=workload, hours_per_month=hours)
    assert sum(part.quantity for part in fleet.composition) == fleet.total_gpus
    assert sum(part.cost_per_month for part in fleet.composition) == pytest.approx(fleet.monthly_cost, abs=1e-9)
    assert fleet.monthly_cost <= budget
    taken: Counter[tuple[str, str, int]] = Counter()
    for part in fleet.composition:
        assert part.billed_hours == pytest.approx(hours * (0.99 if part.market == "spot" else 1))
        exact = part.quantity * part.price_per_hour * part.billed_hours
        assert part.cost_per_month == pytest.approx(exact, abs=1e-4 * (1 + part.quantity * hours))
        taken[part.gpu_type, part.region, part.gpus_per_machine] += part.quantity
    free = Counter(dict.fromkeys(taken, 0))
    for one in book:
        free[one.model, one.region, one.num_gpus] += one.num_gpus
    assert all(taken[key] <= free[key] for key in taken)
    if fleet.total_gpus:
        level = LEVELS[reliability]
        most, safe = shares(fleet)
        assert level.most_in_one_place is None or most <= level.most_in_one_place + 1e-9
        assert safe >= level.least_on_demand - 1e-9
        assert level.most_time_lost is None or fleet.expected_time_lost_percent <= 100 * level.most_time_lost + 0.01
        assert fleet.roi_percent == pytest.approx(100 * fleet.savings_vs_aws / fleet.monthly_cost, rel=1e-3, abs=0.06)
        markets_used = {part.market for part in fleet.composition}
        assert fleet.strategy == ("hybrid" if len(markets_used) > 1 else markets_used.pop())
    else:
        assert (fleet.strategy, fleet.savings_vs_aws, fleet.roi_percent) == ("none", None, None)
    json.loads(to_json(fleet))


@settings(max_examples=40, deadline=None)
@given(markets(), st.sampled_from(sorted(LEVELS)))
def test_the_smallest_budget_is_one_that_does(book: list[Offer], reliability: str) -> None:
    poor = ask(book, 0.01, reliability)
    if poor.smallest_budget is not None:
        assert ask(book, poor.smallest_budget, reliability).total_gpus > 0
        assert ask(book, poor.smallest_budget - 0.02, reliability).total_gpus == 0
    elif not poor.total_gpus:
        assert ask(book, 1e6, reliability).total_gpus == 0


EXPOSURES = st.dictionaries(
    st.sampled_from(MODELS),
    st.dictionaries(
        st.sampled_from(REGIONS),
        st.builds(
            lambda up, down: Exposure(up * 300, down * 300, up_steps=up, down_steps=down, outbid=20, resumed=20),
            st.integers(1000, 9000),
            st.integers(0, 4000),
        ),
        min_size=1,
    ),
)


@settings(max_examples=30, deadline=None)
@given(
    markets(), EXPOSURES, st.sampled_from(sorted(LEVELS)), st.floats(5, 5_000), st.sampled_from([37.5, 160.0, 744.0])
)
def test_the_fleets_bill_equals_its_running_hours(
    book: list[Offer], exposures: dict[str, dict[str, Exposure]], reliability: str, budget: float, hours: float
) -> None:
    order = Order("training", budget, reliability, hours)
    offered = lots(book, order, exposures, CATALOG)
    lost = {(lot.model, lot.region, lot.market): lot.lost or 0.0 for lot in offered}
    fleet = fleet_strategy(order, offered, BASIS, CATALOG)
    for plan in (fleet, fleet.best_plan) if fleet.best_plan else (fleet,):
        for part in plan.composition:
            runs = hours * (1 - lost[part.gpu_type, part.region, part.market])
            assert part.billed_hours == pytest.approx(runs, abs=1e-4)
            assert part.market == "spot" or part.billed_hours == hours
            bill = part.quantity * part.price_per_hour * runs
            assert part.cost_per_month == pytest.approx(bill, abs=1e-4 * (1 + part.quantity * hours))
        assert sum(part.quantity for part in plan.composition) == plan.total_gpus
        assert sum(part.cost_per_month for part in plan.composition) == pytest.approx(plan.monthly_cost, abs=1e-9)
        assert plan.monthly_cost <= budget
        if plan.composition:
            assert plan.roi_percent == pytest.approx(100 * plan.savings_vs_aws / plan.monthly_cost, rel=1e-3, abs=0.06)
    whole = sum(part.quantity * part.price_per_hour * hours for part in fleet.composition)
    assert fleet.monthly_cost_uninterrupted == pytest.approx(whole, abs=1e-4 * (1 + fleet.total_gpus * hours))
    assert fleet.monthly_cost <= fleet.monthly_cost_uninterrupted + 1e-3


LOTS = st.lists(
    st.builds(
        lambda model, region, market, price, slices, work, lost: Lot(
            model, region, 1, market, price, slices, 3, work, 0.0 if market == "on-demand" else lost, 1
        ),
        st.sampled_from("AB"),
        st.sampled_from(["x", "y"]),
        st.sampled_from(["spot", "on-demand"]),
        st.integers(100_000, 900_000),
        st.integers(1, 3),
        st.floats(1, 10),
        st.sampled_from([0.0, 0.02, 0.2]),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda lot: (lot.place, lot.market),
)


def allowed(fleet: list[tuple[Lot, int]], reliability: str) -> bool:
    """The limits, said in another way than the programme says them."""
    level, gpus = LEVELS[reliability], sum(n for _, n in fleet)
    for shelf in {lot.shelf for lot, _ in fleet}:
        there = [(lot, n) for lot, n in fleet if lot.shelf == shelf]
        if sum(n for _, n in there) > min(lot.supply for lot, _ in there):
            return False
    for weigh in (lambda lot: 1.0, lambda lot: lot.work):
        whole = sum(weigh(lot) * n for lot, n in fleet)
        for place in {lot.place for lot, _ in fleet}:
            share = sum(weigh(lot) * n for lot, n in fleet if lot.place == place) / whole
            if level.most_in_one_place is not None and share > level.most_in_one_place + 1e-9:
                return False
        if sum(weigh(lot) * n for lot, n in fleet if lot.market == "on-demand") / whole < level.least_on_demand - 1e-9:
            return False
    return (
        level.most_time_lost is None
        or sum((lot.lost or 0) * n for lot, n in fleet) <= level.most_time_lost * gpus + 1e-9
    )


@settings(max_examples=60, deadline=None)
@given(LOTS, st.sampled_from(sorted(LEVELS)), st.integers(50, 900))
def test_no_fleet_does_more_work(offered: list[Lot], reliability: str, dollars: int) -> None:
    def work(fleet: list[tuple[Lot, int]]) -> float:
        return sum(lot.work * n for lot, n in fleet)

    every = itertools.product(*(range(lot.slices + 1) for lot in offered))
    fleets = [[(lot, n) for lot, n in zip(offered, numbers, strict=True) if n] for numbers in every]
    legal = [fleet for fleet in fleets if fleet and allowed(fleet, reliability)]
    within = [fleet for fleet in legal if cost(fleet, 160) <= dollars * 1_000_000]
    found = best(offered, LEVELS[reliability], dollars * 1_000_000, 160)
    assert bool(found) == bool(within)
    if found:
        assert allowed(found, reliability)
        assert work(found) >= (1 - GAP - 1e-6) * max(map(work, within))
    least = cheapest(offered, LEVELS[reliability], 160)
    assert bool(least) == bool(legal)
    assert not least or cost(least, 160) <= 1.000001 * min(cost(fleet, 160) for fleet in legal)


@settings(max_examples=40, deadline=None)
@given(LOTS, st.sampled_from(sorted(LEVELS)), st.integers(50, 900))
def test_the_plan_shown_first_is_the_simplest_that_is_near_the_best(
    offered: list[Lot], reliability: str, dollars: int
) -> None:
    def regions(fleet: list[tuple[Lot, int]]) -> int:
        return len({lot.region for lot, _ in fleet})

    level, budget = LEVELS[reliability], dollars * 1_000_000
    most = best(offered, level, budget, 160)
    found = simplest(offered, level, budget, 160, most)
    every = itertools.product(*(range(lot.slices + 1) for lot in offered))
    fleets = [[(lot, n) for lot, n in zip(offered, numbers, strict=True) if n] for numbers in every]
    few = [f for f in fleets if 0 < len(f) <= LINES and cost(f, 160) <= budget and allowed(f, reliability)]
    assert bool(found) == bool(most)
    if not most:
        return
    assert allowed(found, reliability)
    assert cost(found, 160) <= budget
    assert work_of(found) >= (1 - NEAR - 1e-6) * work_of(most)
    near = [f for f in few if work_of(f) >= (1 - NEAR) * work_of(most) * (1 + 1e-6)]
    if near:
        assert (regions(found), len(found)) <= min((regions(f), len(f)) for f in near)


def test_a_large_budget_does_nearly_most_work_and_says_what_the_best_does() -> None:
    """No three of its lines come near, so as few lines as do: what is left out is the least useful."""
    book = [
        offer(100 * i + n, 300_000 + 1_000 * i, model=model, region=region, on_demand=400_000)
        for i, (model, region) in enumerate(itertools.product(MODELS, REGIONS))
        for n in range(1, 6)
    ]
    fleet = ask(book, 1_000_000, "low")
    more = 0.0 if fleet.best_plan is None else fleet.best_plan.more_work_percent
    assert more <= 100 * (1 / (1 - NEAR) - 1) + 0.1
    assert len(fleet.composition) > LINES


def test_where_one_region_does_nearly_as_much_the_fleet_stays_there() -> None:
    """The other region's are a hundredth of a cent cheaper, and not enough alone."""
    book = [offer(n, 300_000, region="US-East", on_demand=900_000) for n in range(1, 11)]
    book += [offer(n, 299_900, region="EU-West", on_demand=900_000) for n in range(11, 15)]
    fleet = ask(book, 300, "low")
    assert {part.region for part in fleet.composition} == {"US-East"}
    assert (len(fleet.composition), fleet.total_gpus) == (1, 6)


def test_interrupted_hours_are_not_billed_so_the_same_budget_rents_more() -> None:
    """A fifth of the time is lost: $48 of hours bill $38.40, and $200 pay five instead of four."""
    order = Order("training", 200, "low")
    fleet = fleet_strategy(order, lots(market(), order, {"RTX 4090": {"": WILD}}, CATALOG), BASIS, CATALOG)
    assert (fleet.total_gpus, fleet.monthly_cost, fleet.monthly_cost_uninterrupted) == (5, 192.0, 240.0)
    assert [part.billed_hours for part in fleet.composition] == [128.0]
    told = "interrupted hours are not billed: without any interruption the month would cost $240.0"
    assert any(told in str(note) for note in fleet.evidence.caveats)


def test_a_budget_too_small_says_what_less_reliability_would_take() -> None:
    book = [*market(), *[offer(900 + n, 100_000, model="RTX 3090", on_demand=150_000) for n in range(1, 4)]]
    poor = ask(book, 10, "high")
    assert poor.total_gpus == 0
    assert list(poor.smallest_budgets) == ["low", "medium"]
    assert poor.smallest_budgets["low"] <= poor.smallest_budgets["medium"] <= poor.smallest_budget
    assert ask(book, poor.smallest_budgets["low"], "low").total_gpus > 0
    assert ask(book, 10, "low").smallest_budgets == {}
    assert ask(book, 500, "high").smallest_budgets == {}


def test_low_reliability_takes_the_cheapest_and_says_so() -> None:
    fleet = ask(market(), 200, "low")
    assert (fleet.strategy, fleet.total_gpus, fleet.monthly_cost) == ("spot", 4, 190.08)
    [part] = fleet.composition
    assert (part.gpu_type, part.region, part.role, part.price_per_hour) == ("RTX 4090", "US-East", "primary", 0.3)
    assert any(str(note).startswith("budget: $9.92") for note in fleet.binding_limits)


def test_higher_reliability_spreads_and_holds_some_on_demand() -> None:
    low, medium, high = (ask(market(), 500, level) for level in ("low", "medium", "high"))
    assert shares(low)[1] == 0
    assert (low.strategy, medium.strategy, high.strategy) == ("spot", "hybrid", "hybrid")
    assert shares(medium)[0] <= 0.6
    assert shares(high)[0] <= 0.4
    assert shares(high)[1] >= 0.3
    assert low.total_gpus > high.total_gpus


def test_a_budget_too_small_says_what_would_do() -> None:
    fleet = ask(market(), 10, "low")
    assert (fleet.strategy, fleet.total_gpus, fleet.composition, fleet.monthly_cost) == ("none", 0, (), 0.0)
    assert fleet.smallest_budget == 47.52
    assert ask([], 100).smallest_budget is None


def test_a_budget_that_only_just_does_is_not_overlooked() -> None:
    east, west, asia = "US-East", "EU-West", "Asia-East"
    shelf = [("A100 SXM4 80GB", east), *[("RTX 4090", east)] * 5, ("RTX 3090", asia), ("H100 SXM", west)]
    shelf += [("RTX 4090", west), ("RTX 3090", east)]
    book = [offer(n, None, model=m, region=r, on_demand=20_000, gpu_ids=(0,)) for n, (m, r) in enumerate(shelf, 1)]
    book.append(offer(20, None, model="H100 SXM", region=east, num_gpus=2, gpu_ids=(0, 1), on_demand=20_000))
    book.append(offer(21, None, model="RTX 4090", region=asia, on_demand=69_626, gpu_ids=(0,)))
    book.append(offer(22, None, model="RTX 3090", region=west, on_demand=39_706, gpu_ids=(0,)))
    assert ask(book, 0.01, "high").smallest_budget == 12.76
    assert ask(book, 12.76, "high").total_gpus == 3


def test_supply_binds_when_money_does_not() -> None:
    fleet = ask(market(2), 10_000, "low")
    assert fleet.total_gpus == 6
    [supply] = fleet.binding_limits
    assert str(supply).count("2 RTX 4090 (") == 3


def test_what_is_shown_is_never_above_the_budget() -> None:
    fleet = ask(market(1, 333_333), 0.33, "low", hours_per_month=1)
    assert (fleet.total_gpus, fleet.monthly_cost) == (1, 0.33)


def test_whole_machines_only() -> None:
    box = [offer(n, 300_000, num_gpus=8, gpu_ids=tuple(range(8))) for n in range(1, 4)]
    one = 0.99 * 8 * 48
    assert ask(box, one + 47, "low").total_gpus == 8
    assert ask(box, one - 1, "low").total_gpus == 0


def test_time_lost_discounts_spot_and_high_reliability_limits_it() -> None:
    order = Order("training", 500, "high")
    wild = lots(market(), order, {"RTX 4090": {"": WILD}}, CATALOG)
    assert all(lot.lost == pytest.approx(0.2) for lot in wild if lot.market == "spot")
    fleet = fleet_strategy(order, wild, BASIS, CATALOG)
    assert fleet.expected_time_lost_percent <= 5
    spot = {lot.work for lot in wild if lot.market == "spot"}
    assert max(spot) == pytest.approx(0.8 * next(lot.work for lot in wild if lot.market == "on-demand"))


def test_a_region_speaks_for_itself_where_it_says_enough() -> None:
    known = {"RTX 4090": {"US-East": CALM, "EU-West": WILD, "Asia-East": Exposure(held_s=HOUR, up_steps=12)}}
    found = lots(market(), Order("training", 500), known, CATALOG)
    lost = {lot.region: lot.lost for lot in found if lot.market == "spot"}
    assert lost["US-East"] == pytest.approx(0.01)
    assert lost["EU-West"] == pytest.approx(0.2)
    assert lost["Asia-East"] == pytest.approx(210 / 2001)


def test_without_interruption_history_high_reliability_takes_no_spot() -> None:
    order = Order("training", 500, "high")
    offered = lots(market(), order, {}, CATALOG)
    fleet = fleet_strategy(order, offered, BASIS, CATALOG)
    assert fleet.strategy == "on-demand"
    low = fleet_strategy(Order("training", 500, "low"), offered, BASIS, CATALOG)
    assert (low.strategy, low.expected_time_lost_percent) == ("spot", None)
    assert any("nor their hours are discounted" in str(note) for note in low.evidence.caveats)


def test_savings_compare_the_same_work() -> None:
    h100 = [offer(n, 2_000_000, model="H100 SXM", on_demand=2_500_000) for n in range(1, 5)]
    order = Order("training", 1000, "low")
    fleet = fleet_strategy(order, lots(h100, order, {}, CATALOG), BASIS, CATALOG)
    wanted = ("AWS", "H100 SXM", "on_demand")
    price = min(row.usd_per_gpu_hour for row in CATALOG.cloud_prices if (row.cloud, row.gpu, row.kind) == wanted)
    assert fleet.total_gpus == 3
    assert fleet.savings_vs_aws == pytest.approx(3 * 160 * (price - 2), abs=0.01)


def test_a_gpu_unlike_anything_on_aws_is_compared_by_work_and_says_so() -> None:
    small = [offer(n, 20_000, model="GTX 1070", on_demand=30_000) for n in range(1, 5)]
    fleet = ask(small, 10, "low", workload="inference")
    assert fleet.savings_vs_aws is not None
    assert any("AWS sells nothing like GTX 1070" in str(note) for note in fleet.evidence.caveats)


def test_each_price_says_on_how_many_machines_it_rests_and_few_are_told() -> None:
    """One machine with three free GPUs is one host's price, however many slices it has."""
    lone = [offer(1, 300_000, gpu_ids=(n,)) for n in range(3)]
    [part] = ask(lone, 100, "low").composition
    assert (part.quantity, part.machines) == (2, 1)
    plenty = ask(market(), 100, "low")
    assert [part.machines for part in plenty.composition] == [6]
    told = "prices that rest on fewer than 3 machines are hardly medians: RTX 4090 EU-North (1)"
    assert told in map(str, ask(lone, 100, "low").evidence.caveats)
    assert not any("hardly medians" in str(note) for note in plenty.evidence.caveats)


def on_one_host(fleet: FleetStrategy, book: list[Offer], host: int) -> float:
    """The share of the GPUs that cannot be anybody else's, however the machines are chosen."""
    must = 0
    for key in {(p.gpu_type, p.region, p.gpus_per_machine) for p in fleet.composition}:
        there = [o for o in book if (o.model, o.region, o.num_gpus) == key]
        taken = sum(p.quantity for p in fleet.composition if (p.gpu_type, p.region, p.gpus_per_machine) == key)
        must += max(0, taken - sum(o.num_gpus for o in there if o.host_id != host))
    return must / fleet.total_gpus


def test_no_host_gets_more_than_a_place_may() -> None:
    """A host with several models would else hold a fleet that looks spread; there is dearer supply of others."""
    cheap = ("RTX 4090", "RTX 3090", "RTX 3080", "RTX 3070")
    book = [
        offer(10 * i + n, 100_000, model=model, host_id=1, on_demand=110_000)
        for i, model in enumerate(cheap)
        for n in range(1, 7)
    ]
    others = [
        offer(900 + n, 400_000, model="RTX 4090", region=region, host_id=n, on_demand=500_000)
        for n, region in enumerate(REGIONS * 3, 2)
    ]
    for reliability, most in (("medium", 0.6), ("high", 0.4)):
        fleet = ask([*book, *others], 400, reliability)
        assert fleet.total_gpus
        assert on_one_host(fleet, book + others, 1) <= most
        told = f"some hosts offer several of these: take at most {100 * most:.0f}% of the GPUs from one host"
        assert told in map(str, fleet.evidence.caveats)
        assert f"reliability: at most {100 * most:.0f}% on one host" in map(str, fleet.binding_limits)
        assert ask(book, 400, reliability).total_gpus == 0
    low = ask([*book, *others], 400, "low")
    assert on_one_host(low, book + others, 1) > 0.6
    assert not any("host" in str(note) for note in (*low.evidence.caveats, *low.binding_limits))


@settings(max_examples=40, deadline=None)
@given(
    markets(), st.lists(st.sampled_from([None, 1, 2, 3]), min_size=60, max_size=60), st.sampled_from(["medium", "high"])
)
def test_the_cap_on_a_host_holds_in_any_market(book: list[Offer], hosts: list[int | None], reliability: str) -> None:
    book = [replace(one, host_id=host) for one, host in zip(book, hosts, strict=False)]
    fleet = ask(book, 500, reliability)
    for host in (1, 2, 3):
        if fleet.total_gpus:
            assert on_one_host(fleet, book, host) <= (LEVELS[reliability].most_in_one_place or 1) + 1e-9


def test_old_prices_of_one_cloud_are_told_once() -> None:
    models = ("H100 SXM", "A100 SXM4 80GB", "A100 SXM4 40GB", "Tesla V100 16GB")
    book = [offer(n, 100_000, model=model, on_demand=200_000) for n, model in enumerate(models, 1)]
    order = Order("training", 1_000, "low")
    later = Basis(NOW + 400 * 86_400, NOW + 400 * 86_400, 300, NOW, 4)
    fleet = fleet_strategy(order, lots(book, order, {}, CATALOG), later, CATALOG)
    dates = {row.date for row in CATALOG.cloud_prices if row.cloud == "AWS" and row.gpu in models}
    [told] = [str(note) for note in fleet.evidence.caveats if "days old" in str(note)]
    assert told.startswith("cloud prices more than 90 days old: AWS 2026-")
    assert all(told.count(date) <= 1 for date in dates)
    assert sum(told.count(date) for date in dates) > 1


def test_machines_without_a_bid_price_do_not_stand_behind_one() -> None:
    book = [offer(1, 300_000), offer(2, 310_000), *(offer(n, None) for n in (3, 4))]
    found = lots(book, Order("training", 500), {}, CATALOG)
    assert {lot.market: lot.machines for lot in found} == {"spot": 2, "on-demand": 4}


def test_little_memory_can_be_excluded() -> None:
    book = [*market(), offer(900, 10_000, model="RTX 3060")]
    most = ask(book, 300, "low").best_plan
    assert most is not None
    assert {part.gpu_type for part in most.composition} == {"RTX 4090", "RTX 3060"}
    assert {part.gpu_type for part in ask(book, 300, "low", min_vram=20.0).composition} == {"RTX 4090"}
