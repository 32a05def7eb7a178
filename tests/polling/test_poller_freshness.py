"""What the poller leaves in the store of why data are as old as they are."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from analytics.market import DAY, HOUR, Offer, Poll, Quality
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.sources.base import Fetch
from bot.store.engine import Store, open_store
from tests.fakes.polling import HandClock, free_market, run, scripted_poller

NOON = 1_800_000_000 // DAY * DAY + 12 * HOUR


@pytest.fixture
async def store(sqlite_tables: str) -> AsyncIterator[Store]:
    """Nothing here depends on the database, so one will do."""
    opened = await open_store(sqlite_tables, writer=True)
    yield opened
    await opened.close()


async def _freshness(store: Store, now: int) -> tuple[str, int | None]:
    """What an answer about L40S would say of its data, and when polling goes on."""
    async with Dispatcher(store, COMMANDS, lambda: now).query_context() as query:
        basis = await query.basis(["L40S"])
    return basis.freshness.value, basis.spent_until


async def test_spent_rows_do_not_make_old_data_fresh(store: Store) -> None:
    """The plan for what is left of the day would poll every six hours; that is no reason to call them fresh."""
    clock = HandClock(NOON)
    poller, source = scripted_poller(store, clock, free_market, names=("L40S",))
    await run(poller, clock, HOUR)
    async with store.writer() as writer:
        await writer.add_quota(NOON // DAY, 18_000)
    count = len(source.fetched)
    await run(poller, clock, 5 * HOUR, stride=600)
    assert len(source.fetched) == count
    midnight = NOON + 12 * HOUR
    assert await _freshness(store, clock()) == ("quota_spent", midnight)
    await run(poller, clock, 7 * HOUR)
    assert await _freshness(store, clock()) == ("fresh", None)


async def test_a_refusal_for_the_day_is_told_until_the_market_opens_again(store: Store) -> None:
    clock = HandClock(NOON)

    def script(name: str, at: int) -> Fetch | list[Offer]:
        refused = Fetch(name, at, (), Quality.FAILED, learned_limit=3000, quota_reset_at=NOON + 2 * HOUR)
        return free_market(name, at) if at < NOON + 900 or at >= NOON + 2 * HOUR else refused

    poller, _ = scripted_poller(store, clock, script, names=("L40S",))
    await run(poller, clock, HOUR)
    for _ in range(2):
        assert await _freshness(store, clock()) == ("quota_spent", NOON + 2 * HOUR)
        poller, source = scripted_poller(store, clock, script, names=("L40S",))
        await poller._recall()
        await run(poller, clock, 60)
        assert source.fetched == [], "a restart asks again what was refused for the day"
    await run(poller, clock, HOUR + 600)
    assert (await _freshness(store, clock()))[0] == "fresh"


async def test_a_greater_budget_ends_the_wait(store: Store) -> None:
    clock = HandClock(NOON)
    async with store.writer() as writer:
        await writer.add_quota(NOON // DAY, 1000)
    poller, _ = scripted_poller(store, clock, free_market, names=("L40S",), budget=1000)
    await run(poller, clock, 600)
    assert (await _freshness(store, clock()))[1] == NOON + 12 * HOUR
    poller, _ = scripted_poller(store, clock, free_market, names=("L40S",), budget=5000)
    await poller._recall()
    await run(poller, clock, 600)
    assert await _freshness(store, clock()) == ("fresh", None)


async def test_a_market_that_fails_is_told_from_one_that_nobody_polls(store: Store) -> None:
    clock = HandClock(NOON)

    def script(name: str, at: int) -> Fetch | list[Offer]:
        polls = (Poll(name, at, Quality.FAILED),)
        return free_market(name, at) if at < NOON + 900 else Fetch(name, at, polls, Quality.FAILED, requests=1)

    poller, _ = scripted_poller(store, clock, script, names=("L40S",))
    await run(poller, clock, 900)
    assert await _freshness(store, clock() + 500) == ("fresh", None)
    assert await _freshness(store, clock() + HOUR) == ("late", None)
    await run(poller, clock, HOUR)
    assert await _freshness(store, clock()) == ("market_down", None)
