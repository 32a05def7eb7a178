"""What people ask about, noted in the store, where the poller of another process finds it."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import httpx

from bot.clock import SteadyClock
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.usage import NOTED_EVERY
from bot.faces.http.api import stored_keys
from bot.polling.poller import ASKED_SECONDS, Poller
from bot.polling.rounds import Collector
from bot.store.engine import Store, open_store
from tests.fakes.markets import ScriptedSource, offer, poll
from tests.fakes.rounds import entry

NOW = 1_800_000_000
NAMES = ("L40S", "RTX 4090")


async def fill(store: Store) -> None:
    async with store.writer() as writer:
        for name in NAMES:
            await writer.save_round(NOW - 60, [entry(NOW - 60, model=name)])


async def asked(store: Store) -> dict[str, int | None]:
    async with store.reader() as reader:
        return {row.name: row.asked_at for row in await reader.models()}


async def test_a_question_of_one_process_makes_a_model_urgent_in_another(database_tables: str) -> None:
    leading = await open_store(database_tables, writer=True)
    await fill(leading)
    beside = await open_store(database_tables, writer=True, alone=False)
    dispatcher = Dispatcher(beside, COMMANDS, lambda: NOW)
    await dispatcher.ask_line("availability RTX 4090")
    await dispatcher.store.settled()
    assert await asked(leading) == {"RTX 4090": NOW, "L40S": None}
    clock = SteadyClock(lambda: NOW, lambda: 0.0)
    poller = Poller(
        store=leading,
        source=ScriptedSource(lambda name, at: ()),
        collector=Collector(leading),
        clock=clock,
        names=NAMES,
    )
    urgent = {demand.vast_name: demand.priority for demand in poller._plan(await poller._look()).demands}
    assert urgent == {"RTX 4090": True, "L40S": False}
    late = SteadyClock(lambda: NOW + ASKED_SECONDS + 1, lambda: 0.0)
    poller.clock = late
    assert not any(demand.priority for demand in poller._plan(await poller._look()).demands)
    await beside.close()
    await leading.close()


async def test_the_same_model_is_noted_seldom(store: Store) -> None:
    await fill(store)
    now = NOW
    dispatcher = Dispatcher(store, COMMANDS, lambda: now)
    for now in (NOW, NOW + NOTED_EVERY - 1, NOW + NOTED_EVERY):
        await dispatcher.ask_line("availability L40S")
        await dispatcher.store.settled()
        assert (await asked(store))["L40S"] == (NOW if now < NOW + NOTED_EVERY else NOW + NOTED_EVERY)


async def test_where_nothing_can_be_noted_questions_are_answered(sqlite_tables: str) -> None:
    store = await open_store(sqlite_tables, writer=True)
    await fill(store)
    await store.close()
    reading = await open_store(sqlite_tables, writer=False)
    dispatcher = Dispatcher(reading, COMMANDS, lambda: NOW)
    await dispatcher.ask_line("availability L40S")
    await dispatcher.store.settled()
    assert (await asked(reading))["L40S"] is None
    await reading.close()


async def test_a_note_that_failed_is_made_up_for(sqlite_tables: str) -> None:
    store = await open_store(f"{sqlite_tables}?timeout=0.01", writer=True)
    await fill(store)
    dispatcher = Dispatcher(store, COMMANDS, lambda: NOW)
    with closing(sqlite3.connect(sqlite_tables.removeprefix("sqlite:///"))) as other:
        other.execute("BEGIN IMMEDIATE")
        dispatcher.usage.asked(["L40S"])
        await store.settled()
        other.rollback()
    assert (await asked(store))["L40S"] is None
    dispatcher.usage.asked(["L40S"])
    await store.settled()
    assert (await asked(store))["L40S"] == NOW
    await store.close()


async def test_the_use_of_a_key_is_noted(store: Store) -> None:
    async with store.writer() as writer:
        secret, _ = await writer.create_key("partner", scopes=("read",), per_minute=60, at=NOW - 9_000)
    dispatcher = Dispatcher(store, COMMANDS, lambda: NOW)
    check = stored_keys(dispatcher)
    assert await check("spot_nobody") is None
    assert await check(secret)
    await dispatcher.store.settled()
    async with store.reader() as reader:
        [key] = await reader.keys()
    assert key.last_used_at == NOW


async def test_a_web_process_tells_the_one_that_polls(sqlite_tables: str) -> None:
    """Two processes as the Procfile starts them."""
    leading = await open_store(sqlite_tables, writer=True)
    await Collector(leading).record(NOW, [poll(NOW, offer(1), offer(2))])
    async with leading.writer() as writer:
        secret, _ = await writer.create_key("partner", scopes=("read",), per_minute=60, at=NOW)
    environment = {**os.environ, "DATABASE_URL": sqlite_tables, "PORT": "0", "VAST_URL": "http://127.0.0.1:9"}
    web = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "web"),
        env=environment,
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert web.stdout is not None
        port = re.search(rb":(\d+)$", (await web.stdout.readline()).strip())
        assert port is not None
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{int(port[1])}") as client:
            question = await client.get(
                "/api/spot/availability", params={"gpu": "RTX 4090"}, headers={"Authorization": f"Bearer {secret}"}
            )
        assert question.status_code == 200, question.text
    finally:
        web.terminate()
        await web.wait()
    assert (await asked(leading))["RTX 4090"]
    async with leading.reader() as reader:
        assert (await reader.keys())[0].last_used_at
    await leading.close()
