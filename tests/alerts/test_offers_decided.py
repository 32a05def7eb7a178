"""Rules for renters through real rounds, on either database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analytics.market import Offer, Quality
from bot.alerts.decide import Decision, Reason
from bot.alerts.explain import explain
from bot.alerts.rules import Kind, OfferFilter
from bot.alerts.state import Status
from bot.store.engine import Store
from tests.fakes.alerting import MODEL, book, market, rule

HIGH, CHEAP = 400_000, 250_000
RENT = rule(Kind.OFFER, 300_000, offer=OfferFilter(), min_interval=0)
FIRE, MORE, RESOLVE = ("fire", "post"), ("more", "thread"), ("resolve", "edit")


def cheap(*machines: int, **more: Any) -> tuple[Offer, ...]:
    """The usual offers, and some machines at a low price."""
    some = {"region": "EU-North", "reliability": 0.99, "storage_cost": 72_000, "disk_gb": 100, "offer_id": 5} | more
    usual = book(HIGH)
    return *usual, *(Offer(MODEL, id_, 1, 2 * HIGH, CHEAP, **some) for id_ in machines)


async def test_it_tells_of_machines_once_and_of_new_ones_in_the_thread(store: Store) -> None:
    market_ = await market(store)
    alert = await market_.add(RENT)
    for offers in (cheap(), cheap(71), cheap(71, 72)):
        await market_.poll(offers=offers)
    assert await market_.told(alert) == [FIRE]
    (fire,) = await market_.messages(alert)
    said = fire.payload["event"]
    assert [(offer["machine_id"], offer["price"], offer["offer_id"]) for offer in said["offers"]] == [
        (71, CHEAP, 5),
        (72, CHEAP, 5),
    ]
    await market_.poll(offers=cheap(71, 72))
    await market_.poll(offers=cheap(72, 73))
    assert await market_.told(alert) == [FIRE, MORE]
    more = (await market_.messages(alert))[-1]
    assert ([o["machine_id"] for o in more.payload["event"]["offers"]], more.refers_to) == ([73], fire.identity)
    await market_.poll(offers=cheap())
    assert await market_.told(alert) == [FIRE, MORE, RESOLVE]
    for _ in range(3):
        await market_.poll(offers=cheap(71, 72, 73))
    assert await market_.told(alert) == [FIRE, MORE, RESOLVE], "a machine that comes back is no news"
    assert (await market_.state(alert)).status is Status.OK


@pytest.mark.parametrize(
    ("wanted", "region", "lacks"),
    [
        (OfferFilter(reliability_ppm=980_000), "", {"reliability": 0.97}),
        (OfferFilter(), "EU-*", {"region": "US-East"}),
        (OfferFilter(disk_gb=50), "", {"disk_gb": 49}),
        (OfferFilter(disk_gb=50), "", {"storage_cost": 720_000}),
    ],
    ids=["reliability", "region", "disk", "price of disk"],
)
async def test_each_filter_decides(store: Store, wanted: OfferFilter, region: str, lacks: dict[str, Any]) -> None:
    market_ = await market(store)
    alert = await market_.add(replace(RENT, offer=wanted, readings=1, series=replace(RENT.series, region=region)))
    await market_.poll(offers=cheap(71, **lacks))
    assert await market_.told(alert) == []
    await market_.poll(offers=cheap(71))
    assert await market_.told(alert) == [FIRE]


async def test_slices_of_too_few_gpus_do_not_match(store: Store) -> None:
    market_ = await market(store)
    alert = await market_.add(replace(RENT, offer=OfferFilter(gpus=2), readings=1))
    await market_.poll(offers=cheap(71))
    assert await market_.told(alert) == []
    await market_.poll(offers=(*book(HIGH), Offer(MODEL, 71, 2, 2 * HIGH, CHEAP)))
    assert await market_.told(alert) == [FIRE]


async def test_where_all_of_a_region_is_taken_it_ends(store: Store) -> None:
    market_ = await market(store)
    alert = await market_.add(replace(RENT, readings=1, series=replace(RENT.series, region="Asia-East")))
    await market_.poll(offers=cheap(71, region="Asia-East"))
    await market_.poll(offers=cheap())
    assert await market_.told(alert) == [FIRE, RESOLVE]
    state = await market_.state(alert)
    assert state.value is None
    for reason in (Reason.NONE_MATCHES, Reason.RESOLVED, Reason.RESOLVED_UNTOLD):
        said = str(explain(RENT, Decision(state, reason), market_.at))
        assert "–" not in said  # "the lowest bid is –" is no sentence
        assert "no verified machine" in said


@pytest.mark.parametrize("quality", [Quality.FAILED, Quality.CAPPED, Quality.SUSPECT])
async def test_what_is_no_complete_poll_neither_tells_nor_ends(store: Store, quality: Quality) -> None:
    market_ = await market(store)
    waiting, firing = [await market_.add(replace(RENT, readings=1, threshold=limit)) for limit in (200_000, 300_000)]
    await market_.poll(offers=cheap(71))
    for offers in ((), tuple(replace(offer, min_bid=100_000) for offer in cheap(72))):
        await market_.poll(quality=quality, offers=offers)
    assert (await market_.told(waiting), await market_.told(firing)) == ([], [FIRE])


async def test_a_rule_that_stands_still_is_not_stored_anew(store: Store) -> None:
    market_ = await market(store)
    picky = await market_.add(replace(RENT, offer=OfferFilter(reliability_ppm=995_000)))
    firing = await market_.add(replace(RENT, readings=1))
    await market_.poll(offers=cheap(71))
    before = [await market_.state(alert) for alert in (picky, firing)]
    assert [(state.status, state.armed) for state in before] == [(Status.OK, True), (Status.FIRING, False)]
    for _ in range(3):
        await market_.poll(offers=cheap(71))
    assert [await market_.state(alert) for alert in (picky, firing)] == before
    await market_.poll(offers=cheap(72, reliability=0.999))
    assert [(await market_.state(alert)).last_at for alert in (picky, firing)] == [market_.at] * 2
