"""Which readings need deciding at all, so that a database index over thresholds finds the rules of a round."""

from __future__ import annotations

from bot.alerts.decide import free_at, reminder_at
from bot.alerts.rules import Direction, Kind, Rule
from bot.alerts.state import State, Status

Wake = tuple[int | None, int | None]
"""(below, above): a reading is decided if its value is < below or > above."""

ALWAYS: Wake = (None, -1)
"""No value is negative."""
NEVER: Wake = (None, None)
"""No value matters any more."""


def wake(rule: Rule, state: State) -> Wake:
    """The values that change something; all others, before ``due_at``, leave status and messages as they are."""
    if state.ended:
        return NEVER
    if state.silent or state.status is Status.PENDING:
        return ALWAYS
    if state.status is Status.FIRING:
        return _other_side(rule, rule.clear) if state.told and rule.kind is not Kind.OFFER else ALWAYS
    if state.armed:
        return (rule.limit, None) if rule.direction is Direction.BELOW else (None, rule.limit)
    return _other_side(rule, rule.limit) if rule.kind is Kind.CROSSES else ALWAYS


def _other_side(rule: Rule, value: int) -> Wake:
    """From this value on, away from the side that fires."""
    return (None, value - 1) if rule.direction is Direction.BELOW else (value + 1, None)


def due_at(rule: Rule, state: State) -> int | None:
    """From when on any reading is decided: a message that waits, a reminder, the end. None: never.

    A reminder comes with the next reading, which proves that it holds.
    """
    if state.ended:
        return None
    return min((at for at in (rule.expires_at, _message_at(rule, state)) if at is not None), default=None)


def _message_at(rule: Rule, state: State) -> int | None:
    if state.status is not Status.FIRING:
        return None
    at = reminder_at(rule, state) if state.told else state.last_at
    return None if at is None else free_at(rule, state, at)[0]


def timer_at(rule: Rule, state: State, now: int = 0) -> int | None:
    """When the time alone changes it, as far as is known at ``now``: the end, or a fire that waits. None: never."""
    if state.ended:
        return None
    return min((at for at in (rule.expires_at, _fire_at(rule, state, now)) if at is not None), default=None)


def notice_at(rule: Rule, state: State, now: int = 0) -> int | None:
    """From when on a lack of data may be told, as far as is known at ``now``; None where it has been told."""
    if state.ended or state.silent:
        return None
    return free_at(rule, state, max(now, state.usable_until + 1))[0]


def _fire_at(rule: Rule, state: State, now: int) -> int | None:
    """When a fire that waits may be told; None where its value will not speak for the present any more.

    Offers are told as they are, so they wait for a reading.
    """
    if rule.kind is Kind.OFFER:
        return None
    waits = state.status is Status.FIRING and not state.told and state.value is not None and rule.met(state.value)
    if not waits:
        return None
    free, _ = free_at(rule, state, max(now, state.last_at))
    return free if free <= state.usable_until else None
