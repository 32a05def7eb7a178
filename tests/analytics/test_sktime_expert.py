"""The experts as forecasters of sktime: its own checks, and that they say what the walk says."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sktime.utils.estimator_checks import check_estimator

from analytics.forecasting.experts import experts
from analytics.forecasting.grid import HORIZONS_H, LAST_VALUE
from analytics.forecasting.sktime_expert import Expert
from tests.analytics.test_backtest import side_by_side, steadied


# sktime 1.2 sorts an index in a way that pandas 4 will not
@pytest.mark.filterwarnings("ignore:Sorting")
def test_it_passes_the_checks_of_sktime() -> None:
    found = check_estimator(Expert, raise_exceptions=False, verbose=False)
    assert len(found) > 100
    assert {name: result for name, result in found.items() if result != "PASSED"} == {}


@pytest.mark.parametrize("horizon", HORIZONS_H)
def test_each_says_at_its_last_hour_what_the_walk_says(horizon: int) -> None:
    prices = [None if hour % 17 == 3 else price for hour, price in enumerate(steadied(500, 4))]
    panel = side_by_side(prices)
    found = experts(panel, horizon)
    assert set(found) > {LAST_VALUE, "half_way_24h", "median_7d", "seasonal", "drift_72h", "gradient_boosting"}
    for name in set(found) - {"gradient_boosting", "half_gradient_boosting"}:  # fitted at hours of the calendar
        for hour in (1, 30, 250, 499):
            y = pd.Series(panel.seen[0, : hour + 1])
            said = Expert(name).fit(y, fh=[horizon]).predict().iloc[0]
            assert said - panel.held[0, hour] == pytest.approx(found[name][0, hour], abs=1e-9), (name, hour)


def test_the_experts_by_hand() -> None:
    prices = [400_000] * 150 + [800_000] * 6
    panel = side_by_side(prices)
    found = {name: change[0, -1] for name, change in experts(panel, 6).items()}
    assert found[LAST_VALUE] == 0
    assert found["half_way_24h"] == pytest.approx(-math.log(2) / 2)
    assert found["median_7d"] == pytest.approx(-math.log(2))
    assert found["drift_24h"] == pytest.approx(math.log(2) / 2 * 6 / 24)
    assert found["drift_72h"] == pytest.approx(math.log(2) / 2 * 6 / 72)
    assert found["gradient_boosting"] == 2 * found["half_gradient_boosting"]


def test_the_seasonal_change_is_that_of_the_same_hours_and_shrinks_with_its_spread() -> None:
    daily = [400_000 if hour % 24 < 12 else 500_000 for hour in range(24 * 20)]
    noisy = [round(price * math.exp(0.2 * math.sin(hour * hour))) for hour, price in enumerate(daily)]
    clean, shrunk = (experts(side_by_side(some), 6)["seasonal"][0] for some in (daily, noisy))
    at = 24 * 19 + 8  # six hours later the price is dear
    assert clean[at] == pytest.approx(math.log(1.25))
    assert clean[24 * 19 + 2] == 0
    assert 0 < shrunk[at] < math.log(1.25) * 1.5
    assert np.abs(experts(side_by_side(daily), 24)["seasonal"]).max() == 0
