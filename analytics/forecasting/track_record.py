"""How a model's forecasts of the last 30 days fared, as answers tell it. Stdlib only."""

from __future__ import annotations

from dataclasses import dataclass, field

from analytics.forecasting.advice import WaitRecord

RECORD_H = 30 * 24
"""Forecasts whose hour came in the last 30 days make a record (source: definitions, "Forecasts", model_accuracy)."""

MIN_SCORED = 100
"""Fewer scored forecasts than this give no accuracy, skill or coverage (source: definitions, "Forecasts")."""

LIVE, BACKTEST = "live", "backtest"
"""Forecasts as they were issued; rolling origins over stored history, without look-ahead."""


@dataclass(frozen=True, slots=True)
class HorizonRecord:
    """How the forecasts of one horizon fared: shares in [0, 1], mean absolute errors in log price; None when n is 0."""

    horizon_h: int
    n: int
    hit: float | None
    baseline_hit: float | None
    coverage_80: float | None
    mae: float | None
    mae_naive: float | None


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """How a model's forecasts of the last 30 days fared; the four shares are None below 100 scored forecasts."""

    model: str
    scored_until: int
    """UTC seconds: targets up to this hour were scored"""
    model_accuracy: float | None
    baseline_accuracy: float | None
    skill: float | None
    coverage_80: float | None
    n_scored: int
    source: str
    """``backtest`` or ``live``"""
    horizons: tuple[HorizonRecord, ...] = ()
    waits: WaitRecord = field(default_factory=WaitRecord)
    """the market's record of waits, by which advice goes"""
