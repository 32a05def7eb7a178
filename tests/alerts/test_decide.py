from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.market import HOUR
from bot.alerts.decide import Decision, Event, EventKind, Reason, decide
from bot.alerts.explain import SENTENCES, explain
from bot.alerts.quiet import Quiet
from bot.alerts.rules import Direction, Kind, Measure, Rule, Series
from bot.alerts.state import Reading, State, Status, acknowledged, edited, initial, snoozed
from bot.alerts.wake import due_at, wake
from bot.show.words import Words

START = 1_790_000_000
STEP = 300
LOW, EDGE, BETWEEN, CLEAR = 340_000, 350_000, 356_999, 357_000
"""Below the threshold, exactly at it, not yet re-armed, re-armed."""
RULE = Rule(Kind.BELOW, Series("RTX 4090"), EDGE, created_at=START)
AT_ONCE = replace(RULE, readings=1)


@dataclass
class Life:
    """A rule as it lives through readings, one each ``STEP``."""

    rule: Rule
    at: int = START
    state: State = field(init=False)
    events: list[Event] = field(default_factory=list)
    reason: Reason = Reason.NO_READING

    def __post_init__(self) -> None:
        self.state = initial(self.rule)

    def reads(self, *values: int | None, step: int = STEP, **details: Any) -> list[EventKind]:
        """What is told of these values."""
        told: list[EventKind] = []
        for value in values:
            self.at += step
            told += self.take(decide(self.rule, self.state, Reading(self.at, value, STEP, **details), self.at))
        return told

    def waits(self, seconds: int) -> list[EventKind]:
        """What is told when time passes without a reading."""
        self.at += seconds
        return self.take(decide(self.rule, self.state, None, self.at))

    def take(self, decision: Decision) -> list[EventKind]:
        self.state, self.reason = decision.state, decision.reason
        self.events += decision.events
        return [event.kind for event in decision.events]


FIRE, REPEAT, RESOLVE, NO_DATA = [EventKind.FIRE], [EventKind.REPEAT], [EventKind.RESOLVE], [EventKind.NO_DATA]


def test_exactly_at_the_threshold_is_not_below() -> None:
    life = Life(RULE)
    assert life.reads(EDGE, EDGE, EDGE) == []
    assert (life.state.status, life.reason) == (Status.OK, Reason.NOT_MET)
    assert life.reads(EDGE - 1, EDGE - 1) == FIRE


def test_one_reading_is_not_enough_and_two_must_follow_each_other() -> None:
    life = Life(RULE)
    assert life.reads(CLEAR, LOW) == []
    assert (life.state.status, life.reason) == (Status.PENDING, Reason.MORE_READINGS)
    assert life.reads(EDGE, LOW) == []
    assert life.reads(LOW) == FIRE


def test_below_at_creation_fires_and_says_so() -> None:
    life = Life(RULE)
    assert life.reads(LOW, LOW) == FIRE
    assert life.events[0] == Event(EventKind.FIRE, 1, 1, life.at, LOW, START + STEP, already=True)
    later = Life(RULE)
    assert later.reads(CLEAR, LOW, LOW) == FIRE
    assert not later.events[0].already


def test_it_must_hold_as_long_as_is_asked() -> None:
    life = Life(replace(RULE, hold_seconds=3 * STEP))
    assert life.reads(LOW, LOW, LOW) == []
    assert life.reason is Reason.HOLDING
    assert life.reads(LOW) == FIRE


def test_a_lower_price_while_firing_is_no_news() -> None:
    life = Life(RULE)
    assert life.reads(LOW, LOW, LOW - 1, LOW - 100_000, LOW) == FIRE
    assert life.reason is Reason.FIRING


def test_it_resolves_only_beyond_the_margin_and_then_fires_anew() -> None:
    life = Life(AT_ONCE)
    assert life.reads(LOW, EDGE, BETWEEN, LOW) == FIRE
    assert life.reads(CLEAR) == RESOLVE
    assert life.reads(LOW) == FIRE
    assert [(event.episode, event.n) for event in life.events] == [(1, 1), (1, 2), (2, 1)]


def test_the_other_kinds_fire_and_resolve_on_their_own_side() -> None:
    above = replace(AT_ONCE, kind=Kind.ABOVE, direction=Direction.ABOVE)
    assert Life(above).reads(350_000, 350_001, 343_001, 343_000) == FIRE + RESOLVE
    gpus = Series("RTX 4090", measure=Measure.GPUS)
    available = replace(above, kind=Kind.AVAILABLE, series=gpus, threshold=8)
    assert Life(available).reads(7, 8, 8, 7) == FIRE + RESOLVE


def test_crossing_needs_the_other_side_first() -> None:
    life = Life(replace(AT_ONCE, kind=Kind.CROSSES))
    assert life.reads(LOW, LOW) == []
    assert life.reason is Reason.OTHER_SIDE_FIRST
    assert life.reads(EDGE, LOW) == FIRE
    up = Life(replace(AT_ONCE, kind=Kind.CROSSES, direction=Direction.ABOVE))
    assert up.reads(CLEAR, LOW, CLEAR) == FIRE


def test_repeats_come_when_asked_for_with_a_reading() -> None:
    life = Life(replace(AT_ONCE, repeat_seconds=HOUR))
    assert life.reads(*[LOW] * 12) == FIRE
    assert life.waits(STEP) == [], "time alone does not prove that it still holds"
    assert life.reads(LOW, step=0) == REPEAT
    assert life.reads(*[LOW] * 11) == []
    assert life.reads(BETWEEN) == REPEAT


def test_an_acknowledged_episode_is_not_repeated_but_the_next_one_is_told() -> None:
    life = Life(replace(AT_ONCE, repeat_seconds=STEP))
    assert life.reads(LOW) == FIRE
    life.state = acknowledged(life.state)
    assert life.reads(LOW, LOW, CLEAR, LOW) == RESOLVE + FIRE


def test_a_click_after_the_resolve_reopens_nothing() -> None:
    life = Life(AT_ONCE)
    life.reads(LOW, CLEAR)
    assert acknowledged(life.state) == life.state


def test_flapping_is_told_once_an_interval_and_the_next_message_counts_the_rest() -> None:
    life = Life(replace(AT_ONCE, min_interval=10 * STEP))
    assert life.reads(LOW, CLEAR, LOW, CLEAR, LOW) == FIRE + RESOLVE
    assert life.reason is Reason.TOO_SOON
    assert life.reads(CLEAR, LOW, LOW, LOW, LOW) == []
    assert life.reads(LOW) == FIRE
    assert life.events[-1].suppressed == 2
    assert life.events[-1].episode == 4


@given(st.lists(st.sampled_from([LOW, CLEAR]), max_size=100), st.integers(1, 400))
def test_messages_keep_their_distance(values: Sequence[int], step: int) -> None:
    life = Life(AT_ONCE)
    life.reads(*values, step=step)
    sent = [event.at for event in life.events if event.kind is not EventKind.RESOLVE]
    assert all(later - earlier >= RULE.min_interval for earlier, later in itertools.pairwise(sent))
    told = sum(event.kind is EventKind.FIRE for event in life.events)
    firing_untold = life.state.status is Status.FIRING and not life.state.told
    counted = life.state.suppressed + sum(event.suppressed for event in life.events)
    assert told + counted + firing_untold == life.state.episode, "no episode goes uncounted"


@pytest.mark.parametrize("at", [START + 3 * STEP, START + 2 * STEP, START + STEP, START - 1, 0, -5])
@pytest.mark.parametrize("value", [LOW, CLEAR, None])
@pytest.mark.parametrize("values", [[CLEAR] * 3, [CLEAR, CLEAR, LOW], [CLEAR, LOW, LOW]])
def test_older_and_replayed_readings_and_a_clock_put_back_change_nothing(
    values: list[int], value: int | None, at: int
) -> None:
    life = Life(RULE)
    life.reads(*values)
    for now in (life.at, at):
        assert decide(RULE, life.state, Reading(at, value, STEP), now) == Decision(life.state, Reason.NOT_NEWER)


def test_time_never_runs_behind_the_newest_reading() -> None:
    life = Life(replace(AT_ONCE, expires_at=START + 2 * STEP))
    fired = decide(life.rule, life.state, Reading(START + STEP, LOW, STEP), START - HOUR)
    assert [event.at for event in fired.events] == [START + STEP]
    ended = decide(life.rule, fired.state, Reading(START + 2 * STEP, CLEAR, STEP), START - HOUR)
    assert (ended.reason, ended.events) == (Reason.EXPIRED, ())
    assert decide(life.rule, ended.state, None, START - HOUR).reason is Reason.EXPIRED
    untold = replace(fired.state, told=False, last_at=START + 2 * STEP)
    assert decide(life.rule, untold, None, START - HOUR).reason is Reason.EXPIRED


def test_readings_from_before_the_rule_do_not_count() -> None:
    before = decide(AT_ONCE, initial(AT_ONCE), Reading(START - 1, LOW, STEP), START)
    assert (before.reason, before.events) == (Reason.NOT_NEWER, ())


def test_unusable_readings_neither_fire_nor_resolve_nor_count() -> None:
    life = Life(RULE)
    assert life.reads(CLEAR, LOW, None) == []
    assert life.reason is Reason.NOT_USABLE
    assert life.reads(LOW) == FIRE
    assert life.reads(CLEAR, believable=False) == []
    assert life.reads(None) == []
    late = Reading(life.at + 1, CLEAR, STEP)
    assert life.take(decide(RULE, life.state, late, late.at + 3 * STEP + 1)) == NO_DATA
    assert life.state.status is Status.FIRING


def test_silence_is_told_once_after_three_missed_readings() -> None:
    life = Life(AT_ONCE)
    assert life.reads(CLEAR, None, None, None) == []
    heard = START + STEP
    assert life.reads(None) == NO_DATA
    assert life.reason is Reason.NO_DATA
    assert life.events[-1].since == heard
    assert life.reads(*[None] * 50) == []
    assert life.reads(CLEAR, None, None, None, None, None) == NO_DATA


def test_a_series_that_never_was_heard_of_is_silent_since_the_rule_began() -> None:
    assert Life(RULE).reads(*[None] * 10) == NO_DATA


def test_a_rule_that_slept_is_told_when_its_series_was_heard() -> None:
    life = Life(RULE)
    life.reads(CLEAR)
    life.at += 100 * STEP
    assert life.reads(None, heard_at=life.at) == []
    assert life.reads(None, None, heard_at=life.at - STEP) == []
    assert life.reads(None) == NO_DATA


def test_a_condition_is_not_proven_by_a_gap() -> None:
    held = replace(RULE, hold_seconds=4 * STEP)
    life = Life(held)
    assert life.reads(LOW, LOW) == []
    assert life.reads(LOW, step=2 * STEP + 1) == []
    assert life.reason is Reason.MORE_READINGS
    assert life.reads(LOW, LOW, LOW) == []
    assert life.reads(LOW) == FIRE
    near = Life(held)
    assert near.reads(LOW) + near.reads(LOW, LOW, step=2 * STEP) == FIRE


def test_snoozed_nothing_is_sent_and_one_message_follows_if_it_still_fires() -> None:
    life = Life(replace(AT_ONCE, repeat_seconds=STEP))
    assert life.reads(LOW) == FIRE
    life.state = snoozed(life.state, life.at + 4 * STEP)
    assert life.reads(LOW, LOW, LOW) == []
    assert life.reason is Reason.SNOOZED
    assert life.reads(LOW) == REPEAT
    once = Life(AT_ONCE)
    once.reads(LOW)
    once.state = snoozed(acknowledged(once.state), once.at + 2 * STEP)
    assert once.reads(LOW, LOW, LOW, LOW) == REPEAT


def test_the_state_goes_on_while_snoozed() -> None:
    life = Life(AT_ONCE)
    life.reads(CLEAR)
    life.state = snoozed(life.state, life.at + 5 * STEP)
    assert life.reads(LOW, CLEAR, LOW, LOW) == []
    assert (life.state.episode, life.state.status) == (2, Status.FIRING)
    assert life.reads(LOW) == FIRE
    assert life.events[-1].suppressed == 1


def test_a_resolve_while_snoozed_edits_the_message_and_ends_the_matter() -> None:
    life = Life(AT_ONCE)
    life.reads(LOW)
    life.state = snoozed(life.state, life.at + 2 * STEP)
    assert life.reads(CLEAR, CLEAR, CLEAR) == RESOLVE


def _night() -> Life:
    midnight = int(dt.datetime(2026, 7, 1, tzinfo=ZoneInfo("America/New_York")).timestamp())
    rule = replace(AT_ONCE, quiet=Quiet(22 * 60, 8 * 60, "America/New_York"), created_at=midnight)
    return Life(rule, at=midnight)


def test_in_quiet_hours_the_fire_waits_for_their_end() -> None:
    life = _night()
    assert life.reads(CLEAR, LOW) == []
    assert life.reason is Reason.QUIET
    due = due_at(life.rule, life.state)
    assert due == life.rule.created_at + 8 * HOUR
    assert life.reads(*[LOW] * ((due - life.at) // STEP - 1)) == []
    assert life.waits(STEP - 1) == []
    assert life.waits(1) == FIRE
    assert life.events[-1].at == due


def test_a_fire_that_waits_is_not_told_of_old_data() -> None:
    life = _night()
    life.reads(LOW)
    assert life.waits(9 * HOUR) == []
    assert life.reads(LOW) == FIRE


def test_a_fire_that_ended_in_quiet_hours_is_dropped_with_its_resolve() -> None:
    life = _night()
    assert life.reads(LOW, CLEAR) == []
    assert life.reason is Reason.RESOLVED_UNTOLD
    assert life.waits(9 * HOUR) == []
    assert life.reads(LOW) == FIRE
    assert life.events[-1].suppressed == 1


def test_no_data_is_not_told_in_quiet_hours() -> None:
    life = _night()
    assert life.reads(CLEAR, *[None] * 90) == []
    assert life.reads(*[None] * 10) == NO_DATA


def test_an_expired_rule_says_nothing_more() -> None:
    life = Life(replace(AT_ONCE, expires_at=START + 2 * STEP))
    assert life.reads(LOW) == FIRE
    assert due_at(life.rule, life.state) == START + 2 * STEP
    assert life.reads(CLEAR, LOW, None) == []
    assert life.reason is Reason.EXPIRED
    assert (wake(life.rule, life.state), due_at(life.rule, life.state)) == ((None, None), None)


def test_an_edit_begins_a_new_episode() -> None:
    life = Life(AT_ONCE)
    life.reads(LOW)
    life.state = edited(snoozed(life.state, life.at + HOUR))
    assert (life.state.status, life.state.since) == (Status.OK, None)
    assert life.reads(LOW) == FIRE
    assert (life.events[-1].episode, life.events[-1].already) == (2, True)


def test_what_was_snoozed_waits_for_a_reading_if_the_end_of_the_snooze_finds_none() -> None:
    life = Life(AT_ONCE)
    life.reads(LOW)
    life.state = snoozed(life.state, life.at + STEP)
    assert due_at(life.rule, life.state) == life.at + STEP
    assert life.waits(STEP) == []
    assert life.reads(LOW, step=1) == REPEAT


@pytest.mark.parametrize(
    ("values", "says", "portuguese"),
    [
        ([352_000], "0.352: not below 0.35", "0,352: não está abaixo de 0,35"),
        ([LOW], "0.34: below 0.35, reading 1 of 2", "0,34: abaixo de 0,35, leitura 1 de 2"),
        ([LOW, LOW], "0.34: below 0.35", "0,34: abaixo de 0,35"),
        ([LOW, LOW, BETWEEN], "0.357: fired already, re-arms at 0.357", "0,357: já disparou, rearma em 0,357"),
        ([LOW, LOW, CLEAR], "0.357: over, it re-armed at 0.357", "0,357: terminou, rearmou em 0,357"),
        ([LOW, *[None] * 4], "no data since 14:18", "sem dados desde 14:18"),
    ],
)
def test_each_reason_is_a_sentence(values: list[int | None], says: str, portuguese: str) -> None:
    life = Life(RULE)
    life.reads(*values)
    note = explain(RULE, Decision(life.state, life.reason), life.at)
    assert (Words("en", 0)(note), Words("pt-BR", 0)(note)) == (says, portuguese)


@pytest.mark.parametrize("reason", Reason)
def test_no_reason_lacks_a_sentence_or_a_value(reason: Reason) -> None:
    assert "{" not in str(explain(RULE, Decision(initial(RULE), reason), START))
    assert reason in SENTENCES


def test_times_are_told_on_the_clock_of_the_zone_with_the_date_if_it_is_another_day() -> None:
    life = _night()
    life.reads(LOW)
    decision = Decision(life.state, life.reason)
    assert str(explain(life.rule, decision, life.at, "America/New_York")) == "quiet until 08:00"
    assert str(explain(life.rule, decision, life.at - HOUR, "America/New_York")) == "quiet until 2026-07-01 08:00"
