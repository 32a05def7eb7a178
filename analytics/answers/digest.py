"""A digest: what of some models, and of the alerts where it is read, is worth knowing of a period that ends now."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analytics.answers.digest_news import FAR, is_news
from analytics.answers.digest_prices import (
    LOW_SHARE,
    USUAL_SHARE,
    Cheap,
    Judged,
    Moved,
    NotJudged,
    Priced,
    Span,
    judged,
)
from analytics.answers.windows import next_time, safest_runs
from analytics.evidence import Basis, Evidence, Note, Percent, iso
from analytics.forecasting.ledger import Landed
from analytics.interruptions.weekly_hazard import WEEK
from analytics.market import HOUR, usd

PAST_HOURS = WEEK
"""How much of a price the digest's chart shows (ours: a week, so that its days can be compared)."""

METHOD = Note(
    "a price moved where its change over the period lies outside the middle {share} of its own earlier changes over as "
    "long; it is cheap where at most {percent} of the hours of the last 30 days had a price as low; only news: an "
    "alert fired, a change is {far} × the usual or more, or more models moved or became cheap than chance would have"
)
BY_CHANCE = Note("models compared: {n}; {share} or more of them lie outside their usual range by chance", usual=True)
OVERLAPPING = Note(
    "past changes are looked at from hour to hour or day to day, so they overlap: what counts is how many days they "
    "are of",
    usual=True,
)
NOTHING_DUE = Note("no forecast came due in this period")
NOT_SCORED = Note("forecasts that came due are not scored yet: that comes with the next hourly run")
NO_PROFILE = Note("safe windows: the rhythm of the week is not fitted for any of these models yet")
NONE_PUBLISHED = Note("safe windows: none of these models has some; its hours do not foretell interruptions")
NONE_STARTS = Note("safe windows: none begins on that day")


@dataclass(frozen=True, slots=True)
class ForecastTold:
    """A forecast and what came; USD per GPU-hour. ``error_percent``: what came over what was said."""

    gpu_name: str
    horizon_hours: int
    said: float | None
    was: float | None
    low_80: float | None
    high_80: float | None
    error_percent: float
    came_at: str


@dataclass(frozen=True, slots=True)
class ForecastsDue:
    """The forecasts whose hour was over in the period, as they were issued.

    ``due``: all; ``scored``: those whose hour enough polls saw; ``within_80`` of the ``ranged``, which had an 80 %
    range. ``best``: the closest among those whose price moved at all, since no change is no feat; ``worst``: the
    furthest, None where all were exact.
    """

    due: int
    scored: int
    ranged: int
    within_80: int
    best: ForecastTold | None
    worst: ForecastTold | None
    why: Note | None


@dataclass(frozen=True, slots=True)
class FiredAlert:
    """An alert that fired where the digest is read: its name, what it watches, the value then, and when."""

    id: str
    rule: Note
    value: Note | str
    at: str


@dataclass(frozen=True, slots=True)
class Fired:
    """The newest alerts of the period, and how many there were."""

    alerts: tuple[FiredAlert, ...] = ()
    total: int = 0


@dataclass(frozen=True, slots=True)
class WindowAhead:
    """A safe window of the day; ``less_percent``: how much less often than in the average hour it is interrupted."""

    gpu_name: str
    start: str
    end: str
    hours: int
    less_percent: float


@dataclass(frozen=True, slots=True)
class WindowsAhead:
    """The safe windows that begin on the reader's next day, in their order; why there are none."""

    day: str
    windows: tuple[WindowAhead, ...]
    why: Note | None


@dataclass(frozen=True, slots=True)
class PriceThen:
    """One hour of the chart; None where there was no poll or nothing on offer."""

    at: str
    price: float | None


@dataclass(frozen=True, slots=True)
class Market:
    """What is the same for all who read of the same models and period."""

    models: int
    span: Span
    prices: Judged
    forecasts: ForecastsDue
    safe: Mapping[str, Sequence[float]] | None
    """model -> published hazards by hour of the week over their mean; None: nothing is fitted yet"""
    shown_gpu: str | None
    past: tuple[PriceThen, ...]
    basis: Basis


@dataclass(frozen=True, slots=True)
class Digest:
    """What happened in a period, and what comes. ``local_date``: the day it is read on, in ``timezone``.

    ``happened``: whether it is news, by more than what prices do on most days.
    """

    since: str
    until: str
    hours: int
    timezone: str
    local_date: str
    models: int
    judged_changes: int
    judged_months: int
    moved: tuple[Moved, ...]
    cheap: tuple[Cheap, ...]
    not_judged: tuple[NotJudged, ...]
    forecasts: ForecastsDue
    alerts: Fired | None
    """None where nobody reads it in chat"""
    windows: WindowsAhead
    happened: bool
    shown_gpu: str | None
    """whose ``past`` it is: the model that moved most, else the cheapest of the cheap"""
    past: tuple[PriceThen, ...]
    evidence: Evidence


def market(
    models: Sequence[Priced],
    span: Span,
    landed: Sequence[Landed],
    safe: Mapping[str, Sequence[float]] | None,
    basis: Basis,
) -> Market:
    """The part of a digest that is the same for everybody."""
    prices = judged(models, span)
    shown = next(iter([*(one.gpu_name for one in prices.moved), *(one.gpu_name for one in prices.cheap)]), None)
    past = next((_past(one, span.until) for one in models if one.model == shown), ())
    return Market(len(models), span, prices, forecasts_due(landed), safe, shown, past, basis)


def digest(found: Market, fired: Fired | None, since: int, zone: dt.tzinfo, zone_name: str) -> Digest:
    """The digest for one reader. ``since``: UTC seconds at which the period began; it ends at the basis's now."""
    prices, now = found.prices, found.basis.now
    happened = is_news(prices, fired.total if fired else 0)
    return Digest(
        since=iso(since),
        until=iso(now),
        hours=found.span.hours,
        timezone=zone_name,
        local_date=dt.datetime.fromtimestamp(now, zone).date().isoformat(),
        models=found.models,
        judged_changes=prices.changes,
        judged_months=prices.months,
        moved=prices.moved,
        cheap=prices.cheap,
        not_judged=prices.not_judged,
        forecasts=found.forecasts,
        alerts=fired,
        windows=windows_ahead(found.safe, now, zone),
        happened=happened,
        shown_gpu=found.shown_gpu,
        past=found.past,
        evidence=_evidence(found),
    )


def _evidence(found: Market) -> Evidence:
    limits = {"share": Percent(100 * USUAL_SHARE, 0), "percent": Percent(100 * LOW_SHARE, 0), "far": FAR}
    by_chance = Note(BY_CHANCE.text, {"n": found.prices.changes, "share": Percent(100 * (1 - USUAL_SHARE))}, usual=True)
    told = (by_chance, OVERLAPPING) if found.prices.changes else ()
    return found.basis.evidence(Note(METHOD.text, limits), told)


def _past(one: Priced, until: int) -> tuple[PriceThen, ...]:
    """The last week by the hour, and the price now."""
    hours = range(until - PAST_HOURS, until)
    return (
        *(PriceThen(iso(h * HOUR), usd(one.hours.get(h))) for h in hours),
        PriceThen(iso(until * HOUR), usd(one.price)),
    )


def forecasts_due(landed: Sequence[Landed]) -> ForecastsDue:
    """How forecasts fared whose hour is over. Errors are compared as |log of what came over what was said|."""
    scored = [one for one in landed if one.actual is not None]
    ranged = [one for one in scored if one.lo80 is not None and one.hi80 is not None]
    best = min((one for one in scored if one.actual != one.y_last), key=_rank, default=None)
    worst = max((one for one in scored if one.actual != one.price), key=_rank, default=None)
    waiting = any(not one.scored for one in landed)
    return ForecastsDue(
        due=len(landed),
        scored=len(scored),
        ranged=len(ranged),
        within_80=sum(_within(one) for one in ranged),
        best=None if best is None else _told(best),
        worst=None if worst is None else _told(worst),
        why=None if scored else NOT_SCORED if waiting else NOTHING_DUE,
    )


def _within(one: Landed) -> bool:
    return (one.lo80 or 0) <= (one.actual or 0) <= (one.hi80 or 0)


def _rank(one: Landed) -> tuple[float, int, str, int]:
    return abs(math.log((one.actual or one.price) / one.price)), one.horizon_h, one.model, one.issued_at


def _told(one: Landed) -> ForecastTold:
    return ForecastTold(
        gpu_name=one.model,
        horizon_hours=one.horizon_h,
        said=usd(one.price),
        was=usd(one.actual),
        low_80=usd(one.lo80),
        high_80=usd(one.hi80),
        error_percent=round(100 * ((one.actual or one.price) / one.price - 1), 2),
        came_at=iso(one.target_at),
    )


def windows_ahead(safe: Mapping[str, Sequence[float]] | None, now: int, zone: dt.tzinfo) -> WindowsAhead:
    """The safe windows that begin on the local day after ``now`` (of 23 to 25 hours): those of ``windows``."""
    day = dt.datetime.fromtimestamp(now, zone).date() + dt.timedelta(days=1)
    begin, end = (dt.datetime.combine(d, dt.time(), zone).timestamp() for d in (day, day + dt.timedelta(days=1)))
    found = [
        _window(model, relative, run, start, stop)
        for model, relative in (safe or {}).items()
        for run in safest_runs(relative)
        for start, stop in (next_time(run, now, zone),)
        if begin <= start.timestamp() < end
    ]
    found.sort(key=lambda one: (dt.datetime.fromisoformat(one.start).timestamp(), one.gpu_name))
    none = NO_PROFILE if safe is None else NONE_STARTS if safe else NONE_PUBLISHED
    return WindowsAhead(day.isoformat(), tuple(found), None if found else none)


def _window(
    model: str, relative: Sequence[float], run: tuple[int, int], start: dt.datetime, end: dt.datetime
) -> WindowAhead:
    first, hours = run
    mean = math.fsum(relative[(first + n) % WEEK] for n in range(hours)) / hours
    return WindowAhead(model, start.isoformat(), end.isoformat(), hours, round(100 * (1 - mean), 1))
