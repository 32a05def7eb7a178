"""Storing what is older than stored polls: nothing counts twice, and no tenant is carried over time already lived."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from analytics.market import MAX_GAP_INTERVALS, Poll, Quality
from bot.polling.rounds import Collector, ModelState
from bot.store.engine import Store

Round = tuple[int, list[Poll]]


class Covered:
    """Stored polls of a model: a moment is covered if it is one of them, or in a step between two complete ones."""

    def __init__(self, polls: Sequence[tuple[int, Quality]], gap: int, last: int) -> None:
        self.polled = {at for at, _ in polls}
        self.complete = [at for at, quality in polls if quality is Quality.COMPLETE]
        self.gap, self.last = gap, last

    def __contains__(self, at: int) -> bool:
        n = bisect_left(self.complete, at)
        between = 0 < n < len(self.complete) and self.complete[n] - self.complete[n - 1] <= self.gap
        return between or at in self.polled


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
    gap = MAX_GAP_INTERVALS * interval
    async with store.reader() as reader:
        times = {model: await reader.poll_times(model, since - gap, until + gap) for model in models}
        last = {row.name: row.last_poll_at or 0 for row in await reader.models()}
    return {model: Covered(times[model], gap, last.get(model, 0)) for model in models}


async def back_fill(
    rounds: Iterator[Round], covered: Mapping[str, Covered], collector: Collector, *, together: int, until: int | None
) -> AsyncIterator[Committed]:
    """Store rounds in time order, so many in a commit; polls of covered time are left out.

    ``until``: UTC second of the last round, when bands of usual changes are worked out.
    """
    while batch := list(itertools.islice(rounds, together)):
        fresh = list(_uncovered(batch, covered, collector))
        done = await collector.record_many(fresh, bands=batch[-1][0] == until)
        skipped = sum(len(some) for _, some in batch) - sum(len(some) for _, some in fresh)
        yield Committed(batch[-1][0], tuple(poll for round_ in done for poll in round_.polls), skipped)


def _uncovered(batch: Sequence[Round], covered: Mapping[str, Covered], collector: Collector) -> Iterator[Round]:
    """The rounds without polls of covered time; after such a stretch a model starts anew, or goes on from the store."""
    for at, polls in batch:
        fresh = []
        for poll in polls:
            stored = covered[poll.model]
            if poll.at in stored:
                collector.forget(poll.model, None if poll.at >= stored.last else ModelState())
                continue
            if poll.at < stored.last and not collector.knows(poll.model):
                collector.forget(poll.model, ModelState())
            fresh.append(poll)
        if fresh:
            yield at, fresh
