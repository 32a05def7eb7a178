"""Pictures of charts, drawn in a process of their own: drawing takes long, and memory that nobody else needs."""

from __future__ import annotations

import asyncio
import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess

import structlog
from cachetools import LRUCache

from bot.extras import CHARTS
from bot.fair_queue import ANYBODY, FairQueue, Waiter
from bot.presentation import chart as drawing
from bot.presentation.card import Chart
from bot.presentation.chart import Theme

log = structlog.get_logger()

KEPT = 64
"""Pictures that are kept; each has some 50 kB."""

PATIENCE = 20.0
"""Seconds after which an answer is better without its picture."""

Draw = Callable[..., bytes]
_Key = tuple[Chart, str, Theme]


class Gallery:
    """Draws each picture once, and keeps the newest. ``draw`` must be a module's function: it is called elsewhere."""

    def __init__(self, *, draw: Draw = drawing.png, patience: float = PATIENCE, kept: int = KEPT) -> None:
        self._draw, self._patience = draw, patience
        self._pictures: LRUCache[_Key, bytes] = LRUCache(kept)
        self._under_way: dict[_Key, asyncio.Task[bytes | None]] = {}
        self._pool: ProcessPoolExecutor | None = None
        self._turns = FairQueue(1)
        self._closed = False
        self._off = draw is drawing.png and not CHARTS.installed

    async def png(
        self, chart: Chart, *, language: str = "en", theme: Theme = "light", waiter: Waiter = ANYBODY
    ) -> bytes | None:
        """The picture, or None where it cannot be drawn or takes too long: the card's texts say the same.

        It is drawn when it is the turn of whoever first asked for it.
        """
        key = (chart, language, theme)
        if key in self._pictures:
            return self._pictures[key]
        if self._closed or self._off:
            return None
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._make(key, waiter))
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        # whoever stops waiting must not take the picture from the others
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End the process; pictures not yet begun are not drawn."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _make(self, key: _Key, waiter: Waiter) -> bytes | None:
        try:
            async with asyncio.timeout(self._patience) as patience, self._turns.turn(waiter):
                patience.reschedule(None)  # drawing has its own
                return None if self._closed else await self._draw_now(key)
        except TimeoutError:
            log.warning("picture_lost", title=key[0].title, reason="others were drawn first", seconds=self._patience)
        return None

    async def _draw_now(self, key: _Key) -> bytes | None:
        chart, language, theme = key
        pool, future = self._submit(chart, language, theme)
        try:
            picture = await asyncio.wait_for(asyncio.wrap_future(future), self._patience)
        except BrokenProcessPool:
            self._forget(pool)
            log.warning("picture_lost", title=chart.title, reason="the drawing process ended")
        except TimeoutError:
            if not future.cancelled():  # it had begun, and its process ends itself: nobody else should wait for that
                self._forget(pool)
            log.warning("picture_lost", title=chart.title, reason="it took too long", seconds=self._patience)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
        except Exception:  # whatever a drawing meets, the answer goes out without it
            log.exception("picture_lost", title=chart.title, reason="it cannot be drawn")
        else:
            self._pictures[key] = picture
            return picture
        return None

    def _submit(self, chart: Chart, language: str, theme: Theme) -> tuple[ProcessPoolExecutor, Future[bytes]]:
        """Begin to draw; where the process has ended since, in a new one."""
        work = functools.partial(_drawn, self._draw, self._patience, chart, language, theme)
        pool = self._pool = self._pool or _new_pool()
        try:
            return pool, pool.submit(work)
        except BrokenProcessPool:
            self._forget(pool)
        pool = self._pool = _new_pool()
        return pool, pool.submit(work)

    def _forget(self, pool: ProcessPoolExecutor) -> None:
        """The next picture is drawn by a new process."""
        pool.shutdown(wait=False)
        if self._pool is pool:
            self._pool = None


def _new_pool() -> ProcessPoolExecutor:
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, mp_context=spawn, initializer=_settle)


def _settle() -> None:
    """In the other process: leave Ctrl-C to the one that started it, and end with that one, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _drawn(draw: Draw, patience: float, chart: Chart, language: str, theme: Theme) -> bytes:
    """In the other process: draw, or end it when that takes too long, even where the interpreter cannot stop it."""
    signal.setitimer(signal.ITIMER_REAL, patience)
    try:
        return draw(chart, language=language, theme=theme)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
