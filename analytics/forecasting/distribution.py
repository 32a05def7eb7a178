"""The predictive distribution of a horizon: how large |log error| will be, from which range and confidence both come.

It is the trailing errors of the series itself, shrunk to those of all models, with its 80 % point where adaptive
conformal inference puts it; over the horizons it is made monotone.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

ALPHA = 0.2
"""The share of outcomes that may fall outside an 80 % interval (source: definitions, "Forecasts")."""

HIT_SHARE = 0.05
"""How far from the forecast an actual price may lie to count as a hit (source: definitions, "Forecasts")."""

HIT_LOG = math.log1p(HIT_SHARE)
"""The same as |log error|, by which range and confidence are compared (source: definitions, "Forecasts")."""

POOL_WEIGHT = 72
"""Pseudo-hours of the pool of all models in a distribution (source: definitions, "Forecasts", confidence)."""

ROUNDING = 1e-9
"""Levels are compared to a billionth, so that 0.8 of ten is eight of them (ours)."""

POOL_POINTS = 256
"""Points that stand for the pool's errors (ours: finer than one of a series' own 336 hours beside its weight)."""


@dataclass(frozen=True, slots=True)
class Stand:
    """What is said at one hour beside the price: the interval's half width in log price, confidence, regime."""

    half: float | None
    confidence: float | None
    regime: str


@dataclass(frozen=True, slots=True)
class Mixture:
    """Errors of a series and of all models, each ascending: the distribution before it is calibrated."""

    own: Sequence[float]
    pooled: Sequence[float]

    def share(self, error: float) -> float:
        """The weight of the errors up to this one, in [0, 1]; there must be some."""
        weight = POOL_WEIGHT if self.pooled else 0
        pooled = bisect_right(self.pooled, error) / len(self.pooled) if self.pooled else 0.0
        return (bisect_right(self.own, error) + weight * pooled) / (len(self.own) + weight)

    def quantile(self, level: float) -> float:
        """The least of the errors up to which the weight is ``level`` or more: between those of the two parts."""
        parts = [part for part in (self.own, self.pooled) if part]
        least, most = sorted(_at(part, level) for part in (parts[0], parts[-1]))
        if least == most or self.share(least) >= level - ROUNDING:
            return least
        return min(most, *(self._first(part, level, least, most) for part in parts))

    def _first(self, errors: Sequence[float], level: float, least: float, most: float) -> float:
        among = range(bisect_right(errors, least), bisect_left(errors, most))
        found = bisect_left(among, True, key=lambda k: self.share(errors[k]) >= level - ROUNDING)
        return errors[among[found]] if found < len(among) else most


def _at(ordered: Sequence[float], level: float) -> float:
    return ordered[max(0, math.ceil(len(ordered) * level - ROUNDING) - 1)]


def thinned(ordered: Sequence[float]) -> Sequence[float]:
    """At most ``POOL_POINTS`` evenly spaced quantiles of errors in ascending order, by which they are told."""
    n = len(ordered)
    if n <= POOL_POINTS:
        return ordered
    return tuple(ordered[(2 * k + 1) * n // (2 * POOL_POINTS)] for k in range(POOL_POINTS))


def calibrated(mixture: Mixture, alpha: float) -> tuple[float, float]:
    """(half width of the 80 % range, chance of a hit) of one distribution, ``alpha`` being the adaptive level.

    The mixture's level 1 - alpha is where 80 % have lately fallen: below it no share is more than 80 %, beyond it none
    is less. So the half width is at most :data:`HIT_LOG` where the chance is above 80 %, and beyond it where it is
    below. Source: Gibbs & Candès 2021 for alpha; the rest is ours, and better calibrated than stretching all shares.
    """
    half, share = mixture.quantile(1 - alpha), mixture.share(HIT_LOG)
    return half, max(share, 1 - ALPHA) if half <= HIT_LOG else min(share, 1 - ALPHA)


def widening(stands: Mapping[int, Stand]) -> dict[int, Stand]:
    """The stands of one hour by horizon, ascending: no range narrower and no chance higher than a nearer one's.

    It is the envelope of the distributions, at each error the least of their shares, so that range and confidence
    still are of one distribution.
    """
    half, chance, result = 0.0, 1.0, {}
    for horizon, stand in stands.items():
        half, chance = max(half, stand.half or 0.0), min(chance, 1.0 if stand.confidence is None else stand.confidence)
        result[horizon] = replace(
            stand,
            half=None if stand.half is None else half,
            confidence=None if stand.confidence is None else chance,
        )
    return result
