"""What is due is told once, over restarts and changed clocks; a dashboard stays one message. On both databases."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass

import pytest

from bot.alerts.stopped import STOPPED, tell_creators
from bot.outbox.dispatch import DispatchOptions, OutboxDispatcher
from bot.outbox.drafts import Draft, Rendered
from bot.outbox.outcomes import Outcomes
from bot.outbox.sender import Ambiguous, Rejected, Sender
from bot.presentation.card import Card
from bot.schedules.delivered import follow_dashboard
from bot.schedules.producing import A_SECOND, dashboard_message, produce, removal, topic_of
from bot.schedules.specs import DashboardSpec, DigestSpec, Spec, dump
from bot.store.alerts import Owner
from bot.store.engine import Store
from bot.store.schedules import ScheduleRow, schedule
from tests.fakes.channel import EditableChannel
from tests.fakes.polling import HandClock
from tests.fakes.sending import ScriptedSender

DAY, HOUR = 86_400, 3600
NEW_YORK, SAO_PAULO = "America/New_York", "America/Sao_Paulo"


def utc(text: str, zone: str = "UTC") -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=zoneinfo.ZoneInfo(zone)).timestamp())


@dataclass
class House:
    """A store, the job and the outbox, each made anew with ``restart``."""

    store: Store
    clock: HandClock
    sender: Sender
    outbox: OutboxDispatcher | None = None

    def restart(self) -> None:
        """Another process takes over: nothing is left but what is stored."""
        options = DispatchOptions(
            outcomes=Outcomes(spread=lambda: 0.0), on_disabled=tell_creators, on_outcome=follow_dashboard
        )
        senders = {"slack": self.sender, "discord": self.sender}
        self.outbox = OutboxDispatcher(self.store, senders, self.render, self.clock, options)

    async def render(self, draft: Draft) -> Rendered:
        said = f"{draft.events[0].kind} of {dict(draft.events[0].payload)} at {self.clock()}"
        return Rendered(Card("", said), pin=draft.events[0].kind == "dashboard")

    async def add(self, spec: Spec, *, team: str = "T1", channel: str = "C1", platform: str = "slack") -> int:
        kind = "dashboard" if isinstance(spec, DashboardSpec) else "digest"
        async with self.store.writer() as writer:
            to = await writer.outbox.destination(platform, team, channel=channel)
            due_at = spec.next_after(self.clock(), self.clock())
            id_ = await writer.schedules.create(
                Owner(platform, "", team, "U1"), to, kind, dump(spec), due_at, self.clock()
            )
            row = await writer.schedules.by_id(id_)
            assert row is not None
            if kind == "dashboard":
                await writer.outbox.add([dashboard_message(row, self.clock(), "post", useful=300)], self.clock())
        return id_

    async def look(self, seconds: int = 5) -> None:
        """Time passes; the job looks, and the outbox sends."""
        self.clock.pass_(seconds)
        async with self.store.writer() as writer:
            await produce(writer, self.clock())
        assert self.outbox is not None
        await self.outbox.drain()

    async def until(self, second: int, *, every: int = 60) -> None:
        while self.clock() < second:
            await self.look(min(every, second - self.clock()))

    async def row(self, id_: int) -> ScheduleRow | None:
        async with self.store.reader() as reader:
            return await reader.schedules.by_id(id_)

    async def states(self, id_: int) -> list[str]:
        async with self.store.reader() as reader:
            return [f"{one.action} {one.state}" for one in await reader.outbox.topic(topic_of(id_))]


def house_of(store: Store, begin: int, sender: Sender) -> House:
    found = House(store, HandClock(begin), sender)
    found.restart()
    return found


def times(sender: ScriptedSender, zone: str) -> list[str]:
    """When digests arrived, by the clock on the wall."""
    seconds = [int(message.card.lead.rsplit(" ", 1)[1]) for message in sender.delivered]
    return [dt.datetime.fromtimestamp(at, zoneinfo.ZoneInfo(zone)).strftime("%m-%d %H:%M") for at in seconds]


@pytest.mark.parametrize(
    ("zone", "begin", "days"),
    [
        (NEW_YORK, "2026-03-06T12:00", ["03-07 09:00", "03-08 09:00", "03-09 09:00"]),
        (NEW_YORK, "2026-10-30T12:00", ["10-31 09:00", "11-01 09:00", "11-02 09:00"]),
        (SAO_PAULO, "2026-10-30T12:00", ["10-31 09:00", "11-01 09:00", "11-02 09:00"]),
        (SAO_PAULO, "2018-11-02T12:00", ["11-03 09:00", "11-04 09:00", "11-05 09:00"]),
    ],
)
async def test_a_digest_comes_at_nine_on_each_day_though_the_clock_is_changed(
    store: Store, zone: str, begin: str, days: list[str]
) -> None:
    sender = ScriptedSender()
    house = house_of(store, utc(begin, zone), sender)
    id_ = await house.add(DigestSpec(zone=zone))
    for day in days:
        nine = utc(f"{begin[:4]}-{day.replace(' ', 'T')}", zone)
        house.clock.pass_(nine - 1 - house.clock())  # 08:59:59
        await house.look(0)
        house.restart()
        await house.look(2)  # 09:00:01
        house.restart()
        await house.look(0)
        await house.look(HOUR)
    assert times(sender, zone) == days
    assert await house.states(id_) == ["post delivered"] * len(days)


async def test_many_looks_at_nine_tell_it_once(store: Store) -> None:
    sender = ScriptedSender()
    house = house_of(store, utc("2026-11-27T12:00"), sender)
    await house.add(DigestSpec())
    house.clock.pass_(utc("2026-11-28T08:59:50") - house.clock())
    for _ in range(40):
        house.restart()
        await house.look(1)
    assert len(sender.delivered) == 1


@pytest.mark.parametrize(("down", "told"), [(5 * HOUR, 1), (7 * HOUR, 0), (2 * DAY + 5 * HOUR, 1)])
async def test_after_an_outage_the_last_one_is_told_if_it_is_worth_telling(store: Store, down: int, told: int) -> None:
    sender = ScriptedSender()
    house = house_of(store, utc("2026-11-27T10:00"), sender)
    id_ = await house.add(DigestSpec())
    house.clock.pass_(utc("2026-11-28T09:00") - house.clock() + down)
    await house.look()
    assert len(sender.delivered) == told
    await house.until(house.clock() // DAY * DAY + DAY + 9 * HOUR, every=HOUR)
    row = await house.row(id_)
    assert (len(sender.delivered), row and row.due_at) == (told + 1, house.clock() + DAY)


async def test_the_next_digest_tells_of_the_time_since_the_last_that_was_told(store: Store) -> None:
    house = house_of(store, utc("2026-11-27T10:00"), ScriptedSender())
    id_ = await house.add(DigestSpec())
    await house.until(utc("2026-11-28T09:00"), every=HOUR)
    house.clock.pass_(DAY + 7 * HOUR)  # that of the 29th is not told any more
    await house.until(utc("2026-11-30T09:00"), every=HOUR)
    async with store.reader() as reader:
        told = [message.payload for message in await reader.outbox.topic(topic_of(id_))]
    first, second = utc("2026-11-28T09:00"), utc("2026-11-30T09:00")
    assert told == [
        {"schedule": id_, "since": None, "at": first},
        {"schedule": id_, "since": first, "at": second},
    ]


async def test_five_hundred_digests_begin_by_turns(store: Store) -> None:
    house = house_of(store, utc("2026-11-27T10:00"), ScriptedSender())
    for n in range(500):
        await house.add(DigestSpec(), team=f"T{n}")
    house.clock.pass_(utc("2026-11-28T09:00") - house.clock())
    async with store.writer() as writer:
        assert await produce(writer, house.clock()) == 500
    async with store.reader() as reader:
        found = [(await reader.outbox.topic(topic_of(id_)))[0].due_at - house.clock() for id_ in range(1, 501)]
    assert sorted(found) == [n // A_SECOND for n in range(500)]
    assert max(found) < 600


async def test_a_dashboard_is_one_message_over_a_day_and_a_restart(store: Store) -> None:
    channel = EditableChannel()
    house = house_of(store, utc("2026-11-27T10:03:07"), channel)
    id_ = await house.add(DashboardSpec("cost", every=HOUR))
    await house.look()
    for hour in range(24):
        if hour == 11:
            house.restart()
        await house.look(HOUR)
    assert (channel.posts, len(channel.edits), set(channel.shown), channel.pinned) == (1, 24, {"m1"}, {"m1"})
    assert str(house.clock()) in channel.shown["m1"]
    row = await house.row(id_)
    assert row is not None
    assert row.due_at == house.clock() + HOUR - 5  # in step with when it began


async def test_a_standstill_of_the_platform_leaves_one_edit_not_many(store: Store) -> None:
    channel = EditableChannel()
    house = house_of(store, utc("2026-11-27T10:00"), channel)
    id_ = await house.add(DashboardSpec("market"))
    await house.look()
    channel.refuses = Ambiguous("reset")
    await house.until(house.clock() + 2 * HOUR)
    channel.refuses = None
    await house.until(house.clock() + 700)
    assert (channel.posts, set(channel.shown)) == (1, {"m1"})
    assert len(channel.edits) <= 4
    assert "queued" not in " ".join((await house.states(id_))[:-1])


async def test_a_message_that_somebody_deleted_ends_it(store: Store) -> None:
    channel = EditableChannel()
    house = house_of(store, utc("2026-11-27T10:00"), channel)
    id_ = await house.add(DashboardSpec("market"))
    await house.until(house.clock() + 900)
    channel.shown.clear()
    await house.until(house.clock() + DAY, every=300)
    assert (channel.posts, channel.shown, await house.row(id_)) == (1, {}, None)
    async with store.reader() as reader:
        (act,) = await reader.audit.of("slack", "T1", f"dashboard/{await _name(store, id_)}")
    assert (act.action, act.details) == ("end", {"reason": "its message was deleted"})


async def _name(store: Store, id_: int) -> str:
    async with store._site.read.connect() as conn:
        rows = await conn.execute(schedule.select().where(schedule.c.id == id_))
        return str(rows.one().public_id)


async def test_where_edits_are_refused_it_is_posted_anew_once_a_day_at_most(store: Store) -> None:
    channel = EditableChannel()
    house = house_of(store, utc("2026-11-27T10:00"), channel)
    await house.add(DashboardSpec("market"))
    await house.until(house.clock() + HOUR)
    channel.refuses_edits = True
    await house.until(house.clock() + 3 * DAY, every=300)
    assert channel.posts == 4
    assert set(channel.shown) == {"m4"}
    channel.refuses_edits = False
    await house.until(house.clock() + HOUR + 300)
    assert (channel.posts, channel.edits[-1][0]) == (4, "m4")


async def test_what_may_be_there_is_not_posted_again_within_a_day(store: Store) -> None:
    channel = EditableChannel(refuses=Ambiguous("the answer was lost"))
    house = house_of(store, utc("2026-11-27T10:00"), channel)
    await house.add(DashboardSpec("market"))
    await house.until(house.clock() + HOUR)
    channel.refuses = None
    await house.until(house.clock() + 20 * HOUR, every=300)
    assert channel.posts == 0
    await house.until(house.clock() + 5 * HOUR, every=300)
    assert channel.posts == 1


async def test_a_post_that_was_refused_comes_with_the_next_look(store: Store) -> None:
    channel = EditableChannel(refuses=Rejected("a fault of ours"))
    house = house_of(store, utc("2026-11-27T10:00"), channel)
    await house.add(DashboardSpec("market"))
    await house.look()
    channel.refuses = None
    await house.until(house.clock() + 600)
    assert (channel.posts, len(channel.shown)) == (1, 1)


async def test_one_that_is_turned_off_while_it_is_posted_is_taken_out_again(store: Store) -> None:
    channel = EditableChannel()
    house = house_of(store, utc("2026-11-27T10:00"), channel)
    id_ = await house.add(DashboardSpec("market"))
    post = channel.send

    async def off_meanwhile(message: object) -> object:
        if channel.posts == 0:
            async with store.writer() as writer:
                await writer.schedules.end(id_, house.clock(), "turned off")
                await writer.outbox.cancel(topic_of(id_), house.clock())
        return await post(message)  # type: ignore[arg-type]

    channel.send = off_meanwhile  # type: ignore[method-assign, assignment]
    await house.until(house.clock() + 600)
    assert (channel.posts, channel.shown) == (1, {})


async def test_an_archived_channel_tells_its_owner_and_rests(store: Store) -> None:
    channel = EditableChannel()
    house = house_of(store, utc("2026-11-27T10:00"), channel)
    ids = [await house.add(DashboardSpec("market")), await house.add(DigestSpec())]
    await house.look()
    channel.refuses = Rejected("is_archived", gone=True)
    await house.until(house.clock() + HOUR)
    channel.refuses = None
    await house.until(house.clock() + DAY, every=300)
    told = [text for text in channel.shown.values() if text.startswith(STOPPED)]
    assert len(told) == 1
    assert all(one in told[0] for one in ("is_archived", "'dashboard'", "'digest'"))
    assert len(channel.edits) == 0
    assert len(await house.states(ids[0])) <= 3  # nothing is queued where nothing goes
    assert [row and row.stopped for row in [await house.row(id_) for id_ in ids]] == ["is_archived"] * 2
    async with store.writer() as writer:
        row = await writer.schedules.by_id(ids[0])
        assert row is not None
        await writer.outbox.enable(row.destination_id)
    await house.until(house.clock() + 600)
    assert {message for message, _ in channel.edits} == {"m1"}


async def test_a_team_that_leaves_is_told_nothing_more(store: Store) -> None:
    house = house_of(store, utc("2026-11-27T10:00"), EditableChannel())
    for team in ("T1", "T2"):
        await house.add(DashboardSpec("market"), team=team)
        await house.add(DigestSpec(), team=team)
    async with store.writer() as writer:
        await writer.forget_team("slack", "T1")
    async with store._site.read.connect() as conn:
        left = {row.team for row in await conn.execute(schedule.select())}
    assert left == {"T2"}
    await house.until(house.clock() + DAY, every=HOUR)


async def test_a_clock_that_ran_ahead_puts_nothing_off(store: Store) -> None:
    sender = ScriptedSender()
    house = house_of(store, utc("2026-11-27T10:00"), sender)
    await house.add(DigestSpec())
    house.clock.pass_(400 * DAY - HOUR)
    await house.look()
    assert len(sender.delivered) == 1
    house.clock = HandClock(house.clock() - 400 * DAY)
    house.restart()
    async with store.writer() as writer:
        await writer.remove_ahead(house.clock())
    await house.until(utc("2026-11-28T09:00:05"), every=HOUR)
    assert len(sender.delivered) == 2


async def test_removals_and_edits_of_what_nobody_saw_are_not_sent(store: Store) -> None:
    channel = EditableChannel()
    house = house_of(store, utc("2026-11-27T10:00"), channel)
    id_ = await house.add(DashboardSpec("market"))
    row = await house.row(id_)
    assert row is not None
    async with store.writer() as writer:
        await writer.outbox.cancel(topic_of(id_), house.clock())
        (post,) = await writer.outbox.topic(topic_of(id_))
        await writer.outbox.add([removal(row.destination_id, id_, post.identity)], house.clock())
        await writer.outbox.add([removal(row.destination_id, id_, "unknown")], house.clock())
    await house.look()
    assert (channel.posts, channel.shown) == (0, {})
