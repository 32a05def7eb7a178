"""Which rows of an offers file are one poll: times much closer than the spacing of snapshots are one snapshot.

The spacing is read off the rows themselves: it is the time after which the same slices are listed again. So a file
whose polls really are seconds apart keeps each of them, and one stamped row by row, or model by model, gets the polls
that its recorder made. A snapshot ends where the pause is too long for one, or where what it holds is listed again.
"""

from __future__ import annotations

import itertools
import statistics
from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

import numpy as np

SINGLE_POLL_INTERVAL = 300
"""Planned seconds between polls where no slice is listed twice, and a file so cannot tell (ours: those of a poll)."""
QUICK = 4
"""The spacing is the time of the quickest quarter of what is listed again: pauses and gaps of days are no spacing, and
neither are the few rows that a recorder lists twice (ours)."""
PAUSE = 2
"""A pause longer than the spacing divided by this ends a snapshot: models polled in turn are one round (ours)."""
PAUSE_OF_ONE = 5
"""The rows of one model follow each other closer than the spacing divided by this; later ones are its next poll
(ours: a minute at five minutes)."""

FEW = 10
"""So many rows that were listed already, and a quarter of all, are no slips of a recorder but its next list (ours)."""


@dataclass(slots=True)
class Sightings:
    """When each slice of a file is listed, in two numbers a row: a file of millions of rows fits in memory."""

    times: array[int] = field(default_factory=lambda: array("q"))
    slices: array[int] = field(default_factory=lambda: array("q"))
    names: list[str] = field(default_factory=list)
    """the model of each slice, as it is spelt in the file"""
    machines: list[int] = field(default_factory=list)
    """the machine of each slice"""

    def add(self, at: int, slice_: int) -> None:
        """Slice number ``slice_`` is listed at ``at``."""
        self.times.append(at)
        self.slices.append(slice_)

    def moments(self) -> Iterator[tuple[int, list[int]]]:
        """Each time of the file with the slices listed then, oldest first."""
        times, slices = np.asarray(self.times), np.asarray(self.slices)
        if times.size and (times[1:] < times[:-1]).any():
            order = np.argsort(times, kind="stable")
            times, slices = times[order], slices[order]
        pairs = zip(times.tolist(), slices.tolist(), strict=True)
        for at, some in groupby(pairs, key=itemgetter(0)):
            yield at, [slice_ for _, slice_ in some]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look at the market: its first and last time, and the machine of each row by model as spelt."""

    start: int
    end: int
    machines: dict[str, list[int]]


class Snapshots:
    """The snapshots of a file by their times, ascending."""

    def __init__(self, found: Sequence[tuple[int, int]], near: float) -> None:
        self.starts = [start for start, _ in found]
        self._ends = [end for _, end in found]
        self._near = near

    @property
    def interval(self) -> int:
        """The planned seconds between its polls: the median spacing of its snapshots."""
        gaps = [after - before for before, after in itertools.pairwise(self.starts)]
        return round(statistics.median(gaps)) if gaps else SINGLE_POLL_INTERVAL

    def of(self, at: int) -> int | None:
        """The start of the snapshot that a row of this time belongs to; None where it stands alone."""
        n = bisect_right(self.starts, at) - 1
        if n >= 0 and (at <= self._ends[n] or at - self._ends[n] < self._near):
            return self.starts[n]
        after = n + 1 < len(self.starts) and self.starts[n + 1] - at < self._near
        return self.starts[n + 1] if after else None


def spacing(sightings: Sightings) -> int:
    """The seconds after which rows are listed again, at the quickest quarter of them."""
    last: dict[int, int] = {}
    waits: array[int] = array("q")
    for at, slices in sightings.moments():
        waits.extend(at - last[slice_] for slice_ in slices if slice_ in last)
        last.update(dict.fromkeys(slices, at))
    quick = len(waits) // QUICK
    return int(np.partition(np.asarray(waits), quick)[quick]) if waits else SINGLE_POLL_INTERVAL


def snapshots(sightings: Sightings, every: int) -> Iterator[Snapshot]:
    """The snapshots of a file whose polls are ``every`` seconds apart, oldest first."""
    open_: _Open | None = None
    for at, slices in sightings.moments():
        models = {sightings.names[slice_] for slice_ in slices}
        if open_ is not None and open_.ends_before(at, slices, models):
            yield open_.close()
            open_ = None
        open_ = open_ or _Open(at, every)
        open_.take(at, slices, sightings)
    if open_ is not None:
        yield open_.close()


def slower(sightings: Sightings, models: Sequence[str], found: Snapshots) -> dict[str, int]:
    """The seconds between two lists of each model that is hardly ever listed twice running, as if polled less often.

    ``models``: the model of each slice.
    """
    listed: dict[str, list[int]] = defaultdict(list)
    for at, slices in sightings.moments():
        n = bisect_right(found.starts, at) - 1
        for model in {models[slice_] for slice_ in slices}:
            if listed[model][-1:] != [n]:
                listed[model].append(n)
    return {model: wait for model, lists in listed.items() if (wait := _own_wait(lists, found.starts))}


def _own_wait(lists: Sequence[int], starts: Sequence[int]) -> int | None:
    steps = sorted(after - before for before, after in itertools.pairwise(lists))
    if not steps or steps[len(steps) // QUICK] < 2:
        return None
    return round(statistics.median(starts[after] - starts[before] for before, after in itertools.pairwise(lists)))


class _Open:
    """A snapshot that may go on."""

    def __init__(self, start: int, every: int) -> None:
        self._start = self._end = start
        self._every, self._rows = every, 0
        self._seen: dict[int, int] = {}
        self._last: dict[str, int] = {}
        self._machines: dict[str, list[int]] = defaultdict(list)

    def ends_before(self, at: int, slices: Sequence[int], models: set[str]) -> bool:
        """Whether what is listed at ``at`` is of the next snapshot."""
        if PAUSE * (at - self._end) > self._every:
            return True
        again = [at - self._last[model] for model in models if model in self._last]
        if again and PAUSE_OF_ONE * max(again) >= self._every:
            return True
        ago = [at - self._seen[slice_] for slice_ in slices if slice_ in self._seen]
        if len(ago) <= min(len(slices) / 2, max(FEW, len(slices) / 4)):
            return False
        # one row may be listed twice in one snapshot; most of a snapshot is not
        return PAUSE_OF_ONE * statistics.median_low(ago) >= self._every or 2 * len(slices) > self._rows

    def take(self, at: int, slices: Sequence[int], sightings: Sightings) -> None:
        """Take in what is listed at ``at``."""
        self._end = at
        self._rows += len(slices)
        for slice_ in slices:
            name = sightings.names[slice_]
            self._seen[slice_] = self._last[name] = at
            self._machines[name].append(sightings.machines[slice_])

    def close(self) -> Snapshot:
        """It as it stands."""
        return Snapshot(self._start, self._end, self._machines)
