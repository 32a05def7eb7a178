from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.answers.reliability import host_reliability, place_among, reliability, risk_level, score_of
from analytics.errors import NotYet
from analytics.evidence import Basis
from analytics.interruptions.class_prior import Prior
from analytics.interruptions.estimator import Context, interruption_rates
from analytics.interruptions.resolution import TOO_COARSE
from analytics.market import DAY, HOUR, Exposure, LifeTable
from tests.analytics.test_interruptions import exposure
from tests.analytics.test_survival import BINS, mixture
from tests.fakes.markets import offer

NOW = 1_790_000_000
LIFE = mixture((1.0, 100.0), tenancies=200)


def basis(days: float = 40) -> Basis:
    return Basis(now=NOW, as_of=NOW - 60, interval=300, first_at=NOW - 60 - round(days * DAY), offers=3)


@settings(deadline=None)
@given(st.integers(0, 300), st.floats(1, 9000), st.integers(0, 3000))
def test_q8_and_q9_agree_on_the_same_period(events: int, held_h: float, down: int) -> None:
    lived = exposure(events, held_h, down=down)
    regions = {"EU-West": lived, "US-East": Exposure()}
    q9 = interruption_rates({"RTX 4090": regions}, "30d", basis()).gpus[0]
    if TOO_COARSE in q9.notes:
        assert (q9.uptime_percent, q9.mean_time_between_interruptions_hours) == (None, None)
        with pytest.raises(NotYet, match="cannot be resolved"):
            reliability("RTX 4090", lived, LIFE, [], basis())
        return
    q8 = reliability("RTX 4090", lived, LIFE, [], basis())
    assert q8.uptime_percent_30d == q9.uptime_percent
    assert q8.mean_time_between_interruptions_hours == q9.mean_time_between_interruptions_hours
    assert q8.avg_interruption_duration_minutes == q9.avg_duration_minutes
    assert q8.total_interruptions == q9.total_interruptions
    assert q8.evidence.interval_95
    assert q8.evidence.interval_95["mean_time_between_interruptions_hours"] == q9.interval_95


@settings(deadline=None)
@given(st.integers(1, 300), st.floats(100, 9000), st.integers(0, 3000))
def test_the_shown_uptime_is_that_of_the_shown_times(events: int, held_h: float, down: int) -> None:
    try:
        answer = reliability("RTX 4090", exposure(events, held_h, down=down), LIFE, [], basis())
    except NotYet:
        return
    mtbi = answer.mean_time_between_interruptions_hours
    if mtbi is not None:
        assert answer.avg_interruption_duration_minutes is not None
        hours = answer.avg_interruption_duration_minutes / 60
        assert answer.uptime_percent_30d == pytest.approx(100 * mtbi / (mtbi + hours), abs=0.1)


def test_a_model_that_runs_for_days_is_low_risk() -> None:
    answer = reliability("RTX 4090", exposure(20, 20_000), mixture((1.0, 1000.0), tenancies=50), [], basis())
    assert answer.reliability_score == pytest.approx(0.976, abs=0.01)
    assert answer.risk_level == "low"
    assert answer.survival.after_24h == answer.reliability_score
    assert answer.survival.after_1h
    assert answer.survival.after_6h
    assert answer.survival.after_1h > answer.survival.after_6h > answer.reliability_score
    details = answer.evidence.details or {}
    assert 0.9 < details["reliability_score_lower_5"] < answer.reliability_score


def test_the_curve_is_that_of_the_score_and_lies_in_its_interval() -> None:
    answer = reliability("RTX 4090", exposure(20, 500), LIFE, [], basis())
    points = {point.hours: point for point in answer.survival_curve}
    assert list(points) == [float(hours) for hours in range(25)]
    curve = answer.survival
    assert (points[0].probability, points[0].low, points[0].high) == (1, 1, 1)
    assert [points[h].probability for h in (1, 6, 24)] == [curve.after_1h, curve.after_6h, curve.after_24h]
    ends = (answer.evidence.interval_95 or {})["reliability_score"]
    assert (points[24].low, points[24].high) == (ends["low"], ends["high"])
    for before, after in itertools.pairwise(answer.survival_curve):
        assert before.probability >= after.probability
        assert after.low <= after.probability <= after.high


@pytest.mark.parametrize(("days", "hours"), [(0.04, 0), (0.1, 2), (0.5, 7), (40, 25)])
def test_the_curve_goes_no_further_than_half_of_history(days: float, hours: int) -> None:
    assert len(reliability("RTX 4090", exposure(20, 500), LIFE, [], basis(days)).survival_curve) == hours


@pytest.mark.parametrize(
    ("score", "risk"), [(1.0, "low"), (0.9, "low"), (0.8999, "medium"), (0.7, "medium"), (0.6999, "high")]
)
def test_risk_levels(score: float, risk: str) -> None:
    assert risk_level(score) == risk


@pytest.mark.parametrize(("days", "known"), [(0.04, 0), (0.2, 1), (0.6, 2), (1.9, 2), (2.0, 3)])
def test_a_horizon_needs_twice_its_length_of_history(days: float, known: int) -> None:
    curve = reliability("RTX 4090", exposure(20, 500), LIFE, [], basis(days)).survival
    horizons = (curve.after_1h, curve.after_6h, curve.after_24h)
    assert [value is not None for value in horizons] == [True] * known + [False] * (3 - known)


def test_without_a_score_the_answer_says_what_is_missing() -> None:
    young = reliability("RTX 4090", exposure(20, 500), LIFE, [], basis(1))
    assert (young.reliability_score, young.risk_level) == (None, None)
    assert "the score needs 48 h of history; so far: 24 h" in map(str, young.evidence.caveats)
    scarce = reliability("RTX 4090", exposure(2, 5), LIFE, [], basis(10))
    assert (scarce.reliability_score, scarce.uptime_percent_30d) == (None, None)
    assert scarce.survival.after_1h is None
    assert "5 tenant-hours are too few for a score: it takes 24" in map(str, scarce.evidence.caveats)


def test_no_interruption_yet_gives_a_bound_and_a_cautious_score() -> None:
    calm = LifeTable((3_600_000,) * BINS, (0,) * BINS)
    answer = reliability("RTX 4090", exposure(0, 13_000), calm, [], basis())
    assert answer.mean_time_between_interruptions_hours is None
    assert "the mean time between interruptions is at least 3,524.1 h" in map(str, answer.evidence.caveats)
    assert answer.reliability_score
    assert 0.99 < answer.reliability_score < 1


def test_a_rare_model_leans_on_its_class_and_a_short_history_is_told() -> None:
    answer = reliability("RTX 4090", exposure(4, 1000), LIFE, [], basis(12), context=Context(prior=Prior(20, 200)))
    assert (answer.evidence.details or {})["shrunk"] is True
    assert answer.mean_time_between_interruptions_hours == pytest.approx(1200 / 24, rel=0.01)
    assert "days recorded: only 12 of 30" in map(str, answer.evidence.caveats)


def test_vasts_own_score_counts_each_machine_once() -> None:
    book = [offer(1, reliability=0.5, gpu_ids=(n,)) for n in range(8)]
    book += [offer(2, reliability=0.98), offer(3, reliability=0.99), offer(4, reliability=None)]
    assert host_reliability(book) == 0.98
    assert host_reliability([offer(4, reliability=None)]) is None


def test_without_exposure_there_is_no_answer() -> None:
    with pytest.raises(NotYet):
        reliability("RTX 4090", Exposure(interrupted_s=HOUR), LifeTable(), [], basis())


@pytest.mark.parametrize("events", [0, 12])
def test_polls_twelve_hours_apart_refuse_everything_the_headline_included(events: int) -> None:
    lived = exposure(events, 300 if events else 100, step=12 * HOUR)
    with pytest.raises(NotYet, match="cannot be resolved") as caught:
        reliability("RTX 4090", lived, LIFE, [], replace(basis(), interval=12 * HOUR))
    assert caught.value.ready_at is None, "polls as far apart as these will not do"
    assert "polls 12 h apart" in str(caught.value.have)
    assert score_of(lived, LIFE, basis()) is None
    with pytest.raises(NotYet) as denser:
        reliability("RTX 4090", lived, LIFE, [], basis())
    assert denser.value.ready_at == NOW - 60 + 30 * DAY, "by then the old polls are out of the period"


def test_only_capped_polls_are_said_to_be_the_reason() -> None:
    with pytest.raises(NotYet) as caught:
        reliability("RTX 4090", Exposure(), LIFE, [], replace(basis(), capped=True))
    assert "cut off at a number of rows" in str(caught.value.have)
    assert caught.value.ready_at is None


@given(st.floats(0, 1), st.lists(st.floats(0, 1), max_size=20))
def test_the_safest_is_first_and_the_riskiest_last(score: float, others: list[float]) -> None:
    rank, of = place_among(score, others)
    assert rank is not None
    assert of == len(others) + 1
    assert 1 <= rank <= of
    assert (rank == 1) == (score >= max(others, default=0.0))
    assert place_among(score, None) == place_among(None, others) == (None, None)


def test_the_half_life_is_of_new_tenants_and_is_told_apart() -> None:
    answer = reliability("RTX 4090", exposure(20, 500), LIFE, [], basis(), context=Context(others=(0.1, 0.99)))
    assert answer.new_tenant_half_life_hours == answer.survival.median_hours
    assert answer.new_tenant_half_life_hours != answer.mean_time_between_interruptions_hours
    assert any(str(note).startswith("two different times: half of new tenants") for note in answer.evidence.caveats)
    assert (answer.risk_rank, answer.risk_of) == (2, 3)
