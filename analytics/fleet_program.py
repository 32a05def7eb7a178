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
    """share of GPUs, and of work, in one region on one model"""
    least_on_demand: float
    """share of GPUs, and of work, that cannot be interrupted"""
    most_time_lost: float | None
    """expected share of GPU-hours lost to interruptions"""


LEVELS = {"low": Level(None, 0.0, None), "medium": Level(0.6, 0.1, None), "high": Level(0.4, 0.3, 0.05)}
"""Limits by reliability level (source: definitions, "Q3 fleet-strategy")."""

PLACES = 16
"""How many models in regions the programme weighs for each market (ours: the strictest level needs three)."""

BUDGETS = 3
"""The supply it weighs is worth at least so many budgets (ours: more changes nothing that could be afforded)."""

GAP = 0.001
"""A fleet is accepted when none can do 0.1 % more work (ours)."""

SECONDS = 2.0
"""How long the solver may look; then the best fleet found so far is shown (ours: within a chat's patience)."""

TOLERANCE = 1e-6
"""By how much the solver may overstep a limit (source: HiGHS, primal_feasibility_tolerance)."""


@dataclass(frozen=True, slots=True)
class Lot:
    """Equal slices that can be rented: ``slices`` of ``size`` GPUs each, at ``price`` micro-dollars per GPU-hour.

    ``work``: speed of one GPU less the time it is expected to lose; ``lost``: that share, None when unknown.
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

    @property
    def place(self) -> tuple[str, str]:
        """What the caps are about."""
        return self.model, self.region

    @property
    def shelf(self) -> tuple[str, str, int]:
        """What both markets take from."""
        return self.model, self.region, self.size

    def cost(self, hours: float) -> int:
        """Micro-dollars for one slice."""
        return math.ceil(self.price * self.size * hours)


Fleet = list[tuple[Lot, int]]
"""Lots and how many slices of each, at least one."""


def best(lots: Sequence[Lot], level: Level, budget: int, hours: float) -> Fleet:
    """The fleet with most effective work a month for at most ``budget`` micro-dollars; empty when there is none.

    Caps and the share on demand hold for the number of GPUs and for their work, so that neither many weak GPUs nor a
    few strong ones escape them. Source: definitions, "Q3 fleet-strategy"; solved by scipy.optimize.milp (HiGHS).
    """
    affordable = [lot for lot in _allowed(lots, level) if lot.cost(hours) <= budget]
    chosen = _shortlist(affordable, lambda lot: lot.price / lot.work, budget, hours)
    for room in (1.0, 1.0 - 2 * TOLERANCE):
        rows = [*_limits(chosen, level), ([lot.cost(hours) / budget for lot in chosen], room)]
        fleet = _solve(chosen, [-work for work in _works(chosen)], rows)
        if cost(fleet, hours) <= budget:
            return fleet
    return []


def cheapest(lots: Sequence[Lot], level: Level, hours: float) -> Fleet:
    """The fleet of at least one GPU that costs least and keeps the limits; empty when there is none."""
    chosen = _shortlist(_allowed(lots, level), lambda lot: lot.cost(hours), 0, hours)
    if not chosen:
        return []
    costs = [lot.cost(hours) for lot in chosen]
    rows = [*_limits(chosen, level), ([-float(lot.size) for lot in chosen], -1.0)]
    return _solve(chosen, [cost / max(costs) for cost in costs], rows)


def cost(fleet: Fleet, hours: float) -> int:
    """Micro-dollars a month."""
    return sum(lot.cost(hours) * n for lot, n in fleet)


def _allowed(lots: Iterable[Lot], level: Level) -> list[Lot]:
    """Where lost time is limited, a lot whose losses are unknown cannot be counted on."""
    return [lot for lot in lots if level.most_time_lost is None or lot.lost is not None]


def _shortlist(lots: Sequence[Lot], rank: Callable[[Lot], float], budget: int, hours: float) -> list[Lot]:
    """The best lots of each market, until there are enough places and enough supply to choose from."""
    chosen = []
    for market in ("spot", "on-demand"):
        places: set[tuple[str, str]] = set()
        worth = 0
        for lot in sorted((lot for lot in lots if lot.market == market), key=rank):
            if len(places) >= PLACES and worth >= BUDGETS * budget:
                break
            places.add(lot.place)
            worth += lot.cost(hours) * lot.slices
            chosen.append(lot)
    return chosen


def _works(lots: Sequence[Lot]) -> list[float]:
    """The work of one slice of each lot, the greatest being 1."""
    works = [lot.work * lot.size for lot in lots]
    return [work / max(works) for work in works]


Row = tuple[list[float], float]
"""Coefficients of the lots, and what their sum may be at most."""


def _limits(lots: Sequence[Lot], level: Level) -> list[Row]:
    rows: list[Row] = []
    shelves = defaultdict(list)
    for i, lot in enumerate(lots):
        shelves[lot.shelf].append(i)
    for members in shelves.values():
        if len(members) > 1:
            rows.append(([float(i in members) for i in range(len(lots))], float(lots[members[0]].supply)))
    for weights in ([float(lot.size) for lot in lots], _works(lots)) if lots else ():
        rows += _shares(lots, weights, level)
    if level.most_time_lost is not None:
        rows.append(([((lot.lost or 0.0) - level.most_time_lost) * lot.size for lot in lots], 0.0))
    return rows


def _shares(lots: Sequence[Lot], weights: Sequence[float], level: Level) -> list[Row]:
    """The caps by place and the share on demand, for one measure of a fleet."""
    rows: list[Row] = []
    if level.most_in_one_place is not None:
        for place in dict.fromkeys(lot.place for lot in lots):
            there = [lot.place == place for lot in lots]
            rows.append(([w * (at - level.most_in_one_place) for w, at in zip(weights, there, strict=True)], 0.0))
    if level.least_on_demand:
        safe = [lot.market == "on-demand" for lot in lots]
        rows.append(([w * (level.least_on_demand - is_safe) for w, is_safe in zip(weights, safe, strict=True)], 0.0))
    return rows


def _solve(lots: Sequence[Lot], objective: Sequence[float], rows: Sequence[Row]) -> Fleet:
    if not lots:
        return []
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp

    matrix, most = np.array([row for row, _ in rows]), np.array([limit for _, limit in rows])
    result = milp(
        np.array(objective),
        integrality=np.ones(len(lots)),
        bounds=Bounds(0, np.array([lot.slices for lot in lots])),
        constraints=LinearConstraint(matrix, -np.inf, most),
        options={"mip_rel_gap": GAP, "time_limit": SECONDS},
    )
    if result.x is None:
        return []
    return [(lot, n) for lot, x in zip(lots, result.x, strict=True) if (n := round(x))]
