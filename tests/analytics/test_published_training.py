"""What was published of training runs lies within what is said of such runs."""

from __future__ import annotations

import pytest

from benchmarks.published_training import PAGE, Compared, page, training_table

TABLE = training_table()


@pytest.mark.parametrize("run", TABLE, ids=lambda run: f"{run.what} {run.published:g}")
def test_a_published_run_lies_within_the_range(run: Compared) -> None:
    assert run.low <= run.published <= run.high


def test_the_middle_is_nearly_unbiased_over_all_pretraining() -> None:
    hours = [run.error_percent for run in TABLE if run.unit == "GPU-hours"]
    assert len(hours) == 13
    assert abs(sum(hours) / len(hours)) < 10


def test_the_page_is_of_today() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
