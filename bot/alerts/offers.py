"""Which offers a rule for renters means, and what a message tells of each."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from analytics.market import STORAGE_MONTH_HOURS, Offer
from analytics.slices import minimal_slices
from bot.alerts.places import within
from bot.alerts.rules import PPM, OfferFilter, Rule

MOST_MATCHES = 1000
"""Machines that a reading tells of, the cheapest (ours: more than a model has; a rule remembers as many)."""

MOST_LISTED = 10
"""Machines that one message lists; more are counted (ours: people rent one of the cheapest)."""


@dataclass(frozen=True, slots=True)
class Match:
    """The cheapest slice of a machine that matches a rule, as it was when that was decided."""

    machine_id: int
    offer_id: int | None
    num_gpus: int
    price: int
    """micro-dollars per GPU-hour, with the disk that the rule asks for"""
    bid: int
    """micro-dollars per GPU-hour without disk"""
    region: str
    reliability_ppm: int | None
    end_date: int | None


def lowest_bid(offers: Iterable[Offer], region: str) -> int | None:
    """The lowest bid per GPU-hour of rentable verified slices in a place: no match of a rule there costs less."""
    return min((offer.min_bid for offer in offers if offer.min_bid and _rentable(offer, region)), default=None)


@dataclass(frozen=True, slots=True)
class OfferBook:
    """What can be rented in a place, sorted once for all rules that watch it."""

    offers: tuple[Offer, ...]
    by_bid: tuple[int, ...]
    """positions in ``offers``, the lowest bid first"""
    bids: tuple[int, ...]
    """the bids in that order"""
    found: dict[tuple[OfferFilter, int], tuple[Match, ...]] = field(default_factory=dict)
    """what rules of the same filter and limit match, worked out once"""


def offer_book(offers: Iterable[Offer], region: str, at: int = 0) -> OfferBook:
    """The rentable verified slices with a bid in a place; one whose end has come by ``at`` takes nobody."""
    some = tuple(
        offer
        for offer in offers
        if offer.min_bid and _rentable(offer, region) and (offer.end_date is None or offer.end_date > at)
    )
    by_bid = sorted(range(len(some)), key=lambda n: some[n].min_bid or 0)
    return OfferBook(some, tuple(by_bid), tuple(some[n].min_bid or 0 for n in by_bid))


def matches(offers: Iterable[Offer], rule: Rule, at: int = 0) -> tuple[Match, ...]:
    """What matches a rule at a second, of offers that no other rule looks at."""
    return matching(offer_book(offers, rule.series.region, at), rule)


def matching(book: OfferBook, rule: Rule) -> tuple[Match, ...]:
    """Of each machine that matches the cheapest slice, the cheapest machine first; the book is of the rule's place.

    A slice that holds a smaller one that matches as well is left out, so that nobody pays for more than was asked for.
    """
    key = rule.wanted, rule.limit
    if key not in book.found:
        book.found[key] = _matching(book, rule)
    return book.found[key]


def _matching(book: OfferBook, rule: Rule) -> tuple[Match, ...]:
    wanted = rule.wanted
    cheap = book.by_bid[: bisect_left(book.bids, rule.limit)]  # disk only adds to a bid
    some = [
        offer
        for offer in (book.offers[n] for n in sorted(cheap))
        if offer.num_gpus >= wanted.gpus
        and _serves(offer, wanted)
        and (price := all_in(offer, wanted.disk_gb)) is not None
        and rule.met(price)
    ]
    ranked = sorted((_match(offer, wanted.disk_gb) for offer in minimal_slices(some)), key=_rank)
    return _one_a_machine(ranked)[:MOST_MATCHES]


def all_in(offer: Offer, disk_gb: int) -> int | None:
    """Micro-dollars per GPU-hour with so much disk, rounded up; None where the bid or the price of disk is unknown.

    Source: references/vast-market-api: storage_cost is told per GB and month, and a month is 720 hours.
    """
    if not offer.min_bid:
        return None
    if not disk_gb:
        return offer.min_bid
    if offer.storage_cost is None:
        return None
    return offer.min_bid - (-offer.storage_cost * disk_gb // (STORAGE_MONTH_HOURS * offer.num_gpus))


def _rentable(offer: Offer, region: str) -> bool:
    return offer.rentable and offer.verified and within(offer.region, region)


def _serves(offer: Offer, wanted: OfferFilter) -> bool:
    """Whether host and disk are as asked for; what is not known is not."""
    reliable = not wanted.reliability_ppm or (_ppm(offer.reliability) or 0) >= wanted.reliability_ppm
    return reliable and (not wanted.disk_gb or (offer.disk_gb or 0) >= wanted.disk_gb)


def _ppm(fraction: float | None) -> int | None:
    return None if fraction is None else round(fraction * PPM)


def _match(offer: Offer, disk_gb: int) -> Match:
    bid = offer.min_bid or 0
    return Match(
        machine_id=offer.machine_id,
        offer_id=offer.offer_id,
        num_gpus=offer.num_gpus,
        price=all_in(offer, disk_gb) or bid,
        bid=bid,
        region=offer.region,
        reliability_ppm=_ppm(offer.reliability),
        end_date=offer.end_date,
    )


def _rank(match: Match) -> tuple[int, int, int, int]:
    return match.price, match.num_gpus, match.machine_id, match.offer_id or 0


def _one_a_machine(ranked: Sequence[Match]) -> tuple[Match, ...]:
    cheapest: dict[int, Match] = {}
    for match in ranked:
        cheapest.setdefault(match.machine_id, match)
    return tuple(cheapest.values())
