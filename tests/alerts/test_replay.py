from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.market import HOUR
from bot.alerts.quiet import Quiet
from bot.alerts.replay import Firing, Replay, replay
from bot.alerts.rules import Kind, Rule, Series
from bot.alerts.state import Reading

START = 1_790_000_000
STEP = 300
LOW, HIGH = 340_000, 360_000
RULE = Rule(Kind.BELOW, Series("RTX 4090"), 350_000, readings=1)


def readings(*values: int | None, step: int = STEP) -> list[Reading]:
    return [Reading(START + i * step, value, STEP) for i, value in enumerate(values)]


def test_it_lists_what_would_have_been_told() -> None:
    stored = readings(HIGH, LOW, LOW - 1, HIGH, HIGH, LOW - 2)
    assert replay(RULE, stored, START, START + 6 * STEP) == Replay(
        (Firing(START + STEP, LOW, START + 3 * STEP), Firing(START + 5 * STEP, LOW - 2)), 1.0
    )


def test_a_rule_of_today_is_replayed_as_if_it_had_been_made_then() -> None:
    today = replace(RULE, created_at=START + 30 * 24 * HOUR, expires_at=START + 31 * 24 * HOUR)
    old = replay(replace(RULE, expires_at=START), readings(LOW), START, START + STEP)
    assert replay(today, readings(LOW), START, START + STEP) == old
    assert len(old.firings) == 1


def test_readings_outside_the_period_do_not_count() -> None:
    stored = readings(LOW, HIGH, LOW)
    assert replay(RULE, stored, START + STEP, START + 2 * STEP) == Replay((), 1.0)


def test_what_would_have_waited_in_vain_is_not_listed() -> None:
    always = replace(RULE, quiet=Quiet(0, 1439))
    assert replay(always, readings(LOW, HIGH), START, START + 2 * STEP).firings == ()


@pytest.mark.parametrize(
    ("values", "step", "covered"),
    [
        ((HIGH, HIGH, HIGH, HIGH), STEP, 1.0),
        ((HIGH, None, HIGH, HIGH), STEP, 1.0),
        ((HIGH, None, None, HIGH), STEP, 0.5),
        ((None, None, None, None), STEP, 0.0),
        ((HIGH, HIGH, HIGH, HIGH), 4 * STEP, 0.25),
    ],
)
def test_it_says_how_much_of_the_period_is_known(values: tuple[int | None, ...], step: int, covered: float) -> None:
    assert replay(RULE, readings(*values, step=step), START, START + 4 * step).coverage == covered


def test_an_empty_period_is_not_known() -> None:
    assert replay(RULE, [], START, START) == Replay((), 0.0)


@given(st.lists(st.sampled_from([LOW, HIGH, None]), max_size=60), st.integers(1, 3 * STEP))
def test_firings_follow_each_other_and_cover_no_more_than_all(values: list[int | None], step: int) -> None:
    end = START + max(1, len(values)) * step
    found = replay(RULE, readings(*values, step=step), START, end)
    assert 0 <= found.coverage <= 1
    times = [at for firing in found.firings for at in (firing.fired_at, firing.resolved_at) if at is not None]
    assert times == sorted(times)
    assert all(firing.resolved_at is not None for firing in found.firings[:-1])
