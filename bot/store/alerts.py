"""Alert rules and where each stands. The database is the threshold index: a round reads only the rules it may change.

Rules and states are JSON texts here; what they mean is the alert engine's.
"""

from __future__ import annotations

import operator
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import starmap
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from analytics.market import Scope
from bot.store import tables as t
from bot.store.bulk import put_changes
from bot.store.names import Names
from bot.store.outbox import Destination

LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
"""Of public ids: none that is mistaken for another."""

ID_LENGTH = 6
"""Letters of a public id: 31**6 = 887 million, so that nobody comes upon another's by trying."""

SERIES_A_QUERY = 100
"""Series whose rules one statement reads: SQLite takes 500 parts of a compound select."""


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """What is measured, by names; ``window`` in seconds, ``level`` in ppm, 0 where there is none."""

    model: str
    region: str
    scope: Scope
    measure: str
    metric: str
    window: int
    level: int


@dataclass(frozen=True, slots=True)
class Owner:
    """Who made a rule, and in which team."""

    platform: str
    enterprise: str
    team: str
    person: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What changes of a rule with a decision: its state and when it must be decided again."""

    state: str
    status: str
    wake_below: int | None
    wake_above: int | None
    due_at: int | None
    timer_at: int | None
    notice_at: int | None


@dataclass(frozen=True, slots=True)
class RuleState:
    """What a decision needs of a stored rule: rounds read thousands of these."""

    id: int
    public_id: str
    person: str
    destination_id: int
    series_id: int
    rule: str
    state: str


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule as somebody says it, and where that puts it."""

    series_id: int
    rule: str
    threshold: int
    standing: Standing


@dataclass(frozen=True, slots=True)
class AlertRow:
    """A rule as it is stored."""

    id: int
    public_id: str
    owner: Owner
    destination: Destination
    destination_id: int
    series_id: int
    rule: str
    state: str
    status: str
    created_at: int
    changed_at: int
    stopped: str | None
    """why nothing is sent to its destination any more"""


_NAMED = ("model", "region")
_STANDING = tuple(field.name for field in fields(Standing))
_standing_of = operator.attrgetter(*_STANDING)
_STATE = tuple(field.name for field in fields(RuleState))
_OWN = [t.alert.c[field.name] for field in fields(Owner)]
_TO = [t.destination.c[field.name].label(f"to_{field.name}") for field in fields(Destination)]
_ROW = [
    t.alert.c[name]
    for name in (
        "id",
        "public_id",
        "destination_id",
        "series_id",
        "rule",
        "state",
        "status",
        "created_at",
        "changed_at",
    )
] + [t.destination.c.disabled_reason]


class AlertReads:
    """Reading rules. Deleted ones are not there."""

    def __init__(self, conn: AsyncConnection, names: Names) -> None:
        self._conn, self._names = conn, names

    async def series(self, models: Iterable[str] | None = None) -> dict[int, SeriesKey]:
        """The series of these models, or of all, that a rule watches, by id."""
        s = t.series.c
        watched = exists().where(t.alert.c.series_id == s.id, t.alert.c.deleted_at.is_(None))
        query = select(t.series).where(s.gpu_id.in_(self._names.gpu_ids(models)), watched).order_by(s.id)
        return {row.id: self._series(row) for row in await self._conn.execute(query)}

    async def woken(self, values: Mapping[int, int], now: int) -> list[RuleState]:
        """The rules of these series (series id -> value) that a value or the time may change."""
        found: list[RuleState] = []
        for some in _chunks(list(values.items()), SERIES_A_QUERY):
            found += starmap(RuleState, await self._conn.exec_driver_sql(_woken(some, now)))
        return found

    async def armed(self, series_ids: Iterable[int]) -> dict[int, tuple[int | None, int | None]]:
        """Of each series with rules that wait for a price below or a number above: the highest and the lowest."""
        a = t.alert.c
        above = func.min(a.wake_above).filter(a.wake_above >= 0)  # below zero: any reading is decided
        query = select(a.series_id, func.max(a.wake_below), above).where(
            a.series_id.in_(list(series_ids)), a.status == "ok", a.deleted_at.is_(None)
        )
        rows = await self._conn.execute(query.group_by(a.series_id))
        return {id_: (highest, lowest) for id_, highest, lowest in rows if (highest, lowest) != (None, None)}

    async def undecided(self, series_ids: Iterable[int], limit: int) -> list[AlertRow]:
        """Rules of these series that no value tells apart: just made, or met and to be confirmed; at most so many."""
        a = t.alert.c
        just_made = and_(a.status == "ok", a.wake_above < 0)
        return await self._alerts(a.series_id.in_(list(series_ids)), or_(a.status == "pending", just_made), limit=limit)

    async def waiting(self, series_ids: Iterable[int], limit: int) -> list[AlertRow]:
        """Rules of these series that wait for a value, at most so many."""
        return await self._alerts(t.alert.c.series_id.in_(list(series_ids)), t.alert.c.status == "ok", limit=limit)

    async def due(self, now: int, limit: int) -> list[RuleState]:
        """Rules that the time alone changes, at most so many, the earliest first."""
        a = t.alert.c
        # in the order of its index: in that of the ids SQLite would read every rule
        return await self._states(a.timer_at <= now, order=(a.timer_at, a.id), limit=limit)

    async def unheard(self, series_ids: Iterable[int], now: int, limit: int) -> list[RuleState]:
        """Rules of these series of which a lack of data may be told now, at most so many."""
        a = t.alert.c
        return await self._states(
            a.series_id.in_(list(series_ids)), a.notice_at <= now, order=(a.notice_at, a.id), limit=limit
        )

    async def of_team(self, platform: str, enterprise: str, team: str) -> list[AlertRow]:
        """All rules of a team, the oldest first."""
        return await self._alerts(_of_team(platform, enterprise, team))

    async def find(self, platform: str, enterprise: str, team: str, public_id: str) -> AlertRow | None:
        """A rule of this team; one of another team is as one that is not there."""
        rows = await self._alerts(_of_team(platform, enterprise, team), t.alert.c.public_id == public_id)
        return rows[0] if rows else None

    async def told_alone(self, platform: str, person: str) -> list[AlertRow]:
        """The rules of any team that this person made and is told of alone, the oldest first."""
        a, to = t.alert.c, t.destination.c
        return await self._alerts(a.platform == platform, a.person == person, to.person == person)

    async def of_destination(self, destination_id: int) -> list[AlertRow]:
        """All rules that are told at a destination, the oldest first."""
        return await self._alerts(t.alert.c.destination_id == destination_id)

    async def newest(self, owner: Owner) -> AlertRow | None:
        """The rule that a person made last."""
        team = _of_team(owner.platform, owner.enterprise, owner.team)
        rows = await self._alerts(team, t.alert.c.person == owner.person)
        return rows[-1] if rows else None

    async def counts(self, owner: Owner) -> tuple[int, int]:
        """How many rules the person has, and the team."""
        a = t.alert.c
        mine = func.count().filter(a.person == owner.person)
        team = _of_team(owner.platform, owner.enterprise, owner.team)
        row = (await self._conn.execute(select(mine, func.count()).where(team, a.deleted_at.is_(None)))).one()
        return int(row[0]), int(row[1])

    async def requested(self, owner: Owner, request: str, since: int) -> tuple[str, str] | None:
        """What somebody's request of this name has made since then, deleted or not, and the request's digest."""
        a = t.alert.c
        theirs = and_(_of_team(owner.platform, owner.enterprise, owner.team), a.person == owner.person)
        query = select(a.public_id, a.request_digest).where(theirs, a.request == request, a.created_at > since)
        row = (await self._conn.execute(query.order_by(a.id.desc()).limit(1))).first()
        return None if row is None else (row[0], row[1])

    async def _states(
        self, *conditions: ColumnElement[bool], order: Sequence[ColumnElement[int]], limit: int
    ) -> list[RuleState]:
        columns = (t.alert.c[name] for name in _STATE)
        query: Select[Any] = select(*columns).where(*conditions, t.alert.c.deleted_at.is_(None))
        return list(starmap(RuleState, await self._conn.execute(query.order_by(*order).limit(limit))))

    async def _alerts(self, *conditions: ColumnElement[bool], limit: int | None = None) -> list[AlertRow]:
        query: Select[Any] = select(*_ROW, *_OWN, *_TO).join(t.destination).where(*conditions)
        query = query.where(t.alert.c.deleted_at.is_(None)).order_by(t.alert.c.id).limit(limit)
        rows = await self._conn.execute(query)
        return [_alert(row) for row in rows]

    def _series(self, row: Row[Any]) -> SeriesKey:
        model, region = self._names.gpu_name[row.gpu_id], self._names.region_name[row.region_id]
        return SeriesKey(model, region, row.scope, row.measure, row.metric, row.window, row.level)


class AlertWrites(AlertReads):
    """Changing rules, inside the transaction of what causes it."""

    async def series_id(self, key: SeriesKey) -> int:
        """The id of a series, which is made where it is new. The model must be a stored one."""
        await self._names.add_regions(self._conn, [key.region])
        row = {field.name: getattr(key, field.name) for field in fields(SeriesKey) if field.name not in _NAMED}
        row |= {"gpu_id": self._names.gpus[key.model], "region_id": self._names.region_id(key.region)}
        dialect = postgresql if self._conn.dialect.name == "postgresql" else sqlite
        insert = dialect.insert(t.series).values(**row)
        # of one that is there a column is set as it is: only then its id is told
        insert = insert.on_conflict_do_update(index_elements=list(row), set_={"level": insert.excluded.level})
        return int((await self._conn.execute(insert.returning(t.series.c.id))).scalar_one())

    async def create(
        self, owner: Owner, destination_id: int, rule: RuleRow, now: int, *, request: tuple[str, str] | None = None
    ) -> str:
        """Store a new rule; gives its public id. ``request``: the name and digest of the request that makes it."""
        public_id = "".join(secrets.choice(LETTERS) for _ in range(ID_LENGTH))
        values = {field.name: getattr(owner, field.name) for field in fields(Owner)} | _rule(rule)
        values |= {"public_id": public_id, "destination_id": destination_id, "created_at": now, "changed_at": now}
        values |= {} if request is None else dict(zip(("request", "request_digest"), request, strict=True))
        await self._conn.execute(t.alert.insert().values(**values))
        return public_id

    async def save(self, standings: Iterable[tuple[int, Standing]]) -> None:
        """What decisions came to, by the rules' ids."""
        rows = [(*_standing_of(standing), id_) for id_, standing in standings]
        await put_changes(self._conn, t.alert, rows, _STANDING)

    async def change(self, id_: int, rule: RuleRow, now: int) -> None:
        """Let a rule say something else."""
        await self._conn.execute(update(t.alert).where(t.alert.c.id == id_).values(**_rule(rule), changed_at=now))

    async def reword(self, rules: Sequence[tuple[int, RuleRow]], now: int) -> None:
        """Let rules say something else on the same series, by their ids."""
        rows = [(rule.rule, now, *_standing_of(rule.standing), id_) for id_, rule in rules]
        await put_changes(self._conn, t.alert, rows, ("rule", "changed_at", *_STANDING))

    async def delete(self, id_: int, now: int) -> None:
        """Take a rule away: nothing wakes it any more, and nobody sees it."""
        asleep = dict.fromkeys(("wake_below", "wake_above", "due_at", "timer_at", "notice_at"))
        gone = update(t.alert).where(t.alert.c.id == id_).values(**asleep, deleted_at=now, changed_at=now)
        await self._conn.execute(gone)


def _woken(values: Sequence[tuple[int, int]], now: int) -> str:
    """Three walks of an index for each series. As text: building it part by part takes longer than running it.

    Not as a join with a table of the values: PostgreSQL reads all rules for that.
    """
    tests = ("wake_below > {value:d}", "wake_above < {value:d}", "due_at <= {now:d}")
    one = "SELECT id FROM alert WHERE series_id = {id:d} AND "
    walks = ((one + test).format(id=id_, value=value, now=now) for id_, value in values for test in tests)
    woken = " UNION ".join(walks)
    read = f"SELECT {', '.join(_STATE)} FROM alert"  # noqa: S608  numbers and names of ours
    return f"{read} WHERE id IN ({woken}) AND deleted_at IS NULL ORDER BY id"


def _of_team(platform: str, enterprise: str, team: str) -> ColumnElement[bool]:
    a = t.alert.c
    return and_(a.platform == platform, a.enterprise == enterprise, a.team == team)


def _rule(rule: RuleRow) -> dict[str, Any]:
    said = {"series_id": rule.series_id, "rule": rule.rule, "threshold": rule.threshold}
    return said | dict(zip(_STANDING, _standing_of(rule.standing), strict=True))


def _alert(row: Row[Any]) -> AlertRow:
    id_, public_id, *rest = row[: len(_ROW)]
    whose, to = row[len(_ROW) : -len(_TO)], row[-len(_TO) :]
    return AlertRow(id_, public_id, Owner(*whose), Destination(*to), *rest)


def _chunks(items: Sequence[tuple[int, int]], size: int) -> Iterator[Sequence[tuple[int, int]]]:
    return (items[n : n + size] for n in range(0, len(items), size))
