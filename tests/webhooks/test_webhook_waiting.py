"""What waits for an endpoint: it is brought forward by a replay, and never overtakes the challenge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from analytics.market import DAY, HOUR
from bot.secret_box import SecretBox, new_key
from bot.store.engine import Store
from bot.store.webhooks import FIRED, to_endpoint
from tests.fakes.receivers import answer
from tests.fakes.webhook_market import WebhookMarket, webhook_market


@pytest.fixture
async def hooks(store: Store) -> AsyncIterator[WebhookMarket]:
    async with webhook_market(store) as made:
        yield made


@pytest.mark.parametrize("by_id", [False, True])
async def test_a_replay_brings_forward_what_waits_for_its_next_attempt(hooks: WebhookMarket, by_id: bool) -> None:
    name, _ = await hooks.active()
    hooks.inbox.behave = answer(500)
    await hooks.say(f"webhook test {name}")
    for wait in (0, 5, 300):
        await hooks.deliver(wait)
    hooks.clock.pass_(600)  # its endpoint rests no more, but the message waits for half an hour
    hooks.inbox.behave = answer()
    said = await hooks.hear(f"webhook replay {name} {hooks.inbox.ids[0] if by_id else ''}")
    assert said.endswith("again: 1"), said
    await hooks.deliver()
    assert len(hooks.inbox.ids) == 4
    assert len(set(hooks.inbox.ids)) == 1
    assert (await hooks.counts())["delivered"] == 2  # with the challenge
    await hooks.deliver(DAY)
    assert len(hooks.inbox.ids) == 4


async def test_a_challenge_whose_time_ends_between_attempts_disables_its_endpoint(hooks: WebhookMarket) -> None:
    name, _ = await hooks.active()
    hooks.inbox.behave = answer(410)
    await hooks.say(f"webhook test {name}")
    await hooks.deliver()
    hooks.inbox.behave, hooks.inbox.obliging = answer(503, retry_after=str(DAY)), False
    await hooks.say(f"webhook test {name}")
    await hooks.deliver()
    hooks.clock.pass_(HOUR)
    await hooks.say(f"webhook replay {name}")  # lives longer than the challenge
    for _ in range(5 * 24):
        await hooks.deliver(HOUR)
    assert len(hooks.inbox.events) == 1  # of before
    assert (await hooks.row(name)).state == "disabled"


async def test_nothing_but_a_challenge_goes_to_a_pending_one(hooks: WebhookMarket) -> None:
    name, _ = await hooks.active()
    hooks.inbox.behave = answer(410)
    await hooks.say(f"webhook test {name}")
    await hooks.deliver()
    hooks.inbox.behave = answer()
    known = hooks.endpoints
    hooks.use(replace(known, vault=SecretBox(new_key())))  # a process of another key
    await hooks.say(f"webhook test {name}")
    hooks.clock.pass_(HOUR)
    await hooks.say(f"webhook replay {name}")
    for _ in range(4 * 24 - 1):
        await hooks.deliver(HOUR)
    hooks.use(known)
    await hooks.deliver(600)
    assert (await hooks.row(name)).state == "pending"
    assert len(hooks.inbox.events) == 1


async def test_a_process_without_the_key_says_so_and_loses_nothing(hooks: WebhookMarket) -> None:
    name, _ = await hooks.add()
    known = hooks.endpoints
    hooks.use(replace(known, vault=None))
    with capture_logs() as logs:
        await hooks.deliver()
        await hooks.deliver(HOUR)
    assert [one["log_level"] for one in logs] == ["error"]
    assert "SPOTBOT_SECRET_KEY" in logs[0]["error"]
    hooks.use(known)
    await hooks.deliver(HOUR)
    assert (await hooks.row(name)).state == "active"
    assert [one.status for one in await hooks.log(name)] == [200]


async def test_a_process_of_another_key_cannot_rotate_and_says_why(hooks: WebhookMarket) -> None:
    name, _ = await hooks.active()
    hooks.use(replace(hooks.endpoints, vault=SecretBox(new_key())))
    said = await hooks.say(f"webhook rotate {name}")
    assert not said.ok
    assert "SPOTBOT_SECRET_KEY" in str(said.card)


async def test_an_event_that_cannot_be_written_holds_up_no_other(hooks: WebhookMarket) -> None:
    name, _ = await hooks.active()
    row = await hooks.row(name)
    async with hooks.store.writer() as writer:
        await writer.outbox.add([to_endpoint(row, FIRED, "odd", "odd", {"rule": {}}, hooks.clock())], hooks.clock())
    await hooks.say(f"webhook test {name}")
    for _ in range(10):
        await hooks.deliver(10)
    assert [one["type"] for one in hooks.inbox.events] == ["webhook.test"]
    assert (await hooks.row(name)).failing_since is None
    assert (await hooks.counts())["queued"] == 1  # it goes once whoever runs spotbot has mended it
