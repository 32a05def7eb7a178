from __future__ import annotations

import datetime as dt
import math
import re
import zoneinfo
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.answers.windows import (
    DAYS,
    HOURS_DO_NOT_MATTER,
    NONE_THAT_LONG,
    SOME_HOURS,
    Asked,
    SafeWindows,
    safe_windows,
)
from analytics.errors import NotYet
from analytics.evidence import Basis, Note
from analytics.interruptions.fleet_profile import fit
from analytics.interruptions.weekly_hazard import WEEK, Fitted, profile
from analytics.market import HOUR, Exposure, HourOfWeek, HourPoint
from tests.analytics.test_weekly import MONDAY, flat, lived, nights_are_safe

HOURS = lived(6, nights_are_safe)
END = HOURS[-1][0] + 1
SAO_PAULO = zoneinfo.ZoneInfo("America/Sao_Paulo")
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


def prices() -> list[HourPoint]:
    """$0.30 at even hours, $0.50 at odd ones."""
    return [
        HourPoint(hour, 300_000 + 200_000 * (hour % 2), None, None, None, None, 9, 9, 12) for hour in range(MONDAY, END)
    ]


def basis(now: int = END * HOUR) -> Basis:
    return Basis(now=now, as_of=now - 60, interval=300, first_at=MONDAY * HOUR, offers=20)


def fitted(of: list[tuple[int, Exposure]]) -> Fitted | None:
    found = fit({"RTX 4090": of})
    return Fitted(found["RTX 4090"], END * HOUR) if found else None


NIGHTS = fitted(HOURS)


def stored(safe: Callable[[int], bool]) -> Fitted:
    """A published profile in which these hours of the week have half the risk of the others."""
    assert NIGHTS
    ratios = [1.0 if safe(cell) else 2.0 for cell in range(WEEK)]
    relative = tuple(ratio * WEEK / math.fsum(ratios) for ratio in ratios)
    return Fitted(replace(NIGHTS.profile, relative=relative), END * HOUR)


def answer(asked: Asked | None = None, *, now: int = END * HOUR, of: list[tuple[int, Exposure]] = HOURS) -> SafeWindows:
    return safe_windows("RTX 4090", of, prices(), basis(now), asked, NIGHTS if of is HOURS else fitted(of))


def test_safe_nights_are_found_and_the_days_are_the_worst() -> None:
    found = answer()
    assert found.hours_matter
    assert found.conclusion is SOME_HOURS
    assert found.skill
    assert found.skill > 0
    nights = [w for w in found.safe_windows if (w.start_hour, w.end_hour) == (22, 8)]
    assert len(nights) >= 3
    for window in nights:
        assert window.duration_hours == 10
        assert DAYS.index(window.end_day) == (DAYS.index(window.day_of_week) + 1) % 7
        assert window.avg_price == pytest.approx(0.4)
        assert window.safety_score > window.base_score
        assert "less often" in str(window.reasoning)
    for window in found.worst_windows:
        assert 8 <= window.start_hour < window.end_hour <= 22
        assert window.safety_score < window.base_score
        assert "more often" in str(window.reasoning)
    assert found.next_start is None


def test_the_score_is_the_chance_of_no_interruption_in_the_window() -> None:
    assert NIGHTS
    found = profile(HOURS, NIGHTS.profile.relative)
    assert found
    best = answer().safe_windows[0]
    cell = DAYS.index(best.day_of_week) * 24 + best.start_hour
    hazard = math.fsum(found.hazards[(cell + n) % WEEK] for n in range(best.duration_hours))
    correction = -math.log(best.safety_score) / hazard
    assert 1 <= correction < 1.5
    assert best.base_score == pytest.approx(math.exp(-correction * found.base * best.duration_hours), abs=1e-3)


@pytest.mark.parametrize("zone", [dt.UTC, SAO_PAULO, zoneinfo.ZoneInfo("Asia/Kolkata")])
def test_the_hours_of_the_week_make_up_the_windows(zone: dt.tzinfo) -> None:
    found = answer(Asked(zone, "somewhere"))
    table = found.safety_by_hour
    assert table
    assert [len(row) for row in table] == [24] * 7
    for window in (*found.safe_windows, *found.worst_windows):
        first = DAYS.index(window.day_of_week) * 24 + window.start_hour
        cells = [table[(first + n) % WEEK // 24][(first + n) % 24] for n in range(window.duration_hours)]
        assert math.prod(cell or 0 for cell in cells) == pytest.approx(window.safety_score, abs=2e-3)


def test_an_hour_that_the_clock_leaves_out_is_unknown() -> None:
    """Berlin, 2026-03-29: there is no 02:00."""
    moment = dt.datetime(2026, 3, 28, tzinfo=BERLIN)
    table = answer(Asked(BERLIN, "Europe/Berlin"), now=int(moment.timestamp())).safety_by_hour
    assert table
    assert [(d, h) for d, row in enumerate(table) for h, value in enumerate(row) if value is None] == [(6, 2)]


@pytest.mark.parametrize("hours", [1.0, 4.5, 9.0])
def test_a_job_gets_windows_just_long_enough_and_a_start(hours: float) -> None:
    found = answer(Asked(hours=hours))
    assert {window.duration_hours for window in found.safe_windows} == {math.ceil(hours)}
    assert found.next_start is not None
    assert found.next_start <= found.safe_windows[0].next_start
    assert NONE_THAT_LONG not in found.evidence.caveats


@pytest.mark.parametrize("hours", [30.0, 168.0])
def test_a_job_longer_than_any_night_gets_the_least_risky_start_and_is_told(hours: float) -> None:
    found = answer(Asked(hours=hours))
    (window,) = found.safe_windows
    assert window.duration_hours == hours
    assert NONE_THAT_LONG in found.evidence.caveats


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 3 * WEEK * HOUR), st.sampled_from([dt.UTC, SAO_PAULO, BERLIN, zoneinfo.ZoneInfo("Asia/Kolkata")]))
def test_the_next_start_is_ahead_within_a_week_and_says_the_same_as_the_window(later: int, zone: dt.tzinfo) -> None:
    now = END * HOUR + later
    found = answer(Asked(zone, "any"), now=now)
    for window in (*found.safe_windows, *found.worst_windows):
        start = dt.datetime.fromisoformat(window.next_start)
        assert now <= start.timestamp() < now + WEEK * HOUR
        assert start.timestamp() % HOUR == 0
        assert (DAYS[start.weekday()], start.hour) == (window.day_of_week, window.start_hour)
        assert 1 <= window.end_hour <= 24


def test_a_window_that_has_begun_is_next_in_a_week() -> None:
    start = int(dt.datetime.fromisoformat(answer().safe_windows[0].next_start).timestamp())
    for now, expected in ((start, start), (start + 1, start + WEEK * HOUR)):
        starts = [dt.datetime.fromisoformat(window.next_start).timestamp() for window in answer(now=now).safe_windows]
        assert expected in starts


def test_a_short_job_gets_the_safest_part_of_the_night() -> None:
    def late_nights(cell: int) -> float:
        return 0.06 if cell % 24 >= 22 or cell % 24 < 3 else 0.01 if cell % 24 < 8 else 0.14

    found = answer(Asked(hours=4), of=lived(8, late_nights))
    # two harmonics make the steps at 3 and at 8 round
    assert {window.start_hour for window in found.safe_windows} <= {2, 3, 4}


def test_windows_follow_the_askers_clock_over_a_change_of_summer_time() -> None:
    def berlin(moment: dt.datetime) -> set[int]:
        found = answer(Asked(BERLIN, "Europe/Berlin"), now=int(moment.timestamp()))
        return {window.start_hour for window in found.safe_windows if window.duration_hours == 10}

    assert berlin(dt.datetime(2024, 12, 2, tzinfo=dt.UTC)) == {23}
    assert berlin(dt.datetime(2025, 6, 2, tzinfo=dt.UTC)) == {0}


def test_a_run_that_ends_at_midnight_ends_at_24() -> None:
    found = safe_windows("RTX 4090", HOURS, prices(), basis(), None, stored(lambda cell: cell % 24 >= 18))
    window = found.safe_windows[0]
    assert (window.start_hour, window.end_hour, window.end_day) == (18, 24, window.day_of_week)


def test_where_hours_do_not_matter_that_is_the_answer() -> None:
    found = answer(Asked(hours=4), of=lived(5, flat))
    assert (found.safe_windows, found.worst_windows, found.next_start) == ((), (), None)
    assert found.conclusion is HOURS_DO_NOT_MATTER
    assert not found.hours_matter
    assert found.skill is not None
    assert found.base_rate == pytest.approx(0.08, rel=0.25)


@pytest.mark.parametrize(
    ("events", "told"),
    [
        (0, "0 interruptions are too few to tell hours apart: it takes 20"),
        (19, "19 interruptions are too few to tell hours apart: it takes 20"),
    ],
)
def test_too_few_interruptions_tell_nothing(events: int, told: str) -> None:
    calm = [
        (MONDAY + n, Exposure(HOUR, up_steps=12, absent=int(n < events), interrupted_s=300 * (n < events)))
        for n in range(4 * WEEK)
    ]
    found = answer(of=calm)
    assert str(found.conclusion) == told
    assert found.safe_windows == ()


def test_interruptions_too_frequent_to_time_are_refused() -> None:
    coarse = [(MONDAY + n, Exposure(HOUR, HOUR, 2, 2, absent=1, resumed=1)) for n in range(4 * WEEK)]
    with pytest.raises(NotYet, match="cannot be resolved"):
        answer(of=coarse)


def test_before_four_weeks_it_says_when() -> None:
    with pytest.raises(NotYet) as caught:
        answer(of=HOURS[: 3 * WEEK])
    assert (str(caught.value.have), str(caught.value.need)) == ("21 days with followed slices", "28 days")
    assert caught.value.ready_at == END * HOUR - 60 + WEEK * HOUR
    for nobody_polls in (Basis(END * HOUR, None, 300, None, 0), Basis(END * HOUR, END * HOUR - 901, 300, None, 0)):
        with pytest.raises(NotYet) as caught:
            safe_windows("RTX 4090", HOURS[: 3 * WEEK], [], nobody_polls)
        assert caught.value.ready_at is None


def test_hours_without_a_price_leave_the_price_open() -> None:
    found = safe_windows("RTX 4090", HOURS, [], basis(), None, NIGHTS)
    assert {window.avg_price for window in found.safe_windows} == {None}


def test_every_reason_carries_its_evidence() -> None:
    reason = answer().safe_windows[0].reasoning
    assert isinstance(reason, Note)
    assert reason.values["exposure"].values["n"] > 0
    assert re.search(r"\(\d+ times? in [\d,]+ tenant-hours?\)$", str(reason))
    assert HourOfWeek.of(MONDAY).index == 0


ZONES = [
    zoneinfo.ZoneInfo(name)
    for name in ("America/Sao_Paulo", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe")
]
"""Without a change of the clock, with one (in weeks that differ), with half hours, and with half an hour's change."""

CHANGES = [
    dt.datetime(2026, month, day, tzinfo=dt.UTC) for month, day in ((3, 8), (3, 29), (4, 5), (10, 4), (10, 25), (11, 1))
]
"""Days in 2026 on which clocks change in New York, Berlin or on Lord Howe."""

MOMENTS = st.one_of(
    st.builds(lambda day, off: int(day.timestamp()) + off, st.sampled_from(CHANGES), st.integers(-8 * 86_400, 86_400)),
    st.integers(int(dt.datetime(2026, 1, 1, tzinfo=dt.UTC).timestamp()), int(CHANGES[-1].timestamp())),
)

SAFE = st.one_of(
    st.integers(1, 23).flatmap(lambda n: st.integers(0, 23).map(lambda h: lambda cell: (cell - h) % 24 < n)),
    st.sets(st.integers(0, WEEK - 1), min_size=1, max_size=WEEK - 1).map(lambda cells: lambda cell: cell in cells),
)


def hours_of_utc(start: str, end: str) -> range:
    """The hours since 1970 between two local times."""
    first, last = (round(dt.datetime.fromisoformat(time).timestamp()) for time in (start, end))
    assert first % HOUR == last % HOUR == 0
    return range(first // HOUR, last // HOUR)


@settings(deadline=None, max_examples=200)
@given(MOMENTS, st.sampled_from(ZONES), SAFE)
def test_windows_are_real_hours_that_are_safe_in_weeks_of_23_and_25_hour_days(
    now: int, zone: zoneinfo.ZoneInfo, safe: Callable[[int], bool]
) -> None:
    found = safe_windows("RTX 4090", HOURS, [], basis(now), Asked(zone, zone.key), stored(safe))
    for windows, wanted in ((found.safe_windows, True), (found.worst_windows, False)):
        for window in windows:
            hours = hours_of_utc(window.next_start, window.next_end)
            assert now <= hours[0] * HOUR < now + WEEK * HOUR
            assert len(hours) == window.duration_hours
            assert {safe(HourOfWeek.index_of(hour)) for hour in hours} == {wanted}
            start, end = (dt.datetime.fromtimestamp(hour * HOUR, zone) for hour in (hours[0], hours[-1] + 1))
            assert (window.next_start, window.next_end) == (start.isoformat(), end.isoformat())
            assert (window.day_of_week, window.start_hour) == (DAYS[start.weekday()], start.hour)
            # where it ends at half past, the hour that it ends in is the last
            assert window.end_hour % 24 == (end + dt.timedelta(minutes=59)).hour
    table = found.safety_by_hour
    assert table
    scores: dict[tuple[int, int], set[bool]] = {}
    for hour in range(-(-now // HOUR), -(-now // HOUR) + WEEK):
        local = dt.datetime.fromtimestamp(hour * HOUR, zone)
        scores.setdefault((local.weekday(), local.hour), set()).add(safe(HourOfWeek.index_of(hour)))
    best = max(score for row in table for score in row if score is not None)
    for day, row in enumerate(table):
        for hour, score in enumerate(row):
            # an hour that the clock strikes twice is as safe as the riskier of the two
            assert (score == best if score is not None else None) == (
                all(scores[day, hour]) if (day, hour) in scores else None
            )


@settings(deadline=None, max_examples=200)
@given(MOMENTS, st.sampled_from(ZONES), SAFE, st.floats(1, 30))
def test_a_job_starts_at_the_first_full_hour_that_safe_hours_follow_for_as_long(
    now: int, zone: zoneinfo.ZoneInfo, safe: Callable[[int], bool], hours: float
) -> None:
    found = safe_windows("RTX 4090", HOURS, [], basis(now), Asked(zone, zone.key, hours), stored(safe))
    first, length = -(-now // HOUR), math.ceil(hours)
    starts = (
        start
        for start in range(first, first + WEEK)
        if all(safe(HourOfWeek.index_of(start + n)) for n in range(length))
    )
    expected = next(starts, None)
    assert found.next_start is not None
    start = dt.datetime.fromisoformat(found.next_start)
    assert (NONE_THAT_LONG in found.evidence.caveats) == (expected is None)
    if expected is None:
        assert found.next_start == found.safe_windows[0].next_start
    else:
        assert start == dt.datetime.fromtimestamp(expected * HOUR, dt.UTC)
        assert found.next_start == start.astimezone(zone).isoformat()


def test_inside_a_window_with_enough_left_a_job_starts_with_the_next_full_hour() -> None:
    monday = int(dt.datetime(2026, 6, 1, 2, 20, tzinfo=dt.UTC).timestamp())
    nights = stored(lambda cell: cell % 24 < 8)
    for hours, start in ((5, "2026-06-01T03:00:00+00:00"), (5.5, "2026-06-02T00:00:00+00:00")):
        found = safe_windows("RTX 4090", HOURS, [], basis(monday), Asked(hours=hours), nights)
        assert found.next_start == start


def test_before_the_first_fit_it_says_that_it_comes_with_the_next_hourly_run() -> None:
    with pytest.raises(NotYet, match="not fitted yet") as caught:
        safe_windows("RTX 4090", HOURS, [], basis(END * HOUR + 5), Asked())
    assert caught.value.ready_at == (END + 1) * HOUR + 120
    with pytest.raises(NotYet) as caught:
        safe_windows("RTX 4090", HOURS, [], Basis(END * HOUR, END * HOUR - 901, 300, None, 0), Asked())
    assert caught.value.ready_at is None


def test_a_profile_that_is_not_published_gives_no_windows_but_its_facts() -> None:
    assert NIGHTS
    kept = Fitted(replace(NIGHTS.profile, published=False), NIGHTS.at)
    found = safe_windows("RTX 4090", HOURS, [], basis(), None, kept)
    assert (found.conclusion, found.safe_windows, found.safety_by_hour) == (HOURS_DO_NOT_MATTER, (), None)
    assert found.evidence.details
    assert found.evidence.details["published"] is False
    assert found.evidence.details["claimed_risk"] == NIGHTS.profile.claimed_risk
    assert found.evidence.details["met_risk"] == NIGHTS.profile.met_risk
