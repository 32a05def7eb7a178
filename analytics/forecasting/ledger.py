"""The rows of the ledger: forecasts and advice as they were issued, and what came of them. Stdlib only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Due:
    """An unscored forecast whose hour is over; prices in micro-dollars per GPU-hour, times in UTC seconds."""

    model: str
    issued_at: int
    horizon_h: int
    y_last: int
    price: int
    hi80: int | None
    confidence: float | None
    source: str
    advice: str | None
    interval_s: int
    """planned seconds between two polls of the model"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A scored forecast; ``saved`` and ``best``: what its advice brought and hindsight would have, as shares."""

    model: str
    issued_at: int
    horizon_h: int
    y_last: int
    price: int
    hi80: int | None
    confidence: float | None
    source: str
    actual: int
    advice: str | None = None
    saved: float | None = None
    best: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a forecast: the price of its hour, None where too few polls saw it (the forecast is void)."""

    due: Due
    actual: int | None
    saved: float | None = None
    best: float | None = None

    @property
    def entry(self) -> Entry | None:
        """The scored forecast; None of a void one."""
        d = self.due
        if self.actual is None:
            return None
        return Entry(
            d.model, d.issued_at, d.horizon_h, d.y_last, d.price, d.hi80, d.confidence, d.source, self.actual,
            d.advice, self.saved, self.best,
        )  # fmt: skip
