"""The ledger of forecasts: what was issued, what came of it, and what is said of that."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, select, update

from analytics.forecasting.advice import WaitRecord
from analytics.forecasting.forecasts import Forecast, HorizonRecord, TrackRecord
from analytics.forecasting.ledger import Due, Entry, Outcome
from bot.store import tables as t
from bot.store.bulk import put
from bot.store.risk import Reads

_FORECAST = ("target_at", "y_last", "price", "lo80", "hi80", "confidence", "regime", "source", "advice")
_ENTRY = ("issued_at", "horizon_h", "y_last", "price", "hi80", "confidence", "source")


class LedgerReads(Reads):
    """Forecasts as they were issued, and how they fared."""

    async def forecasts(self, model: str) -> list[Forecast]:
        """The latest served forecast of each horizon, nearest horizon first."""
        f = t.forecast.c
        gpu_id = self._names.gpu_id(model)
        last = select(f.horizon_h, func.max(f.issued_at).label("issued_at")).where(f.gpu_id == gpu_id)
        newest = last.group_by(f.horizon_h).subquery()
        query = select(f.horizon_h, f.issued_at, *(f[name] for name in _FORECAST)).join_from(
            newest, t.forecast, (f.horizon_h == newest.c.horizon_h) & (f.issued_at == newest.c.issued_at)
        )
        return [
            Forecast(model, *row) for row in await self._rows(query.where(f.gpu_id == gpu_id).order_by(f.horizon_h))
        ]

    async def forecasts_since(self, model: str, since: int) -> list[Forecast]:
        """All served forecasts issued from a second on, by time and then horizon."""
        f = t.forecast.c
        columns = (f.horizon_h, f.issued_at, *(f[name] for name in _FORECAST))
        query = select(*columns).where(f.gpu_id == self._names.gpu_id(model), f.issued_at >= since)
        return [Forecast(model, *row) for row in await self._rows(query.order_by(f.issued_at, f.horizon_h))]

    async def due_forecasts(self, models: Iterable[str], since: int, before: int) -> list[Due]:
        """Unscored forecasts issued from a second on, of hours that begin before another."""
        f, g = t.forecast.c, t.gpu.c
        unscored = (f.scored_at.is_(None), f.target_at < before)
        query = select(f.gpu_id, *(f[name] for name in _ENTRY), f.advice, g.interval_s).join_from(
            t.forecast, t.gpu, f.gpu_id == g.id
        )
        rows = await self._rows(query.where(*self._issued(models, since), *unscored))
        return [Due(self._names.gpu_name[row[0]], *row[1:]) for row in rows]

    async def scored_forecasts(self, models: Iterable[str], since: int) -> list[Entry]:
        """Scored forecasts issued from a second on; void ones are left out."""
        f = t.forecast.c
        query = select(f.gpu_id, *(f[name] for name in _ENTRY), f.actual, f.advice, f.saved, f.best)
        rows = await self._rows(query.where(*self._issued(models, since), f.actual.is_not(None)))
        return [Entry(self._names.gpu_name[row[0]], *row[1:]) for row in rows]

    def _issued(self, models: Iterable[str], since: int) -> tuple[ColumnElement[bool], ...]:
        f = t.forecast.c
        return f.gpu_id.in_(self._names.gpu_ids(models)), f.issued_at >= since

    async def track_record(self, model: str) -> TrackRecord | None:
        """How the model's forecasts fared, None before the first scoring."""
        r = t.track_record.c
        rows = await self._rows(select(r.payload).where(r.gpu_id == self._names.gpu_id(model)))
        if not rows:
            return None
        payload = json.loads(rows[0][0])
        horizons = tuple(HorizonRecord(**row) for row in payload.pop("horizons"))
        waits = WaitRecord(**payload.pop("waits", {}))  # records of older versions have none
        return TrackRecord(**payload, horizons=horizons, waits=waits)


class LedgerWrites(Reads):
    """Issuing and scoring."""

    async def save_forecasts(self, forecasts: Sequence[Forecast]) -> None:
        """Enter served forecasts into the ledger; models must have been seen."""
        columns = ("gpu_id", "issued_at", "horizon_h", *_FORECAST)
        rows = [
            (self._names.gpus[f.model], f.issued_at, f.horizon_h, *(getattr(f, name) for name in _FORECAST))
            for f in forecasts
        ]
        await put(self._conn, t.forecast, rows, columns=columns)

    async def score_forecasts(self, outcomes: Sequence[Outcome], now: int) -> None:
        """Write down what came of forecasts; a void one is scored too, without an actual price."""
        f = t.forecast.c
        mine = (f.gpu_id == bindparam("gpu"), f.issued_at == bindparam("issued"), f.horizon_h == bindparam("horizon"))
        came: dict[str, Any] = {name: bindparam(f"its_{name}") for name in ("actual", "saved", "best")}
        rows = [
            {
                "gpu": self._names.gpus[one.due.model],
                "issued": one.due.issued_at,
                "horizon": one.due.horizon_h,
                "its_actual": one.actual,
                "its_saved": one.saved,
                "its_best": one.best,
            }
            for one in outcomes
        ]
        if rows:
            await self._conn.execute(update(t.forecast).where(*mine).values(scored_at=now, **came), rows)

    async def save_track_record(self, record: TrackRecord) -> None:
        """Replace what is said about a model's past forecasts."""
        await put(self._conn, t.track_record, [(self._names.gpus[record.model], json.dumps(asdict(record)))])
