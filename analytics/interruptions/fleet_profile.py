"""One rhythm of the week for the whole fleet, each model's own departure from it, and what both foretell."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analytics.interruptions.ridge_poisson import STEPS, TOLERANCE, expected_events, ridge
from analytics.interruptions.weekly_hazard import (
    DAY_HOURS,
    MIN_EVENTS,
    MIN_WEEKS,
    SAFEST_SHARE,
    WEEK,
    HazardProfile,
    Hours,
)
from analytics.market import HOUR, HourOfWeek

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FLEET_SD = 0.35
"""Prior standard deviation of the fleet's coefficients (ours: of a twofold daily rhythm the log-hazard's amplitude)."""

OWN_SD = 0.08
"""Prior standard deviation of a model's departure from the fleet (ours: a quarter of the fleet's, thus a penalty some
twenty times as large)."""

FINER = 0.5
"""Prior spread of the second harmonic, the weekend and the interaction beside the first harmonic's (ours: a day has
mostly one rise and one fall; t of the benchmark's held-out days grows by a tenth)."""

SATURDAY = 5
"""The day of the week on which weekends begin, UTC, Monday being 0 (source: the calendar)."""

FIRST_HELD_OUT = MIN_WEEKS - 1
"""Weeks that are only learnt from (source: definitions, "Q10")."""

MIN_T = 2.326348
"""The fleet's t over days from which it publishes (source: standard normal distribution, one-sided 1 %; the
highest of 3000 fleets without a rhythm, of 4 to 12 weeks and with waves of up to .8 on log-hazards, was 1.98)."""


@dataclass(frozen=True, slots=True)
class _Grid:
    """Events and held hours as (model, week, hour of that week) and the basis as (hour of week, coefficient)."""

    models: tuple[str, ...]
    events: Array
    held: Array
    basis: Array
    first_hour: int

    def before(self, week: int) -> _Grid:
        """Only the weeks before one."""
        return self._of(list(range(week)))

    def without(self, week: int) -> _Grid:
        """All weeks but one."""
        return self._of([other for other in range(self.events.shape[1]) if other != week])

    def _of(self, weeks: list[int]) -> _Grid:
        return _Grid(self.models, self.events[:, weeks], self.held[:, weeks], self.basis, self.first_hour)


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """The log-hazard ratios foretold for held-out weeks, and what came: arrays (model, week, hour)."""

    log_ratio: Array
    events: Array
    held: Array


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What held-out weeks say: of the fleet, and by model the gain and the loss of even hours.

    ``slope``, ``met`` and ``weeks`` are of weeks foretold from those before them, the others of weeks foretold from all
    others.
    """

    slope: float
    pooled_t: float | None
    met: float | None
    weeks: int
    gains: Sequence[float]
    losses: Sequence[float]


def fit(exposures: Mapping[str, Hours]) -> dict[str, HazardProfile]:
    """The profile of each model that was interrupted, from its hours (UTC, ascending); hazards over the average hour's.

    Ridge quasi-Poisson: log-hazard = level of the model's week + basis @ (fleet + own), basis of two daily harmonics,
    weekend, and weekend x first harmonic; ``own`` is shrunk much more than ``fleet``, and both the more the more
    interruptions bunch within days. All is shrunk again by the slope of what was met on what was claimed in held-out
    weeks, each foretold from those before it, because a rhythm that fades or moves must lower the claim. Whether there
    is a rhythm at all is asked of every week, foretold from all others: four weeks then have 28 days to answer with.
    Source: definitions, "Q10"; McCullagh and Nelder 1989, chapter 9 (quasi-likelihood); Stone 1974 (cross-validation).
    """
    grid = _grid(exposures)
    if grid is None:
        return {}
    verdict = _verdict(grid)
    ratios = verdict.slope * (_coefficients(grid) @ grid.basis.T)
    return {model: _profile(exposures[model], grid, ratios[n], verdict, n) for n, model in enumerate(grid.models)}


def window_report(fitted: Mapping[str, HazardProfile], models: int) -> dict[str, int | float | None]:
    """How safe windows fare: models that publish, of how many, the skill in held-out weeks, the risk claimed and met.

    ``fitted``: the profiles of :func:`fit`; ``models``: how many were given to it. ``skill_percent``: mean over the
    models; ``claimed_risk`` and ``met_risk``: hazard of the safest quarter of the week over that of all hours, as the
    profiles have it (mean) and as held-out weeks had it (the fleet). None where no week can be held out.
    """
    found = list(fitted.values())
    skills = [one.skill for one in found if one.skill is not None]
    claims = [one.claimed_risk for one in found if one.met_risk is not None]
    return {
        "published": sum(one.published for one in found),
        "models": models,
        "skill_percent": round(100 * math.fsum(skills) / len(skills), 3) if skills else None,
        "claimed_risk": round(math.fsum(claims) / len(claims), 4) if claims else None,
        "met_risk": found[0].met_risk if found else None,
    }


def _grid(exposures: Mapping[str, Hours]) -> _Grid | None:
    """None without an interruption. Weeks are counted from the first hour's midnight: nothing later moves them."""
    import numpy as np

    lived = {model: hours for model, hours in exposures.items() if any(one.events for _, one in hours)}
    if not lived:
        return None
    first = min(hours[0][0] for hours in lived.values()) // DAY_HOURS * DAY_HOURS
    weeks = (max(hours[-1][0] for hours in lived.values()) - first) // WEEK + 1
    events, held = np.zeros((2, len(lived), weeks * WEEK))
    for row, hours in enumerate(lived.values()):
        at = np.array([hour for hour, _ in hours]) - first
        events[row, at] = [one.events for _, one in hours]
        held[row, at] = [one.held_s / HOUR for _, one in hours]
    shape = (len(lived), weeks, WEEK)
    # an interruption seen in an hour without exposure belongs to no hour's hazard
    events[held == 0] = 0.0
    return _Grid(tuple(lived), events.reshape(shape), held.reshape(shape), _basis(first), first)


def _basis(first_hour: int) -> Array:
    """Two daily harmonics, weekend, and weekend x first harmonic at the 168 hours from ``first_hour`` on, UTC."""
    import numpy as np

    cell = (HourOfWeek.index_of(first_hour) + np.arange(WEEK)) % WEEK
    angle = 2 * math.pi * cell / DAY_HOURS
    weekend = (cell >= SATURDAY * DAY_HOURS).astype(float)
    first = np.stack([np.cos(angle), np.sin(angle)])
    finer = np.stack([np.cos(2 * angle), np.sin(2 * angle), weekend, *(weekend * first)])
    return np.concatenate([first, FINER * finer]).T


def _coefficients(grid: _Grid) -> Array:
    """(model, coefficient): the fleet's and, where there is more than one model, each model's departure."""
    import numpy as np

    basis, zero = grid.basis, np.zeros(grid.basis.shape[1])
    rows = (grid.events.reshape(-1, WEEK), grid.held.reshape(-1, WEEK))
    fleet = ridge(*rows, basis, zero, FLEET_SD**-2)
    fleet = ridge(*rows, basis, zero, _dispersion(grid, fleet, together=True) * FLEET_SD**-2)
    if len(grid.models) == 1:
        return fleet[None, :]
    weight = _dispersion(grid, fleet, together=False) * OWN_SD**-2
    pairs = zip(grid.events, grid.held, strict=True)
    return np.stack([ridge(events, held, basis, fleet, weight) for events, held in pairs])


def _dispersion(grid: _Grid, coefficients: Array, *, together: bool) -> float:
    """By how much the scores of days scatter more than Poisson's, at least 1; ``together``: the fleet's days as one.

    Models are interrupted in the same waves, which last for hours, so a day is the smallest unit that may count as
    independent. Trace of the days' squared scores over that of the information (source: Liang and Zeger 1986).
    """
    expected, information = expected_events(grid.events, grid.held, grid.basis, coefficients)
    by_day = (grid.events - expected).reshape(*grid.events.shape[:2], -1, DAY_HOURS)
    scores = (by_day[..., None] * grid.basis.reshape(-1, DAY_HOURS, grid.basis.shape[1])).sum(axis=-2)
    if together:
        scores = scores.sum(axis=0)
    spread, curvature = float((scores**2).sum()), float(information.trace())
    days = grid.events.shape[1] * WEEK // DAY_HOURS
    freedom = max(1, days - len(coefficients))
    return max(1.0, spread / curvature * days / freedom) if curvature else 1.0


def _held_out(grid: _Grid) -> _HeldOut | None:
    """Each week after the first three, foretold only from all before it; a last week that has not half begun is not."""
    weeks = range(FIRST_HELD_OUT, _weeks(grid))
    return _foretold(grid, weeks, grid.before) if weeks else None


def _left_out(grid: _Grid) -> _HeldOut:
    """Each week, foretold from all others; a last week that has not half begun is only learnt from."""
    return _foretold(grid, range(_weeks(grid)), grid.without)


def _weeks(grid: _Grid) -> int:
    """Weeks with records, a last one only once it has half passed."""
    import numpy as np

    lived = np.flatnonzero(grid.held.sum(axis=0).reshape(-1))
    return (int(lived[-1]) + WEEK // 2) // WEEK


def _foretold(grid: _Grid, weeks: range, known: Callable[[int], _Grid]) -> _HeldOut:
    import numpy as np

    log_ratios = [_coefficients(known(week)) @ grid.basis.T for week in weeks]
    span = slice(weeks.start, weeks.stop)
    return _HeldOut(np.stack(log_ratios, axis=1), grid.events[:, span], grid.held[:, span])


def _verdict(grid: _Grid) -> _Verdict:
    held_out = _held_out(grid)
    if held_out is None:
        nothing = [0.0] * len(grid.models)
        return _Verdict(0.0, None, None, 0, nothing, nothing)
    left_out = _left_out(grid)
    return _Verdict(
        slope=_slope(held_out),
        pooled_t=_pooled_t(left_out),
        met=_met(held_out),
        weeks=held_out.events.shape[1],
        gains=_gains(left_out, WEEK).sum(axis=1).tolist(),
        losses=_even_loss(left_out).tolist(),
    )


def _profile(hours: Hours, grid: _Grid, log_ratio: Array, verdict: _Verdict, row: int) -> HazardProfile:
    import numpy as np

    relative = np.roll(np.exp(log_ratio), HourOfWeek.index_of(grid.first_hour))
    relative = relative / relative.mean()
    gain, t = verdict.gains[row], verdict.pooled_t
    events, weeks = sum(one.events for _, one in hours), len(hours) / WEEK
    foretold = t is not None and t > MIN_T and gain > 0 and verdict.slope > 0
    return HazardProfile(
        relative=tuple(round(ratio, 5) for ratio in relative.tolist()),
        amplitude=round(float(relative.max() / relative.min()), 4),
        own_gain=round(gain, 4) if verdict.weeks else None,
        skill=round(gain / verdict.losses[row], 5) if verdict.losses[row] else None,
        pooled_t=None if t is None else round(t, 3),
        held_out_weeks=verdict.weeks,
        weeks=round(weeks, 2),
        events=events,
        published=foretold and events >= MIN_EVENTS and weeks >= MIN_WEEKS,
        claimed_risk=round(float(np.sort(relative)[: round(SAFEST_SHARE * WEEK)].mean()), 4),
        met_risk=None if verdict.met is None else round(verdict.met, 4),
    )


def _slope(held_out: _HeldOut) -> float:
    """What was met for each unit of log-hazard ratio that was claimed: the Poisson slope, within [0, 1]."""
    import numpy as np

    slope, (ratio, events) = 0.0, (held_out.log_ratio, held_out.events)
    totals = events.sum(axis=-1, keepdims=True)
    for _ in range(STEPS):
        weighted = held_out.held * np.exp(slope * ratio)
        shares = weighted / np.maximum(weighted.sum(axis=-1, keepdims=True), TOLERANCE)
        means = (shares * ratio).sum(axis=-1, keepdims=True)
        curvature = float((totals * shares * (ratio - means) ** 2).sum())
        if not curvature:
            return 0.0
        step = float(((events - totals * shares) * ratio).sum()) / curvature
        slope += max(-1.0, min(1.0, step))
        if abs(step) < TOLERANCE:
            break
    return max(0.0, min(1.0, slope))


def _gains(held_out: _HeldOut, span: int) -> Array:
    """(model, day): log-likelihood gained over even hours, given the interruptions of each ``span`` (a day, a week)."""
    import numpy as np

    shape = (len(held_out.events), -1, span)
    events, held, log_ratio = (of.reshape(shape) for of in (held_out.events, held_out.held, held_out.log_ratio))
    total, even = (held * np.exp(log_ratio)).sum(axis=-1, keepdims=True), held.sum(axis=-1, keepdims=True)
    norm = np.log(np.divide(total, even, out=np.ones_like(total), where=even > 0))
    gains: Array = events * (log_ratio - norm)
    by_day: Array = gains.reshape(len(gains), -1, DAY_HOURS).sum(axis=-1)
    return by_day


def _pooled_t(held_out: _HeldOut) -> float | None:
    """Student's t of the fleet's gain over days: models share waves, so one day of all of them is one case.

    Given each day's interruptions, because how many a day has, which waves decide, says nothing of its hours, yet given
    the week's it is most of the scatter.
    """
    gains = _gains(held_out, DAY_HOURS).sum(axis=0)
    days: Array = gains[held_out.held.sum(axis=0).reshape(-1, DAY_HOURS).sum(axis=1) > 0]
    error = float(days.std(ddof=1)) / math.sqrt(len(days)) if len(days) > 1 else 0.0
    return float(days.mean()) / error if error else None


def _met(held_out: _HeldOut) -> float | None:
    """Interruptions in each week's safest quarter, as foretold, over those that even hours would have had there."""
    import numpy as np

    quarter = round(SAFEST_SHARE * WEEK)
    safest = np.argsort(held_out.log_ratio, axis=-1, kind="stable")[..., :quarter]
    events, held = (np.take_along_axis(of, safest, axis=-1).sum(axis=-1) for of in (held_out.events, held_out.held))
    total = held_out.held.sum(axis=-1)
    even = np.divide(held * held_out.events.sum(axis=-1), total, out=np.zeros_like(held), where=total > 0).sum()
    return float(events.sum() / even) if even else None


def _even_loss(held_out: _HeldOut) -> Array:
    """(model): minus the log-likelihood of events at their week's own even rate an hour."""
    import numpy as np

    events, held = held_out.events.sum(axis=-1), held_out.held.sum(axis=-1)
    loss: Array = (events * (1 - np.log(np.where(events > 0, events / np.maximum(held, TOLERANCE), 1.0)))).sum(axis=-1)
    return loss
