"""The integer programme behind the fleet (Q3): how many slices of each lot do most work within budget and limits."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Level:
    """What a reliability level demands, as shares of the fleet; None where it demands nothing."""

    most_in_one_place: float | None
    """share of GPUs, and of work, in one region on one model; and of GPUs on one host"""
    least_on_demand: float
    """share of GPUs, and of work, that cannot be interrupted"""
    most_time_lost: float | None
    """expected share of GPU-hours lost to interruptions"""


LEVELS = {"low": Level(None, 0.0, None), "medium": Level(0.6, 0.1, None), "high": Level(0.4, 0.3, 0.05)}
"""Limits by reliability level (source: definitions, "Q3 fleet-strategy")."""

PLACES = 8
"""How many models in regions the programme weighs at least for each market (ours: the strictest level needs three)."""

BUDGETS = 3
"""The supply it weighs is worth at least so many budgets (ours: more is hardly ever among what is chosen)."""

GAP = 0.005
"""A fleet is accepted when none could do 0.5 % more work (ours: below what the measure of work is good for)."""

SECONDS = 1.0
"""How long the solver may look; then the best fleet found so far is shown (ours: within a chat's patience)."""

SUMS = 2
"""Variables between those of the lots and those of the hosts: all GPUs, all work."""

TOLERANCE = 1e-6
"""By how much the solver may overstep a limit (source: HiGHS, primal_feasibility_tolerance)."""


@dataclass(frozen=True, slots=True)
class Lot:
    """Equal slices that can be rented: ``slices`` of ``size`` GPUs each, at ``price`` micro-dollars per GPU-hour.

    ``work``: speed of one GPU less the time it is expected to lose; ``lost``: that share, None when unknown;
    ``machines``: how many different ones the price is the median of.
    """

    model: str
    region: str
    size: int
    market: str
    price: int
    slices: int
    supply: int
    """slices for both markets together"""
    work: float
    lost: float | None
    machines: int
    hosts: tuple[tuple[int, int], ...] = ()
    """of each host that is in other places too: how many of the ``supply`` are its"""

    @property
    def place(self) -> tuple[str, str]:
        """What the caps are about."""
        return self.model, self.region

    @property
    def shelf(self) -> tuple[str, str, int]:
        """What both markets take from."""
        return self.model, self.region, self.size

    @property
    def billed(self) -> float:
        """The share of the hours that is billed: an interrupted machine is paused, and only its disk costs."""
        return 1 - (self.lost or 0.0)

    def rent(self, hours: float) -> int:
        """Micro-dollars for one slice that is never interrupted."""
        return math.ceil(self.price * self.size * hours)

    def cost(self, hours: float) -> int:
        """Micro-dollars that one slice is expected to cost."""
        return math.ceil(self.price * self.size * hours * self.billed)


Fleet = list[tuple[Lot, int]]
"""Lots and how many slices of each, at least one."""

Row = tuple[dict[int, float], float, float]
"""One constraint: variable -> coefficient, and the least and the most that their sum may be."""


def best(lots: Sequence[Lot], level: Level, budget: int, hours: float) -> Fleet:
    """The fleet with most effective work a month for at most ``budget`` micro-dollars; empty when there is none.

    Caps and the share on demand hold for the number of GPUs and for their work, so that neither many weak GPUs nor a
    few strong ones escape them; the cap on a host holds if the machines are chosen among hosts accordingly.
    Source: definitions, "Q3 fleet-strategy"; solved by scipy.optimize.milp (HiGHS).
    """
    affordable = [lot for lot in allowed(lots, level) if lot.cost(hours) <= budget]
    for worth in (BUDGETS * budget, 0, math.inf):  # shorter: if it took too long; all: if nothing fits
        chosen = _shortlist(affordable, lambda lot: lot.cost(hours) / (lot.work * lot.size), worth, hours)
        fleet = most_work(chosen, level, budget, hours)
        if fleet:
            return fleet
    least = cheapest(affordable, level, hours)  # the solver can overlook the only fleet that a budget just pays
    return least if cost(least, hours) <= budget else []


def most_work(lots: Sequence[Lot], level: Level, budget: int, hours: float) -> Fleet | None:
    """The best fleet of just these lots, empty when there is none, None when none was found."""
    spent = {i: lot.cost(hours) / budget for i, lot in enumerate(lots)}
    work = [-each for each in works(lots)]
    for room in (1.0, 1.0 - 2 * TOLERANCE):
        fleet = solve(lots, work, [*limits(lots, level), (spent, -math.inf, room)], held(lots, level))
        if fleet is None or cost(fleet, hours) <= budget:
            return fleet
    return None


def cheapest(lots: Sequence[Lot], level: Level, hours: float) -> Fleet:
    """The fleet of at least one GPU that costs least and keeps the limits; empty when there is none."""
    found: Fleet = []
    left = allowed(lots, level)
    for worth in (0, math.inf):  # a short list says what is too dear to be in the cheapest of all
        fleet = _least(_shortlist(left, lambda lot: lot.cost(hours), worth, hours), level, hours)
        if fleet and (not found or cost(fleet, hours) < cost(found, hours)):
            found = fleet
            left = [lot for lot in left if lot.cost(hours) <= cost(found, hours)]
    return found


def _least(lots: Sequence[Lot], level: Level, hours: float) -> Fleet | None:
    costs = [lot.cost(hours) for lot in lots]
    shares = [cost / max(costs) for cost in costs]
    one = ({i: float(lot.size) for i, lot in enumerate(lots)}, 1.0, math.inf)
    return solve(lots, shares, [*limits(lots, level), one], held(lots, level), gap=0)


def cost(fleet: Fleet, hours: float) -> int:
    """Micro-dollars a month."""
    return sum(lot.cost(hours) * n for lot, n in fleet)


def work_of(fleet: Fleet) -> float:
    """Speed of all its GPUs together, less the time they are expected to lose."""
    return sum(lot.work * lot.size * n for lot, n in fleet)


def allowed(lots: Iterable[Lot], level: Level) -> list[Lot]:
    """Where lost time is limited, a lot whose losses are unknown cannot be counted on."""
    return [lot for lot in lots if level.most_time_lost is None or lot.lost is not None]


def _shortlist(lots: Sequence[Lot], rank: Callable[[Lot], float], worth: float, hours: float) -> list[Lot]:
    """The best lots of each market, until there are enough places and supply worth ``worth`` micro-dollars."""
    chosen = []
    for market in ("spot", "on-demand"):
        places: set[tuple[str, str]] = set()
        sum_ = 0
        for lot in sorted((lot for lot in lots if lot.market == market), key=rank):
            if len(places) >= PLACES and sum_ >= worth:
                break
            places.add(lot.place)
            sum_ += lot.cost(hours) * lot.slices
            chosen.append(lot)
    return chosen


def works(lots: Sequence[Lot]) -> list[float]:
    """The work of one slice of each lot, the greatest being 1."""
    works = [lot.work * lot.size for lot in lots]
    return [work / max(works) for work in works]


def limits(lots: Sequence[Lot], level: Level) -> list[Row]:
    """Supply and the level's limits. Behind the lots stand two more variables: all GPUs and all work, so that a share
    is a row of few numbers; then those of ``held``."""
    shelves = defaultdict(list)
    for i, lot in enumerate(lots):
        shelves[lot.shelf].append(i)
    rows: list[Row] = [
        (dict.fromkeys(members, 1.0), -math.inf, float(lots[members[0]].supply))
        for members in shelves.values()
        if len(members) > 1
    ]
    for all_, weights in enumerate(([float(lot.size) for lot in lots], works(lots)), len(lots)):
        rows.append(({**dict(enumerate(weights)), all_: -1.0}, 0.0, 0.0))
        rows += _shares(lots, weights, all_, level)
    if level.most_time_lost is not None:
        lost = {i: ((lot.lost or 0.0) - level.most_time_lost) * lot.size for i, lot in enumerate(lots)}
        rows.append((lost, -math.inf, 0.0))
    return rows + _host_caps(lots, level)


def held(lots: Sequence[Lot], level: Level) -> list[tuple[tuple[str, str, int], int, int]]:
    """(shelf, host, its slices there): the variables behind the two sums, each how many of these slices are taken.

    Only of hosts in several places: what a host holds in one place is within that place's cap.
    """
    if level.most_in_one_place is None:
        return []
    hosts = {lot.shelf: lot.hosts for lot in lots}
    return [(shelf, host, slices) for shelf, some in hosts.items() for host, slices in some]


def _host_caps(lots: Sequence[Lot], level: Level) -> list[Row]:
    """What a shelf's other hosts cannot supply is taken from these, and none of them gets more than its share."""
    hosts, all_gpus = held(lots, level), len(lots)
    takes: dict[tuple[str, str, int], dict[int, float]] = defaultdict(dict)
    caps: dict[int, dict[int, float]] = defaultdict(dict)
    others = {lot.shelf: lot.supply for lot in lots}
    for variable, (shelf, host, slices) in enumerate(hosts, len(lots) + SUMS):
        takes[shelf][variable] = -1.0
        others[shelf] -= slices
        caps[host][variable] = float(shelf[-1])
    for i, lot in enumerate(lots):
        if lot.shelf in takes:
            takes[lot.shelf][i] = 1.0
    rows: list[Row] = [(row, -math.inf, float(others[shelf])) for shelf, row in takes.items()]
    share = level.most_in_one_place or 1.0
    return rows + [({**there, all_gpus: -share}, -math.inf, 0.0) for there in caps.values()]


def _shares(lots: Sequence[Lot], weights: Sequence[float], all_: int, level: Level) -> list[Row]:
    """The caps by place and the share on demand, for one measure of a fleet."""
    rows: list[Row] = []
    if level.most_in_one_place is not None:
        places: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
        for i, lot in enumerate(lots):
            places[lot.place][i] = weights[i]
        rows += [({**there, all_: -level.most_in_one_place}, -math.inf, 0.0) for there in places.values()]
    if level.least_on_demand:
        safe = {i: weights[i] for i, lot in enumerate(lots) if lot.market == "on-demand"}
        rows.append(({**safe, all_: -level.least_on_demand}, 0.0, math.inf))
    return rows


def solve(
    lots: Sequence[Lot],
    objective: Sequence[float],
    rows: Sequence[Row],
    hosts: Sequence[tuple[tuple[str, str, int], int, int]],
    gap: float = GAP,
    switches: Sequence[float] = (),
) -> Fleet | None:
    """The fleet of least ``objective``; None when nothing was found: in time, or at all.

    ``switches``: what each yes-or-no variable adds to the objective; they stand behind those of ``hosts``.
    """
    if not lots:
        return []
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    cells = [(row, column, value) for row, (values, _, _) in enumerate(rows) for column, value in values.items()]
    i, j, values = (np.array(column) for column in zip(*cells, strict=True))
    between = SUMS + len(hosts)
    most = [lot.slices for lot in lots] + [math.inf] * SUMS + [n for _, _, n in hosts] + [1] * len(switches)
    matrix = csr_array((values, (i, j)), shape=(len(rows), len(most)))
    result = milp(
        np.array([*objective, *[0.0] * between, *switches]),
        integrality=np.array([1] * len(lots) + [0] * SUMS + [1] * (len(hosts) + len(switches))),
        bounds=Bounds(0, np.array(most)),
        constraints=LinearConstraint(matrix, [low for _, low, _ in rows], [high for _, _, high in rows]),
        options={"mip_rel_gap": gap, "time_limit": SECONDS, "presolve": False},
    )
    if result.x is None:
        return None
    return [(lot, n) for lot, x in zip(lots, result.x, strict=False) if (n := round(x))]
