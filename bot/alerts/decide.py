"""What a reading means for a rule: the state after it, the reason, and the messages to be written. Pure and total.

A fire that may not be told yet (quiet hours, snooze, another message just before) waits in the state, not in the
outbox: if it resolves meanwhile, both are dropped and the next message counts it. A resolve edits a message that was
sent, so nothing holds it back.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Any

from bot.alerts.offers import MOST_LISTED, Match
from bot.alerts.rules import Kind, Rule
from bot.alerts.state import STALE_INTERVALS, Reading, State, Status, remembered, untold

GAP_INTERVALS = 2
"""A condition is not known to have held over a longer gap (source: references/reliability.md, B6)."""


class Reason(enum.StrEnum):
    """Why a decision is what it is."""

    NOT_MET = "not_met"
    OTHER_SIDE_FIRST = "other_side_first"
    MORE_READINGS = "more_readings"
    HOLDING = "holding"
    FIRED = "fired"
    FIRING = "firing"
    REPEATED = "repeated"
    RESOLVED = "resolved"
    RESOLVED_UNTOLD = "resolved_untold"
    TOO_SOON = "too_soon"
    SNOOZED = "snoozed"
    QUIET = "quiet"
    NO_DATA = "no_data"
    NOT_USABLE = "not_usable"
    NOT_NEWER = "not_newer"
    NO_READING = "no_reading"
    EXPIRED = "expired"
    NONE_MATCHES = "none_matches"
    ALL_TOLD = "all_told"
    TOLD_MORE = "told_more"


class EventKind(enum.StrEnum):
    """Which message is to be written."""

    FIRE = "fire"
    REPEAT = "repeat"
    RESOLVE = "resolve"
    NO_DATA = "no_data"
    MORE = "more"
    """machines that were not told of before, while it fires"""


@dataclass(frozen=True, slots=True)
class Event:
    """One message; (rule, episode, kind, n) is its identity."""

    kind: EventKind
    episode: int
    n: int
    at: int
    value: int | None
    since: int | None = None
    """when the condition was first met, or when data were last heard of"""
    suppressed: int = 0
    """episodes untold since the last message"""
    already: bool = False
    """whether the condition has been met ever since the rule was made"""
    offers: tuple[Match, ...] | None = None
    """of a rule on offers: the cheapest of the machines that it tells of"""
    machines: int | None = None
    """how many it tells of"""
    matching: int | None = None
    """how many match, told of before or not"""


@dataclass(frozen=True, slots=True)
class Decision:
    """What came of a reading."""

    state: State
    reason: Reason
    events: tuple[Event, ...] = ()
    matching: int = 0
    """of a reading of offers: how many machines match"""


def decide(rule: Rule, state: State, reading: Reading | None, now: int) -> Decision:
    """What a reading (None: time alone) means. Replayed and older readings, and clocks put back, change nothing."""
    now = max(now, state.last_at, 0 if reading is None else reading.at)
    if state.ended or (rule.expires_at is not None and now >= rule.expires_at):
        return Decision(replace(state, ended=True), Reason.EXPIRED)
    if reading is None:
        return _by_time(rule, state, now)
    if reading.at <= state.last_at:
        return Decision(state, Reason.NOT_NEWER)
    if reading.bound is not None and not _proves(rule, state, reading):
        return _unproven(rule, state, reading)
    if (
        not reading.believable
        or not _says_something(rule, reading)
        or now - reading.at > STALE_INTERVALS * reading.interval
    ):
        return _unusable(rule, state, reading, now)
    return _usable(rule, state, reading, now)


def free_at(rule: Rule, state: State, at: int) -> tuple[int, Reason]:
    """The first second from ``at`` on at which a message may be sent, and what it waits for."""
    spaced = at if state.sent_at is None else state.sent_at + rule.min_interval
    waits = (at, Reason.FIRED), (spaced, Reason.TOO_SOON), (state.snoozed_until or at, Reason.SNOOZED)
    free, reason = max(waits, key=_first)
    quiet_end = None if rule.quiet is None else rule.quiet.ends(free)
    return (free, reason) if quiet_end is None else (quiet_end, Reason.QUIET)


def reminder_at(rule: Rule, state: State) -> int | None:
    """When a fire that was told is to be told again; None: never."""
    if state.acknowledged or not state.told or state.sent_at is None:
        return None
    if state.snoozed_until is not None:
        return state.snoozed_until
    return state.sent_at + rule.repeat_seconds if rule.repeat_seconds else None


def _first(choice: tuple[int, Reason]) -> int:
    return choice[0]


def _by_time(rule: Rule, state: State, now: int) -> Decision:
    # without a reading only a fire that waits may be told, and only while its value still speaks for the present
    waits = state.status is Status.FIRING and rule.kind is not Kind.OFFER
    if waits and not state.told and now <= state.usable_until:
        return _tell(rule, state, now)
    return Decision(state, Reason.NO_READING)


def _says_something(rule: Rule, reading: Reading) -> bool:
    return (reading.matches if rule.kind is Kind.OFFER else reading.value) is not None


def _proves(rule: Rule, state: State, reading: Reading) -> bool:
    """Whether a bound proves that the condition is met, as a cheap slice proves that the floor is not above it."""
    if rule.kind is Kind.OFFER:
        return bool(untold(state, reading.matches or ()))
    return reading.value is not None and reading.bound is rule.direction and rule.met(reading.value)


def _unproven(rule: Rule, state: State, reading: Reading) -> Decision:
    """A probe that proves nothing is no reading: it neither arms nor resolves, but it confirms nothing either."""
    if state.status is not Status.PENDING or reading.bound is not rule.direction:
        return Decision(state, Reason.NOT_USABLE)
    over = replace(state, last_at=reading.at, status=Status.OK, since=None, readings=0)
    return Decision(over, Reason.NOT_MET)


def _unusable(rule: Rule, state: State, reading: Reading, now: int) -> Decision:
    heard_at = max(state.heard_at, reading.heard_at or 0)
    state = replace(state, heard_at=heard_at, interval=reading.interval)
    if now <= state.usable_until:
        return Decision(state, Reason.NOT_USABLE)
    free, _ = free_at(rule, state, now)
    if state.silent or free > now:
        return Decision(state, Reason.NO_DATA)
    state, event = _post(state, EventKind.NO_DATA, now, silent=True)
    return Decision(state, Reason.NO_DATA, (replace(event, value=None, since=heard_at, already=False),))


def _usable(rule: Rule, state: State, reading: Reading, now: int) -> Decision:
    value = reading.value
    gap = reading.at - state.heard_at > GAP_INTERVALS * max(state.interval, reading.interval)
    state = replace(
        state, last_at=reading.at, heard_at=reading.at, interval=reading.interval, value=value, silent=False
    )
    if rule.kind is Kind.OFFER or value is None:
        return _offered(rule, state, reading.matches or (), now, anew=gap or state.status is Status.OK)
    if state.status is Status.FIRING:
        return _resolve(state, now) if rule.cleared(value) else _tell(rule, state, now)
    if not rule.met(value):
        return Decision(_idle(state), Reason.NOT_MET)
    if rule.kind is Kind.CROSSES and not state.armed:
        return Decision(state, Reason.OTHER_SIDE_FIRST)
    state, waits = _met(rule, state, anew=gap or state.status is Status.OK)
    return Decision(state, waits) if waits else _tell(rule, state, now)


def _idle(state: State) -> State:
    return replace(state, status=Status.OK, since=None, readings=0, armed=True)


def _met(rule: Rule, state: State, *, anew: bool) -> tuple[State, Reason | None]:
    """The state after one more reading that meets the condition, and what a fire still waits for."""
    since = state.last_at if anew or state.since is None else state.since
    readings = 1 if anew else state.readings + 1
    waits = Reason.MORE_READINGS if readings < rule.readings else Reason.HOLDING
    if readings < rule.readings or state.last_at - since < rule.hold_seconds:
        return replace(state, status=Status.PENDING, since=since, readings=readings), waits
    episode = state.episode + 1
    return replace(state, status=Status.FIRING, since=since, readings=readings, episode=episode, n=0), None


def _offered(rule: Rule, state: State, matches: tuple[Match, ...], now: int, *, anew: bool) -> Decision:
    """Of a reading of offers: machines that were told of begin nothing, and none that matches ends it."""
    new = untold(state, matches)
    if state.status is Status.FIRING:
        ends = not (matches if state.told else new)
        decision = _resolve(state, now) if ends else _tell_offers(rule, state, matches, new, now)
    elif not new:
        decision = Decision(_idle(state), Reason.ALL_TOLD if matches else Reason.NONE_MATCHES)
    else:
        state, waits = _met(rule, state, anew=anew)
        decision = Decision(state, waits) if waits else _tell_offers(rule, state, matches, new, now)
    return replace(decision, matching=len(matches))


def _tell_offers(rule: Rule, state: State, matches: tuple[Match, ...], new: tuple[Match, ...], now: int) -> Decision:
    """Of a rule that fires: tell of new machines, or once more of all where that is due."""
    reminder = reminder_at(rule, state)
    if not new and (reminder is None or reminder > now):
        return Decision(state, Reason.SNOOZED if state.snoozed_until is not None else Reason.FIRING)
    free, reason = free_at(rule, state, now)
    if free > now:
        return Decision(state, reason)
    kind, said = _OFFER_EVENTS[state.told, bool(new)]
    machines = remembered(state, matches)
    state, event = _post(state, kind, now, told=True, snoozed_until=None, told_machines=machines)
    return Decision(state, said, (listing(event, new or matches, len(matches)),))


_OFFER_EVENTS = {
    (False, True): (EventKind.FIRE, Reason.FIRED),
    (True, True): (EventKind.MORE, Reason.TOLD_MORE),
    (True, False): (EventKind.REPEAT, Reason.REPEATED),
}
"""By whether it has been told of, and whether there are new machines; without these nothing is first told of."""


def listing(event: Event, offers: tuple[Match, ...], matching: int) -> Event:
    """The event as one that tells of these machines."""
    value = offers[0].price if offers else event.value
    return replace(event, value=value, offers=offers[:MOST_LISTED], machines=len(offers), matching=matching)


def _tell(rule: Rule, state: State, now: int) -> Decision:
    """Of a rule that fires: tell of it if that is due and allowed."""
    if not state.told and not (state.value is not None and rule.met(state.value)):
        return Decision(state, Reason.NOT_MET)  # a fire that waited is not told of a value that only has not re-armed
    due = reminder_at(rule, state) if state.told else now
    if due is None or due > now:
        return Decision(state, Reason.SNOOZED if state.snoozed_until is not None else Reason.FIRING)
    free, reason = free_at(rule, state, now)
    if free > now:
        return Decision(state, reason)
    kind, said = (EventKind.REPEAT, Reason.REPEATED) if state.told else (EventKind.FIRE, Reason.FIRED)
    state, event = _post(state, kind, now, told=True, snoozed_until=None)
    return Decision(state, said, (event,))


def _resolve(state: State, now: int) -> Decision:
    over = replace(state, status=Status.OK, since=None, readings=0, armed=True, told=False, acknowledged=False)
    if not state.told:
        return Decision(replace(over, suppressed=state.suppressed + 1), Reason.RESOLVED_UNTOLD)
    event = Event(EventKind.RESOLVE, state.episode, state.n + 1, now, state.value, state.since)
    return Decision(replace(over, n=state.n + 1), Reason.RESOLVED, (event,))


def _post(state: State, kind: EventKind, now: int, **changes: Any) -> tuple[State, Event]:
    """A message that notifies, and the state after it, with what else changes."""
    n = state.n + 1
    event = Event(kind, state.episode, n, now, state.value, state.since, state.suppressed, not state.armed)
    return replace(state, n=n, sent_at=now, suppressed=0, **changes), event
