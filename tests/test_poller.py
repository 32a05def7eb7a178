"""The live loop against scripted markets, its clock moved by hand."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from analytics.market import DAY, HOUR, Offer, Poll, Quality
from bot.clock import BELIEVE_AFTER, SteadyClock
from bot.collect import Collector
from bot.commands import COMMANDS
from bot.commands.counter import Counter
from bot.poller import PATIENCE_SECONDS, Poller
from bot.sources.base import Fetch, Reserve, Survey
from bot.store.engine import Store, StoreError, open_store
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

    def __init__(self, now: int, elapsed: int = 0) -> None:
        self.wall, self.elapsed = now, elapsed
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
    collector = Collector(store)
    poller = Poller(store=store, source=source, collector=collector, clock=clock.steady, **settings)  # type: ignore[arg-type]
    return poller, source


def _free(name: str, at: int) -> list[Offer]:
    return [offer(machine, model=name) for machine in range(1, 11)]


async def _run(poller: Poller, clock: HandClock, seconds: int, *, stride: int = 1) -> None:
    """Let time pass: take turns and jump over the waits they ask for, and at least a stride."""
    end = clock.elapsed + seconds
    while clock.elapsed < end:
        wait = int(await poller.turn())
        clock.pass_(min(end - clock.elapsed, max(stride if wait else 1, wait)))


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
    poller, source = _poller(store, clock, _free, budget=2000)
    await poller.once()
    async with store.writer() as writer:
        await writer.touch_asked(["L40S"], NOON)
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


def _timed(clock: HandClock, error: int = 0) -> Callable[[str, int], Fetch]:
    """A market that tells the true time, from which the wall clock is ``clock.wrong`` seconds away."""

    def script(name: str, at: int) -> Fetch:
        polls = (Poll(name, at, Quality.COMPLETE, tuple(_free(name, at)), 300),)
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
    poller, source = _poller(store, clock, _timed(clock), names=("L40S",))
    await _run(poller, clock, HOUR)
    clock.wall += wrong
    await _run(poller, clock, 2 * HOUR)
    clock.wall -= wrong
    await _run(poller, clock, HOUR)
    assert all(abs(at - NOON - 300 * n) <= 60 for n, at in enumerate(await _stored(store)))
    assert len(source.fetched) >= 4 * HOUR // 301


async def test_a_wall_clock_set_back_for_good_is_believed_after_minutes_where_the_market_tells_no_time(
    store: Store,
) -> None:
    clock, polled = HandClock(NOON), []

    def script(name: str, at: int) -> list[Offer]:
        polled.append(clock.elapsed)
        return _free(name, at)

    poller, _ = _poller(store, clock, script, names=("L40S",))
    await _run(poller, clock, HOUR)
    clock.wall -= HOUR
    await _run(poller, clock, BELIEVE_AFTER + PATIENCE_SECONDS + 660)
    assert max(b - a for a, b in itertools.pairwise(polled)) <= 301
    times = await _stored(store)
    assert clock.wall - 301 <= max(times) <= clock.wall


@pytest.mark.parametrize("wrong", [DAY, 400 * DAY, -DAY, -400 * DAY])
async def test_a_start_under_a_wrong_clock_stores_nothing_until_it_is_set_right(store: Store, wrong: int) -> None:
    before = HandClock(NOON)
    poller, _ = _poller(store, before, _timed(before), names=("L40S",))
    await _run(poller, before, HOUR)
    stored = await _stored(store)
    clock = HandClock(NOON + HOUR + 600 + wrong, HOUR + 600)
    poller, source = _poller(store, clock, _timed(clock), names=("L40S",))
    await _run(poller, clock, HOUR)
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

    poller, _ = _poller(store, clock, script, names=("L40S",))
    await _run(poller, clock, 120)
    clock.wall -= 2 * HOUR
    await _run(poller, clock, HOUR)
    times = await _stored(store)
    assert max(times) <= clock.wall
    assert len([at for at in times if at > NOON + 600]) >= 9


async def test_rounds_that_a_wrong_clock_dated_ahead_hold_nothing_back(store: Store) -> None:
    """What an earlier version stored while the clock was a day ahead."""
    ahead = HandClock(NOON + DAY)
    poller, _ = _poller(store, ahead, _free, names=("L40S",))
    await _run(poller, ahead, 900)
    clock = HandClock(NOON)
    poller, _ = _poller(store, clock, _timed(clock), names=("L40S",))
    await _run(poller, clock, 600)
    times = await _stored(store)
    assert len(times) >= 2
    assert max(times) <= clock.wall


async def test_many_rounds_ahead_are_kept_until_clock_and_market_have_agreed_for_an_hour(store: Store) -> None:
    """A day of them: the present may be what is wrong."""
    clock = HandClock(NOON)
    poller, _ = _poller(store, clock, _free, names=("L40S",), wish=HOUR)
    await _run(poller, clock, DAY, stride=HOUR)
    count = len(await _stored(store))
    again = HandClock(NOON - HOUR, -HOUR)
    poller, _ = _poller(store, again, _timed(again), names=("L40S",))
    await _run(poller, again, HOUR - 300)
    assert len(await _stored(store)) == count
    await _run(poller, again, HOUR)
    assert max(await _stored(store)) <= again.wall


async def test_a_failing_poll_is_stored_as_failed_and_tried_again_in_its_turn(store: Store) -> None:
    clock = HandClock(NOON)

    def broken(name: str, at: int) -> Fetch | list[Offer]:
        return replace(_fetch(name, at), quality=Quality.FAILED, polls=()) if at < NOON + 900 else _free(name, at)

    poller, _ = _poller(store, clock, broken, names=("L40S",))
    await _run(poller, clock, HOUR)
    async with store.reader() as reader:
        assert (await reader.quotes())["L40S"].offers == 10


async def test_the_log_tells_a_poll_that_is_doubted(store: Store) -> None:
    clock = HandClock(NOON)

    def sunk(name: str, at: int) -> list[Offer]:
        return _free(name, at) if at < NOON + 900 else _free(name, at)[:1]

    poller, _ = _poller(store, clock, sunk, names=("L40S",))
    with capture_logs() as logs:
        await _run(poller, clock, 1000)
    told = [line for line in logs if line["event"] == "polled"]
    assert [line["quality"] for line in told] == ["complete"] * 3 + ["suspect"]
    assert "1 offers where 10 are usual" in told[-1]["note"]


def _fetch(name: str, at: int) -> Fetch:
    return Fetch(name, at, (), Quality.COMPLETE, requests=1)


async def test_unasked_it_follows_the_busiest_that_the_budget_lets_it_poll_hourly(store: Store) -> None:
    clock = HandClock(NOON)

    poller, source = _poller(store, clock, _free, names=(), budget=1200, survey=Surveyor())
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
        poller, _ = _poller(store, clock, _free, names=(), budget=1200, survey=surveyor, wish=2 * HOUR)
        await poller._recall()
        await _run(poller, clock, 600)
    assert len(surveyor.looks) == 1
    await _run(poller, clock, DAY + HOUR, stride=HOUR)
    assert len(surveyor.looks) == 2
    for _ in range(3):
        await _poller(store, clock, _free, names=(), budget=1200, survey=surveyor)[0].once()
    assert len(surveyor.looks) == 2


async def test_with_the_rows_of_the_day_spent_nothing_is_asked_not_even_what_there_is(store: Store) -> None:
    surveyor = Surveyor()
    async with store.writer() as writer:
        await writer.add_quota(NOON // DAY, 1080)
    poller, source = _poller(store, HandClock(NOON), _free, names=(), budget=1200, survey=surveyor)
    await poller.once()
    await poller.turn()
    assert surveyor.looks == source.fetched == []


async def test_what_somebody_chose_to_follow_is_not_chosen_anew(store: Store) -> None:
    clock, surveyor = HandClock(NOON), Surveyor()
    async with store.writer() as writer:
        await writer.note_survey(NOON - 2 * DAY)
    poller, _ = _poller(store, clock, _free, names=("L40S",), survey=surveyor)
    await poller._recall()
    await _run(poller, clock, HOUR)
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
        poller, _ = _poller(store, clock, die, names=("L40S",))
        with pytest.raises(Killed):
            await poller.turn()
        clock.pass_(600)
    async with store.reader() as reader:
        spent, _ = await reader.quota(NOON // DAY)
    assert served <= spent <= 3 * 512


async def test_what_was_reserved_and_not_used_is_given_back(store: Store) -> None:
    clock = HandClock(NOON)
    poller, source = _poller(store, clock, _free)
    await _run(poller, clock, HOUR)
    async with store.reader() as reader:
        assert (await reader.quota(NOON // DAY))[0] == 10 * len(source.fetched)


async def test_where_rows_cannot_be_counted_nothing_is_asked(store: Store) -> None:
    clock = HandClock(NOON)
    poller, source = _poller(store, clock, _free)
    await _run(poller, clock, 60)
    assert len(source.fetched) == 2
    store._writable = False  # it leads, but what it writes is refused
    clock.pass_(HOUR)
    with pytest.raises(StoreError):
        await poller.turn()
    assert len(source.fetched) == 2


async def test_a_process_that_may_only_read_asks_nothing(store: Store, sqlite_url: str) -> None:
    poller, source = _poller(store, HandClock(NOON), _free)
    poller.store = reading = await open_store(sqlite_url, writer=False)
    assert await poller.turn() > 0
    with pytest.raises(StoreError):
        await poller.once()
    await reading.close()
    assert source.fetched == []


async def test_once_polls_each_name_once(store: Store) -> None:
    poller, source = _poller(store, HandClock(NOON), _free)
    assert [fetch.vast_name for fetch in await poller.once()] == ["RTX 4090", "L40S"]
    assert len(source.fetched) == 2


async def _freshness(store: Store, now: int) -> tuple[str, int | None]:
    """What an answer about L40S would say of its data, and when polling goes on."""
    async with Counter(store, COMMANDS, lambda: now).desk() as desk:
        basis = await desk.basis(["L40S"])
    return basis.freshness.value, basis.spent_until


async def test_spent_rows_do_not_make_old_data_fresh(store: Store) -> None:
    """The plan for what is left of the day would poll every six hours; that is no reason to call them fresh."""
    clock = HandClock(NOON)
    poller, source = _poller(store, clock, _free, names=("L40S",))
    await _run(poller, clock, HOUR)
    async with store.writer() as writer:
        await writer.add_quota(NOON // DAY, 18_000)
    count = len(source.fetched)
    await _run(poller, clock, 5 * HOUR, stride=600)
    assert len(source.fetched) == count
    midnight = NOON + 12 * HOUR
    assert await _freshness(store, clock()) == ("quota_spent", midnight)
    await _run(poller, clock, 7 * HOUR)
    assert await _freshness(store, clock()) == ("fresh", None)


async def test_a_refusal_for_the_day_is_told_until_the_market_opens_again(store: Store) -> None:
    clock = HandClock(NOON)

    def script(name: str, at: int) -> Fetch | list[Offer]:
        refused = Fetch(name, at, (), Quality.FAILED, learned_limit=3000, quota_reset_at=NOON + 2 * HOUR)
        return _free(name, at) if at < NOON + 900 or at >= NOON + 2 * HOUR else refused

    poller, _ = _poller(store, clock, script, names=("L40S",))
    await _run(poller, clock, HOUR)
    for _ in range(2):
        assert await _freshness(store, clock()) == ("quota_spent", NOON + 2 * HOUR)
        poller, source = _poller(store, clock, script, names=("L40S",))
        await poller._recall()
        await _run(poller, clock, 60)
        assert source.fetched == [], "a restart asks again what was refused for the day"
    await _run(poller, clock, HOUR + 600)
    assert (await _freshness(store, clock()))[0] == "fresh"


async def test_a_greater_budget_ends_the_wait(store: Store) -> None:
    clock = HandClock(NOON)
    async with store.writer() as writer:
        await writer.add_quota(NOON // DAY, 1000)
    poller, _ = _poller(store, clock, _free, names=("L40S",), budget=1000)
    await _run(poller, clock, 600)
    assert (await _freshness(store, clock()))[1] == NOON + 12 * HOUR
    poller, _ = _poller(store, clock, _free, names=("L40S",), budget=5000)
    await poller._recall()
    await _run(poller, clock, 600)
    assert await _freshness(store, clock()) == ("fresh", None)


async def test_a_market_that_fails_is_told_from_one_that_nobody_polls(store: Store) -> None:
    clock = HandClock(NOON)

    def script(name: str, at: int) -> Fetch | list[Offer]:
        polls = (Poll(name, at, Quality.FAILED),)
        return _free(name, at) if at < NOON + 900 else Fetch(name, at, polls, Quality.FAILED, requests=1)

    poller, _ = _poller(store, clock, script, names=("L40S",))
    await _run(poller, clock, 900)
    assert await _freshness(store, clock() + 500) == ("fresh", None)
    assert await _freshness(store, clock() + HOUR) == ("late", None)
    await _run(poller, clock, HOUR)
    assert await _freshness(store, clock()) == ("market_down", None)
