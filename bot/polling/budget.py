"""How to spend the rows of a day: pure functions from stored counters and last polls to intervals and turns.

The market counts the rows it returns, per UTC day. A plan spreads what is left of them evenly over what is left of
the day; ``due`` then keeps back what every followed name still needs today to be seen each six hours.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analytics.market import DAY, HOUR

KEPT_BACK = 10
"""One row in this many stays unspent, for answers that are larger than the last ones. A choice."""
LONGEST = 6 * HOUR
"""Each followed name is polled at least this often: forecasts refuse older data (definitions, "Freshness")."""
PRIORITY_SHARE = 4
"""How many times more often a name with alerts or recent questions is polled. A choice: with one such name among eight
of 100 rows it comes every 22 minutes and the others every 88, so that their series hold."""
DEFAULT_SET_INTERVAL = HOUR
"""The set that is followed unasked must afford this interval, the step of every forecast."""


@dataclass(frozen=True, slots=True)
class Demand:
    """A followed name: the rows its last poll cost, and whether it has alerts or was asked for lately."""

    vast_name: str
    rows_per_poll: int
    priority: bool = False

    @property
    def rows(self) -> int:
        """What to reckon with: an empty market may not stay empty, so never nothing."""
        return max(1, self.rows_per_poll)


@dataclass(frozen=True, slots=True)
class Due:
    """Whose turn is next, and the UTC second from which."""

    vast_name: str
    at: int


def allowance(configured: int, learned: int | None) -> int:
    """Rows that may be spent in a day: nine tenths of the lower of our setting and the limit a refusal has taught."""
    limit = configured if learned is None else min(configured, learned)
    return max(0, limit - -(-limit // KEPT_BACK))


def next_reset(now: int) -> int:
    """The next UTC midnight, when the service counts anew."""
    return now - now % DAY + DAY


def plan(models: Sequence[Demand], *, rows_left: int, seconds_left: int, wish: int) -> dict[str, int]:
    """Seconds between two polls of each name until midnight. A name that is missing does not fit even 6-hourly.

    Names are dropped from the end of ``models``, those without priority first; what remains shares the rows so that a
    priority name is polled ``PRIORITY_SHARE`` times as often as another, never more often than ``wish``.
    """
    fastest = min(max(1, wish), LONGEST)
    kept = _affordable(models, rows_left, seconds_left)

    def fits(pace: int) -> bool:
        return sum(_spend(m, _interval(m, pace, fastest), seconds_left) for m in kept) <= rows_left

    paces = range(fastest, LONGEST * PRIORITY_SHARE + 1)
    index = bisect.bisect_left(paces, True, key=fits)
    pace = paces[min(index, len(paces) - 1)]
    return {m.vast_name: _interval(m, pace, fastest) for m in models if m in kept}


def due(
    models: Sequence[Demand],
    intervals: Mapping[str, int],
    last: Mapping[str, int],
    *,
    now: int,
    rows_left: int,
    closed_until: int = 0,
) -> Due | None:
    """The next poll: whose, and when (``now`` or later); None when nothing is followed.

    ``last``: UTC second of each name's last poll, whatever its quality; ``closed_until``: when a refusal ends.
    Nothing is due that the rows left cannot pay for together with the six-hourly polls of all names until midnight,
    but for those six-hourly polls themselves. A name without an interval (it did not fit the plan) has no such right.
    """
    turns = [_turn(m, models, intervals, last, now, rows_left) for m in models]
    if not turns:
        return None
    open_at, _, _, name = min((max(at, closed_until), rank, at, name) for at, rank, name in turns)
    return Due(name, open_at)


def busiest(rows_by_name: Mapping[str, int], budget: int) -> tuple[str, ...]:
    """The names to follow when nobody has said: busiest first, each that still lets the whole set be polled hourly.

    ``budget`` is an :func:`allowance`. Never empty when there is a market: the busiest alone is followed more rarely.
    """
    ranked = sorted(rows_by_name, key=lambda name: (-rows_by_name[name], name))
    left, chosen = budget // (DAY // DEFAULT_SET_INTERVAL), []
    for name in ranked:
        if (cost := max(1, rows_by_name[name])) <= left:
            left -= cost
            chosen.append(name)
    return tuple(chosen or ranked[:1])


def _interval(model: Demand, pace: int, fastest: int) -> int:
    share = PRIORITY_SHARE if model.priority else 1
    return min(max(-(-pace // share), fastest), LONGEST)


def _spend(model: Demand, interval: int, seconds: int) -> int:
    """Rows for polling at this interval for so long, a started row counted whole."""
    return -(-model.rows * seconds // interval)


def _affordable(models: Sequence[Demand], rows_left: int, seconds_left: int) -> list[Demand]:
    """The names that fit at the longest interval, priority first, else in their order."""
    kept = []
    for model in sorted(models, key=lambda m: not m.priority):
        cost = _spend(model, LONGEST, seconds_left)
        if cost <= rows_left:
            rows_left -= cost
            kept.append(model)
    return kept


def _turn(
    model: Demand,
    models: Sequence[Demand],
    intervals: Mapping[str, int],
    last: Mapping[str, int],
    now: int,
    rows_left: int,
) -> tuple[int, int, str]:
    """When a name's turn comes, its rank among those whose turn it is (0 first), and the name."""
    reset = next_reset(now)
    seen = min(last.get(model.vast_name, now - LONGEST), now)  # the clock may have been set back
    at = max(seen + intervals.get(model.vast_name, LONGEST), now)
    if at < reset:
        after = {**last, model.vast_name: at}
        reserve = sum(m.rows * _base_polls(after.get(m.vast_name, 0), at) for m in models)
        if short := model.rows + reserve > rows_left:
            at = min(max(seen + LONGEST, now), reset)
        if model.rows > rows_left or (short and model.vast_name not in intervals):
            at = reset
    rank = 0 if at >= seen + LONGEST else 1 if model.priority else 2
    return at, rank, model.vast_name


def _base_polls(last: int, now: int) -> int:
    """Six-hourly polls that a name still needs before midnight."""
    first = max(now, last + LONGEST)
    return max(0, -(-(next_reset(now) - first) // LONGEST))
