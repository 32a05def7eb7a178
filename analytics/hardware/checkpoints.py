"""What interruptions do to a long run: how often to save, and how long the run takes in the end. Hours in, hours out.

Exponential times between interruptions; J. T. Daly, "A higher order estimate of the optimum checkpoint interval for
restart dumps" (FGCS 2006).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from analytics.evidence import Note

DALY_FIRST, DALY_SECOND = 3, 9
"""Denominators of Daly's series (source: Daly 2006, equation 37)."""

LARGEST_EXPONENT = 50.0
"""Beyond e^50 attempts a run never ends in practice (source: our choice; it keeps the arithmetic finite)."""


@dataclass(frozen=True, slots=True)
class Risk:
    """What interrupts a run, in hours: mean time between interruptions (None: not known), mean wait until resumed."""

    mtbi_hours: float | None = None
    mtbi_low: float | None = None
    """lower end of its 95 % interval"""
    down_hours: float | None = None
    shrunk: bool = False
    refused: Note | None = None
    """why it cannot be told, where interruptions were looked for and polls are too far apart"""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What saving and restarting take, in hours."""

    save_hours: float
    restart_hours: float


@dataclass(frozen=True, slots=True)
class Makespan:
    """A run with interruptions: all its hours, those of them that are billed (not waiting), hours between two saves."""

    hours: float
    billed_hours: float
    interval_hours: float
    interruptions: float


def daly_interval(save_hours: float, mtbi_hours: float) -> float:
    """Hours of work between two saves that cost least: Daly's higher-order estimate; the MTBI itself for slow saves."""
    if save_hours >= 2 * mtbi_hours:
        return mtbi_hours
    x = save_hours / (2 * mtbi_hours)
    return math.sqrt(2 * save_hours * mtbi_hours) * (1 + math.sqrt(x) / DALY_FIRST + x / DALY_SECOND) - save_hours


def makespan(
    work_hours: float, mtbi_hours: float, down_hours: float, upkeep: Upkeep, interval: float | None = None
) -> Makespan | None:
    """E = (W/tau)(mu+D) e^{R/mu} (e^{(tau+C)/mu} - 1), exact for exponential times between interruptions.

    ``interval`` (tau) defaults to Daly's. Waiting (D) is not billed. None when the run would practically never end.
    """
    tau = min(work_hours, interval or daly_interval(upkeep.save_hours, mtbi_hours))
    exponent = (tau + upkeep.save_hours + upkeep.restart_hours) / mtbi_hours
    if exponent > LARGEST_EXPONENT:
        return None
    attempts = math.exp(upkeep.restart_hours / mtbi_hours) * math.expm1((tau + upkeep.save_hours) / mtbi_hours)
    interruptions = work_hours / tau * attempts
    billed = interruptions * mtbi_hours
    return Makespan(billed + interruptions * down_hours, billed, tau, interruptions)


def uninterrupted(work_hours: float) -> Makespan:
    """A run of which nothing is known that would interrupt it."""
    return Makespan(work_hours, work_hours, work_hours, 0.0)
