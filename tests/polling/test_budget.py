from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.market import DAY, HOUR
from bot.polling.budget import (
    LONGEST,
    PRIORITY_SHARE,
    Demand,
    Due,
    allowance,
    busiest,
    due,
    next_reset,
    plan,
)

MIDNIGHT = 20_000 * DAY
EIGHT = [Demand(f"GPU {n}", 100) for n in range(8)]


@pytest.mark.parametrize(
    ("configured", "learned", "rows"),
    [(20_000, None, 18_000), (20_000, 3_000, 2_700), (1_000, 20_000, 900), (15, None, 13), (1, None, 0), (5, 0, 0)],
)
def test_a_tenth_of_the_lower_limit_is_kept_back(configured: int, learned: int | None, rows: int) -> None:
    assert allowance(configured, learned) == rows


def test_a_full_day_for_eight_models_is_about_hourly() -> None:
    assert set(plan(EIGHT, rows_left=18_000, seconds_left=DAY, wish=300).values()) == {3840}


def test_a_name_with_an_alert_comes_four_times_as_often() -> None:
    models = [replace(EIGHT[0], priority=True), *EIGHT[1:]]
    intervals = plan(models, rows_left=18_000, seconds_left=DAY, wish=300)
    assert intervals == {"GPU 0": 1321, **dict.fromkeys((m.vast_name for m in EIGHT[1:]), 5281)}


def test_the_wish_is_kept_when_there_is_plenty() -> None:
    assert plan([Demand("B200", 5)], rows_left=18_000, seconds_left=DAY, wish=300) == {"B200": 300}


def test_a_wish_beyond_six_hours_is_six_hours() -> None:
    assert plan([Demand("B200", 5)], rows_left=18_000, seconds_left=DAY, wish=DAY) == {"B200": LONGEST}


def test_what_does_not_fit_six_hourly_is_dropped_from_the_end_and_without_priority_first() -> None:
    models = [Demand("A", 100), Demand("B", 100), Demand("C", 100, priority=True)]
    assert plan(models, rows_left=800, seconds_left=DAY, wish=300) == {"A": LONGEST, "C": LONGEST}
    assert plan(models, rows_left=0, seconds_left=DAY, wish=300) == {}


DEMANDS = st.lists(
    st.builds(Demand, st.text(min_size=1, max_size=3), st.integers(0, 3000), st.booleans()),
    max_size=12,
    unique_by=lambda m: m.vast_name,
)


@given(DEMANDS, st.integers(0, 50_000), st.integers(1, DAY), st.integers(1, 2 * LONGEST))
def test_a_plan_fits_its_rows_and_its_bounds(models: list[Demand], rows_left: int, seconds: int, wish: int) -> None:
    intervals = plan(models, rows_left=rows_left, seconds_left=seconds, wish=wish)
    kept = [m for m in models if m.vast_name in intervals]
    assert sum(m.rows_per_poll * seconds / intervals[m.vast_name] for m in kept) <= rows_left
    assert all(min(wish, LONGEST) <= interval <= LONGEST for interval in intervals.values())
    for special in (m for m in kept if m.priority):
        for plain in (m for m in kept if not m.priority):
            assert intervals[special.vast_name] <= intervals[plain.vast_name]
            assert intervals[plain.vast_name] <= PRIORITY_SHARE * max(intervals[special.vast_name], wish)
    for left_out in (m for m in models if m.vast_name not in intervals):
        base = sum(-(-max(1, m.rows_per_poll) * seconds // LONGEST) for m in kept)
        assert base + max(1, left_out.rows_per_poll) * seconds / LONGEST > rows_left - 1


@given(DEMANDS, st.integers(0, 50_000), st.integers(0, 5_000), st.integers(1, DAY))
def test_more_rows_never_mean_fewer_polls(models: list[Demand], rows_left: int, more: int, seconds: int) -> None:
    poor = plan(models, rows_left=rows_left, seconds_left=seconds, wish=300)
    rich = plan(models, rows_left=rows_left + more, seconds_left=seconds, wish=300)
    if len(poor) == len(rich) == len(models):
        assert all(rich[name] <= poor[name] for name in poor)


def test_the_default_set_is_what_can_be_polled_hourly_busiest_first() -> None:
    rows = {"RTX 4090": 400, "RTX 5090": 180, "RTX 3090": 300, "H100 SXM": 40, "B200": 0}
    assert busiest(rows, 18_000) == ("RTX 4090", "RTX 3090", "H100 SXM", "B200")
    assert busiest(rows, 2_400) == ("H100 SXM", "B200")
    assert busiest({"RTX 4090": 400, "RTX 5090": 180}, 2_400) == ("RTX 4090",)
    assert busiest({}, 18_000) == ()


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 2000), max_size=20), st.integers(0, 50_000))
def test_the_default_set_fits_hourly(rows: dict[str, int], budget: int) -> None:
    chosen = busiest(rows, budget)
    assert bool(chosen) is bool(rows)
    assert len(chosen) == 1 or sum(24 * rows[name] for name in chosen) <= budget
    assert sorted(chosen, key=lambda name: (-rows[name], name)) == list(chosen)


A, B = Demand("A", 10), Demand("B", 10)
RICH = {"rows_left": 10_000}


def test_a_name_never_polled_is_due_at_once() -> None:
    assert due([A, B], {"A": 300, "B": 300}, {"A": MIDNIGHT}, now=MIDNIGHT + 9, **RICH) == Due("B", MIDNIGHT + 9)


def test_the_earliest_turn_is_next() -> None:
    last = {"A": MIDNIGHT, "B": MIDNIGHT + 60}
    assert due([A, B], {"A": 600, "B": 300}, last, now=MIDNIGHT + 100, **RICH) == Due("B", MIDNIGHT + 360)


def test_among_those_whose_turn_it_is_priority_goes_first_but_six_hours_before_all() -> None:
    now, special = MIDNIGHT + 12 * HOUR, replace(B, priority=True)
    last = {"A": now - HOUR, "B": now - 400}
    assert due([A, special], {"A": 300, "B": 300}, last, now=now, **RICH) == Due("B", now)
    assert due([A, special], {"A": 300, "B": 300}, {**last, "A": now - LONGEST}, now=now, **RICH) == Due("A", now)


def test_nothing_followed_is_never_due() -> None:
    assert due([], {}, {}, now=MIDNIGHT, **RICH) is None


def test_spent_rows_come_back_at_midnight() -> None:
    now = MIDNIGHT + 22 * HOUR
    assert due([A], {"A": 300}, {"A": now - 300}, now=now, rows_left=9) == Due("A", MIDNIGHT + DAY)
    assert next_reset(MIDNIGHT - 1) == MIDNIGHT
    assert next_reset(MIDNIGHT) == MIDNIGHT + DAY


def test_a_turn_after_midnight_is_not_hurried_by_todays_poverty() -> None:
    now = MIDNIGHT + 23 * HOUR
    assert due([A], {"A": 2 * HOUR}, {"A": now}, now=now, rows_left=0) == Due("A", now + 2 * HOUR)


def test_what_the_others_need_today_is_kept_back() -> None:
    now = MIDNIGHT + 12 * HOUR
    last = {"A": now - 300, "B": now - 300}
    # after this poll A needs one more before midnight and B two: 40 rows in all
    assert due([A, B], {"A": 300, "B": LONGEST}, last, now=now, rows_left=40) == Due("A", now)
    assert due([A, B], {"A": 300, "B": LONGEST}, last, now=now, rows_left=39) == Due("A", now - 300 + LONGEST)


def test_a_name_the_plan_left_out_gets_only_what_no_other_needs() -> None:
    now = MIDNIGHT + 12 * HOUR
    last = {"A": now - LONGEST, "B": now}
    # A needs 10 rows now and 10 later, B 10 later
    assert due([A, B], {"B": LONGEST}, last, now=now, rows_left=30) == Due("A", now)
    assert due([A, B], {"B": LONGEST}, last, now=now, rows_left=29) == Due("B", now + LONGEST)


@pytest.mark.parametrize("step", [-DAY, -HOUR, HOUR])
def test_a_clock_that_was_set_does_not_stop_polls(step: int) -> None:
    now = MIDNIGHT + 12 * HOUR
    turn = due([A], {"A": 300}, {"A": now}, now=now + step, **RICH)
    assert turn is not None
    assert now + step <= turn.at <= now + step + 300


@given(DEMANDS, st.integers(0, DAY - 1), st.integers(0, 20_000), st.integers(1, 2 * DAY), st.data())
def test_nothing_is_due_before_a_refusal_ends(
    models: list[Demand], second: int, rows_left: int, away: int, data: st.DataObject
) -> None:
    now = MIDNIGHT + second
    last = {m.vast_name: now - data.draw(st.integers(-DAY, 2 * DAY)) for m in models if data.draw(st.booleans())}
    intervals = plan(models, rows_left=rows_left, seconds_left=next_reset(now) - now, wish=300)
    open_turn = due(models, intervals, last, now=now, rows_left=rows_left)
    closed_turn = due(models, intervals, last, now=now, rows_left=rows_left, closed_until=now + away)
    assert (open_turn is None) is (closed_turn is None) is (not models)
    if open_turn and closed_turn:
        assert open_turn.at >= now
        assert closed_turn.at >= max(now + away, open_turn.at)


def live(models: list[Demand], budget: int, wish: int, days: int) -> tuple[dict[int, int], dict[str, list[int]]]:
    """Polling as the collector does it: plan anew before each turn. Rows spent by day, and each name's poll times."""
    now, spent, polls = MIDNIGHT, defaultdict(int), defaultdict(list)
    while True:
        left = budget - spent[now // DAY]
        intervals = plan(models, rows_left=left, seconds_left=next_reset(now) - now, wish=wish)
        last = {name: times[-1] for name, times in polls.items()}
        turn = due(models, intervals, last, now=now, rows_left=left)
        if turn is None or turn.at >= MIDNIGHT + days * DAY:
            return spent, polls
        if turn.at == now:
            spent[now // DAY] += next(m.rows for m in models if m.vast_name == turn.vast_name)
            polls[turn.vast_name].append(now)
            now += 1
        else:
            now = min(turn.at, now + HOUR)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.builds(Demand, st.text(min_size=1, max_size=3), st.integers(30, 400), st.booleans()),
        min_size=1,
        max_size=6,
        unique_by=lambda m: m.vast_name,
    ),
    st.integers(500, 12_000),
)
def test_two_days_of_polling_never_overspend_and_see_each_name_in_six_hours(models: list[Demand], budget: int) -> None:
    spent, polls = live(models, budget, 300, days=2)
    assert all(rows <= budget for rows in spent.values())
    if sum(5 * m.rows for m in models) <= budget:
        gaps = [b - a for times in polls.values() for a, b in itertools.pairwise(times)]
        assert set(polls) == {m.vast_name for m in models}
        assert max(gaps) <= LONGEST + len(models)


def test_a_steady_market_spends_most_of_its_budget_at_even_steps() -> None:
    spent, polls = live([replace(EIGHT[0], priority=True), *EIGHT[1:]], 18_000, 300, days=1)
    assert spent[MIDNIGHT // DAY] > 0.95 * 18_000
    gaps = [b - a for a, b in itertools.pairwise(polls["GPU 5"])]
    assert 0.8 * max(gaps) < min(gaps)
