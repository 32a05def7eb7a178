"""Reports on forecasts as the hourly run stores them, small and made up: one as issued and scored, one backtest."""

from __future__ import annotations

from typing import Any

from analytics.market import DAY, HOUR, WORLD

END = 1_790_000_000 // HOUR * HOUR
"""The last hour of the stored market."""

MODELS = ("RTX 4090", "RTX 3090", "A100 SXM4 80GB", "A100 PCIE 80GB", "H100 SXM", "L40S", "RTX A6000")
YOUNG = "RTX A6000"
"""The model of which too few forecasts were scored as issued."""

SPREAD = {1: 0.01, 6: 0.025, 24: 0.05}
"""Hours ahead -> mean |log error| of "no change"."""


def series(model: str, hours: int, n: int, ratio: float | None) -> dict[str, Any]:
    """One row; a ratio of None is a price that never moved."""
    naive = 0.0 if ratio is None else SPREAD[hours]
    return {
        "gpu": model, "region": WORLD, "horizon_hours": hours, "n": n,
        "mae": naive * (ratio or 0), "mae_naive": naive, "ratio": ratio, "coverage_80": 0.82,
        "width_80_percent": 400 * naive, "winkler": 6 * naive, "confidence_mean": 0.9 - hours / 100,
        "hit_5_percent": 0.88 - hours / 100, "moves_percent": 0.0 if ratio is None else 31.4,
        "served": 0.0 if ratio in (None, 1.0) else 0.4,
    }  # fmt: skip


def horizon(hours: int, n: int, ratio: float | None) -> dict[str, Any]:
    """All models at one horizon: confidences in four bins, too low at first, a little too high at last."""
    low = 0.65 - hours / 80
    return {
        "ratio": ratio, "coverage_80": 0.82, "ece": 0.02, "moving_series": 6, "series": 7, "n": n,
        "width_80_percent": 400 * SPREAD[hours], "winkler": 6 * SPREAD[hours],
        "reliability": [
            {"said": low, "met": low + 0.07 - hours / 500, "n": n // 10},
            {"said": 0.74, "met": 0.79 - hours / 250, "n": n // 10},
            {"said": 0.86, "met": 0.86 - hours / 200, "n": n // 5},
            {"said": 0.96, "met": 0.95 - hours / 300, "n": n - 2 * (n // 10) - n // 5},
        ],
    }  # fmt: skip


def report(days: int, each: int, young: int, ratio: float) -> dict[str, Any]:
    """``each``: scored forecasts of a series, ``young`` of the youngest; ``ratio`` of all models in 6 hours."""
    ratios = {1: 1.0, 6: ratio, 24: ratio - 0.05}
    rows = [
        series(model, hours, young if model == YOUNG else each, None if model == "L40S" else at + place / 100)
        for hours, at in ratios.items()
        for place, model in enumerate(MODELS)
    ]
    scored = {hours: sum(row["n"] for row in rows if row["horizon_hours"] == hours) for hours in ratios}
    names = (("last_value", 0.5, 1.0), ("half_way_24h", 0.2, 0.94), ("seasonal", 0.14, 1.2), ("drift_24h", 0.1, 1.1))
    rest = [{"name": "gradient_boosting", "weight": 0.06, "ratio": 0.97}]
    return {
        "series": rows,
        "overall": {str(hours): horizon(hours, scored[hours], at) for hours, at in ratios.items()},
        "advice": {
            "n": 8_400, "waits": 310, "saved_percent": 0.41, "oracle_percent": 3.1, "wrong_waits_percent": 12.0
        },
        "windows": {"published": 3, "models": 7, "skill_percent": 1.3, "claimed_risk": 0.62, "met_risk": 0.66},
        "experts": {
            str(hours): [*({"name": a, "weight": b, "ratio": c} for a, b, c in names), *rest] for hours in ratios
        },
        "since": END - days * DAY,
        "until": END,
    }  # fmt: skip


LIVE = report(30, 690, 20, 0.92)
BACKTEST = report(35, 800, 780, 0.95)
