"""The fitted profiles of the week: one row a model, all replaced by each fit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from sqlalchemy import BigInteger, Column, ForeignKey, SmallInteger, Table, Text, delete, func, select

from analytics.interruptions.weekly_hazard import Fitted, HazardProfile
from bot.store.bulk import put
from bot.store.risk import Reads
from bot.store.tables import metadata

hazard_profile = Table(
    "hazard_profile",
    metadata,
    Column("gpu_id", SmallInteger, ForeignKey("gpu.id"), primary_key=True, autoincrement=False),
    Column("fitted_at", BigInteger, nullable=False),
    Column("payload", Text, nullable=False),
    sqlite_with_rowid=False,
)


class HazardProfileReads(Reads):
    """Reading them."""

    async def hazard_profile(self, model: str) -> Fitted | None:
        """The model's; None before the first fit, and for a model without interruptions."""
        return (await self.hazard_profiles([model])).get(model)

    async def hazard_profiles(self, models: Iterable[str]) -> dict[str, Fitted]:
        """Those of several models that have one."""
        h = hazard_profile.c
        query = select(h.gpu_id, h.payload, h.fitted_at).where(h.gpu_id.in_(self._names.gpu_ids(models)))
        return {
            self._names.gpu_name[row.gpu_id]: _fitted(row.payload, row.fitted_at) for row in await self._rows(query)
        }

    async def profiles_fitted_at(self) -> int | None:
        """UTC seconds of the last fit that found any."""
        rows = await self._rows(select(func.max(hazard_profile.c.fitted_at)))
        return rows[0][0]  # type: ignore[no-any-return]


def _fitted(text: str, at: int) -> Fitted:
    payload = json.loads(text)
    return Fitted(HazardProfile(**payload | {"relative": tuple(payload["relative"])}), at)


class HazardProfileWrites(Reads):
    """Replacing them."""

    async def save_hazard_profiles(self, profiles: Mapping[str, HazardProfile], at: int) -> None:
        """All of them, fitted at a UTC second; models must have been seen."""
        await self._conn.execute(delete(hazard_profile))
        rows = [(self._names.gpus[model], at, json.dumps(asdict(found))) for model, found in profiles.items()]
        await put(self._conn, hazard_profile, rows)
