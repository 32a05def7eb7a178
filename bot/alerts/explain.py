"""The reason of a decision as a sentence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from analytics.evidence import Note, Plural
from analytics.market import usd
from bot.alerts.decide import Decision, Reason, free_at
from bot.alerts.rules import PPM, Direction, Kind, Rule, Unit
from bot.zones import zone_or_utc

SENTENCES: Mapping[Reason, Note] = {
    Reason.NOT_MET: Note("{value}: not {condition}"),
    Reason.OTHER_SIDE_FIRST: Note("{value}: {condition}, but it has to come from the other side"),
    Reason.MORE_READINGS: Note("{value}: {condition}, reading {n} of {readings}"),
    Reason.HOLDING: Note("{value}: {condition} since {since}, fires if it still is at {until}"),
    Reason.FIRED: Note("{value}: {condition}"),
    Reason.FIRING: Note("{value}: fired already, re-arms at {clear}"),
    Reason.REPEATED: Note("{value}: still firing, re-arms at {clear}"),
    Reason.RESOLVED: Note("{value}: over, it re-armed at {clear}"),
    Reason.RESOLVED_UNTOLD: Note("{value}: over before it could be told"),
    Reason.TOO_SOON: Note("{value}: {condition}, next message at {until}"),
    Reason.SNOOZED: Note("snoozed until {until}"),
    Reason.QUIET: Note("quiet until {until}"),
    Reason.NO_DATA: Note("no data since {heard}"),
    Reason.NOT_USABLE: Note("the reading cannot be used; the last good one is of {heard}"),
    Reason.NOT_NEWER: Note("not newer than the reading of {last}"),
    Reason.NO_READING: Note("no new reading since {last}"),
    Reason.EXPIRED: Note("expired at {expires}"),
    Reason.NONE_MATCHES: Note("cheapest that matches: none; the market's lowest bid is {value}"),
    Reason.ALL_TOLD: Note("{machines}; none is new"),
    Reason.TOLD_MORE: Note("{machines}; what is new has been told"),
}
"""The sentence of each reason."""

_OF_OFFERS: Mapping[Reason, Note] = {
    Reason.MORE_READINGS: Note("{machines}, reading {n} of {readings}"),
    Reason.HOLDING: Note("{machines} since {since}, fires if it still is so at {until}"),
    Reason.FIRED: Note("{machines}"),
    Reason.FIRING: Note("{machines}: fired already, over once none does"),
    Reason.REPEATED: Note("{machines}: still firing, over once none does"),
    Reason.RESOLVED: Note("over: none matches any more; the market's lowest bid is {value}"),
    Reason.RESOLVED_UNTOLD: Note("over before it could be told; the market's lowest bid is {value}"),
    Reason.TOO_SOON: Note("{machines}, next message at {until}"),
}
"""Those that are another one of a rule on offers."""

_NOTHING_FREE: Mapping[Reason, Note] = {
    Reason.NONE_MATCHES: Note("nothing that matches: no verified machine can be rented there now"),
    Reason.RESOLVED: Note("over: no verified machine can be rented there now"),
    Reason.RESOLVED_UNTOLD: Note("over before it could be told; no verified machine can be rented there now"),
}
"""Those that are another one where there is no lowest bid."""

_CONDITIONS: Mapping[tuple[Direction, bool], Note] = {
    (Direction.BELOW, False): Note("below {threshold}"),
    (Direction.ABOVE, False): Note("above {threshold}"),
    (Direction.BELOW, True): Note("at most {threshold}"),
    (Direction.ABOVE, True): Note("at least {threshold}"),
}
_PLAIN: Mapping[Unit, Callable[[int], float | None]] = {
    Unit.MICRO_DOLLARS: usd,
    Unit.GPUS: lambda value: value,
    Unit.RATIO: lambda value: (value - PPM) / 10_000,
    Unit.PROBABILITY: lambda value: value / 10_000,
}
_FIGURES: Mapping[Unit, Note] = {
    Unit.MICRO_DOLLARS: Note("${n}"),
    Unit.GPUS: Note(Plural("{n} GPU", "{n} GPUs")),
    Unit.RATIO: Note("{n}%"),
    Unit.PROBABILITY: Note("{n}%"),
}


def explain(rule: Rule, decision: Decision, now: int, zone: str = "UTC") -> Note:
    """Why a decision is what it is, with its value, threshold and times on the clock of a zone."""
    state = decision.state
    times = {
        "since": state.since,
        "until": _until(rule, decision, now),
        "heard": state.heard_at,
        "last": state.last_at,
        "expires": rule.expires_at,
    }
    figures = {"value": state.value, "clear": rule.clear}
    sentences = SENTENCES
    if rule.kind is Kind.OFFER:
        sentences = {**SENTENCES, **_OF_OFFERS, **(_NOTHING_FREE if state.value is None else {})}
    return Note(
        sentences[decision.reason].text,
        {name: _clock(at, now, zone) for name, at in times.items()}
        | {name: figure(rule, value) for name, value in figures.items()}
        | {"condition": condition(rule), "n": state.readings, "readings": rule.readings}
        | {"machines": machines_match(decision.matching)},
    )


def machines_match(count: int) -> Note:
    """How many machines match a rule on offers."""
    return Note("machines that match: {n}", {"n": count})


def condition(rule: Rule) -> Note:
    """What a rule waits for, such as "below 0.35"."""
    template = _CONDITIONS[rule.direction, rule.inclusive]
    return Note(template.text, {"threshold": figure(rule, rule.threshold)})


def figure(rule: Rule, value: int | None) -> Any:
    """A value of a rule's series as people write it: dollars, GPUs, or a percentage."""
    return (
        "–" if value is None else Note(_FIGURES[rule.series.unit].text, {"n": whole(_PLAIN[rule.series.unit](value))})
    )


def whole(value: float | None) -> float | None:
    """A number in a sentence: without ".0" where it is whole."""
    return int(value) if value is not None and value == int(value) else value


def plain_value(rule: Rule, value: int | None) -> float | None:
    """A value of a rule's series as a number for programs: USD, GPUs, or percent."""
    return None if value is None else _PLAIN[rule.series.unit](value)


def _until(rule: Rule, decision: Decision, now: int) -> int | None:
    state = decision.state
    if decision.reason is Reason.HOLDING and state.since is not None:
        return state.since + rule.hold_seconds
    return state.snoozed_until if decision.reason is Reason.SNOOZED else free_at(rule, state, now)[0]


def _clock(at: int | None, now: int, zone: str) -> str:
    """The time of day; with its date where that is another day."""
    if at is None:
        return "–"
    then, today = (dt.datetime.fromtimestamp(second, zone_or_utc(zone)) for second in (at, now))
    return f"{then:%H:%M}" if then.date() == today.date() else f"{then:%Y-%m-%d %H:%M}"
