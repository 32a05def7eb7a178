"""The two dictionary tables (models, regions), held in memory while a transaction lasts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics.market import WORLD
from bot.store import tables as t
from bot.store.bulk import put
from bot.store.errors import StoreError

_BOTH = union_all(
    select(literal(0), t.gpu.c.name, t.gpu.c.id),
    select(literal(1), t.region.c.name, t.region.c.id),
)

MOST_NAMES = 2**15 - 1
"""Models, and regions, that a store takes: their ids have 16 bits on PostgreSQL (the documentation of ``smallint``).
The same for every database, so that what one took the other takes too. A market has some hundreds of either."""

NOBODY = -1
"""An id that no row has: asking for an unknown region finds nothing."""


class Names:
    """Names to ids and back, as of one transaction."""

    def __init__(self, gpus: dict[str, int], regions: dict[str, int]) -> None:
        self.gpus = gpus
        self.regions = regions
        self.gpu_name = {id_: name for name, id_ in gpus.items()}
        self.region_name = {id_: name for name, id_ in regions.items()}
        self._last_gpu = max(self.gpu_name, default=0)
        self._last_region = max(self.region_name, default=t.WORLD_ID)

    @staticmethod
    async def load(conn: AsyncConnection) -> Names:
        """Both tables; being the first statement, this also fixes the snapshot of a reading transaction."""
        names: tuple[dict[str, int], dict[str, int]] = ({}, {})
        for kind, name, id_ in await conn.execute(_BOTH):
            names[kind][name] = id_
        return Names(*names)

    def gpu_ids(self, models: Iterable[str] | None) -> list[int]:
        """The ids of the models that are known, or of all."""
        if models is None:
            return list(self.gpu_name)
        return sorted({self.gpus[model] for model in models if model in self.gpus})

    def gpu_id(self, model: str) -> int:
        """The id of a model, NOBODY for an unknown one."""
        return self.gpus.get(model, NOBODY)

    def region_id(self, region: str) -> int:
        """The id of a region, NOBODY for an unknown one."""
        return self.regions.get(region, NOBODY)

    async def add_gpus(self, conn: AsyncConnection, new: Sequence[tuple[str, str, int | None, int]]) -> None:
        """Rows for models not seen before: (name, vast_name, vram_gb, interval_s)."""
        unseen = [row for row in {row[0]: row for row in new}.values() if row[0] not in self.gpus]
        _check_room(self._last_gpu + len(unseen), "models")
        rows = [
            (id_, name, vast_name, vram_gb, False, interval, None, None, None, None, None, None, 0)
            for id_, (name, vast_name, vram_gb, interval) in enumerate(unseen, self._last_gpu + 1)
        ]
        await put(conn, t.gpu, rows)
        for id_, name, *_ in rows:
            self.gpus[name], self.gpu_name[id_] = id_, name
        self._last_gpu += len(rows)

    async def add_regions(self, conn: AsyncConnection, regions: Iterable[str]) -> None:
        """Rows for regions not seen before."""
        new = sorted(set(regions) - self.regions.keys() - {WORLD})
        _check_room(self._last_region + len(new), "regions")
        rows = list(enumerate(new, self._last_region + 1))
        await put(conn, t.region, rows)
        self._last_region += len(rows)
        for id_, name in rows:
            self.regions[name], self.region_name[id_] = id_, name


def _check_room(last: int, what: str) -> None:
    if last > MOST_NAMES:
        raise StoreError(
            f"The database takes at most {MOST_NAMES:,} names of {what}. Nothing of this write was kept. "
            "A market has some hundreds: look whether the names are what they should be, and use another database."
        )
