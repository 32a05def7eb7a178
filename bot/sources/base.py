"""What every source of the market hands on: one ``Fetch`` per service name, whole or marked as not whole."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from analytics.market import MICRO, Offer, Poll, Quality

Reserve = Callable[[int], Awaitable[None]]
"""Called before rows are asked for, with how many more than before the answer may hold; what it raises is not asked."""

PROBE_ROWS = 16
"""Rows of one probe's answer at most: enough to prove that a rule is met (ours)."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """One look at one service name. Models that share a name (A100 40 and 80 GB) have polls of one quality."""

    vast_name: str
    at: int
    polls: tuple[Poll, ...]
    """one per model of the name; a known model without rows has an empty poll"""
    quality: Quality
    rows: int = 0
    """rows the service delivered, which is what it counts against the day"""
    requests: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    """unusable rows by reason"""
    note: str = ""
    """English, for the log and the operator: why it is not complete, or what was learned"""
    retry_after: float | None = None
    """seconds before which asking again is pointless"""
    learned_limit: int | None = None
    """rows a day, as the service said when it refused"""
    quota_reset_at: int | None = None
    clock_skew: float | None = None
    """seconds by which the service's clock is ahead of ours, None where it does not tell the time"""

    @property
    def closed_until(self) -> int:
        """UTC second before which nothing may be asked of this source; 0 when it is open."""
        waiting = 0 if self.retry_after is None else self.at + math.ceil(self.retry_after)
        return max(waiting, self.quota_reset_at or 0)


@dataclass(frozen=True, slots=True)
class Survey:
    """How many rentable offers each service name has: a count, or shares of a random sample when ``sampled``."""

    rows_by_name: Mapping[str, int]
    sampled: bool
    fetch: Fetch
    """what it cost and whether it worked; without polls"""


@dataclass(frozen=True, slots=True)
class ProbeQuery:
    """A search for rentable verified slices that would satisfy a rule; it costs nothing while there are none."""

    vast_name: str
    num_gpus: int
    most_bid: int | None = None
    """slices of exactly ``num_gpus`` at this bid or less, in micro-dollars per GPU; None: of at least so many"""
    known_machines: frozenset[int] = frozenset()
    """machines whose slices are not asked for"""

    def filters(self) -> dict[str, dict[str, Any]]:
        """The search in Vast's query language, which prices whole slices."""
        same: dict[str, dict[str, Any]] = {"gpu_name": {"eq": self.vast_name}, "verified": {"eq": True}}
        if self.most_bid is None:
            known = {"machine_id": {"notin": sorted(self.known_machines)}} if self.known_machines else {}
            return {**same, "num_gpus": {"gte": self.num_gpus}, **known}
        bids = {"gt": 0, "lte": round(self.most_bid * self.num_gpus / MICRO, 6)}
        return {**same, "num_gpus": {"eq": self.num_gpus}, "min_bid": bids}

    def meets(self, offer: Offer) -> bool:
        """Whether an offer is one that was asked for."""
        if not (offer.rentable and offer.verified):
            return False
        if self.most_bid is None:
            return offer.num_gpus >= self.num_gpus and offer.machine_id not in self.known_machines
        return offer.num_gpus == self.num_gpus and offer.min_bid is not None and offer.min_bid <= self.most_bid


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What a probe brought. No ``offers`` in a complete fetch: there are none such."""

    offers: tuple[Offer, ...]
    sampled: bool
    """whether there may be more than these"""
    ignored: int
    """rows that were not asked for: the service does not apply the filter"""
    fetch: Fetch
    """what it cost and whether it worked; without polls"""


class Source(Protocol):
    """A market that can be asked for one service name at a time."""

    async def fetch(
        self,
        vast_name: str,
        *,
        at: int,
        interval: int,
        models: Sequence[str],
        max_rows: int | None = None,
        reserve: Reserve | None = None,
    ) -> Fetch:
        """Look at one name at UTC second ``at`` for at most ``max_rows`` rows. A refusal is a Fetch, no exception."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...
