"""Probes: what is asked, what is believed of the answer, and what it costs."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import pytest

from analytics.market import Quality
from bot.sources.base import PROBE_ROWS, ProbeAnswer, ProbeQuery
from bot.sources.vast import VastSource
from tests.fakes.vast import FakeVast, Say, Time, offer_row, page

AT = 1_800_000_000
CHEAP = ProbeQuery("RTX 4090", 2, 250_000)


def pair(n: int, bid: float, **more: Any) -> dict[str, Any]:
    """A slice of two GPUs at so many dollars per GPU-hour."""
    return offer_row(n, num_gpus=2, gpu_ids=[2 * n, 2 * n + 1], min_bid=2 * bid, dph_base=2.0, **more)


MARKET = [
    pair(1, 0.25),
    pair(2, 0.250001),
    pair(3, 0.1, verification="unverified"),
    pair(4, 0.1, rentable=False),
    pair(5, 0.1, gpu_name="RTX 3090"),
    pair(6, 0.0),
    offer_row(7, min_bid=0.1),
]


async def probe(market: FakeVast, query: ProbeQuery, **more: Any) -> ProbeAnswer:
    async with aclosing(VastSource(market.url)) as source:
        return await source.probe(query, **more)


async def test_a_probe_brings_only_what_it_asks_for() -> None:
    async with FakeVast(MARKET) as market:
        answer = await probe(market, CHEAP, at=AT)
    assert [offer.machine_id for offer in answer.offers] == [1001]
    assert (answer.fetch.rows, answer.fetch.requests, answer.ignored, answer.sampled) == (1, 1, 0, False)


async def test_a_probe_for_stock_asks_for_slices_of_at_least_a_size() -> None:
    async with FakeVast(MARKET) as market:
        answer = await probe(market, ProbeQuery("RTX 4090", 2), at=AT)
    assert {offer.machine_id for offer in answer.offers} == {1001, 1002, 1006}
    assert answer.ignored == 0


async def test_machines_that_are_known_are_not_brought() -> None:
    async with FakeVast(MARKET) as market:
        answer = await probe(market, ProbeQuery("RTX 4090", 2, known_machines=frozenset((1001, 1006))), at=AT)
    assert ({offer.machine_id for offer in answer.offers}, answer.fetch.rows, answer.ignored) == ({1002}, 1, 0)


async def test_known_machines_that_are_brought_all_the_same_are_counted() -> None:
    async with FakeVast(MARKET) as market:
        market.ignored_filters = {"machine_id"}
        answer = await probe(market, ProbeQuery("RTX 4090", 2, known_machines=frozenset((1001,))), at=AT)
    assert ({offer.machine_id for offer in answer.offers}, answer.ignored) == ({1002, 1006}, 1)


async def test_a_probe_that_nothing_meets_costs_no_rows() -> None:
    async with FakeVast(MARKET) as market:
        answer = await probe(market, ProbeQuery("RTX 4090", 2, 90_000), at=AT)
    assert (answer.offers, answer.fetch.rows, answer.fetch.quality) == ((), 0, Quality.COMPLETE)


@pytest.mark.parametrize(("field", "wrong"), [("min_bid", 2), ("num_gpus", 1), ("verified", 1), ("gpu_name", 1)])
async def test_rows_that_were_not_asked_for_are_counted_and_not_believed(field: str, wrong: int) -> None:
    async with FakeVast(MARKET) as market:
        market.ignored_filters = {field}
        if field == "verified":
            market.script.append(Say(body=page(MARKET[0], MARKET[2])))
        answer = await probe(market, CHEAP, at=AT)
    assert [offer.machine_id for offer in answer.offers] == [1001]
    assert answer.ignored == wrong


async def test_an_answer_as_long_as_its_limit_is_a_sample() -> None:
    async with FakeVast([pair(n, 0.2) for n in range(40)]) as market:
        answer = await probe(market, CHEAP, at=AT)
        few = await probe(market, CHEAP, at=AT, max_rows=3)
    assert (len(answer.offers), answer.sampled) == (PROBE_ROWS, True)
    assert (len(few.offers), few.sampled) == (3, True)


async def test_rows_are_reserved_before_they_are_asked_for_and_requests_are_spaced() -> None:
    reserved: list[tuple[int, int]] = []
    time = Time()
    async with FakeVast(MARKET) as market:

        async def reserve(rows: int) -> None:
            reserved.append((rows, len(market.queries)))

        source = VastSource(market.url, spacing=6, timing=time.timing())
        async with aclosing(source):
            for _ in range(2):
                await source.probe(CHEAP, at=AT, reserve=reserve)
    assert reserved == [(PROBE_ROWS, 0), (PROBE_ROWS, 1)]
    assert time.naps == [6]


async def test_a_refused_probe_says_until_when_and_nothing_is_asked_meanwhile() -> None:
    quota = {"error": "search_quota_exceeded", "limit": 20_000, "remaining": 0, "retry_after": 3600}
    time = Time()
    async with FakeVast(MARKET) as market:
        market.script.append(Say(429, quota))
        source = VastSource(market.url, timing=time.timing())
        async with aclosing(source):
            first, second = [await source.probe(CHEAP, at=AT) for _ in range(2)]
        assert len(market.queries) == 1
    assert first.fetch.quality is second.fetch.quality is Quality.FAILED
    assert first.fetch.learned_limit == 20_000
    assert second.fetch.closed_until >= AT + 3600
