"""Storing what is older than stored polls: nothing counts twice, and no tenant is carried over time already lived."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from analytics.market import HOUR, MAX_GAP_INTERVALS, Poll, Quality
from bot.polling.rounds import Collector, ModelState
from bot.store.engine import Store

Round = tuple[int, list[Poll]]


class Covered:
    """Stored time of a model: a moment is covered if it is a poll, in a step between two complete ones, or in an hour
    that was lived through and whose polls are not kept any more.
    """

    def __init__(self, polls: Sequence[tuple[int, Quality]], gap: int, last: int, lived: Collection[int] = ()) -> None:
        self.polled = {at for at, _ in polls}
        self.complete = [at for at, quality in polls if quality is Quality.COMPLETE]
        self.gap, self.last = gap, last
        self.hours = {at // HOUR for at in self.polled}
        """hours with stored polls, which share their price with what is stored now"""
        self.lived = frozenset(lived) - self.hours

    def __contains__(self, at: int) -> bool:
        n = bisect_left(self.complete, at)
        between = 0 < n < len(self.complete) and self.complete[n] - self.complete[n - 1] <= self.gap
        return between or at in self.polled or at // HOUR in self.lived

    def parts(self, before: int | None, at: int) -> bool:
        """Whether a state of ``before`` may not be carried to ``at``: time in between was lived through already."""
        if before is None or before <= self.last < at:
            return True
        crossed = bisect_left(self.complete, before) != bisect_left(self.complete, at)
        return crossed or not self.lived.isdisjoint(range(before // HOUR + 1, at // HOUR))


@dataclass(frozen=True, slots=True)
class Committed:
    """What one commit brought: until which second, the polls as they were judged, and how many were of covered time."""

    at: int
    polls: tuple[Poll, ...]
    skipped: int


async def covered_time(
    store: Store, models: Collection[str], since: int, until: int, interval: int
) -> Mapping[str, Covered]:
    """The time of each model that stored polls account for around a span that is polled at an interval."""
    async with store.reader() as reader:
        rows = {row.name: row for row in await reader.models() if row.last_poll_at is not None}
        found = {}
        for model in models:
            # stored steps are as long as the polls of their own time allowed
            gap = MAX_GAP_INTERVALS * max(interval, rows[model].interval if model in rows else 0)
            polls = await reader.poll_times(model, since - max(gap, HOUR), until + max(gap, HOUR))
            lived = await reader.exposure_hours(model, since // HOUR, until // HOUR + 1)
            last = (rows[model].last_poll_at or 0) if model in rows else 0
            found[model] = Covered(polls, gap, last, [hour for hour, _ in lived])
    return found


async def back_fill(
    rounds: Iterator[Round], covered: Mapping[str, Covered], collector: Collector, *, together: int, until: int | None
) -> AsyncIterator[Committed]:
    """Store rounds in time order, so many in a commit; polls of covered time are left out.

    ``until``: UTC second of the last round, when bands of usual changes are worked out.
    """
    carried: dict[str, int] = {}
    while batch := list(itertools.islice(rounds, together)):
        done: list[Poll] = []
        for run in _runs(batch, covered, collector, carried):
            shared = {
                (p.model, p.at // HOUR) for _, some in run for p in some if p.at // HOUR in covered[p.model].hours
            }
            stored = await collector.record_many(run, bands=batch[-1][0] == until, shared=shared)
            done += [poll for round_ in stored for poll in round_.polls]
        skipped = sum(poll.at in covered[poll.model] for _, some in batch for poll in some)
        yield Committed(batch[-1][0], tuple(done), skipped)


def _runs(
    batch: Sequence[Round], covered: Mapping[str, Covered], collector: Collector, carried: dict[str, int]
) -> Iterator[list[Round]]:
    """The rounds without polls of covered time, in runs through which each model's state is carried.

    A run must be stored before the next is asked for: then its models start anew, or go on from the store. ``carried``:
    the last poll of each model whose state is carried.
    """
    run: list[Round] = []
    for at, polls in batch:
        fresh = [poll for poll in polls if poll.at not in covered[poll.model]]
        for poll in polls:
            if poll.at in covered[poll.model]:
                carried.pop(poll.model, None)
        anew = [poll for poll in fresh if covered[poll.model].parts(carried.get(poll.model), poll.at)]
        if not {poll.model for poll in anew}.isdisjoint(poll.model for _, some in run for poll in some):
            yield run
            run = []
        for poll in anew:
            collector.forget(poll.model, None if poll.at > covered[poll.model].last else ModelState())
        carried.update((poll.model, poll.at) for poll in fresh)
        run += [(at, fresh)] if fresh else []
    if run:
        yield run
