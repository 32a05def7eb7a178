"""Who leads, how it learns that it does not any more, and who comes after. Time passes by changing the stored lease."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest
from apscheduler.triggers.cron import CronTrigger
from sqlalchemy import text
from structlog.testing import capture_logs
from typer.testing import CliRunner

from bot.app import App, build_poller
from bot.cli.main import cli
from bot.clock import SteadyClock
from bot.commands import COMMANDS
from bot.config import load_settings
from bot.dispatch.dispatcher import Dispatcher
from bot.polling.poller import Poller
from bot.scheduler import PeriodicJob, run_job
from bot.store import schema
from bot.store.engine import Store, StoreBusy, StoreError, open_store
from bot.store.postgres import PostgresSite
from bot.store.postgres_lease import PostgresLease
from tests.fakes.older import make_older
from tests.fakes.rounds import AT, entry
from tests.fakes.vast import FakeVast, offer_row


async def sql(url: str, statement: str) -> None:
    conn = await asyncpg.connect(url)
    await conn.execute(statement)
    await conn.close()


async def run_out(url: str) -> None:
    """The lease ends by the database's clock."""
    await sql(url, "UPDATE leader SET expires_at = now()")


async def save(store: Store, at: int = AT) -> None:
    async with store.writer() as writer:
        await writer.save_round(at, [entry(at)])


async def rounds(store: Store) -> int | None:
    async with store.reader() as reader:
        return await reader.last_round_at()


@pytest.fixture
async def leader(postgres_tables: str) -> AsyncIterator[Store]:
    store = await open_store(postgres_tables, writer=True)
    yield store
    await store.close()


@pytest.fixture
async def standby(postgres_tables: str, leader: Store) -> AsyncIterator[Store]:
    store = await open_store(postgres_tables, writer=True, wait=True)
    yield store
    await store.close()


@asynccontextmanager
async def polling(store: Store) -> AsyncIterator[tuple[Poller, FakeVast]]:
    """The poller of this store, as the program builds it, and the market that it asks."""
    async with FakeVast([offer_row(n) for n in range(3)]) as market:
        settings = load_settings(database_url=store.url, vast_url=market.url, _env_file=None)
        clock = SteadyClock()
        poller = build_poller(settings, store, clock)
        poller.names = ("RTX 4090",)
        try:
            yield poller, market
        finally:
            await poller.source.aclose()


async def test_leadership_survives_the_loss_of_every_connection(postgres_tables: str, leader: Store) -> None:
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    await sql(postgres_tables, f"SELECT pg_terminate_backend(pid, 10000) {others}")
    with pytest.raises(StoreBusy, match=rf"Another spotbot .*:{os.getpid()}\) leads .*Stop it first"):
        await open_store(postgres_tables, writer=True)
    await save(leader)
    assert await leader.renew()
    assert leader.epoch == 1


async def test_a_stale_leader_commits_nothing_and_asks_the_market_nothing(
    postgres_tables: str, leader: Store, standby: Store
) -> None:
    async with polling(leader) as (poller, market):
        await poller.turn()
        await poller.turn()  # tells the store what is followed, now that it knows the name
        asked = len(market.queries)
        assert asked == 1
        await run_out(postgres_tables)
        assert await standby.renew()
        now = poller.clock()
        poller.clock = SteadyClock(floor=now + 400)  # the next poll is due, and nothing about the plan has changed
        with pytest.raises(StoreBusy):
            await poller.turn()  # its own clock still says that it leads
        with pytest.raises(StoreBusy, match="become the writer"):
            await save(leader, AT + 10**9)
        assert not await leader.renew()
        assert leader.state == "standing by"
        assert await poller.turn() > 0
        with pytest.raises(StoreBusy):
            await poller.once()
        assert len(market.queries) == asked
    assert await rounds(leader) != AT + 10**9


async def test_a_leader_that_was_deposed_leads_again_when_nobody_does(
    postgres_tables: str, leader: Store, standby: Store
) -> None:
    async with polling(leader) as (poller, market):
        await poller.turn()
        await run_out(postgres_tables)
        await standby.renew()
        await leader.renew()
        assert not leader.leads()
        await standby.close()  # gives the lease back
        begun: list[int] = []
        poller.begun = lambda: begun.append(1)
        assert await leader.renew()
        assert (leader.epoch, leader.state) == (3, "leader")
        assert poller.collector.knows("RTX 4090")
        await poller.turn()
        assert begun == [1]
        assert not poller.collector.knows("RTX 4090")  # what it remembers may be older than what is stored
        assert len(market.queries) == 1


async def test_a_stand_by_waits_and_takes_over_by_itself(postgres_tables: str, leader: Store) -> None:
    standby = await open_store(postgres_tables, writer=True, wait=True, lease_seconds=6)  # looks each 0.6 s
    assert (standby.leads(), standby.state, standby.epoch) == (False, "standing by", None)
    async with polling(standby) as (poller, market):
        assert await poller.turn() > 0
        assert market.queries == []
        with pytest.raises(StoreBusy, match="does not lead"):
            await save(standby)
        await run_out(postgres_tables)
        async with asyncio.timeout(30):
            while not standby.leads():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert standby.epoch == 2
    await standby.close()


async def test_a_leader_that_cannot_renew_stops_by_its_own_clock(postgres_tables: str, leader: Store) -> None:
    await leader.close()
    now = [0.0]
    site = PostgresSite(leader.url)
    lease = PostgresLease(site.write, "a:1", "here", 10, clock=lambda: now[0])
    assert await lease.renew()
    now[0] = 9.9
    assert lease.held()
    now[0] = 10.0
    assert (lease.held(), lease.state) == (False, "lost")
    assert await lease.renew()  # nobody took it
    assert lease.state == "leader"
    await lease.release()
    await site.read.dispose()


async def test_a_renewal_that_is_late_is_made_up_for_before_a_write(
    postgres_tables: str, leader: Store, standby: Store
) -> None:
    lease = leader._leadership
    assert isinstance(lease, PostgresLease)
    lease._until = 0.0
    assert leader.state == "lost"
    await save(leader)
    assert (leader.state, leader.epoch) == ("leader", 1)
    await run_out(postgres_tables)
    await standby.renew()
    lease._until = 0.0
    with pytest.raises(StoreBusy):
        await save(leader, AT + 300)
    assert await rounds(standby) == AT


async def test_a_long_write_does_not_keep_the_lease_from_being_renewed(leader: Store) -> None:
    async with leader.writer() as writer:
        await writer.save_round(AT, [entry()])
        assert await leader.renew()


async def test_nobody_takes_over_amid_a_write(postgres_tables: str, leader: Store, standby: Store) -> None:
    async with leader.writer() as writer:
        await writer.save_round(AT, [entry()])
        await run_out(postgres_tables)
        assert not await standby.renew()
    assert await rounds(standby) == AT
    assert await standby.renew()


async def test_a_write_left_open_by_a_stopped_process_ends_with_the_lease(standby: Store) -> None:
    async with standby._site.write.connect() as conn:
        found = await conn.scalar(text("SHOW idle_in_transaction_session_timeout"))
    assert found == "10s"


async def test_an_end_that_a_clock_set_back_has_put_too_far_ahead_counts_as_none(
    postgres_tables: str, standby: Store
) -> None:
    await sql(postgres_tables, "UPDATE leader SET expires_at = now() + interval '1 day'")
    assert await standby.renew()


async def test_a_stand_by_makes_small_changes_beside_the_leader(standby: Store) -> None:
    async with standby.writer(beside=True) as writer:
        await writer.create_key("partner", scopes=("read",), per_minute=60, at=AT)
    async with standby.reader() as reader:
        assert [key.label for key in await reader.keys()] == ["partner"]


async def test_losing_and_regaining_is_logged_once_each(postgres_tables: str, leader: Store, standby: Store) -> None:
    with capture_logs() as said:
        await run_out(postgres_tables)
        await standby.renew()
        for _ in range(3):
            await leader.renew()
        await standby.close()
        for _ in range(3):
            await leader.renew()
    events = [line["event"] for line in said]
    assert events == ["leading", "lost the leadership", "standing by", "leading"]


async def test_a_stand_by_serves_and_says_so(standby: Store) -> None:
    settings = load_settings(database_url=standby.url, port=0, _env_file=None)
    async with polling(standby) as (poller, market):
        app = App(settings, standby, Dispatcher(standby, COMMANDS, SteadyClock()), SteadyClock(), poller)
        listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        running = asyncio.create_task(app.run(web=True, started=listening.set_result))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{await listening}") as client:
            assert (await client.get("/health")).json()["leadership"] == "standing by"
        app.stop.set()
        await running
        assert market.queries == []


async def test_a_job_of_a_process_that_does_not_lead_is_skipped_in_one_line(standby: Store) -> None:
    with capture_logs() as said:
        await run_job(PeriodicJob("retention", lambda: save(standby), CronTrigger(minute=0)))
    assert [(line["event"], line["log_level"]) for line in said] == [("job skipped", "warning")]


async def test_a_fetch_under_way_ends_before_its_next_request() -> None:
    from bot.sources.vast import VastSource

    rows = [offer_row(n) for n in range(600)]
    async with FakeVast(rows) as market:

        def permit() -> None:
            if market.queries:
                raise StoreBusy("lost")

        source = VastSource(market.url, permit=permit)
        with pytest.raises(StoreBusy):
            await source.fetch("RTX 4090", at=AT, interval=300, models=())
        assert len(market.queries) == 1
        await source.aclose()


@pytest.mark.parametrize("command", ["poll --once", "migrate", "import FILE"])
async def test_what_must_lead_is_refused_beside_a_leader(
    database_tables: str, tmp_path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_tables)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "offers.csv"
    file.write_text("ts_utc\n")
    leading = await open_store(database_tables, writer=True)
    arguments = command.replace("FILE", str(file)).split()
    result = await asyncio.to_thread(CliRunner().invoke, cli, arguments)
    assert result.exit_code == 3
    assert f"{os.getpid()}" in result.output
    assert "Stop it" in result.output
    assert len(result.output.splitlines()) == 1
    await leading.close()


async def test_many_may_start_at_once_where_nothing_is(database_url: str) -> None:
    await _start_together(database_url)


async def test_older_tables_are_brought_up_to_date_by_who_leads(database_url: str) -> None:
    await make_older(database_url, "0002")
    leads = await open_store(database_url, writer=True)
    assert leads.epoch == 1
    await leads.close()


async def _start_together(url: str) -> None:
    readers = [open_store(url, writer=False) for _ in range(3)]
    keys = [open_store(url, writer=True, alone=False) for _ in range(3)]
    stores = await asyncio.gather(*readers, open_store(url, writer=True, wait=True), *keys)
    assert [store.leads() for store in stores] == [False] * 3 + [True] + [False] * 3
    await asyncio.gather(*(store.close() for store in stores))


async def test_newer_tables_are_not_made_under_a_leader(database_tables: str, monkeypatch: pytest.MonkeyPatch) -> None:
    leading = await open_store(database_tables, writer=True)
    monkeypatch.setattr(schema, "HEAD", "9999")
    with pytest.raises(StoreBusy, match="Stop it"):
        await open_store(database_tables, writer=True, wait=True)
    await leading.close()


async def test_a_database_that_is_away_is_no_reason_to_fail(postgres_tables: str, leader: Store) -> None:
    """Until its own clock ends the lease, a leader leads on."""
    await sql(postgres_tables, "ALTER TABLE leader RENAME TO elsewhere")
    with pytest.raises(Exception, match="leader"):
        await leader.renew()
    assert leader.leads()
    await sql(postgres_tables, "ALTER TABLE elsewhere RENAME TO leader")
    assert await leader.renew()


async def test_whatever_goes_wrong_renewal_goes_on(postgres_url: str) -> None:
    again = asyncio.Event()
    calls: list[int] = []

    def clock() -> float:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("unheard of")
        again.set()
        return 0.0

    site = PostgresSite(postgres_url)
    lease = PostgresLease(site.write, "a:1", "here", 0.001, clock)
    keeper = asyncio.create_task(lease.keep())
    await asyncio.wait([keeper, waiting := asyncio.create_task(again.wait())], return_when=asyncio.FIRST_COMPLETED)
    assert not keeper.done()
    for task in (keeper, waiting):
        task.cancel()
    await asyncio.gather(keeper, waiting, return_exceptions=True)
    await lease.release()


async def test_a_reader_does_not_lead(sqlite_url: str) -> None:
    store = await open_store(sqlite_url, writer=False)
    assert (store.leads(), store.state, await store.renew()) == (False, None, False)
    with pytest.raises(StoreError):
        store.must_lead()
    await store.close()
