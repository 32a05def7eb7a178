"""What the forecasts promise, and whether the report of ``spotbot backtest`` on a data set keeps it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HORIZONS = ("1", "6", "24")
MOST_RATIO = 1.01
MOST_RATIO_OF_A_SERIES = 1.05
BETTER = {"aws": 0.93, "sim60": 0.95}
"""By set: what the ratio at 6 and at 24 hours must come down to."""
LEAST_MEAN_COVERAGE, MOST_MEAN_COVERAGE = 0.78, 0.88
"""The least holds at each horizon, the most for the mean of the three: where a price stands still in nine hours of ten,
no range with that price in it covers less at one hour."""
LEAST_COVERAGE = 0.76
JUDGED_ORIGINS = 500
"""Series with fewer scored forecasts are not held to the least coverage."""
ECE_OF_MANY, ECE = 0.03, 0.08
"""Of the expected calibration error: on AWS and simulated markets, and on the others."""
LEAST_OF_ORACLE = {"floors": 0.55, "floors-vast": 0.55}
MOST_WRONG_WAITS = 10.0

Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Check:
    """One promise: ``ok`` is None where the set says nothing of it (no series moves, nothing was waited for)."""

    what: str
    value: float | None
    bound: str
    ok: bool | None


@dataclass(frozen=True, slots=True)
class Horizon:
    """The figures of one horizon. Coverage, width and Winkler score are means over the series that move."""

    ratio: float | None
    worst: float | None
    worst_series: str
    series: int
    moving: int
    coverage: float | None
    least_coverage: float | None
    """of the series, flat ones too, with ``JUDGED_ORIGINS`` scored forecasts"""
    width: float | None
    winkler: float | None
    ece: float | None


def horizon(report: Report, hours: str) -> Horizon:
    """From the rows of the report. A flat price is always covered, so it stays out of the mean coverage."""
    rows = [row for row in report["series"] if str(row["horizon_hours"]) == hours]
    moving = [row for row in rows if row["mae_naive"]]
    worst = max((row for row in moving if row["ratio"] is not None), key=lambda row: row["ratio"], default=None)
    long = [row for row in rows if row["n"] >= JUDGED_ORIGINS]
    overall = report["overall"].get(hours, {})
    return Horizon(
        ratio=overall.get("ratio"),
        worst=worst and worst["ratio"],
        worst_series=worst["gpu"] if worst else "",
        series=len(rows),
        moving=len(moving),
        coverage=_mean(moving, "coverage_80"),
        least_coverage=min(_values(long, "coverage_80"), default=None),
        width=_mean(moving, "width_80_percent"),
        winkler=_mean(moving, _winkler(rows)),
        ece=overall.get("ece"),
    )


def _winkler(rows: Sequence[Report]) -> str:
    """The report's own name for the score, if it has one."""
    return next((key for row in rows[:1] for key in row if "winkler" in key), "")


def _values(rows: Sequence[Report], key: str) -> list[float]:
    return [row[key] for row in rows if row.get(key) is not None]


def _mean(rows: Sequence[Report], key: str) -> float | None:
    found = _values(rows, key)
    return statistics.fmean(found) if found else None


def share_of_oracle(advice: Report) -> float | None:
    """What following the advice saved, over what hindsight would have; None where there was nothing to save."""
    oracle = advice["oracle_percent"]
    return advice["saved_percent"] / oracle if oracle else None


def checks(name: str, report: Report, *, simulated: bool) -> list[Check]:
    """Every promise on one set."""
    found = [check for hours in HORIZONS for check in _horizon_checks(name, hours, report, simulated=simulated)]
    means = [value for hours in HORIZONS if (value := horizon(report, hours).coverage) is not None]
    found.append(_at_most("mean coverage", statistics.fmean(means) if means else None, MOST_MEAN_COVERAGE))
    return [*found, *_advice_checks(name, report["advice"])]


def _horizon_checks(name: str, hours: str, report: Report, *, simulated: bool) -> Iterator[Check]:
    now = horizon(report, hours)
    most = BETTER.get(name, MOST_RATIO) if hours != "1" else MOST_RATIO
    yield _at_most(f"ratio {hours} h", now.ratio, most)
    yield _at_most(f"worst series {hours} h ({now.worst_series})", now.worst, MOST_RATIO_OF_A_SERIES)
    yield _at_least(f"mean coverage {hours} h", now.coverage, LEAST_MEAN_COVERAGE)
    yield _at_least(f"least coverage {hours} h", now.least_coverage, LEAST_COVERAGE)
    yield _at_most(f"ECE {hours} h", now.ece, ECE_OF_MANY if simulated or name == "aws" else ECE)


def _advice_checks(name: str, advice: Report) -> Iterator[Check]:
    yield _at_least("advice saves, %", advice["saved_percent"], 0.0)
    yield _at_most("wrong waits, %", advice["wrong_waits_percent"], MOST_WRONG_WAITS)
    if name in LEAST_OF_ORACLE:
        yield _at_least("share of the oracle", share_of_oracle(advice), LEAST_OF_ORACLE[name])


def _at_most(what: str, value: float | None, bound: float) -> Check:
    return Check(what, value, f"≤ {bound}", None if value is None else value <= bound)


def _at_least(what: str, value: float | None, bound: float) -> Check:
    return Check(what, value, f"≥ {bound}", None if value is None else value >= bound)
