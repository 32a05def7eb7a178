"""Where a rule stands between two readings, and what people may change of it: snooze, acknowledge, edit."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

from analytics.market import DEFAULT_INTERVAL
from bot.alerts.offers import MOST_MATCHES, Match
from bot.alerts.rules import Direction, Rule

STALE_INTERVALS = 3
"""Data older than this many planned intervals say nothing (source: definitions, "Freshness")."""

MOST_TOLD = MOST_MATCHES
"""Machines that a rule remembers having told of, the newest (ours: as many as a reading may have, lest two of the same
reading push each other out and are told of again and again)."""


class Status(enum.StrEnum):
    """Whether the condition is met."""

    OK = "ok"
    PENDING = "pending"
    FIRING = "firing"


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a rule. All fields are plain values, so that it can be stored as JSON."""

    last_at: int
    """the newest usable reading that was decided: only newer ones count"""
    heard_at: int
    """when the series last had a usable value"""
    interval: int = DEFAULT_INTERVAL
    status: Status = Status.OK
    since: int | None = None
    """the first of the readings in a row that meet the condition"""
    readings: int = 0
    value: int | None = None
    armed: bool = False
    """whether a reading has lain on the other side since creation or edit"""
    episode: int = 0
    n: int = 0
    """messages of the episode so far"""
    told: bool = False
    """whether the fire of this episode has been told"""
    acknowledged: bool = False
    sent_at: int | None = None
    """the last message that notifies; a resolve only edits one"""
    suppressed: int = 0
    """episodes that came and went untold since the last message"""
    snoozed_until: int | None = None
    silent: bool = False
    """whether the present lack of data has been told"""
    ended: bool = False
    told_machines: tuple[int, ...] = ()
    """of a rule on offers: the machines it has told of, the newest last"""

    @property
    def usable_until(self) -> int:
        """The last second at which its newest value still speaks for the present."""
        return self.heard_at + STALE_INTERVALS * self.interval


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement of a series; ``value`` is None where there was nothing to measure."""

    at: int
    value: int | None
    interval: int = DEFAULT_INTERVAL
    """planned seconds to the next one"""
    believable: bool = True
    heard_at: int | None = None
    """when the series last had a usable value: a rule that was not woken since does not know"""
    bound: Direction | None = None
    """of a probe, which sees a part of the market: the side of ``value`` on which the true one lies if not there"""
    matches: tuple[Match, ...] | None = None
    """of a rule on offers: the machines that match it, the cheapest first; ``value`` is None where nothing is free"""


def untold(state: State, matches: Sequence[Match]) -> tuple[Match, ...]:
    """Those of machines that were not told of yet."""
    told = set(state.told_machines)
    return tuple(match for match in matches if match.machine_id not in told)


def remembered(state: State, matches: Sequence[Match]) -> tuple[int, ...]:
    """The machines that have been told of once these have."""
    now = [match.machine_id for match in matches]
    return (*(id_ for id_ in state.told_machines if id_ not in set(now)), *now)[-MOST_TOLD:]


def stands_still(before: State, after: State) -> bool:
    """Whether only the newest value and its time differ, which a rule that was not woken does not know either.

    Those of a fire that waits and of a condition that is to be confirmed matter.
    """
    if before.status is not after.status:
        return False
    if after.status is Status.PENDING or (after.status is Status.FIRING and not after.told):
        return before == after
    moved = replace(before, last_at=after.last_at, heard_at=after.heard_at, interval=after.interval, value=after.value)
    return moved == after


def initial(rule: Rule) -> State:
    """The state of a new rule; readings from before it do not count."""
    return State(last_at=rule.created_at - 1, heard_at=rule.created_at)


def edited(state: State, *, same: bool = False) -> State:
    """The state once the rule says something else: the next fire is a new episode, whatever was before or told of.

    ``same``: it still waits for the same, so it stays snoozed and tells of no machine anew.
    """
    return State(
        last_at=state.last_at,
        heard_at=state.heard_at,
        interval=state.interval,
        episode=state.episode,
        n=state.n,
        sent_at=state.sent_at,
        silent=state.silent,
        snoozed_until=state.snoozed_until if same else None,
        told_machines=state.told_machines if same else (),
    )


def snoozed(state: State, until: int) -> State:
    """No fire and no reminder until then; if it still fires at the end, one message says so."""
    return replace(state, snoozed_until=until, acknowledged=False)


def acknowledged(state: State) -> State:
    """No reminder of this episode any more, and an end of its snooze; reopens nothing that has resolved."""
    return replace(state, acknowledged=True, snoozed_until=None) if state.status is Status.FIRING else state
