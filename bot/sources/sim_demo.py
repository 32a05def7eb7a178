"""The demo's fleet: a market in which every kind of answer can be seen. Its figures are ours, for show.

On-demand prices are those of ``sim_calibration``; how far bids lie below them, how long slices stay free and which
hours are safe were chosen so that models of low, medium and high risk stand side by side, some with a rhythm of the
week and some without, one whose price never moves and one that hardly anybody offers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.sources.sim_calibration import DEFAULT, SimModel

SEED = 7
"""The demo's market unless another seed is asked for; the README's pictures are of this one."""

_HOME = {"hazard_ratio": 3.0, "reprice_per_day": 0.1, "reprice_step": 0.03}
"""At home people play in the evening and let at night."""

_STEADY = {"up_sigma": 1.3, "failures": 0.5, "hazard_ratio": 2.0, "reprice_per_day": 0.08, "reprice_step": 0.03}
"""Let for long, by hosts whose machines seldom fail."""

_RACKS = {"up_sigma": 0.9, "failures": 0.1, "hazard_ratio": 1.0}
"""Data centres with room to spare: hardly ever taken, at no hour more than at others."""

_CHANGES: dict[str, dict[str, Any]] = {
    "RTX 4090": {**_HOME, "bid_ratio": 0.66, "up_median_h": 4.0},
    "RTX 5090": {**_HOME, "up_median_h": 5.0},
    "RTX 3090": {**_HOME, "bid_ratio": 0.62, "up_median_h": 5.0},
    "RTX 5080": {**_HOME, "bid_ratio": 0.60, "up_median_h": 4.0, "machines": 16},
    "RTX A4000": {**_HOME, "bid_ratio": 0.64, "up_median_h": 6.0, "machines": 16},
    "RTX A5000": {**_HOME, "bid_ratio": 0.64, "up_median_h": 6.0, "machines": 16},
    "RTX A6000": {**_STEADY, "bid_ratio": 0.45, "up_median_h": 30.0, "availability": 0.7, "machines": 24},
    "RTX 6000Ada": {**_STEADY, "bid_ratio": 0.60, "up_median_h": 30.0, "availability": 0.7, "machines": 14},
    "RTX PRO 6000 WS": {**_HOME, "bid_ratio": 0.58, "up_median_h": 6.0, "machines": 16},
    "L4": {**_STEADY, "bid_ratio": 0.60, "up_median_h": 60.0, "machines": 14},
    "L40S": {**_STEADY, "up_median_h": 50.0, "availability": 0.7, "spread": 0.2},
    "L40": {**_RACKS, "up_median_h": 300.0, "availability": 0.9, "verified": 1.0, "machines": 8, "host_machines": 40.0,
            "reprice_per_day": 0.0001},
    "A100 PCIE 80GB": {**_STEADY, "bid_ratio": 0.62, "up_median_h": 50.0, "availability": 0.7, "spread": 0.2,
                       "machines": 22},
    "A100 SXM4 80GB": {**_STEADY, "up_median_h": 80.0, "availability": 0.7, "spread": 0.25, "machines": 18},
    "A100 SXM4 40GB": {**_STEADY, "up_median_h": 20.0, "machines": 3, "verified": 1.0, "availability": 0.6,
                       "spread": 0.2, "sizes": (1, 0, 0, 0)},
    "H100 SXM": {**_STEADY, "up_median_h": 60.0, "availability": 0.65},
    "H100 NVL": {**_STEADY, "up_median_h": 70.0, "availability": 0.7, "machines": 10},
    "H200": {**_RACKS, "bid_ratio": 0.60, "up_median_h": 250.0, "availability": 0.9, "reprice_per_day": 0.1},
    "B200": {**_RACKS, "bid_ratio": 0.62, "up_median_h": 300.0, "availability": 0.9, "reprice_per_day": 0.1},
    "Tesla V100 32GB": {"bid_ratio": 0.66, "up_median_h": 12.0, "hazard_ratio": 1.0, "host_machines": 2.3,
                        "reprice_per_day": 0.05},
}  # fmt: skip

DEMO: tuple[SimModel, ...] = tuple(replace(spec, **_CHANGES.get(spec.name, {})) for spec in DEFAULT)
"""The models, as ``SimulatedMarket`` takes them."""
