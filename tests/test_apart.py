"""Work in another process: what it tells, how it fails, and that nothing of it is left when nobody waits."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from bot.apart import Died, Tell, apart, apart_heard

STAY_S = 20
"""How long the other process would be at it."""


def tell_thrice(tell: Tell, least: int) -> str:
    for n in range(least, least + 3):
        tell(n)
    return "done"


def tell_who_and_stay(tell: Tell, folder: Path) -> None:
    tell(os.getpid())
    time.sleep(STAY_S)
    (folder / "stayed").touch()


def fail() -> None:
    raise ValueError("so it is")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def test_what_it_tells_is_heard_in_order_before_its_result() -> None:
    heard: list[int] = []
    assert await apart_heard(tell_thrice, heard.append, 5) == "done"
    assert heard == [5, 6, 7]


async def test_it_ends_with_who_waits_for_it(tmp_path: Path) -> None:
    told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    work = asyncio.create_task(apart_heard(tell_who_and_stay, told.set_result, tmp_path))
    process = await told
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert os.listdir(tmp_path) == []


async def test_its_failure_and_its_death_are_raised_here() -> None:
    with pytest.raises(ValueError, match="so it is") as raised:
        await apart(fail)
    assert "In the other process" in raised.value.__notes__[0]
    with pytest.raises(Died):
        await apart(die)
