"""Work in a process of its own, which ends with its work, with who waits for it, or with the program."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

Result = TypeVar("Result")

Tell = Callable[[Any], None]
"""Brings something to the waiting process; ends this one where nobody waits any more."""


class Died(Exception):
    """The other process ended without a result: killed, or out of memory."""


async def apart(work: Callable[..., Result], *arguments: Any) -> Result:
    """Run in a fresh process that ends when done: it may take hundreds of MB, and the event loop must not wait for it.

    Raises what the work raised. Once this is cancelled the other process is ended and seen to its end.
    """
    return await apart_heard(_told_nothing, lambda _: None, work, *arguments)


async def apart_heard(work: Callable[..., Result], heard: Callable[[Any], None], *arguments: Any) -> Result:
    """As :func:`apart`, for work that takes a :data:`Tell` first: what it tells is ``heard`` here while it goes on."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, work, arguments))
    starting = asyncio.create_task(asyncio.to_thread(_start, process, theirs))
    try:
        await asyncio.shield(starting)
        while True:
            kind, value = await asyncio.to_thread(_next, ours)
            if kind == "told":
                heard(value)
            elif kind == "done":
                return value  # type: ignore[no-any-return]
            else:
                raise value
    except asyncio.CancelledError:
        await starting  # what is not started yet cannot be ended
        process.terminate()
        raise
    finally:
        # giving back its memory takes the process the better part of a second
        await asyncio.shield(asyncio.create_task(asyncio.to_thread(_end, process, ours)))


def _told_nothing(_tell: Tell, work: Callable[..., Result], *arguments: Any) -> Result:
    return work(*arguments)


def _start(process: SpawnProcess, theirs: Connection) -> None:
    """Begin with SIGINT blocked: Ctrl-C reaches every process at the terminal, and this one's end is ours to decide."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()


def _end(process: SpawnProcess, ours: Connection) -> None:
    process.join()
    ours.close()


def _next(ours: Connection) -> tuple[str, Any]:
    try:
        found: tuple[str, Any] = ours.recv()
    except EOFError:
        return "failed", Died("the process that was to work this out has died")
    return found


def _work(theirs: Connection, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """In the other process. Where nobody waits any more there is nothing left to do."""
    with suppress(BrokenPipeError):
        try:
            found = ("done", work(lambda value: theirs.send(("told", value)), *arguments))
        except BrokenPipeError:
            raise
        except Exception as error:
            error.add_note(f"In the other process:\n{traceback.format_exc()}")
            found = ("failed", error)
        theirs.send(found)
        theirs.close()
