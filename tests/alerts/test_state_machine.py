"""The alert engine's state machine: whatever happens, no message is lost, invented, repeated or sent at a wrong time.

Known bugs are kept as mutants, and the machine has to find each of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bot.alerts.codec import dump, load_rule, load_state
from bot.alerts.decide import Decision, Event, EventKind, Reason, decide
from bot.alerts.quiet import Quiet
from bot.alerts.rules import Kind, Rule, Series
from bot.alerts.state import Reading, State, Status, acknowledged, edited, initial, snoozed

START = 1_790_000_000
STEP = 300
Identity = tuple[int, int, EventKind, int]
Decide = Callable[[Rule, State, Reading | None, int], Decision]


@dataclass(frozen=True)
class Tick:
    id: int
    reading: Reading


@dataclass
class Store:
    """What survives a crash."""

    rule_id: int
    rule: Rule
    state: State
    outbox: dict[Identity, Event] = field(default_factory=dict)
    tick_id: int = 0

    def snapshot(self) -> tuple[object, ...]:
        return self.rule_id, self.rule, self.state, tuple(self.outbox), self.tick_id

    def add(self, events: tuple[Event, ...]) -> None:
        for event in events:
            identity = (self.rule_id, event.episode, event.kind, event.n)
            assert identity not in self.outbox, "an identity is unique"
            self.outbox[identity] = event


@dataclass(frozen=True)
class Engine:
    """A round over the pure core, and the places where it may be broken."""

    decide: Decide = decide
    checks_ticks: bool = True
    commits_once: bool = True

    def round(self, store: Store, tick: Tick, now: int, *, crash: bool) -> Decision | None:
        if self.checks_ticks and tick.id <= store.tick_id:
            return None
        decision = self.decide(store.rule, store.state, tick.reading, now)
        return self._commit(store, decision, max(tick.id, store.tick_id), crash=crash)

    def sweep(self, store: Store, now: int, *, crash: bool) -> Decision | None:
        return self._commit(store, self.decide(store.rule, store.state, None, now), store.tick_id, crash=crash)

    def _commit(self, store: Store, decision: Decision, tick_id: int, *, crash: bool) -> Decision | None:
        if crash and self.commits_once:
            return None
        store.state, store.tick_id = decision.state, tick_id
        if crash:
            return None
        store.add(decision.events)
        return decision


def truth(watched: Rule, readings: list[tuple[int, int | None]]) -> tuple[bool, int]:
    """Whether a rule fires after these readings, and how often it began to: by brute force, from the definitions."""
    firing, begun, run = False, 0, list[int]()
    for at, value in readings:
        if value is None:
            continue
        if firing:
            firing = value * 10**6 < watched.threshold * (10**6 + watched.rearm_ppm)
            continue
        if run and at - run[-1] > 2 * STEP:
            run = []
        run = [*run, at] if value < watched.threshold else []
        if len(run) >= watched.readings and run[-1] - run[0] >= watched.hold_seconds:
            firing, begun, run = True, begun + 1, []
    return firing, begun


RULES = st.builds(
    Rule,
    st.just(Kind.BELOW),
    st.just(Series("RTX 4090")),
    st.just(1000),
    rearm_ppm=st.sampled_from([20_000, 100_000]),
    readings=st.sampled_from([1, 1, 2]),
    hold_seconds=st.sampled_from([0, 0, 2 * STEP]),
    repeat_seconds=st.sampled_from([0, 3 * STEP]),
    min_interval=st.sampled_from([0, 300, 3600]),
    quiet=st.sampled_from([None, Quiet(14 * 60, 15 * 60)]),
)
VALUES = st.sampled_from([900, 900, 999, 1000, 1010, 1019, 1020, 1100, 1100])
DELAYS = st.sampled_from([STEP] * 7 + [2 * STEP, 2 * STEP + 1, 2 * STEP + 1, 1500])


class Machine(RuleBasedStateMachine):
    engine = Engine()

    @initialize(watched=RULES)
    def begin(self, watched: Rule) -> None:
        self.clock = START
        self.store = Store(1, watched, initial(watched))
        self._create(watched)
        self.ticks: list[Tick] = []
        self.ids = 0
        self.received: list[Identity] = []
        self.delivered: set[Identity] = set()

    def _create(self, watched: Rule) -> None:
        watched = replace(watched, created_at=max(self.clock, self.store.state.last_at + 1))
        self.store.rule, self.store.state = watched, initial(watched)
        self._forget()

    def _forget(self) -> None:
        self.log: list[tuple[int, int | None]] = []
        self.begun_before = self.store.state.episode
        self.snoozed_until = 0

    @rule(value=VALUES, after=DELAYS, crash=st.sampled_from([False, False, False, True]))
    def tick(self, value: int, after: int, crash: bool) -> None:
        self._tick(value, after, believable=True, crash=crash)

    @rule(values=st.lists(st.sampled_from([900, 900, 1010, 1100]), min_size=2, max_size=6))
    def ticks_in_a_row(self, values: list[int]) -> None:
        for value in values:
            self._tick(value, STEP, believable=True, crash=False)

    @precondition(lambda self: self.store.state.status is Status.PENDING)
    @rule(after=st.sampled_from([2 * STEP, 2 * STEP + 1]))
    def tick_after_a_gap(self, after: int) -> None:
        self._tick(900, after, believable=True, crash=False)

    @rule(value=VALUES | st.none(), after=DELAYS)
    def tick_without_data(self, value: int | None, after: int) -> None:
        self._tick(value, after, believable=value is None, crash=False)

    def _tick(self, value: int | None, after: int, *, believable: bool, crash: bool) -> None:
        self.clock += after
        self.ids += 1
        tick = Tick(self.ids, Reading(self.clock, value, STEP, believable))
        self.ticks.append(tick)
        before, newer = self.store.state, self.clock > self.store.state.last_at
        decision = self.engine.round(self.store, tick, self.clock, crash=crash)
        if not newer:
            assert self.store.state == before, "a clock put back changes nothing"
        elif decision is not None:
            self.log.append((self.clock, value if believable else None))
        if decision is not None:
            self._judge(before, decision)
            self._judge_value(before, decision, value if believable else None)

    @rule(after=DELAYS, crash=st.booleans())
    def time_passes(self, after: int, crash: bool) -> None:
        self.clock += after
        before = self.store.state
        decision = self.engine.sweep(self.store, self.clock, crash=crash)
        if decision is not None:
            self._judge(before, decision)
            self._judge_value(before, decision, None)

    def _judge(self, before: State, decision: Decision) -> None:
        """What is told, is told when it may be; what may be told, is."""
        now, kinds = max(self.clock, before.last_at), [event.kind for event in decision.events]
        assert len(kinds) <= 1
        if self._held_back(before, now):
            assert set(kinds) <= {EventKind.RESOLVE}
        elif decision.reason is not Reason.NO_READING and decision.reason is not Reason.NOT_NEWER:
            began = decision.state.episode > before.episode
            assert not began or kinds == [EventKind.FIRE], "a fire that may be told is told"
        if kinds == [EventKind.REPEAT] and before.snoozed_until is None:
            assert before.sent_at is not None
            assert 0 < self.store.rule.repeat_seconds <= now - before.sent_at

    def _held_back(self, before: State, now: int) -> bool:
        quiet = self.store.rule.quiet is not None and 14 <= now // 3600 % 24 < 15
        too_soon = before.sent_at is not None and now - before.sent_at < self.store.rule.min_interval
        return quiet or too_soon or now < self.snoozed_until

    def _judge_value(self, before: State, decision: Decision, value: int | None) -> None:
        """No data neither begin nor end an episode; only a value beyond the margin ends one."""
        fired_before, fires = before.status is Status.FIRING, decision.state.status is Status.FIRING
        if value is None:
            assert before.status is decision.state.status
            assert all(event.kind is not EventKind.RESOLVE for event in decision.events)
        elif fired_before and not fires:
            assert value * 10**6 >= self.store.rule.threshold * (10**6 + self.store.rule.rearm_ppm)

    @precondition(lambda self: self.ticks)
    @rule(back=st.integers(0, 5), later=st.sampled_from([0, STEP, 3600]))
    def replay_old_tick(self, back: int, later: int) -> None:
        old = self.ticks[max(0, len(self.ticks) - 1 - back)]
        if old.id > self.store.tick_id:
            return  # it was lost in a crash: it is new
        before = self.store.snapshot()
        self.engine.round(self.store, old, self.clock + later, crash=False)
        assert self.store.snapshot() == before

    @rule(seconds=st.sampled_from([1, 1, STEP, 4000]))
    def clock_back(self, seconds: int) -> None:
        self.clock -= seconds

    @rule(seconds=st.sampled_from([STEP, 1800, 3600]))
    def snooze(self, seconds: int) -> None:
        self.snoozed_until = max(self.clock, self.store.state.last_at) + seconds
        self.store.state = snoozed(self.store.state, self.snoozed_until)

    @precondition(lambda self: self.store.state.status is Status.FIRING)
    @rule()
    def acknowledge(self) -> None:
        self.store.state = acknowledged(self.store.state)
        self.snoozed_until = 0

    @rule(threshold=st.sampled_from([950, 1000, 1015]))
    def edit(self, threshold: int) -> None:
        self.store.rule = replace(self.store.rule, threshold=threshold)
        self.store.state = edited(self.store.state)
        self._forget()

    @rule(watched=RULES)
    def delete_and_make_another(self, watched: Rule) -> None:
        self.store.rule_id += 1
        self._create(watched)

    @rule()
    def restart(self) -> None:
        self.store.rule = load_rule(dump(self.store.rule))
        self.store.state = load_state(dump(self.store.state))

    @precondition(lambda self: set(self.store.outbox) - self.delivered)
    @rule(dies=st.booleans())
    def send(self, dies: bool) -> None:
        identity = next(identity for identity in self.store.outbox if identity not in self.delivered)
        self.received.append(identity)
        if not dies:
            self.delivered.add(identity)

    @invariant()
    def equals_brute_force(self) -> None:
        firing, begun = truth(self.store.rule, self.log)
        assert (self.store.state.status is Status.FIRING, self.store.state.episode) == (
            firing,
            self.begun_before + begun,
        )

    @invariant()
    def every_message_of_the_state_is_in_the_outbox(self) -> None:
        state = self.store.state
        mine = [identity for identity in self.store.outbox if identity[:2] == (self.store.rule_id, state.episode)]
        assert [n for *_, n in mine] == list(range(1, state.n + 1))

    @invariant()
    def episodes_increase_and_resolve_after_they_fired(self) -> None:
        of_rules: dict[int, list[tuple[int, EventKind]]] = {}
        for rule_id, episode, kind, _ in self.store.outbox:
            of_rules.setdefault(rule_id, []).append((episode, kind))
        for told in of_rules.values():
            assert [episode for episode, _ in told] == sorted(episode for episode, _ in told)
            counts = Counter(told)
            assert all(n == 1 for (_, kind), n in counts.items() if kind in (EventKind.FIRE, EventKind.RESOLVE))
            for place, (episode, kind) in enumerate(told):
                if kind in (EventKind.RESOLVE, EventKind.REPEAT):
                    assert (episode, EventKind.FIRE) in told[:place], "nothing is told of a fire that was not"
                    assert kind is EventKind.RESOLVE or (episode, EventKind.RESOLVE) not in told[:place]

    def teardown(self) -> None:
        if not hasattr(self, "received"):
            return
        self.received += [identity for identity in self.store.outbox if identity not in self.delivered]
        assert list(dict.fromkeys(self.received)) == list(self.store.outbox), "nothing lost, invented or out of order"


def _any_order(watched: Rule, state: State, reading: Reading | None, now: int) -> Decision:
    if reading is None or reading.at > state.last_at:
        return decide(watched, state, reading, now)
    return decide(watched, replace(state, last_at=reading.at - 1), reading, reading.at)


def _silence_clears(watched: Rule, state: State, reading: Reading | None, now: int) -> Decision:
    if reading is not None and (reading.value is None or not reading.believable):
        reading = replace(reading, value=watched.clear, believable=True)
    return decide(watched, state, reading, now)


def _no_margin(watched: Rule, state: State, reading: Reading | None, now: int) -> Decision:
    return decide(replace(watched, rearm_ppm=0), state, reading, now)


def _no_snooze(watched: Rule, state: State, reading: Reading | None, now: int) -> Decision:
    return decide(watched, replace(state, snoozed_until=None), reading, now)


def _resolve_untold(watched: Rule, state: State, reading: Reading | None, now: int) -> Decision:
    done = decide(watched, state, reading, now)
    if done.reason is not Reason.RESOLVED_UNTOLD:
        return done
    told = Event(EventKind.RESOLVE, state.episode, state.n + 1, now, done.state.value)
    return replace(done, state=replace(done.state, n=state.n + 1), events=(told,))


def _repeats_at_once(watched: Rule, state: State, reading: Reading | None, now: int) -> Decision:
    return decide(replace(watched, repeat_seconds=min(watched.repeat_seconds, STEP)), state, reading, now)


def _gap_proves(watched: Rule, state: State, reading: Reading | None, now: int) -> Decision:
    heard_at = state.heard_at if reading is None else max(state.heard_at, reading.at - 1)
    return decide(watched, replace(state, heard_at=heard_at), reading, now)


MUTANTS: Mapping[str, Engine] = {
    "a duplicate round is accepted": Engine(_any_order, checks_ticks=False),
    "a clock put back is accepted": Engine(_any_order),
    "no data resolves": Engine(_silence_clears),
    "no hysteresis": Engine(_no_margin),
    "state and outbox in two commits": Engine(commits_once=False),
    "a snooze is ignored": Engine(_no_snooze),
    "a resolve before its fire": Engine(_resolve_untold),
    "a repeat before its time": Engine(_repeats_at_once),
    "a gap proves that it held": Engine(_gap_proves),
}


def _run(engine: Engine, **more: Any) -> None:
    machine = type("Machine", (Machine,), {"engine": engine})
    slow = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(stateful_step_count=40, deadline=None, suppress_health_check=slow, database=None, **more),
    )


def test_the_engine_keeps_its_promises_whatever_happens() -> None:
    _run(Engine(), max_examples=300)


@pytest.mark.parametrize("bug", MUTANTS)
def test_the_machine_finds_a_planted_bug(bug: str) -> None:
    with pytest.raises(AssertionError):
        _run(MUTANTS[bug], max_examples=1000, derandomize=True, phases=[Phase.generate])
