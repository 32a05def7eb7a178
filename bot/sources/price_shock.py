"""A price that falls for a while on the simulated market, so that alerts can be watched at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from analytics.market import Offer

PERCENT = 70
"""What the bids are of what they were (ours: far beyond what this market moves by itself in an hour)."""

DELAY_S, LASTS_S = 45, 600
"""Seconds until it begins, enough to type an alert, and that it lasts, enough for two polls a minute apart."""


@dataclass(frozen=True, slots=True)
class PriceShock:
    """From ``begins`` until ``ends`` (UTC seconds) the bids for one model are ``percent`` of what they would be."""

    model: str
    begins: int
    ends: int
    percent: int = PERCENT

    def applied(self, offers: Sequence[Offer], at: int) -> tuple[Offer, ...]:
        """The offers as they are at that second."""
        if not self.begins <= at < self.ends:
            return tuple(offers)
        return tuple(self._moved(offer) if offer.model == self.model else offer for offer in offers)

    def _moved(self, offer: Offer) -> Offer:
        return offer if offer.min_bid is None else replace(offer, min_bid=offer.min_bid * self.percent // 100)
