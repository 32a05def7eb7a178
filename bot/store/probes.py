"""What probes cost, and when each part of the market was last probed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, SmallInteger, Table, Text, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.bulk import put
from bot.store.names import Names
from bot.store.tables import metadata

probe_day = Table(
    "probe_day",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    *(Column(name, Integer, nullable=False) for name in ("requests", "rows", "share")),
)
"""``share``: rows of the day that probes may take, as last planned. The rows are among those of ``quota`` too."""

probe = Table(
    "probe",
    metadata,
    Column("gpu_id", SmallInteger, ForeignKey("gpu.id"), primary_key=True, nullable=False, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("num_gpus", Integer, primary_key=True, autoincrement=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("turn_s", Integer),
    sqlite_with_rowid=False,
)
"""The last probe of each part of the market that rules wait for. ``turn_s``: seconds since the one before it, those
that only confirmed left out; null for the first."""


@dataclass(frozen=True, slots=True)
class ProbeDay:
    """What probes cost on a UTC day; ``share`` None where none was made."""

    requests: int = 0
    rows: int = 0
    share: int | None = None


@dataclass(frozen=True, slots=True)
class StoredProbe:
    """The last probe of slices of one size of a model."""

    model: str
    kind: str
    num_gpus: int
    asked_at: int
    rows: int
    turn_s: int | None


class ProbeReads:
    """Reading what probes did."""

    def __init__(self, conn: AsyncConnection, names: Names) -> None:
        self._conn, self._names = conn, names

    async def day(self, day: int) -> ProbeDay:
        """What they cost on a UTC day (seconds // 86400)."""
        d = probe_day.c
        row = (await self._conn.execute(select(d.requests, d.rows, d.share).where(d.day == day))).first()
        return ProbeDay() if row is None else ProbeDay(*row)

    async def last(self) -> list[StoredProbe]:
        """The last probe of each part of the market that is watched."""
        rows = await self._conn.execute(select(probe))
        return [StoredProbe(self._names.gpu_name[row.gpu_id], *row[1:]) for row in rows]


class ProbeWrites(ProbeReads):
    """Counting probes."""

    async def spend(self, day: int, *, requests: int, rows: int, share: int) -> None:
        """Count requests and rows of a day, fewer where some are given back."""
        await put(self._conn, probe_day, [(day, 0, 0, share)], "skip")
        d = probe_day.c
        spent = update(probe_day).where(d.day == day)
        await self._conn.execute(spent.values(requests=d.requests + requests, rows=d.rows + rows, share=share))

    async def save(self, made: StoredProbe) -> None:
        """Replace the last probe of a part of the market. The model must be a stored one."""
        gpu_id = self._names.gpus[made.model]
        row = (gpu_id, made.kind, made.num_gpus, made.asked_at, made.rows, made.turn_s)
        await put(self._conn, probe, [row])

    async def keep(self, watched: Collection[tuple[str, str, int]]) -> None:
        """Forget the probes of what (kind, model, size) no rule waits for any more."""
        for old in await self.last():
            if (old.kind, old.model, old.num_gpus) not in watched:
                p, gpu_id = probe.c, self._names.gpus[old.model]
                same = p.gpu_id == gpu_id, p.kind == old.kind, p.num_gpus == old.num_gpus
                await self._conn.execute(delete(probe).where(*same))
