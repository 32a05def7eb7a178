"""Writes that go together: all are told what came of their own, whatever becomes of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot.outbox.grouped import Grouped
from bot.store.errors import StoreError


class Disk:
    """Writes once it is let go, all or nothing; what cannot be written is in ``bad``."""

    def __init__(self, bad: dict[str, Exception] | None = None) -> None:
        self.groups: list[list[str]] = []
        self.begun, self.free, self.bad = asyncio.Event(), asyncio.Event(), bad or {}

    async def write(self, items: Sequence[str]) -> None:
        self.begun.set()
        await self.free.wait()
        for item in items:
            if item in self.bad:
                raise self.bad[item]
        self.groups.append(list(items))


async def _all(disk: Disk, *items: str) -> list[BaseException | None]:
    grouped = Grouped(disk.write)
    tasks = [asyncio.create_task(grouped.add(item)) for item in items]
    await disk.begun.wait()
    disk.free.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_comes_during_a_write_is_written_together() -> None:
    disk = Disk()
    assert await _all(disk, "a", "b", "c", "d") == [None] * 4
    assert [sorted(group) for group in disk.groups] == [["a"], ["b", "c", "d"]]


async def test_one_that_cannot_be_written_fails_alone() -> None:
    wrong = ValueError("no")
    disk = Disk({"c": wrong})
    assert await _all(disk, "a", "b", "c", "d") == [None, None, wrong, None]
    assert sorted(item for group in disk.groups for item in group) == ["a", "b", "d"]


async def test_a_busy_store_is_told_to_all_of_a_group_at_once() -> None:
    busy = StoreError("busy")
    disk = Disk({"c": busy})
    assert await _all(disk, "a", "b", "c", "d") == [None, busy, busy, busy]
    assert disk.groups == [["a"]]


async def test_who_is_cancelled_while_writing_takes_nobody_along() -> None:
    disk = Disk()
    grouped = Grouped(disk.write)
    first = asyncio.create_task(grouped.add("a"))
    await disk.begun.wait()
    second = asyncio.create_task(grouped.add("b"))
    await asyncio.sleep(0)
    first.cancel()
    disk.free.set()
    assert await asyncio.gather(first, second, return_exceptions=True) != [None, None]
    assert disk.groups == [["b"]]


async def test_who_waits_behind_a_cancelled_writer_may_try_again() -> None:
    disk = Disk()
    grouped = Grouped(disk.write)
    disk.free.set()
    lock = grouped._turn
    await lock.acquire()
    tasks = [asyncio.create_task(grouped.add(item)) for item in "ab"]
    await asyncio.sleep(0)
    disk.free.clear()
    lock.release()
    await disk.begun.wait()
    tasks[0].cancel()
    first, second = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(first, asyncio.CancelledError)
    assert isinstance(second, StoreError)
    assert disk.groups == []
