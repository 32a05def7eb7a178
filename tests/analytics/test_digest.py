"""What a digest says, of values that can be worked out by hand."""

from __future__ import annotations

import datetime as dt
import math
import zoneinfo
from collections.abc import Callable, Mapping

import pytest

from analytics.answers.digest import (
    NO_PROFILE,
    NONE_PUBLISHED,
    NONE_STARTS,
    NOT_SCORED,
    NOTHING_DUE,
    Fired,
    digest,
    forecasts_due,
    market,
    windows_ahead,
)
from analytics.answers.digest_prices import (
    CHANGE,
    MONTH,
    NO_PRICE,
    NO_START,
    NOT_FRESH,
    Judged,
    Moved,
    Priced,
    Span,
    judged,
)
from analytics.answers.windows import Asked, safe_windows
from analytics.evidence import Basis, plain
from analytics.forecasting.ledger import Landed
from analytics.interruptions.weekly_hazard import WEEK
from analytics.market import HOUR, HourOfWeek
from tests.analytics.test_windows import BERLIN, END, HOURS, basis, prices, stored

NOW = 500_000
"""The hour that it is."""

DAY = Span(NOW - 24, NOW)
LAST_WEEK = Span(NOW - WEEK, NOW)
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
GPU = "RTX 4090"


def hourly(days: int, price: Callable[[int], int]) -> dict[int, int]:
    """So many days up to now; ``price`` of how many hours ago."""
    return {NOW - ago: price(ago) for ago in range(1, 24 * days + 1)}


def every_other_day(ago: int) -> int:
    """The last 24 hours at 100,000, those before at 110,000, and so on: changes of a day are -9.09 % and +10 %."""
    return 100_000 if (ago - 1) // 24 % 2 == 0 else 110_000


def of(hours: Mapping[int, int], price: int | None, span: Span = DAY, *, stale: bool = False) -> Judged:
    return judged([Priced(GPU, price, stale, hours)], span)


def change_of(found: Judged) -> Moved:
    (moved,) = found.moved
    return moved


def reasons(found: Judged) -> dict[str, str]:
    return {one.what: str(one.why) for one in found.not_judged}


def test_a_change_beyond_the_past_ones_is_told_with_what_is_usual_and_how_many_days_that_was_of() -> None:
    moved = change_of(of(hourly(40, every_other_day), 130_000))
    assert moved == Moved(GPU, 0.13, 0.1, 30.0, -9.09, 10.0, 30, 30)
    assert change_of(of(hourly(40, every_other_day), 85_000)).change_percent == -15.0


def test_a_change_as_large_as_past_ones_is_none_and_was_judged() -> None:
    found = of(hourly(40, every_other_day), 110_000)
    assert (found.moved, found.changes, found.not_judged) == ((), 1, ())


def test_what_happened_in_the_period_itself_is_not_usual_yet() -> None:
    found = of(hourly(40, lambda ago: 120_000 if ago <= 23 else 100_000), 120_000)
    moved = change_of(found)
    assert (moved.change_percent, moved.usual_low_percent, moved.usual_high_percent) == (20.0, 0.0, 0.0)


def test_a_slip_of_some_hours_in_the_month_does_not_make_a_jump_usual() -> None:
    def slipped(ago: int) -> int:
        return 200_000 if 300 <= ago < 308 else 100_000

    assert change_of(of(hourly(40, slipped), 150_000)).usual_high_percent == 0.0
    day_long = of(hourly(40, lambda ago: 200_000 if 300 <= ago < 324 else 100_000), 150_000)
    assert day_long.moved == ()


@pytest.mark.parametrize("price", [100_000, 100_900, 99_100])
def test_a_flat_price_has_not_moved_and_is_not_cheap(price: int) -> None:
    found = of(hourly(40, lambda ago: 100_000), price)
    assert (found.moved, found.cheap, found.changes, found.months) == ((), (), 1, 1)


def test_of_nothing_nothing_is_said() -> None:
    assert judged([], DAY) == Judged((), (), 0, 0, ())


def test_one_hour_is_too_little_for_both_and_it_is_said_when_it_will_do() -> None:
    found = of({NOW - 24: 100_000}, 130_000)
    assert (found.moved, found.cheap, found.changes, found.months) == ((), (), 0, 0)
    assert reasons(found) == {
        CHANGE: "too little history: changes over 24 h seen: 0, it takes 10",
        MONTH: "too little history: days of the month with a price: 1, it takes 20",
    }
    ready = [dt.datetime.fromisoformat(one.ready_at or "").timestamp() / HOUR - NOW for one in found.not_judged]
    assert ready == [240, 19 * 24]


@pytest.mark.parametrize(("days", "enough"), [(10, False), (11, True)])
def test_it_takes_ten_spans_before_the_period_that_do_not_overlap(days: int, *, enough: bool) -> None:
    found = of(hourly(days, every_other_day), 130_000)
    assert bool(found.moved) is (found.changes == 1) is enough


@pytest.mark.parametrize(("weeks", "enough"), [(9, False), (10, True)])
def test_of_a_week_it_takes_ten_weeks(weeks: int, *, enough: bool) -> None:
    found = of(hourly(7 * weeks + 7, lambda ago: 100_000 + ago % 2 * 100), 150_000, LAST_WEEK)
    assert bool(found.moved) is enough
    if enough:
        assert (change_of(found).spans, change_of(found).days) == (10, 64)


@pytest.mark.parametrize(("gap", "known"), [(5, True), (6, False)])
def test_the_price_at_the_start_is_held_for_as_long_as_polls_are_apart(gap: int, *, known: bool) -> None:
    whole = hourly(40, lambda ago: 100_000)
    found = of({hour: price for hour, price in whole.items() if not NOW - 24 - gap < hour <= NOW - 24}, 130_000)
    assert bool(found.moved) is known
    assert reasons(found) == ({} if known else {CHANGE: str(NO_START)})


def test_hours_without_a_price_are_not_looked_at() -> None:
    """Ten days of the month are missing; changes that begin or end in them are, too."""
    whole = hourly(40, lambda ago: 100_000)
    found = of({hour: price for hour, price in whole.items() if not NOW - 480 <= hour < NOW - 240}, 130_000)
    # of 720 changes 240 end in the gap and 24 more begin in it; five at its start are of a price that was held
    assert change_of(found).days == (720 - 264 + 5) // 24
    assert (change_of(found).spans, found.months) == (9 + 12, 1)


@pytest.mark.parametrize(("price", "stale", "why"), [(None, False, NO_PRICE), (130_000, True, NOT_FRESH)])
def test_without_a_fresh_price_nothing_is_judged_and_it_is_said_once(
    price: int | None, why: object, *, stale: bool
) -> None:
    found = of(hourly(40, every_other_day), price, stale=stale)
    assert (found.moved, found.cheap, found.changes, found.months) == ((), (), 0, 0)
    assert [(one.what, one.why, one.ready_at) for one in found.not_judged] == [(CHANGE, why, None)]


def test_a_price_is_cheap_where_few_hours_of_the_month_had_one_as_low() -> None:
    def low_for(hours: int) -> dict[int, int]:
        return hourly(40, lambda ago: 90_000 if 100 <= ago < 100 + hours else 100_000)

    (cheap,) = of(low_for(72), 90_000).cheap
    assert (cheap.gpu_name, cheap.price, cheap.usual_price, cheap.share_percent) == (GPU, 0.09, 0.1, 10.0)
    assert (cheap.hours, cheap.days) == (720, 30)
    assert of(low_for(73), 90_000).cheap == ()
    assert of(low_for(72), 89_000).cheap[0].share_percent == 0.0
    assert of(hourly(19, lambda ago: 100_000), 90_000).cheap == ()
    assert of(hourly(20, lambda ago: 100_000), 90_000).cheap[0].days == 20


@pytest.mark.parametrize("apart", [1, 5])
@pytest.mark.parametrize("span", [DAY, LAST_WEEK, Span(NOW - 30, NOW)])
def test_the_hours_that_are_read_are_all_that_is_looked_at(span: Span, apart: int) -> None:
    whole = hourly(200, lambda ago: 100_000 + 700 * (ago * 7919 % 13))
    whole = {hour: price for hour, price in whole.items() if hour % apart == 0}
    needed = {hour: whole[hour] for hour in span.needed() if hour in whole}
    assert len(needed) < len(whole) / 2
    for price in (90_000, 100_000, 130_000):
        assert of(needed, price, span) == of(whole, price, span)


def landed(model: str = GPU, horizon: int = 6, **said: int | bool | None) -> Landed:
    usual = {"y_last": 100, "price": 100, "lo80": 90, "hi80": 110, "actual": 100, "scored": True}
    told = {
        name: value * 1000 if isinstance(value, int) and value > 1 else value for name, value in (usual | said).items()
    }
    return Landed(
        model=model,
        issued_at=0,
        horizon_h=horizon,
        confidence=None,
        source="x",
        target_at=horizon * HOUR,
        **told,  # type: ignore[arg-type]
    )


def test_forecasts_are_counted_against_their_range_with_the_closest_and_the_furthest() -> None:
    found = forecasts_due(
        [
            landed(),  # exact, but its price did not move: no feat
            landed(actual=90),
            landed(actual=111),
            landed("L40S", 1, actual=104, price=103),
            landed(lo80=None, hi80=None, actual=80),
            landed(actual=None),  # void
            landed(actual=None, scored=False),
        ]
    )
    assert (found.due, found.scored, found.ranged, found.within_80, found.why) == (7, 5, 4, 3, None)
    best, worst = found.best, found.worst
    assert best
    assert (best.gpu_name, best.horizon_hours, best.said, best.was) == ("L40S", 1, 0.103, 0.104)
    assert worst
    assert (worst.said, worst.was, worst.error_percent, worst.low_80) == (0.1, 0.08, -20.0, None)


def test_without_forecasts_it_is_said_why() -> None:
    assert forecasts_due([]).why is NOTHING_DUE
    assert forecasts_due([landed(actual=None)]).why is NOTHING_DUE
    assert forecasts_due([landed(actual=None, scored=False)]).why is NOT_SCORED
    exact = forecasts_due([landed()])
    assert (exact.why, exact.best, exact.worst, exact.within_80) == (None, None, None, 1)


def hour_of(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).timestamp()) // HOUR


def safe_at(text: str) -> tuple[float, ...]:
    """Hazards of which one hour of the week is safe."""
    cell = HourOfWeek.index_of(hour_of(text))
    return tuple(0.5 if n == cell else 1.01 for n in range(WEEK))


@pytest.mark.parametrize(
    ("read_at", "begins", "told"),
    [
        # the day after has 25 hours: its last begins 24 hours after its first
        ("2026-10-31T09:00-04:00", "2026-11-01T23:00-05:00", True),
        ("2026-10-31T09:00-04:00", "2026-11-02T00:00-05:00", False),
        ("2026-10-31T09:00-04:00", "2026-11-01T00:00-04:00", True),
        ("2026-10-31T09:00-04:00", "2026-10-31T23:00-04:00", False),
        # it has 23
        ("2026-03-07T09:00-05:00", "2026-03-08T23:00-04:00", True),
        ("2026-03-07T09:00-05:00", "2026-03-09T00:00-04:00", False),
        ("2026-03-07T09:00-05:00", "2026-03-08T00:00-05:00", True),
        # read on the day of the change
        ("2026-11-01T09:00-05:00", "2026-11-02T00:00-05:00", True),
        ("2026-11-01T09:00-05:00", "2026-11-01T23:00-05:00", False),
    ],
)
def test_windows_are_those_that_begin_on_the_readers_next_day(read_at: str, begins: str, *, told: bool) -> None:
    found = windows_ahead({GPU: safe_at(begins)}, hour_of(read_at) * HOUR, NEW_YORK)
    assert [hour_of(one.start) for one in found.windows] == ([hour_of(begins)] if told else [])
    assert found.why is (None if told else NONE_STARTS)
    if told:
        assert found.windows[0].start == dt.datetime.fromisoformat(begins).isoformat()
        assert (found.windows[0].hours, found.windows[0].less_percent) == (1, 50.0)


def test_without_windows_it_is_said_why_once() -> None:
    assert windows_ahead(None, NOW * HOUR, dt.UTC).why is NO_PROFILE
    assert windows_ahead({}, NOW * HOUR, dt.UTC).why is NONE_PUBLISHED


@pytest.mark.parametrize("hour", range(0, WEEK, 24))
def test_its_windows_are_those_of_the_question_about_them(hour: int) -> None:
    now = (END + hour) * HOUR
    fitted = stored(lambda cell: cell % 24 in (3, 4, 5, 20))
    asked = safe_windows(GPU, HOURS, prices(), basis(now), Asked(BERLIN, "Europe/Berlin"), fitted)
    day = dt.datetime.fromtimestamp(now, BERLIN).date() + dt.timedelta(days=1)
    begin = [one for one in asked.safe_windows if dt.datetime.fromisoformat(one.next_start).date() == day]
    found = windows_ahead({GPU: fitted.profile.relative}, now, BERLIN).windows
    assert sorted((one.start, one.end, one.hours) for one in found) == sorted(
        (one.next_start, one.next_end, one.duration_hours) for one in begin
    )


def made(hours: Mapping[int, int], price: int, fired: Fired | None = None) -> dict[str, object]:
    state = Basis(NOW * HOUR + 60, NOW * HOUR, 300, min(hours) * HOUR, 20)
    found = market([Priced(GPU, price, False, hours)], DAY, [], None, state)
    answer = digest(found, fired, DAY.since * HOUR + 60, NEW_YORK, "America/New_York")
    assert answer.evidence.stale is False
    return dict(plain(answer))


@pytest.mark.parametrize(
    ("price", "fired", "happened"),
    [
        (100_000, None, False),
        (100_000, Fired(), False),
        (100_000, Fired((), 3), True),
        (130_000, None, True),
        (90_000, None, True),
    ],
)
def test_something_happened_where_a_price_moved_is_cheap_or_an_alert_fired(
    price: int, fired: Fired | None, *, happened: bool
) -> None:
    assert made(hourly(40, lambda ago: 100_000), price, fired)["happened"] is happened


def test_the_chart_is_of_what_moved_most_with_its_gaps() -> None:
    whole = hourly(40, lambda ago: 100_000)
    answer = made({hour: price for hour, price in whole.items() if hour != NOW - 5}, 130_000)
    past = answer["past"]
    assert isinstance(past, list)
    assert (answer["shown_gpu"], len(past), past[-1]["price"]) == (GPU, WEEK + 1, 0.13)
    assert [n for n, one in enumerate(past) if one["price"] is None] == [WEEK - 5]
    assert made(whole, 100_000)["past"] == []


def test_what_moved_furthest_beyond_its_range_comes_first() -> None:
    calm, wild = hourly(40, lambda ago: 100_000), hourly(40, every_other_day)
    found = judged([Priced("wild", 125_000, False, wild), Priced("calm", 120_000, False, calm)], DAY)
    assert [one.gpu_name for one in found.moved] == ["calm", "wild"]
    assert math.isclose(found.moved[1].change_percent, 25.0)
