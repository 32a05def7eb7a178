"""The demo's history, newest hours first: what is stored in the end is what would have been stored in order."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import create_engine, text

from analytics.market import HOUR
from bot.cli import demo_history
from bot.cli.demo import fill
from bot.cli.demo_history import FIRST_S, Filling, History, fill_older
from bot.clock import SteadyClock
from bot.extras import Extra
from bot.polling.rounds import Collector
from bot.sources.sim_calibration import DEFAULT
from bot.store.engine import Store, open_store

NOW = 1_790_000_123
QUIET = Console(quiet=True)
HISTORY = History(seed=7, days=4, until=NOW, models=DEFAULT[:3])

Rows = Sequence[tuple[tuple[str, Any], ...]]


async def _first(store: Store, history: History, since: int) -> None:
    collector = Collector(store, source="simulated")
    await fill(history.market(), collector, days=history.days, until=NOW, out=QUIET, since=since)


async def _in_order(file: Path) -> None:
    store = await open_store(str(file), writer=True)
    await _first(store, HISTORY, 0)
    await store.close()


async def _newest_first(file: Path) -> None:
    store = await open_store(str(file), writer=True)
    await _first(store, HISTORY, HISTORY.seam)
    await fill_older(str(file), HISTORY)
    await store.close()


def _rows(file: Path, table: str, where: str = "true", *, without: Collection[str] = ()) -> Rows:
    """A table with regions by name: their numbers follow the order in which they were met."""
    with create_engine(f"sqlite:///{file}").connect() as conn:
        names = {row["id"]: row["name"] for row in conn.execute(text("select id, name from region")).mappings()}
        found = [dict(row) for row in conn.execute(text(f"select * from {table} where {where}")).mappings()]
    for row in found:
        row["region_id"] = names.get(row.get("region_id", 0))
    return sorted((tuple((key, row[key]) for key in row if key not in without) for row in found), key=repr)


def _total(file: Path, column: str) -> int:
    return sum(dict(row)[column] for row in _rows(file, "exposure_hour"))


def test_the_first_part_of_a_market_is_what_it_offers_after_all_the_days_before() -> None:
    whole = dict(HISTORY.market().history(HISTORY.days, NOW))
    part = dict(HISTORY.market().history(HISTORY.days, NOW, since=HISTORY.seam))
    assert 0 <= min(part) - (NOW - FIRST_S) < HOUR
    assert part == {at: polls for at, polls in whole.items() if at >= HISTORY.seam}
    assert HISTORY.older_rounds == len(whole) - len(part) > 0


def test_newest_first_stores_the_same_prices_and_what_tenants_lived_through_but_for_the_seam(tmp_path: Path) -> None:
    straight, split, again = (tmp_path / name for name in ("straight.db", "split.db", "again.db"))
    asyncio.run(_in_order(straight))
    asyncio.run(_newest_first(split))
    asyncio.run(_newest_first(again))
    for table in ("poll", "price_hour", "quote"):
        assert _rows(split, table) == _rows(straight, table) != []
    before = {"exposure_hour": f"hour < {HISTORY.seam // HOUR - 1}", "interruption": f"seen_at < {HISTORY.seam}"}
    for table, where in before.items():
        old, new = (_rows(file, table, where, without=["back_at"]) for file in (straight, split))
        assert new == old != []
        assert _rows(split, table) == _rows(again, table)
    lived, cut = (_total(file, "held_s") for file in (straight, split))
    assert abs(cut / lived - 1) < 0.01  # of 4 days: the step to the seam is lost, and tenants begin anew after it


async def test_polls_of_now_are_stored_while_the_older_days_come_in(sqlite_url: str) -> None:
    store = await open_store(sqlite_url, writer=True)
    try:
        clock = SteadyClock()
        history = History(seed=7, days=3, until=clock(), models=DEFAULT[:2])
        market = history.market()
        live = Collector(store)
        await fill(market, live, days=history.days, until=history.until, out=QUIET, since=history.seam)
        filling = Filling(history, clock, 1.0)
        said: list[str] = []
        assert "older of 3 days" in filling.announcement[0]
        work = asyncio.create_task(filling.run(store, None, said.append))
        for n in itertools.count(1):
            done, _ = await asyncio.wait([work], timeout=0.2)
            if done:
                break
            market.advance(history.until + n)
            [fetched] = (await market.fetch(DEFAULT[0].vast_name, at=market.now, interval=30, models=[])).polls[:1]
            await live.record(market.now, [fetched])
        await work
        async with store.reader() as reader:
            polls = await reader.poll_times(DEFAULT[1].name, 0, history.until)
            live_polls = await reader.poll_times(DEFAULT[0].name, history.until + 1, market.now)
        assert [at for at, _ in polls] == history.polled
        assert len(live_polls) == n - 1 > 0
        assert filling.state() == ""
        assert "All 3 days are in" in said[0]
    finally:
        await store.close()


@pytest.mark.parametrize("days", [0, 1])
async def test_a_short_history_is_all_there_at_once(sqlite_url: str, days: int) -> None:
    filling = Filling(History(7, days, NOW), lambda: NOW, 1.0)
    said: list[str] = []
    store = await open_store(sqlite_url, writer=True)
    await filling.run(store, None, said.append)
    await store.close()
    assert (filling.state(), filling.announcement, said) == ("", (), [])


def test_no_forecasts_are_promised_where_they_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    filling = Filling(History(7, 3, NOW), lambda: NOW, 1.0)
    assert "then forecasts from them" in filling.announcement[0]
    monkeypatch.setattr(demo_history, "FORECASTS", Extra("forecasts", ("none_such",), "", ""))
    assert "forecasts" not in filling.announcement[0]
