"""What rules watch of the future: the very figures of the questions about it, or why there is none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from analytics.answers.reliability import PERIOD_DAYS, SEEN_TWICE, Reliability, reliability
from analytics.errors import NotYet
from analytics.evidence import Basis, Note, Plural
from analytics.forecasting.distribution import ALPHA
from analytics.forecasting.forecasts import NO_START, Forecast, caveats, check, from_price
from analytics.forecasting.grid import COLD_H
from analytics.forecasting.levels import below, within_window
from analytics.forecasting.track_record import TrackRecord
from analytics.interruptions.estimator import MIN_EXPOSURE_H, Context, total
from analytics.interruptions.scales import NO_SCALE, scales
from analytics.market import HOUR, LifeTable, Quality
from bot.alerts.elements import clock
from bot.alerts.explain import whole
from bot.alerts.rules import PPM, Measure
from bot.store.alerts import SeriesKey
from bot.store.reader import ModelRow, Reader


@dataclass(frozen=True, slots=True)
class Foretold:
    """The value of a series in the unit of its measure with what it rests on; ``missing`` says why there is none."""

    value: int | None
    basis: tuple[Note, ...] = ()
    missing: NotYet | None = None


Shared = MutableMapping[tuple[Measure, str], Any]
"""What the series of one model share in one round: (measure, model) -> what was read."""


async def foretold(key: SeriesKey, reader: Reader, at: int, shared: Shared) -> Foretold:
    """What is foretold at ``at`` by what is stored."""
    name = Measure(key.measure), key.model
    if name not in shared:
        shared[name] = await _READ[name[0]](key.model, reader, at)
    try:
        return _TELL[name[0]](key, shared[name])
    except NotYet as missing:
        return Foretold(None, missing=missing)


def basis_of(row: ModelRow, now: int) -> Basis:
    """The age and extent of what is stored of a model."""
    return Basis(
        now=now,
        as_of=row.last_good_at,
        interval=row.interval,
        first_at=None if row.first_hour is None else row.first_hour * HOUR,
        offers=row.offers,
        failing=row.last_quality is Quality.FAILED,
        capped=row.last_quality is Quality.CAPPED,
    )


@dataclass(frozen=True, slots=True)
class _Tenants:
    basis: Basis
    answer: Reliability | NotYet


async def _read_tenants(model: str, reader: Reader, at: int) -> _Tenants:
    """The answer of ``reliability``; a class prior only changes figures that are not used here."""
    row = await reader.model(model)
    basis = Basis(at, None, 0, None, 0) if row is None else basis_of(row, at)
    since = (basis.as_of or at) // HOUR - PERIOD_DAYS * 24
    regions = (await reader.exposure([model], since)).get(model, {})
    life = (await reader.life_tables([model], since // 24)).get(model, LifeTable())
    first = since // 24
    scale = scales(await reader.exposure_days([model], first), await reader.variant_days([model], first))
    own = scale.get(model, NO_SCALE)
    context = Context(overdispersion=own.overdispersion, thinning=own.thinning, lived=own.lived)
    try:
        return _Tenants(basis, reliability(model, total(regions), life, (), basis, context=context))
    except NotYet as missing:
        return _Tenants(basis, missing)


def _risk(key: SeriesKey, tenants: _Tenants) -> Foretold:
    """1 - the survival of a tenant who starts now, as ``reliability`` gives it at that hour."""
    answer, hours = tenants.answer, key.window // HOUR
    if isinstance(answer, NotYet):
        raise answer
    point = next((point for point in answer.survival_curve if point.hours == hours), None)
    if point is None:
        raise _too_short(answer, tenants.basis, hours)
    interval = {"low": round(100 * (1 - point.high), 2), "high": round(100 * (1 - point.low), 2)}
    basis = (_exposure(answer), Note("95% interval of the risk: {low}% to {high}%", interval))
    return Foretold(PPM - round(point.probability * PPM), basis)


def _exposure(answer: Reliability) -> Note:
    values = {"n": answer.total_interruptions, "hours": answer.evidence.exposure_hours, "days": PERIOD_DAYS}
    return Note("interruptions seen: {n}; tenant-hours: {hours} (last {days} d)", values)


def _too_short(answer: Reliability, basis: Basis, hours: int) -> NotYet:
    """A horizon is answered once history is twice as long, and tenants were seen for a day in all."""
    seen_h, need_h = 24 * (basis.history_days or 0.0), SEEN_TWICE * hours
    why = Note("not enough history for a risk over {hours} h", {"hours": hours})
    if seen_h < need_h:
        have, need = Note("{n} h of history", {"n": round(seen_h, 1)}), Note("{n} h of history", {"n": round(need_h)})
        return NotYet(why, have=have, need=need, ready_at=basis.ready_after(round((need_h - seen_h) * HOUR)))
    return NotYet(
        why,
        have=_exposure(answer),
        need=Note(Plural("{n} tenant-hour", "{n} tenant-hours"), {"n": round(MIN_EXPOSURE_H)}),
    )


@dataclass(frozen=True, slots=True)
class _Forecasts:
    basis: Basis
    forecasts: Sequence[Forecast]
    """as ``predict`` tells them: from the price shown, counted from now"""
    track: TrackRecord | None
    refused: NotYet | None = None


async def _read_forecasts(model: str, reader: Reader, at: int) -> _Forecasts:
    """What ``predict`` is answered from, and whether it refuses."""
    row = await reader.model(model)
    basis = Basis(at, None, 0, None, 0) if row is None else basis_of(row, at)
    stored = await reader.forecasts(model)
    quote = (await reader.quotes([model])).get(model)
    price = quote.price if quote else None
    read = _Forecasts(basis, from_price(stored, price, at), await reader.track_record(model))
    try:
        check(basis, quote, stored)
    except NotYet as refused:
        return replace(read, refused=refused)
    return read if price is not None else replace(read, refused=_no_start())


def _no_start() -> NotYet:
    return NotYet(NO_START, have=Note("no price"), need=Note("a complete poll with a verified slice on offer"))


def _predicted(key: SeriesKey, read: _Forecasts) -> Foretold:
    """The lowest price that the served forecasts of the window put the market below with the level's probability."""
    if read.refused is not None:
        raise read.refused
    now, hours = read.basis.now, {"hours": key.window // HOUR}
    ahead = within_window(read.forecasts, now, key.window)
    if not ahead:
        have, need = _issued(read.forecasts), Note("the forecast run, which comes every hour")
        ready_at = None if read.basis.stale else (now // HOUR + 1) * HOUR
        why = Note("the newest forecast is of no hour in the next {hours} h", hours)
        raise NotYet(why, have=have, need=need, ready_at=ready_at)
    value = predicted_value(key, ahead, now)
    if value is None:
        raise _no_such_level(key, ahead) if _states_any(ahead) else _states_none(read.basis)
    return Foretold(value, (_issued(ahead), *_record(read.track), *caveats(ahead, read.track)[:-1]))


def predicted_value(key: SeriesKey, forecasts: Sequence[Forecast], at: int) -> int | None:
    """What these forecasts make of a series at ``at``; None where they say nothing with its probability."""
    return below(within_window(forecasts, at, key.window), key.level / PPM)


def _issued(forecasts: Sequence[Forecast]) -> Note:
    values = {"at": clock(max(forecast.issued_at for forecast in forecasts))}
    return Note("forecast of {at}, for {hours} h from now", values | {"hours": _horizons(forecasts)})


def _horizons(forecasts: Sequence[Forecast]) -> str:
    return ", ".join(str(forecast.horizon_h) for forecast in forecasts)


def _record(track: TrackRecord | None) -> tuple[Note, ...]:
    if track is None or track.coverage_80 is None:
        return ()
    values = {"n": track.n_scored, "share": round(100 * track.coverage_80, 1)}
    return (Note("forecasts like this that were scored: {n}; in their 80% range: {share}%", values),)


def _states_any(forecasts: Sequence[Forecast]) -> bool:
    return any(forecast.hi80 is not None or forecast.confidence is not None for forecast in forecasts)


def _states_none(basis: Basis) -> NotYet:
    """Too little history for a probability at all."""
    seen_h = 24 * (basis.history_days or 0.0)
    return NotYet(
        Note("the forecast states no probability yet"),
        have=Note("{n} h of history", {"n": round(seen_h, 1)}),
        need=Note("{n} h of history", {"n": COLD_H}),
        ready_at=basis.ready_after(max(0, round((COLD_H - seen_h) * HOUR))),
    )


def _no_such_level(key: SeriesKey, ahead: Sequence[Forecast]) -> NotYet:
    sure = max((forecast.confidence or 0.0 for forecast in ahead), default=0.0)
    ranged = 1 - ALPHA if any(forecast.hi80 is not None for forecast in ahead) else 0.0
    most = {"percent": round(100 * max(sure, ranged), 2)}
    return NotYet(
        Note("the forecast says nothing with a probability of {percent}%", {"percent": whole(key.level / 10_000)}),
        have=Note("statements with a probability of up to {percent}%", most),
        need=Note("a lower probability in the rule, or surer forecasts"),
    )


_READ: Mapping[Measure, Callable[[str, Reader, int], Awaitable[Any]]] = {
    Measure.RISK: _read_tenants,
    Measure.PREDICTED: _read_forecasts,
}
_TELL: Mapping[Measure, Callable[[SeriesKey, Any], Foretold]] = {
    Measure.RISK: _risk,
    Measure.PREDICTED: _predicted,
}

FORETOLD = frozenset(_READ)
"""The measures that are foretold."""
