"""The live loop against scripted markets, its clock moved by hand."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from analytics.market import DAY, HOUR, Offer, Quality
from bot.sources.base import Fetch, Reserve, Survey
from bot.store.engine import Store, StoreError, open_store
from tests.fakes.polling import HandClock, free_market, run, scripted_poller

NOON = 1_800_000_000 // DAY * DAY + 12 * HOUR


@pytest.fixture
async def store(sqlite_tables: str) -> AsyncIterator[Store]:
    """Nothing here depends on the database, so one will do."""
    opened = await open_store(sqlite_tables, writer=True)
    yield opened
    await opened.close()


async def test_one_round_of_polls_leaves_its_names_followed(store: Store) -> None:
    poller, _ = scripted_poller(store, HandClock(NOON), free_market)
    await poller.once()
    async with store.reader() as reader:
        assert {row.name: row.followed for row in await reader.models()} == {"RTX 4090": True, "L40S": True}


async def test_every_followed_name_is_polled_at_the_wished_interval(store: Store) -> None:
    clock = HandClock(NOON)
    poller, source = scripted_poller(store, clock, free_market)
    await run(poller, clock, HOUR)
    times = [at for name, at in source.fetched if name == "L40S"]
    assert {b - a for a, b in itertools.pairwise(times)} <= {300, 301}
    async with store.reader() as reader:
        assert {row.name: (row.followed, row.interval) for row in await reader.models()} == {
            "RTX 4090": (True, 300),
            "L40S": (True, 300),
        }


async def test_a_day_never_costs_more_than_nine_tenths_of_the_budget(store: Store) -> None:
    clock = HandClock(NOON + 6 * HOUR)
    poller, source = scripted_poller(store, clock, free_market, budget=1000)
    await run(poller, clock, 6 * HOUR - 1)
    async with store.reader() as reader:
        spent, _ = await reader.quota(NOON // DAY)
    assert spent == 10 * len(source.fetched)
    assert 800 <= spent <= 900


async def test_a_model_that_was_asked_about_is_polled_more_often(store: Store) -> None:
    clock = HandClock(NOON)
    poller, source = scripted_poller(store, clock, free_market, budget=2000)
    await poller.once()
    async with store.writer() as writer:
        await writer.touch_asked(["L40S"], NOON)
    await run(poller, clock, 4 * HOUR)
    counts = {name: sum(name == other for other, _ in source.fetched) for name in poller.names}
    assert counts["L40S"] > 2 * counts["RTX 4090"]


async def test_after_a_quota_refusal_nothing_is_asked_until_the_reset_nor_after_a_restart(store: Store) -> None:
    clock = HandClock(NOON + 9 * HOUR)
    midnight = NOON + 12 * HOUR

    def refuse(name: str, at: int) -> Fetch:
        return Fetch(name, at, (), Quality.FAILED, requests=1, learned_limit=3000, quota_reset_at=midnight)

    poller, source = scripted_poller(store, clock, refuse)
    async with store.writer() as writer:
        await writer.add_quota(NOON // DAY, 3000)
    await run(poller, clock, 2 * HOUR)
    assert len(source.fetched) == 1
    again, silent = scripted_poller(store, clock, refuse)
    await again._recall()
    await run(again, clock, HOUR - 60)
    assert silent.fetched == []
    await run(again, clock, 120)
    assert silent.fetched


async def test_a_failing_poll_is_stored_as_failed_and_tried_again_in_its_turn(store: Store) -> None:
    clock = HandClock(NOON)

    def broken(name: str, at: int) -> Fetch | list[Offer]:
        return replace(_fetch(name, at), quality=Quality.FAILED, polls=()) if at < NOON + 900 else free_market(name, at)

    poller, _ = scripted_poller(store, clock, broken, names=("L40S",))
    await run(poller, clock, HOUR)
    async with store.reader() as reader:
        assert (await reader.quotes())["L40S"].offers == 10


async def test_the_log_tells_a_poll_that_is_doubted(store: Store) -> None:
    clock = HandClock(NOON)

    def sunk(name: str, at: int) -> list[Offer]:
        return free_market(name, at) if at < NOON + 900 else free_market(name, at)[:1]

    poller, _ = scripted_poller(store, clock, sunk, names=("L40S",))
    with capture_logs() as logs:
        await run(poller, clock, 1000)
    told = [line for line in logs if line["event"] == "polled"]
    assert [line["quality"] for line in told] == ["complete"] * 3 + ["suspect"]
    assert "1 offers where 10 are usual" in told[-1]["note"]


def _fetch(name: str, at: int) -> Fetch:
    return Fetch(name, at, (), Quality.COMPLETE, requests=1)


async def test_unasked_it_follows_the_busiest_that_the_budget_lets_it_poll_hourly(store: Store) -> None:
    clock = HandClock(NOON)

    poller, source = scripted_poller(store, clock, free_market, names=(), budget=1200, survey=Surveyor())
    await poller.turn()
    assert set(poller.names) == {"RTX 4090", "L40S"}
    assert source.fetched


class Surveyor:
    """A look over a market of three names; every look costs 105 rows."""

    def __init__(self) -> None:
        self.looks: list[tuple[int, int]] = []

    async def __call__(self, *, at: int, max_rows: int, reserve: Reserve) -> Survey:
        await reserve(min(512, max_rows))
        self.looks.append((at, max_rows))
        found = {"RTX 4090": 40, "L40S": 5, "B200": 60}
        return Survey(found, sampled=False, fetch=replace(_fetch("", at), rows=105))


async def test_a_start_that_knows_its_models_looks_over_the_market_once_a_day_only(store: Store) -> None:
    clock, surveyor = HandClock(NOON), Surveyor()
    for _ in range(5):
        poller, _ = scripted_poller(store, clock, free_market, names=(), budget=1200, survey=surveyor, wish=2 * HOUR)
        await poller._recall()
        await run(poller, clock, 600)
    assert len(surveyor.looks) == 1
    await run(poller, clock, DAY + HOUR, stride=HOUR)
    assert len(surveyor.looks) == 2
    for _ in range(3):
        await scripted_poller(store, clock, free_market, names=(), budget=1200, survey=surveyor)[0].once()
    assert len(surveyor.looks) == 2


async def test_with_the_rows_of_the_day_spent_nothing_is_asked_not_even_what_there_is(store: Store) -> None:
    surveyor = Surveyor()
    async with store.writer() as writer:
        await writer.add_quota(NOON // DAY, 1080)
    poller, source = scripted_poller(store, HandClock(NOON), free_market, names=(), budget=1200, survey=surveyor)
    await poller.once()
    await poller.turn()
    assert surveyor.looks == source.fetched == []


async def test_what_somebody_chose_to_follow_is_not_chosen_anew(store: Store) -> None:
    clock, surveyor = HandClock(NOON), Surveyor()
    async with store.writer() as writer:
        await writer.note_survey(NOON - 2 * DAY)
    poller, _ = scripted_poller(store, clock, free_market, names=("L40S",), survey=surveyor)
    await poller._recall()
    await run(poller, clock, HOUR)
    assert (poller.names, surveyor.looks) == (("L40S",), [])


class Killed(BaseException):
    """What a killed process does after that: nothing."""


async def test_rows_that_a_process_asked_for_before_it_died_are_counted(store: Store) -> None:
    clock, served = HandClock(NOON), 0

    def die(name: str, at: int) -> list[Offer]:
        nonlocal served
        served += 500
        raise Killed

    for _ in range(3):
        poller, _ = scripted_poller(store, clock, die, names=("L40S",))
        with pytest.raises(Killed):
            await poller.turn()
        clock.pass_(600)
    async with store.reader() as reader:
        spent, _ = await reader.quota(NOON // DAY)
    assert served <= spent <= 3 * 512


async def test_what_was_reserved_and_not_used_is_given_back(store: Store) -> None:
    clock = HandClock(NOON)
    poller, source = scripted_poller(store, clock, free_market)
    await run(poller, clock, HOUR)
    async with store.reader() as reader:
        assert (await reader.quota(NOON // DAY))[0] == 10 * len(source.fetched)


async def test_where_rows_cannot_be_counted_nothing_is_asked(store: Store) -> None:
    clock = HandClock(NOON)
    poller, source = scripted_poller(store, clock, free_market)
    await run(poller, clock, 60)
    assert len(source.fetched) == 2
    store._writable = False  # it leads, but what it writes is refused
    clock.pass_(HOUR)
    with pytest.raises(StoreError):
        await poller.turn()
    assert len(source.fetched) == 2


async def test_a_process_that_may_only_read_asks_nothing(store: Store, sqlite_url: str) -> None:
    poller, source = scripted_poller(store, HandClock(NOON), free_market)
    poller.store = reading = await open_store(sqlite_url, writer=False)
    assert await poller.turn() > 0
    with pytest.raises(StoreError):
        await poller.once()
    await reading.close()
    assert source.fetched == []


async def test_once_polls_each_name_once(store: Store) -> None:
    poller, source = scripted_poller(store, HandClock(NOON), free_market)
    assert [fetch.vast_name for fetch in await poller.once()] == ["RTX 4090", "L40S"]
    assert len(source.fetched) == 2
