"""One look at the market: what is asked, how answers become polls, and how a full answer is split."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.market import Quality
from bot.sources.base import Fetch, Source
from bot.sources.vast import GPU_PARTS, ROW_LIMIT, Part, VastSource
from tests.fakes.vast import FakeVast, Say, Time, offer_row, page

AT = 1_790_000_000


@pytest.fixture
async def market() -> AsyncIterator[FakeVast]:
    async with FakeVast() as fake:
        yield fake


@pytest.fixture
async def source(market: FakeVast) -> AsyncIterator[VastSource]:
    made = VastSource(market.url, timing=Time().timing())
    yield made
    await made.aclose()


async def look(source: Source, name: str = "RTX 4090", *, models: tuple[str, ...] = (), **more: Any) -> Fetch:
    return await source.fetch(name, at=AT, interval=300, models=models or (name,), **more)


def offers_of(fetch: Fetch) -> int:
    return sum(len(poll.offers) for poll in fetch.polls)


async def test_one_search_says_everything_it_filters_on(market: FakeVast, source: VastSource) -> None:
    await look(source)
    assert market.queries == [
        {
            "gpu_name": {"eq": "RTX 4090"},
            "rentable": {"eq": True},
            "verified": {"eq": "any"},
            "type": "on-demand",
            "limit": 512,
            "allocated_storage": 8,
        }
    ]
    assert "Authorization" not in market.headers[0]
    assert market.headers[0]["User-Agent"] == "spotbot"


async def test_offers_become_one_complete_poll(market: FakeVast, source: VastSource) -> None:
    market.rows = [offer_row(n) for n in range(5)] + [offer_row(9, gpu_name="RTX 3090")]
    fetch = await look(source)
    (poll,) = fetch.polls
    assert (poll.model, poll.at, poll.quality, poll.interval) == ("RTX 4090", AT, Quality.COMPLETE, 300)
    assert [offer.machine_id for offer in poll.offers] == [1000, 1001, 1002, 1003, 1004]
    assert (fetch.rows, fetch.requests, fetch.note, fetch.closed_until) == (5, 1, "", 0)


async def test_an_empty_market_is_an_empty_complete_poll_of_each_known_model(source: VastSource) -> None:
    fetch = await look(source, "A100 SXM4", models=("A100 SXM4 80GB", "A100 SXM4 40GB"))
    assert [(poll.model, poll.quality, poll.offers) for poll in fetch.polls] == [
        ("A100 SXM4 40GB", Quality.COMPLETE, ()),
        ("A100 SXM4 80GB", Quality.COMPLETE, ()),
    ]


async def test_models_that_share_a_name_get_a_poll_each(market: FakeVast, source: VastSource) -> None:
    ram = {0: 81920, 1: 40960, 2: 81920}
    market.rows = [offer_row(n, gpu_name="A100 SXM4", gpu_ram=mb) for n, mb in ram.items()]
    fetch = await look(source, "A100 SXM4", models=("A100 SXM4 80GB",))
    assert {poll.model: len(poll.offers) for poll in fetch.polls} == {"A100 SXM4 80GB": 2, "A100 SXM4 40GB": 1}


async def test_bad_rows_are_dropped_and_counted(market: FakeVast, source: VastSource) -> None:
    rows = [offer_row(n) for n in range(9)]
    market.script.append(Say(body=page(*rows, offer_row(9, dph_base=-1), offer_row(10, machine_id=None), offer_row(8))))
    fetch = await look(source)
    assert fetch.quality is Quality.COMPLETE
    assert (offers_of(fetch), fetch.rows) == (9, 12)
    assert fetch.dropped == {"dph_base": 1, "machine_id": 1, "duplicate": 1}


async def test_too_many_bad_rows_make_it_suspect(market: FakeVast, source: VastSource) -> None:
    market.rows = [offer_row(n, **({"dph_base": "NaN"} if n < 2 else {})) for n in range(5)]
    fetch = await look(source)
    assert fetch.quality is fetch.polls[0].quality is Quality.SUSPECT
    assert fetch.note == fetch.polls[0].note == "2 of 5 rows unusable: dph_base 2"
    assert offers_of(fetch) == 3


async def test_a_page_of_only_bad_rows_failed(market: FakeVast, source: VastSource) -> None:
    market.rows = [offer_row(n, machine_id=None) for n in range(5)]
    fetch = await look(source)
    assert fetch.quality is fetch.polls[0].quality is Quality.FAILED
    assert (offers_of(fetch), fetch.rows, fetch.requests) == (0, 5, 1)


async def test_a_market_that_ignores_our_filter_failed(market: FakeVast, source: VastSource) -> None:
    market.script.append(Say(body=page(*(offer_row(n, gpu_name="RTX 3090") for n in range(5)))))
    fetch = await look(source)
    assert fetch.quality is Quality.FAILED
    assert "another gpu_name 5" in fetch.note


async def test_changed_gpu_ids_end_no_tenancy(market: FakeVast, source: VastSource) -> None:
    market.rows = [{k: v for k, v in offer_row(n).items() if k != "gpu_ids"} for n in range(5)]
    assert (await look(source)).quality is Quality.SUSPECT


def busy(count: int, **changes: Any) -> list[dict[str, Any]]:
    """A market too large for one answer: sizes and prices as mixed as real ones."""
    chance = random.Random(3)
    sizes, prices = (
        chance.choices((1, 2, 4, 8), (6, 3, 2, 1), k=count),
        [chance.lognormvariate(-1, 0.3) for _ in range(count)],
    )
    return [
        offer_row(n, num_gpus=size, gpu_ids=[8 * n + k for k in range(size)], dph_total=price * size, **changes)
        for n, (size, price) in enumerate(zip(sizes, prices, strict=True))
    ]


@pytest.mark.parametrize("count", [511, 512, 700, 2500])
async def test_a_full_answer_is_split_until_it_is_exact(market: FakeVast, source: VastSource, count: int) -> None:
    market.rows = busy(count)
    fetch = await look(source)
    assert (fetch.quality, offers_of(fetch)) == (Quality.COMPLETE, count)
    assert fetch.rows == market.sent
    assert (fetch.requests > 1) is (count >= ROW_LIMIT)
    assert market.most_open == 1


async def test_the_next_look_begins_with_the_parts_that_fitted(market: FakeVast, source: VastSource) -> None:
    market.rows = busy(900)
    first, second = await look(source), await look(source)
    assert first.rows > 900
    assert (second.quality, second.rows, offers_of(second)) == (Quality.COMPLETE, 900, 900)
    market.rows = busy(100)
    await look(source)
    assert (await look(source)).requests == 1


async def test_more_at_one_price_than_an_answer_holds_is_capped(market: FakeVast, source: VastSource) -> None:
    market.rows = busy(600, gpu_frac=1)
    for row in market.rows:
        row.update(num_gpus=1, gpu_ids=row["gpu_ids"][:1], dph_total=0.3)
    fetch = await look(source)
    assert fetch.quality is fetch.polls[0].quality is Quality.CAPPED
    assert "at one price" in fetch.note
    assert fetch.requests < 10


async def test_rows_without_a_total_price_cannot_be_split(market: FakeVast, source: VastSource) -> None:
    market.script.extend(Say(body=page(*(offer_row(n, dph_total=None) for n in range(512)))) for _ in range(2))
    assert (await look(source)).quality is Quality.CAPPED


@pytest.mark.parametrize("max_rows", [1, 40, 300, 600, 1100])
async def test_the_budget_caps_a_look(market: FakeVast, source: VastSource, max_rows: int) -> None:
    market.rows = busy(700)
    fetch = await look(source, max_rows=max_rows)
    assert fetch.quality is Quality.CAPPED
    assert "rows left today" in fetch.note
    assert fetch.rows == market.sent <= max_rows


async def test_no_rows_left_means_no_question(market: FakeVast, source: VastSource) -> None:
    fetch = await look(source, max_rows=0)
    assert (fetch.quality, market.queries) == (Quality.CAPPED, [])


async def test_a_budget_just_above_the_market_is_complete(market: FakeVast, source: VastSource) -> None:
    market.rows = busy(50)
    assert (await look(source, max_rows=51)).quality is Quality.COMPLETE


async def test_a_market_that_never_ends_is_given_up(market: FakeVast, source: VastSource) -> None:
    chance = random.Random(1)
    flood = (page(*(offer_row(n, dph_total=chance.random()) for n in range(512))) for _ in range(40))
    market.script.extend(Say(body=answer) for answer in flood)
    fetch = await look(source)
    assert (fetch.quality, fetch.requests) == (Quality.CAPPED, 32)


async def test_a_failure_half_way_through_a_split_fails_the_whole(market: FakeVast, source: VastSource) -> None:
    full = Say(body=page(*(offer_row(n) for n in range(512))))
    market.script.extend([full, Say(body=page(offer_row())), Say(400, {"error": "invalid_request", "msg": "no"})])
    fetch = await look(source)
    assert (fetch.quality, offers_of(fetch), fetch.rows) == (Quality.FAILED, 0, 513)


async def test_looks_at_once_go_one_after_another(market: FakeVast, source: VastSource) -> None:
    market.rows = busy(20)
    fetches = await asyncio.gather(*(look(source) for _ in range(5)))
    assert [offers_of(fetch) for fetch in fetches] == [20] * 5
    assert market.most_open == 1


async def test_a_survey_counts_names(market: FakeVast, source: VastSource) -> None:
    market.rows = [
        offer_row(n, gpu_name=name) for n, name in enumerate(["RTX 4090"] * 3 + ["H100 SXM"] * 2 + ["\u202e"])
    ]
    survey = await source.survey(at=AT)
    assert (survey.rows_by_name, survey.sampled) == ({"RTX 4090": 3, "H100 SXM": 2}, False)
    assert (survey.fetch.rows, survey.fetch.quality) == (6, Quality.COMPLETE)
    assert "gpu_name" not in market.queries[0]
    market.rows = busy(600)
    assert (await source.survey(at=AT)).sampled


async def test_a_refused_survey_is_a_failed_fetch(market: FakeVast, source: VastSource) -> None:
    market.script.append(Say(410, {"error": "deprecated_endpoint"}))
    survey = await source.survey(at=AT)
    assert (dict(survey.rows_by_name), survey.fetch.quality) == ({}, Quality.FAILED)


def test_a_fetch_knows_when_it_may_be_repeated() -> None:
    fetch = Fetch("RTX 4090", AT, (), Quality.FAILED)
    assert fetch.closed_until == 0
    assert replace(fetch, retry_after=7.2).closed_until == AT + 8
    assert replace(fetch, retry_after=7.2, quota_reset_at=AT + 90).closed_until == AT + 90


PRICES = st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=30)


@given(PRICES, st.tuples(st.sampled_from(GPU_PARTS), st.none() | st.floats(0, 10), st.none() | st.floats(20, 1e6)))
def test_the_pieces_of_a_part_make_it_up_exactly(prices: list[float], part: tuple[Any, Any, Any]) -> None:
    whole = Part(*part)
    inside = [p for p in prices if (whole.low or 0) <= p < (whole.high or 1e9)]
    pieces = whole.split([{"dph_total": price} for price in inside])
    hits = Counter(p for p in set(inside) for piece in pieces if _holds(piece, p))
    assert not pieces or (len(pieces) > 1 and hits == Counter(set(inside)))
    assert all(piece.gpus == whole.gpus for piece in pieces)


def _holds(part: Part, price: float) -> bool:
    bounds = part.filters().get("dph_total", {})
    return bounds.get("gte", price) <= price < bounds.get("lt", price + 1)


@given(st.integers(1, 10_000))
def test_every_machine_size_is_in_one_part(size: int) -> None:
    bounds = [part.filters()["num_gpus"] for part in Part().split([])]
    assert sum(b.get("gte", size) <= size <= b.get("lte", size) for b in bounds) == 1


@pytest.mark.parametrize(
    ("date", "skew"),
    [
        ("Mon, 21 Sep 2026 14:13:22 GMT", 2.0),
        ("Tue, 22 Sep 2026 14:13:20 GMT", 86_400.0),
        ("yesterday", None),
        ("Mon, 21 Sep 26000 14:13:22 GMT", None),
    ],
)
async def test_it_says_how_far_the_markets_clock_is_from_ours(
    market: FakeVast, source: VastSource, date: str, skew: float | None
) -> None:
    market.script += [Say(200, page(offer_row()), {"Date": date})]
    assert (await look(source)).clock_skew == skew


async def test_rows_are_reserved_before_they_are_asked_for(market: FakeVast, source: VastSource) -> None:
    market.rows = [offer_row(n, num_gpus=1 + n % 6) for n in range(700)]
    reserved: list[int] = []

    async def reserve(rows: int) -> None:
        reserved.append(rows)
        assert sum(reserved) >= market.sent + 512

    fetch = await look(source, reserve=reserve)
    assert fetch.quality is Quality.COMPLETE
    assert market.sent == fetch.rows <= sum(reserved) <= fetch.rows + 512


async def test_what_cannot_be_reserved_is_not_asked(market: FakeVast, source: VastSource) -> None:
    async def reserve(rows: int) -> None:
        raise RuntimeError("no room")

    for ask in (look(source, reserve=reserve), source.survey(at=AT, reserve=reserve)):
        with pytest.raises(RuntimeError):
            await ask
    assert market.queries == []


async def test_a_survey_keeps_to_the_rows_that_are_left(market: FakeVast, source: VastSource) -> None:
    market.rows = [offer_row(n) for n in range(90)]
    survey = await source.survey(at=AT, max_rows=40)
    assert (survey.sampled, survey.rows_by_name, survey.fetch.rows) == (True, {"RTX 4090": 40}, 40)
