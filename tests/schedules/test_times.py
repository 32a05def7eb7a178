"""A time of day comes once on each local day, whatever daylight saving does to it."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.schedules.times import DayTime

ZONES = ("UTC", "America/Sao_Paulo", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata",
         "Africa/Casablanca", "Pacific/Apia", "Antarctica/Troll")  # fmt: skip
YEAR = range(2015, 2031)


def at(text: str, zone: str = "UTC") -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=zoneinfo.ZoneInfo(zone)).timestamp())


def comings(time: DayTime, begin: int, count: int) -> list[str]:
    """The next times after a second, as the clock on the wall shows them, with their offset."""
    found, now = [], begin
    for _ in range(count):
        now = time.next_after(now)
        found.append(dt.datetime.fromtimestamp(now, zoneinfo.ZoneInfo(time.zone)).strftime("%m-%d %H:%M %z"))
    return found


@pytest.mark.parametrize(
    ("zone", "minute", "begin", "wanted"),
    [  # clocks forward, back, and where a rule was given up
        ("America/New_York", 540, "2026-03-07T00:00", ["03-07 09:00 -0500", "03-08 09:00 -0400", "03-09 09:00 -0400"]),
        ("America/New_York", 540, "2026-10-31T00:00", ["10-31 09:00 -0400", "11-01 09:00 -0500", "11-02 09:00 -0500"]),
        ("America/Sao_Paulo", 540, "2026-03-07T00:00", ["03-07 09:00 -0300", "03-08 09:00 -0300"]),
        ("America/Sao_Paulo", 540, "2018-11-03T00:00", ["11-03 09:00 -0300", "11-04 09:00 -0200"]),
        ("America/Sao_Paulo", 0, "2018-11-02T12:00", ["11-03 00:00 -0300", "11-04 01:00 -0200", "11-05 00:00 -0200"]),
        # 02:30 is left out, and comes twice
        ("America/New_York", 150, "2026-03-07T12:00", ["03-08 03:30 -0400", "03-09 02:30 -0400"]),
        ("America/New_York", 90, "2026-10-31T12:00", ["11-01 01:30 -0400", "11-02 01:30 -0500"]),
    ],
)
def test_it_comes_once_on_days_of_23_and_25_hours(zone: str, minute: int, begin: str, wanted: list[str]) -> None:
    assert comings(DayTime(minute, zone), at(begin, zone), len(wanted)) == wanted


def test_a_day_of_the_week_comes_once_a_week() -> None:
    friday = DayTime(17 * 60, "America/New_York", 4)
    found = comings(friday, at("2026-10-28T00:00", "America/New_York"), 3)
    assert found == ["10-30 17:00 -0400", "11-06 17:00 -0500", "11-13 17:00 -0500"]


@given(
    zone=st.sampled_from(ZONES),
    minute=st.integers(0, 1439),
    now=st.integers(at("2011-01-01"), at("2031-01-01")),
    weekday=st.none() | st.integers(0, 6),
)
def test_the_last_and_the_next_are_neighbours(zone: str, minute: int, now: int, weekday: int | None) -> None:
    time = DayTime(minute, zone, weekday)
    last, following = time.last_by(now), time.next_after(now)
    assert last <= now < following
    assert time.next_after(last) == following
    assert time.last_by(following) == following
    assert time.last_by(following - 1) == last


@given(zone=st.sampled_from(ZONES), minute=st.integers(0, 1439), year=st.sampled_from(YEAR))
def test_each_local_day_of_a_year_has_one(zone: str, minute: int, year: int) -> None:
    time, now, days = DayTime(minute, zone), at(f"{year}-01-01", zone) - 1, []
    while (now := time.next_after(now)) < at(f"{year + 1}-01-01", zone):
        days.append(dt.datetime.fromtimestamp(now, zoneinfo.ZoneInfo(zone)).date())
    # a time shortly before midnight may be put off to the next day where midnight is left out
    assert len(days) in (364, 365, 366)
    assert len(set(days)) == len(days)
