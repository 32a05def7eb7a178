"""Entries for the store, with every field telling itself apart from its neighbours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from analytics.interruptions.variants import Lane, Moved, Variant
from analytics.market import (
    DAY,
    HOUR,
    WORLD,
    Cause,
    ChangeBand,
    Exposure,
    HourPoint,
    Interruption,
    LifeTable,
    Offer,
    Poll,
    Quality,
    Quote,
    Scope,
    Shadow,
    Tenant,
)
from bot.store.writer import Entry

AT = 1_800_000_000 // HOUR * HOUR
MODEL = "RTX 4090"
VERIFIED_WORLD = (WORLD, Scope.VERIFIED)

FULL_OFFER = Offer(
    MODEL, 11, 2, 400_000, 210_000, True, False, (0, 3), "Sweden, SE", "EU-North", 0.991, 22, 33, 24_564, AT + 9, True,
    150_000, 12, 512,
)  # fmt: skip
BARE_OFFER = Offer(MODEL, 12, 1, 410_000, None, region="US-East")
HIRED_OFFER = Offer(MODEL, 13, 1, 420_000, 220_000, rentable=False, region="Asia-East")
BAND = ChangeBand(-0.04, 0.05, 30)
LIFE = LifeTable(tuple(range(13)), (0, 2) + (0,) * 11)


def quote(at: int, price: int | None = 300_000, offers: int = 7) -> Quote:
    return Quote(at, price, 200_000, 210_000, 390_000, 500_000, offers, 9, 5)


def point(hour: int, price: int | None = 300_000) -> HourPoint:
    return HourPoint(hour, price, 200_000, 210_000, 390_000, 500_000, 7, 9, 12)


def tenant(at: int, machine: int = 11, model: str = MODEL) -> Tenant:
    return Tenant(
        f"{machine}:0,3", model, "EU-North", machine, 2, 231_000, at - 900, False, 22, at + 9, at - 5, Cause.OUTBID
    )


def interruption(held_at: int, seen_at: int, back_at: int | None = None, model: str = MODEL) -> Interruption:
    return Interruption(model, "EU-North", "11:0,3", 11, 22, 2, Cause.OUTBID, 231_000, held_at, seen_at, back_at)


def lived(n: int = 1) -> Exposure:
    return Exposure(*(n * value for value in (900, 300, 3, 1, 5, 6, 7, 8)))


def lanes(at: int, model: str = MODEL) -> tuple[Lane, ...]:
    """Every lane after a poll, the second phase of the thinned tenants being one poll behind."""
    tenants = (Tenant("11:0,3", model, "", 11, 0, 231_000, at, end_date=at + 9), Tenant("7:x2", model, "", 7, 0, 1, at))
    behind = (Tenant("11:0,3", model, "", 11, 0, 230_000, at - 300, down_since=at - 600),)
    return (
        Lane(Variant.THINNED, 0, at, tenants),
        Lane(Variant.THINNED, 1, at - 300, behind),
        Lane(Variant.BID_100, 0, at, ()),
        Lane(Variant.BID_125, 0, at, tenants[:1]),
    )


def entry(
    at: int = AT, *, model: str = MODEL, quality: Quality = Quality.COMPLETE, price: int = 300_000, **more: Any
) -> Entry:
    """Everything that a round can know about a model."""
    places = (VERIFIED_WORLD, (WORLD, Scope.ALL), ("EU-North", Scope.VERIFIED))
    shadow = Shadow(
        (tenant(at, model=model),),
        (interruption(at - 300, at, model=model),),
        (),
        {("EU-North", at // HOUR): lived(), ("US-East", at // HOUR): lived(2)},
        LIFE,
    )
    offers = tuple(_of(model, offer) for offer in (FULL_OFFER, HIRED_OFFER, BARE_OFFER))
    values: dict[str, Any] = {
        "quotes": {place: quote(at, price + n) for n, place in enumerate(places)},
        "points": {place: point(at // HOUR, price + n) for n, place in enumerate(places)},
        "shadow": shadow,
        "variants": Moved(lanes(at, model), {(at // DAY, v): lived(3 + n) for n, v in enumerate(Variant)}),
        "band": BAND,
        "rows": 40,
        "requests": 2,
        "dropped": {"no price": 3},
    }
    return Entry(Poll(model, at, quality, offers, 300, "as planned"), **{**values, **more})


def _of(model: str, offer: Offer) -> Offer:
    return replace(offer, model=model)
