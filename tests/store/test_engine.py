"""Who may write, what a reader sees meanwhile, and what happens when the ground gives way."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.store import schema
from bot.store.engine import Store, StoreBusy, StoreError, open_store
from tests.fakes.rounds import AT, MODEL, entry

DAY = 20_000


async def save(store: Store, *entries: object) -> None:
    async with store.writer() as writer:
        await writer.save_round(AT, entries)  # type: ignore[arg-type]


async def models(store: Store) -> list[str]:
    async with store.reader() as reader:
        return [row.name for row in await reader.models()]


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


async def test_a_second_writer_is_refused_and_told_why(database_tables: str) -> None:
    first = await open_store(database_tables, writer=True)
    with pytest.raises(StoreBusy, match=rf"[Aa]nother .*{os.getpid()}.*Stop it"):
        await open_store(database_tables, writer=True)
    await save(first, entry())
    await first.close()
    second = await open_store(database_tables, writer=True)
    assert await models(second) == [MODEL]
    await second.close()


async def test_another_name_of_the_same_file_is_the_same_store(sqlite_url: str) -> None:
    first = await open_store(sqlite_url, writer=True)
    await asyncio.to_thread(os.symlink, file_of(sqlite_url), f"{file_of(sqlite_url)}.link")
    with pytest.raises(StoreBusy, match="already writing"):
        await open_store(f"{sqlite_url}.link", writer=True)
    await first.close()


async def test_a_reader_beside_the_writer_reads_and_may_not_write(database_tables: str, store: Store) -> None:
    await save(store, entry())
    reading = await open_store(database_tables, writer=False)
    assert await models(reading) == [MODEL]
    with pytest.raises(StoreError, match="reading only"):
        await save(reading, entry())
    await reading.close()


async def test_reading_connections_cannot_change_anything(store: Store) -> None:
    async with store._site.read.connect() as conn:
        with pytest.raises(Exception, match=r"read-?only"):
            await conn.execute(text("UPDATE lease SET epoch = 7"))


async def test_small_changes_may_be_made_beside_the_writer(database_tables: str, store: Store) -> None:
    hand = await open_store(database_tables, writer=True, alone=False)
    async with hand.writer() as writer:
        await writer.create_key("partner", scopes=("read",), per_minute=60, at=AT)
    await hand.close()
    await save(store, entry())
    async with store.reader() as reader:
        assert [key.label for key in await reader.keys()] == ["partner"]


async def test_a_place_without_anything_reads_as_empty(database_url: str) -> None:
    reading = await open_store(database_url, writer=False)
    async with reading.reader() as reader:
        assert await reader.models() == []
        assert await reader.hours(None, 0) == await reader.quotes() == await reader.exposure(["?"], 0) == {}
        assert await reader.book() == await reader.points("?", 0) == await reader.interruptions("?", 0) == []
        assert (await reader.last_round_at(), await reader.quota(DAY)) == (None, (0, None))
        assert await reader.track_record("?") is None
    later = await open_store(database_url, writer=True)
    await save(later, entry())
    assert await models(reading) == [MODEL]
    await later.close()
    await reading.close()


async def test_an_empty_file_is_a_place_without_anything(sqlite_url: str) -> None:
    file_of(sqlite_url).touch()
    reading = await open_store(sqlite_url, writer=False)
    assert await models(reading) == []
    await reading.close()


async def test_one_reader_is_one_instant(store: Store) -> None:
    await save(store, entry())
    async with store.reader() as reader:
        await save(store, entry(AT + 300, price=1), entry(model="H100 SXM"))
        assert [row.name for row in await reader.models()] == [MODEL]
        assert (await reader.quotes())[MODEL].at == AT
        assert len(await reader.points(MODEL, 0)) == 1
    assert sorted(await models(store)) == ["H100 SXM", MODEL]


async def test_a_writer_reads_what_it_has_written_and_others_do_not_yet(store: Store) -> None:
    async with store.writer() as writer:
        await writer.save_round(AT, [entry()])
        assert (await writer.read.quotes())[MODEL].at == AT
        assert await models(store) == []


async def test_no_update_is_lost(database_tables: str, store: Store) -> None:
    beside = await open_store(database_tables, writer=True, alone=False)

    async def count(through: Store) -> None:
        for _ in range(15):
            async with through.writer() as writer:
                _, limit = await writer.read.quota(DAY)
                await asyncio.sleep(0)
                await writer.learn_limit(DAY, (limit or 0) + 1)

    await asyncio.gather(count(store), count(store), count(beside), count(beside))
    await beside.close()
    async with store.reader() as reader:
        assert await reader.quota(DAY) == (0, 60)


async def run(url: str, *lines: str) -> subprocess.CompletedProcess[str]:
    """A process of its own that opens the store for writing and does these lines."""
    head = """
import asyncio, os, resource, signal
from bot.store.engine import StoreError, open_store
from tests.fakes.rounds import AT, entry
from tests.store.test_engine import save

async def main():
    store = await open_store({url!r}, writer=True)
"""
    program = head.format(url=url) + "".join(f"    {line}\n" for line in lines) + "asyncio.run(main())\n"
    return await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )


async def test_a_killed_writer_leaves_whole_rounds_and_no_lock(sqlite_url: str) -> None:
    done = await run(
        sqlite_url,
        "await save(store, entry())",
        "async with store.writer() as writer:",
        "    await writer.save_round(AT + 300, [entry(AT + 300), entry(AT + 300, model='H100 SXM')])",
        "    os.kill(os.getpid(), signal.SIGKILL)",
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    store = await open_store(sqlite_url, writer=True)
    async with store.reader() as reader:
        assert [row.last_poll_at for row in await reader.models()] == [AT]
        assert await reader.last_round_at() == AT
    assert await store.integrity() == []
    await store.close()


async def test_a_disk_that_refuses_a_write_undoes_the_round_and_is_survived(sqlite_tables: str) -> None:
    done = await run(
        sqlite_tables,
        "await save(store, entry())",
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, -1))",
        "try:",
        "    await save(store, *(entry(AT + n * 300) for n in range(1, 2000)))",
        "except StoreError as error:",
        "    print(error)",
        "async with store.reader() as reader:",
        "    print(len(await reader.points('RTX 4090', 0)))",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))",
        "await save(store, entry(AT + 300))",
        "async with store.reader() as reader:",
        "    print(len(await reader.points('RTX 4090', 0)), await store.integrity())",
        "await store.close()",
    )
    assert done.stdout.splitlines() == ["The disk cannot be written. Nothing of this write was kept.", "1", "2 []"], (
        done
    )


async def test_a_lock_held_by_another_program_stops_writes_but_not_reads(sqlite_tables: str) -> None:
    store = await open_store(f"{sqlite_tables}?timeout=0.05", writer=True)
    await save(store, entry())
    other = sqlite3.connect(file_of(sqlite_tables), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreBusy, match="locked by another program"):
        await save(store, entry(AT + 300))
    assert await models(store) == [MODEL]
    other.execute("ROLLBACK")
    other.close()
    await save(store, entry(AT + 300))
    await store.close()


async def test_a_full_disk_undoes_the_round_and_is_survived(sqlite_tables: str) -> None:
    store = await open_store(sqlite_tables, writer=True)
    await save(store, entry())
    # SQLite answers with the same SQLITE_FULL as on a full disk.
    await _limit_pages(store, 1)
    with pytest.raises(StoreError, match="disk is full"):
        await save(store, *(entry(AT + n * 300) for n in range(1, 2000)))
    async with store.reader() as reader:
        assert len(await reader.points(MODEL, 0)) == 1
    await _limit_pages(store, 1_000_000)
    await save(store, entry(AT + 300))
    async with store.reader() as reader:
        assert len(await reader.points(MODEL, 0)) == 2
    assert await store.integrity() == []
    await store.close()


async def _limit_pages(store: Store, pages: int) -> None:
    async with store._site.write.connect() as conn:
        await conn.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


async def test_a_backup_taken_while_writing_is_the_last_whole_state(sqlite_tables: str, tmp_path: Path) -> None:
    store = await open_store(sqlite_tables, writer=True)
    await save(store, entry())
    copy = tmp_path / "copy.db"
    async with store.writer() as writer:
        await writer.save_round(AT + 300, [entry(AT + 300)])
        await store.backup(copy)
    restored = await open_store(f"sqlite:///{copy}", writer=True)
    async with restored.reader() as after, store.reader() as before:
        assert (await after.models())[0].last_good_at == AT
        assert await after.hours(None, 0) == await before.hours(None, 0)
        assert len(await after.points(MODEL, 0)) == 1
    assert await restored.integrity() == []
    await restored.close()
    with pytest.raises(StoreError, match="does not overwrite"):
        await store.backup(copy)
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]
    await store.close()


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("nowhere/copy.db", "The folder .*/nowhere does not exist"),
        ("a_file/copy.db", "a_file.*: Not a directory"),
        ("spotbot.db", "exists already"),
        ("a_folder", "exists already"),
        ("x" * 300, "cannot be written: File name too long"),
    ],
)
async def test_a_backup_that_cannot_be_written_is_said_plainly(
    sqlite_tables: str, tmp_path: Path, target: str, says: str
) -> None:
    store = await open_store(sqlite_tables, writer=True)
    (tmp_path / "a_file").write_text("kept")
    (tmp_path / "a_folder").mkdir()
    with pytest.raises(StoreError, match=says):
        await store.backup(tmp_path / target)
    assert (tmp_path / "a_file").read_text() == "kept"
    assert await store.integrity() == []
    await store.close()


async def test_a_backup_destroys_no_file_of_a_similar_name(tmp_path: Path) -> None:
    live = tmp_path / "copy.db.part"
    store = await open_store(f"sqlite:///{live}", writer=True)
    await save(store, entry())
    await store.backup(tmp_path / "copy.db")
    assert live.exists()
    assert (tmp_path / "copy.db").exists()
    await store.close()


async def test_postgres_is_backed_up_by_its_own_tools(postgres_url: str, tmp_path: Path) -> None:
    store = await open_store(postgres_url, writer=True)
    with pytest.raises(StoreError, match="pg_dump"):
        await store.backup(tmp_path / "copy.db")
    assert await store.integrity() == []
    await store.checkpoint()
    await store.close()


async def test_damage_is_found(sqlite_tables: str) -> None:
    store = await open_store(sqlite_tables, writer=True)
    await save(store, *(entry(AT + n * 300) for n in range(300)))
    await store.close()
    with file_of(sqlite_tables).open("rb+") as file:
        file.seek(-10 * 4096, os.SEEK_END)  # behind the schema, which every opening reads
        file.write(b"\xff" * 10 * 4096)
    reading = await open_store(sqlite_tables, writer=False)
    assert await reading.integrity() != []
    await reading.close()


async def test_the_write_ahead_log_is_folded_in(sqlite_tables: str) -> None:
    store = await open_store(sqlite_tables, writer=True)
    await save(store, entry())
    assert _size(f"{file_of(sqlite_tables)}-wal") > 0
    await store.checkpoint()
    assert _size(f"{file_of(sqlite_tables)}-wal") == 0
    await store.close()


def _size(path: str) -> int:
    return os.stat(path).st_size


async def test_tables_of_a_newer_program_are_left_alone(database_tables: str) -> None:
    store = await open_store(database_tables, writer=True)
    async with store._site.write.begin() as conn:
        await conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await store.close()
    for writer in (True, False):
        with pytest.raises(StoreError, match=r"newer spotbot.*Upgrade"):
            await open_store(database_tables, writer=writer)


async def test_older_tables_are_brought_up_by_a_writer_only(
    database_tables: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "HEAD", "9999")
    with pytest.raises(StoreError, match=r"older tables.*migrate"):
        await open_store(database_tables, writer=False)


async def test_tables_of_strangers_are_left_alone(database_url: str) -> None:
    store = await open_store(database_url, writer=True)
    async with store._site.write.begin() as conn:
        await conn.execute(text("DROP TABLE alembic_version"))
    await store.close()
    with pytest.raises(StoreError, match="did not make"):
        await open_store(database_url, writer=True)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://root@localhost/x", "SQLite or PostgreSQL"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite:////proc", "/proc is a folder. Name a file in it"),
        ("sqlite:////dev/null/spotbot.db", "cannot be made .a part of its path is a file"),
        ("sqlite:////dev/null/more/spotbot.db", "cannot be made .Not a directory"),
        ("sqlite:////proc/spotbot.db", "cannot be .*made.*in a folder that this user may write"),
        ("postgresql://postgres@/x?host=/nowhere", "cannot be reached"),
    ],
)
@pytest.mark.parametrize("writer", [False, True])
async def test_a_place_that_will_not_do_is_said_plainly(url: str, message: str, writer: bool) -> None:
    with pytest.raises(StoreError, match=message):
        await open_store(url, writer=writer)


async def test_a_file_that_is_no_database_is_said_plainly(sqlite_url: str) -> None:
    file_of(sqlite_url).write_text("Dear diary, " * 1000)
    with pytest.raises(StoreError, match="not a database"):
        await open_store(sqlite_url, writer=True)
    assert file_of(sqlite_url).read_text().startswith("Dear diary")


async def test_a_refused_password_does_not_show_it(postgres_url: str) -> None:
    with pytest.raises(StoreError) as refused:
        await open_store(postgres_url.replace("postgres@", "nobody:hunter2@"), writer=True)
    assert "hunter2" not in str(refused.value)
