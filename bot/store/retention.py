"""Forgetting what is old, and taking out what a wrong clock has dated in the future.

Both destroy, and both go by a time that may be wrong. So the old is what is old beside the newest stored poll, a run
forgets a few days at most, and nothing is forgotten where the clock and the data disagree.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy import ColumnElement, Table, delete, distinct, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics.market import DAY, HOUR, Quality
from bot.store import tables as t
from bot.store.audit import erasure
from bot.store.browser_sessions import browser_session, sign_in_link
from bot.store.outbox import OutboxWrites
from bot.store.probes import probe_day
from bot.store.schedules import ScheduleWrites
from bot.store.variants import lane, variant_day
from bot.store.webhooks import webhook_attempt

RAW_DAYS = 30
"""How long polls and their quotes are kept."""

HISTORY_DAYS = 396
"""How long sums by the hour or day are kept: 13 months."""

FORECAST_DAYS = 35
"""How long issued forecasts are kept: the 30 days over which they are scored, and room for the longest horizon."""

INTERRUPTION_DAYS = 21
"""How long single interruptions are kept, for export; answers are made from their sums by the hour."""

MESSAGE_DAYS = 30
"""How long messages are kept after they ended: so long their ids are known and they can be edited."""

AUDIT_DAYS = 396
"""How long it is kept who did what: as long as the history that it was about."""

SIGNED_OUT_DAYS = 1
"""How long links and sessions are kept after they ended: nobody can use them, and nothing asks for them."""

MOST_DAYS_A_RUN = 3
"""Days that one run forgets at most: a run a day keeps up and catches up, a mistaken one costs little."""

DISAGREEMENT = DAY
"""Seconds between the clock and the newest complete poll beyond which nothing is forgotten."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Kept:
    """A table that grows: the column that dates its rows, the seconds that column counts in, and the days kept."""

    table: Table
    column: str
    unit: int
    days: int
    seen: bool = True
    """whether it tells of the market; the rest is not taken out for bearing a date ahead of the clock"""

    @property
    def dated(self) -> ColumnElement[int]:
        """The column."""
        return self.table.c[self.column]

    @property
    def by_model(self) -> bool:
        """Whether its key begins with the model."""
        return "gpu_id" in self.table.c


GROWING = (
    Kept(t.poll, "at", 1, RAW_DAYS),
    Kept(t.quote, "at", 1, RAW_DAYS),
    Kept(t.price_hour, "hour", HOUR, HISTORY_DAYS),
    Kept(t.exposure_hour, "hour", HOUR, HISTORY_DAYS),
    Kept(t.exposure_day, "day", DAY, HISTORY_DAYS),
    Kept(t.life_day, "day", DAY, HISTORY_DAYS),
    Kept(variant_day, "day", DAY, HISTORY_DAYS),
    Kept(t.interruption, "seen_at", 1, INTERRUPTION_DAYS),
    Kept(t.forecast, "issued_at", 1, FORECAST_DAYS),
    Kept(t.round_, "at", 1, RAW_DAYS),
    Kept(t.quota, "day", DAY, RAW_DAYS),
    Kept(probe_day, "day", DAY, RAW_DAYS),
    Kept(t.message, "ended_at", 1, MESSAGE_DAYS, seen=False),
    Kept(webhook_attempt, "at", 1, MESSAGE_DAYS, seen=False),
    Kept(t.audit, "at", 1, AUDIT_DAYS, seen=False),
    Kept(sign_in_link, "expires_at", 1, SIGNED_OUT_DAYS, seen=False),
    Kept(browser_session, "expires_at", 1, SIGNED_OUT_DAYS, seen=False),
)
"""Every table that grows with time."""


async def prune(conn: AsyncConnection, now: int) -> dict[str, int]:
    """Forget what is older than it is kept, beside the newest complete poll; rows removed by table.

    Nothing is removed where that poll and ``now`` are more than a day apart: one of them is wrong.
    """
    newest = await conn.scalar(select(func.max(t.gpu.c.last_good_at)))
    if newest is None or abs(now - newest) > DISAGREEMENT:
        log.warning("nothing is forgotten: the clock and the newest poll disagree", now=now, newest_poll=newest)
        return {}
    removed = {}
    for kept in GROWING:
        edge = (newest // DAY - kept.days) * DAY // kept.unit
        oldest = await _oldest(conn, kept)
        removed[kept.table.name] = 0
        if oldest is not None and oldest < edge:
            edge = min(edge, oldest + MOST_DAYS_A_RUN * DAY // kept.unit)
            async with erasure(conn, before=edge if kept.table is t.audit else 0):
                removed[kept.table.name] = await _delete(conn, kept, kept.dated < edge)
    await _renew_first_hours(conn)
    return removed


async def _oldest(conn: AsyncConnection, kept: Kept) -> int | None:
    """The oldest row, found by one step into each model's part of the key."""
    oldest = select(func.min(kept.dated))
    if kept.by_model:
        each = oldest.where(kept.table.c.gpu_id == t.gpu.c.id).scalar_subquery()
        oldest = select(func.min(select(each.label("at")).select_from(t.gpu).subquery().c.at))
    found: int | None = await conn.scalar(oldest)
    return found


async def _delete(conn: AsyncConnection, kept: Kept, past: ColumnElement[bool]) -> int:
    """Delete rows by their date. Naming every model lets the key be entered instead of scanning the table."""
    named = [kept.table.c.gpu_id.in_(select(t.gpu.c.id))] if kept.by_model else []
    return (await conn.execute(delete(kept.table).where(*named, past))).rowcount


async def _renew_first_hours(conn: AsyncConnection) -> None:
    """Let each model begin with its oldest hour that is still there."""
    g, p = t.gpu.c, t.price_hour.c
    left = select(func.min(p.hour)).where(p.gpu_id == g.id).scalar_subquery()
    await conn.execute(update(t.gpu).where(g.first_hour.is_not(None), g.first_hour != left).values(first_hour=left))
    gone = ~exists().where(p.gpu_id == g.id)
    await conn.execute(update(t.gpu).where(g.first_hour.is_not(None), gone).values(first_hour=None))


async def hours_ahead(conn: AsyncConnection, now: int) -> int:
    """In how many different hours there are rounds dated after ``now``."""
    hours = select(func.count(distinct(t.round_.c.at // HOUR))).where(t.round_.c.at > now)
    return int(await conn.scalar(hours) or 0)


async def remove_ahead(conn: AsyncConnection, now: int) -> dict[str, int]:
    """Take out everything dated after ``now``; rows removed by table. The models go on from their last poll before.

    Their tenants are let go, without counting an interruption: nobody knows when they were last seen. Their life tables
    and variants of today go as a whole, since those do not tell hours apart. Rows spent on days to come count today.
    """
    models = list((await conn.scalars(select(t.gpu.c.id).where(t.gpu.c.last_poll_at > now))).all())
    early = update(t.quota).where(t.quota.c.day == now // DAY)
    later = select(func.coalesce(func.sum(t.quota.c.rows), 0)).where(t.quota.c.day > now // DAY)
    spent = int(await conn.scalar(later) or 0)
    if spent and not (await conn.execute(early.values(rows=t.quota.c.rows + spent))).rowcount:
        await conn.execute(t.quota.insert().values(day=now // DAY, rows=spent))
    seen = [kept for kept in GROWING if kept.seen]
    removed = {kept.table.name: await _delete(conn, kept, kept.dated > now // kept.unit) for kept in seen}
    for present in (t.tenant, lane):
        await conn.execute(delete(present).where(present.c.gpu_id.in_(models)))
    for summed in (t.life_day, variant_day):
        today = summed.c.day == now // DAY
        await conn.execute(delete(summed).where(summed.c.gpu_id.in_(models), today))
    await conn.execute(delete(t.band).where(t.band.c.at > now))
    await _renew_last_polls(conn, now)
    await _renew_first_hours(conn)
    await OutboxWrites(conn).redate(now)
    await ScheduleWrites(conn).redate(now)
    return removed


async def _renew_last_polls(conn: AsyncConnection, now: int) -> None:
    """Let the models that were polled after ``now`` go on from their newest polls that are still there."""
    g, p = t.gpu.c, t.poll.c
    last = select(func.max(p.at)).where(p.gpu_id == g.id).scalar_subquery()
    good = select(func.max(p.at)).where(p.gpu_id == g.id, p.quality == Quality.COMPLETE).scalar_subquery()
    quality = select(p.quality).where(p.gpu_id == g.id).order_by(p.at.desc()).limit(1).scalar_subquery()
    late = or_(g.last_poll_at > now, g.last_good_at > now)
    await conn.execute(update(t.gpu).where(late).values(last_poll_at=last, last_good_at=good, last_quality=quality))
