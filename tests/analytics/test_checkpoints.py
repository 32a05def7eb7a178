import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.hardware.checkpoints import Upkeep, daly_interval, makespan, uninterrupted

PUBLISHED = Upkeep(save_hours=2 / 60, restart_hours=10 / 60)
WORK_H, DOWN_H = 100, 0.5


@pytest.mark.parametrize(("mtbi", "hours", "pays"), [(4, 133.8, 0.85), (12, 113.9, 0.92), (72, 104.1, 0.97)])
def test_a_run_of_100_hours_takes_what_simulation_found(mtbi, hours, pays):
    """C 2 min, R 10 min, D 30 min; 4,000 simulated runs gave the same hours to a tenth."""
    run = makespan(WORK_H, mtbi, DOWN_H, PUBLISHED)
    assert run.hours == pytest.approx(hours, abs=0.05)
    assert WORK_H / run.billed_hours == pytest.approx(pays, abs=0.011)


@pytest.mark.parametrize(("mtbi", "hours"), [(4, 3.4e11), (12, 5.3e4), (72, 219)])
def test_without_checkpoints_it_takes_for_ever(mtbi, hours):
    run = makespan(WORK_H, mtbi, DOWN_H, Upkeep(0, 10 / 60), interval=WORK_H)
    assert run.hours == pytest.approx(hours, rel=0.01)


def test_dalys_interval_is_youngs_when_saving_is_quick():
    assert daly_interval(1e-6, 10) == pytest.approx(math.sqrt(2 * 1e-6 * 10), rel=0.001)
    assert daly_interval(20, 10) == 10


def test_dalys_interval_is_the_best_to_a_thousandth():
    best = makespan(WORK_H, 12, DOWN_H, PUBLISHED)
    for factor in (0.5, 0.8, 1.25, 2):
        other = makespan(WORK_H, 12, DOWN_H, PUBLISHED, interval=factor * best.interval_hours)
        assert other.hours > best.hours * 0.9999


def test_a_run_that_would_never_end_has_no_hours():
    assert makespan(WORK_H, 0.01, DOWN_H, Upkeep(1, 1)) is None


def test_a_run_shorter_than_the_interval_is_saved_once():
    run = makespan(0.1, 1000, DOWN_H, PUBLISHED)
    assert run.interval_hours == 0.1


def test_nothing_known_means_nothing_added():
    run = uninterrupted(7.5)
    assert (run.hours, run.billed_hours, run.interruptions) == (7.5, 7.5, 0)


@given(
    work=st.floats(0.01, 10_000),
    mtbi=st.floats(0.5, 10_000),
    down=st.floats(0, 100),
    save=st.floats(1e-3, 1),
    restart=st.floats(0, 1),
)
def test_interruptions_only_ever_add(work, mtbi, down, save, restart):
    run = makespan(work, mtbi, down, Upkeep(save, restart))
    assert work < run.billed_hours * (1 + 1e-12)
    assert run.hours == pytest.approx(run.billed_hours + run.interruptions * down)
    rarer = makespan(work, 2 * mtbi, down, Upkeep(save, restart), interval=run.interval_hours)
    assert rarer.billed_hours <= run.billed_hours * (1 + 1e-9)
