"""The hourly run: score the forecasts whose hour has come, walk the history, and issue the next ones.

Slow (numpy, pandas, scikit-learn): run it in a process of its own; arguments and result can be pickled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analytics.forecasting.advice import advise
from analytics.forecasting.backtest import ADVICE_H, Backtest, Hours, backtest
from analytics.forecasting.forecasts import MAX_AGE_H, Forecast
from analytics.forecasting.grid import AGGREGATION, LAST_VALUE, Grid
from analytics.forecasting.ledger import Due, Entry, Outcome
from analytics.forecasting.live import by_model, live_record, live_report, outcomes
from analytics.forecasting.track_record import MIN_SCORED, RECORD_H, TrackRecord
from analytics.forecasting.walk import regime
from analytics.market import HOUR


@dataclass(frozen=True)
class Run:
    """What a run brought: to be stored."""

    outcomes: tuple[Outcome, ...]
    forecasts: tuple[Forecast, ...]
    records: tuple[TrackRecord, ...]
    reports: Mapping[str, Mapping[str, Any]]
    """``live`` and ``backtest``, of the last 30 days"""


def run(hours: Hours, now_hour: int, due: Sequence[Due] = (), scored: Sequence[Entry] = ()) -> Run | None:
    """Forecasts (one a horizon; none for a model without a fresh price) and record of every model; None without any.

    ``hours``: best of the last 60 days: 30 of record, and time to settle before; points after ``now_hour`` are not
    looked at. ``due``: unscored entries of the ledger whose hour is over; ``scored``: those of the last 30 days.
    Source: definitions, "Forecasts".
    """
    walked = backtest(hours, now_hour)
    if walked is None:
        return None
    found = outcomes(due, hours, walked)
    entries = [*scored, *(one.entry for one in found if one.entry is not None)]
    own = by_model(entries)
    live = live_report(entries, walked)
    return Run(
        outcomes=tuple(found),
        forecasts=tuple(forecast for series in walked.grids for forecast in _issue(walked, series, now_hour)),
        records=tuple(_record(walked, model, now_hour, own.get(model, ())) for model in walked.panel.models),
        reports={"backtest": walked.report(now_hour - RECORD_H + 1), **({"live": live} if live else {})},
    )


def _record(walked: Backtest, model: str, now_hour: int, own: Sequence[Entry]) -> TrackRecord:
    """The record of the forecasts as issued once each horizon has enough of them, else of those of the walk."""
    fewest = min(sum(one.horizon_h == horizon for one in own) for horizon in walked.walked)
    if fewest < MIN_SCORED:
        return walked.record(model, now_hour)
    return live_record(model, own, now_hour, walked.waits(now_hour))


def _issue(walked: Backtest, series: Grid, now_hour: int) -> tuple[Forecast, ...]:
    last = next(((k, price) for k, price in enumerate(reversed(series.seen)) if price is not None), None)
    if last is None or last[0] > MAX_AGE_H:
        return ()
    row = walked.panel.models.index(series.model)
    named = regime(len(series.seen) - 1)
    issued = tuple(_forecast(walked, row, horizon, last[1], now_hour, named) for horizon in walked.walked)
    day = next(forecast for forecast in issued if forecast.horizon_h == ADVICE_H)
    advice, _ = advise(series, last[1], foretold=day.price / day.y_last - 1, record=walked.waits(now_hour))
    return tuple(replace(one, advice=advice.action) if one is day else one for one in issued)


def _forecast(walked: Backtest, row: int, horizon: int, price: int, now_hour: int, named: str) -> Forecast:
    one = walked.walked[horizon]
    change, half, confidence = (float(part[row, -1]) for part in (one.changes, one.half, one.confidence))
    served = one.share[row, -1] > 0
    foretold = round(price * math.exp(change)) if served else price
    return Forecast(
        model=walked.panel.models[row],
        horizon_h=horizon,
        issued_at=now_hour * HOUR,
        target_at=(now_hour + horizon) * HOUR,
        y_last=price,
        price=foretold,
        lo80=None if np.isnan(half) else math.floor(foretold * math.exp(-half)),
        hi80=None if np.isnan(half) else math.ceil(foretold * math.exp(half)),
        confidence=None if np.isnan(confidence) else confidence,
        regime=named,
        source=AGGREGATION if served else LAST_VALUE,
    )
