"""The live loop against scripted markets, its clock moved by hand."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import pytest

from analytics.market import DAY, HOUR, Offer, Quality
from bot.clock import SteadyClock
from bot.collect import Collector
from bot.poller import Poller
from bot.sources.base import Fetch, Survey
from bot.store.engine import Store, open_store
from tests.fakes.markets import ScriptedSource, offer

NOON = 1_800_000_000 // DAY * DAY + 12 * HOUR


@pytest.fixture
async def store(sqlite_url: str) -> AsyncIterator[Store]:
    """Nothing here depends on the database, so one will do."""
    opened = await open_store(sqlite_url, writer=True)
    yield opened
    await opened.close()


class HandClock:
    """UTC seconds that only a test moves; setting ``wall`` back is setting the wall clock back."""

    def __init__(self, now: int) -> None:
        self.wall, self.elapsed = now, 0
        self.steady = SteadyClock(lambda: self.wall, lambda: self.elapsed)

    def pass_(self, seconds: int) -> None:
        self.wall += seconds
        self.elapsed += seconds

    def __call__(self) -> int:
        return self.steady()


def _poller(
    store: Store, clock: HandClock, script: Callable[[str, int], Sequence[Offer] | Fetch], **more: object
) -> tuple[Poller, ScriptedSource]:
    source = ScriptedSource(script)
    settings: dict[str, object] = {"names": ("RTX 4090", "L40S"), "budget": 20_000, "wish": 300, **more}
    poller = Poller(store=store, source=source, collector=Collector(store), clock=clock, **settings)  # type: ignore[arg-type]
    return poller, source


def _free(name: str, at: int) -> list[Offer]:
    return [offer(machine, model=name) for machine in range(1, 11)]


async def _run(poller: Poller, clock: HandClock, seconds: int) -> None:
    """Let time pass: take turns and jump over the waits they ask for."""
    end = clock.elapsed + seconds
    while clock.elapsed < end:
        clock.pass_(min(end - clock.elapsed, max(1, int(await poller.turn()))))


async def test_one_round_of_polls_leaves_its_names_followed(store: Store) -> None:
    poller, _ = _poller(store, HandClock(NOON), _free)
    await poller.once()
    async with store.reader() as reader:
        assert {row.name: row.followed for row in await reader.models()} == {"RTX 4090": True, "L40S": True}


async def test_every_followed_name_is_polled_at_the_wished_interval(store: Store) -> None:
    clock = HandClock(NOON)
    poller, source = _poller(store, clock, _free)
    await _run(poller, clock, HOUR)
    times = [at for name, at in source.fetched if name == "L40S"]
    assert {b - a for a, b in itertools.pairwise(times)} <= {300, 301}
    async with store.reader() as reader:
        assert {row.name: (row.followed, row.interval) for row in await reader.models()} == {
            "RTX 4090": (True, 300),
            "L40S": (True, 300),
        }


async def test_a_day_never_costs_more_than_nine_tenths_of_the_budget(store: Store) -> None:
    clock = HandClock(NOON + 6 * HOUR)
    poller, source = _poller(store, clock, _free, budget=1000)
    await _run(poller, clock, 6 * HOUR - 1)
    async with store.reader() as reader:
        spent, _ = await reader.quota(NOON // DAY)
    assert spent == 10 * len(source.fetched)
    assert 800 <= spent <= 900


async def test_a_model_that_was_asked_about_is_polled_more_often(store: Store) -> None:
    clock = HandClock(NOON)
    poller, source = _poller(store, clock, _free, budget=2000, asked=lambda: {"L40S"})
    await _run(poller, clock, 4 * HOUR)
    counts = {name: sum(name == other for other, _ in source.fetched) for name in poller.names}
    assert counts["L40S"] > 2 * counts["RTX 4090"]


async def test_after_a_quota_refusal_nothing_is_asked_until_the_reset_nor_after_a_restart(store: Store) -> None:
    clock = HandClock(NOON + 9 * HOUR)
    midnight = NOON + 12 * HOUR

    def refuse(name: str, at: int) -> Fetch:
        return Fetch(name, at, (), Quality.FAILED, requests=1, learned_limit=3000, quota_reset_at=midnight)

    poller, source = _poller(store, clock, refuse)
    async with store.writer() as writer:
        await writer.add_quota(NOON // DAY, 3000)
    await _run(poller, clock, 2 * HOUR)
    assert len(source.fetched) == 1
    again, silent = _poller(store, clock, refuse)
    await again._recall()
    await _run(again, clock, HOUR - 60)
    assert silent.fetched == []
    await _run(again, clock, 120)
    assert silent.fetched


async def test_a_clock_set_back_neither_stops_polling_nor_turns_stored_time_back(store: Store) -> None:
    clock = HandClock(NOON)
    poller, source = _poller(store, clock, _free, names=("L40S",))
    await _run(poller, clock, HOUR)
    clock.wall -= HOUR
    before = len(source.fetched)
    await _run(poller, clock, 2 * HOUR)
    assert len(source.fetched) >= before + 2 * HOUR // 450 - 1
    times = [at for _, at in source.fetched]
    assert times == sorted(times)


async def test_a_failing_poll_is_stored_as_failed_and_tried_again_in_its_turn(store: Store) -> None:
    clock = HandClock(NOON)

    def broken(name: str, at: int) -> Fetch | list[Offer]:
        return replace(_fetch(name, at), quality=Quality.FAILED, polls=()) if at < NOON + 900 else _free(name, at)

    poller, _ = _poller(store, clock, broken, names=("L40S",))
    await _run(poller, clock, HOUR)
    async with store.reader() as reader:
        assert (await reader.quotes())["L40S"].offers == 10


def _fetch(name: str, at: int) -> Fetch:
    return Fetch(name, at, (), Quality.COMPLETE, requests=1)


async def test_unasked_it_follows_the_busiest_that_the_budget_lets_it_poll_hourly(store: Store) -> None:
    clock = HandClock(NOON)

    async def survey(*, at: int) -> Survey:
        return Survey({"RTX 4090": 40, "L40S": 5, "B200": 60}, sampled=False, fetch=_fetch("", at))

    poller, source = _poller(store, clock, _free, names=(), budget=1200, survey=survey)
    await poller.turn()
    assert set(poller.names) == {"RTX 4090", "L40S"}
    assert source.fetched


async def test_once_polls_each_name_once(store: Store) -> None:
    poller, source = _poller(store, HandClock(NOON), _free)
    assert [fetch.vast_name for fetch in await poller.once()] == ["RTX 4090", "L40S"]
    assert len(source.fetched) == 2
