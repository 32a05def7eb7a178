"""When a period is news: by more than what prices do on most days."""

from __future__ import annotations

import math

from analytics.answers.digest_prices import Judged, Moved

FAR = 2.0
"""A move is far where it is so many times the edge of its usual range (ours: measured on 20 models of the demo's market
over 51 days, 1.1 % of changes are, and on 9 days at least one; 6.2 % lie outside at all, on 39 days at least one)."""

BY_CHANCE = 0.07
"""Share of the models that move, or become cheap, on a day of no news (ours: measured as above, 6.2 % and 5.6 %)."""

RARE = 0.15
"""How likely as many by chance alone may be for it to be news (ours: one morning in seven)."""


def is_news(prices: Judged, fired: int) -> bool:
    """Whether an alert fired, a price moved far, or more models moved or became cheap than chance would have.

    Being cheap for days is no news; becoming so is.
    """
    became = sum(one.new for one in prices.cheap)
    return (
        fired > 0
        or any(map(is_far, prices.moved))
        or len(prices.moved) >= enough(prices.changes)
        or became >= enough(prices.months)
    )


def is_far(moved: Moved) -> bool:
    """Whether a change is :data:`FAR` times beyond its usual range."""
    edge = moved.usual_high_percent if moved.change_percent > 0 else moved.usual_low_percent
    return abs(moved.change_percent) >= FAR * abs(edge)


def enough(models: int) -> int:
    """The smallest number of so many models that chance alone reaches rarely enough."""
    chance, below = 0.0, 0
    while below <= models:
        chance += math.comb(models, below) * BY_CHANCE**below * (1 - BY_CHANCE) ** (models - below)
        below += 1
        if 1 - chance <= RARE:
            break
    return max(1, below)
