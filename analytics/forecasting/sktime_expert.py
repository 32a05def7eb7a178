"""Each expert as a forecaster of sktime, so that it can be checked and compared by sktime's own means.

Importing this takes seconds. The hourly run computes all origins at once (:mod:`analytics.forecasting.experts`); a
forecaster here says what that says at its last origin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sktime.forecasting.base import BaseForecaster

from analytics.forecasting.experts import experts
from analytics.forecasting.grid import CARRY_H, LAST_VALUE
from analytics.forecasting.panel import Panel, carried


class Expert(BaseForecaster):  # type: ignore[misc]
    """One expert, by name, on hourly log prices. Its steps are hours; it needs nothing but the series itself.

    Examples
    --------
    >>> from sktime.datasets import load_airline
    >>> from analytics.forecasting.sktime_expert import Expert
    >>> Expert("half_way_24h").fit(load_airline()).predict(fh=[1, 6]).round(1).tolist()
    [429.0, 429.0]
    """

    _tags = {  # noqa: RUF012  sktime reads it from the class
        "authors": ["spotbot"],
        "capability:exogenous": False,
        "capability:insample": False,
        "capability:missing_values": True,
        "capability:multivariate": False,
        "property:randomness": "deterministic",
        "requires-fh-in-fit": False,
        "y_inner_mtype": "pd.Series",
    }
    _config = {"warnings": "off"}  # noqa: RUF012  sktime 1.2 warns at every construction about a default of its own

    def __init__(self, expert: str = LAST_VALUE) -> None:
        self.expert = expert
        super().__init__()

    def _fit(self, y: pd.Series, X: Any, fh: Any) -> Expert:  # noqa: N803  sktime's names
        self.series_ = y
        return self

    def _predict(self, fh: Any, X: Any) -> pd.Series:  # noqa: N803
        seen = self.series_.to_numpy(dtype=np.float64)[None, :]
        panel = Panel((self.expert,), 0, seen, carried(seen, CARRY_H))
        last = self.series_.ffill().iloc[-1]
        steps = [int(step) for step in fh.to_relative(self.cutoff).to_numpy()]
        values = [last + experts(panel, step)[self.expert][0, -1] for step in steps]
        name = self.series_.name
        return pd.Series(values, index=fh.to_absolute_index(self.cutoff), name=name, dtype=np.float64)

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, str]]:
        """The experts that sktime's checks are run on."""
        return [{"expert": name} for name in ("half_way_24h", "drift_24h")]
