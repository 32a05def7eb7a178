"""Offers that are sorted once for all rules of a place match the same as a look at every offer for each rule."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import event, given
from hypothesis import strategies as st

from analytics.market import Offer
from analytics.slices import minimal_slices
from bot.alerts.offers import MOST_MATCHES, Match, all_in, matches, matching, offer_book
from bot.alerts.places import within
from bot.alerts.rules import PPM, Kind, Measure, OfferFilter, Rule, Series

SLICES = st.sampled_from([(0,), (1,), (0, 1), (2, 3), (0, 1, 2, 3), ()])
OFFERS = st.builds(
    lambda gpus, **rest: Offer("RTX 4090", num_gpus=len(gpus) or 2, gpu_ids=gpus, on_demand=900_000, **rest),
    SLICES,
    machine_id=st.integers(1, 3),
    min_bid=st.sampled_from([None, 0, 100_000, 199_999, 200_000, 200_001, 300_000]),
    region=st.sampled_from(["EU-North", "EU-West", "US-East"]),
    rentable=st.sampled_from([True, True, False]),
    verified=st.sampled_from([True, True, False]),
    reliability=st.sampled_from([None, 0.9, 0.98, 0.98]),
    offer_id=st.sampled_from([None, 1, 2, 3]),
    end_date=st.sampled_from([None, 7]),
    storage_cost=st.sampled_from([None, 0, 144_000, 150_000]),
    disk_gb=st.sampled_from([None, 99, 100, 1000]),
)
FILTERS = st.builds(
    OfferFilter,
    gpus=st.sampled_from([1, 2, 4]),
    reliability_ppm=st.sampled_from([0, 0, 980_000]),
    disk_gb=st.sampled_from([0, 0, 100]),
)
LIMITS = st.sampled_from([1, 199_999, 200_000, 210_000, 300_000, 300_001, 900_000])
RULES = st.builds(
    lambda limit, offer, at: Rule(
        Kind.OFFER, Series("RTX 4090", measure=Measure.OFFER), limit, offer=offer, at_threshold=at
    ),
    LIMITS,
    st.none() | FILTERS,
    st.booleans(),
)


def one_by_one(offers: list[Offer], rule: Rule) -> tuple[Match, ...]:
    """What a rule means, said of each offer."""
    wanted = rule.wanted
    some = [
        offer
        for offer in offers
        if offer.rentable
        and offer.verified
        and within(offer.region, rule.series.region)
        and offer.num_gpus >= wanted.gpus
        and (not wanted.reliability_ppm or round((offer.reliability or 0) * PPM) >= wanted.reliability_ppm)
        and (offer.disk_gb or 0) >= wanted.disk_gb
        and (price := all_in(offer, wanted.disk_gb)) is not None
        and rule.met(price)
    ]
    found = sorted((_match(offer, wanted.disk_gb) for offer in minimal_slices(some)), key=_rank)
    cheapest = {match.machine_id: match for match in reversed(found)}
    return tuple(sorted(cheapest.values(), key=_rank))[:MOST_MATCHES]


def _match(offer: Offer, disk_gb: int) -> Match:
    price, score = all_in(offer, disk_gb) or 0, offer.reliability
    ppm = None if score is None else round(score * PPM)
    number, gpus, bid = offer.offer_id, offer.num_gpus, offer.min_bid or 0
    return Match(offer.machine_id, number, gpus, price, bid, offer.region, ppm, offer.end_date)


def _rank(match: Match) -> tuple[int, int, int, int]:
    return match.price, match.num_gpus, match.machine_id, match.offer_id or 0


@given(st.lists(OFFERS, max_size=14), st.lists(RULES, min_size=1, max_size=8), st.sampled_from(["", "EU-*", "EU-West"]))
def test_rules_that_share_a_book_match_as_if_each_looked_at_every_offer(
    offers: list[Offer], rules: list[Rule], region: str
) -> None:
    book = offer_book(offers, region)
    for rule in rules:
        there = replace(rule, series=replace(rule.series, region=region))
        wanted = one_by_one(offers, there)
        assert matching(book, there) == wanted
        assert matches(offers, there) == wanted
        event(f"machines {len(wanted)}")
