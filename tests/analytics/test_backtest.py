"""Walking forecasts over history: what is said uses only what had happened, and keeps what it promises."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.forecasting.backtest import backtest
from analytics.forecasting.distribution import ALPHA, HIT_LOG
from analytics.forecasting.grid import HORIZONS_H, Grid, grid
from analytics.forecasting.panel import Panel, panel
from analytics.forecasting.walk import Walked, hits, walk
from analytics.market import HourPoint

START = 480_000


def points(prices: list[int | None], start: int = START) -> list[HourPoint]:
    """One point an hour; a price of 0 is an hour without a poll."""
    at = enumerate(prices, start)
    return [HourPoint(hour, p, p, p, p, p, 1, 1, 12) for hour, p in at if p != 0]


def laid(prices: list[int | None], model: str = "m") -> Grid:
    found = grid(model, points(prices), START + len(prices) - 1)
    assert found is not None
    return found


def wandering(n: int, seed: int, step: float = 0.02) -> list[int | None]:
    """A price that moves in some hours."""
    chance, price, prices = random.Random(seed), 400_000, []
    for _ in range(n):
        if chance.random() < 0.5:
            price = round(price * math.exp(chance.gauss(0, step)))
        prices.append(price)
    return prices


def steadied(n: int, seed: int, pull: float = 0.15, step: float = 0.05) -> list[int | None]:
    """A price that comes back to its level: here something can be foretold."""
    chance, off, prices = random.Random(seed), 0.0, []
    for _ in range(n):
        off += -pull * off + chance.gauss(0, step)
        prices.append(round(400_000 * math.exp(off)))
    return prices


def side_by_side(*series: list[int | None]) -> Panel:
    hours = {f"m{n}": points(prices) for n, prices in enumerate(series)}
    found = panel(hours, START + max(len(prices) for prices in series) - 1)
    assert found is not None
    return found


def ratio(walked: Walked) -> float:
    """Mean absolute error relative to that of the last value."""
    kept = walked.scored
    return float(walked.errors[kept].sum() / np.abs(walked.came[kept]).sum())


def test_a_price_is_carried_over_three_hours_and_no_longer() -> None:
    found = laid([100, 0, 0, 0, 0, None, 200, 0])
    assert found.seen == (100, None, None, None, None, None, 200, None)
    assert found.held == (100, 100, 100, 100, None, None, 200, 200)


def test_a_grid_begins_with_the_first_price_and_ends_now() -> None:
    found = grid("m", points([None, 0, 300, 400, 500]), START + 3)
    assert found is not None
    assert (found.start, found.end, found.seen) == (START + 2, START + 3, (300, 400))
    assert grid("m", points([None, 0, None]), START + 9) is None


PRICES = st.lists(st.sampled_from([0, None, 300_000, 310_000, 318_000, 400_000]), min_size=2, max_size=90)


@given(PRICES, PRICES)
def test_a_panel_holds_the_grids_of_its_models(one: list[int | None], other: list[int | None]) -> None:
    hours, until = {"one": points(one), "other": points(other), "none": points([None])}, START + 60
    grids = {model: found for model, some in hours.items() if (found := grid(model, some, until))}
    found = panel(hours, until)
    if found is None:
        assert not grids
        return
    assert found.models == tuple(grids)
    for row, (model, series) in enumerate(grids.items()):
        for name in ("seen", "held"):
            logs = getattr(found, name)[row][series.start - found.start :]
            said = [None if math.isnan(log) else round(math.exp(log)) for log in logs]
            assert said == list(getattr(series, name)), (model, name)


@pytest.mark.parametrize(("actual", "hit"), [(95, 1), (105, 1), (94.9, 0), (105.1, 0), (math.nan, math.nan)])
def test_a_hit_is_within_five_percent(actual: float, hit: float) -> None:
    found = hits(np.array([[math.log(1.25)]]), np.array([[math.log(1.25 * actual / 100)]]))
    assert found[0, 0] == pytest.approx(hit, nan_ok=True)


def agree(walked: Walked) -> None:
    """Less than 80 % within ±5 % takes a range of ±5 % or wider; more than 80 % takes one no wider."""
    known = np.isfinite(walked.half) & np.isfinite(walked.confidence)
    half, confidence = walked.half[known], walked.confidence[known]
    assert ((half >= HIT_LOG - 1e-12) | (confidence >= 1 - ALPHA)).all()
    assert ((half <= HIT_LOG + 1e-12) | (confidence <= 1 - ALPHA)).all()
    assert ((confidence >= 0) & (confidence <= 1)).all()


@settings(max_examples=15, deadline=None)
@given(PRICES, PRICES)
def test_what_is_served_widens_with_the_horizon_and_agrees_with_itself(
    prices: list[int | None], others: list[int | None]
) -> None:
    found = panel({"m": points(prices), "o": points(others)}, START + 89)
    if found is None:
        return
    walked = walk(found)
    for near, far in itertools.pairwise(HORIZONS_H):
        both = np.isfinite(walked[near].half) & np.isfinite(walked[far].half)
        assert (walked[near].half[both] <= walked[far].half[both]).all()
        sure = np.isfinite(walked[near].confidence) & np.isfinite(walked[far].confidence)
        assert (walked[near].confidence[sure] >= walked[far].confidence[sure]).all()
    for one in walked.values():
        agree(one)


Walk = Callable[[Panel], dict[int, Walked]]


def leaks(walk_: Walk, whole: Panel, cut: int) -> bool:
    """Whether anything that was said before hour ``cut`` changes when the hours from it on are taken away."""
    head = Panel(whole.models, whole.start, whole.seen[:, :cut], whole.held[:, :cut])
    late, early = walk_(whole), walk_(head)
    parts = ("changes", "share", "half", "confidence")
    same = (
        np.allclose(getattr(late[h], part)[:, :cut], getattr(early[h], part), equal_nan=True, rtol=0, atol=1e-12)
        for h in HORIZONS_H
        for part in parts
    )
    return not all(same)


def test_nothing_is_said_from_the_future() -> None:
    shocked = [steadied(400, seed) + wandering(200, seed, step=0.5) for seed in range(3)]
    found = side_by_side(*shocked)
    assert (walk(found)[6].share > 0).any(), "otherwise only the last value is tested"
    assert not leaks(walk, found, 400)
    assert not leaks(walk, found, 351)


def test_a_series_that_begins_later_changes_nothing_said_before() -> None:
    others = [wandering(260, seed, step=0.06) for seed in range(2)]
    late: list[int | None] = [None] * 200
    whole = walk(side_by_side(*others, late + wandering(60, 9)))
    head = walk(side_by_side(*(prices[:190] for prices in others)))
    for horizon, before in head.items():
        for part in ("changes", "share", "half", "confidence"):
            after = getattr(whole[horizon], part)[:2, :190]
            np.testing.assert_allclose(after, getattr(before, part), rtol=0, atol=1e-12, err_msg=part)


@pytest.mark.parametrize("hours_ahead", [1, 3])
def test_a_planted_leak_is_caught(hours_ahead: int) -> None:
    found = side_by_side(*(steadied(400, seed) for seed in range(3)))

    def knowing(panel_: Panel) -> dict[int, Walked]:
        """Starts from the price of a later hour, as a forecaster with a shifted index would."""
        later = np.concatenate([panel_.held[:, hours_ahead:], panel_.held[:, -1:].repeat(hours_ahead, 1)], axis=1)
        return walk(Panel(panel_.models, panel_.start, panel_.seen, later))

    assert leaks(knowing, found, 300)


@settings(max_examples=8, deadline=None)
@given(PRICES, st.integers(1, 89))
def test_whatever_comes_after_an_hour_changes_nothing_before_it(prices: list[int | None], cut: int) -> None:
    found = panel({"m": points(prices)}, START + len(prices) - 1)
    if found is not None and cut < found.hours:
        assert not leaks(walk, found, cut)


def test_a_level_that_holds_is_foretold_better_than_by_the_last_value() -> None:
    walked = walk(side_by_side(*(steadied(900, seed) for seed in range(6))))
    assert ratio(walked[6]) < 0.93
    assert ratio(walked[24]) < 0.9


def test_where_nothing_can_be_foretold_the_last_value_is_served() -> None:
    walked = walk(side_by_side(*(wandering(900, seed) for seed in range(6))))
    for horizon, one in walked.items():
        assert ratio(one) < 1.01, horizon
    assert walked[1].share.mean() < 0.1


@pytest.mark.parametrize("horizon", HORIZONS_H)
def test_intervals_cover_what_they_promise(horizon: int) -> None:
    walked = walk(side_by_side(wandering(1000, 5), wandering(1000, 6, step=0.06)))[horizon]
    for row in walked.covered:
        assert 0.76 <= np.nanmean(row) <= 0.86


def last(walked: Walked) -> tuple[float, float]:
    return float(walked.half[0, -1]), float(walked.confidence[0, -1])


def test_an_interval_widens_after_misses() -> None:
    calm = wandering(500, 7, step=0.001)
    before_, _ = last(walk(side_by_side(calm))[1])
    after, _ = last(walk(side_by_side(calm + wandering(40, 8, step=0.1)))[1])
    assert after > 3 * before_


def test_errors_of_more_than_two_weeks_ago_are_forgotten() -> None:
    found = walk(side_by_side([*wandering(200, 9, step=0.3), *[400_000] * 400]))[1]
    assert last(found) == (0.0, 1.0)


def test_a_young_series_leans_on_others_and_an_old_one_speaks_for_itself() -> None:
    others = [wandering(500, seed) for seed in range(3)]
    half = {}
    for n in (20, 200, 450):
        quiet = [None] * (500 - n) + wandering(n, 50, step=0.002)
        half[n] = last(walk(side_by_side(quiet, *others))[1])
    assert math.isnan(half[20][1]), "no confidence within the first day"
    assert half[20][0] > 5 * half[450][0]
    assert half[20][0] > half[200][0] >= half[450][0] > 0


def test_prices_that_never_move_do_not_narrow_the_ranges_of_those_that_do() -> None:
    young = [None] * 480 + wandering(20, 50)
    movers = [wandering(500, seed) for seed in range(2)]
    flat = [[400_000] * 500 for _ in range(8)]
    alone, beside = (last(walk(side_by_side(young, *movers, *some))[6])[0] for some in ([], flat))
    assert beside == pytest.approx(alone, rel=0.01)
    assert last(walk(side_by_side(flat[0], *movers))[6]) == (0.0, 1.0)


def test_rare_polls_make_the_others_weigh_less() -> None:
    """72 pseudo-hours are hours: beside a series that is scored every fourth hour they are 18 errors."""
    sharp = [price if hour % 4 == 0 else 0 for hour, price in enumerate([400_000, 400_100] * 200)]
    wild = [wandering(400, seed, step=0.2) for seed in range(3)]
    _, confidence = last(walk(side_by_side(sharp, *wild))[24])
    assert confidence > 0.83


def test_without_any_error_there_is_no_interval() -> None:
    one = walk(side_by_side([400_000]))[24]
    assert np.isnan(one.half).all()
    assert np.isnan(one.confidence).all()
    assert not one.scored.any()


def test_confidence_is_met_over_the_fleet() -> None:
    walked = walk(side_by_side(*(wandering(1200, seed, step=0.01 * (seed + 1)) for seed in range(8))))
    for horizon, one in walked.items():
        known = one.scored & np.isfinite(one.confidence)
        assert one.confidence[known].mean() == pytest.approx(one.hits[known].mean(), abs=0.03), horizon


def test_the_report_has_a_row_for_each_series_and_horizon() -> None:
    hours = {"moves": points(wandering(500, 1)), "flat": points([400_000] * 500), "new": points([300_000])}
    found = backtest(hours, START + 499)
    assert found is not None
    report = found.report()
    assert {(row["gpu"], row["horizon_hours"]) for row in report["series"]} == {
        ("moves", 1), ("moves", 6), ("moves", 24), ("flat", 1), ("flat", 6), ("flat", 24), *(("new", h) for h in ())
    }  # fmt: skip
    rows = {row["gpu"]: row for row in report["series"] if row["horizon_hours"] == 6}
    assert rows["flat"]["ratio"] is None
    assert (rows["flat"]["moves_percent"], rows["flat"]["hit_5_percent"], rows["flat"]["served"]) == (0.0, 1.0, 0.0)
    assert rows["moves"]["n"] == 494
    assert rows["moves"]["ratio"] == pytest.approx(rows["moves"]["mae"] / rows["moves"]["mae_naive"])
    assert 40 < rows["moves"]["moves_percent"] < 60
    assert 0 < rows["moves"]["width_80_percent"] < rows["moves"]["winkler"]
    assert set(report["overall"]) == set(report["experts"]) == {"1", "6", "24"}
    assert report["overall"]["24"]["moving_series"] == 1
    assert report["advice"]["n"] > 800
    for some in report["experts"].values():
        assert math.fsum(one["weight"] for one in some) == pytest.approx(1)
        assert next(one for one in some if one["name"] == "last_value")["ratio"] == pytest.approx(1)
    json.dumps(report, allow_nan=False)


def test_a_report_of_the_last_hours_counts_only_their_targets() -> None:
    found = backtest({"m": points(wandering(300, 1))}, START + 299)
    assert found is not None
    assert [row["n"] for row in found.report(START + 280)["series"]] == [20, 20, 20]
    assert found.report(START + 280)["since"] == (START + 280) * 3600


def test_nothing_stored_is_no_backtest() -> None:
    assert backtest({}, START) is None
    assert backtest({"m": points([None, 0])}, START + 5) is None
