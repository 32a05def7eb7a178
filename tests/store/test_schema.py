"""The migrations make the tables that the code speaks of."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Table, inspect

import bot.store
from analytics.interruptions.variants import Variant
from analytics.market import Cause, Quality, Scope
from bot.store import schema, tables
from bot.store.engine import Store, open_store
from bot.store.tables import ORDER, code
from tests.fakes.older import make_older

MIGRATIONS = Path(bot.store.__file__).with_name("migrations")


async def test_migrated_tables_are_those_of_the_code(store: Store) -> None:
    def differences(conn: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(conn), tables.metadata))

    async with store._site.read.connect() as conn:
        assert await conn.run_sync(differences) == []


async def test_the_order_of_key_columns_is_that_of_the_code(store: Store) -> None:
    def keys(conn: Connection) -> dict[str, list[str]]:
        return {name: inspect(conn).get_pk_constraint(name)["constrained_columns"] for name in tables.metadata.tables}

    async with store._site.read.connect() as conn:
        found = await conn.run_sync(keys)
    assert found == {name: [c.name for c in table.primary_key] for name, table in tables.metadata.tables.items()}
    assert found["price_hour"] == ["gpu_id", "hour", "region_id", "scope"]
    assert found["exposure_hour"] == ["gpu_id", "hour", "region_id"]


async def test_big_tables_have_no_row_ids(sqlite_url: str) -> None:
    store = await open_store(sqlite_url, writer=True)
    async with store._site.read.connect() as conn:
        found = await conn.exec_driver_sql("SELECT name FROM sqlite_master WHERE sql LIKE '%WITHOUT ROWID%'")
        names = {row.name for row in found}
    await store.close()
    assert names == {name for name, table in tables.metadata.tables.items() if not _has_rowid(table)}
    assert names >= {"quote", "price_hour", "exposure_hour", "exposure_day", "life_day"}


def _has_rowid(table: Table) -> bool:
    return bool(table.dialect_options["sqlite"]["with_rowid"])


def test_the_head_in_the_code_is_the_newest_revision() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]


def test_the_stored_numbers_of_words_never_change() -> None:
    numbers = {word: code(word) for kind in ORDER for word in kind}
    assert numbers == {
        Scope.VERIFIED: 0, Scope.ALL: 1,
        Quality.COMPLETE: 0, Quality.CAPPED: 1, Quality.SUSPECT: 2, Quality.FAILED: 3,
        Cause.TAKEN_OR_DOWN: 0, Cause.OUTBID: 1, Cause.ABSENT: 2,
        Variant.PLAIN: 0, Variant.THINNED: 1, Variant.BID_100: 2, Variant.BID_125: 3,
    }  # fmt: skip


async def test_interruptions_of_an_earlier_version_are_kept_once_each(database_url: str) -> None:
    row = "INSERT INTO interruption (gpu_id, region_id, slice_id, machine_id, host_id, num_gpus, cause, bid, held_at, "
    row += "seen_at, back_at) VALUES "
    await make_older(
        database_url,
        "0003",
        [
            "INSERT INTO gpu (id, name, vast_name, followed, interval_s, offers) VALUES (1, 'B', 'B', true, 300, 1)",
            "INSERT INTO quota (day, rows, learned_limit) VALUES (20000, 17, 3000)",
            row + "(1, 0, '7:1', 7, 3, 1, 1, 345000, 100, 400, NULL)",
            row + "(1, 0, '7:1', 7, 3, 1, 1, 345000, 50, 400, 700)",
            row + "(1, 0, '8:1', 8, NULL, 2, 2, 345000, 100, 400, NULL)",
        ],
    )
    store = await open_store(database_url, writer=True)
    async with store.reader() as reader:
        found = await reader.interruptions("B", 0)
        assert [(i.slice_id, i.held_at, i.seen_at, i.back_at, i.host_id) for i in found] == [
            ("7:1", 50, 400, 700, 3),
            ("8:1", 100, 400, None, None),
        ]
        assert (await reader.quota(20000), await reader.spent_until(20000 * 86_400)) == ((17, 3000), None)
    await store.close()


async def test_a_book_of_before_is_kept_and_its_disk_is_unknown(database_url: str) -> None:
    columns = "gpu_id, n, machine_id, num_gpus, on_demand, min_bid, verified, gpu_ids, region_id, datacenter"
    await make_older(
        database_url,
        "0005",
        [
            "INSERT INTO gpu (id, name, vast_name, followed, interval_s, offers, last_good_at) "
            "VALUES (1, 'B', 'B', true, 300, 1, 1000)",
            f"INSERT INTO slice ({columns}) VALUES (1, 0, 7, 1, 400000, 200000, true, '3', 0, false)",
        ],
    )
    store = await open_store(database_url, writer=True)
    async with store.reader() as reader:
        (offer,) = await reader.book(["B"])
    assert (offer.machine_id, offer.min_bid, offer.gpu_ids, offer.disk_gb) == (7, 200_000, (3,), None)
    await store.close()
