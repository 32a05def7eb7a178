"""What a dashboard or a digest is: which models, when, and in whose language and time zone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Literal

from analytics.market import DAY, HOUR
from bot.schedules.times import DayTime
from bot.store.schedules import ScheduleKind, ScheduleRow
from bot.zones import UTC

View = Literal["market", "reliability", "cost"]

RHYTHMS: Mapping[View, int] = {"market": 300, "reliability": DAY, "cost": HOUR}
"""Seconds between edits where nobody says (ours): how fast what is on a dashboard moves."""

MORNING = 9 * 60
"""The minute of the local day of what is told once a day, where nobody says."""

DIGEST_USEFUL_S = {"day": 6 * HOUR, "week": DAY}
"""Seconds after its time in which a digest is still sent (ours): later, the next one tells of both periods."""


@dataclass(frozen=True, slots=True)
class DashboardSpec:
    """A message that is edited in place. No ``gpus``: all that are followed."""

    view: View
    gpus: tuple[str, ...] = ()
    every: int = 300
    at: int = MORNING
    """the minute of the local day, of one that is edited daily"""
    zone: str = UTC
    language: str | None = None
    """None: that of who reads it, as it is set there"""

    @property
    def useful(self) -> int:
        """Seconds in which an edit is worth making: the next one says it better."""
        return self.every

    def next_after(self, now: int, begun: int) -> int:
        """When it is edited next; those of less than a day keep step with when they began: not all come at once."""
        if self.every >= DAY:
            return DayTime(self.at, self.zone).next_after(now)
        return now + self.every - (now - begun) % self.every

    def last_by(self, now: int, begun: int) -> int:
        """When it was to be edited last."""
        if self.every >= DAY:
            return DayTime(self.at, self.zone).last_by(now)
        return now - (now - begun) % self.every


@dataclass(frozen=True, slots=True)
class DigestSpec:
    """What is told of a day or a week. ``news_only``: only where something happened."""

    period: Literal["day", "week"] = "day"
    at: int = MORNING
    weekday: int | None = None
    """0 is Monday; None: each day"""
    gpus: tuple[str, ...] = ()
    zone: str = UTC
    language: str | None = None
    news_only: bool = False

    @property
    def time(self) -> DayTime:
        """When it comes."""
        return DayTime(self.at, self.zone, self.weekday)

    @property
    def useful(self) -> int:
        """Seconds after its time in which it is still sent."""
        return DIGEST_USEFUL_S[self.period]

    def next_after(self, now: int, begun: int) -> int:
        """When it comes next."""
        return self.time.next_after(now)

    def last_by(self, now: int, begun: int) -> int:
        """When it came last, or would have."""
        return self.time.last_by(now)


Spec = DashboardSpec | DigestSpec

_KINDS: Mapping[str, type[Spec]] = {"dashboard": DashboardSpec, "digest": DigestSpec}


def kind_of(spec: Spec) -> ScheduleKind:
    """What a spec is stored as."""
    return "dashboard" if isinstance(spec, DashboardSpec) else "digest"


def dump(spec: Spec) -> str:
    """A spec as it is stored."""
    return json.dumps(asdict(spec))


def load(row: ScheduleRow) -> Spec:
    """The spec of a stored row."""
    return load_spec(row.kind, row.spec)


def load_spec(kind: str, spec: str) -> Spec:
    """The spec of a stored text: a field that it lacks has its default, one that is not known is dropped."""
    stored, known = json.loads(spec), _KINDS[kind]
    said = {field.name: stored[field.name] for field in fields(known) if field.name in stored}
    return known(**{**said, "gpus": tuple(stored["gpus"])})
