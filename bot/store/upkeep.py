"""Writing everything but rounds: budget, plan, forecasts, keys and back-fill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import and_, delete, func, insert, or_, select, update

from analytics.market import DAY, HOUR, Exposure, HourPoint, Scope
from bot.store import retention
from bot.store import tables as t
from bot.store.accounts import AccountWrites
from bot.store.accuracy_reports import AccuracyWrites
from bot.store.api_keys import ApiKey, KeyOwner, digest, new_secret, shown
from bot.store.browser_sessions import BrowserSessionWrites
from bot.store.bulk import put
from bot.store.hazard_profiles import HazardProfileWrites
from bot.store.ledger import LedgerWrites
from bot.store.market_reads import SURVEY
from bot.store.tables import code

Place = tuple[str, Scope]
"""Region and scope."""


class Upkeep(AccountWrites, AccuracyWrites, HazardProfileWrites, LedgerWrites):
    """The writes that are not a round."""

    async def add_quota(self, day: int, rows: int) -> None:
        """Count rows spent on a UTC day (seconds // 86400)."""
        await put(self._conn, t.quota, [(day, 0, None, None)], "skip")
        q = t.quota.c
        await self._conn.execute(update(t.quota).where(q.day == day).values(rows=q.rows + rows))

    async def learn_limit(self, day: int, limit: int) -> None:
        """Remember how many rows the market gives on a day."""
        await put(self._conn, t.quota, [(day, 0, None, None)], "skip")
        await self._conn.execute(update(t.quota).where(t.quota.c.day == day).values(learned_limit=limit))

    async def note_spent(self, day: int, until: int | None) -> None:
        """Remember that no rows of a day are left, and until when; or, with None, that there are some again."""
        await put(self._conn, t.quota, [(day, 0, None, None)], "skip")
        await self._conn.execute(update(t.quota).where(t.quota.c.day == day).values(spent_until=until))

    async def note_survey(self, at: int) -> None:
        """Remember when the whole market was last looked over."""
        await put(self._conn, t.round_, [(at, SURVEY, 0)], "skip")

    async def set_followed(self, plan: Mapping[str, int]) -> list[str]:
        """Follow these models and no others: name (the model's or Vast's) -> planned seconds between polls.

        Returns the names that no stored model bears; call again once they have been seen.
        """
        g = t.gpu.c
        await self._conn.execute(update(t.gpu).values(followed=False))
        unknown = []
        for name, interval in plan.items():
            change = update(t.gpu).where(or_(g.name == name, g.vast_name == name))
            done = await self._conn.execute(change.values(followed=True, interval_s=interval))
            if not done.rowcount:
                unknown.append(name)
        return unknown

    async def touch_asked(self, models: Iterable[str], at: int) -> None:
        """Note that somebody asked about these models; never earlier than already noted."""
        g = t.gpu.c
        older = or_(g.asked_at.is_(None), g.asked_at < at)
        await self._conn.execute(update(t.gpu).where(g.id.in_(self._names.gpu_ids(models)), older).values(asked_at=at))

    async def bulk_hours(self, model: str, points: Mapping[Place, Iterable[HourPoint]]) -> None:
        """Back-fill hours of one model, whole: they replace what was there. The model becomes known."""
        await self._names.add_gpus(self._conn, [(model, model, None, HOUR)])
        await self._names.add_regions(self._conn, {region for region, _ in points})
        await self._save_hours([(model, place, point) for place, some in points.items() for point in some])

    async def bulk_exposure(self, model: str, lived: Mapping[tuple[str, int], Exposure]) -> None:
        """Back-fill exposure of one model by (region, hour): replaces what was there. The model becomes known."""
        await self._names.add_gpus(self._conn, [(model, model, None, HOUR)])
        await self._names.add_regions(self._conn, {region for region, _ in lived})
        rows = [self._exposure(model, region, hour, sums) for (region, hour), sums in lived.items()]
        await put(self._conn, t.exposure_hour, rows)
        if lived:
            hours = [hour for _, hour in lived]
            await self._sum_days(self._names.gpus[model], min(hours) // 24, max(hours) // 24)

    async def _sum_days(self, gpu_id: int, first: int, last: int) -> None:
        h, d = t.exposure_hour.c, t.exposure_day
        await self._conn.execute(delete(d).where(d.c.gpu_id == gpu_id, d.c.day.between(first, last)))
        day = (h.hour // 24).label("day")
        sums = [func.sum(h[c.name]) for c in d.columns if c.name not in ("gpu_id", "day", "region_id")]
        mine = and_(h.gpu_id == gpu_id, h.hour.between(first * 24, last * 24 + 23))
        query = select(h.gpu_id, day, h.region_id, *sums).where(mine).group_by(h.gpu_id, day, h.region_id)
        await self._conn.execute(insert(d).from_select([c.name for c in d.columns], query))

    async def _save_hours(self, points: Sequence[tuple[str, Place, HourPoint]]) -> None:
        gpus, regions = self._names.gpus, self._names.regions
        rows = [
            (
                gpus[model], p.hour, regions[region], code(scope),
                p.price, p.floor, p.p10, p.p90, p.on_demand, p.offers, p.gpus, p.polls,
            )
            for model, (region, scope), p in points
        ]  # fmt: skip
        await put(self._conn, t.price_hour, rows)
        first: dict[str, int] = {}
        for model, _, point in points:
            first[model] = min(point.hour, first.get(model, point.hour))
        g = t.gpu.c
        for name, known in await self._rows(select(g.name, g.first_hour).where(g.name.in_(first))):
            if known is None or first[name] < known:
                await self._conn.execute(update(t.gpu).where(g.name == name).values(first_hour=first[name]))

    def _exposure(self, model: str, region: str, hour: int, e: Exposure) -> tuple[Any, ...]:
        return (
            self._names.gpus[model], hour, self._names.regions[region], e.held_s, e.interrupted_s, e.up_steps,
            e.down_steps, e.outbid, e.taken_or_down, e.absent, e.resumed,
        )  # fmt: skip

    async def _gpu_rows(self, models: Iterable[str]) -> dict[str, dict[str, Any]]:
        rows = await self._rows(select(t.gpu).where(t.gpu.c.id.in_(self._names.gpu_ids(models))))
        return {row.name: dict(row._mapping) for row in rows}

    async def _put_gpu_rows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        stored = [{**row, "last_quality": code(row["last_quality"])} for row in rows]
        await put(self._conn, t.gpu, [tuple(row[c.name] for c in t.gpu.columns) for row in stored])

    async def create_key(
        self, label: str, *, scopes: Sequence[str], per_minute: int, at: int, owner: KeyOwner | None = None
    ) -> tuple[str, ApiKey]:
        """A new API key: the secret, to be shown once, and what is kept. Scopes are words without blanks."""
        secret = new_secret()
        row = insert(t.api_key).values(
            prefix=shown(secret),
            sha256=digest(secret),
            label=label,
            scopes=" ".join(scopes),
            per_minute=per_minute,
            created_at=at,
            **({} if owner is None else asdict(owner)),
        )
        done = await self._conn.execute(row.returning(t.api_key.c.id))
        return secret, ApiKey(done.scalar_one(), shown(secret), label, tuple(scopes), per_minute, at, owner=owner)

    async def revoke_key(self, key: int | str, at: int) -> bool:
        """Revoke by id or prefix, and end what it signed in; False when no key in force bears it."""
        k = t.api_key.c
        named = k.id == key if isinstance(key, int) else k.prefix == key
        await BrowserSessionWrites(self._conn).end_of_keys(named)
        done = await self._conn.execute(update(t.api_key).where(named, k.revoked_at.is_(None)).values(revoked_at=at))
        return bool(done.rowcount)

    async def touch_key(self, key_id: int, at: int) -> None:
        """Note that a key was used."""
        await self._conn.execute(update(t.api_key).where(t.api_key.c.id == key_id).values(last_used_at=at))

    async def prune(self, now: int) -> dict[str, int]:
        """Forget what is older than it is kept; rows removed by table, none where the clock and the data disagree."""
        return await retention.prune(self._conn, now)

    async def remove_ahead(self, now: int) -> dict[str, int]:
        """Take out everything dated after ``now``: a wrong clock dated it. Rows removed by table."""
        removed = await retention.remove_ahead(self._conn, now)
        for gpu_id in self._names.gpu_ids(None):
            await self._sum_days(gpu_id, now // DAY, now // DAY)
        return removed
