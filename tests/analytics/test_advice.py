"""Start now or wait, and what the rule would have brought."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.forecasting.advice import (
    DEADLINE_H,
    MIN_CASES,
    PRIOR_CASES,
    WEEK_KNOWN_H,
    Case,
    WaitRecord,
    advise,
    advised,
    apart,
    cases,
    reservation,
    wait_records,
)
from tests.analytics.test_backtest import START, laid

CHEAP, DEAR = 400_000, 500_000


def spikes(n: int, hours: int = 3, every: int = 200) -> list[int | None]:
    """``n`` times a week of the usual price and then a dear spell, ending with the usual price."""
    prices: list[int | None] = []
    for _ in range(n):
        prices += [CHEAP] * (every - hours) + [DEAR] * hours
    return [*prices, *[CHEAP] * 30]


def test_a_usual_price_is_taken_now() -> None:
    advice, text = advise(laid([CHEAP, 410_000] * 40), 410_000)
    assert (advice.action, advice.target_price, advice.median_price_7d) == ("now", None, 0.405)
    assert str(text).startswith("Start now: $0.410 is at most 12%")
    assert "no reason to wait" not in str(text), "a forecast beside it may be lower"
    assert str(advise(laid([CHEAP, 410_000] * 40), CHEAP)[1]).startswith("Start now: $0.400 is not above")


def test_a_median_of_few_hours_is_not_called_that_of_seven_days() -> None:
    known = WEEK_KNOWN_H // 2
    few, half = (laid([CHEAP, 410_000] * pairs) for pairs in (known - 1, known))
    said = {price: str(advise(few, price)[1]) for price in (CHEAP, 410_000)}
    assert said[CHEAP] == "Start now: $0.400 is not above $0.405, the median of 82 hours with a price"
    assert said[410_000] == "Start now: $0.410 is at most 12% above $0.405, the median of 82 hours with a price"
    assert "7-day median" in str(advise(half, CHEAP)[1])


def test_a_flat_price_says_for_how_long() -> None:
    advice, text = advise(laid([300_000, *[CHEAP] * 24 * 9]), CHEAP)
    assert (advice.action, advice.unchanged_days) == ("now", 9.0)
    assert str(text) == "Start now: the price has not changed for 9 days"
    assert advise(laid([300_000, *[CHEAP] * 24 * 5]), CHEAP)[0].unchanged_days is None


def test_a_dear_price_is_waited_out_with_the_odds_of_its_own_past() -> None:
    advice, text = advise(laid(spikes(10)), DEAR)
    assert (advice.action, advice.target_price, advice.deadline_hours) == ("wait", 0.4204, 24)
    assert advice.reservation_prices == {
        "after_1h": 0.4204, "after_6h": 0.45, "after_12h": 0.4707, "after_24h": 0.5,
    }  # fmt: skip
    assert (advice.cases, advice.saved_cases, advice.p_target_24h) == (10, 10, 1.0)
    assert advice.expected_saving_percent == pytest.approx(20.0)
    assert advice.typical_wait_hours == (3, 3)
    assert str(text).startswith("Wait for $0.420 or less, usually 3 h, at most 24 h from now; after 6 h take $0.450")
    assert "in 10 of 10 such cases, 20.0% on average" in str(text)


def test_few_cases_give_no_odds() -> None:
    advice, text = advise(laid(spikes(MIN_CASES - 1)), DEAR)
    assert (advice.action, advice.cases) == ("wait", MIN_CASES - 1)
    assert [advice.p_target_24h, advice.expected_saving_percent, advice.typical_wait_hours] == [None] * 3
    assert f"only {MIN_CASES - 1} cases" in str(text)


def test_waiting_is_not_advised_where_it_lost_money() -> None:
    rising: list[int | None] = []
    for _ in range(10):
        rising += [CHEAP] * 170 + [DEAR] + [600_000] * 24 + [0] * 30
    advice, text = advise(laid([*rising, *[CHEAP] * 100]), DEAR)
    assert advice.action == "now"
    assert "waiting lost money" in str(text)


def test_without_a_day_of_history_or_a_price_there_is_no_advice() -> None:
    advice, text = advise(laid([CHEAP] * 24), CHEAP)
    assert (advice.action, str(text)) == (None, "No advice yet: 23 of 24 hours of history")
    assert advise(laid([CHEAP] * 25), CHEAP)[0].action == "now"
    assert advise(laid([CHEAP] * 99), None)[0].action is None
    assert advise(None, CHEAP)[0].action is None


def test_a_case_waits_for_the_median_of_its_time_or_pays_at_the_deadline() -> None:
    hit, missed = laid([*[CHEAP] * 100, DEAR, DEAR, CHEAP, *[CHEAP] * 30]), [*[CHEAP] * 100, *[DEAR] * 40]
    [first, *_] = [case for case in cases(hit) if case.dear]
    assert (first.hour, first.hit_after, first.saved, first.best) == (START + 100, 2, pytest.approx(0.2), first.saved)
    [late, *_] = [case for case in cases(laid(missed)) if case.dear]
    assert (late.hit_after, late.saved, late.best) == (24, 0.0, 0.0)


def test_only_hours_whose_day_is_over_are_cases() -> None:
    series = laid([CHEAP] * 100)
    assert [case.hour for case in cases(series)] == list(range(START + 24, START + 100 - DEADLINE_H))


def test_cases_that_overlap_count_once() -> None:
    waits = [Case(0, True, 3, 0.1, 0.1), Case(2, True, 1, 0.1, 0.1), Case(3, True, None, 0, 0), Case(20, True, 1, 0, 0)]
    assert [case.hour for case in apart(waits)] == [0, 3]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([0, None, 300_000, 400_000, 500_000, 900_000]), min_size=60, max_size=150))
def test_nobody_saves_more_than_hindsight(prices: list[int | None]) -> None:
    series = laid([CHEAP, *prices])
    for case in cases(series):
        assert case.saved <= case.best + 1e-12
        assert case.dear or case.saved == 0
        assert case.hit_after is None or case.saved >= 0
    advice, _ = advise(series, DEAR)
    assert advice.saved_cases <= advice.cases
    assert advice.p_target_24h is None or 0 <= advice.p_target_24h <= 1


@given(st.integers(100_000, 900_000), st.integers(112, 300), st.integers(1, 23))
def test_the_reservation_price_rises_from_the_median_to_the_price_of_now(median: int, percent: int, hours: int) -> None:
    price = median * percent / 100
    assert median < reservation(median, price, hours) < reservation(median, price, hours + 1)
    assert reservation(median, price, DEADLINE_H) == pytest.approx(price)


def test_a_wait_ends_at_the_first_price_that_meets_the_rising_one() -> None:
    series = laid([*[CHEAP] * 100, DEAR, 460_000, 460_000, 460_000, *[460_000] * 30])
    [first, *_] = [case for case in cases(series) if case.dear]
    assert reservation(CHEAP, DEAR, 8) < 460_000 <= reservation(CHEAP, DEAR, 9)
    assert (first.hit_after, first.saved) == (9, pytest.approx(0.08))


def test_waiting_is_not_advised_against_the_forecast() -> None:
    assert advise(laid(spikes(10)), DEAR, foretold=-0.01)[0].action == "wait"
    advice, text = advise(laid(spikes(10)), DEAR, foretold=0.01)
    assert (advice.action, advice.reservation_prices) == ("now", {})
    assert "the forecast for 24 h later is no lower" in str(text)


def test_waiting_is_not_advised_where_it_has_not_paid_in_the_market() -> None:
    advice, text = advise(laid(spikes(10)), DEAR, record=WaitRecord(100, 60, 3.0))
    assert advice.action == "now"
    assert "60 of 100 waits lost money" in str(text)
    assert advise(laid(spikes(10)), DEAR, record=WaitRecord(100, 5, 8.0))[0].action == "wait"


def test_waits_that_saved_too_little_are_not_said_to_have_lost_money() -> None:
    advice, text = advise(laid(spikes(10)), DEAR, record=WaitRecord(100, 0, 0.5))
    assert advice.action == "now"
    assert "lost money" not in str(text)
    assert "has lately saved too little in this market (0.5% in 100 waits)" in str(text)


def test_a_wait_must_be_worth_waiting_for() -> None:
    assert not WaitRecord(500, 10, 500 * 0.01).pays
    assert WaitRecord(500, 10, 500 * 0.03).pays
    assert WaitRecord().pays
    assert not WaitRecord(PRIOR_CASES, 10, 1.0).pays


def test_the_markets_record_knows_only_waits_that_are_over() -> None:
    found = [Case(100, True, 3, 0.2, 0.2), Case(101, True, None, -0.1, 0.0), Case(101, False, None, 0.0, 0.0)]
    record = wait_records(found, 1000)
    assert record(100 + DEADLINE_H - 1) == WaitRecord()
    assert record(100 + DEADLINE_H) == WaitRecord(1, 0, 0.2)
    assert (record(101 + DEADLINE_H).n, record(101 + DEADLINE_H).wrong) == (2, 1)
    assert record(100 + 30 * 24 + 1) == WaitRecord(1, 1, pytest.approx(-0.1))
    assert record(5000) == WaitRecord()
    assert wait_records([], 10)(5) == WaitRecord()


def test_advice_of_the_past_goes_by_what_was_known_then() -> None:
    losing = [Case(100 + 30 * k, True, None, -0.1, 0.0) for k in range(MIN_CASES + 2)]
    found = list(advised(losing, lambda hour: 0.0, lambda hour: WaitRecord()))
    assert [wait for _, wait in found] == [True] * MIN_CASES + [False] * 2
    assert not any(wait for _, wait in advised(losing, lambda hour: 0.1, lambda hour: WaitRecord()))
    assert not any(wait for _, wait in advised(losing, lambda hour: 0.0, lambda hour: WaitRecord(50, 50, -5)))
