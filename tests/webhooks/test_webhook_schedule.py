"""When an event goes again: ten attempts in three days, when the receiver asks for it, and always in order."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytics.market import HOUR
from bot.store.engine import Store, open_store
from tests.fakes.alerting import rule
from tests.fakes.receivers import answer, resetting
from tests.fakes.webhook_market import WebhookMarket, webhook_market

WAITS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
LOW, HIGH = 300_000, 400_000


@pytest.fixture
async def hooks(store: Store) -> AsyncIterator[WebhookMarket]:
    async with webhook_market(store) as made:
        yield made


@pytest.mark.parametrize(("spread", "part"), [(0.5, 1.0), (1.0, 1.2), (0.0, 0.8)])
async def test_ten_attempts_in_three_days_under_one_id(hooks: WebhookMarket, spread: float, part: float) -> None:
    name, _ = await hooks.active()
    hooks.use(hooks.endpoints, spread)
    hooks.inbox.behave = answer(503)
    await hooks.say(f"webhook test {name}")
    begun = hooks.clock()
    await hooks.deliver()
    for wait in WAITS:
        wait = max(round(wait * part), 5)  # an endpoint that fails rests for five seconds
        await hooks.deliver(wait - 1)
        await hooks.deliver(1)
    for _ in range(100):
        await hooks.deliver(HOUR)
    at = [int(one.headers["webhook-timestamp"]) for one in hooks.inbox.requests]
    assert [b - a for a, b in pairwise([begun, *at])] == [0, *(max(round(one * part), 5) for one in WAITS)]
    assert len(set(hooks.inbox.ids)) == 1
    assert len({one.body for one in hooks.inbox.requests}) == 1
    assert (await hooks.counts())["rejected"] == 1
    log = (await hooks.log(name))[1:]
    assert [(one.at, one.status, one.event) for one in log] == [(second, 503, "webhook.test") for second in at]


@pytest.mark.parametrize("last", [False, True])
async def test_nothing_goes_before_the_time_that_a_receiver_asked_for(hooks: WebhookMarket, last: bool) -> None:
    name, _ = await hooks.active()
    hooks.inbox.behave = answer(503)
    await hooks.say(f"webhook test {name}")
    await hooks.deliver()
    for wait in WAITS[: 8 if last else 0]:
        await hooks.deliver(wait)
    hooks.inbox.behave = answer(429, retry_after=str(20 * HOUR))
    await hooks.deliver(WAITS[8] if last else WAITS[0])
    came, asked = len(hooks.inbox.requests), hooks.clock()
    hooks.inbox.behave = answer()
    await hooks.say(f"webhook test {name}")
    for _ in range(79):
        await hooks.deliver(15 * 60)
    assert len(hooks.inbox.requests) == came
    await hooks.deliver(15 * 60)
    times = [int(one.headers["webhook-timestamp"]) for one in hooks.inbox.requests[came:]]
    assert times == [asked + 20 * HOUR] * (1 if last else 2)


@settings(max_examples=12)
@given(st.lists(st.sampled_from(["ok", "500", "reset", "404"]), min_size=4, max_size=40))
@example(["500"] * 12)
@example(["reset", "ok", "500"])
async def test_the_events_of_an_alert_arrive_in_their_order(file_with_tables: Path, answers: list[str]) -> None:
    behaviours = {"ok": answer(), "500": answer(500), "404": answer(404), "reset": resetting}
    with TemporaryDirectory() as folder:
        store = await open_store(f"sqlite:///{shutil.copy(file_with_tables, folder)}", writer=True)
        async with webhook_market(store) as hooks:
            name, _ = await hooks.active()
            for threshold in (350_000, 340_000):
                await hooks.market.add(rule(threshold=threshold, readings=1))
            for price in (HIGH, LOW, HIGH, LOW, HIGH):
                hooks.inbox.behave = behaviours[answers.pop(0)] if answers else answer()
                await hooks.price(price)
                await hooks.deliver()
            while answers:
                hooks.inbox.behave = behaviours[answers.pop(0)]
                await hooks.deliver(3 * HOUR)
            hooks.inbox.behave = answer()
            for _ in range(40):
                await hooks.deliver(3 * HOUR)
            await in_order(hooks, name)
        await store.close()


async def in_order(hooks: WebhookMarket, name: str) -> None:
    """Each event is delivered or given up before the next of its alert is first tried."""
    tried: dict[str, list[str]] = defaultdict(list)
    done: set[str] = set()
    failures: dict[str, int] = defaultdict(int)
    named = {
        one.headers["webhook-id"]: (event["data"]["id"], event["data"]["episode"], event["type"])
        for one, event in zip(hooks.inbox.requests, hooks.inbox.events, strict=True)
    }
    for attempt in (await hooks.log(name))[1:]:
        alert, _, _ = named[attempt.message]
        assert attempt.message not in done
        assert all(one in done for one in tried[alert] if one != attempt.message)
        if attempt.message not in tried[alert]:
            tried[alert].append(attempt.message)
        failures[attempt.message] += bool(attempt.error)
        if not attempt.error or failures[attempt.message] == 10:
            done.add(attempt.message)
    for messages in tried.values():
        order = [(named[one][1], named[one][2]) for one in messages]
        assert order == sorted(order)  # "alert.fired" comes before "alert.resolved"
        assert len(order) == 4
