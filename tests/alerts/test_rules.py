from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bot.alerts
from analytics.errors import AskError
from analytics.market import DAY, HOUR
from bot.alerts.quiet import Quiet
from bot.alerts.rules import KINDS, PPM, Direction, Kind, Measure, Metric, OfferFilter, Rule, Series
from bot.alerts.validation import validate
from bot.presentation.words import Words

NOW = 1_790_000_000
NEW_YORK = "America/New_York"


def good(kind: Kind, threshold: int | None = None) -> Rule:
    """A rule of a kind that is within all bounds."""
    spec = KINDS[kind]
    usual = {Kind.DROPS: 900_000, Kind.RISES: 1_100_000, Kind.NEW_LOW: PPM, Kind.AVAILABLE: 8}
    series = Series("RTX 4090", measure=spec.measure, window=spec.window[0], level=900_000 if spec.levelled else 0)
    value = usual.get(kind, 350_000) if threshold is None else threshold
    offer = OfferFilter(2, 980_000, 100) if kind is Kind.OFFER else None
    return Rule(kind, series, value, spec.direction or Direction.BELOW, created_at=NOW, offer=offer)


def offers(*wanted: int) -> Rule:
    return replace(good(Kind.OFFER), offer=OfferFilter(*wanted))


PRICE = good(Kind.BELOW)


@pytest.mark.parametrize("kind", Kind)
def test_a_rule_of_each_kind_is_accepted(kind: Kind) -> None:
    validate(good(kind))
    assert good(kind).series.unit


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (good(Kind.BELOW, 0), "more than 0"),
        (good(Kind.ABOVE, -1), "more than 0"),
        (good(Kind.AVAILABLE, 0), "always fires"),
        (good(Kind.ABOVE, 10**15 + 1), "too large"),
        (replace(PRICE, series=replace(PRICE.series, region="EU-*")), "watch the floor"),
        (offers(0), "between 1 and 64"),
        (offers(65), "between 1 and 64"),
        (offers(1, PPM + 1), "0% and 100%"),
        (offers(1, 0, 100_001), "100,000 GB"),
        (offers(1, 0, -1), "100,000 GB"),
        (replace(PRICE, offer=OfferFilter()), "only offers"),
        (replace(offers(1), series=replace(offers(1).series, metric=Metric.ON_DEMAND)), "on demand"),
        (good(Kind.DROPS, 0), "less than 100%"),
        (good(Kind.DROPS, PPM), "more than 0%"),
        (good(Kind.RISES, PPM), "more than 0%"),
        (good(Kind.NEW_LOW, PPM - 1), "no threshold"),
        (good(Kind.NEW_LOW, PPM + 1), "no threshold"),
        (good(Kind.RISK_ABOVE, PPM), "never fires"),
        (replace(good(Kind.RISK_ABOVE), series=replace(good(Kind.RISK_ABOVE).series, window=25 * HOUR)), "1 and 24 h"),
        (replace(good(Kind.DROPS), series=replace(good(Kind.DROPS).series, window=169 * HOUR)), "1 and 168 hours"),
        (replace(good(Kind.NEW_LOW), series=replace(good(Kind.NEW_LOW).series, window=366 * DAY)), "1 and 365 days"),
        (
            replace(good(Kind.PREDICTED_BELOW), series=replace(good(Kind.PREDICTED_BELOW).series, level=PPM)),
            "between 0%",
        ),
        (replace(PRICE, series=replace(PRICE.series, measure=Measure.GPUS)), "does not watch gpus below"),
        (replace(PRICE, direction=Direction.ABOVE), "does not watch price above"),
        (replace(PRICE, readings=0), "1 and 10"),
        (replace(PRICE, readings=11), "1 and 10"),
        (replace(PRICE, rearm_ppm=500_001), "0% and 50%"),
        (replace(PRICE, hold_seconds=-1), "negative"),
        (replace(PRICE, repeat_seconds=-1), "negative"),
        (replace(PRICE, min_interval=-1), "negative"),
        (replace(PRICE, expires_at=NOW), "before it begins"),
        (replace(PRICE, expires_at=NOW + HOUR, hold_seconds=HOUR), "before it can fire"),
        (replace(PRICE, quiet=Quiet(0, 1440)), "time of day"),
        (replace(PRICE, quiet=Quiet(60, 60)), "all day"),
        (replace(PRICE, quiet=Quiet(60, 90, "Mars/Olympus")), "no time zone"),
        (replace(PRICE, quiet=Quiet(60, 90, "../etc/passwd")), "no time zone"),
    ],
)
def test_a_rule_out_of_range_is_refused_with_the_reason(rule: Rule, says: str) -> None:
    with pytest.raises(AskError, match=says):
        validate(rule)


@pytest.mark.parametrize(
    ("rule", "fires", "not_yet", "clears", "still"),
    [
        (good(Kind.BELOW, 350_000), 349_999, 350_000, 357_000, 356_999),
        (good(Kind.ABOVE, 350_000), 350_001, 350_000, 343_000, 343_001),
        (good(Kind.AVAILABLE, 8), 8, 7, 7, 8),
        (good(Kind.AVAILABLE, 100), 100, 99, 98, 99),
        (good(Kind.AVAILABLE, 1), 1, 0, 0, 1),
        (good(Kind.DROPS, 900_000), 899_999, 900_000, 918_000, 917_999),
        (replace(good(Kind.AVAILABLE, 8), rearm_ppm=0), 8, 7, 7, 8),
        (good(Kind.BELOW, 101), 100, 101, 104, 103),
        (replace(good(Kind.BELOW, 350_000), rearm_ppm=0), 349_999, 350_000, 350_000, 349_999),
    ],
)
def test_thresholds_are_strict_but_for_counts_and_re_arm_by_the_margin(
    rule: Rule, fires: int, not_yet: int, clears: int, still: int
) -> None:
    assert (rule.met(fires), rule.met(not_yet)) == (True, False)
    assert (rule.cleared(clears), rule.cleared(still)) == (True, False)


@given(st.integers(1, 10**7), st.integers(0, 500_000), st.integers(0, 2 * 10**7), st.sampled_from(Kind))
def test_no_value_both_fires_and_clears_and_some_value_clears(
    threshold: int, rearm: int, value: int, kind: Kind
) -> None:
    rule = replace(good(kind, threshold), rearm_ppm=rearm)
    assert not (rule.met(value) and rule.cleared(value))
    assert rule.clear >= 0


def _at(text: str, zone: str = NEW_YORK, fold: int = 0) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp())


@pytest.mark.parametrize(
    ("quiet", "at", "ends"),
    [
        ((22 * 60, 8 * 60), "2026-07-01T23:10:05", "2026-07-02T08:00"),
        ((22 * 60, 8 * 60), "2026-07-01T07:59:59", "2026-07-01T08:00"),
        ((22 * 60, 8 * 60), "2026-07-01T08:00", None),
        ((22 * 60, 8 * 60), "2026-07-01T21:59:59", None),
        ((12 * 60, 13 * 60), "2026-07-01T12:00", "2026-07-01T13:00"),
        ((22 * 60, 8 * 60), "2026-03-07T23:00", "2026-03-08T08:00"),
        ((22 * 60, 8 * 60), "2026-10-31T23:00", "2026-11-01T08:00"),
        ((22 * 60, 2 * 60 + 30), "2026-03-07T23:00", "2026-03-08T03:00"),
    ],
)
def test_quiet_hours_follow_the_clock_on_the_wall(quiet: tuple[int, int], at: str, ends: str | None) -> None:
    assert Quiet(*quiet, NEW_YORK).ends(_at(at)) == (None if ends is None else _at(ends))


@given(
    st.integers(0, 1439),
    st.integers(0, 1439),
    st.sampled_from([NEW_YORK, "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo"]),
    st.integers(_at("2026-01-01T00:00"), _at("2027-01-01T00:00")),
)
def test_the_end_of_quiet_hours_is_the_first_loud_second(start: int, end: int, zone: str, at: int) -> None:
    quiet = Quiet(start, end, zone)
    ends = quiet.ends(at)
    local = dt.datetime.fromtimestamp(at, ZoneInfo(zone))
    minute = local.hour * 60 + local.minute
    assert (ends is not None) == (start <= minute < end if start <= end else minute >= start or minute < end)
    if ends is not None:
        assert quiet.ends(ends) is None
        assert all(quiet.holds(second) for second in (ends - 1, *range(at, ends, 60)))


def test_every_text_of_the_rules_is_translated() -> None:
    folder = Path(bot.alerts.__file__).parent
    texts = {text for file in folder.glob("*.py") for text in re.findall(r'Note\(\s*"([^"]+)"', file.read_text())}
    words = Words("pt-BR", 0)
    assert len(texts) > 15
    worded = {text for text in texts if re.search("[a-z]", re.sub(r"{.*?}|GPUs", "", text))}
    assert {text for text in worded if words(text) == text} == set()
