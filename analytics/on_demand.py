"""Where renting on demand costs no more than the spot price: who asks for a spot price must hear of it."""

from __future__ import annotations

from collections.abc import Iterable

from analytics.evidence import Note, Usd
from analytics.market import MICRO

MOST_NAMED = 4
"""How many models a sentence names (ours: the columns beside it have all of them)."""


def cheaper_on_demand(prices: Iterable[tuple[str, int | None, int | None]]) -> tuple[Note, ...]:
    """The caveat that names models whose on-demand price is not above their spot price; none where there are none.

    ``prices``: name, spot and on-demand price in micro-dollars per GPU-hour, None where there is none.
    Source: definitions, "Q7 savings".
    """
    found = {name: (spot, other) for name, spot, other in prices if spot and other and other <= spot}
    if not found:
        return ()
    named = [
        Note(
            "{model} ({price} against {spot})", {"model": name, "price": Usd(other / MICRO), "spot": Usd(spot / MICRO)}
        )
        for name, (spot, other) in list(found.items())[:MOST_NAMED]
    ]
    listed: tuple[Note, ...] | Note = tuple(named)
    if len(found) > MOST_NAMED:
        listed = Note("{list} and {n} more", {"list": listed, "n": len(found) - MOST_NAMED})
    return (Note("on demand costs no more than spot now, and is not interrupted: {list}", {"list": listed}),)
