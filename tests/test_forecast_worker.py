"""The process that works out the forecasts, as the one that started it sees it."""

from __future__ import annotations

import asyncio
import time
from multiprocessing.util import Finalize
from pathlib import Path

from bot.apart import apart

PATIENCE_S = 10


def leave_slowly(folder: Path) -> str:
    Finalize(None, wait_to_be_seen, (folder,), exitpriority=1)
    return "done"


def wait_to_be_seen(folder: Path) -> None:
    """In the other process, on its way out."""
    (folder / "leaving").touch()
    if appears(folder / "seen"):
        (folder / "left").touch()


def appears(file: Path) -> bool:
    end = time.monotonic() + PATIENCE_S
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.01)
    return file.exists()


async def test_others_have_their_turn_while_the_worker_process_ends(tmp_path: Path) -> None:
    async def see() -> None:
        await asyncio.to_thread(appears, tmp_path / "leaving")
        (tmp_path / "seen").touch()

    found, _ = await asyncio.gather(apart(leave_slowly, tmp_path), see())
    assert found == "done"
    assert (tmp_path / "left").exists()
