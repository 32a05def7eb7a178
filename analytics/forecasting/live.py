"""Forecasts as they were issued: scored when their hour is over, and reported like those of a backtest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from analytics.forecasting.advice import DEADLINE_H, Case, WaitRecord
from analytics.forecasting.backtest import Backtest, Hours, advice_figures
from analytics.forecasting.grid import HORIZONS_H, LAST_VALUE
from analytics.forecasting.ledger import Due, Entry, Outcome
from analytics.forecasting.scoring import Sample, tables, track_record
from analytics.forecasting.track_record import LIVE, TrackRecord
from analytics.market import HOUR, HourPoint

LEAST_POLLS = 0.5
"""An hour with less than this share of its planned polls scores nothing (source: definitions, "Ledger")."""


def outcomes(due: Sequence[Due], hours: Hours, walked: Backtest) -> list[Outcome]:
    """Score forecasts whose hour is over, and the advice that came with them."""
    points: dict[str, dict[int, HourPoint]] = {m: {point.hour: point for point in some} for m, some in hours.items()}
    cases = {model: {case.hour: case for case, _ in some} for model, some in walked.advice.items()}
    return [_outcome(one, points.get(one.model, {}), cases.get(one.model, {})) for one in due]


def _outcome(due: Due, points: Mapping[int, HourPoint], cases: Mapping[int, Case]) -> Outcome:
    point = points.get(due.issued_at // HOUR + due.horizon_h)
    seen = point is not None and point.price and point.polls * due.interval_s >= LEAST_POLLS * HOUR
    case = cases.get(due.issued_at // HOUR) if due.advice else None
    actual = point.price if point is not None and seen else None
    if case is None:
        return Outcome(due, actual)
    return Outcome(due, actual, case.saved if due.advice == "wait" else 0.0, case.best)


def _sample(entries: Sequence[Entry]) -> Sample:
    start = np.array([entry.y_last for entry in entries], dtype=np.float64)
    price = np.array([entry.price for entry in entries], dtype=np.float64)
    high = np.array([np.nan if entry.hi80 is None else entry.hi80 for entry in entries])
    confidence = [np.nan if entry.confidence is None else entry.confidence for entry in entries]
    return Sample(
        changes=np.log(price / start),
        came=np.log(np.array([entry.actual for entry in entries]) / start),
        half=np.log(high / price),
        confidence=np.array(confidence),
        served=np.array([float(entry.source != LAST_VALUE) for entry in entries]),
    )


def _by_horizon(entries: Sequence[Entry]) -> dict[int, Sample]:
    found: dict[int, list[Entry]] = {horizon: [] for horizon in HORIZONS_H}
    for entry in entries:
        found[entry.horizon_h].append(entry)
    return {horizon: _sample(some) for horizon, some in found.items()}


def by_model(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Model -> its entries, in their order."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        found[entry.model].append(entry)
    return dict(found)


def live_record(model: str, entries: Sequence[Entry], now_hour: int, waits: WaitRecord) -> TrackRecord:
    """The record of one model's forecasts as they were issued."""
    return track_record(model, _by_horizon(entries), now_hour, LIVE, waits)


def live_report(entries: Sequence[Entry], walked: Backtest) -> dict[str, Any] | None:
    """The report of forecasts as they were issued, in the shape of the backtest's; None without a scored one."""
    if not entries:
        return None
    samples = {model: _by_horizon(some) for model, some in sorted(by_model(entries).items())}
    return {
        **tables(samples, walked.moves),
        "advice": advice_figures([_advice(entry) for entry in entries if entry.best is not None]),
        "experts": walked.report_experts(),
        "since": min(entry.issued_at for entry in entries),
        "until": max(entry.issued_at + entry.horizon_h * HOUR for entry in entries),
    }


def _advice(entry: Entry) -> tuple[Case, bool]:
    wait = entry.advice == "wait"
    return Case(entry.issued_at // HOUR, wait, DEADLINE_H, entry.saved or 0.0, entry.best or 0.0), wait
