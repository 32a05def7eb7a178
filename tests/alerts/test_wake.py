from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hypothesis import event, given, settings
from hypothesis import strategies as st

from bot.alerts.decide import Event, EventKind, decide
from bot.alerts.engine import HIGHEST
from bot.alerts.offers import Match
from bot.alerts.quiet import Quiet
from bot.alerts.rules import Direction, Kind, Measure, Rule, Series
from bot.alerts.state import Reading, State, Status, acknowledged, edited, initial, snoozed
from bot.alerts.wake import ALWAYS, NEVER, due_at, wake

START = 1_790_000_000
STEP = 300
RULE = Rule(Kind.BELOW, Series("RTX 4090"), 1000, readings=1, created_at=START)


def awake(rule: Rule, state: State, reading: Reading | None, now: int) -> bool:
    """Whether the database would hand this rule a reading."""
    due = due_at(rule, state)
    if due is not None and due <= now:
        return True
    if reading is None:
        return False
    if not reading.believable or (reading.value is None and reading.matches is None):
        return True
    below, above = wake(rule, state)
    value = HIGHEST if reading.value is None else reading.value
    return (below is not None and value < below) or (above is not None and value > above)


@dataclass
class Comparison:
    """One rule decided at every reading, and the same rule decided only when it is woken."""

    rule: Rule
    now: int = START
    heard_at: int = START
    spared: int = 0
    told: tuple[list[Event], list[Event]] = field(default_factory=lambda: ([], []))

    def __post_init__(self) -> None:
        self.eager = self.lazy = initial(self.rule)

    def take(self, reading: Reading | None) -> None:
        decision = decide(self.rule, self.eager, reading, self.now)
        self.eager = decision.state
        self.told[0].extend(decision.events)
        if awake(self.rule, self.lazy, reading, self.now):
            decision = decide(self.rule, self.lazy, reading, self.now)
            self.lazy = decision.state
            self.told[1].extend(decision.events)
        else:
            asleep = decide(self.rule, self.lazy, reading, self.now)
            assert (asleep.events, asleep.state.status) == ((), self.lazy.status)
            self.spared += 1
        assert self.told[0] == self.told[1]
        assert (self.eager.status, self.eager.episode) == (self.lazy.status, self.lazy.episode)

    def reads(self, value: int | None, believable: bool, after: int, machines: tuple[int, ...] = ()) -> None:
        self.now += after
        reading = Reading(self.now, value, STEP, believable, self.heard_at)
        if self.rule.kind is Kind.OFFER:
            cheap = value is not None and self.rule.met(value)  # the lowest bid is below every price that matches
            some = tuple(Match(id_, id_, 1, 999, 999, "EU", None, None) for id_ in machines) if cheap else ()
            reading = replace(reading, matches=some)
        self.take(reading)
        if believable and (value is not None or self.rule.kind is Kind.OFFER):
            self.heard_at = self.now

    def waits(self, seconds: int) -> None:
        self.now += seconds
        self.take(None)

    def changes(self, change: Callable[[State], State]) -> None:
        self.eager, self.lazy = change(self.eager), change(self.lazy)


KINDS = {
    (Kind.BELOW, Direction.BELOW): Measure.PRICE,
    (Kind.ABOVE, Direction.ABOVE): Measure.PRICE,
    (Kind.CROSSES, Direction.BELOW): Measure.PRICE,
    (Kind.CROSSES, Direction.ABOVE): Measure.PRICE,
    (Kind.AVAILABLE, Direction.ABOVE): Measure.GPUS,
    (Kind.OFFER, Direction.BELOW): Measure.OFFER,
}
RULES = st.builds(
    lambda kind, **rest: Rule(
        kind[0], Series("RTX 4090", measure=KINDS[kind]), 1000, kind[1], created_at=START, **rest
    ),
    kind=st.sampled_from(sorted(KINDS)),
    rearm_ppm=st.sampled_from([0, 20_000]),
    readings=st.integers(1, 3),
    hold_seconds=st.sampled_from([0, 2 * STEP]),
    repeat_seconds=st.sampled_from([0, STEP, 5 * STEP]),
    min_interval=st.sampled_from([0, 300, 1500]),
    expires_at=st.sampled_from([None, START + 20 * STEP]),
    quiet=st.sampled_from([None, Quiet(15 * 60, 16 * 60)]),
)
VALUES = st.sampled_from([0, 900, 979, 980, 981, 998, 999, 1000, 1001, 1019, 1020, 1021, 2000])
AFTER = st.sampled_from([1, STEP, STEP, STEP, 2 * STEP, 2 * STEP + 1, 4 * STEP])
STEPS = st.one_of(
    st.tuples(st.just("reads"), VALUES, st.just(True), AFTER),
    st.tuples(st.just("reads"), VALUES, st.just(True), AFTER, st.lists(st.integers(1, 3), unique=True).map(tuple)),
    st.tuples(st.just("reads"), VALUES | st.none(), st.booleans(), AFTER),
    st.tuples(st.just("waits"), AFTER),
    st.tuples(
        st.just("changes"),
        st.sampled_from([edited, acknowledged, *(lambda s, d=d: snoozed(s, s.last_at + d) for d in (400, 1800))]),
    ),
)


@settings(max_examples=400, deadline=None)
@given(RULES, st.lists(STEPS, min_size=10, max_size=60))
def test_a_rule_that_sleeps_until_it_is_woken_tells_the_same(rule: Rule, steps: list[tuple[object, ...]]) -> None:
    comparison = Comparison(rule)
    for name, *arguments in steps:
        if name == "changes" and comparison.eager.last_at != comparison.lazy.last_at:
            continue  # the length of a snooze is counted from last_at here
        getattr(comparison, str(name))(*arguments)
    event(f"told {min(3, len(comparison.told[0]))}, spared {min(3, comparison.spared)}")


def test_what_each_state_is_woken_by() -> None:
    crossing, up = (replace(RULE, kind=Kind.CROSSES, direction=direction) for direction in Direction)
    idle, ok = initial(RULE), replace(initial(RULE), armed=True)
    firing = replace(ok, status=Status.FIRING, told=True)
    assert wake(RULE, idle) == ALWAYS
    assert wake(RULE, ok) == (1000, None)
    assert wake(RULE, replace(ok, status=Status.PENDING)) == ALWAYS
    assert wake(RULE, firing) == (None, 1019)
    assert wake(RULE, replace(firing, told=False)) == ALWAYS
    assert wake(RULE, replace(ok, silent=True)) == ALWAYS
    assert wake(RULE, replace(ok, ended=True)) == NEVER
    assert (wake(crossing, idle), wake(crossing, ok)) == ((None, 999), (1000, None))
    assert (wake(up, idle), wake(up, ok)) == ((1001, None), (None, 1000))
    available = replace(up, kind=Kind.AVAILABLE)
    assert (wake(available, ok), wake(available, firing)) == ((None, 999), (981, None))


def test_a_rule_with_nothing_to_come_is_never_due() -> None:
    ok = replace(initial(RULE), armed=True)
    assert due_at(RULE, ok) is None
    assert due_at(RULE, replace(ok, status=Status.FIRING, told=True, sent_at=START)) is None
    assert due_at(replace(RULE, expires_at=START + 5), ok) == START + 5
    repeating = replace(RULE, repeat_seconds=3600)
    firing = replace(ok, status=Status.FIRING, told=True, sent_at=START)
    assert due_at(repeating, firing) == START + 3600
    assert due_at(repeating, snoozed(firing, START + 7200)) == START + 7200
    assert due_at(repeating, acknowledged(firing)) is None


def test_no_data_says_nothing_of_a_value() -> None:
    state = replace(initial(RULE), value=900)
    (said,) = decide(RULE, state, Reading(START + 2000, None, STEP), START + 2000).events
    assert (said.kind, said.value, said.since, said.already) == (EventKind.NO_DATA, None, START, False)
