"""Reading the books about ourselves: polls made, rows spent, forecasts served, API keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, select

from analytics.market import DAY, WORLD, Quality, Quote, Scope
from analytics.poll_quality import Reading
from bot.store import retention
from bot.store import tables as t
from bot.store.accuracy_reports import AccuracyReads
from bot.store.api_keys import ApiKey, KeyOwner, digest

QUOTE_COLUMNS = [t.quote.c[name] for name in Quote.__dataclass_fields__]
"""The columns of a Quote, in its order."""

MOST_SUSPECT = 2_000
"""Suspect polls in a row that are looked back upon (ours: six days of five-minute polls, far beyond any patience)."""

SURVEY = "survey"
"""The source of a round without polls: a look over the whole market, to choose what to follow."""


@dataclass(frozen=True, slots=True)
class Leader:
    """The process that last led. ``since``: UTC seconds of the database; ``held``: whether its lease still runs."""

    holder: str
    since: int
    held: bool


def counts_of(spans: Mapping[tuple[str, Quality], PollSpan]) -> dict[Quality, int]:
    """Polls by quality; zeros included."""
    counts = dict.fromkeys(Quality, 0)
    for (_, quality), span in spans.items():
        counts[quality] += span.count
    return counts


@dataclass(frozen=True, slots=True)
class PollSpan:
    """Some polls: how many, and the UTC seconds of the first and the last."""

    count: int
    first: int
    last: int

    @property
    def spacing(self) -> int | None:
        """The mean of the seconds between two, rounded up."""
        return -((self.first - self.last) // (self.count - 1)) if self.count > 1 else None


class MarketReads(AccuracyReads):
    """Polls, quota, forecasts and their reports, keys and who leads."""

    async def leader(self) -> Leader | None:
        """Who leads or led last; None where no lease was ever taken, as in SQLite."""
        row = t.leader.c
        held = func.coalesce(row.expires_at > func.now(), false())
        rows = await self._rows(select(row.holder, row.since, held).where(row.holder.is_not(None)))
        return Leader(rows[0][0], rows[0][1], bool(rows[0][2])) if rows else None

    async def epoch(self) -> int:
        """How many leaders there have been."""
        return int((await self._rows(select(t.lease.c.epoch)))[0][0])

    async def readings(self, model: str, n: int, *, since: int | None) -> tuple[list[Reading], list[Reading]]:
        """What is stored of the last ``n`` complete polls, and of the suspect ones after ``since``, ascending."""
        inner = t.poll.alias()
        p, of_model = inner.c, inner.c.gpu_id == self._names.gpu_id(model)
        times = select(p.at).order_by(p.at.desc())
        good = times.where(of_model, p.quality == Quality.COMPLETE).limit(n)
        bad = times.where(of_model, p.quality == Quality.SUSPECT, p.at > (since or -1)).limit(MOST_SUSPECT)
        return await self._readings(model, good), await self._readings(model, bad)

    async def _readings(self, model: str, times: Select[Any]) -> list[Reading]:
        p, q = t.poll.c, t.quote.c
        same = (p.gpu_id == q.gpu_id) & (p.at == q.at)
        world = (q.region_id == t.WORLD_ID) & (q.gpu_id == self._names.gpu_id(model))
        query = select(p.offers, q.scope, *QUOTE_COLUMNS).select_from(t.poll.join(t.quote, same))
        found: dict[tuple[int, int], dict[tuple[str, Scope], Quote]] = defaultdict(dict)
        for rows, scope, *values in await self._rows(query.where(world, p.at.in_(times))):
            quote = Quote(*values)
            found[quote.at, rows][WORLD, scope] = quote
        return [Reading.of(at, rows, quotes) for (at, rows), quotes in sorted(found.items())]

    async def poll_times(self, model: str, since: int, until: int) -> list[tuple[int, Quality]]:
        """When the model's polls in [since, until] were, and how good they were, ascending."""
        p = t.poll.c
        query = select(p.at, p.quality).where(p.gpu_id == self._names.gpu_id(model), p.at.between(since, until))
        return [(row[0], row[1]) for row in await self._rows(query.order_by(p.at))]

    async def poll_counts(self, since: int) -> dict[Quality, int]:
        """Polls of all models since a second, by quality; zeros included."""
        return counts_of(await self.poll_spans(since))

    async def poll_spans(self, since: int) -> dict[tuple[str, Quality], PollSpan]:
        """The polls since a second, by model and quality; none where there was none."""
        p = t.poll.c
        query = select(p.gpu_id, p.quality, func.count(), func.min(p.at), func.max(p.at))
        mine = query.where(p.gpu_id.in_(self._names.gpu_ids(None)), p.at >= since)
        names = self._names.gpu_name
        rows = await self._rows(mine.group_by(p.gpu_id, p.quality))
        return {(names[row[0]], row[1]): PollSpan(*row[2:]) for row in rows}

    async def last_round_at(self) -> int | None:
        """When the last stored round was."""
        rows = await self._rows(select(func.max(t.round_.c.at)))
        return rows[0][0]  # type: ignore[no-any-return]

    async def last_survey_at(self) -> int | None:
        """When the whole market was last looked over."""
        rows = await self._rows(select(func.max(t.round_.c.at)).where(t.round_.c.source == SURVEY))
        return rows[0][0]  # type: ignore[no-any-return]

    async def hours_ahead(self, now: int) -> int:
        """In how many different hours there are rounds that are dated after ``now``."""
        return await retention.hours_ahead(self._conn, now)

    async def quota(self, day: int) -> tuple[int, int | None]:
        """Rows spent on a UTC day (seconds // 86400), and the limit that the market named or refused at on that day."""
        q = t.quota.c
        rows = await self._rows(select(q.rows, q.learned_limit).where(q.day == day))
        return (rows[0][0], rows[0][1]) if rows else (0, None)

    async def spent_until(self, now: int) -> int | None:
        """When there are rows of the market again, if none are left now."""
        q = t.quota.c
        rows = await self._rows(select(func.max(q.spent_until)).where(q.day >= now // DAY - 1, q.spent_until > now))
        return rows[0][0]  # type: ignore[no-any-return]

    async def keys(self) -> list[ApiKey]:
        """All API keys, the revoked ones too, oldest first."""
        return await self._keys(t.api_key.c.id > 0)

    async def find_key(self, secret: str) -> ApiKey | None:
        """The key that this secret opens, None for an unknown or revoked one."""
        found = await self._keys((t.api_key.c.sha256 == digest(secret)) & t.api_key.c.revoked_at.is_(None))
        return found[0] if found else None

    async def key(self, key_id: int) -> ApiKey | None:
        """The key with an id, None for an unknown or revoked one."""
        found = await self._keys((t.api_key.c.id == key_id) & t.api_key.c.revoked_at.is_(None))
        return found[0] if found else None

    async def _keys(self, where: ColumnElement[bool]) -> list[ApiKey]:
        k = t.api_key.c
        columns = (k.id, k.prefix, k.label, k.scopes, k.per_minute, k.created_at, k.revoked_at, k.last_used_at)
        owner = (k.platform, k.team, k.channel, k.enterprise)
        rows = await self._rows(select(*columns, *owner).where(where).order_by(k.id))
        return [_key(row[: len(columns)], row[len(columns) :]) for row in rows]


def _key(row: Sequence[Any], owner: Sequence[Any]) -> ApiKey:
    key = ApiKey(*row)
    return replace(key, scopes=tuple(row[3].split()), owner=None if owner[0] is None else KeyOwner(*owner))
