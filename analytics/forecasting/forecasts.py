"""Forecasts of prices (Q4), answered from what the hourly run stored (:mod:`analytics.forecasting.issuing`).

Stdlib only: numpy, pandas and scikit-learn take seconds and 200 MB to import, and are imported only where it runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from analytics.errors import NotYet
from analytics.evidence import OMIT, Basis, Evidence, Note, Plural, iso
from analytics.forecasting.advice import Advice, advise
from analytics.forecasting.grid import AGGREGATION, COLD_H, HORIZONS_H, LAST_VALUE, grid
from analytics.forecasting.track_record import LIVE, HorizonRecord, TrackRecord
from analytics.market import HOUR, HourPoint, Quote, usd
from analytics.offer_now import OfferNow
from analytics.on_demand import cheaper_on_demand

__all__ = ["HORIZONS_H", "Forecast", "HorizonRecord", "Prediction", "TrackRecord", "from_price", "prediction"]

MAX_AGE_H = 6
"""Forecasts are refused when prices, or the forecasts themselves, are older (source: definitions, "Freshness")."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """One served forecast of a model's hourly median price; prices in micro-dollars per GPU-hour, times in UTC seconds.

    As stored it starts from ``y_last``, the last full hour, and ``target_at`` begins the hour that is foretold; as told
    it has gone through :func:`from_price`. ``lo80``/``hi80`` None: no errors to make an interval from yet.
    """

    model: str
    horizon_h: int
    issued_at: int
    target_at: int
    y_last: int
    price: int
    lo80: int | None
    hi80: int | None
    confidence: float | None
    """P(the actual price lands within ±5% of ``price``)"""
    regime: str
    """``cold`` < 24 h of history, ``mixed`` < 14 d, ``own`` beyond"""
    source: str
    """what was served: ``last_value`` or ``aggregation``"""
    advice: str | None = None
    """``now`` or ``wait``, with the horizon by which advice goes; None with the others"""


def from_price(forecasts: Sequence[Forecast], price: int | None, now: int) -> list[Forecast]:
    """The forecasts as they are told at ``now`` (UTC seconds, when it is asked), nearest horizon first.

    They start from ``price``, the price shown (micro-dollars per GPU-hour), and their horizons count from now: the
    relative change and range of each stored forecast, which started from the last full hour, are carried over. Every
    face and rule tells forecasts through this. None without a price. Source: definitions, "Forecasts".
    """
    ordered = sorted(forecasts, key=lambda forecast: forecast.horizon_h)
    return [] if price is None else [_moved(forecast, price, now) for forecast in ordered]


def _moved(forecast: Forecast, start: int, now: int) -> Forecast:
    last, lo, hi = forecast.y_last, forecast.lo80, forecast.hi80
    # whole numbers throughout: no change stays no change to the micro-dollar
    return replace(
        forecast,
        target_at=now + forecast.horizon_h * HOUR,
        y_last=start,
        price=(2 * start * forecast.price + last) // (2 * last),
        lo80=None if lo is None else start * lo // last,
        hi80=None if hi is None else -(-start * hi // last),
    )


@dataclass(frozen=True, slots=True)
class Point:
    """One horizon of an answer; USD per GPU-hour, None while nothing is on offer to start from."""

    price: float | None
    confidence: float | None
    low_80: float | None
    high_80: float | None
    target_at: str


@dataclass(frozen=True, slots=True)
class PastHour:
    """One hour before a forecast; USD per GPU-hour, None where there was no poll or nothing priced."""

    at: str
    price: float | None


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to Q4; the keys of the guide first."""

    gpu_name: str
    current_price: float | None
    predictions: Mapping[str, Point]
    recommendation: Note
    model_accuracy: float | None
    baseline_accuracy: float | None
    skill: float | None
    coverage_80: float | None
    n_scored: int
    record_source: str | None
    record: Mapping[str, Any]
    advice: Advice
    regime: str
    forecaster: str
    issued_at: str
    history: tuple[float | None, ...]
    """hourly prices of the last 48 hours, oldest first; None where there was no poll"""
    past: tuple[PastHour, ...]
    """the last 7 days by the hour, oldest first"""
    offers_now: tuple[OfferNow, ...] | None = field(default=None, kw_only=True, metadata=OMIT)
    """the best matching offers; left out where the answer names no model"""
    evidence: Evidence


METHODS = {
    LAST_VALUE: Note("the price shown: nothing has beaten “no change” here lately; adaptive conformal 80% intervals"),
    AGGREGATION: Note(
        "the price shown, changed as foretold by an aggregation of experts, as far as its record over “no change” "
        "bears; adaptive conformal 80% intervals"
    ),
}
"""How a forecast was made, by what was served."""

NO_START = Note("nothing is on offer now: there is no price to forecast from")

SHOWN_HOURS = 48
"""How much of the past stands beside a forecast (ours: twice the longest horizon)."""

PAST_HOURS = 7 * 24
"""How much of it a chart may show (ours: a week, so that its days can be compared)."""


def prediction(
    model: str,
    basis: Basis,
    quote: Quote | None,
    forecasts: Sequence[Forecast],
    track: TrackRecord | None,
    hours: Sequence[HourPoint],
) -> Prediction:
    """The stored forecasts of a model, with their record and what to do now.

    ``hours``: ascending, the last 30 days for the advice. Raises NotYet without a price of the last 6 h or without
    forecasts issued in them. Prices in USD per GPU-hour, shares in [0, 1]. Source: definitions, "Forecasts".
    """
    check(basis, quote, forecasts)
    dear = cheaper_on_demand([(model, quote.price, quote.on_demand)] if quote else [])
    price = quote.price if quote else None
    waits = track.waits if track else None
    advice, sentence = advise(
        grid(model, hours, basis.now // HOUR), price, foretold=_over_a_day(forecasts), record=waits
    )
    told = {forecast.horizon_h: forecast for forecast in from_price(forecasts, price, basis.now)}
    horizons = sorted(forecast.horizon_h for forecast in forecasts)
    first = min(forecasts, key=lambda forecast: forecast.horizon_h)
    return Prediction(
        gpu_name=model,
        current_price=usd(price),
        predictions={f"next_{h}h": _point(told.get(h), basis.now + h * HOUR) for h in horizons},
        recommendation=sentence,
        model_accuracy=_share(track.model_accuracy if track else None),
        baseline_accuracy=_share(track.baseline_accuracy if track else None),
        skill=_share(track.skill if track else None),
        coverage_80=_share(track.coverage_80 if track else None),
        n_scored=track.n_scored if track else 0,
        record_source=track.source if track else None,
        record={f"next_{h.horizon_h}h": _record(h) for h in (track.horizons if track else ())},
        advice=advice,
        regime=first.regime,
        forecaster=_served(forecasts),
        issued_at=iso(first.issued_at),
        history=_tail(hours, basis.now // HOUR),
        past=_past(hours, basis.now // HOUR),
        evidence=basis.evidence(
            METHODS[_served(forecasts)],
            (*dear, *(() if told else (NO_START,)), *caveats(forecasts, track)),
        ),
    )


def _served(forecasts: Sequence[Forecast]) -> str:
    """What was served at any horizon beyond the last value."""
    return next((forecast.source for forecast in forecasts if forecast.source != LAST_VALUE), LAST_VALUE)


def _over_a_day(forecasts: Sequence[Forecast]) -> float:
    """The change over a day that is served, as a share."""
    farthest = max(forecasts, key=lambda forecast: forecast.horizon_h)
    return farthest.price / farthest.y_last - 1


def check(basis: Basis, quote: Quote | None, forecasts: Sequence[Forecast]) -> None:
    """Raise NotYet where a model's stored forecasts may not be told: without a price, and when either is too old."""
    if quote is None or basis.as_of is None:
        raise _never(basis)
    _fresh(basis, forecasts)


def _tail(hours: Sequence[HourPoint], now_hour: int) -> tuple[float | None, ...]:
    prices = {point.hour: point.price for point in hours}
    return tuple(usd(prices.get(hour)) for hour in range(now_hour - SHOWN_HOURS + 1, now_hour + 1))


def _past(hours: Sequence[HourPoint], now_hour: int) -> tuple[PastHour, ...]:
    prices = {point.hour: point.price for point in hours}
    return tuple(PastHour(iso(h * HOUR), usd(prices.get(h))) for h in range(now_hour - PAST_HOURS + 1, now_hour + 1))


def _point(forecast: Forecast | None, target_at: int) -> Point:
    if forecast is None:
        return Point(None, None, None, None, iso(target_at))
    return Point(
        price=usd(forecast.price),
        confidence=_share(forecast.confidence),
        low_80=usd(forecast.lo80),
        high_80=usd(forecast.hi80),
        target_at=iso(target_at),
    )


def _record(horizon: HorizonRecord) -> dict[str, Any]:
    return {
        "n": horizon.n,
        "hit_within_5_percent": _share(horizon.hit),
        "baseline_hit_within_5_percent": _share(horizon.baseline_hit),
        "coverage_80": _share(horizon.coverage_80),
        "mean_error_percent": None if horizon.mae is None else round(100 * math.expm1(horizon.mae), 3),
    }


def _share(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _never(basis: Basis) -> NotYet:
    return NotYet(
        Note("there is no complete poll of this model yet"),
        have=Note("no price"),
        need=Note("one complete poll, then the hourly forecast"),
        ready_at=_next_run(basis),
    )


def _next_run(basis: Basis) -> int | None:
    """The next hour, when forecasts are made; None where nobody polls, since then nobody forecasts either."""
    return None if basis.stale else (basis.now // HOUR + 1) * HOUR


def _fresh(basis: Basis, forecasts: Sequence[Forecast]) -> None:
    age = (basis.now - (basis.as_of or 0)) / HOUR
    if age > MAX_AGE_H:
        raise NotYet(
            Note("the latest price is too old to forecast from"),
            have=Note(
                Plural("a price {hours} hour old", "a price {hours} hours old", "hours"), {"hours": round(age, 1)}
            ),
            need=Note(
                Plural(
                    "a complete poll of the last {hours} hour", "a complete poll of the last {hours} hours", "hours"
                ),
                {"hours": MAX_AGE_H},
            ),
        )
    issued = max((forecast.issued_at for forecast in forecasts), default=None)
    if issued is None or basis.now - issued > MAX_AGE_H * HOUR:
        have = Note("prices, but no forecast") if issued is None else Note("a forecast of {at}", {"at": iso(issued)})
        raise NotYet(
            Note("there is no current forecast of this model"),
            have=have,
            need=Note("the forecast run, which comes every hour"),
            ready_at=_next_run(basis),
        )


def caveats(forecasts: Sequence[Forecast], track: TrackRecord | None) -> list[Note]:
    """What has to be said of a model's forecasts beside their figures."""
    notes = []
    first = min(forecasts, key=lambda forecast: forecast.horizon_h)
    if first.regime == "cold":
        notes.append(
            Note(
                Plural(
                    "less than {n} hour of history: no confidence, interval from other models",
                    "less than {n} hours of history: no confidence, interval from other models",
                ),
                {"n": COLD_H},
            )
        )
    elif any(forecast.confidence is None for forecast in forecasts):
        notes.append(Note("no confidence where too few forecasts have come due"))
    if first.lo80 is None:
        notes.append(Note("no interval yet: no forecast of any model has come due"))
    if track is None or track.model_accuracy is None:
        n = track.n_scored if track else 0
        notes.append(Note("accuracy is shown from 100 scored forecasts on; so far: {n}", {"n": n}))
    elif track.source != LIVE:
        notes.append(Note("the record is a backtest over stored history, without look-ahead", usual=True))
    notes.append(Note("confidence is the chance that the price lands within ±5%", usual=True))
    return notes
