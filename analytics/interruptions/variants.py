"""Shadow tenants who look less often or bid otherwise, beside those of the definition: what each of them lives through.

Each lane is one group of such tenants; the sums of a variant's lanes are comparable with ``PLAIN``, which has lived
through the same polls. Source: definitions, "Interruptions", poll thinning.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from analytics.interruptions.shadow_tenants import BID_FACTOR, Book, advance
from analytics.market import MAX_GAP_INTERVALS, Exposure, Poll, Tenant

PHASES = 2
"""Thinned tenants look at every second poll, in as many phases (source: definitions, "Poll thinning")."""


class Variant(enum.StrEnum):
    """What differs; ``PLAIN`` are the tenants of the definition."""

    PLAIN = "plain"
    THINNED = "thinned"
    BID_100 = "bid_100"
    BID_125 = "bid_125"


DEAR = 1.25
"""The highest bid compared, as a multiple of min_bid (ours: a quarter more than the least that holds a slice)."""

BID_FACTORS: Mapping[Variant, float] = {Variant.BID_100: 1.0, Variant.PLAIN: BID_FACTOR, Variant.BID_125: DEAR}
"""The bids compared, as multiples of min_bid (ours: the least that holds a slice, the definition's, and more)."""


@dataclass(frozen=True, slots=True)
class Lane:
    """The tenants of a variant, or of one phase of it, after the last poll that they looked at."""

    variant: Variant
    phase: int = 0
    at: int | None = None
    tenants: tuple[Tenant, ...] = ()


FRESH = (
    *(Lane(Variant.THINNED, phase) for phase in range(PHASES)),
    *(Lane(variant) for variant in BID_FACTORS if variant is not Variant.PLAIN),
)

Lived = Mapping[tuple[int, Variant], Exposure]
"""(day, variant) -> what to add."""


@dataclass(frozen=True, slots=True)
class Moved:
    """All lanes of a model after a poll, and what they lived through on their way."""

    lanes: tuple[Lane, ...]
    lived: Lived


def move(
    lanes: Sequence[Lane],
    poll: Poll,
    book: Book,
    *,
    previous_at: int | None,
    plain: Mapping[tuple[str, int], Exposure] | None,
) -> Moved:
    """Move a model's lanes on to its next complete poll; of the thinned ones that which last looked longest ago.

    ``previous_at``: as for :func:`advance`; where ``PLAIN`` is censored as a whole, so is every lane. ``plain``: what
    the tenants of the definition lived through. Never raises. Source: definitions, "Poll thinning".
    """
    if previous_at is None or poll.at - previous_at > MAX_GAP_INTERVALS * poll.interval:
        lanes = FRESH
    turn = min((lane for lane in lanes if lane.variant is Variant.THINNED), key=_looked, default=None)
    moved, lived = [], {(day, Variant.PLAIN): sums for day, sums in _by_day(plain or {}).items()}
    for lane in lanes:
        if lane.variant is Variant.THINNED and lane is not turn:
            moved.append(lane)
            continue
        steps = PHASES if lane is turn else 1
        shadow = advance(
            lane.tenants,
            poll,
            previous_at=lane.at,
            interval=steps * poll.interval,
            bid_factor=BID_FACTORS.get(lane.variant, BID_FACTOR),
            book=book,
        )
        moved.append(replace(lane, at=poll.at, tenants=shadow.tenants))
        lived |= {(day, lane.variant): sums for day, sums in _by_day(shadow.exposure or {}).items()}
    return Moved(tuple(moved), lived)


def _looked(lane: Lane) -> tuple[int, int]:
    return lane.at or 0, lane.phase


def _by_day(exposure: Mapping[tuple[str, int], Exposure]) -> dict[int, Exposure]:
    days: dict[int, Exposure] = {}
    for (_, hour), sums in exposure.items():
        days[hour // 24] = days.get(hour // 24, Exposure()) + sums
    return days


def summed(lived: Iterable[Lived]) -> dict[Variant, Exposure]:
    """What variants lived through on all days together."""
    found: dict[Variant, Exposure] = {}
    for some in lived:
        for (_, variant), sums in some.items():
            found[variant] = found.get(variant, Exposure()) + sums
    return found
