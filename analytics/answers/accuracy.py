"""How the forecasts fared, from the stored reports: as issued and scored, or walked over the stored history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from analytics.errors import NotYet
from analytics.evidence import OMIT, Basis, Evidence, Note, Plural, iso
from analytics.forecasting.grid import HORIZONS_H
from analytics.forecasting.track_record import MIN_SCORED
from analytics.market import HOUR
from analytics.offer_now import OfferNow

LIVE, BACKTEST = "live", "backtest"
"""The kinds of report: forecasts as issued and scored; rolling origins over the stored history, without look-ahead."""

OLD_H = 6
"""A report older than this is said to be old (source: definitions, "Freshness": so forecasts are)."""

Reports = Mapping[str, tuple[int, Mapping[str, Any]]]
"""Kind -> UTC seconds when it was made, and the report."""


@dataclass(frozen=True, slots=True)
class SeriesAccuracy:
    """One series at one horizon. ``mae``: mean |log error|; ``ratio``: over that of "no change"; shares in [0, 1]."""

    gpu: str
    region: str
    horizon_hours: int
    n: int
    mae: float | None
    mae_naive: float | None
    ratio: float | None
    coverage_80: float | None
    width_80_percent: float | None
    winkler: float | None
    confidence_mean: float | None
    hit_5_percent: float | None
    moves_percent: float | None
    served: float | None
    """share of the time that something other than the last value was served"""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Of ``n`` forecasts with about this confidence: its mean, and the share that landed within ±5 %."""

    said: float
    met: float
    n: int


@dataclass(frozen=True, slots=True)
class HorizonAccuracy:
    """One horizon over all series. ``ratio``: geometric mean over those that move; ``ece``: mean gap of confidence."""

    ratio: float | None
    coverage_80: float | None
    ece: float | None
    moving_series: int
    series: int
    n: int
    width_80_percent: float | None
    winkler: float | None
    reliability: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True)
class AdviceRecord:
    """Advice at every hour: how often to wait, what it saved of the price, the most there was, and waits that lost."""

    n: int
    waits: int
    saved_percent: float | None
    oracle_percent: float | None
    wrong_waits_percent: float | None


@dataclass(frozen=True, slots=True)
class WindowsRecord:
    """Safe windows: models that have some, of how many; the risk of their hours over the average hour's."""

    published: int
    models: int
    skill_percent: float | None
    claimed_risk: float | None
    met_risk: float | None


@dataclass(frozen=True, slots=True)
class ExpertWeight:
    """A forecaster's weight in what is served, and its own error over that of "no change"."""

    name: str
    weight: float
    ratio: float | None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How the forecasts fared: the keys of ``spotbot backtest --json``; ``since`` and ``until`` in UTC seconds."""

    source: str
    """``live``: forecasts as issued and scored; ``backtest``: over the stored history, while too few were scored"""
    live_scored: int
    backtest_scored: int
    series: tuple[SeriesAccuracy, ...]
    overall: Mapping[str, HorizonAccuracy]
    """hours ahead -> all models, also where one was asked for"""
    advice: AdviceRecord | None
    windows: WindowsRecord | None
    experts: Mapping[str, tuple[ExpertWeight, ...]]
    """hours ahead -> the heaviest first"""
    since: int
    until: int
    gpu_name: str | None = field(default=None, kw_only=True, metadata=OMIT)
    """whose series these are; left out where nobody asked for one"""
    offers_now: tuple[OfferNow, ...] | None = field(default=None, kw_only=True, metadata=OMIT)
    """the best matching offers; left out where the answer names no model"""
    evidence: Evidence


METHOD = Note(
    "each forecast against the price that came; mean |log error| over that of “no change”, the share inside the "
    "80% range, and confidence against what landed within ±5%"
)
BELOW_ONE = Note(
    "a ratio below 1 beats the last value, which is served until the record of a model, or of all, speaks for more",
    usual=True,
)
OVERLAPPING = Note(
    "forecasts are made every hour, so those far ahead overlap: their cases are not independent", usual=True
)
OF_ALL = Note("what is said by horizon, of advice, windows and forecasters is of all models", usual=True)
FROM_HISTORY = Note(
    "a backtest over stored history, without look-ahead: forecasts as issued are told from {need} scored on, a model "
    "and horizon; so far {n}"
)
SINCE = Plural("since {since}: {n} case scored", "since {since}: {n} cases scored")
OLD = Note("these figures were made {at}: the hourly run has not come since")


def accuracy(reports: Reports, basis: Basis, gpu: str | None = None) -> Accuracy:
    """The record of all forecasts, with the series of one model where it is asked for.

    ``reports``: what the hourly run stored. Live forecasts are told from ``MIN_SCORED`` scored ones on at each horizon
    (of ``gpu``, else of each model on average), before that the backtest. Raises NotYet where neither has any. Ratios
    and shares have no unit, errors are in log price. Source: definitions, "Forecasts".
    """
    scored = {kind: _scored(reports, kind, gpu) for kind in (LIVE, BACKTEST)}
    source = LIVE if _each(reports, LIVE, gpu) >= MIN_SCORED else BACKTEST
    if not scored[source]:
        raise _not_yet(reports, scored, basis, gpu)
    payload = reports[source][1]
    return Accuracy(
        source=source,
        live_scored=scored[LIVE],
        backtest_scored=scored[BACKTEST],
        series=tuple(_made(SeriesAccuracy, row) for row in _rows(payload, gpu)),
        overall={horizon: _horizon(row) for horizon, row in (payload.get("overall") or {}).items()},
        advice=_made(AdviceRecord, payload["advice"]) if payload.get("advice") else None,
        windows=_made(WindowsRecord, payload["windows"]) if payload.get("windows") else None,
        experts={
            horizon: tuple(_made(ExpertWeight, row) for row in sorted(rows, key=lambda row: -row["weight"]))
            for horizon, rows in (payload.get("experts") or {}).items()
        },
        since=payload["since"],
        until=payload["until"],
        gpu_name=gpu,
        evidence=basis.evidence(METHOD, _caveats(reports, source, basis, gpu)),
    )


def _rows(payload: Mapping[str, Any], gpu: str | None) -> list[Mapping[str, Any]]:
    return [row for row in payload["series"] if gpu is None or row["gpu"] == gpu]


def _scored(reports: Reports, kind: str, gpu: str | None) -> int:
    return sum(row["n"] for row in _rows(reports[kind][1], gpu)) if kind in reports else 0


def _each(reports: Reports, kind: str, gpu: str | None) -> int:
    """Scored forecasts of a model on average, at the horizon that has the fewest."""
    if kind not in reports:
        return 0
    by_horizon: dict[int, list[int]] = {}
    for row in _rows(reports[kind][1], gpu):
        by_horizon.setdefault(row["horizon_hours"], []).append(row["n"])
    whole = len(by_horizon) == len(HORIZONS_H)
    return min(sum(some) // len(some) for some in by_horizon.values()) if whole else 0


Row = TypeVar("Row")


def _made(kind: type[Row], row: Mapping[str, Any], **more: Any) -> Row:
    """A row of a report as its dataclass; what an older report lacks is unknown."""
    return kind(**{f.name: _rounded(row.get(f.name)) for f in fields(kind)} | more)  # type: ignore[arg-type]


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def _horizon(row: Mapping[str, Any]) -> HorizonAccuracy:
    bins = tuple(_made(ReliabilityBin, one) for one in row.get("reliability") or ())
    return _made(HorizonAccuracy, row, reliability=bins, n=row.get("n") or 0)


def _caveats(reports: Reports, source: str, basis: Basis, gpu: str | None) -> tuple[Note, ...]:
    at, since = reports[source][0], reports[source][1]["since"]
    so_far = {"need": MIN_SCORED, "n": _each(reports, LIVE, gpu)}
    notes = [] if source == LIVE else [Note(FROM_HISTORY.text, so_far)]
    if basis.now - at > OLD_H * HOUR:
        notes.append(Note(OLD.text, {"at": iso(at)}))
    notes.append(Note(SINCE, {"n": _scored(reports, source, gpu), "since": iso(since)[:10]}))
    return (*notes, BELOW_ONE, OVERLAPPING, *([OF_ALL] if gpu else []))


def _not_yet(reports: Reports, scored: Mapping[str, int], basis: Basis, gpu: str | None) -> NotYet:
    """Why nothing can be said: no run yet, nothing of this model, or too few."""
    if not reports:
        have = Note("no report")
    elif scored[LIVE]:
        have = Note("forecasts that have come due: {n}", {"n": scored[LIVE]})
    else:
        have = Note("no forecast of {gpu} that has come due", {"gpu": gpu}) if gpu else Note("no forecast came due yet")
    return NotYet(
        Note("how the forecasts fared is not known yet"),
        have=have,
        need=Note("the hourly run, with prices from before and after a forecast"),
        ready_at=None if basis.stale else (basis.now // HOUR + 1) * HOUR,
    )


def said_and_met(bins: Sequence[ReliabilityBin]) -> tuple[float, float] | None:
    """The mean confidence and the share that landed within ±5 %, over all bins; both in [0, 1], None without any."""
    n = sum(one.n for one in bins)
    if not n:
        return None
    return sum(one.said * one.n for one in bins) / n, sum(one.met * one.n for one in bins) / n
