"""Pages that are believable but wrong, from the market's answer to the books: they leave no trace but a poll."""

from __future__ import annotations

import asyncio
import copy
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.market import Exposure, Poll, Quality
from bot.polling.rounds import Collector, Cost
from bot.sources.vast import VastSource
from bot.store.engine import Store, open_store
from tests.fakes.vast import FakeVast, Say, Time, offer_row, page

MODEL = "RTX 4090"
T0 = 1_800_000_000 // 3600 * 3600
STEP = 300
Rows = list[dict[str, Any]]
Edit = Callable[[Rows], Rows]


def rows_of(n: int) -> Rows:
    """``n`` machines with one GPU each at prices of their own."""
    return [offer_row(i, dph_base=0.3 + i / 500, min_bid=0.2 + i / 500, end_date=2e9) for i in range(n)]


def each(**changes: Any) -> Edit:
    """Every row with these fields; a function gets the row."""

    def edit(rows: Rows) -> Rows:
        return [{**row, **{k: v(row) if callable(v) else v for k, v in changes.items()}} for row in rows]

    return edit


def scaled(factor: float, *fields: str) -> Edit:
    return each(**{name: lambda row, name=name: row[name] * factor for name in fields})


def renamed(rows: Rows, every: int = 2) -> Rows:
    return [{**row, "gpu_name": "RTX 3090"} if n % every else row for n, row in enumerate(rows)]


@dataclass(slots=True)
class Watch:
    """The program's path from the service's answer to the books, moved by hand."""

    market: FakeVast
    source: VastSource
    store: Store
    collector: Collector
    at: int = T0

    async def see(self, rows: Rows, step: int = STEP) -> Poll:
        """The next poll meets these rows, whatever it asked for."""
        self.market.script.append(Say(body=page(*copy.deepcopy(rows))))
        self.at += step
        fetch = await self.source.fetch(MODEL, at=self.at, interval=STEP, models=[MODEL])
        cost = Cost(MODEL, fetch.rows, fetch.requests, fetch.dropped)
        done = await self.collector.record(self.at, fetch.polls, cost)
        return done.polls[0]

    def restart(self) -> None:
        self.collector = Collector(self.store)

    async def books(self) -> tuple[Any, ...]:
        """Everything that an answer about prices or interruptions is made of."""
        async with self.store.reader() as reader:
            return (
                await reader.quotes(),
                await reader.book(),
                await reader.hours(None, 0),
                await reader.exposure(None, 0),
                await reader.life_tables(None, 0),
                await reader.interruptions(MODEL, 0),
                await reader.tenants(MODEL),
            )

    async def interruptions(self) -> list[Any]:
        async with self.store.reader() as reader:
            return await reader.interruptions(MODEL, 0)

    async def lived(self) -> Exposure:
        async with self.store.reader() as reader:
            return sum((await reader.exposure([MODEL], 0)).get(MODEL, {}).values(), Exposure())


@asynccontextmanager
async def watched(store: Store) -> AsyncIterator[Watch]:
    async with FakeVast() as market:
        source = VastSource(market.url, timing=Time().timing())
        try:
            yield Watch(market, source, store, Collector(store))
        finally:
            await source.aclose()


FALSE: dict[str, tuple[Edit, str]] = {
    "not rentable": (each(rentable=False), "not rentable"),
    "rentable is no word": (each(rentable="maybe"), "rentable 10"),
    "x1000": (scaled(1000, "dph_base", "dph_total", "min_bid"), "1e+03 times the last one on 10 of 10"),
    "bids x1000": (scaled(1000, "min_bid"), "1e+03 times the last one on 10 of 10"),
    "bids in cents": (scaled(0.01, "min_bid"), "0.01 times"),
    "no bids": (each(min_bid=None), "min_bid is gone"),
    "bids that are no numbers": (each(min_bid="n/a"), "min_bid 10"),
    "unverified": (each(verification="unverified"), "verification changed"),
    "verification is no word": (each(verification="yes!"), "verification 10"),
    "three rows": (lambda rows: rows[:3], "3 offers where 10 are usual"),
    "nothing": (lambda _: [], "0 offers where 10 are usual"),
    "each row thrice": (lambda rows: [row for row in rows for _ in range(3)], "duplicate 20"),
    "other names": (renamed, "another gpu_name 5"),
    "twice the GPUs": (each(num_gpus=2), "num_gpus changed on 10 of 10"),
    "other machines": (each(machine_id=lambda row: row["machine_id"] + 7000), "0% of"),
    "other GPUs": (each(gpu_ids=lambda row: [row["gpu_ids"][0] + 7000]), "0% of"),
    "no GPU ids": (each(gpu_ids=None), "gpu_ids 10"),
}


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("fault", FALSE)
async def test_a_false_page_leaves_no_trace_but_a_poll_that_says_why(store: Store, fault: str, restarted: bool) -> None:
    edit, why = FALSE[fault]
    async with watched(store) as watch:
        for _ in range(4):
            assert (await watch.see(rows_of(10))).quality is Quality.COMPLETE
        before = await watch.books()
        if restarted:
            watch.restart()
        told = await watch.see(edit(rows_of(10)))
        assert told.quality in (Quality.SUSPECT, Quality.FAILED)
        assert why in told.note
        assert await watch.books() == before
        if restarted:
            watch.restart()
        assert (await watch.see(rows_of(10))).quality is Quality.COMPLETE
        assert await watch.interruptions() == []
        assert (await watch.lived()).held_s == 10 * 5 * STEP


async def test_the_first_page_of_all_is_doubted_where_it_is_not_what_was_asked_for(store: Store) -> None:
    async with watched(store) as watch:
        assert (await watch.see(each(rentable=False)(rows_of(10)))).quality is Quality.SUSPECT
        assert (await watch.see(each(rentable="maybe")(rows_of(10)))).quality is Quality.FAILED


@pytest.mark.parametrize("factor", [1000, 0.001])
async def test_a_false_first_page_is_put_right_by_two_true_ones_and_interrupts_nobody(
    store: Store, factor: float
) -> None:
    async with watched(store) as watch:
        told = [await watch.see(scaled(factor, "dph_base", "min_bid", "dph_total")(rows_of(10)))]
        told += [await watch.see(rows_of(10)) for _ in range(4)]
        assert [poll.quality for poll in told] == [Quality.COMPLETE, Quality.SUSPECT] + [Quality.COMPLETE] * 3
        assert await watch.interruptions() == []


async def test_four_offers_then_none_is_counted_once_a_second_poll_has_said_so(store: Store) -> None:
    async with watched(store) as watch:
        for _ in range(4):
            await watch.see(rows_of(4))
        held_at, before = watch.at, await watch.books()
        assert (await watch.see([])).quality is Quality.SUSPECT
        assert await watch.books() == before
        watch.restart()
        assert (await watch.see([])).quality is Quality.COMPLETE
        lost = await watch.interruptions()
        assert [(one.held_at, one.seen_at, one.back_at) for one in lost] == [(held_at, held_at + 2 * STEP, None)] * 4
        lived = await watch.lived()
        assert (lived.held_s, lived.interrupted_s) == (4 * (3 + 1) * STEP, 4 * STEP)


async def test_a_level_that_is_accepted_after_a_suspect_spell_interrupts_nobody(store: Store) -> None:
    async with watched(store) as watch:
        for _ in range(4):
            await watch.see(rows_of(10))
        told = []
        for _ in range(8):
            told.append((await watch.see(rows_of(2))).quality)
            watch.restart()
        assert told == [Quality.SUSPECT] * 6 + [Quality.COMPLETE] * 2
        assert await watch.interruptions() == []
        assert (await watch.lived()).held_s == 10 * 3 * STEP + 2 * STEP


async def test_a_slice_missing_from_a_machine_whose_row_cannot_be_read_is_not_counted_as_lost(store: Store) -> None:
    async with watched(store) as watch:
        await watch.see(rows_of(10))
        spoilt = rows_of(10)
        spoilt[3]["rentable"], spoilt[4]["dph_base"] = "maybe", None
        told = await watch.see(spoilt[:9])
        assert told.quality is Quality.COMPLETE
        assert [one.machine_id for one in await watch.interruptions()] == [1009]


async def test_prices_may_halve_and_a_third_of_the_market_may_leave(store: Store) -> None:
    async with watched(store) as watch:
        for rows in (rows_of(12), rows_of(12), scaled(0.5, "dph_base", "min_bid")(rows_of(12)), rows_of(8)):
            assert (await watch.see(rows)).quality is Quality.COMPLETE
        assert (await watch.lived()).events == 4


@st.composite
def histories(draw: st.DrawFn) -> list[Rows]:
    """Polls of a market that moves as markets do: prices drift, one machine in three is away for a while."""
    machines, rng = draw(st.integers(1, 24)), random.Random(draw(st.integers(0, 2**32)))
    sizes = [rng.choice((1, 1, 2)) for _ in range(machines)]
    prices = [rng.uniform(0.1, 2.0) for _ in range(machines)]
    verified = [n == 0 or rng.random() < 0.8 for n in range(machines)]
    polls = []
    for _ in range(draw(st.integers(5, 8))):
        away = set(rng.sample(range(machines), machines // 3 if machines > 4 else 0))
        prices = [price * rng.uniform(0.85, 1.15) for price in prices]
        polls.append([_row(n, sizes[n], prices[n], verified[n]) for n in range(machines) if n not in away])
    return polls


def _row(n: int, size: int, price: float, verified: bool) -> dict[str, Any]:
    return offer_row(
        n,
        num_gpus=size,
        gpu_ids=[100 * n + i for i in range(size)],
        dph_base=size * price,
        min_bid=size * price * 0.7,
        verification="verified" if verified else "unverified",
        end_date=2e9,
    )


PRICES = [("dph_base", "min_bid", "dph_total"), ("min_bid",), ("dph_base",)]
SCALES = st.one_of(st.floats(10, 10_000), st.floats(10, 10_000).map(lambda factor: 1 / factor))
EDITS: st.SearchStrategy[Edit] = st.one_of(
    st.sampled_from([False, "maybe", "?", 7, [True]]).map(lambda value: each(rentable=value)),
    st.builds(lambda factor, fields: scaled(factor, *fields), SCALES, st.sampled_from(PRICES)),
    st.sampled_from([None, "n/a", -1, {}]).map(lambda value: each(min_bid=value)),
    st.sampled_from(["unverified", "deverified", "perhaps", None, 1]).map(lambda value: each(verification=value)),
    st.floats(0, 0.39).map(lambda share: lambda rows: rows[: int(share * len(rows))]),
    st.integers(2, 5).map(lambda n: lambda rows: [row for row in rows for _ in range(n)]),
    st.sampled_from(["RTX 3090", "RTX\u202e 4O90", "", None]).map(lambda name: each(gpu_name=name)),
    st.integers(2, 8).map(lambda n: each(num_gpus=lambda row: row["num_gpus"] * n)),
    st.integers(10_000, 10**9).map(lambda n: each(machine_id=lambda row: row["machine_id"] + n)),
    st.sampled_from([None, "x", [], [None]]).map(lambda value: each(gpu_ids=value)),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories(), EDITS, st.booleans())
def test_one_false_page_changes_nothing_after_any_history(
    file_with_tables: Path, polls: list[Rows], edit: Edit, restarted: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = shutil.copy(file_with_tables, folder)
        asyncio.run(_one_false_page(file, polls, edit, restarted))


async def _one_false_page(file: Path, polls: Sequence[Rows], edit: Edit, restarted: bool) -> None:
    store = await open_store(f"sqlite:///{file}", writer=True)
    async with watched(store) as watch:
        for rows in polls[:-1]:
            told = await watch.see(rows)
            assert told.quality is Quality.COMPLETE, told.note
        before = await watch.books()
        if restarted:
            watch.restart()
        told = await watch.see(edit(polls[-2]))
        assert told.quality in (Quality.SUSPECT, Quality.FAILED), told
        assert told.note
        assert await watch.books() == before
        told = await watch.see(polls[-1])
        assert told.quality is Quality.COMPLETE, told.note
    await store.close()
