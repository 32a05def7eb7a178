"""Rules and states as JSON text: a field that a stored text lacks takes its default, an unknown one is dropped."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

from analytics.market import Scope
from bot.alerts.quiet import Quiet
from bot.alerts.rules import Direction, Kind, Measure, Metric, Rule, Series
from bot.alerts.state import State, Status


def dump(value: Rule | State) -> str:
    """The JSON text of a rule or a state; equal values have equal texts."""
    return json.dumps(asdict(value), sort_keys=True, separators=(",", ":"))


def load_rule(text: str) -> Rule:
    """The rule of a text."""
    return Rule(**_read(Rule, json.loads(text), _RULE))


def load_state(text: str) -> State:
    """The state of a text."""
    return State(**_read(State, json.loads(text), {"status": Status}))


def _read(kind: type[Any], stored: Mapping[str, Any], readers: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    known = {item.name for item in fields(kind)} & stored.keys()
    return {name: readers.get(name, _same)(stored[name]) for name in known}


def _same(value: Any) -> Any:
    return value


def _series(stored: Mapping[str, Any]) -> Series:
    return Series(**_read(Series, stored, {"scope": Scope, "measure": Measure, "metric": Metric}))


def _quiet(stored: Mapping[str, Any] | None) -> Quiet | None:
    return None if stored is None else Quiet(**_read(Quiet, stored, {}))


_RULE: Mapping[str, Callable[[Any], Any]] = {
    "kind": Kind,
    "series": _series,
    "direction": Direction,
    "quiet": _quiet,
}
