"""What stored forecasts say of low prices: the lowest that they put the market at or below, with a probability.

A forecast states two probabilities: 80 % that the price lands in its range, and its confidence that it lands within
±5 %. Either puts the market at or below the upper end of its interval with at least that probability. Nothing is
interpolated between them, and no symmetry is assumed: more than the greater of the two is not foretold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from analytics.forecasting.distribution import ALPHA, HIT_SHARE
from analytics.forecasting.forecasts import Forecast
from analytics.market import HOUR


def within_window(forecasts: Iterable[Forecast], at: int, window: int) -> list[Forecast]:
    """The forecasts of hours that are not over at ``at`` and begin within ``window`` seconds."""
    return [forecast for forecast in forecasts if at - HOUR < forecast.target_at <= at + window]


def below(forecasts: Iterable[Forecast], probability: float) -> int | None:
    """The lowest price (micro-dollars) that the market is at or below at one of these hours, with ``probability``.

    None: no forecast says anything with that probability. "At one of the hours" is at least as probable as at each.
    """
    return min((price for forecast in forecasts for price in _ceilings(forecast, probability)), default=None)


def _ceilings(forecast: Forecast, probability: float) -> Iterator[int]:
    if forecast.hi80 is not None and probability <= 1 - ALPHA:
        yield forecast.hi80
    if forecast.confidence is not None and probability <= forecast.confidence:
        yield math.floor(round(forecast.price * (1 + HIT_SHARE), 6))
