"""A process that stores one round with its alerts and kills itself at a named point: URL, point, time, price."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from analytics.market import Poll, Quality, Round
from bot.alerts.engine import evaluate
from bot.polling.rounds import Collector
from bot.store.alerts import AlertWrites
from bot.store.engine import open_store
from bot.store.outbox import OutboxWrites
from bot.store.writer import Writer
from tests.fakes.alerting import MODEL, STEP, book

POINTS = ("before states", "after states", "after outbox", "before commit", "after commit")
"""Where a round may end, in the order in which it comes by."""

Method = Callable[..., Awaitable[Any]]


def end(point: str, here: str) -> None:
    """Die as from kill -9, if this is the point."""
    if point == here:
        os.kill(os.getpid(), signal.SIGKILL)


def ending(method: Method, point: str, before: str, after: str) -> Method:
    """The method, with a point before and one after it."""

    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        end(point, before)
        result = await method(*args, **kwargs)
        end(point, after)
        return result

    return wrapped


async def run(url: str, point: str, at: int, price: int) -> None:
    AlertWrites.save = ending(AlertWrites.save, point, "before states", "after states")  # type: ignore[method-assign]
    OutboxWrites.add = ending(OutboxWrites.add, point, "", "after outbox")  # type: ignore[method-assign]

    async def listener(writer: Writer, round_: Round) -> None:
        await evaluate(writer, round_)
        end(point, "before commit")

    store = await open_store(url, writer=True, alone=False)
    polls = [Poll(MODEL, at, Quality.COMPLETE, book(price), STEP)]
    await Collector(store, on_round=listener).record(at, polls)
    end(point, "after commit")


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
