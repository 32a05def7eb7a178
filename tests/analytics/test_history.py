"""Points, gaps and figures of the past."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.answers.history import History, history
from analytics.errors import NotYet
from analytics.evidence import Basis
from analytics.market import HOUR, HourPoint
from tests.analytics.test_backtest import points

DAY_0 = 20_000 * 24
NOW_HOUR = DAY_0 + 24 * 40


def look(hours: list[HourPoint], days: int = 30) -> History:
    basis = Basis(NOW_HOUR * HOUR + 60, NOW_HOUR * HOUR, 300, hours[0].hour * HOUR if hours else None, 3)
    return history("RTX 4090", hours, days, basis)


def test_up_to_thirty_days_are_shown_by_the_hour() -> None:
    found = look(points([400_000] * 100, NOW_HOUR - 99))
    assert (found.step, len(found.points), found.gaps) == ("hour", 100, ())
    assert (found.points[-1].at, found.points[-1].price) == ("2024-11-13T00:00:00Z", 0.4)


def test_longer_spans_are_shown_by_the_day_as_medians() -> None:
    days: list[int | None] = []
    for day in range(40):
        days += [100_000 + day * 1_000] * 23 + [9_000_000]
    found = look(points(days, DAY_0), days=60)
    assert (found.step, len(found.points)) == ("day", 40)
    assert [moment.price for moment in found.points[:2]] == [0.1, 0.101]


def test_gaps_are_listed_not_filled() -> None:
    found = look(points([400_000, 0, 0, None, 400_000, 0], NOW_HOUR - 6))
    assert [(gap.since[11:13], gap.until[11:13], gap.hours) for gap in found.gaps] == [("19", "21", 2)]
    assert [moment.price for moment in found.points] == [0.4, None, 0.4]
    assert "gaps, which are not filled: 1, together 2 h" in map(str, found.evidence.caveats)


def test_what_is_missing_since_the_last_point_is_age_and_not_a_gap() -> None:
    """A market that was recorded last month has the same points and gaps as on the day when the recording ended."""
    hours = points([400_000, 0, 400_000] * 24 * 3, NOW_HOUR - 24 * 30)
    last = hours[-1].hour
    fresh = history("RTX 4090", hours, 7, Basis(last * HOUR + 60, last * HOUR, 300, hours[0].hour * HOUR, 3))
    late = history("RTX 4090", hours, 7, Basis(NOW_HOUR * HOUR, last * HOUR, 300, hours[0].hour * HOUR, 3))
    assert (late.points, late.gaps, late.stats) == (fresh.points, fresh.gaps, fresh.stats)
    assert sum(gap.hours for gap in late.gaps) + len(late.points) == 7 * 24
    assert (fresh.evidence.stale, late.evidence.stale) == (False, True)


def test_the_running_hour_is_shown_and_the_future_is_not() -> None:
    found = look(points([400_000, 410_000, 900_000, 950_000], NOW_HOUR - 1))
    assert [moment.price for moment in found.points] == [0.4, 0.41]
    assert found.stats is not None
    assert (found.stats.last, found.gaps) == (0.41, ())
    with pytest.raises(NotYet):
        look(points([400_000], NOW_HOUR + 1))


def test_figures_are_over_the_hours_with_a_price() -> None:
    stats = look(points([400_000, None, 200_000, 200_000, 300_000, 0, 300_000], NOW_HOUR - 6)).stats
    assert stats is not None
    assert (stats.hours, stats.first, stats.last, stats.low, stats.high, stats.median) == (5, 0.4, 0.3, 0.2, 0.4, 0.3)
    assert stats.unchanged_percent == 50.0
    assert look(points([None, None], NOW_HOUR - 1)).stats is None


def change(hours: list[HourPoint], days: int = 30) -> tuple[float | None, float | None, float | None, str | None]:
    """The levels of the first and last day in micro-dollars, the change between them, and why there is none."""
    stats = look(hours, days).stats
    assert stats is not None
    return stats.first_day, stats.last_day, stats.change_percent, None if stats.why is None else str(stats.why)


def test_the_change_is_between_the_first_and_the_last_day() -> None:
    prices = [900_000, *[400_000] * 23, *[700_000] * 24, *[300_000] * 23, 100_000]
    assert change(points(prices, NOW_HOUR - 71)) == (0.4, 0.3, -25.0, None)
    assert "median of the first 24 h" in str(look(points(prices, NOW_HOUR - 71)).evidence.method)


def test_the_change_is_over_the_days_asked_for() -> None:
    hours = points([900_000] * 24 + [400_000] * 24 + [300_000] * 24, NOW_HOUR - 71)
    assert change(hours, days=2) == (0.4, 0.3, -25.0, None)


def test_less_than_two_days_of_prices_are_no_change() -> None:
    short = "less than 2 days of prices, so no change is given"
    assert change(points([400_000] * 48, NOW_HOUR - 47)) == (0.4, 0.4, 0.0, None)
    assert change(points([400_000] * 47, NOW_HOUR - 46)) == (None, None, None, short)
    assert change(points([None] * 47 + [400_000], NOW_HOUR - 47)) == (None, None, None, short)
    assert change(points([400_000] * 72, NOW_HOUR - 71), days=1) == (None, None, None, short)


def test_a_day_of_few_prices_has_no_level() -> None:
    few = "too few prices on the first or last day, so no change is given"
    alone = points([400_000] + [0] * 24 + [300_000] * 48, NOW_HOUR - 72)
    assert change(alone) == (None, 0.3, None, few)
    halved = points(([400_000] + [0] * 11) * 2 + [300_000] * 24, NOW_HOUR - 47)
    assert change(halved) == (None, 0.3, None, few)


def test_a_price_weighs_as_long_as_it_stands() -> None:
    """Polled every six hours, then every hour: the median is over time, not over polls."""
    first = [400_000, 0, 0, 0, 0, 0] * 3 + [500_000] * 6
    assert change(points(first + [400_000] * 24, NOW_HOUR - 47)) == (0.4, 0.4, 0.0, None)


PRICES = st.integers(100_000, 900_000)


@given(st.lists(PRICES, min_size=60, max_size=120), st.booleans())
def test_an_hour_less_moves_a_level_by_no_more_than_its_neighbours(prices: list[int], moving: bool) -> None:
    """A median of 24 from which one hour leaves and to which one comes stays within three places of its order."""
    days = 2 if moving else 30
    hours = points(list(prices), NOW_HOUR - len(prices) + 1)
    before, after = look(hours, days).stats, look(hours[:-1], days).stats
    assert before is not None
    assert after is not None
    window = prices[-24 * days :]
    for name, day in (("first_day", window[:24]), ("last_day", window[-24:])):
        order = sorted(day)
        assert order[10] / 1e6 - 1e-4 <= getattr(after, name) <= order[13] / 1e6 + 1e-4
    if not moving:
        assert after.first_day == before.first_day
    for stats in (before, after):
        assert stats.change_percent == pytest.approx(100 * (stats.last_day / stats.first_day - 1), abs=0.2)


@given(st.integers(0, 95), st.integers(1, 90_000_000), st.sampled_from([1, 2, 3, 6]))
def test_one_hour_far_off_changes_nothing(place: int, price: int, every: int) -> None:
    prices: list[int | None] = [(400_000 if n < 48 else 300_000) if n % every == 0 else 0 for n in range(96)]
    plain = change(points(list(prices), NOW_HOUR - 95))
    prices[place // every * every] = price
    assert change(points(prices, NOW_HOUR - 95)) == plain == (0.4, 0.3, -25.0, None)


def test_without_history_there_is_none() -> None:
    with pytest.raises(NotYet):
        look([])


@given(st.lists(st.sampled_from([0, None, 300_000]), min_size=1, max_size=200))
def test_each_hour_is_a_point_or_in_a_gap(prices: list[int | None]) -> None:
    hours = points(prices, NOW_HOUR - len(prices))
    if hours:
        found = look(hours)
        assert len(found.points) + sum(gap.hours for gap in found.gaps) == hours[-1].hour - hours[0].hour + 1
