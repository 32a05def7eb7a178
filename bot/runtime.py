"""Runs the parts of a process until it is told to stop or one of them fails."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Sequence
from typing import Any

STOP_GRACE = 10.0
"""Seconds that parts get to finish after a stop was asked for."""


async def run_parts(parts: Sequence[Coroutine[Any, Any, None]], stop: asyncio.Event) -> None:
    """Run all until ``stop`` is set or one ends; then let the others finish. Raises what one of them raised."""
    tasks = [asyncio.create_task(part) for part in parts]
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    _, late = await asyncio.wait(tasks, timeout=STOP_GRACE)
    for task in (*late, waiting):
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGINT and SIGTERM ask every part to finish."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
