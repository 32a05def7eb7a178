"""The options of a rule as people write them, and the rule that a line makes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from analytics.errors import AskError
from analytics.evidence import Note
from analytics.market import HOUR, Scope
from analytics.typed_text import plain_text
from bot.alerts.conditions import EXAMPLES, Condition, parse
from bot.alerts.offer_filters import NAMES, OFFER_WORDS
from bot.alerts.places import is_group
from bot.alerts.quiet import Quiet
from bot.alerts.rules import KINDS, Measure, Metric, Rule, Series
from bot.alerts.validation import validate
from bot.commands.alerts.mentions import mention_of
from bot.commands.alerts.owned import asker_of
from bot.commands.team_settings import team_quiet
from bot.commands.windows import zone
from bot.dispatch.command import Param, QueryContext
from bot.store.team_settings import TeamSetting

CONDITION = Param(
    "condition",
    "text",
    "what to wait for, such as < 0.35 or drops 10% in 24h",
    required=True,
    suggest=EXAMPLES,
    inner=NAMES,
    leads=OFFER_WORDS,
    has_numbers=True,
)
_QUIET = re.compile(r"(\d{1,2})(?::(\d{2})|h)?\s*(?:-|–|—|to|até|às|as|a)\s*(\d{1,2})(?::(\d{2})|h)?")
_TEAMS = frozenset(("team", "equipe"))
_NEVER = frozenset(("none", "off", "never", "nunca", "nenhum", "nenhuma", "desligado", "-"))

OPTIONS = (
    Param(
        "hold",
        "hours",
        "how long it must hold before it fires",
        minimum=0,
        maximum=168,
        positional=False,
        suggest=("30m", "2h"),
        aliases=("for",),
    ),
    Param(
        "repeat",
        "hours",
        "a reminder that often while it holds",
        minimum=0,
        maximum=720,
        suggest=("4h", "24h"),
        positional=False,
    ),
    Param("margin", "percent", "how far back before it may fire again", minimum=0, maximum=50, positional=False),
    Param("readings", "int", "readings in a row that it takes", minimum=1, maximum=10, positional=False),
    Param("expires", "hours", "how long the alert lives", minimum=1, maximum=8784, positional=False),
    Param("quiet", "text", "hours without messages, such as 22:00-08:00; or off, or team", positional=False),
    Param("tz", "text", "the time zone of quiet hours", positional=False),
    Param("mention", "text", "the id of a role or user group to call, or off", positional=False),
)
"""What may be said of any rule; what is not said stays as it is."""

_HOUR_OPTIONS = {"hold": "hold_seconds", "repeat": "repeat_seconds"}


def condition_of(query: QueryContext, text: str) -> Condition:
    """The condition that a text means in the asker's language."""
    return parse(text, query.numbers)


def rule_of(model: str, condition: Condition, now: int) -> Rule:
    """A rule with the usual terms."""
    spec = KINDS[condition.kind]
    together = spec.measure in (Measure.GPUS, Measure.OFFER) or condition.metric is Metric.FLOOR
    if is_group(condition.region) and not together:
        raise AskError(
            Note("there is no median of several regions; name one region, or watch the floor"),
            suggestions=("floor < 0.30 in EU", "< 0.30 in EU-West"),
        )
    measured = (spec.measure, condition.metric, condition.window, condition.level)
    series = Series(model, condition.region, Scope.VERIFIED, *measured)
    return Rule(
        condition.kind,
        series,
        condition.threshold,
        condition.direction,
        at_threshold=condition.at_threshold,
        created_at=now,
        offer=condition.offer,
    )


def with_options(rule: Rule, query: QueryContext, given: dict[str, Any]) -> Rule:
    """The rule with what was said of it; raises AskError where it cannot hold."""
    said: dict[str, Any] = {
        field: round(given[name] * HOUR) for name, field in _HOUR_OPTIONS.items() if given.get(name) is not None
    }
    if given.get("margin") is not None:
        said["rearm_ppm"] = round(given["margin"] * 10_000)
    if given.get("readings") is not None:
        said["readings"] = given["readings"]
    if given.get("expires") is not None:
        said["expires_at"] = query.now + round(given["expires"] * HOUR)
    if given.get("quiet"):
        zone_name = given.get("tz") or (rule.quiet.zone if rule.quiet else None)
        said |= _quiet(query, given["quiet"], zone_name)
    if given.get("mention"):
        said["mention"] = mention_of(asker_of(query), given["mention"])
    rule = following(replace(rule, **said), query.settings)
    validate(rule)
    return rule


def following(rule: Rule, settings: Mapping[str, TeamSetting]) -> Rule:
    """The rule with the team's quiet hours of now, where it follows them."""
    return replace(rule, quiet=team_quiet(settings)) if rule.follows_team else rule


def option_texts(rule: Rule) -> dict[str, str]:
    """The options of a rule as one would type them; empty where one is not in use."""
    quiet = rule.quiet
    return {
        **{name: _duration(getattr(rule, field)) for name, field in _HOUR_OPTIONS.items()},
        "quiet": "" if quiet is None else f"{_time_of_day(quiet.start)}-{_time_of_day(quiet.end)}",
    }


def _duration(seconds: int) -> str:
    if not seconds:
        return ""
    return f"{seconds // HOUR}h" if seconds % HOUR == 0 else f"{-(-seconds // 60)}m"


def _time_of_day(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _quiet(query: QueryContext, text: str, tz: str | None) -> dict[str, Any]:
    """What a rule says of quiet hours from now on: some, none, or those of the team."""
    if is_never(text):
        return {"quiet": None, "loud": True}
    follows = plain_text(text).strip().lower() in _TEAMS
    return {"quiet": None if follows else quiet_hours(query, text, tz), "loud": False}


def is_never(text: str) -> bool:
    """Whether it takes quiet hours away."""
    return plain_text(text).strip().lower() in _NEVER


def quiet_hours(query: QueryContext, text: str, tz: str | None) -> Quiet:
    """The hours that a text means, by the asker's clock where no time zone is said; raises AskError."""
    said = plain_text(text).strip().lower()
    match = _QUIET.fullmatch(said)
    minutes = [int(hour) * 60 + int(minute or 0) for hour, minute in _pairs(match)] if match else []
    if not match or any(minute > 59 for minute in (int(match[2] or 0), int(match[4] or 0))) or max(minutes) > 24 * 60:
        raise AskError(Note("quiet hours: say from when to when"), suggestions=("22:00-08:00",))
    name = tz or query.zone()
    zone(name)
    return Quiet(minutes[0] % (24 * 60), minutes[1] % (24 * 60), name)


def _pairs(match: re.Match[str]) -> tuple[tuple[str, str | None], tuple[str, str | None]]:
    return (match[1], match[2]), (match[3], match[4])
