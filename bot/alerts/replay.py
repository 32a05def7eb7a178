"""What a rule would have told in the past: decided over stored readings, exactly as live ones are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.alerts.decide import GAP_INTERVALS, Event, EventKind, decide
from bot.alerts.rules import Rule
from bot.alerts.state import Reading, initial


@dataclass(frozen=True, slots=True)
class Firing:
    """One episode that would have been told."""

    fired_at: int
    value: int | None
    resolved_at: int | None = None
    """None: it still fired when the readings ended"""


@dataclass(frozen=True, slots=True)
class Replay:
    """All of them, and the share of the period that the readings cover: with little of it, few firings prove little."""

    firings: tuple[Firing, ...]
    coverage: float


def replay(rule: Rule, readings: Sequence[Reading], since: int, until: int) -> Replay:
    """What a rule made at ``since`` would have told by ``until``; readings in time order.

    Readings that are farther apart than polls see less: what came and went between two of them is not in the answer.
    """
    rule = replace(rule, created_at=since, expires_at=None)
    within = [reading for reading in readings if since <= reading.at < until]
    return Replay(_firings(_events(rule, within)), _coverage(within, since, until))


def _events(rule: Rule, readings: Sequence[Reading]) -> list[Event]:
    state, events = initial(rule), list[Event]()
    for reading in readings:
        decision = decide(rule, state, reading, reading.at)
        state = decision.state
        events += decision.events
    return events


def _firings(events: Sequence[Event]) -> tuple[Firing, ...]:
    ends = {event.episode: event.at for event in events if event.kind is EventKind.RESOLVE}
    return tuple(
        Firing(event.at, event.value, ends.get(event.episode)) for event in events if event.kind is EventKind.FIRE
    )


def _coverage(readings: Sequence[Reading], since: int, until: int) -> float:
    """The share of the period in which the value was known: up to the next reading, unless that is a gap away."""
    usable = [reading for reading in readings if reading.believable and reading.value is not None]
    if not usable:
        return 0.0
    ends = [*(reading.at for reading in usable[1:]), until]
    known = sum(_known(reading, end - reading.at) for reading, end in zip(usable, ends, strict=True))
    return known / (until - since)


def _known(reading: Reading, seconds: int) -> int:
    return seconds if seconds <= GAP_INTERVALS * reading.interval else reading.interval
