"""Which GPUs to rent for a monthly budget (Q3): an integer programme over model, market, region and machine size."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from analytics.answers.fleet_program import LEVELS, Fleet, Level, Lot, best, cheapest, cost
from analytics.catalog import Catalog, CloudPrice, Gpu
from analytics.evidence import Basis, Evidence, Note
from analytics.hardware.comparators import Comparator, comparator, old_prices
from analytics.hardware.machines import rated, thin
from analytics.hardware.speed import mfu_of
from analytics.interruptions.estimator import assumptions, estimate, total
from analytics.market import MICRO, Exposure, Offer, micro
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
    """One line of a fleet; ``quantity`` counts GPUs, ``price_per_hour`` is USD for one."""

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


@dataclass(frozen=True, slots=True)
class FleetStrategy:
    """Q3; USD. Quantities add up to ``total_gpus``, costs to ``monthly_cost``; ``roi_percent`` is savings over cost."""

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
    smallest_budget: float | None
    """what the cheapest fleet of this reliability costs; only looked for when the budget is too small"""
    binding_limits: tuple[Note, ...]
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
        if price := quantile(sorted((price, 1) for price, _ in prices), 0.5):
            found.append(Lot(*shelf, market, price, len(prices), len(slices), work, share, machines))
    return found


def fleet_strategy(
    order: Order, offered: Sequence[Lot], basis: Basis, catalog: Catalog, *, left_out: int = 0
) -> FleetStrategy:
    """The fleet that does most work for the budget, within what is free and what the reliability level demands.

    Never raises: a budget that is too small gives an empty fleet and the ``smallest_budget`` that would do, and so
    does a market with nothing that can be used. USD; hours of one month. ``left_out``: models too stale to
    count on. Source: definitions, "Q3 fleet-strategy".
    """
    hours = order.hours_per_month
    fleet = best(offered, order.level, micro(order.budget), hours)
    fleet.sort(key=lambda item: (-item[0].work * item[0].size * item[1], item[0].place, item[0].market, item[0].size))
    parts = tuple(_part(lot, n, hours, first=i == 0) for i, (lot, n) in enumerate(fleet))
    monthly = sum(_steps(lot, n, hours) for lot, n in fleet)
    aws = _aws(fleet, order, catalog, basis.now)
    savings = None if aws.cost is None else round(aws.cost - _dollars(monthly), 2)
    smallest = None if fleet else _smallest(offered, order)
    return FleetStrategy(
        strategy=_strategy({lot.market for lot, _ in fleet}),
        total_gpus=sum(lot.size * n for lot, n in fleet),
        monthly_cost=_dollars(monthly),
        composition=parts,
        savings_vs_aws=savings,
        roi_percent=round(100 * savings / _dollars(monthly), 1) if savings is not None and monthly else None,
        workload=order.workload,
        budget=order.budget,
        reliability=order.reliability,
        hours_per_month=hours,
        expected_time_lost_percent=_time_lost(fleet),
        smallest_budget=smallest,
        binding_limits=tuple(_binding(fleet, order)),
        evidence=basis.evidence(
            Note(
                "integer programme over model, market, region and machine size; work measured by {measure}",
                {"measure": SPEEDS[order.workload].name},
            ),
            tuple(_caveats(fleet, aws, order.level, left_out)),
            assumptions=_assumptions(order),
        ),
    )


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
    )


def _strategy(markets: set[str]) -> str:
    return "hybrid" if len(markets) > 1 else next(iter(markets), "none")


def _time_lost(fleet: Fleet) -> float | None:
    if not fleet or any(lot.lost is None for lot, _ in fleet):
        return None
    gpus = sum(lot.size * n for lot, n in fleet)
    return round(100 * sum((lot.lost or 0.0) * lot.size * n for lot, n in fleet) / gpus, 2)


@dataclass(frozen=True, slots=True)
class _Aws:
    """What a fleet's effective work costs on AWS on demand, and on which of its GPUs."""

    cost: float | None
    compared: tuple[Comparator, ...] = ()
    stand_in: CloudPrice | None = None
    """where a model has no comparable GPU: the one on which AWS does such work cheapest"""
    without: tuple[str, ...] = ()
    """the models that it stands in for"""


def _aws(fleet: Fleet, order: Order, catalog: Catalog, now: int) -> _Aws:
    speed = SPEEDS[order.workload].of
    prices = [row for row in catalog.cloud_prices if row.cloud == "AWS" and row.kind == "on_demand"]
    known = {row.gpu: fast for row in prices if (gpu := catalog.gpu(row.gpu)) and (fast := speed(gpu, catalog))}
    if not fleet or not known:
        return _Aws(None)
    stand_in = min((row for row in prices if row.gpu in known), key=lambda row: row.usd_per_gpu_hour / known[row.gpu])
    dollars, without, compared = 0.0, [], {}
    for lot, n in fleet:
        gpu = rated(lot.model, catalog)
        like = comparator("AWS", gpu, catalog, now) if gpu else None
        if like is not None and like.gpu_name in known:
            compared[like.gpu_name] = like
            rate = like.usd_per_gpu_hour / known[like.gpu_name]
        else:
            without.append(lot.model)
            rate = stand_in.usd_per_gpu_hour / known[stand_in.gpu]
        dollars += lot.work * lot.size * n * order.hours_per_month * rate
    return _Aws(dollars, tuple(compared.values()), stand_in if without else None, tuple(dict.fromkeys(without)))


def _smallest(offered: Sequence[Lot], order: Order) -> float | None:
    fleet = cheapest(offered, order.level, order.hours_per_month)
    return math.ceil(cost(fleet, order.hours_per_month) * 100 / MICRO) / 100 if fleet else None


def _binding(fleet: Fleet, order: Order) -> list[Note]:
    """What keeps the fleet from growing or changing."""
    if not fleet:
        return []
    notes = []
    left = micro(order.budget) - cost(fleet, order.hours_per_month)
    if any(lot.cost(order.hours_per_month) > left for lot, _ in fleet):
        notes.append(
            Note("budget: ${left} a month left, too little for more of these", {"left": round(left / MICRO, 2)})
        )
    taken: Counter[tuple[str, str, int]] = Counter()
    for lot, n in fleet:
        taken[lot.shelf] += n
    supply = {lot.shelf: lot.supply for lot, _ in fleet}
    gone = [shelf for shelf, n in taken.items() if n >= supply[shelf]]
    if gone:
        names = ", ".join(
            f"{taken[m, r, size] * size} {m}{f' ×{size}' if size > 1 else ''} ({r})" for m, r, size in gone
        )
        notes.append(Note("supply: all that is free is taken of {lots}", {"lots": names}))
    return notes + _bound_by_level(fleet, order.level)


def _on_one_host(fleet: Fleet) -> int:
    """The GPUs of the host that must supply most, if machines are chosen among hosts as evenly as can be."""
    taken: Counter[tuple[str, str, int]] = Counter()
    for lot, n in fleet:
        taken[lot.shelf] += n
    must: Counter[int] = Counter()
    for lot in {lot.shelf: lot for lot, _ in fleet}.values():
        for host, slices in lot.hosts:
            must[host] += lot.size * max(0, taken[lot.shelf] - (lot.supply - slices))
    return max(must.values(), default=0)


def _bound_by_level(fleet: Fleet, level: Level) -> list[Note]:
    """The shares that one more GPU in the fullest place, or one more spot GPU, would break."""
    gpus = sum(lot.size * n for lot, n in fleet)
    places: Counter[tuple[str, str]] = Counter()
    for lot, n in fleet:
        places[lot.place] += lot.size * n
    notes = []
    most, least = level.most_in_one_place, level.least_on_demand
    if most is not None and (max(places.values()) + 1) / (gpus + 1) > most:
        notes.append(Note("reliability: at most {n} % of one model in one region", {"n": round(100 * most)}))
    if most is not None and (_on_one_host(fleet) + 1) / (gpus + 1) > most:
        notes.append(Note("reliability: at most {n} % on one host", {"n": round(100 * most)}))
    if sum(lot.size * n for lot, n in fleet if lot.market == "on-demand") / (gpus + 1) < least:
        notes.append(Note("reliability: at least {n} % on demand", {"n": round(100 * least)}))
    return notes


def _caveats(fleet: Fleet, aws: _Aws, level: Level, left_out: int) -> list[Note]:
    notes = []
    if left_out:
        notes.append(Note("models left out because their last poll is too old: {n}", {"n": left_out}))
    if aws.compared:
        gpus = ", ".join(f"{c.gpu_name} ({c.instance}, ${c.usd_per_gpu_hour}/GPU-h, {c.date})" for c in aws.compared)
        notes.append(Note("savings: the same effective work on AWS on demand on {gpus}", {"gpus": gpus}))
    if aws.stand_in is not None:
        values = {"models": ", ".join(aws.without), "gpu": aws.stand_in.gpu, "price": aws.stand_in.usd_per_gpu_hour}
        text = "AWS sells nothing like {models}: compared with {gpu} (${price}/GPU-h), where it does such work cheapest"
        notes.append(Note(text, values))
    if any(lot.lost is None for lot, _ in fleet):
        notes.append(Note("no interruption history for some of these: their work is not discounted"))
    if fleet:
        notes.append(Note("prices are medians of the region; GPUs of different machines do separate jobs"))
    if level.most_in_one_place is not None and any(lot.hosts for lot, _ in fleet):
        text = "some hosts offer several of these: take at most {n} % of the GPUs from one host"
        notes.append(Note(text, {"n": round(100 * level.most_in_one_place)}))
    notes += thin((_lot_name(lot), lot.machines) for lot, _ in fleet)
    return [*notes, *old_prices(aws.compared)]


def _lot_name(lot: Lot) -> str:
    return f"{lot.model}{f' ×{lot.size}' if lot.size > 1 else ''} {lot.region}"


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
