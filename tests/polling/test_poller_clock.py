"""The live loop under wall clocks that are wrong."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable

import pytest

from analytics.market import DAY, HOUR, Offer, Poll, Quality
from bot.clock import BELIEVE_AFTER
from bot.polling.poller import PATIENCE_SECONDS
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


def _timed(clock: HandClock, error: int = 0) -> Callable[[str, int], Fetch]:
    """A market that tells the true time, from which the wall clock is ``clock.wrong`` seconds away."""

    def script(name: str, at: int) -> Fetch:
        polls = (Poll(name, at, Quality.COMPLETE, tuple(free_market(name, at)), 300),)
        true = NOON + clock.elapsed
        return Fetch(name, at, polls, Quality.COMPLETE, rows=10, requests=1, clock_skew=float(true - at + error))

    return script


async def _stored(store: Store) -> list[int]:
    async with store.reader() as reader:
        return [quote.at for quote in await reader.points("L40S", 0)]


@pytest.mark.parametrize("wrong", [-HOUR, HOUR, -DAY, DAY, 400 * DAY])
async def test_a_wall_clock_that_was_set_changes_nothing_while_the_market_contradicts_it(
    store: Store, wrong: int
) -> None:
    clock = HandClock(NOON)
    poller, source = scripted_poller(store, clock, _timed(clock), names=("L40S",))
    await run(poller, clock, HOUR)
    clock.wall += wrong
    await run(poller, clock, 2 * HOUR)
    clock.wall -= wrong
    await run(poller, clock, HOUR)
    assert all(abs(at - NOON - 300 * n) <= 60 for n, at in enumerate(await _stored(store)))
    assert len(source.fetched) >= 4 * HOUR // 301


async def test_a_wall_clock_set_back_for_good_is_believed_after_minutes_where_the_market_tells_no_time(
    store: Store,
) -> None:
    clock, polled = HandClock(NOON), []

    def script(name: str, at: int) -> list[Offer]:
        polled.append(clock.elapsed)
        return free_market(name, at)

    poller, _ = scripted_poller(store, clock, script, names=("L40S",))
    await run(poller, clock, HOUR)
    clock.wall -= HOUR
    await run(poller, clock, BELIEVE_AFTER + PATIENCE_SECONDS + 660)
    assert max(b - a for a, b in itertools.pairwise(polled)) <= 301
    times = await _stored(store)
    assert clock.wall - 301 <= max(times) <= clock.wall


@pytest.mark.parametrize("wrong", [DAY, 400 * DAY, -DAY, -400 * DAY])
async def test_a_start_under_a_wrong_clock_stores_nothing_until_it_is_set_right(store: Store, wrong: int) -> None:
    before = HandClock(NOON)
    poller, _ = scripted_poller(store, before, _timed(before), names=("L40S",))
    await run(poller, before, HOUR)
    stored = await _stored(store)
    clock = HandClock(NOON + HOUR + 600 + wrong, HOUR + 600)
    poller, source = scripted_poller(store, clock, _timed(clock), names=("L40S",))
    await run(poller, clock, HOUR)
    after = await _stored(store)
    assert after[: len(stored)] == stored
    assert all(NOON <= at <= NOON + clock.elapsed for at in after)
    assert len(after) >= len(stored) + HOUR // 301 - 2
    async with store.reader() as reader:
        assert (await reader.quota(NOON // DAY))[0] == 10 * (len(source.fetched) + len(stored))


async def test_waits_that_a_wrong_clock_dated_end_when_it_is_set_right(store: Store) -> None:
    """A start with a wrong clock, while the market refuses and so tells no time."""
    clock = HandClock(NOON + 2 * HOUR)
    told = _timed(clock)

    def script(name: str, at: int) -> Fetch:
        if clock.elapsed < 60:
            return Fetch(name, at, (), Quality.FAILED, requests=1, retry_after=300.0)
        return told(name, at)

    poller, _ = scripted_poller(store, clock, script, names=("L40S",))
    await run(poller, clock, 120)
    clock.wall -= 2 * HOUR
    await run(poller, clock, HOUR)
    times = await _stored(store)
    assert max(times) <= clock.wall
    assert len([at for at in times if at > NOON + 600]) >= 9


async def test_rounds_that_a_wrong_clock_dated_ahead_hold_nothing_back(store: Store) -> None:
    """What an earlier version stored while the clock was a day ahead."""
    ahead = HandClock(NOON + DAY)
    poller, _ = scripted_poller(store, ahead, free_market, names=("L40S",))
    await run(poller, ahead, 900)
    clock = HandClock(NOON)
    poller, _ = scripted_poller(store, clock, _timed(clock), names=("L40S",))
    await run(poller, clock, 600)
    times = await _stored(store)
    assert len(times) >= 2
    assert max(times) <= clock.wall


async def test_many_rounds_ahead_are_kept_until_clock_and_market_have_agreed_for_an_hour(store: Store) -> None:
    """A day of them: the present may be what is wrong."""
    clock = HandClock(NOON)
    poller, _ = scripted_poller(store, clock, free_market, names=("L40S",), wish=HOUR)
    await run(poller, clock, DAY, stride=HOUR)
    count = len(await _stored(store))
    again = HandClock(NOON - HOUR, -HOUR)
    poller, _ = scripted_poller(store, again, _timed(again), names=("L40S",))
    await run(poller, again, HOUR - 300)
    assert len(await _stored(store)) == count
    await run(poller, again, HOUR)
    assert max(await _stored(store)) <= again.wall
