"""The rows of the ledger: forecasts and advice as they were issued, and what came of them. Stdlib only."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Issued:
    """A forecast as it was issued; prices in micro-dollars per GPU-hour, times in UTC seconds."""

    model: str
    issued_at: int
    horizon_h: int
    y_last: int
    price: int
    hi80: int | None
    confidence: float | None
    source: str


@dataclass(frozen=True, slots=True)
class Due(Issued):
    """An unscored forecast whose hour is over."""

    advice: str | None
    interval_s: int
    """planned seconds between two polls of the model"""


@dataclass(frozen=True, slots=True)
class Entry(Issued):
    """A scored forecast; ``saved`` and ``best``: what its advice brought and hindsight would have, as shares."""

    actual: int
    advice: str | None = None
    saved: float | None = None
    best: float | None = None


@dataclass(frozen=True, slots=True)
class Landed(Issued):
    """A forecast whose hour is over; ``actual`` None: not scored yet, or void because too few polls saw that hour."""

    target_at: int
    lo80: int | None
    actual: int | None
    scored: bool


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
        if self.actual is None:
            return None
        issued = {field.name: getattr(self.due, field.name) for field in fields(Issued)}
        return Entry(**issued, actual=self.actual, advice=self.due.advice, saved=self.saved, best=self.best)
