from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analytics.errors import NotYet
from analytics.evidence import Basis
from analytics.interruptions.class_prior import Prior, class_prior, kind
from analytics.interruptions.estimator import LOWER_BOUND, NOTHING, SHRUNK, estimate, interruption_rates
from analytics.interruptions.resolution import TOO_COARSE
from analytics.market import DAY, HOUR, Exposure

STEP = 300
NOW = 1_790_000_000
MOST_HIDDEN = 1.5
"""How much the correction may add in these samples: at most 200 interruptions in 360 steps."""
BASIS = Basis(now=NOW, as_of=NOW - 60, interval=STEP, first_at=NOW - 40 * DAY, offers=12)


def exposure(events: int, held_h: float, *, down: int | None = None, resumed: int = 0, step: int = STEP) -> Exposure:
    """``held_h`` hours in ``step``-second steps; each interruption waits ``down`` steps in all."""
    up = round(held_h * HOUR / step)
    waiting = 20 * events if down is None else down
    return Exposure(up * step, waiting * step, up, waiting, outbid=events, resumed=resumed)


exposures = st.builds(
    exposure,
    st.integers(1, 400),
    st.floats(40, 20_000),
    down=st.integers(0, 5000),
    resumed=st.integers(0, 100),
    step=st.sampled_from([60, 300, 900]),
)
priors = st.none() | st.builds(Prior, st.floats(0.1, 50), st.floats(1, 5000))


@settings(deadline=None)
@given(exposures, priors)
def test_uptime_is_mtbi_over_mtbi_plus_duration(lived: Exposure, prior: Prior | None) -> None:
    rate = estimate(lived, prior=prior)
    assume(rate.mtbi_hours is not None)
    assert rate.mtbi_hours is not None
    assert rate.duration_hours is not None
    assert rate.uptime == pytest.approx(rate.mtbi_hours / (rate.mtbi_hours + rate.duration_hours), rel=1e-12)
    assert rate.uptime == pytest.approx(lived.held_s / (lived.held_s + lived.interrupted_s), rel=1e-12)


@settings(deadline=None)
@given(exposures, priors)
def test_the_interval_holds_the_estimate_and_the_rate_is_its_inverse(lived: Exposure, prior: Prior | None) -> None:
    rate = estimate(lived, prior=prior)
    assume(rate.mtbi_hours is not None)
    low, high = rate.interval_95
    assert rate.mtbi_hours
    assert rate.per_hour
    assert low
    assert high
    assert low < rate.mtbi_hours < high
    assert rate.per_hour * rate.mtbi_hours == pytest.approx(1)


@settings(deadline=None)
@given(exposures)
def test_an_mtbi_is_refused_exactly_when_it_is_shorter_than_three_steps(lived: Exposure) -> None:
    rate = estimate(lived)
    p, q = lived.events / lived.up_steps, lived.resumed / lived.down_steps if lived.down_steps else 0.0
    assume(0 < p + q < 1 and lived.resumed <= lived.down_steps)
    step_h = (lived.held_s + lived.interrupted_s) / (lived.up_steps + lived.down_steps) / HOUR
    mtbi = 1 / (-math.log(1 - p - q) * p / ((p + q) * step_h))
    assume(abs(mtbi / step_h - 3) > 1e-6)
    assert (rate.mtbi_hours is None) == (mtbi < 3 * step_h)
    if rate.mtbi_hours is None:
        assert rate.notes == (TOO_COARSE,)
    else:
        assert rate.mtbi_hours == pytest.approx(mtbi)


def test_three_interruptions_in_a_week_give_the_published_interval() -> None:
    # With steps this short the correction is nil; features 4.4 gives k=3, T=168 h -> 56 h [19, 272].
    rate = estimate(Exposure(held_s=168 * HOUR, up_steps=168 * HOUR, outbid=3, interrupted_s=3600, down_steps=3600))
    assert rate.mtbi_hours == pytest.approx(56, rel=1e-3)
    assert rate.interval_95 == (pytest.approx(19.16, abs=0.01), pytest.approx(271.6, abs=0.1))


def test_without_interruptions_there_is_only_a_lower_bound() -> None:
    rate = estimate(exposure(0, 500), prior=Prior(5, 50))
    assert rate.interval_95 == (pytest.approx(500 / 3.689, rel=1e-3), None)
    assert (rate.mtbi_hours, rate.per_hour, rate.duration_hours, rate.uptime) == (None, None, None, 1.0)
    assert rate.notes == (LOWER_BOUND,)


def test_without_exposure_there_is_nothing() -> None:
    rate = estimate(Exposure(interrupted_s=900, down_steps=3))
    assert (rate.mtbi_hours, rate.uptime, rate.interval_95) == (None, None, (None, None))
    assert rate.notes == (NOTHING,)


def test_little_exposure_gives_no_uptime() -> None:
    assert estimate(exposure(1, 23.9)).uptime is None
    assert estimate(exposure(1, 24.1)).uptime is not None


def test_a_small_sample_in_which_all_came_back_at_once_is_not_refused() -> None:
    rate = estimate(exposure(3, 1000, down=3, resumed=3))
    assert rate.mtbi_hours is not None
    assert rate.correction > 1.5


def chain(mtbi_h: float, back_h: float, step_s: int, seed: int) -> Exposure:
    """A two-state Markov market in continuous time, looked at every ``step_s`` seconds."""
    rng = random.Random(seed)
    counts = dict.fromkeys(("up_steps", "down_steps", "absent", "resumed", "held_s", "interrupted_s"), 0)
    up, left = True, rng.expovariate(1 / mtbi_h)
    for _ in range(60_000):
        was, time = up, step_s / HOUR
        while left <= time:
            time, up = time - left, not up
            left = rng.expovariate(1 / (mtbi_h if up else back_h))
        left -= time
        counts["up_steps" if was else "down_steps"] += 1
        counts["absent"] += was and not up
        counts["resumed"] += up and not was
        for state in (was, up):
            counts["held_s" if state else "interrupted_s"] += step_s // 2
    return Exposure(**counts)


@pytest.mark.parametrize("step", [300, 900, 3600])
def test_the_correction_finds_the_rate_that_polling_hides(step: int) -> None:
    lived = chain(6.0, 0.5, step, seed=step)
    rate = estimate(lived)
    assert rate.mtbi_hours == pytest.approx(6.0, rel=0.06)
    if step == 3600:
        assert lived.held_s / HOUR / lived.events > 8


def test_below_ten_interruptions_the_rate_leans_on_its_class() -> None:
    prior = Prior(8, 80)
    few, alone = estimate(exposure(9, 900), prior=prior), estimate(exposure(9, 900))
    assert few.shrunk
    assert few.notes == (SHRUNK,)
    assert few.per_hour
    assert alone.per_hour
    assert alone.per_hour < few.per_hour < 0.1
    assert few.per_hour == pytest.approx((9 + 8) / (9 / alone.per_hour + 80))
    assert estimate(exposure(10, 900), prior=prior) == estimate(exposure(10, 900))


def test_a_class_of_alike_models_is_a_strong_prior_and_one_of_unlike_models_a_weak_one() -> None:
    alike = class_prior({name: exposure(k, 500) for name, k in zip("abcd", (44, 56, 47, 53), strict=True)})
    unlike = class_prior({name: exposure(k, 500) for name, k in zip("abcd", (5, 20, 60, 150), strict=True)})
    assert alike
    assert unlike
    assert alike.events / alike.hours == pytest.approx(0.1, rel=0.05)
    assert alike.hours > 1000
    assert unlike.hours < 50


@pytest.mark.parametrize(
    "models", [{}, {"a": exposure(30, 500), "b": exposure(30, 500)}, {name: exposure(2, 500) for name in "abcd"}]
)
def test_too_few_models_or_events_make_no_class(models: dict[str, Exposure]) -> None:
    assert class_prior(models) is None


@settings(deadline=None)
@given(st.lists(st.builds(exposure, st.integers(0, 200), st.floats(30, 5000)), min_size=3, max_size=8))
def test_a_class_prior_is_as_frequent_as_its_class(members: list[Exposure]) -> None:
    prior = class_prior({str(index): member for index, member in enumerate(members)})
    assume(prior is not None)
    assert prior is not None
    rates = [member.events / (member.held_s / HOUR) for member in members]
    assert min(rates) * 0.999 <= prior.events / prior.hours <= max(rates) * MOST_HIDDEN


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("RTX 4090", "geforce"),
        ("RTX 3080 Ti", "geforce"),
        ("GTX 1660 S", "geforce"),
        ("RTX 6000Ada", "professional"),
        ("RTX A4000", "professional"),
        ("A100 SXM4 80GB", "professional"),
    ],
)
def test_kinds(model: str, expected: str) -> None:
    assert kind(model) == expected


def test_q9_shows_the_least_interrupted_first_and_unknown_rates_last() -> None:
    market = {
        "RTX 4090": {"EU-West": exposure(40, 400), "US-West": exposure(10, 1000)},
        "H100 SXM": {"EU-West": exposure(12, 2000)},
        "L40S": {"EU-West": exposure(0, 100)},
        "B200": {"EU-West": Exposure()},
    }
    answer = interruption_rates(market, "7d", BASIS)
    assert [row.gpu_name for row in answer.gpus] == ["H100 SXM", "RTX 4090", "L40S"]
    second = answer.gpus[1]
    assert (second.total_interruptions, second.worst_region) == (50, "EU-West")
    assert second.interruption_rate_per_day == pytest.approx(
        24 / second.mean_time_between_interruptions_hours, rel=1e-3
    )
    assert second.by_cause == {"taken_or_down": 0, "outbid": 50, "absent": 0}
    assert answer.gpus[2].interruption_rate_per_day is None
    assert answer.gpus[2].interval_95["low"] == pytest.approx(100 / 3.689, rel=1e-3)
    assert answer.evidence.exposure_hours == pytest.approx(3500, abs=1)
    assert [row.gpu_name for row in interruption_rates(market, "7d", BASIS, only=("L40S",)).gpus] == ["L40S"]


def test_a_worst_region_needs_evidence() -> None:
    alike = {"RTX 4090": {"EU-West": exposure(41, 1000), "US-West": exposure(39, 1000)}}
    scarce = {"RTX 4090": {"EU-West": exposure(40, 1000), "US-West": exposure(9, 25)}}
    for market in (alike, scarce):
        assert interruption_rates(market, "7d", BASIS).gpus[0].worst_region is None


def test_a_rare_model_leans_on_its_kind_and_a_short_history_is_told() -> None:
    market = {name: {"EU-West": exposure(60, 600)} for name in ("RTX 3090", "RTX 4090", "RTX 5090")}
    market["RTX 2080 Ti"] = {"EU-West": exposure(2, 100)}
    answer = interruption_rates(market, "90d", BASIS, only=("RTX 2080 Ti",))
    assert answer.gpus[0].shrunk
    assert SHRUNK in answer.evidence.caveats
    assert "days recorded: only 40 of 90" in map(str, answer.evidence.caveats)


def test_with_nothing_held_it_says_what_is_missing_and_when() -> None:
    with pytest.raises(NotYet) as caught:
        interruption_rates({"RTX 4090": {"EU-West": Exposure()}}, "7d", BASIS)
    assert caught.value.ready_at == NOW - 60 + STEP


@pytest.mark.parametrize(("age", "ready"), [(60, STEP - 60), (STEP + 60, 0), (3 * STEP, 0), (3 * STEP + 1, None)])
def test_when_it_will_do_is_never_past_and_unknown_where_nobody_polls(age: int, ready: int | None) -> None:
    basis = replace(BASIS, as_of=NOW - age, interval=STEP)
    with pytest.raises(NotYet) as caught:
        interruption_rates({"RTX 4090": {"EU-West": Exposure()}}, "7d", basis)
    assert caught.value.ready_at == (None if ready is None else NOW + ready)
