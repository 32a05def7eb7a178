"""Rounds: judged, worked out, stored together, and the same however they are cut."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from analytics.market import WORLD, Cause, Exposure, Poll, Quality, Round, Scope
from bot.polling.rounds import Collector, Cost
from bot.store.engine import Store, StoreError, open_store
from bot.store.writer import Writer
from tests.fakes.markets import offer, poll

T0 = 1_800_000_000 // 3600 * 3600
STEP = 300


def _book(n: int, bid: int = 300_000) -> list:
    return [offer(machine, bid) for machine in range(1, n + 1)]


def _round(at: int, *machines: int) -> tuple[int, list[Poll]]:
    return at, [poll(at, *(offer(machine) for machine in machines))]


async def _exposure(store: Store) -> Exposure:
    async with store.reader() as reader:
        regions = await reader.exposure(["RTX 4090"], 0)
    return sum(regions.get("RTX 4090", {}).values(), Exposure())


async def test_a_complete_poll_is_quoted_stored_and_held(store: Store) -> None:
    collector = Collector(store)
    await collector.record(*_round(T0, 1, 2, 3), Cost("RTX 4090", rows=3, requests=1))
    done = await collector.record(*_round(T0 + STEP, 1, 2, 3), Cost("RTX 4090", rows=3, requests=1))
    assert done.quotes["RTX 4090", WORLD, Scope.VERIFIED].price == 300_000
    assert done.quotes.keys() >= {("RTX 4090", "EU-North", Scope.VERIFIED), ("RTX 4090", WORLD, Scope.ALL)}
    async with store.reader() as reader:
        assert (await reader.quotes())["RTX 4090"].offers == 3
        assert len(await reader.book(["RTX 4090"])) == 3
        assert (await reader.regional_quotes("RTX 4090")).keys() == {"EU-North"}
        assert (await reader.hours(None, 0))["RTX 4090"][0].polls == 2
        assert (await reader.quota(T0 // 86_400))[0] == 6
    assert (await _exposure(store)).held_s == 3 * STEP


async def test_a_slice_that_goes_is_an_interruption_and_coming_back_ends_it(store: Store) -> None:
    collector = Collector(store)
    await collector.record(*_round(T0, 1, 2))
    lost = await collector.record(*_round(T0 + STEP, 1))
    assert [(i.machine_id, i.cause) for i in lost.interruptions] == [(2, Cause.ABSENT)]
    await collector.record(*_round(T0 + 2 * STEP, 1, 2))
    async with store.reader() as reader:
        [kept] = await reader.interruptions("RTX 4090", 0)
    assert (kept.held_at, kept.seen_at, kept.back_at) == (T0, T0 + STEP, T0 + 2 * STEP)
    assert (await _exposure(store)).resumed == 1


@pytest.mark.parametrize("quality", [Quality.FAILED, Quality.CAPPED])
async def test_a_failed_or_capped_poll_is_unknown_not_an_empty_market(store: Store, quality: Quality) -> None:
    collector = Collector(store)
    await collector.record(*_round(T0, 1, 2))
    await collector.record(T0 + STEP, [poll(T0 + STEP, quality=quality)])
    await collector.record(*_round(T0 + 2 * STEP, 1, 2))
    async with store.reader() as reader:
        assert len(await reader.book()) == 2
        assert await reader.interruptions("RTX 4090", 0) == []
        assert (await reader.poll_counts(0))[quality] == 1
    assert (await _exposure(store)).held_s == 2 * 2 * STEP


async def test_a_collapsed_market_is_suspect_and_interrupts_nobody(store: Store) -> None:
    collector = Collector(store)
    for n in range(3):
        await collector.record(T0 + n * STEP, [poll(T0 + n * STEP, *_book(10))])
    await collector.record(T0 + 3 * STEP, [poll(T0 + 3 * STEP)])
    await collector.record(T0 + 4 * STEP, [poll(T0 + 4 * STEP, *_book(10))])
    async with store.reader() as reader:
        assert await reader.interruptions("RTX 4090", 0) == []
        assert (await reader.poll_counts(0))[Quality.SUSPECT] == 1
        assert len(await reader.book()) == 10
    assert (await _exposure(store)).events == 0


async def test_replaying_a_round_changes_nothing(store: Store) -> None:
    rounds = [_round(T0, 1, 2), _round(T0 + STEP, 1), _round(T0 + 2 * STEP, 1, 2)]
    await Collector(store).record_many(rounds)
    before = await _everything(store)
    await Collector(store).record_many(rounds)
    assert await _everything(store) == before


async def _everything(store: Store) -> tuple:
    async with store.reader() as reader:
        return (
            await reader.models(),
            await reader.points("RTX 4090", 0),
            await reader.hours(None, 0),
            await reader.exposure(None, 0),
            await reader.life_tables(None, 0),
            await reader.interruptions("RTX 4090", 0),
            await reader.tenants("RTX 4090"),
            await reader.lanes("RTX 4090"),
            await reader.variant_days(None, 0),
        )


SEEN = [(1, 2, 3), (1, 2), (1,), (1, 3), (1, 2, 3), (2, 3), (2, 3), (1, 2, 3)]


async def test_together_singly_or_across_restarts_the_books_are_the_same(
    tmp_path: Path, file_with_tables: Path
) -> None:
    rounds = [_round(T0 + n * 7 * STEP, *machines) for n, machines in enumerate(SEEN)]
    rounds = [(at, [Poll(p.model, p.at, p.quality, p.offers, 7 * STEP) for p in polls]) for at, polls in rounds]
    files = [
        f"sqlite:///{shutil.copy(file_with_tables, tmp_path / name)}" for name in ("together", "singly", "restarted")
    ]
    together, singly, restarted = [await open_store(file, writer=True) for file in files]
    await Collector(together).record_many(rounds)
    collector = Collector(singly)
    for one in rounds:
        await collector.record(*one)
        await Collector(restarted).record(*one)
    expected = await _everything(together)
    assert await _everything(singly) == expected
    assert await _everything(restarted) == expected
    for opened in (together, singly, restarted):
        await opened.close()


async def test_a_round_that_cannot_be_stored_leaves_no_trace_and_the_next_one_is_right(store: Store) -> None:
    collector = Collector(store)
    await collector.record(*_round(T0, 1, 2))
    bad = poll(T0 + STEP, offer(1, bid=2**70), offer(2))
    with pytest.raises((OverflowError, StoreError)):
        await collector.record(T0 + STEP, [bad])
    await collector.record(*_round(T0 + STEP, 1, 2))
    async with store.reader() as reader:
        assert (await reader.poll_counts(0))[Quality.COMPLETE] == 2
    assert (await _exposure(store)).held_s == 2 * STEP


async def test_the_cost_of_a_fetch_is_counted_once_for_models_that_share_a_name(store: Store) -> None:
    polls = [poll(T0, model="A100 SXM4 80GB"), poll(T0, model="A100 SXM4 40GB")]
    await Collector(store).record(T0, polls, Cost("A100 SXM4", rows=7, requests=2))
    async with store.reader() as reader:
        rows = await reader.models()
        assert (await reader.quota(T0 // 86_400))[0] == 7
    assert {row.vast_name for row in rows} == {"A100 SXM4"}
    assert max(row.last_rows or 0 for row in rows) == 7


class Listener:
    """Writes a note of each round with the round's own writer."""

    def __init__(self, fails: bool = False) -> None:
        self.rounds: list[Round] = []
        self.fails = fails

    async def __call__(self, writer: Writer, round_: Round) -> None:
        self.rounds.append(round_)
        assert await writer.read.poll_counts(round_.at), "it sees what the round has written"
        await writer.touch_asked(["RTX 4090"], round_.at)
        if self.fails:
            raise RuntimeError("no")


async def _noted(store: Store) -> list[int | None]:
    async with store.reader() as reader:
        return [row.asked_at for row in await reader.models()]


async def test_who_listens_is_told_of_every_new_round_in_its_transaction(store: Store) -> None:
    listener = Listener()
    collector = Collector(store, on_round=listener)
    await collector.record(*_round(T0, 1, 2))
    assert await _noted(store) == [T0]
    await collector.record(*_round(T0, 1, 2))
    await collector.record_many([_round(T0 + STEP, 1, 2), _round(T0 + 2 * STEP, 1)])
    assert [round_.at for round_ in listener.rounds] == [T0, T0 + STEP, T0 + 2 * STEP]
    assert [len(round_.interruptions) for round_ in listener.rounds] == [0, 0, 1]
    assert await _noted(store) == [T0 + 2 * STEP]


async def test_a_listener_that_fails_undoes_the_round_and_its_own_writes(store: Store) -> None:
    await Collector(store).record(*_round(T0, 1, 2))
    before = await _everything(store)
    collector = Collector(store, on_round=Listener(fails=True))
    with pytest.raises(RuntimeError):
        await collector.record(*_round(T0 + STEP, 1))
    assert await _everything(store) == before
    again = Listener()
    await Collector(store, on_round=again).record(*_round(T0 + STEP, 1))
    assert len(again.rounds) == 1


@pytest.mark.parametrize("quality", [Quality.FAILED, Quality.CAPPED, Quality.SUSPECT])
async def test_only_a_complete_poll_has_readings_but_all_are_told(store: Store, quality: Quality) -> None:
    listener = Listener()
    collector = Collector(store, on_round=listener)
    await collector.record(*_round(T0, 1, 2))
    await collector.record(T0 + STEP, [poll(T0 + STEP, offer(1), quality=quality)])
    told = listener.rounds[-1]
    assert ([p.quality for p in told.polls], told.quotes) == ([quality], {})
