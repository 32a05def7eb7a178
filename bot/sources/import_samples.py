"""Whether the snapshots of a file are whole, or a part of the market that was cut off or drawn.

A market keeps most of its machines from one look to the next, and where some come and some go their number changes. A
list that is cut off has the same number of rows again and again though the rows are others; a drawn one has others.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from analytics.market import HOUR
from bot.sources.import_snapshots import Snapshot

LEAST_ROWS = 10
"""Fewer rows than this are no limit that anybody sets, and few of them may well stay as many by chance (ours)."""
ROUND = 16
"""From so many rows on, powers of two and multiples of 50 are limits that programs set (ours)."""
CHANGES, ROUND_CHANGES = 20, 5
"""Steps in which rows changed that it takes to tell a limit: any number of rows, a round one. Where rows come and go
by themselves as many come as go in a fifth of such steps (ours: one of each to be expected), never in most."""
SAME_SHARE = 0.7
"""The share of those steps that begin and end at that number (ours: 22 of 28 in recorded lists of 64 rows at most)."""
KEPT_SHARE = 0.25
"""A market shows more of its machines again within an hour; draws of a larger one do not (ours; the median of five
simulated markets polled 15 to 60 minutes apart is 95 % or more, the lowest of their 4,798 steps 78 %)."""
KEPT_STEPS = 5
"""Steps of at most an hour that it takes to tell (ours)."""


@dataclass(slots=True)
class SampleTest:
    """Looks at the snapshots of a file, in time order."""

    _before: Snapshot | None = None
    _counts: dict[str, Counter[tuple[int, int]]] = field(default_factory=lambda: defaultdict(Counter))
    """of each model, "" for all: rows before and after each step in which machines changed"""
    _kept: list[float] = field(default_factory=list)

    def look(self, snapshot: Snapshot) -> None:
        """Take in the next snapshot."""
        before, self._before = self._before, snapshot
        if before is None:
            return
        for name in before.machines.keys() & snapshot.machines.keys():
            self._step(name, before.machines[name], snapshot.machines[name])
        were, are = ([s for some in one.machines.values() for s in some] for one in (before, snapshot))
        if len(before.machines) > 1:
            self._step("", were, are)
        if len(were) >= LEAST_ROWS and snapshot.start - before.start <= HOUR:
            self._kept.append(len(set(were) & set(are)) / len(set(were)))

    def _step(self, name: str, were: list[int], are: list[int]) -> None:
        if set(were) != set(are):
            self._counts[name][len(were), len(are)] += 1

    def verdict(self) -> str:
        """Why the file's snapshots are parts of the market; empty where nothing says so."""
        limit = _limit(self._counts.values())
        if limit:
            return f"list after list has {limit} rows though the rows are others: cut off there"
        if len(self._kept) >= KEPT_STEPS and statistics.median(self._kept) < KEPT_SHARE:
            share = statistics.median(self._kept)
            return f"only {share:.0%} of the machines are listed again at the next poll: a sample"
        return ""


def _limit(groups: Iterable[Counter[tuple[int, int]]]) -> int | None:
    """The number of rows at which lists are cut off, None where none is seen; groups of one limit count together."""
    same: Counter[int] = Counter()
    steps: Counter[int] = Counter()
    for group in groups:
        most = max(max(pair) for pair in group)
        same[most] += group[most, most]
        steps[most] += group.total()
    for rows in sorted(same, key=same.__getitem__, reverse=True):
        least = ROUND_CHANGES if _is_round(rows) else CHANGES
        if rows >= LEAST_ROWS and steps[rows] >= least and same[rows] >= SAME_SHARE * steps[rows]:
            return rows
    return None


def _is_round(rows: int) -> bool:
    return rows >= ROUND and (rows & (rows - 1) == 0 or rows % 50 == 0)
