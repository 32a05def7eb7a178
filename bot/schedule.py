"""Periodic work: one table of jobs handed to APScheduler, in UTC.

APScheduler goes by the wall clock and drops late runs by default (a clock set back an hour silences an interval job
for an hour); so runs are coalesced, never dropped, and :func:`rearm` starts the table anew when the clock was set
back. What must survive a restart is a row in the store, not a job.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Job:
    """One row: what runs at which minute (and hour, if not every one), UTC."""

    name: str
    run: Callable[[], Awaitable[None]]
    minute: int
    hour: int | None = None


def start(jobs: Sequence[Job]) -> AsyncIOScheduler:
    """A running scheduler with these jobs; it belongs to the running event loop."""
    scheduler = AsyncIOScheduler(timezone=UTC)
    for job in jobs:
        _add(scheduler, job)
    scheduler.start()
    return scheduler


def rearm(scheduler: AsyncIOScheduler, jobs: Sequence[Job]) -> None:
    """Plan every job anew from the present time: for after the clock was set back."""
    for job in jobs:
        _add(scheduler, job)


def _add(scheduler: AsyncIOScheduler, job: Job) -> None:
    scheduler.add_job(
        _guarded,
        CronTrigger(minute=job.minute, hour="*" if job.hour is None else job.hour, timezone=UTC),
        args=[job],
        id=job.name,
        replace_existing=True,
        coalesce=True,
        max_instances=1,
        misfire_grace_time=None,
    )


async def _guarded(job: Job) -> None:
    """A job that fails is logged and runs again at its next time."""
    try:
        await job.run()
    except Exception:
        log.exception("job failed", job=job.name)
