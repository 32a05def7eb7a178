"""One model's hourly prices on a regular grid, and the horizons that are forecast. Stdlib only: answers read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from analytics.market import HourPoint

HORIZONS_H = (1, 6, 24)
"""The horizons that are served, in hours (source: the guide's keys next_1h, next_6h, next_24h)."""

CARRY_H = 3
"""The longest gap in hours over which the last price is carried as an origin (source: definitions, "Forecasts")."""

COLD_H = 24
"""With less history the interval is the pool's and there is no confidence (source: definitions, "Regimes")."""

OWN_H = 14 * 24
"""With this much history the series' own errors fill the window (source: definitions, "Regimes")."""


LAST_VALUE, AGGREGATION = "last_value", "aggregation"
"""What may be served: no change, which is also the expert that every other has to beat, or what the experts make."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A model's prices (micro-dollars) hour by hour from ``start`` on, ``None`` where there is none.

    ``seen`` holds what was observed, and only that is scored; ``held`` has short gaps filled with the last price.
    """

    model: str
    start: int
    seen: tuple[int | None, ...]
    held: tuple[int | None, ...]

    @property
    def end(self) -> int:
        """The last hour of the grid."""
        return self.start + len(self.seen) - 1


def grid(model: str, points: Iterable[HourPoint], until: int) -> Grid | None:
    """The regular hourly grid from a model's first price to hour ``until`` at the latest; None without a price."""
    prices = {point.hour: point.price for point in points if point.price and point.hour <= until}
    if not prices:
        return None
    start = min(prices)
    seen = tuple(prices.get(hour) for hour in range(start, until + 1))
    return Grid(model, start, seen, tuple(_carried(seen)))


def _carried(seen: Iterable[int | None]) -> Iterator[int | None]:
    last, age = None, 0
    for price in seen:
        last, age = (price, 0) if price is not None else (last, age + 1)
        yield last if age <= CARRY_H else None
