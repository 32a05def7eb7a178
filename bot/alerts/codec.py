"""Rules and states as JSON text: a field that a stored text lacks takes its default, an unknown one is dropped."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from analytics.market import Scope
from bot.alerts.decide import Event
from bot.alerts.offers import Match
from bot.alerts.quiet import Quiet
from bot.alerts.rules import Direction, Kind, Measure, Metric, OfferFilter, Rule, Series
from bot.alerts.state import State, Status

_RULES = 8192
"""Rules that are kept read: those that are decided again soon (ours: the rules of a busy round, a few megabytes)."""

_STATES = 1024
"""States that are kept read and written: the rules of a series move together, so many stand alike (ours)."""

_NAMES: Mapping[type[Any], tuple[str, ...]] = {
    kind: tuple(item.name for item in fields(kind)) for kind in (Rule, Series, Quiet, OfferFilter, State, Event, Match)
}


@functools.lru_cache(maxsize=_STATES)
def dump(value: Rule | State) -> str:
    """The JSON text of a rule or a state; equal values have equal texts."""
    return _ENCODER.encode(value)


def plain(value: Rule | Series | Quiet | OfferFilter | State | Event | Match) -> dict[str, Any]:
    """The fields of a dataclass by name; unlike ``asdict`` it copies nothing, which takes a tenth of the time."""
    return {name: getattr(value, name) for name in _NAMES[type(value)]}


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=plain)


@functools.lru_cache(maxsize=_RULES)
def load_rule(text: str) -> Rule:
    """The rule of a text."""
    return Rule(**_read(Rule, json.loads(text), _RULE))


@functools.lru_cache(maxsize=_STATES)
def load_state(text: str) -> State:
    """The state of a text."""
    return State(**_read(State, json.loads(text), {"status": Status, "told_machines": tuple}))


def _read(kind: type[Any], stored: Mapping[str, Any], readers: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    known = {name: stored[name] for name in _NAMES[kind] if name in stored}
    return known | {name: read(known[name]) for name, read in readers.items() if name in known}


def _series(stored: Mapping[str, Any]) -> Series:
    return _series_of(tuple(stored.items()))


@functools.lru_cache(maxsize=1024)
def _series_of(stored: tuple[tuple[str, Any], ...]) -> Series:
    # read once: thousands of rules share a series
    return Series(**_read(Series, dict(stored), {"scope": Scope, "measure": Measure, "metric": Metric}))


def _quiet(stored: Mapping[str, Any] | None) -> Quiet | None:
    return None if stored is None else Quiet(**_read(Quiet, stored, {}))


def _offer(stored: Mapping[str, Any] | None) -> OfferFilter | None:
    return None if stored is None else OfferFilter(**_read(OfferFilter, stored, {}))


_RULE: Mapping[str, Callable[[Any], Any]] = {
    "kind": Kind,
    "series": _series,
    "direction": Direction,
    "quiet": _quiet,
    "offer": _offer,
}
