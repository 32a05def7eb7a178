"""Dashboards and digests in a sentence, the same in every list."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

from analytics.evidence import Note
from analytics.market import DAY, HOUR
from bot.schedules.specs import DashboardSpec, DigestSpec, Spec
from bot.zones import zone_or_utc

VIEWS: Mapping[str, str] = {"market": "Market", "reliability": "Reliability", "cost": "Cost"}

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def describe(spec: Spec) -> Note:
    """What it is and when it comes."""
    return _dashboard(spec) if isinstance(spec, DashboardSpec) else _digest(spec)


def _dashboard(spec: DashboardSpec) -> Note:
    places = {"view": Note(VIEWS[spec.view]), "models": models(spec.gpus), "at": clock_time(spec.at), "zone": spec.zone}
    if spec.every >= DAY:
        return Note("{view} of {models}, edited daily at {at} ({zone})", places)
    if spec.every >= HOUR:
        return Note("{view} of {models}, edited hourly", places)
    return Note("{view} of {models}, edited every {n} min", {**places, "n": spec.every // 60})


def _digest(spec: DigestSpec) -> Note:
    places = {"models": models(spec.gpus), "at": clock_time(spec.at), "zone": spec.zone}
    if spec.weekday is None:
        return Note("Digest of {models}, daily at {at} ({zone})", places)
    return Note("Digest of {models}, {weekday} at {at} ({zone})", {**places, "weekday": Note(DAYS[spec.weekday])})


def terms(spec: Spec) -> Iterator[Note]:
    """What else holds."""
    if isinstance(spec, DigestSpec) and spec.news_only:
        yield Note("only when something happened")


def models(gpus: tuple[str, ...]) -> Note | str:
    """The models, or that they are all."""
    return ", ".join(gpus) if gpus else Note("all models")


def clock_time(minute: int) -> str:
    """A time of day."""
    return f"{minute // 60:02}:{minute % 60:02}"


def local_clock(at: int, zone: str) -> str:
    """A UTC second as the clock on the wall shows it, with the zone's short name, or how far it is from UTC."""
    then = dt.datetime.fromtimestamp(at, zone_or_utc(zone))
    return f"{then:%Y-%m-%d %H:%M} {_short_name(then)}"


def _short_name(then: dt.datetime) -> str:
    """Many zones have no letters of their own, and "-03" says nothing."""
    name = f"{then:%Z}"
    if name[:1] not in "+-":
        return name
    hours, minutes = name[1:3].lstrip("0"), name[3:]
    return f"UTC{name[0]}{hours or 0}{f':{minutes}' if minutes else ''}"


def wall_clock(at: int, zone: str, *, since: int) -> str:
    """The same without its zone, and without its date where that is the day of ``since``."""
    then, begun = (dt.datetime.fromtimestamp(second, zone_or_utc(zone)) for second in (at, since))
    return f"{then:%H:%M}" if then.date() == begun.date() else f"{then:%Y-%m-%d %H:%M}"


def asked_now(spec: DigestSpec) -> str:
    """The line that asks now for what a digest tells."""
    named = f' gpu="{",".join(spec.gpus)}"' if spec.gpus else ""
    return f"digest now{named} period={spec.period}"
