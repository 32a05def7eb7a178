"""Every periodic job: what runs, and its trigger, in UTC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC

from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from bot.alerts.engine import pass_time
from bot.forecasts import refresh
from bot.scheduler import PeriodicJob, rearm, run_job, start, watch_clock
from bot.schedules.producing import produce
from bot.store.engine import Store

Clock = Callable[[], int]


def jobs_of_the_leader(store: Store, clock: Clock) -> tuple[PeriodicJob, ...]:
    """What the process does that leads."""

    async def forecasts() -> None:
        store.must_lead()
        await refresh(store, clock())

    async def retention() -> None:
        async with store.writer() as writer:
            await writer.prune(clock())
        await store.checkpoint()

    async def alerts() -> None:
        async with store.writer() as writer:
            await pass_time(writer, clock())

    async def schedules() -> None:
        async with store.reader() as reader:
            due_at = await reader.schedules.next_due()
        if due_at is not None and due_at <= clock():
            async with store.writer() as writer:
                await produce(writer, clock())

    return (
        PeriodicJob("schedules", schedules, IntervalTrigger(seconds=5, timezone=UTC)),
        PeriodicJob("alerts", alerts, IntervalTrigger(seconds=30, timezone=UTC)),
        PeriodicJob("forecasts", forecasts, CronTrigger(minute=2, timezone=UTC)),
        PeriodicJob("retention", retention, CronTrigger(hour=3, minute=40, timezone=UTC)),
    )


@asynccontextmanager
async def running(jobs: Sequence[PeriodicJob]) -> AsyncIterator[Callable[[str], None]]:
    """Let them run at their times; gives what runs one now, by name."""
    by_name = {job.name: job for job in jobs}
    scheduler = start(jobs)
    watch = asyncio.create_task(watch_clock(lambda: rearm(scheduler, jobs)))
    now: set[asyncio.Task[None]] = set()

    def run_now(name: str) -> None:
        task = asyncio.create_task(run_job(by_name[name]))
        now.add(task)
        task.add_done_callback(now.discard)

    try:
        yield run_now
    finally:
        scheduler.shutdown(wait=False)
        for task in (*now, watch):
            task.cancel()
