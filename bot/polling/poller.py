"""The live loop: whose turn it is, one fetch, one round; within the day's rows and the market's patience."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

import structlog

from analytics.catalog import models_of
from analytics.market import DAY, HOUR, Quality, Round
from bot.clock import TOLERANCE_SECONDS, SteadyClock
from bot.polling.budget import LONGEST, Demand, allowance, busiest, due, next_reset, plan
from bot.polling.probes import Probes, row_share
from bot.polling.rounds import Collector, Cost
from bot.polling.row_account import RowAccount
from bot.sources.base import Fetch, Source, Survey
from bot.store.engine import Store, StoreBusy, StoreError
from bot.store.reader import ModelRow

log = structlog.get_logger()

SurveyCall = Callable[..., Awaitable[Survey]]
"""``survey(at=, max_rows=, reserve=)``"""

LOOK_SECONDS = 30
"""Longest sleep between two looks at the plan: a question may have made another model urgent."""

STANDBY_SECONDS = 1
"""Sleep between two looks whether this process leads now; asks nobody."""

LEARNED_DAYS = 30
"""How far back a limit that the market once named is looked for."""

ASKED_SECONDS = 6 * HOUR
"""How long a question about a model, asked of any process, makes it urgent."""

PUBLISHED_WITHIN = 0.1
"""How far a planned interval may be from the published one: staleness begins at three of them."""

FEW_HOURS = 6
"""Rounds dated ahead of now are taken out soon where they lie in this many hours at most: a wrong clock is set right
within hours, so more of them make a wrong present more likely than a wrong past."""

PATIENCE_SECONDS, LONG_PATIENCE_SECONDS = 300, HOUR
"""How long rounds dated ahead wait to be taken out: few of them where the market does not tell the time, and many."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is followed and how often, for the rest of the day."""

    demands: tuple[Demand, ...]
    intervals: dict[str, int]
    rows_left: int

    @property
    def spent(self) -> bool:
        """Whether the rows left do not pay for a poll of anything."""
        return bool(self.demands) and self.rows_left < min(demand.rows for demand in self.demands)


@dataclass(frozen=True, slots=True)
class Look:
    """The time, and what the store says at that instant. ``spent``: rows of this UTC day."""

    now: int
    rows: tuple[ModelRow, ...]
    spent: int
    hours_ahead: int = 0
    """hours in which there are rounds dated further ahead than clocks differ: one that was wrong dated them"""


@dataclass(slots=True)
class Poller:
    """Polls followed names in turn. ``names`` empty: the busiest that the budget allows, found by a survey."""

    store: Store
    source: Source
    collector: Collector
    clock: SteadyClock
    names: tuple[str, ...] = ()
    budget: int = 20_000
    wish: int = 300
    survey: SurveyCall | None = None
    probes: Probes | None = None
    begun: Callable[[], None] = lambda: None
    """called whenever this process has become the leader"""
    _closed_until: int = 0
    _refused_until: int = 0
    """when the market gives rows again, as it said when it refused any"""
    _spent_until: int | None = None
    _learned: int | None = None
    _surveyed_at: int | None = None
    _looked_at: int = 0
    _ahead_since: int | None = None
    """since when rounds dated ahead of now have been known"""
    _epoch: int | None = None
    """as which leader this process last polled: what it remembers of an earlier time may be old"""
    _followed: dict[str, int] = field(default_factory=dict)
    _tried: dict[str, int] = field(default_factory=dict)
    """name -> last fetch of this process: one that failed before any model was known leaves nothing in the store"""

    _automatic: bool = field(init=False)
    """whether nobody has said what to follow"""

    def __post_init__(self) -> None:
        self._automatic = not self.names

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until told to stop. What goes wrong in one turn is logged and the next one is tried."""
        log.info("poller starts", leadership=self.store.state)
        while not stop.is_set():
            try:
                wait = await self.turn()
            except StoreBusy as error:
                log.warning("not polled", reason=str(error))
                wait = float(STANDBY_SECONDS)
            except StoreError as error:
                log.error("poll failed", reason=str(error))
                wait = float(LOOK_SECONDS)
            except Exception:
                log.exception("poll failed")
                wait = float(LOOK_SECONDS)
            if wait > 0:
                try:
                    await asyncio.wait_for(stop.wait(), wait)
                except TimeoutError:
                    pass

    async def once(self) -> list[Fetch]:
        """Fetch every followed name once that the rows left can pay for."""
        self.store.must_lead()
        await self._begin()
        if not self.names:
            await self._choose(await self._look())
        fetches: list[Fetch] = []
        for name in self.names:
            look = await self._look()
            current = self._plan(look)
            if current.rows_left <= 0 or look.now < self._closed_until:
                break
            fetches.append(await self._fetch(name, look, current))
        await self._publish(await self._look())
        return fetches

    async def turn(self) -> float:
        """Fetch what is due, if anything; returns the seconds to wait before the next turn. Only the leader fetches."""
        if not self.store.leads():
            return float(STANDBY_SECONDS)
        if self.store.epoch != self._epoch:
            await self._begin()
        look = await self._look()
        if self._automatic and (not self.names or self._survey_is_due(look.now)):
            await self._choose(look)
        current = await self._publish(look)
        intervals = current.intervals
        if self.probes is not None:
            await self.probes.read(look.now, look.rows)
            intervals = self.probes.hasten(intervals)
        next_up = due(
            current.demands,
            intervals,
            self._last(look),
            now=look.now,
            rows_left=current.rows_left,
            closed_until=self._closed_until,
        )
        if next_up is None:
            return float(LOOK_SECONDS)
        if next_up.at > look.now:
            return await self._probe(look, current, float(min(next_up.at - look.now, LOOK_SECONDS)))
        await self._fetch(next_up.vast_name, look, current)
        return 0.0

    async def _fetch(self, name: str, look: Look, current: Plan) -> Fetch:
        now = look.now
        seen = [row.name for row in look.rows if row.vast_name == name]
        interval = current.intervals.get(name, self.wish)
        self.store.must_lead()
        account = RowAccount(self.store, now // DAY)
        fetch = await self.source.fetch(
            name,
            at=now,
            interval=interval,
            models=seen or models_of(name),
            max_rows=current.rows_left,
            reserve=account.reserve,
        )
        self._tried[name] = now
        if self._wrongly_dated(fetch):
            return await self._discard(fetch, account)
        await self._set_right(look)
        await self._heed(fetch)
        cost = Cost(name, fetch.rows, fetch.requests, fetch.dropped, account.reserved)
        round_ = await self.collector.record(now, fetch.polls, cost)
        if not seen:
            self._followed = {}  # the store knows the name only now: what is followed must be said again
        self._report(fetch, round_)
        return fetch

    async def _probe(self, look: Look, current: Plan, wait: float) -> float:
        """Make a probe if one is due now that no poll is; gives the seconds to wait, at most ``wait``."""
        if self.probes is None or look.now < self._closed_until or current.rows_left <= 0:
            return wait
        budget = allowance(self.budget, self._learned)
        watch, pause = self.probes.due(look.now, budget)
        if watch is None:
            return min(wait, pause)
        self.store.must_lead()
        account = RowAccount(self.store, look.now // DAY, probes_share=row_share(budget))
        answer = await self.probes.ask(watch.query, at=look.now, max_rows=current.rows_left, reserve=account.reserve)
        if self._wrongly_dated(answer.fetch):
            await self._discard(answer.fetch, account)
            return 0.0
        await self._heed(answer.fetch)
        await self.probes.record(watch, answer, account, look.now)
        return 0.0

    def _wrongly_dated(self, fetch: Fetch) -> bool:
        return fetch.clock_skew is not None and not self.clock.witness(self.clock() + fetch.clock_skew)

    async def _heed(self, fetch: Fetch) -> None:
        """Keep to what the market has said of its limits."""
        self._closed_until = max(self._closed_until, fetch.closed_until)
        self._refused_until = max(self._refused_until, fetch.quota_reset_at or 0)
        if fetch.learned_limit is not None:
            self._learned = fetch.learned_limit
            async with self.store.writer() as writer:
                await writer.learn_limit(fetch.at // DAY, fetch.learned_limit)

    async def _discard(self, fetch: Fetch, account: RowAccount) -> Fetch:
        """Store nothing of a fetch that a wrong clock dated but the rows it cost, on the day that the market tells."""
        self._tried.clear()
        skew = round(fetch.clock_skew or 0)
        async with self.store.writer() as writer:
            await account.settle(writer, (fetch.at + skew) // DAY, rows=fetch.rows, requests=fetch.requests)
        log.warning("not stored: our clock was wrong", name=fetch.vast_name, skew_seconds=skew)
        return replace(fetch, polls=(), quality=Quality.FAILED, note="our clock was wrong")

    async def _set_right(self, look: Look) -> None:
        """Take out rounds that are dated ahead of now, once it is sure enough that they are wrong and not the clock."""
        if not look.hours_ahead:
            self._ahead_since = None
            return
        if self._ahead_since is None:
            self._ahead_since = look.now
            log.warning("stored rounds are dated ahead of now", hours=look.hours_ahead)
        known_for, few = look.now - self._ahead_since, look.hours_ahead <= FEW_HOURS
        patience = 0 if self.clock.confirmed else PATIENCE_SECONDS
        if (few and known_for >= patience) or (self.clock.confirmed and known_for >= LONG_PATIENCE_SECONDS):
            async with self.store.writer() as writer:
                removed = await writer.remove_ahead(look.now)
            self.collector.forget_all()
            log.warning("rounds dated ahead of now were taken out", **removed)

    def _report(self, fetch: Fetch, round_: Round) -> None:
        doubted = next((poll for poll in round_.polls if poll.quality is not fetch.quality), None)
        quality, note = (fetch.quality, fetch.note) if doubted is None else (doubted.quality, doubted.note)
        say = log.info if quality is Quality.COMPLETE else log.warning
        say(
            "polled",
            name=fetch.vast_name,
            quality=quality.value,
            offers=sum(len(poll.offers) for poll in fetch.polls),
            rows=fetch.rows,
            interruptions=len(round_.interruptions),
            **({"note": note} if note else {}),
        )

    async def _look(self) -> Look:
        """What the store says to its leader; the time is not before a last round that is only a moment ahead."""
        async with self.store.reader() as reader:
            if await reader.epoch() != self.store.epoch:
                raise StoreBusy("Another spotbot has become the leader.")
            now, last = self.clock(), await reader.last_round_at() or 0
            hours_ahead = await reader.hours_ahead(now) if last > now + TOLERANCE_SECONDS else 0
            now = now if hours_ahead else max(now, last)
            self._go_back(now)
            spent, _ = await reader.quota(now // DAY)
            return Look(now, tuple(await reader.models()), spent, hours_ahead)

    def _go_back(self, now: int) -> None:
        """Once time has gone back, forget waits that are dated by the time before: the source knows them by a timer."""
        if now < self._looked_at - TOLERANCE_SECONDS:
            self._closed_until = self._refused_until = 0
            self._surveyed_at = None if self._surveyed_at is None else min(self._surveyed_at, now)
        self._looked_at = now

    def _plan(self, look: Look) -> Plan:
        rows_left = allowance(self.budget, self._learned) - look.spent
        asked = {row.vast_name for row in look.rows if row.asked_at and row.asked_at >= look.now - ASKED_SECONDS}
        cost: dict[str, int] = defaultdict(int)
        for row in look.rows:
            cost[row.vast_name] = max(cost[row.vast_name], row.last_rows or 0)
        demands = tuple(Demand(name, cost[name], name in asked) for name in self.names)
        seconds_left = next_reset(look.now) - look.now
        intervals = plan(demands, rows_left=max(0, rows_left), seconds_left=seconds_left, wish=self.wish)
        return Plan(demands, intervals, rows_left)

    def _last(self, look: Look) -> dict[str, int]:
        last = {name: at for name, at in self._tried.items() if at <= look.now}
        for row in look.rows:
            if row.last_poll_at is not None and row.last_poll_at <= look.now:
                last[row.vast_name] = max(row.last_poll_at, last.get(row.vast_name, 0))
        return last

    async def _publish(self, look: Look) -> Plan:
        """The plan, told to the store: what is followed and how often, and when there are rows again."""
        current = self._plan(look)
        await self._note_followed(current, look)
        await self._note_spent(current, look)
        return current

    async def _note_followed(self, current: Plan, look: Look) -> None:
        """Tell the store what is followed: answers judge staleness by it. What no rows are left for waits its turn.

        Once all rows are spent the intervals stay what they were: the data are late then, however well that is known.
        """
        before = {row.vast_name: row.interval for row in look.rows if row.followed} if current.spent else {}
        names = [demand.vast_name for demand in current.demands]
        followed = {name: current.intervals.get(name, before.get(name, LONGEST)) for name in names}
        if _much_the_same(followed, self._followed):
            return
        async with self.store.writer() as writer:
            await writer.set_followed(followed)
        self._followed = followed

    async def _begin(self) -> None:
        """Begin as a new leader, from what is stored: another one may have polled since this process did."""
        epoch = self.store.epoch
        await self._recall()
        self.collector.forget_all()
        if self.probes is not None:
            self.probes.forget()
        self._followed = {}
        self._epoch = epoch
        self.begun()

    async def _note_spent(self, current: Plan, look: Look) -> None:
        """Tell the store when there are rows again, if none are left."""
        refused = self._refused_until if self._refused_until > look.now else None
        until = refused or (next_reset(look.now) if current.spent else None)
        if until != self._spent_until:
            async with self.store.writer() as writer:
                await writer.note_spent(look.now // DAY, until)
            self._spent_until = until

    async def _recall(self) -> None:
        """What earlier runs learnt about the market's limit and what there is to follow."""
        today = self.clock() // DAY
        async with self.store.reader() as reader:
            limits = [(await reader.quota(today - n))[1] for n in range(LEARNED_DAYS)]
            self._surveyed_at = await reader.last_survey_at()
            self._spent_until = await reader.spent_until(self.clock())
        if limits[0] is not None and self._spent_until is not None:  # the market refused today, and would again
            self._refused_until = self._spent_until
            self._closed_until = max(self._closed_until, self._spent_until)
        self._learned = next((limit for limit in limits if limit is not None), self._learned)

    def _survey_is_due(self, now: int) -> bool:
        """Whether what was chosen by a survey may have changed since."""
        return self._surveyed_at is not None and now - self._surveyed_at >= DAY

    async def _choose(self, look: Look) -> None:
        """Choose what to follow when nobody has said: by what is stored, and once a day by a look over the market."""
        counts = {row.vast_name: row.last_rows or row.offers for row in look.rows}
        rows_left = self._plan(look).rows_left
        if self.survey is not None and look.now >= self._closed_until and rows_left > 0:
            counts = {**await self._survey(self.survey, look.now, rows_left), **counts}
        if counts:
            self.names = busiest(counts, allowance(self.budget, self._learned))
            log.info("following", names=len(self.names))

    async def _survey(self, survey: SurveyCall, now: int, rows_left: int) -> Mapping[str, int]:
        """Rows by name of one look over the whole market, unless there was one within a day."""
        if self._surveyed_at is not None and 0 <= now - self._surveyed_at < DAY:
            return {}
        self.store.must_lead()
        account = RowAccount(self.store, now // DAY)
        found = await survey(at=now, max_rows=rows_left, reserve=account.reserve)
        self._closed_until = max(self._closed_until, found.fetch.closed_until)
        self._learned = found.fetch.learned_limit or self._learned
        async with self.store.writer() as writer:
            await writer.add_quota(account.day, found.fetch.rows - account.reserved)
            if found.rows_by_name:
                await writer.note_survey(now)
                self._surveyed_at = now
        return found.rows_by_name


def _much_the_same(plan: Mapping[str, int], published: Mapping[str, int]) -> bool:
    """Whether a plan is what was published but for small changes: it moves by a second with every look."""
    return plan.keys() == published.keys() and all(
        abs(interval - published[name]) <= PUBLISHED_WITHIN * published[name] for name, interval in plan.items()
    )
