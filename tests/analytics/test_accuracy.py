"""The answer about past forecasts: which report is told, of whom, and that no figure is made up."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analytics.answers.accuracy import Reports, accuracy, said_and_met
from analytics.errors import NotYet
from analytics.evidence import Basis, plain
from analytics.forecasting.backtest import backtest
from analytics.forecasting.track_record import MIN_SCORED
from analytics.market import DAY, HOUR, HourPoint
from tests.fakes.reports import BACKTEST, END, LIVE, YOUNG, report

BASIS = Basis(now=END + 60, as_of=END, interval=HOUR, first_at=END - 35 * DAY, offers=9)
BOTH: Reports = {"live": (END, LIVE), "backtest": (END, BACKTEST)}


def caveats(answer: Any) -> str:
    return " | ".join(map(str, answer.evidence.caveats))


def test_the_keys_and_figures_are_those_of_the_report() -> None:
    answer = plain(accuracy(BOTH, BASIS))
    assert {key: answer[key] for key in LIVE} == json.loads(json.dumps(LIVE), parse_float=lambda x: round(float(x), 6))
    assert answer.keys() - LIVE.keys() == {"source", "live_scored", "backtest_scored", "evidence"}


def test_a_model_with_few_live_forecasts_is_told_by_the_backtest() -> None:
    old, young = accuracy(BOTH, BASIS, "RTX 4090"), accuracy(BOTH, BASIS, YOUNG)
    assert (old.source, old.live_scored, old.backtest_scored) == ("live", 3 * 690, 3 * 800)
    assert (young.source, young.live_scored, young.backtest_scored) == ("backtest", 3 * 20, 3 * 780)
    assert {row.gpu for row in young.series} == {YOUNG}
    assert "without look-ahead" in caveats(young)
    assert "so far 20" in caveats(young)
    assert "without look-ahead" not in caveats(old)
    assert young.overall == accuracy({"backtest": (END, BACKTEST)}, BASIS).overall
    assert "is of all models" in caveats(young)
    assert "is of all models" not in caveats(accuracy(BOTH, BASIS))


@given(
    each=st.integers(0, 200), more=st.integers(0, 3), young=st.integers(0, 200),
    gpu=st.sampled_from([None, YOUNG, "H100 SXM"]),
)  # fmt: skip
@example(each=99, more=3, young=0, gpu="H100 SXM")
@example(each=100, more=0, young=0, gpu="H100 SXM")
@example(each=100, more=0, young=99, gpu=None)
@example(each=100, more=0, young=100, gpu=None)
def test_live_is_told_from_a_hundred_scored_on_and_not_before(
    each: int, more: int, young: int, gpu: str | None
) -> None:
    live = report(3, each, young, 0.9)
    next(row for row in live["series"] if row["gpu"] == "H100 SXM")["n"] += more
    answer = accuracy({**BOTH, "live": (END, live)}, BASIS, gpu)
    scored = {None: 3 * (6 * each + young) + more, YOUNG: 3 * young, "H100 SXM": 3 * each + more}[gpu]
    assert answer.live_scored == scored
    enough = {None: (6 * each + young) // 7, YOUNG: young, "H100 SXM": each}[gpu] >= MIN_SCORED
    assert answer.source == ("live" if enough else "backtest")
    assert f"{sum(row.n for row in answer.series):,} case" in caveats(answer)


@pytest.mark.parametrize(
    ("reports", "gpu", "have"),
    [
        ({}, None, "no report"),
        ({}, "RTX 4090", "no report"),
        (BOTH, "B200", "no forecast of B200 that has come due"),
        ({"live": (END, report(1, 2, 0, 1.0))}, None, "forecasts that have come due: 36"),
        ({"backtest": (END, report(1, 0, 0, 1.0))}, None, "no forecast came due yet"),
    ],
)
def test_where_nothing_was_scored_it_says_so_and_when(reports: Reports, gpu: str | None, have: str) -> None:
    with pytest.raises(NotYet) as caught:
        accuracy(reports, BASIS, gpu)
    assert str(caught.value.have) == have
    assert caught.value.ready_at == END + HOUR
    with pytest.raises(NotYet) as caught:
        accuracy(reports, replace(BASIS, now=END + DAY), gpu)
    assert caught.value.ready_at is None


def test_an_old_report_is_said_to_be_old() -> None:
    assert "has not come since" not in caveats(accuracy(BOTH, replace(BASIS, now=END + 6 * HOUR)))
    assert "has not come since" in caveats(accuracy(BOTH, replace(BASIS, now=END + 6 * HOUR + 1)))


def test_what_a_report_lacks_is_unknown() -> None:
    hours = {"RTX 4090": [HourPoint(n, 300_000 + 1000 * (n % 7), *[None] * 4, 5, 5, 1) for n in range(200)]}
    walked = backtest(hours, 199)
    assert walked is not None
    found = walked.report()
    found["series"] = [{**row, "winkler": None} for row in found["series"]]
    for row in found["overall"].values():
        row.pop("reliability", None)
    answer = accuracy({"backtest": (END, {**found, "windows": None, "experts": None})}, BASIS)
    assert (answer.windows, answer.experts) == (None, {})
    assert {row.winkler for row in answer.series} == {None}
    assert {whole.reliability for whole in answer.overall.values()} == {()}
    assert answer.series[0].mae == pytest.approx(found["series"][0]["mae"], abs=1e-6)


def test_confidence_said_and_met_weigh_by_cases() -> None:
    answer = accuracy(BOTH, BASIS)
    bins = answer.overall["6"].reliability
    mean = said_and_met(bins)
    assert mean is not None
    n = sum(one.n for one in bins)
    assert mean[0] * n == pytest.approx(sum(one.said * one.n for one in bins))
    assert mean[1] * n == pytest.approx(sum(one.met * one.n for one in bins))
    assert said_and_met(()) is None
