"""Which GPUs to rent for a monthly budget (Q3): an integer programme over model, market, region and machine size."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from analytics.answers.fleet_aws import Aws, on_aws
from analytics.answers.fleet_notes import binding, caveats
from analytics.answers.fleet_program import LEVELS, Fleet, Level, Lot, best, cheapest, cost, work_of
from analytics.answers.fleet_simple import simplest
from analytics.catalog import Catalog, Gpu
from analytics.evidence import OMIT, Basis, Evidence, Note
from analytics.hardware.machines import rated
from analytics.hardware.speed import mfu_of
from analytics.interruptions.estimator import assumptions, estimate, total
from analytics.market import MICRO, Exposure, Offer, micro
from analytics.offer_now import OfferNow
from analytics.prices import quantile
from analytics.slices import minimal_slices

DEFAULT_HOURS = 160
"""Hours a month that the fleet runs unless told otherwise (source: definitions, "Q3": eight hours on twenty days)."""

PRICE_STEP = 100
"""Costs are shown to a hundredth of a cent, in micro-dollars, rounded down (source: `usd` shows four decimals)."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What work means for a workload: a GPU's speed in it, None where unpublished, and what that speed is."""

    of: Callable[[Gpu, Catalog], float | None]
    name: Note


SPEEDS = {
    "training": Speed(
        lambda gpu, catalog: None if gpu.tflops is None else gpu.tflops * mfu_of(gpu, catalog).mid,
        Note("dense 16-bit TFLOPS x the share of it that training reaches"),
    ),
    "inference": Speed(
        lambda gpu, catalog: gpu.mem_bw_gbs, Note("memory bandwidth, which generating text is limited by")
    ),
    "rendering": Speed(
        lambda gpu, catalog: gpu.tflops, Note("dense 16-bit TFLOPS, for want of rendering figures for every GPU")
    ),
}
"""The measure of work by workload."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted."""

    workload: str
    budget: float
    reliability: str = "medium"
    hours_per_month: float = DEFAULT_HOURS
    min_vram: float | None = None

    @property
    def level(self) -> Level:
        """The limits of the reliability level."""
        return LEVELS[self.reliability]


@dataclass(frozen=True, slots=True)
class Part:
    """One line of a fleet; ``quantity`` counts GPUs, ``price_per_hour`` is USD for one.

    ``cost_per_month`` is quantity x price x ``billed_hours``: time expected to be lost to interruptions is not billed.
    """

    gpu_type: str
    quantity: int
    role: str
    cost_per_month: float
    market: str
    region: str
    price_per_hour: float
    gpus_per_machine: int
    machines: int
    """different machines that the price is the median of"""
    billed_hours: float
    """hours of the month that it runs: all of them less those lost to interruptions"""


@dataclass(frozen=True, slots=True)
class BestPlan:
    """The fleet that does most work, where it is not the simple one; the keys mean what they mean in the answer."""

    strategy: str
    total_gpus: int
    monthly_cost: float
    composition: tuple[Part, ...]
    savings_vs_aws: float | None
    roi_percent: float | None
    expected_time_lost_percent: float | None
    more_work_percent: float
    """how much more it does than the plan shown first"""


@dataclass(frozen=True, slots=True)
class FleetStrategy:
    """Q3; USD. Quantities add up to ``total_gpus``, costs to ``monthly_cost``; ``roi_percent`` is savings over cost.

    The plan is the simplest that does nearly as much as the best; ``best_plan`` is that best one.
    """

    strategy: str
    """``spot``, ``on-demand``, ``hybrid``; ``none`` when the budget is too small for any fleet"""
    total_gpus: int
    monthly_cost: float
    composition: tuple[Part, ...]
    savings_vs_aws: float | None
    roi_percent: float | None
    workload: str
    budget: float
    reliability: str
    hours_per_month: float
    expected_time_lost_percent: float | None
    monthly_cost_uninterrupted: float
    """what the month costs if nothing is interrupted; it may be above the budget"""
    best_plan: BestPlan | None
    """None where the plan shown is the best"""
    smallest_budget: float | None
    """what the cheapest fleet of this reliability costs; only looked for when the budget is too small"""
    smallest_budgets: Mapping[str, float]
    """the same of each less demanding reliability that has one; only looked for when the budget is too small"""
    binding_limits: tuple[Note, ...]
    offers_now: tuple[OfferNow, ...] | None = field(default=None, kw_only=True, metadata=OMIT)
    """the best matching offers; left out where the answer names no model"""
    evidence: Evidence


def lots(
    book: Iterable[Offer], order: Order, exposures: Mapping[str, Mapping[str, Exposure]], catalog: Catalog
) -> list[Lot]:
    """Everything that can be rented, from the free verified slices; models without a published speed are left out.

    ``exposures``: model -> region -> sums, from which the time lost comes: of the region where it says enough, else
    of the model, else of all.
    """
    shelves: dict[tuple[str, str, int], list[Offer]] = defaultdict(list)
    for offer in minimal_slices(offer for offer in book if offer.verified):
        shelves[offer.model, offer.region, offer.num_gpus].append(offer)
    hosts = _wide_hosts(shelves)
    speeds = {model: _speed(model, order, catalog) for model in {model for model, _, _ in shelves}}
    lost = _losses(exposures)
    found = []
    for (model, region, size), slices in shelves.items():
        speed = speeds[model]
        if speed:
            gone = lost.get((model, region), lost.get((model, ""), lost.get(("", ""))))
            lots_here = _markets((model, region, size), slices, speed, gone)
            found += [replace(lot, hosts=hosts[lot.shelf]) for lot in lots_here]
    return found


def _wide_hosts(
    shelves: Mapping[tuple[str, str, int], Sequence[Offer]],
) -> dict[tuple[str, str, int], tuple[tuple[int, int], ...]]:
    """Of each shelf its slices by host, only hosts that offer several models or in several regions."""
    places: dict[int | None, set[tuple[str, str]]] = defaultdict(set)
    for (model, region, _), slices in shelves.items():
        for offer in slices:
            places[offer.host_id].add((model, region))
    wide = {host for host, some in places.items() if host is not None and len(some) > 1}
    counts = {shelf: Counter(o.host_id for o in slices if o.host_id in wide) for shelf, slices in shelves.items()}
    return {shelf: tuple((host, n) for host, n in of.items() if host is not None) for shelf, of in counts.items()}


def _speed(model: str, order: Order, catalog: Catalog) -> float | None:
    gpu = rated(model, catalog)
    if gpu is None or (order.min_vram is not None and gpu.vram_gb < order.min_vram):
        return None
    return SPEEDS[order.workload].of(gpu, catalog)


def _losses(exposures: Mapping[str, Mapping[str, Exposure]]) -> dict[tuple[str, str], float]:
    """(model, region) -> share of time lost; "" stands for all."""
    sums = {(model, region): e for model, regions in exposures.items() for region, e in regions.items()}
    sums |= {(model, ""): total(regions) for model, regions in exposures.items()}
    sums["", ""] = sum((e for (_, region), e in sums.items() if not region), Exposure())
    return {key: 1 - up for key, e in sums.items() if (up := estimate(e).uptime) is not None}


def _markets(shelf: tuple[str, str, int], slices: Sequence[Offer], speed: float, lost: float | None) -> list[Lot]:
    found = []
    bids = [(offer.min_bid, offer.machine_id) for offer in slices if offer.min_bid]
    asks = [(offer.on_demand, offer.machine_id) for offer in slices if offer.on_demand]
    for market, prices, work, share in (
        ("spot", bids, speed * (1 - (lost or 0.0)), lost),
        ("on-demand", asks, speed, 0.0),
    ):
        machines = len({machine for _, machine in prices})
        if work and (price := quantile(sorted((price, 1) for price, _ in prices), 0.5)):
            found.append(Lot(*shelf, market, price, len(prices), len(slices), work, share, machines))
    return found


def fleet_strategy(
    order: Order, offered: Sequence[Lot], basis: Basis, catalog: Catalog, *, left_out: int = 0
) -> FleetStrategy:
    """The simplest fleet that does nearly most work for the budget, within what is free and what reliability demands.

    Never raises: a budget that is too small gives an empty fleet and the ``smallest_budget`` that would do, and so
    does a market with nothing that can be used. USD; hours of one month. ``left_out``: models too stale to
    count on. Source: definitions, "Q3 fleet-strategy".
    """
    hours, budget = order.hours_per_month, micro(order.budget)
    most = best(offered, order.level, budget, hours)
    fleet = _ordered(simplest(offered, order.level, budget, hours, most))
    aws = _on_aws(fleet, order, catalog, basis.now)
    plan = _plan(fleet, hours, aws)
    uninterrupted = _dollars(sum(lot.rent(hours) * n for lot, n in fleet) // PRICE_STEP)
    return FleetStrategy(
        **plan,
        workload=order.workload,
        budget=order.budget,
        reliability=order.reliability,
        hours_per_month=hours,
        monthly_cost_uninterrupted=uninterrupted,
        best_plan=_best_plan(_ordered(most), fleet, order, catalog, basis.now),
        smallest_budget=None if fleet else _smallest(offered, order.level, hours),
        smallest_budgets={} if fleet else _easier(offered, order),
        binding_limits=tuple(binding(fleet, order.level, budget, hours)),
        evidence=basis.evidence(
            Note(
                "integer programme over model, market, region and machine size; work measured by {measure}",
                {"measure": SPEEDS[order.workload].name},
            ),
            tuple(caveats(fleet, aws, order.level, uninterrupted, left_out)),
            assumptions=_assumptions(order),
        ),
    )


def _ordered(fleet: Fleet) -> Fleet:
    return sorted(fleet, key=lambda each: (-each[0].work * each[0].size * each[1], each[0].place, each[0].market))


def _on_aws(fleet: Fleet, order: Order, catalog: Catalog, now: int) -> Aws:
    return on_aws(fleet, SPEEDS[order.workload].of, order.hours_per_month, catalog, now)


def _plan(fleet: Fleet, hours: float, aws: Aws) -> dict[str, Any]:
    """What every plan says of itself; its parts in their order."""
    monthly = sum(_steps(lot, n, hours) for lot, n in fleet)
    savings = None if aws.cost is None else round(aws.cost - _dollars(monthly), 2)
    return {
        "strategy": _strategy({lot.market for lot, _ in fleet}),
        "total_gpus": sum(lot.size * n for lot, n in fleet),
        "monthly_cost": _dollars(monthly),
        "composition": tuple(_part(lot, n, hours, first=i == 0) for i, (lot, n) in enumerate(fleet)),
        "savings_vs_aws": savings,
        "roi_percent": round(100 * savings / _dollars(monthly), 1) if savings is not None and monthly else None,
        "expected_time_lost_percent": _time_lost(fleet),
    }


def _best_plan(most: Fleet, shown: Fleet, order: Order, catalog: Catalog, now: int) -> BestPlan | None:
    more = work_of(most) / work_of(shown) - 1 if shown else 0.0
    if most == shown or more <= 0:
        return None
    plan = _plan(most, order.hours_per_month, _on_aws(most, order, catalog, now))
    return BestPlan(**plan, more_work_percent=round(100 * more, 1))


def _steps(lot: Lot, n: int, hours: float) -> int:
    return lot.cost(hours) * n // PRICE_STEP


def _dollars(steps: int) -> float:
    return round(steps * PRICE_STEP / MICRO, 4)


def _part(lot: Lot, n: int, hours: float, *, first: bool) -> Part:
    safe = lot.market == "on-demand"
    return Part(
        gpu_type=lot.model,
        quantity=lot.size * n,
        role="primary" if first else "high_priority" if safe else "secondary",
        cost_per_month=_dollars(_steps(lot, n, hours)),
        market=lot.market,
        region=lot.region,
        price_per_hour=round(lot.price / MICRO, 4),
        gpus_per_machine=lot.size,
        machines=lot.machines,
        billed_hours=round(hours * lot.billed, 4),
    )


def _strategy(markets: set[str]) -> str:
    return "hybrid" if len(markets) > 1 else next(iter(markets), "none")


def _time_lost(fleet: Fleet) -> float | None:
    if not fleet or any(lot.lost is None for lot, _ in fleet):
        return None
    gpus = sum(lot.size * n for lot, n in fleet)
    return round(100 * sum((lot.lost or 0.0) * lot.size * n for lot, n in fleet) / gpus, 2)


def _smallest(offered: Sequence[Lot], level: Level, hours: float) -> float | None:
    fleet = cheapest(offered, level, hours)
    return math.ceil(cost(fleet, hours) * 100 / MICRO) / 100 if fleet else None


def _easier(offered: Sequence[Lot], order: Order) -> dict[str, float]:
    """Less demanding reliability -> its smallest budget, where it has one."""
    names = list(LEVELS)
    found = {
        name: _smallest(offered, LEVELS[name], order.hours_per_month)
        for name in names[: names.index(order.reliability)]
    }
    return {name: budget for name, budget in found.items() if budget is not None}


def _assumptions(order: Order) -> dict[str, Any]:
    level = order.level
    return {
        "hours_per_month": order.hours_per_month,
        "most_in_one_place": level.most_in_one_place,
        "least_on_demand": level.least_on_demand,
        "most_time_lost": level.most_time_lost,
        "min_vram_gb": order.min_vram,
        **assumptions(),
    }
