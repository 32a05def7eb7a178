"""Each refusal and fault that the market's contract names, over loopback: what is done, and what never comes of it."""

from __future__ import annotations

import asyncio
import email.utils
import gzip
import itertools
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.market import DAY, Quality
from bot.sources.base import Fetch
from bot.sources.vast import VastSource
from bot.sources.vast_client import BODY_CAP, Client
from bot.sources.vast_refusals import LONGEST_WAIT_S, RESET_MARGIN_S, Act, Reply, judge
from tests.fakes.vast import FakeVast, Say, Time, offer_row, page

AT = 1_790_000_000  # 2026-09-21 14:13:20 UTC
MIDNIGHT = AT - AT % DAY + DAY
KEY = "canary-7f3a-key"
GOOD = Say(body=page(offer_row()))
FULL_PAGE = json.dumps(page(*(offer_row(n) for n in range(20)))).encode()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def market(time: Time) -> AsyncIterator[FakeVast]:
    async with FakeVast([offer_row()]) as fake:
        fake.clock = lambda: time.now
        yield fake


@pytest.fixture
async def source(market: FakeVast, time: Time) -> AsyncIterator[VastSource]:
    made = VastSource(market.url, key=KEY, timing=time.timing())
    yield made
    await made.aclose()


async def look(source: VastSource, at: int = AT) -> Fetch:
    fetch = await source.fetch("RTX 4090", at=at, interval=300, models=("RTX 4090",))
    (poll,) = fetch.polls
    assert poll.quality is fetch.quality
    assert bool(poll.offers) is (fetch.quality is Quality.COMPLETE)
    assert KEY not in repr(fetch)
    return fetch


TROUBLE = {
    "500": Say(500, {"success": False, "error": "server_error"}),
    "502": Say(502, "<html>Bad Gateway</html>"),
    "503": Say(503, "<html>Unavailable</html>"),
    "301": Say(301, {"error": "moved"}, {"Location": "/api/v0/elsewhere/"}),
    "301 to nowhere": Say(301, "", {"Location": "http://[broken"}),
    "204": Say(204),
    "HTML with 200": Say(body="<!DOCTYPE html><title>Just a moment...</title>"),
    "nothing with 200": Say(),
    "truncated JSON": Say(body=FULL_PAGE[: len(FULL_PAGE) // 2]),
    "list instead of object": Say(body=[offer_row()]),
    "no offers": Say(body={"success": True}),
    "null offers": Say(body={"success": True, "offers": None}),
    "cut off": Say(body=FULL_PAGE, cut_off=True),
    "truncated gzip": Say(body=gzip.compress(FULL_PAGE)[:-40], headers={"Content-Encoding": "gzip"}),
    "no gzip": Say(body=FULL_PAGE, headers={"Content-Encoding": "gzip"}),
    "nested without end": Say(body=b'{"offers":' + b"[" * 1_000_000),
    "too large": Say(body=page(offer_row(), padding="x" * BODY_CAP)),
    "a bomb": Say(body=gzip.compress(b" " * 60_000_000), headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("fault", TROUBLE.values(), ids=TROUBLE)
async def test_trouble_on_the_way_is_tried_again(market: FakeVast, source: VastSource, time: Time, fault: Say) -> None:
    market.script.append(fault)
    fetch = await look(source)
    assert (fetch.quality, fetch.requests, fetch.note) == (Quality.COMPLETE, 2, "")
    assert time.naps == [2.0]


@pytest.mark.parametrize("fault", TROUBLE.values(), ids=TROUBLE)
async def test_lasting_trouble_is_a_failed_poll_not_an_empty_market(
    market: FakeVast, source: VastSource, time: Time, fault: Say
) -> None:
    market.script.extend([fault] * 4)
    fetch = await look(source)
    assert (fetch.quality, fetch.requests) == (Quality.FAILED, 4)
    assert fetch.note
    assert time.naps == [2.0, 4.0, 8.0]
    assert (await look(source)).quality is Quality.COMPLETE


async def test_a_silent_market_times_out(market: FakeVast, time: Time) -> None:
    market.script.extend([Say(hang=True)] * 4)
    source = VastSource(market.url, timeout=0.02, timing=time.timing())
    fetch = await look(source)
    await source.aclose()
    assert (fetch.quality, fetch.requests, fetch.note) == (Quality.FAILED, 4, "no whole answer within 0.02 s")


async def test_nobody_there_is_a_failed_poll(time: Time) -> None:
    source = VastSource("http://127.0.0.1:1", timing=time.timing())
    fetch = await look(source)
    await source.aclose()
    assert (fetch.quality, fetch.note) == (Quality.FAILED, "no whole answer (ConnectError)")


async def test_rows_of_a_damaged_answer_are_counted_as_spent(market: FakeVast, source: VastSource) -> None:
    market.script.append(TROUBLE["truncated JSON"])
    assert 5 <= (await look(source)).rows - 1 <= 15


async def test_a_try_that_the_budget_cannot_pay_is_not_made(market: FakeVast, source: VastSource) -> None:
    market.script.append(TROUBLE["truncated JSON"])
    fetch = await source.fetch("RTX 4090", at=AT, interval=300, models=(), max_rows=30)
    assert (fetch.quality, fetch.requests) == (Quality.FAILED, 1)


async def test_backoff_is_random_below_its_upper_end(market: FakeVast, time: Time) -> None:
    market.script.extend([Say(503)] * 3)
    source = VastSource(market.url, timing=time.timing(jitter=0.25))
    await look(source)
    await source.aclose()
    assert time.naps == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("after", ["7", "7.0", email.utils.formatdate(AT + 7, usegmt=True)])
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_honoured(
    market: FakeVast, source: VastSource, time: Time, status: int, after: str
) -> None:
    market.script.append(Say(status, "API requests too frequent", {"Retry-After": after}))
    assert (await look(source)).quality is Quality.COMPLETE
    assert time.naps == [7.0]


async def test_a_long_retry_after_ends_the_look_and_keeps_us_away(
    market: FakeVast, source: VastSource, time: Time
) -> None:
    market.script.append(Say(503, "", {"Retry-After": "86400"}))
    fetch = await look(source)
    assert (fetch.quality, fetch.requests, fetch.retry_after) == (Quality.FAILED, 1, LONGEST_WAIT_S)
    assert fetch.closed_until == AT + 900
    time.now += 899
    assert ((await look(source, AT + 899)).requests, len(market.queries)) == (0, 1)
    time.now += 1
    assert (await look(source, AT + 900)).quality is Quality.COMPLETE
    assert time.naps == []


@pytest.mark.parametrize(
    "body",
    [
        "API requests too frequent: endpoint threshold=3.5",
        {"success": False, "error": "rate_limit_exceeded", "msg": "API requests too frequent endpoint threshold=3.5"},
        {"detail": "API requests too frequent endpoint threshold=3.5"},
    ],
)
async def test_a_threshold_is_learned(market: FakeVast, source: VastSource, time: Time, body: Any) -> None:
    market.script.append(Say(429, body))
    await look(source)
    await look(source)
    assert [b - a for a, b in itertools.pairwise(market.times)] == [3.5, 3.5]


async def test_a_threshold_without_a_number_backs_off_and_gives_up(market: FakeVast, source: VastSource) -> None:
    market.script.extend([Say(429, "API requests too frequent")] * 4)
    fetch = await look(source)
    assert (fetch.quality, fetch.requests) == (Quality.FAILED, 4)
    assert fetch.quota_reset_at is fetch.learned_limit is None


QUOTA = {"success": False, "error": "search_quota_exceeded", "limit": 3000, "remaining": 0}


@pytest.mark.parametrize(
    ("more", "headers", "reset"),
    [
        ({"retry_after": 7200}, {}, AT + 7200),
        ({}, {"Retry-After": "7200"}, AT + 7200),
        ({}, {"X-RateLimit-Reset": str(MIDNIGHT)}, MIDNIGHT),
        ({}, {}, MIDNIGHT),
        ({"retry_after": "soon"}, {"X-RateLimit-Reset": "0"}, MIDNIGHT),
        ({"retry_after": 10**9}, {"Retry-After": "-5"}, MIDNIGHT),
    ],
)
async def test_a_spent_quota_stops_all_searches_until_its_reset(
    market: FakeVast, source: VastSource, time: Time, more: dict[str, Any], headers: dict[str, str], reset: int
) -> None:
    market.script.append(Say(429, {**QUOTA, **more}, headers))
    fetch = await look(source)
    reset += int(RESET_MARGIN_S)
    assert (fetch.quality, fetch.requests, fetch.learned_limit) == (Quality.FAILED, 1, 3000)
    assert fetch.quota_reset_at == fetch.closed_until == reset
    time.now += reset - AT - 1
    again = await look(source, reset - 1)
    assert (again.requests, again.quota_reset_at, again.learned_limit) == (0, reset, 3000)
    time.now += 1
    assert (await look(source, reset)).quality is Quality.COMPLETE
    assert len(market.queries) == 2


@pytest.mark.parametrize(("slept", "passed"), [(7300, 0), (0, 7300)])
async def test_a_reset_is_noticed_on_either_clock(
    market: FakeVast, source: VastSource, time: Time, slept: int, passed: int
) -> None:
    market.script.append(Say(429, {**QUOTA, "retry_after": 7200}))
    await look(source)
    assert (await look(source, AT + 60)).requests == 0
    time.now += passed
    assert (await look(source, AT + slept)).quality is Quality.COMPLETE


async def test_a_spent_quota_is_no_failure_of_the_market(market: FakeVast, source: VastSource, time: Time) -> None:
    market.script.extend([Say(429, QUOTA), Say(503)])
    await look(source)
    time.now += DAY
    assert (await look(source, AT + DAY)).requests == 2


async def test_the_limit_may_be_told_by_a_header(market: FakeVast, source: VastSource) -> None:
    market.script.append(Say(429, "search_quota_exceeded", {"X-RateLimit-Limit": "20000"}))
    assert (await look(source)).learned_limit == 20_000


async def test_a_refusal_that_comes_late_in_a_look_does_not_open_early(market: FakeVast, source: VastSource) -> None:
    market.script.extend([Say(503), Say(503), Say(429, QUOTA)])
    assert (await look(source)).quota_reset_at == MIDNIGHT + RESET_MARGIN_S


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Say(400, {"error": "invalid_request", "msg": "0 is not a valid search op"}), "bug of spotbot"),
        (Say(410, {"error": "deprecated_endpoint", "msg": "gone"}), "needs an update"),
        (Say(404, {"error": "not_found"}), "HTTP 404"),
        (Say(403, "<html>\x00\u202eforbidden"), "HTTP 403: <html>forbidden"),
    ],
)
async def test_what_asking_again_cannot_help_is_asked_once(
    market: FakeVast, source: VastSource, fault: Say, words: str
) -> None:
    market.script.append(fault)
    fetch = await look(source)
    assert (fetch.quality, fetch.requests) == (Quality.FAILED, 1)
    assert words in fetch.note


BAD_KEY = [
    Say(401, {"success": False, "error": "auth_error", "msg": "Invalid user key"}),
    Say(404, {"error": "", "msg": "Invalid user key"}),
    Say(404, {"msg": "Session expired. Please log in again."}),
]


@pytest.mark.parametrize("fault", BAD_KEY)
async def test_a_dead_key_is_dropped_once(market: FakeVast, source: VastSource, fault: Say) -> None:
    market.script.append(fault)
    first, second = await look(source), await look(source)
    assert [h.get("Authorization") for h in market.headers] == [f"Bearer {KEY}", None, None]
    assert (first.quality, second.quality) == (Quality.COMPLETE, Quality.COMPLETE)
    assert "asking without a key" in first.note
    assert second.note == ""


async def test_a_market_that_insists_on_a_key_failed(market: FakeVast, source: VastSource) -> None:
    market.script.extend(BAD_KEY[:1] * 3)
    fetch = await look(source)
    assert (fetch.quality, fetch.requests) == (Quality.FAILED, 2)
    assert "wants a valid key" in fetch.note
    assert (await look(source)).requests == 1


async def test_the_key_is_in_no_log(market: FakeVast, source: VastSource, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    market.script.extend([*BAD_KEY[:1], Say(503)])
    await look(source)
    assert caplog.records
    assert KEY not in caplog.text


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines"])
async def test_a_key_that_no_header_can_carry_is_refused_unseen(key: str) -> None:
    with pytest.raises(ValueError, match="copied whole") as caught:
        VastSource("http://127.0.0.1:1", key=key)
    assert key not in str(caught.value)


async def test_five_failures_in_a_row_bring_a_pause(market: FakeVast, source: VastSource, time: Time) -> None:
    market.script.extend([Say(500)] * 100)
    fetches = [await look(source) for _ in range(5)]
    assert [fetch.requests for fetch in fetches] == [4, 1, 1, 1, 1]
    assert (fetches[3].retry_after, fetches[4].retry_after) == (None, 300.0)
    assert "pausing after 5 failures" in fetches[4].note
    assert [(await look(source)).requests for _ in range(3)] == [0, 0, 0]
    time.now += 300
    assert (await look(source)).requests == 1
    assert (await look(source)).requests == 0
    time.now += 300
    market.script.clear()
    assert (await look(source)).quality is Quality.COMPLETE
    market.script.append(Say(500))
    assert (await look(source)).requests == 2


async def test_ten_minutes_of_outage_cost_at_most_twelve_requests(
    market: FakeVast, source: VastSource, time: Time
) -> None:
    market.script.extend([Say(502)] * 100)
    end = time.now + 600
    while time.now < end:
        await look(source)
        time.now += 6
    assert len(market.queries) <= 12


async def test_searches_keep_their_distance(market: FakeVast, time: Time) -> None:
    source = VastSource(market.url, spacing=6, timing=time.timing())
    await look(source)
    await look(source)
    time.now += 4
    await look(source)
    time.now += 100
    await look(source)
    await source.aclose()
    assert time.naps == [6, 2]


async def test_searches_wanted_at_once_keep_their_distance_too(market: FakeVast, time: Time) -> None:
    source = VastSource(market.url, spacing=6, timing=time.timing())
    await asyncio.gather(*(look(source) for _ in range(3)))
    await source.aclose()
    assert market.times == [1000, 1006, 1012]


@pytest.mark.parametrize(
    ("url", "spacing"),
    [
        ("https://console.vast.ai", 6),
        ("https://vast.ai/", 6),
        ("https://notvast.ai", 0),
        ("http://127.0.0.1:8899", 0),
    ],
)
async def test_only_the_real_service_is_spared_by_default(url: str, spacing: float) -> None:
    client = Client(url, None, None, 1, Time().timing())
    await client.aclose()
    assert client.spacing == spacing


async def test_drift_in_a_page_never_changes_what_is_kept_silently(market: FakeVast, source: VastSource) -> None:
    fields = ("dph_total", "min_bid", "gpu_ram", "machine_id")
    strings = [{**offer_row(n), **{k: str(offer_row(n)[k]) for k in fields}} for n in range(9)]
    plain = [offer_row(n) for n in range(9)]
    market.script.extend([Say(body=page(*plain)), Say(body=page(*strings, next_token=None))])
    first, second = await look(source), await look(source)
    assert first == replace(second, clock_skew=first.clock_skew)  # the market's clock may tick between the two


HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "X-RateLimit-Reset", "X-RateLimit-Limit"]),
    st.text() | st.integers().map(str) | st.floats().map(str) | st.datetimes().map(email.utils.format_datetime),
)
BODIES = st.binary() | st.fixed_dictionaries(
    {},
    optional={
        "error": st.sampled_from(["search_quota_exceeded", "rate_limit_exceeded"]) | st.text() | st.none(),
        "msg": st.text() | st.just("threshold=1e999") | st.just("threshold=" + "9" * 400),
        "limit": st.integers() | st.text() | st.floats(),
        "retry_after": st.integers() | st.text() | st.floats(),
    },
).map(lambda body: json.dumps(body).encode())


@given(st.integers(100, 999), HEADERS, BODIES)
def test_any_refusal_is_understood_and_its_wait_bounded(status: int, headers: dict[str, str], body: bytes) -> None:
    refusal = judge(Reply(status, headers, body), AT)
    if refusal is None:
        assert status == 200
        return
    assert refusal.wait is None or 0 <= refusal.wait <= (
        DAY + RESET_MARGIN_S if refusal.act is Act.QUOTA else LONGEST_WAIT_S
    )
    assert refusal.spacing is None or 0 <= refusal.spacing <= LONGEST_WAIT_S
    assert refusal.limit is None or refusal.limit > 0
    assert refusal.note.isprintable()
    assert len(refusal.note) < 300
