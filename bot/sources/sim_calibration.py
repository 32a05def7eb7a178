"""What the simulated market is calibrated to. Every figure says where it was measured, or that it is ours.

Sources by tag: [cri] 3,607 recorded Vast offers, 2026-02-27..03-06 (ccir-index/cri-h100, CC BY 4.0); [gpr] posted
marketplace prices 2026-07-05..08-22 (gpurentalprices.com, CC BY 4.0); [cbl] the "Can't Be Late" availability traces
(AWS V100, 45.5 days x 9 zones); [5090] brandonros/vastai-scraper, RTX 5090, 2026-01-21; [spotfloor] notes of a Vast
price tracker, 2026.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from analytics.catalog import model_name

Curve = tuple[tuple[float, float], ...]
"""A quantile function as (share, value) points, linear between them."""


def value_at(curve: Curve, share: float) -> float:
    """The value below which ``share`` of a distribution lies."""
    right = min(max(bisect_right(curve, (share, float("inf"))), 1), len(curve) - 1)
    (u0, v0), (u1, v1) = curve[right - 1], curve[right]
    return v0 + (v1 - v0) * (share - u0) / (u1 - u0)


def share_at(curve: Curve, value: float) -> float:
    """The smallest share of a distribution that reaches ``value``; the inverse of :func:`value_at`."""
    for (u0, v0), (u1, v1) in itertools.pairwise(curve):
        if v0 < value <= v1:
            return u0 + (u1 - u0) * (value - v0) / (v1 - v0)
    return 0.0 if value <= curve[0][1] else 1.0


UP_SIGMA = 1.9
"""Spread of log up-times. [cbl] pooled up-runs p50 .54, p75 1.95, p90 7.2, p99 48.6 h: ln ratios over normal quantiles
give 1.90, 2.02, 1.93. One exponential would overstate long-horizon risk (lost within 24 h: 1.0 instead of .76)."""

DOWN_SIGMA = 1.73
"""Spread of log outage times ([cbl] down-runs p50 .49, p90 4.5 h: ln 9.18 / 1.28)."""

MACHINE_SIGMA = 0.5
"""How much of the spread of log up-times is between machines (ours; [cbl] zones differ tenfold in MTBF)."""

SHORTEST_RUN_S = 60
"""No run is shorter (ours; [cbl] sampled every 195 s)."""

OUTBID_SHARE = 0.3
"""Share of losses where a higher bid, not a renter at the full price, took the slice (ours: no public trace tells them
apart)."""

OUTBID_LEAST, OUTBID_MEAN = 1.12, 0.3
"""A standing bid is at least this multiple of the floor, by an exponential share more. With the ratios below some 10 %
of rows then have min_bid above the on-demand price, as [spotfloor] saw."""

HAZARD_RATIO = 1.5
"""Hazard in the day's worst hour over the best one. [cbl]: x1.9 by hour of day, pooled, of which little was left out of
sample; 1.0 means that hours do not matter."""

PEAK_HOUR_UTC = 15
"""Hour with the highest demand (ours: afternoon in Europe, morning in America; the phases in [cbl] are arbitrary)."""

RELEASE_HOUR_UTC, RELEASE_POWER = 7, 4.5
"""Renters leave most often at this hour, by HAZARD_RATIO to this power (fitted: the losses by hour then have
HAZARD_RATIO as their range, and offer counts 14-29 % of their mean, as seven GPUs had over 28 days in tugot17/gpu-
price-tracker)."""

WEEKDAY_WEIGHT = 0.2
"""Share of the weekly effect that separates working days from weekends (ours; [cbl] saw .54-.77 by weekday in 6
weeks)."""

OFFLINE_MEAN_S = 6660
"""Mean time a machine stays away ([cbl] down-runs: 1.85 h); how often follows from its reliability."""

HOST_OUTAGE_SHARE, HOST_OUTAGE_SPREAD_S = 0.15, 180
"""Share of a machine's failures that take the host's other machines along, and within how long (ours, and the three
minutes within which the definitions count losses on one host as one)."""

END_DAYS_MEDIAN, END_DAYS_SIGMA = 117, 0.9
"""Days until an offer ends ([cri] p5 18, p50 117, p95 360)."""

LEAVE_SHARE = 0.3
"""Share of ended listings that do not come back; others are extended (ours)."""

ARRIVAL_MEAN_DAYS = 5
"""Mean days until a machine that left is replaced by another host's (ours)."""

REGIME_MEAN_DAYS = 45
"""Mean days between steps of a model's price level or supply (ours; [cri] saw one, A100 PCIE .60 -> 1.20, in 8 models x
8 days)."""

REGIME_SIGMA, REGIME_KEPT = 0.12, 0.7
"""Standard deviation of a step of the log price level, and how much of the level so far is kept (ours; a posted price
that moves at all moves by 5.4 % in the median [gpr])."""

FOLLOW_MEAN_H = 24
"""Mean hours until a host follows such a step (ours)."""

NEW_HOST_SHARE, NEW_HOST_SIGMA = (0.15, 0.3), 0.25
"""Share of the fleet that one new host lists in a supply step, and how far its prices lie from the others' (ours)."""

MACHINE_PRICE_SHARE, MACHINE_PRICE_SIGMA = 0.2, 0.05
"""Machines that their host prices apart from its others, and how far (ours)."""

WHOLE_SHARE, HALF_SHARE = 0.45, 0.25
"""Machines rented only whole, or only in halves; the others rent single GPUs (ours, so that slice sizes come out as
[cri]: 1 GPU 42 %, 2 27 %, 4 19 %, 8 11 %)."""

DATACENTER_SHARE = 0.25
"""Hosts that are data centres ([cri] hosting_type 1)."""

HOST_STRIDES = (0.618034, 0.414214)
"""Hosts' prices and bid ratios are taken from their distributions at even steps, not by chance, so that a handful of
hosts is as mixed as the market (ours; the golden ratio and the root of 2)."""

DISK_GB = (100, 250, 500, 1000, 2000)
"""Disk of a machine (ours: round sizes; the recorded rows that the rest is drawn from do not tell it)."""

SIZES = (1, 2, 4, 8)
"""GPUs of a machine ([cri]: other sizes are under 10 % of rows)."""

BID_RATIO: Curve = (
    (0, 0.08),
    (0.01, 0.11),
    (0.10, 0.34),
    (0.25, 0.56),
    (0.50, 0.83),
    (0.75, 0.97),
    (0.80, 1.0),
    (0.96, 1.0),
    (0.99, 2.5),
    (1, 2.5),
)
"""min_bid / dph_base over all models ([cri] p1 .11 .. p99 2.5, equal to the base in 16 %)."""

BID_RATIO_KEPT = 0.6
"""How much of that spread (of logs, below 1) is left within one model (ours: part of it lies between models)."""

RELIABILITY: Curve = (
    (0, 0.6),
    (0.01, 0.75),
    (0.05, 0.932),
    (0.10, 0.952),
    (0.25, 0.982),
    (0.50, 0.994),
    (0.75, 0.998),
    (1, 0.9997),
)
"""The service's score of a machine ([cri])."""

STORAGE_COST: Curve = ((0, 0.002), (0.05, 0.129), (0.25, 0.149), (0.50, 0.2), (0.75, 0.2), (0.90, 0.6), (1, 1.0))
"""USD per GB and month ([cri])."""

EGRESS_COST: Curve = (
    (0, 0.0),
    (0.25, 0.000004),
    (0.50, 0.00039),
    (0.75, 0.0039),
    (0.90, 0.0039),
    (0.95, 0.0208),
    (1, 0.1),
)
"""USD per GB sent ([cri] inet_up_cost)."""

PLACES: dict[str, int] = {
    ", US": 567, "Washington, US": 353, "Japan, JP": 241, "Sweden, SE": 230, "Texas, US": 214,
    "United Kingdom, GB": 159, "France, FR": 152, "Minnesota, US": 143, "Iceland, IS": 119, "Taiwan, TW": 98,
    "Netherlands, NL": 87, "India, IN": 81, "Thailand, TH": 79, "Nebraska, US": 61, "Utah, US": 61,
    "Virginia, US": 59, "Hong Kong, HK": 55, ", CN": 53, "Bulgaria, BG": 53, "Czechia, CZ": 48,
    "Oregon, US": 44, "Finland, FI": 36, "British Columbia, CA": 33, "Italy, IT": 31, "Oklahoma, US": 31,
    "Türkiye, TR": 27, "Iowa, US": 26, "Alberta, CA": 26, "North Carolina, US": 23, "Hungary, HU": 22,
    "Romania, RO": 21, "Estonia, EE": 20, "Michigan, US": 18, "Quebec, CA": 18, "Australia, AU": 17,
    "Norway, NO": 16,
}  # fmt: skip
"""Rows by ``geolocation`` ([cri], the commonest)."""

HOME, RACK = (0.42, 0.34, 0.16, 0.08), (0.25, 0.15, 0.25, 0.35)
"""Shares of machines by SIZES where GPUs are mostly in homes or in racks (ours, after the num_gpus / gpu_frac of
[cri])."""


@dataclass(frozen=True, slots=True)
class SimModel:
    """One GPU model of the simulated market. Prices are USD per GPU-hour."""

    vast_name: str
    gpu_ram_mb: int
    on_demand: float
    """median asked price"""
    machines: int
    up_median_h: float
    """median time a free slice stays free; ordered as [cri] saw slices again after a day: V100, H100, H200, A100, L40S,
    4090"""
    availability: float = 0.6
    """share of listed slices that are free. Ours, inside the .17-.91 of [cbl]'s zones but above the .18-.27 that are
    unrented on Vast, so that a fleet of some hundred machines fills a book"""
    bid_ratio: float = 0.83
    """median min_bid / on-demand price"""
    verified: float = 0.56
    """share of machines ([cri]: 56 % over all)"""
    spread: float = 0.24
    """standard deviation of log prices across hosts"""
    host_machines: float = 2.3
    """mean machines of a host"""
    reprice_per_day: float = 0.02
    """chance that a host changes its price in a day"""
    reprice_step: float = 0.05
    """median |change| of the log price when it does"""
    sizes: Sequence[float] = HOME
    source: str = ""
    up_sigma: float = UP_SIGMA
    """spread of log up-times"""
    hazard_ratio: float | None = None
    """as HAZARD_RATIO, where this model has one of its own; None takes the market's"""
    failures: float = 1.0
    """how often its machines fail, against what RELIABILITY says"""

    @property
    def name(self) -> str:
        """The canonical model."""
        return model_name(self.vast_name, self.gpu_ram_mb)


_POD = "[gpr] RunPod community"

# fmt: off
DEFAULT: tuple[SimModel, ...] = (
    #        name         MiB   USD  machines up_h free bid  verif spread hosts price changes
    SimModel("RTX 4090", 24564, 0.336, 46, 1.5, 0.55, 0.93, 0.47, 0.24, 2.3, 0.024, 0.006, HOME, "[cri]"),
    SimModel("RTX 5090", 32607, 0.535, 38, 1.8, 0.55, 0.60, source="[5090] on-demand median .535, bid median .322"),
    SimModel("RTX 3090", 24576, 0.200, 32, 2.0, 0.65, source="[gpr] TensorDock price"),
    SimModel("RTX 5080", 16303, 0.300, 11, 2.0, source="[gpr] median community price"),
    SimModel("RTX A4000", 16376, 0.150, 10, 3.0, 0.75, source="[gpr] Hyperstack price"),
    SimModel("RTX A5000", 24564, 0.160, 10, 3.0, 0.70, source=_POD),
    SimModel("RTX A6000", 49140, 0.330, 14, 2.5, source=_POD),
    SimModel("RTX 6000Ada", 49140, 0.740, 8, 3.0, source=_POD),
    SimModel("RTX PRO 6000 WS", 97887, 1.690, 12, 2.5, 0.50, source=_POD),
    SimModel("L4", 23034, 0.440, 8, 5.0, 0.80, sizes=RACK, source=_POD),
    SimModel("L40S", 46068, 0.601, 18, 3.0, 0.60, 0.65, 0.87, 0.37, 3.4, 0.008, 0.05, RACK, "[cri]"),
    SimModel("L40", 46068, 0.690, 7, 4.0, 0.60, 0.65, 0.87, 0.37, 3.4, 0.008, 0.05, RACK, _POD + ", else as L40S"),
    SimModel("A100 PCIE", 81920, 1.067, 16, 3.0, 0.60, 0.86, 0.44, 0.48, 1.8, 0.022, 0.05, RACK, "[cri]"),
    SimModel("A100 SXM4", 81920, 1.390, 14, 3.5, 0.50, 0.60, 0.56, 0.39, sizes=RACK, source=_POD + ", bids as floors"),
    SimModel("A100 SXM4", 40960, 1.000, 9, 3.5, 0.60, 0.60, 0.56, 0.39, sizes=RACK, source=_POD + ", else as 80 GB"),
    SimModel("H100 SXM", 81559, 1.537, 20, 4.0, 0.55, 0.57, 0.60, 0.15, 2.3, 0.079, 0.21, RACK, "[cri]"),
    SimModel("H100 NVL", 95830, 2.590, 7, 4.0, 0.60, 0.57, 0.60, 0.15, sizes=RACK, source=_POD + ", else as SXM"),
    SimModel("H200", 143771, 2.452, 18, 4.0, 0.50, 0.93, 0.89, 0.15, 4.8, 0.027, 0.05, RACK, "[cri]"),
    SimModel("B200", 183359, 5.980, 6, 4.0, 0.60, 0.83, 0.89, 0.12, sizes=RACK, source=_POD + ", verified as H200"),
    SimModel("Tesla V100", 32768, 0.094, 18, 8.0, 0.75, 0.72, 0.33, 0.23, 6.8, 0.005, 0.05, RACK, "[cri]"),
)
# fmt: on
"""The demo's fleet: the models that [cri] recorded, and others with a posted marketplace price. Machine counts are
ours."""
