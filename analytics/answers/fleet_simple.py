"""The simplest fleet (Q3): few lines, one region where that does nearly as much work as the best."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analytics.answers.fleet_program import (
    SUMS,
    Fleet,
    Level,
    Lot,
    Row,
    allowed,
    cost,
    held,
    limits,
    most_work,
    solve,
    work_of,
)

NEAR = 0.03
"""A simpler fleet may do so much less than the best (source: definitions, "Q3 fleet-strategy")."""

LINES = 3
"""The most lines of a simple fleet, where so few come near (source: definitions, "Q3 fleet-strategy")."""

REGION = LINES + 1
"""A region more weighs as much as so many lines (ours: more than all, so one region comes before few lines)."""

CANDIDATES = 24
"""Lots of each market that a simple fleet may be made of (ours: those that alone do most for the budget)."""

EXACT = 1e-3
"""Gap of the solver where lines are counted (ours: far below one line)."""


def simplest(lots: Sequence[Lot], level: Level, budget: int, hours: float, most: Fleet) -> Fleet:
    """The fleet of fewest regions, then lines, that does nearly what ``most`` does; micro-dollars, hours of a month.

    At most ``LINES`` lines where these come near, else as few as do; ``most`` where none was found. Source:
    definitions, "Q3 fleet-strategy".
    """
    if len(most) <= 1:
        return most
    chosen = _candidates(lots, level, budget, hours, most)
    if not chosen:
        return most
    least = (1 - NEAR) * work_of(most)
    for lines in (LINES, None):
        fleet = _few(chosen, level, budget, hours, least, lines)
        if fleet and work_of(fleet) >= least:
            return most if len(most) <= len(fleet) else fleet
    return most


def _candidates(lots: Sequence[Lot], level: Level, budget: int, hours: float, most: Fleet) -> list[Lot]:
    """Of each market the lots that alone do most, those of ``most`` among them."""

    def alone(lot: Lot) -> float:
        return lot.work * lot.size * min(lot.slices, budget // max(1, lot.cost(hours)))

    used = {id(lot) for lot, _ in most}
    found = []
    for market in ("spot", "on-demand"):
        there = [lot for lot in allowed(lots, level) if lot.market == market and lot.cost(hours) <= budget]
        there.sort(key=lambda lot: (id(lot) in used, alone(lot)), reverse=True)
        found += there[:CANDIDATES]
    return found


def _few(lots: Sequence[Lot], level: Level, budget: int, hours: float, near: float, most_lines: int | None) -> Fleet:
    """The fewest regions and lines with at least ``near`` work."""
    regions = sorted({lot.region for lot in lots})
    spent = {i: lot.cost(hours) / budget for i, lot in enumerate(lots)}
    switches = _switched(lots, level, budget, hours, regions, most_lines)
    rows = [*limits(lots, level), (spent, -math.inf, 1.0), *switches]
    scale = max(lot.work * lot.size for lot in lots)
    rows.append(({i: lot.work * lot.size / scale for i, lot in enumerate(lots)}, near / scale, math.inf))
    weights = [1.0] * len(lots) + [float(REGION)] * len(regions)
    fleet = solve(lots, [0.0] * len(lots), rows, held(lots, level), EXACT, weights) or []
    if not fleet:
        return []
    better = most_work([lot for lot, _ in fleet], level, budget, hours) or []
    fitting = [each for each in (better, fleet) if each and cost(each, hours) <= budget]
    return max(fitting, key=work_of, default=[])


def _switched(
    lots: Sequence[Lot], level: Level, budget: int, hours: float, regions: Sequence[str], most_lines: int | None
) -> list[Row]:
    """A lot is taken only if its switch is on, that only if its region's is, and no more than so many are on."""
    first = len(lots) + SUMS + len(held(lots, level))
    rows: list[Row] = []
    for i, lot in enumerate(lots):
        most = min(lot.slices, budget // max(1, lot.cost(hours)))
        rows.append(({i: 1.0, first + i: -float(most)}, -math.inf, 0.0))
        rows.append(({first + i: 1.0, first + len(lots) + regions.index(lot.region): -1.0}, -math.inf, 0.0))
    if most_lines is None:
        return rows
    return [*rows, (dict.fromkeys(range(first, first + len(lots)), 1.0), -math.inf, float(most_lines))]
