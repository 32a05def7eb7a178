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
from bot.presentation.words import Words

START = 1_790_000_000
STEP = 300
LOW, EDGE, BETWEEN, CLEAR = 340_000, 350_000, 356_999, 357_000
"""Below the threshold, exactly at it, not yet re-armed, re-armed."""
RULE = Rule(Kind.BELOW, Series("RTX 4090"), EDGE, created_at=START)
AT_ONCE = replace(RULE, readings=1)


@dataclass
class Run:
    """A rule through a run of readings, one each ``STEP``."""

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
    run = Run(RULE)
    assert run.reads(EDGE, EDGE, EDGE) == []
    assert (run.state.status, run.reason) == (Status.OK, Reason.NOT_MET)
    assert run.reads(EDGE - 1, EDGE - 1) == FIRE


def test_one_reading_is_not_enough_and_two_must_follow_each_other() -> None:
    run = Run(RULE)
    assert run.reads(CLEAR, LOW) == []
    assert (run.state.status, run.reason) == (Status.PENDING, Reason.MORE_READINGS)
    assert run.reads(EDGE, LOW) == []
    assert run.reads(LOW) == FIRE


def test_below_at_creation_fires_and_says_so() -> None:
    run = Run(RULE)
    assert run.reads(LOW, LOW) == FIRE
    assert run.events[0] == Event(EventKind.FIRE, 1, 1, run.at, LOW, START + STEP, already=True)
    later = Run(RULE)
    assert later.reads(CLEAR, LOW, LOW) == FIRE
    assert not later.events[0].already


def test_it_must_hold_as_long_as_is_asked() -> None:
    run = Run(replace(RULE, hold_seconds=3 * STEP))
    assert run.reads(LOW, LOW, LOW) == []
    assert run.reason is Reason.HOLDING
    assert run.reads(LOW) == FIRE


def test_a_lower_price_while_firing_is_no_news() -> None:
    run = Run(RULE)
    assert run.reads(LOW, LOW, LOW - 1, LOW - 100_000, LOW) == FIRE
    assert run.reason is Reason.FIRING


def test_it_resolves_only_beyond_the_margin_and_then_fires_anew() -> None:
    run = Run(AT_ONCE)
    assert run.reads(LOW, EDGE, BETWEEN, LOW) == FIRE
    assert run.reads(CLEAR) == RESOLVE
    assert run.reads(LOW) == FIRE
    assert [(event.episode, event.n) for event in run.events] == [(1, 1), (1, 2), (2, 1)]


def test_the_other_kinds_fire_and_resolve_on_their_own_side() -> None:
    above = replace(AT_ONCE, kind=Kind.ABOVE, direction=Direction.ABOVE)
    assert Run(above).reads(350_000, 350_001, 343_001, 343_000) == FIRE + RESOLVE
    gpus = Series("RTX 4090", measure=Measure.GPUS)
    available = replace(above, kind=Kind.AVAILABLE, series=gpus, threshold=8)
    assert Run(available).reads(7, 8, 8, 7) == FIRE + RESOLVE


def test_crossing_needs_the_other_side_first() -> None:
    run = Run(replace(AT_ONCE, kind=Kind.CROSSES))
    assert run.reads(LOW, LOW) == []
    assert run.reason is Reason.OTHER_SIDE_FIRST
    assert run.reads(EDGE, LOW) == FIRE
    up = Run(replace(AT_ONCE, kind=Kind.CROSSES, direction=Direction.ABOVE))
    assert up.reads(CLEAR, LOW, CLEAR) == FIRE


def test_repeats_come_when_asked_for_with_a_reading() -> None:
    run = Run(replace(AT_ONCE, repeat_seconds=HOUR))
    assert run.reads(*[LOW] * 12) == FIRE
    assert run.waits(STEP) == [], "time alone does not prove that it still holds"
    assert run.reads(LOW, step=0) == REPEAT
    assert run.reads(*[LOW] * 11) == []
    assert run.reads(BETWEEN) == REPEAT


def test_an_acknowledged_episode_is_not_repeated_but_the_next_one_is_told() -> None:
    run = Run(replace(AT_ONCE, repeat_seconds=STEP))
    assert run.reads(LOW) == FIRE
    run.state = acknowledged(run.state)
    assert run.reads(LOW, LOW, CLEAR, LOW, LOW) == RESOLVE + FIRE + REPEAT


def test_of_snooze_and_acknowledge_the_later_click_holds() -> None:
    run = Run(AT_ONCE)
    run.reads(LOW)
    run.state = acknowledged(snoozed(run.state, run.at + 10 * STEP))
    assert run.reads(CLEAR, LOW) == RESOLVE + FIRE


def test_a_click_after_the_resolve_reopens_nothing() -> None:
    run = Run(AT_ONCE)
    run.reads(LOW, CLEAR)
    assert acknowledged(run.state) == run.state


def test_flapping_is_told_once_an_interval_and_the_next_message_counts_the_rest() -> None:
    run = Run(replace(AT_ONCE, min_interval=10 * STEP))
    assert run.reads(LOW, CLEAR, LOW, CLEAR, LOW) == FIRE + RESOLVE
    assert run.reason is Reason.TOO_SOON
    assert run.reads(CLEAR, LOW, LOW, LOW, LOW) == []
    assert run.reads(LOW) == FIRE
    assert run.events[-1].suppressed == 2
    assert run.events[-1].episode == 4


@given(st.lists(st.sampled_from([LOW, CLEAR]), max_size=100), st.integers(1, 400))
def test_messages_keep_their_distance(values: Sequence[int], step: int) -> None:
    run = Run(AT_ONCE)
    run.reads(*values, step=step)
    sent = [event.at for event in run.events if event.kind is not EventKind.RESOLVE]
    assert all(later - earlier >= RULE.min_interval for earlier, later in itertools.pairwise(sent))
    told = sum(event.kind is EventKind.FIRE for event in run.events)
    firing_untold = run.state.status is Status.FIRING and not run.state.told
    counted = run.state.suppressed + sum(event.suppressed for event in run.events)
    assert told + counted + firing_untold == run.state.episode, "no episode goes uncounted"


@pytest.mark.parametrize("at", [START + 3 * STEP, START + 2 * STEP, START + STEP, START - 1, 0, -5])
@pytest.mark.parametrize("value", [LOW, CLEAR, None])
@pytest.mark.parametrize("values", [[CLEAR] * 3, [CLEAR, CLEAR, LOW], [CLEAR, LOW, LOW]])
def test_older_and_replayed_readings_and_a_clock_put_back_change_nothing(
    values: list[int], value: int | None, at: int
) -> None:
    run = Run(RULE)
    run.reads(*values)
    for now in (run.at, at):
        assert decide(RULE, run.state, Reading(at, value, STEP), now) == Decision(run.state, Reason.NOT_NEWER)


def test_time_never_runs_behind_the_newest_reading() -> None:
    run = Run(replace(AT_ONCE, expires_at=START + 2 * STEP))
    fired = decide(run.rule, run.state, Reading(START + STEP, LOW, STEP), START - HOUR)
    assert [event.at for event in fired.events] == [START + STEP]
    ended = decide(run.rule, fired.state, Reading(START + 2 * STEP, CLEAR, STEP), START - HOUR)
    assert (ended.reason, ended.events) == (Reason.EXPIRED, ())
    assert decide(run.rule, ended.state, None, START - HOUR).reason is Reason.EXPIRED
    untold = replace(fired.state, told=False, last_at=START + 2 * STEP)
    assert decide(run.rule, untold, None, START - HOUR).reason is Reason.EXPIRED


def test_readings_from_before_the_rule_do_not_count() -> None:
    before = decide(AT_ONCE, initial(AT_ONCE), Reading(START - 1, LOW, STEP), START)
    assert (before.reason, before.events) == (Reason.NOT_NEWER, ())


def test_unusable_readings_neither_fire_nor_resolve_nor_count() -> None:
    run = Run(RULE)
    assert run.reads(CLEAR, LOW, None) == []
    assert run.reason is Reason.NOT_USABLE
    assert run.reads(LOW) == FIRE
    assert run.reads(CLEAR, believable=False) == []
    assert run.reads(None) == []
    late = Reading(run.at + 1, CLEAR, STEP)
    assert run.take(decide(RULE, run.state, late, late.at + 3 * STEP + 1)) == NO_DATA
    assert run.state.status is Status.FIRING


def test_silence_is_told_once_after_three_missed_readings() -> None:
    run = Run(AT_ONCE)
    assert run.reads(CLEAR, None, None, None) == []
    heard = START + STEP
    assert run.reads(None) == NO_DATA
    assert run.reason is Reason.NO_DATA
    assert run.events[-1].since == heard
    assert run.reads(*[None] * 50) == []
    assert run.reads(CLEAR, None, None, None, None, None) == NO_DATA


def test_a_series_that_never_was_heard_of_is_silent_since_the_rule_began() -> None:
    assert Run(RULE).reads(*[None] * 10) == NO_DATA


def test_a_rule_that_slept_is_told_when_its_series_was_heard() -> None:
    run = Run(RULE)
    run.reads(CLEAR)
    run.at += 100 * STEP
    assert run.reads(None, heard_at=run.at) == []
    assert run.reads(None, None, heard_at=run.at - STEP) == []
    assert run.reads(None) == NO_DATA


def test_a_condition_is_not_proven_by_a_gap() -> None:
    held = replace(RULE, hold_seconds=4 * STEP)
    run = Run(held)
    assert run.reads(LOW, LOW) == []
    assert run.reads(LOW, step=2 * STEP + 1) == []
    assert run.reason is Reason.MORE_READINGS
    assert run.reads(LOW, LOW, LOW) == []
    assert run.reads(LOW) == FIRE
    near = Run(held)
    assert near.reads(LOW) + near.reads(LOW, LOW, step=2 * STEP) == FIRE


def test_snoozed_nothing_is_sent_and_one_message_follows_if_it_still_fires() -> None:
    run = Run(replace(AT_ONCE, repeat_seconds=STEP))
    assert run.reads(LOW) == FIRE
    run.state = snoozed(run.state, run.at + 4 * STEP)
    assert run.reads(LOW, LOW, LOW) == []
    assert run.reason is Reason.SNOOZED
    assert run.reads(LOW) == REPEAT
    once = Run(AT_ONCE)
    once.reads(LOW)
    once.state = snoozed(acknowledged(once.state), once.at + 2 * STEP)
    assert once.reads(LOW, LOW, LOW, LOW) == REPEAT


def test_the_state_goes_on_while_snoozed() -> None:
    run = Run(AT_ONCE)
    run.reads(CLEAR)
    run.state = snoozed(run.state, run.at + 5 * STEP)
    assert run.reads(LOW, CLEAR, LOW, LOW) == []
    assert (run.state.episode, run.state.status) == (2, Status.FIRING)
    assert run.reads(LOW) == FIRE
    assert run.events[-1].suppressed == 1


def test_a_resolve_while_snoozed_edits_the_message_and_ends_the_matter() -> None:
    run = Run(AT_ONCE)
    run.reads(LOW)
    run.state = snoozed(run.state, run.at + 2 * STEP)
    assert run.reads(CLEAR, CLEAR, CLEAR) == RESOLVE


def _night() -> Run:
    midnight = int(dt.datetime(2026, 7, 1, tzinfo=ZoneInfo("America/New_York")).timestamp())
    rule = replace(AT_ONCE, quiet=Quiet(22 * 60, 8 * 60, "America/New_York"), created_at=midnight)
    return Run(rule, at=midnight)


def test_in_quiet_hours_the_fire_waits_for_their_end() -> None:
    run = _night()
    assert run.reads(CLEAR, LOW) == []
    assert run.reason is Reason.QUIET
    due = due_at(run.rule, run.state)
    assert due == run.rule.created_at + 8 * HOUR
    assert run.reads(*[LOW] * ((due - run.at) // STEP - 1)) == []
    assert run.waits(STEP - 1) == []
    assert run.waits(1) == FIRE
    assert run.events[-1].at == due


def test_a_fire_that_waits_is_not_told_of_old_data() -> None:
    run = _night()
    run.reads(LOW)
    assert run.waits(9 * HOUR) == []
    assert run.reads(LOW) == FIRE


def test_a_fire_that_ended_in_quiet_hours_is_dropped_with_its_resolve() -> None:
    run = _night()
    assert run.reads(LOW, CLEAR) == []
    assert run.reason is Reason.RESOLVED_UNTOLD
    assert run.waits(9 * HOUR) == []
    assert run.reads(LOW) == FIRE
    assert run.events[-1].suppressed == 1


def test_a_fire_that_waited_is_told_of_a_value_that_meets_the_condition() -> None:
    run = Run(replace(AT_ONCE, min_interval=3 * STEP))
    assert run.reads(LOW, CLEAR, LOW, BETWEEN, BETWEEN) == FIRE + RESOLVE
    assert run.waits(1) == []
    assert (run.state.status, run.reason) == (Status.FIRING, Reason.NOT_MET)
    assert run.reads(LOW) == FIRE


def test_no_data_is_not_told_in_quiet_hours() -> None:
    run = _night()
    assert run.reads(CLEAR, *[None] * 90) == []
    assert run.reads(*[None] * 10) == NO_DATA


def test_an_expired_rule_says_nothing_more() -> None:
    run = Run(replace(AT_ONCE, expires_at=START + 2 * STEP))
    assert run.reads(LOW) == FIRE
    assert due_at(run.rule, run.state) == START + 2 * STEP
    assert run.reads(CLEAR, LOW, None) == []
    assert run.reason is Reason.EXPIRED
    assert (wake(run.rule, run.state), due_at(run.rule, run.state)) == ((None, None), None)


def test_an_edit_begins_a_new_episode() -> None:
    run = Run(AT_ONCE)
    run.reads(LOW)
    run.state = edited(snoozed(run.state, run.at + HOUR))
    assert (run.state.status, run.state.since) == (Status.OK, None)
    assert run.reads(LOW) == FIRE
    assert (run.events[-1].episode, run.events[-1].already) == (2, True)


def test_an_edit_of_the_terms_ends_no_snooze_and_tells_of_no_machine_anew() -> None:
    run = Run(AT_ONCE)
    run.reads(LOW)
    before = replace(snoozed(run.state, run.at + HOUR), told_machines=(1, 2))
    after = edited(before, same=True)
    assert (after.snoozed_until, after.told_machines, after.status) == (run.at + HOUR, (1, 2), Status.OK)
    assert edited(before).told_machines == ()


def test_an_edit_is_no_way_around_the_distance_between_messages() -> None:
    run = Run(AT_ONCE)
    run.reads(LOW)
    run.state = edited(run.state)
    assert run.reads(LOW, step=1) == []
    assert run.reason is Reason.TOO_SOON


def test_an_edit_in_silence_tells_of_it_once() -> None:
    run = Run(AT_ONCE)
    assert run.reads(CLEAR, *[None] * 5) == NO_DATA
    run.state = edited(run.state)
    assert run.reads(None, None) == []


def test_messages_before_and_after_an_edit_differ_in_their_numbers() -> None:
    run = Run(AT_ONCE)
    silence = [CLEAR, *[None] * 5]
    assert run.reads(*silence) == NO_DATA
    run.state = edited(run.state)
    assert run.reads(*silence) == NO_DATA
    assert [(event.episode, event.n) for event in run.events] == [(0, 1), (0, 2)]


def test_what_was_snoozed_waits_for_a_reading_if_the_end_of_the_snooze_finds_none() -> None:
    run = Run(AT_ONCE)
    run.reads(LOW)
    run.state = snoozed(run.state, run.at + STEP)
    assert due_at(run.rule, run.state) == run.at + STEP
    assert run.waits(STEP) == []
    assert run.reads(LOW, step=1) == REPEAT


@pytest.mark.parametrize(
    ("values", "says", "portuguese"),
    [
        ([352_000], "$0.352: not below $0.35", "$0,352: não está abaixo de $0,35"),
        ([LOW], "$0.34: below $0.35, reading 1 of 2", "$0,34: abaixo de $0,35, leitura 1 de 2"),
        ([LOW, LOW], "$0.34: below $0.35", "$0,34: abaixo de $0,35"),
        ([LOW, LOW, BETWEEN], "$0.357: fired already, re-arms at $0.357", "$0,357: já disparou, rearma em $0,357"),
        ([LOW, LOW, CLEAR], "$0.357: over, it re-armed at $0.357", "$0,357: terminou, rearmou em $0,357"),
        ([LOW, *[None] * 4], "no data since 14:18", "sem dados desde 14:18"),
    ],
)
def test_each_reason_is_a_sentence(values: list[int | None], says: str, portuguese: str) -> None:
    run = Run(RULE)
    run.reads(*values)
    note = explain(RULE, Decision(run.state, run.reason), run.at)
    assert (Words("en", 0)(note), Words("pt-BR", 0)(note)) == (says, portuguese)


@pytest.mark.parametrize("reason", Reason)
def test_no_reason_lacks_a_sentence_or_a_value(reason: Reason) -> None:
    assert "{" not in str(explain(RULE, Decision(initial(RULE), reason), START))
    assert reason in SENTENCES


def test_times_are_told_on_the_clock_of_the_zone_with_the_date_if_it_is_another_day() -> None:
    run = _night()
    run.reads(LOW)
    decision = Decision(run.state, run.reason)
    assert str(explain(run.rule, decision, run.at, "America/New_York")) == "quiet until 08:00"
    assert str(explain(run.rule, decision, run.at - HOUR, "America/New_York")) == "quiet until 2026-07-01 08:00"
