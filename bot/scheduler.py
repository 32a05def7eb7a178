"""Periodic work: one table of jobs handed to APScheduler, in UTC.

APScheduler goes by the wall clock and drops late runs by default (a clock set back an hour silences an interval job
for an hour); so runs are coalesced, never dropped, and :func:`rearm` starts the table anew when the clock was set
back. What must survive a restart is a row in the store, not a job.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from bot.store.errors import StoreBusy, StoreError

log = structlog.get_logger()

CLOCK_STEP = 60
"""A wall clock that falls this many seconds behind the monotonic one was set back."""


@dataclass(frozen=True, slots=True)
class PeriodicJob:
    """One row: what runs, and when (a cron or interval trigger, in UTC)."""

    name: str
    run: Callable[[], Awaitable[None]]
    trigger: BaseTrigger


def start(jobs: Sequence[PeriodicJob]) -> AsyncIOScheduler:
    """A running scheduler with these jobs; it belongs to the running event loop."""
    scheduler = AsyncIOScheduler(timezone=UTC)
    for job in jobs:
        _add(scheduler, job)
    scheduler.start()
    return scheduler


def rearm(scheduler: AsyncIOScheduler, jobs: Sequence[PeriodicJob]) -> None:
    """Plan every job anew from the present time: for after the clock was set back."""
    for job in jobs:
        _add(scheduler, job)


def _add(scheduler: AsyncIOScheduler, job: PeriodicJob) -> None:
    scheduler.add_job(
        run_job,
        job.trigger,
        args=[job],
        id=job.name,
        replace_existing=True,
        coalesce=True,
        max_instances=1,
        misfire_grace_time=None,
    )


async def run_job(job: PeriodicJob) -> None:
    """A job that fails is logged and runs again at its next time; one whose process does not lead is skipped."""
    try:
        await job.run()
    except StoreBusy as error:
        log.warning("job skipped", job=job.name, reason=str(error))
    except StoreError as error:
        log.error("job failed", job=job.name, reason=str(error))
    except Exception:
        log.exception("job failed", job=job.name)


async def watch_clock(stepped_back: Callable[[], None], every: float = 30.0) -> None:
    """Call back whenever the wall clock was set back, which silences wall-clock schedulers."""
    offset = time.time() - time.monotonic()
    while True:
        await asyncio.sleep(every)
        now = time.time() - time.monotonic()
        if now < offset - CLOCK_STEP:
            stepped_back()
        offset = now
