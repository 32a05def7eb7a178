"""The guide's contract: each of the ten answers has every key that the guide promises, with its type."""

from __future__ import annotations

from typing import Any

import pytest

from analytics.evidence import plain
from bot.dispatch.dispatcher import Dispatcher

NUMBER = (int, float)
OR_NULL = type(None)
PREDICTION = {"price": NUMBER, "confidence": NUMBER}
WINDOW = {"day_of_week": str, "start_hour": int, "end_hour": int, "safety_score": NUMBER, "reasoning": str}

GUIDE: dict[str, tuple[str, dict[str, Any]]] = {
    "monitor": (
        "/api/spot/monitor",
        {
            "timestamp": str,
            "total_gpus_tracked": int,
            "price_trends": [
                {
                    "gpu_name": str,
                    "current_price": NUMBER,
                    "avg_price_24h": NUMBER,
                    "min_price_24h": NUMBER,
                    "max_price_24h": NUMBER,
                    "trend": str,
                    "change_percent": NUMBER,
                }
            ],
        },
    ),
    "llm 7B": (
        "/api/spot/llm-gpus",
        {
            "model_size": str,
            "recommendations": [
                {
                    "gpu_name": str,
                    "vram_gb": NUMBER,
                    "price_per_hour": NUMBER,
                    "fit_score": NUMBER,
                    "reasoning": str,
                    "estimated_training_time_hours": NUMBER,
                }
            ],
        },
    ),
    "fleet 500 training medium": (
        "/api/spot/fleet-strategy",
        {
            "strategy": str,
            "total_gpus": int,
            "monthly_cost": NUMBER,
            "composition": [{"gpu_type": str, "quantity": int, "role": str, "cost_per_month": NUMBER}],
            "savings_vs_aws": NUMBER,
            "roi_percent": NUMBER,
        },
    ),
    "predict RTX 4090": (
        "/api/spot/prediction/{gpu_name}",
        {
            "gpu_name": str,
            "current_price": NUMBER,
            "predictions": {"next_1h": PREDICTION, "next_6h": PREDICTION, "next_24h": PREDICTION},
            "recommendation": str,
            "model_accuracy": NUMBER,
        },
    ),
    "availability RTX 4090": (
        "/api/spot/availability",
        {
            "gpu_name": str,
            "total_available": int,
            "regions": [
                {
                    "region": str,
                    "available_count": int,
                    "avg_price": (*NUMBER, OR_NULL),
                    "latency_ms": (*NUMBER, OR_NULL),
                }
            ],
            "best_region": (str, OR_NULL),
        },
    ),
    "cost llama2-7b 50GB": (
        "/api/spot/training-cost",
        {
            "model": str,
            "dataset_size_gb": NUMBER,
            "gpu_recommendations": [
                {
                    "gpu_name": str,
                    "estimated_hours": NUMBER,
                    "cost_dumont": NUMBER,
                    "cost_aws": NUMBER,
                    "savings": NUMBER,
                    "savings_percent": NUMBER,
                }
            ],
        },
    ),
    "savings RTX 4090 100h": (
        "/api/spot/savings",
        {
            "gpu_name": str,
            "hours": NUMBER,
            "cost_dumont": NUMBER,
            "cost_aws": (*NUMBER, OR_NULL),
            "cost_gcp": (*NUMBER, OR_NULL),
            "cost_azure": (*NUMBER, OR_NULL),
            "savings_vs_aws": (*NUMBER, OR_NULL),
            "savings_percent": (*NUMBER, OR_NULL),
            "roi_annual": (*NUMBER, OR_NULL),
        },
    ),
    "reliability RTX 4090": (
        "/api/spot/reliability",
        {
            "gpu_name": str,
            "reliability_score": NUMBER,
            "uptime_percent_30d": NUMBER,
            "mean_time_between_interruptions_hours": NUMBER,
            "avg_interruption_duration_minutes": NUMBER,
            "risk_level": str,
        },
    ),
    "interruptions 7d": (
        "/api/spot/interruption-rates",
        {
            "period": str,
            "gpus": [
                {
                    "gpu_name": str,
                    "total_interruptions": int,
                    "interruption_rate_per_day": (*NUMBER, OR_NULL),
                    "avg_duration_minutes": (*NUMBER, OR_NULL),
                    "worst_region": (str, OR_NULL),
                }
            ],
        },
    ),
    "windows RTX 4090": (
        "/api/spot/safe-windows/{gpu_name}",
        {"gpu_name": str, "timezone": str, "safe_windows": [WINDOW], "worst_windows": [WINDOW]},
    ),
}


def mismatches(shape: Any, value: Any, where: str = "") -> list[str]:
    """Where an answer lacks a promised key or has another type, one line each."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{where} is not an object"]
        missing = [f"{where}.{key} is missing" for key in shape if key not in value]
        return missing + [
            m for key in shape if key in value for m in mismatches(shape[key], value[key], f"{where}.{key}")
        ]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{where} is not a list"]
        return [m for i, item in enumerate(value) for m in mismatches(shape[0], item, f"{where}[{i}]")]
    if isinstance(value, bool) or not isinstance(value, shape):
        return [f"{where} is {value!r}"]
    return []


@pytest.mark.parametrize("line", GUIDE)
async def test_the_guides_keys_and_types_are_all_there(dispatcher: Dispatcher, line: str) -> None:
    path, shape = GUIDE[line]
    command, answer = await dispatcher.ask_line(line)
    assert command.path == path
    found = plain(answer)
    assert mismatches(shape, found) == []
    assert {"as_of", "stale", "history_days", "offers", "method", "caveats"} <= found["evidence"].keys()


async def test_lists_are_not_empty_where_the_market_is_not(dispatcher: Dispatcher) -> None:
    for line, (_, shape) in GUIDE.items():
        lists = [key for key, kind in shape.items() if isinstance(kind, list) and "window" not in key]
        found = plain((await dispatcher.ask_line(line))[1])
        assert all(found[key] for key in lists), line


async def test_the_guides_second_script_finds_its_keys_for_a_family_name(dispatcher: Dispatcher) -> None:
    command = dispatcher.command("cost")
    for gpu in ("RTX 4090", "A100", "RTX 3090"):
        cost = plain(await dispatcher.ask(command, {"model": "llama2-13b", "gpu": gpu}))
        assert cost["cost_dumont"] is None or cost["cost_dumont"] > 0
        assert "savings_percent" in cost


async def test_identities_hold_on_a_real_market(dispatcher: Dispatcher) -> None:
    async def ask(line: str) -> dict[str, Any]:
        found: dict[str, Any] = plain((await dispatcher.ask_line(line))[1])
        return found

    fleet = await ask("fleet 500 training medium")
    assert sum(part["quantity"] for part in fleet["composition"]) == fleet["total_gpus"]
    assert sum(part["cost_per_month"] for part in fleet["composition"]) == pytest.approx(
        fleet["monthly_cost"], abs=0.005
    )
    assert fleet["monthly_cost"] <= 500
    assert fleet["roi_percent"] == pytest.approx(100 * fleet["savings_vs_aws"] / fleet["monthly_cost"], rel=1e-3)
    saved = await ask("savings RTX 4090 100h")
    assert saved["savings_percent"] == pytest.approx(100 * saved["savings_vs_aws"] / saved["cost_aws"], abs=0.06)
    assert saved["roi_annual"] <= 8760 * saved["savings_vs_aws"] / 100 + 0.01
    solid = await ask("reliability RTX 4090")
    mtbi, lost = solid["mean_time_between_interruptions_hours"], solid["avg_interruption_duration_minutes"] / 60
    assert solid["uptime_percent_30d"] == pytest.approx(100 * mtbi / (mtbi + lost), abs=0.05)
    rates = await ask("interruptions 30d RTX 4090")
    assert rates["gpus"][0]["interruption_rate_per_day"] == pytest.approx(24 / mtbi, rel=0.01)
