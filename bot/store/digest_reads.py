"""What a digest reads: many models by few statements, and only the rows that it looks at."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Text, cast, func, literal, or_, select

from analytics.forecasting.grid import HORIZONS_H
from analytics.forecasting.ledger import Landed
from analytics.market import HOUR, Scope
from bot.store import tables as t
from bot.store.outbox import Destination
from bot.store.risk import Reads

_LANDED = ("issued_at", "horizon_h", "y_last", "price", "hi80", "confidence", "source", "target_at", "lo80", "actual")


@dataclass(frozen=True, slots=True)
class FiredRow:
    """A message that told of an alert: when it was queued, and its payload."""

    at: int
    payload: Mapping[str, Any]


class DigestReads(Reads):
    """Of several models at once."""

    async def prices_at(self, models: Iterable[str], hours: Sequence[int]) -> dict[str, dict[int, int]]:
        """Model -> hour -> its price in micro-dollars, of all regions together; hours without one are absent.

        Hours are named one by one: a span of them would read the rows of every region between.
        """
        p = t.price_hour.c
        here = (p.region_id == t.WORLD_ID, p.scope == Scope.VERIFIED, p.price.is_not(None))
        which = (p.gpu_id.in_(self._names.gpu_ids(models)), p.hour.in_(hours))
        found: dict[str, dict[int, int]] = defaultdict(dict)
        for gpu_id, hour, price in await self._rows(select(p.gpu_id, p.hour, p.price).where(*which, *here)):
            found[self._names.gpu_name[gpu_id]][hour] = price
        return dict(found)

    async def landed_forecasts(self, models: Iterable[str], since: int, until: int) -> list[Landed]:
        """The forecasts whose hour ended in (since, until], UTC seconds, scored or not."""
        f = t.forecast.c
        columns = (f.gpu_id, *(f[name] for name in _LANDED), f.scored_at.is_not(None))
        issued = (f.gpu_id.in_(self._names.gpu_ids(models)), f.issued_at > since - (max(HORIZONS_H) + 1) * HOUR)
        over = (f.issued_at <= until, f.target_at > since - HOUR, f.target_at <= until - HOUR)
        rows = await self._rows(select(*columns).where(*issued, *over))
        return [Landed(self._names.gpu_name[row[0]], *row[1:]) for row in rows]

    async def fired_alerts(
        self, to: Destination, since: int, until: int, *, topic: str, kind: str, limit: int
    ) -> tuple[list[FiredRow], int]:
        """The newest messages in (since, until] that told a destination of an alert, and how many there are.

        ``topic``: what precedes an alert's id in the topic of its messages. Through the alerts: messages have an index
        by topic, and none by destination once they are sent.
        """
        a, d, m = t.alert.c, t.destination.c, t.message.c
        here = [d[field.name] == getattr(to, field.name) for field in fields(Destination)]
        theirs = (a.platform == to.platform, a.team == to.team, a.destination_id == d.id)
        there = or_(a.deleted_at.is_(None), a.deleted_at > since)
        told = (m.topic == literal(topic) + cast(a.id, Text), m.kind == kind, m.created_at > since)
        query = (
            select(m.created_at, m.payload, func.count().over())
            .select_from(t.alert, t.destination, t.message)
            .where(*here, *theirs, there, *told, m.created_at <= until)
        )
        rows = await self._rows(query.order_by(m.created_at.desc(), m.seq.desc()).limit(limit))
        return [FiredRow(row[0], json.loads(row[1])) for row in rows], rows[0][2] if rows else 0
