"""A process that is killed amid a round: the round, its states and its messages are there together or not at all."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from analytics.market import Poll, Quality
from bot.alerts.engine import evaluate
from bot.alerts.rules import Kind
from bot.alerts.state import State, Status
from bot.polling.rounds import Collector
from bot.store.engine import Store, open_store
from tests.fakes.alerting import MODEL, START, STEP, Market, book, market, rule
from tests.fakes.killed_round import POINTS

LOW, HIGH = 300_000, 400_000
AT = START + 3 * STEP
ROOT = Path(__file__).resolve().parents[2]
Standing = tuple[list[State], list[list[tuple[str, str]]], int]


async def prepare(store: Store) -> list[str]:
    """One rule that the next low price fires, and one that it resolves."""
    made = await market(store)
    alerts = [await made.add(rule(readings=1)), await made.add(rule(Kind.ABOVE, 390_000))]
    await made.prices(HIGH, HIGH)
    return alerts


async def look(store: Store, alerts: list[str]) -> Standing:
    """States, messages, and polls of the round."""
    seen = Market(store)
    async with store.reader() as reader:
        polls = len(await reader.poll_times(MODEL, AT, AT))
    return [await seen.state(one) for one in alerts], [await seen.told(one) for one in alerts], polls


async def killed(url: str, point: str) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fakes.killed_round", url, point, str(AT), str(LOW), cwd=ROOT
    )
    return await process.wait()


async def again(store: Store) -> None:
    polls = [Poll(MODEL, AT, Quality.COMPLETE, book(LOW), STEP)]
    await Collector(store, on_round=evaluate).record(AT, polls)


@pytest.mark.parametrize("point", POINTS)
async def test_a_killed_round_is_whole_or_not_there(database_tables: str, point: str) -> None:
    store = await open_store(database_tables, writer=True, alone=False)
    alerts = await prepare(store)
    before = await look(store, alerts)
    assert await killed(database_tables, point) == -signal.SIGKILL
    after = await look(store, alerts)
    assert (after == before) is (point != "after commit")
    await again(store)
    states, told, polls = whole = await look(store, alerts)
    assert told == [[("fire", "post")], [("fire", "post"), ("resolve", "edit")]]
    assert ([state.status for state in states], polls) == ([Status.FIRING, Status.OK], 1)
    assert point != "after commit" or after == whole
    await again(store)
    assert await look(store, alerts) == whole
    await store.close()
