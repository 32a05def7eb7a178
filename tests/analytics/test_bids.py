"""What paying more buys, and the time between interruptions without machines that went missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analytics.answers.reliability import reliability
from analytics.interruptions.bids import NOT_RECORDED, TOO_FEW, about_bids, mtbi_by_bid
from analytics.interruptions.estimator import Context, estimate, without_absent
from analytics.interruptions.scales import Scale
from analytics.interruptions.variants import Variant
from analytics.market import Exposure
from tests.analytics.test_interruptions import exposure
from tests.analytics.test_reliability import LIFE, basis

LIVED = {
    Variant.PLAIN: exposure(100, 1000),
    Variant.THINNED: exposure(95, 1000, step=600),
    Variant.BID_100: exposure(140, 1000),
    Variant.BID_125: exposure(60, 1100),
}


def test_other_bids_are_told_on_the_scale_of_the_figure_shown() -> None:
    rate = estimate(exposure(100, 1000), overdispersion=2.0, thinning=0.8)
    rows = mtbi_by_bid(rate, Scale(2.0, 0.8, LIVED))
    assert rows
    assert [(row.bid_factor, row.interruptions) for row in rows] == [(1.0, 140), (1.1, 100), (1.25, 60)]
    assert rate.mtbi_hours
    assert rows[1].mean_time_between_interruptions_hours == pytest.approx(rate.mtbi_hours, abs=1e-4)
    assert (rows[1].interval_95["low"], rows[1].interval_95["high"]) == pytest.approx(rate.interval_95, abs=1e-4)
    plain = {variant: estimate(sums).mtbi_hours or 0.0 for variant, sums in LIVED.items()}
    for row, variant in ((rows[0], Variant.BID_100), (rows[2], Variant.BID_125)):
        between = row.mean_time_between_interruptions_hours
        expected = rate.mtbi_hours * plain[variant] / plain[Variant.PLAIN]
        assert between == pytest.approx(expected, abs=1e-4)
        assert (row.interval_95["low"] or 0) < expected < (row.interval_95["high"] or 0)
        own = estimate(LIVED[variant], overdispersion=2.0)
        assert own.mtbi_hours
        # the interval gains the doubt about thinning
        assert (row.interval_95["high"] or 0) / expected > (own.interval_95[1] or 0) / own.mtbi_hours
    assert about_bids(rows) == ()


def test_too_few_interruptions_at_a_bid_give_no_time_and_a_reason() -> None:
    few = {**LIVED, Variant.BID_125: exposure(9, 1100)}
    rows = mtbi_by_bid(estimate(exposure(100, 1000)), Scale(lived=few))
    assert rows
    assert [row.mean_time_between_interruptions_hours is None for row in rows] == [False, False, True]
    assert rows[2].interval_95 == {"low": None, "high": None}
    assert rows[2].interruptions == 9
    [note] = about_bids(rows)
    assert (note.text, note.values) == (TOO_FEW.text, {"factors": "1.25"})


@pytest.mark.parametrize("lived", [None, {}, {Variant.PLAIN: LIVED[Variant.PLAIN]}])
def test_where_other_bids_were_not_followed_the_answer_says_so(lived: dict[Variant, Exposure] | None) -> None:
    sums = exposure(100, 1000)
    answer = reliability("RTX 4090", sums, LIFE, (), basis(), context=Context(lived=lived))
    assert answer.mtbi_by_bid is None
    assert NOT_RECORDED in answer.evidence.caveats
    told = reliability("RTX 4090", sums, LIFE, (), basis(), context=Context(lived=LIVED))
    assert told.mtbi_by_bid
    assert NOT_RECORDED not in told.evidence.caveats


def test_without_absent_machines_the_others_causes_have_their_share_of_the_rate() -> None:
    seen = replace(exposure(60, 1000), absent=40)
    rate = estimate(seen, thinning=0.9)
    assert rate.mtbi_hours
    assert without_absent(rate) == pytest.approx(rate.mtbi_hours * 100 / 60)
    assert without_absent(estimate(replace(seen, outbid=0))) is None
    assert without_absent(estimate(exposure(0, 1000))) is None
    none = estimate(exposure(60, 1000))
    assert without_absent(none) == none.mtbi_hours
