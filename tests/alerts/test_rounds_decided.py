"""From real rounds to stored states and messages, on either database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analytics.market import DAY, HOUR, Poll, Quality, Round
from bot.alerts.engine import THREAD_S, evaluate, pass_time
from bot.alerts.quiet import Quiet
from bot.alerts.rules import PPM, Direction, Kind, Metric
from bot.alerts.state import Status, snoozed
from bot.polling.rounds import Collector
from bot.store.engine import Store
from bot.store.writer import Writer
from tests.fakes.alerting import MODEL, OTHER, OWNER, START, STEP, book, market, rule

LOW, HIGH = 300_000, 400_000
FIRE, RESOLVE = ("fire", "post"), ("resolve", "edit")


async def test_it_fires_once_after_two_readings_and_resolving_edits_the_message(store: Store) -> None:
    market_ = await market(store)
    alert = await market_.add(rule())
    await market_.prices(HIGH, LOW)
    assert await market_.told(alert) == []
    await market_.prices(LOW, LOW, LOW)
    assert await market_.told(alert) == [FIRE]
    await market_.prices(351_000, HIGH, HIGH)
    assert await market_.told(alert) == [FIRE, RESOLVE]
    fire, resolve = await market_.messages(alert)
    assert (resolve.refers_to, fire.batch, resolve.batch) == (fire.identity, START + 3 * STEP, None)
    assert fire.payload["event"]["value"] == LOW
    assert fire.payload["alert"] == alert


async def test_a_second_episode_answers_in_the_thread_of_the_first_and_a_late_one_is_news(store: Store) -> None:
    market_ = await market(store)
    alert = await market_.add(rule())
    await market_.prices(LOW, LOW, HIGH, LOW, LOW, HIGH, LOW, LOW, HIGH)
    first, _, second, _, third, _ = await market_.messages(alert)
    assert [m.action for m in (first, second, third)] == ["post", "thread", "thread"]
    assert second.refers_to == third.refers_to == first.identity
    await market_.poll(LOW, after=THREAD_S)
    await market_.prices(LOW)
    assert (await market_.told(alert))[-1] == FIRE


async def test_the_thread_is_that_of_the_last_fire_that_was_told(store: Store) -> None:
    market_ = await market(store)
    alert = await market_.add(rule(readings=1, min_interval=1500))
    await market_.prices(LOW, HIGH, LOW, HIGH, HIGH, HIGH, LOW)
    first, _, third = await market_.messages(alert)
    assert third.payload["event"]["suppressed"] == 1
    assert (third.identity.split("/")[-2:], third.action, third.refers_to) == (["3", "fire"], "thread", first.identity)


async def test_a_fire_after_a_notice_alone_begins_no_thread(store: Store) -> None:
    market_ = await market(store)
    alert = await market_.add(rule(readings=1))
    await market_.prices(LOW, HIGH)
    await market_.wait(THREAD_S)
    await market_.poll(HIGH)
    await market_.poll(LOW)
    assert await market_.told(alert) == [FIRE, RESOLVE, ("no_data", "post"), FIRE]


async def test_a_reminder_answers_in_the_thread(store: Store) -> None:
    market_ = await market(store)
    alert = await market_.add(rule(repeat_seconds=2 * STEP))
    await market_.prices(LOW, LOW, LOW, LOW, LOW, HIGH)
    assert await market_.told(alert) == [FIRE, ("repeat", "thread"), RESOLVE]
    fire, reminder, _ = await market_.messages(alert)
    assert reminder.refers_to == fire.identity


@pytest.mark.parametrize(
    "bad",
    [
        {"quality": Quality.FAILED, "offers": ()},
        {"quality": Quality.CAPPED},
        {"quality": Quality.SUSPECT},
        {"offers": ()},
        {"offers": book(LOW, machines=2)},
        {"offers": book(10 * HIGH)},
    ],
    ids=["failed", "capped", "suspect", "empty", "collapsed", "garbage"],
)
async def test_what_is_not_a_complete_poll_changes_nothing(store: Store, bad: dict[str, Any]) -> None:
    market_ = await market(store)
    waiting, firing = await market_.add(rule()), await market_.add(rule(Kind.ABOVE, 390_000))
    none_left = await market_.add(rule(Kind.AVAILABLE, 1))
    await market_.prices(HIGH, HIGH)
    alerts = (waiting, firing, none_left)
    before = [(await market_.state(alert), await market_.told(alert)) for alert in alerts]
    assert [told for _, told in before] == [[], [FIRE], [FIRE]]
    for _ in range(2):
        await market_.poll(LOW, **bad)
    assert [(await market_.state(alert), await market_.told(alert)) for alert in alerts] == before


async def test_a_round_that_comes_again_changes_nothing(store: Store) -> None:
    market_ = await market(store)
    alert = await market_.add(rule())
    await market_.prices(LOW, LOW)
    state, told = await market_.state(alert), await market_.messages(alert)
    poll = Poll(MODEL, market_.at, Quality.COMPLETE, book(LOW), STEP)
    await Collector(store, on_round=evaluate).record(market_.at, [poll])
    async with store.writer() as writer:
        round_ = Round(market_.at, (poll,), {}, ())
        await evaluate(writer, round_)
        await evaluate(writer, replace(round_, at=market_.at - STEP))
    assert (await market_.state(alert), await market_.messages(alert)) == (state, told)


async def test_a_round_that_is_undone_leaves_neither_state_nor_message(store: Store) -> None:
    market_ = await market(store)
    alert = await market_.add(rule())
    await market_.prices(LOW)
    state = await market_.state(alert)

    async def fails(writer: Writer, round_: Round) -> None:
        await evaluate(writer, round_)
        assert await writer.outbox.counts() == {"queued": 1}
        raise OSError("the disk is full")

    polls = [Poll(MODEL, market_.at + STEP, Quality.COMPLETE, book(LOW), STEP)]
    with pytest.raises(OSError, match="full"):
        await Collector(store, on_round=fails).record(market_.at + STEP, polls)
    assert (await market_.state(alert), await market_.told(alert)) == (state, [])
    await market_.prices(LOW)
    assert await market_.told(alert) == [FIRE]


async def test_rules_on_a_region_and_on_a_group_of_regions(store: Store) -> None:
    market_ = await market(store)
    floor = {"metric": Metric.FLOOR, "readings": 1}
    north = await market_.add(rule(region="EU-North", readings=1))
    europe, america = [await market_.add(rule(region=region, **floor)) for region in ("EU-*", "US-*")]
    six, seven = [await market_.add(rule(Kind.AVAILABLE, n, region="EU-*", readings=1)) for n in (6, 7)]
    nothing = await market_.add(rule(Kind.AVAILABLE, 1, region="Asia-*", readings=1))
    cheap_west = [replace(offer, min_bid=LOW) if offer.region == "EU-West" else offer for offer in book(HIGH)]
    await market_.poll(offers=tuple(cheap_west))
    alerts = (north, europe, america, six, seven, nothing)
    assert [await market_.told(alert) for alert in alerts] == [[], [FIRE], [], [FIRE], [], []]
    [said] = await market_.messages(six)
    assert said.payload["event"]["value"] == 6
    await market_.poll(offers=book(HIGH, regions=("US-East",)))
    assert await market_.told(six) == [FIRE, RESOLVE]
    assert await market_.told(europe) == [FIRE], "nothing on offer has no price"


async def test_rules_on_the_floor_and_on_the_price_on_demand(store: Store) -> None:
    market_ = await market(store)
    floor, current = [await market_.add(rule(metric=m, readings=1)) for m in (Metric.FLOOR, Metric.CURRENT)]
    demand = await market_.add(rule(Kind.BELOW, 700_000, metric=Metric.ON_DEMAND, readings=1))
    one = (replace(book(HIGH)[0], min_bid=LOW), *book(HIGH)[1:])
    await market_.poll(offers=one)
    assert [await market_.told(alert) for alert in (floor, current, demand)] == [[FIRE], [], []]
    await market_.poll(offers=tuple(replace(offer, on_demand=690_000) for offer in one))
    assert [await market_.told(alert) for alert in (floor, current, demand)] == [[FIRE], [], [FIRE]]


async def test_a_drop_is_measured_against_the_last_price_before_its_window(store: Store) -> None:
    market_ = await market(store)
    drop = await market_.add(rule(Kind.DROPS, 900_000, window=HOUR, readings=1))
    rise = await market_.add(rule(Kind.RISES, 1_100_000, window=HOUR, readings=1))
    await market_.prices(*[HIGH] * 10)
    await market_.prices(360_001)
    assert await market_.told(drop) == []
    await market_.prices(359_999)
    [said] = await market_.messages(drop)
    assert (said.payload["event"]["value"], await market_.told(rise)) == (899_998, [])
    await market_.prices(*[359_999] * 12)
    assert await market_.told(drop) == [FIRE, RESOLVE], "an hour later it is the usual price"
    await market_.prices(396_000)
    assert await market_.told(rise) == [FIRE]


async def test_without_history_a_change_and_a_low_say_nothing(store: Store) -> None:
    market_ = await market(store)
    alerts = [await market_.add(rule(Kind.DROPS, 900_000, window=24 * HOUR, readings=1))]
    alerts.append(await market_.add(rule(Kind.NEW_LOW, PPM, window=DAY, readings=1)))
    await market_.prices(HIGH, LOW, LOW)
    assert [await market_.told(alert) for alert in alerts] == [[], []]


async def test_a_new_low_is_below_the_hours_before_this_one(store: Store) -> None:
    market_ = await market(store)
    alert = await market_.add(rule(Kind.NEW_LOW, PPM, window=DAY))
    for _ in range(24):
        await market_.poll(HIGH, after=HOUR)
    assert await market_.told(alert) == []
    await market_.prices(390_000, 390_000)
    [said] = await market_.messages(alert)
    assert said.payload["event"]["value"] == 975_000, "its own hour is not what it is compared with"


async def test_a_lack_of_data_is_told_once_and_again_only_after_data(store: Store) -> None:
    market_ = await market(store)
    waiting, firing = await market_.add(rule()), await market_.add(rule(Kind.ABOVE, 390_000))
    await market_.prices(HIGH, HIGH)
    await market_.wait(3 * STEP)
    assert await market_.told(waiting) == []
    for _ in range(5):
        await market_.wait(1)
    await market_.wait(20 * STEP)
    notice = ("no_data", "post")
    assert (await market_.told(waiting), await market_.told(firing)) == ([notice], [FIRE, notice])
    [said] = await market_.messages(waiting)
    assert said.payload["event"]["since"] == START + 2 * STEP
    assert (await market_.state(firing)).status is Status.FIRING, "it neither fires nor resolves"
    await market_.prices(HIGH)
    await market_.wait(3 * STEP)
    assert await market_.told(waiting) == [notice]
    await market_.wait(1)
    assert (await market_.told(waiting), await market_.told(firing)) == ([notice] * 2, [FIRE, notice, notice])


async def test_failed_polls_are_a_lack_of_data(store: Store) -> None:
    market_ = await market(store)
    alert = await market_.add(rule())
    for _ in range(4):
        await market_.poll(quality=Quality.FAILED, offers=())
        await market_.wait(0)
    assert await market_.told(alert) == [("no_data", "post")]


async def test_a_rule_that_has_expired_says_nothing(store: Store) -> None:
    market_ = await market(store)
    alert = await market_.add(rule(expires_at=START + 2 * STEP))
    await market_.prices(LOW, LOW, LOW)
    await market_.wait(20 * STEP)
    assert (await market_.told(alert), (await market_.state(alert)).ended) == ([], True)


async def test_what_expires_is_ended_by_the_time_alone(store: Store) -> None:
    market_ = await market(store)
    alert = await market_.add(rule(expires_at=START + 5))
    await market_.wait(4)
    assert not (await market_.state(alert)).ended
    await market_.wait(1)
    assert (await market_.state(alert)).ended


async def test_quiet_hours_hold_a_fire_and_the_end_tells_it(store: Store) -> None:
    market_ = await market(store)
    minute = START % DAY // 60
    quiet = Quiet(minute, minute + 12)
    held, over = await market_.add(rule(quiet=quiet)), await market_.add(rule(quiet=quiet, threshold=300_001))
    await market_.prices(LOW, LOW)
    assert await market_.told(held) == []
    await market_.wait(119)
    assert await market_.told(held) == []
    await market_.wait(1)
    assert await market_.told(held) == await market_.told(over) == [FIRE]


async def test_a_fire_that_is_over_before_the_quiet_hours_end_is_not_told(store: Store) -> None:
    market_ = await market(store)
    minute = START % DAY // 60
    alert = await market_.add(rule(quiet=Quiet(minute, minute + 20)))
    await market_.prices(LOW, LOW, HIGH, HIGH)
    await market_.wait(0)
    assert (await market_.told(alert), (await market_.state(alert)).suppressed) == ([], 1)


async def test_at_the_end_of_a_snooze_a_fire_that_waited_is_told(store: Store) -> None:
    market_ = await market(store)
    alert = await market_.add(rule())
    await market_.change(alert, snoozed(await market_.state(alert), START + 2 * STEP + 100))
    await market_.prices(LOW, LOW)
    await market_.wait(99)
    assert await market_.told(alert) == []
    await market_.wait(1)
    await market_.wait(1)
    assert await market_.told(alert) == [FIRE]


async def test_a_deleted_rule_is_silent(store: Store) -> None:
    market_ = await market(store)
    alert, kept = await market_.add(rule(expires_at=START + 30 * STEP)), await market_.add(rule())
    await market_.prices(LOW)
    async with store.writer() as writer:
        found = await writer.alerts.find(OWNER.platform, "", OWNER.team, alert)
        assert found is not None
        await writer.alerts.delete(found.id, market_.at)
    await market_.prices(LOW, HIGH)
    await market_.wait(40 * STEP)
    async with store.reader() as reader:
        assert await reader.outbox.topic(f"alert/{found.id}") == []
        assert await reader.outbox.counts() == {"queued": 3}
    assert len(await market_.told(kept)) == 3


async def test_a_rule_of_a_team_that_left_is_gone_with_its_messages(store: Store) -> None:
    market_ = await market(store)
    await market_.add(rule())
    theirs = await market_.add(rule(), owner=replace(OWNER, platform="discord"))
    await market_.prices(LOW, LOW)
    async with store.writer() as writer:
        await writer.outbox.forget_team(OWNER.platform, OWNER.team)
    await market_.prices(HIGH)
    await market_.wait(20 * STEP)
    async with store.reader() as reader:
        assert await reader.outbox.counts() == {"queued": 3}
        assert await reader.alerts.find("discord", "", OWNER.team, theirs) is not None


async def test_rules_of_other_models_are_not_touched(store: Store) -> None:
    market_ = await market(store, {MODEL: 0, OTHER: 0})
    other = await market_.add(rule(model=OTHER))
    state = await market_.state(other)
    await market_.prices(LOW, LOW)
    assert (await market_.told(other), await market_.state(other)) == ([], state)


async def test_while_nothing_is_heard_nothing_is_decided_again(store: Store) -> None:
    market_ = await market(store)
    minute = START % DAY // 60
    await market_.add(rule())
    await market_.add(rule(Kind.ABOVE, 390_000, repeat_seconds=STEP))
    await market_.add(rule(Kind.ABOVE, 390_000, quiet=Quiet(minute, minute + 120)))
    await market_.add(rule(Kind.ABOVE, 390_000, direction=Direction.ABOVE, min_interval=2 * HOUR))
    await market_.add(rule(Kind.ABOVE, 390_000, quiet=Quiet(minute, minute + 12)))
    await market_.prices(HIGH, HIGH)
    await market_.wait(4 * STEP)
    await market_.wait(1)
    for _ in range(3):
        market_.at += 1
        async with store.writer() as writer:
            silent = await writer.alerts.series([MODEL])
            assert await writer.alerts.due(market_.at, 9) == []
            assert await writer.alerts.unheard(silent, market_.at, 9) == []
            await pass_time(writer, market_.at)
    await market_.wait(2 * HOUR)
    async with store.reader() as reader:
        assert await reader.alerts.unheard(await reader.alerts.series([MODEL]), market_.at, 9) == []
