"""The reports on how forecasts fared: one row a kind, all replaced by the next run's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Column, Table, Text, delete, select

from bot.store.bulk import put
from bot.store.risk import Reads
from bot.store.tables import metadata

accuracy_report = Table(
    "accuracy_report",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("payload", Text, nullable=False),
    sqlite_with_rowid=False,
)


class AccuracyReads(Reads):
    """Reading them."""

    async def accuracy(self) -> dict[str, tuple[int, dict[str, Any]]]:
        """Kind (``live``, ``backtest``) -> UTC seconds when it was made, and the report; empty before the first."""
        rows = await self._rows(select(accuracy_report.c.kind, accuracy_report.c.at, accuracy_report.c.payload))
        return {kind: (at, json.loads(payload)) for kind, at, payload in rows}


class AccuracyWrites(Reads):
    """Replacing them."""

    async def replace_accuracy(self, reports: Mapping[str, Mapping[str, Any]], at: int) -> None:
        """The reports by kind, made at a UTC second; of a kind without one the last is forgotten.

        Raises ValueError for what JSON cannot say (NaN, infinity).
        """
        rows = [(kind, at, json.dumps(payload, allow_nan=False)) for kind, payload in reports.items()]
        await self._conn.execute(delete(accuracy_report))
        await put(self._conn, accuracy_report, rows)
