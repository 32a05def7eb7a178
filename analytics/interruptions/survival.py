"""How long a tenancy lasts: the survival curve of tenants who start now, from a life table.

The hazard is constant within an age bin (events / time at risk: the limit of Kaplan-Meier for grouped ages, in which
censored tenancies and late entries count for the time they were seen). Source: definitions, "Interruptions".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analytics.interruptions.thinning import JEFFREYS
from analytics.market import AGE_BINS_H, HOUR, LifeTable

PRIOR_EVENTS = 1.0
"""What the mean hazard of all ages weighs in each bin, in events (ours: one, so that no empty bin is safe)."""

Z_95, Z_ONE_SIDED_95 = 1.959964, 1.644854
"""Normal quantiles of a two-sided 95 % interval and a one-sided 5 % bound (source: standard normal distribution)."""

MEDIAN_PRECISION_H = 1 / 60
"""The median is found to the minute (ours: finer than any poll interval)."""

_STARTS = (0.0, *AGE_BINS_H)
_ENDS = (*AGE_BINS_H, math.inf)
_MIDDLES = tuple(start if math.isinf(end) else (start + end) / 2 for start, end in zip(_STARTS, _ENDS, strict=True))


@dataclass(frozen=True, slots=True)
class Chance:
    """A probability with its one-sided lower 5 % bound and two-sided 95 % interval."""

    value: float
    lower_5: float
    low_95: float
    high_95: float


@dataclass(frozen=True, slots=True)
class Curve:
    """A fitted survival curve: hazards per hour and their variances by age bin, and where a new tenant may start."""

    hazards: tuple[float, ...]
    variances: tuple[float, ...]
    weights: tuple[float, ...]

    def survival(self, hours: float) -> float:
        """P(a tenant who starts now runs for ``hours`` without interruption)."""
        return math.fsum(weight * math.exp(-self._cumulative(age, hours)) for weight, age in self._starts())

    def chance(self, hours: float) -> Chance:
        """The same with its uncertainty: Greenwood-like, complementary log-log so that bounds stay in (0, 1)."""
        value = self.survival(hours)
        slopes = [0.0] * len(self.hazards)
        for weight, age in self._starts():
            spent = _spent(age, hours)
            alive = weight * math.exp(-self._cumulative(age, hours))
            for index, time in enumerate(spent):
                slopes[index] += alive * time
        error = math.sqrt(math.fsum(s * s * v for s, v in zip(slopes, self.variances, strict=True)))
        # Beyond double precision nobody survives, or nothing can happen: there is no scale to bound on.
        if not 0 < value < 1:
            return Chance(value, value, value, value)
        scale, middle = error / (value * -math.log(value)), math.log(-math.log(value))

        def at(z: float) -> float:
            return math.exp(-math.exp(middle + z * scale))

        return Chance(value, at(Z_ONE_SIDED_95), at(Z_95), at(-Z_95))

    def median(self, longest: float) -> float | None:
        """Hours after which half are interrupted; None when that is later than ``longest``."""
        if self.survival(longest) > 1 / 2:
            return None
        low, high = 0.0, longest
        while high - low > MEDIAN_PRECISION_H:
            middle = (low + high) / 2
            low, high = (middle, high) if self.survival(middle) > 1 / 2 else (low, middle)
        return high

    def _starts(self) -> list[tuple[float, float]]:
        return [(weight, age) for weight, age in zip(self.weights, _MIDDLES, strict=True) if weight]

    def _cumulative(self, age: float, hours: float) -> float:
        return math.fsum(h * time for h, time in zip(self.hazards, _spent(age, hours), strict=True))


def _spent(age: float, hours: float) -> Sequence[float]:
    """Hours that a tenancy of that age spends in each age bin over the next ``hours``."""
    return [max(0.0, min(age + hours, end) - max(age, start)) for start, end in zip(_STARTS, _ENDS, strict=True)]


def fit(life: LifeTable, *, correction: float = 1.0, overdispersion: float | None = None) -> Curve | None:
    """The curve of tenants who start now; None when nothing was at risk.

    A tenant who starts now takes a slice that is free now, and those have been free for as long as the shadow tenants
    on them have run: ages are distributed like the time at risk, so the curve is sum over ages of
    weight(age) x S(age + h) / S(age). ``correction``: corrected over plain rate (:func:`interruptions.estimate`).
    ``overdispersion``: so many interruptions count as one independent one in the variances; None counts each.
    """
    at_risk = [seconds / HOUR for seconds in life.at_risk_s]
    hours, events = math.fsum(at_risk), sum(life.events)
    if not hours:
        return None
    mean = (events + JEFFREYS) / hours
    shapes = [k + PRIOR_EVENTS for k in life.events]
    times = [t + PRIOR_EVENTS / mean for t in at_risk]
    return Curve(
        hazards=tuple(correction * shape / time for shape, time in zip(shapes, times, strict=True)),
        variances=tuple(
            (overdispersion or 1.0) * correction**2 * shape / time**2 for shape, time in zip(shapes, times, strict=True)
        ),
        weights=tuple(t / hours for t in at_risk),
    )
