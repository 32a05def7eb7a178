"""`python -m benchmarks.demo_market [SEED]`: what the demo's market shows once 90 days of it are stored, as a table.

Exits with 1 where a kind of answer that the demo is to show is missing: spot below on demand, models of low, medium and
high risk, published safe windows and none, a price that does not move, a thin model, and advice to wait.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from analytics.errors import AskError
from analytics.evidence import to_json
from analytics.market import DAY
from benchmarks.pictures import DAYS, NOW, stored
from bot.dispatch.dispatcher import Dispatcher
from bot.sources.sim_demo import DEMO, SEED
from bot.sources.simulated import SimulatedMarket

QUESTIONS = ("reliability", "windows", "predict")
THIN_OFFERS = 4
COLUMNS = ("model", "spot", "on demand", "offers", "24 h", "risk", "MTBI", "windows", "low to high in 24 h", "advice")


async def answer(dispatcher: Dispatcher, line: str) -> dict[str, Any]:
    """The JSON of an answer; empty where there is none."""
    try:
        return dict(json.loads(to_json((await dispatcher.ask_line(line))[1])))
    except AskError:
        return {}


async def rows(seed: int) -> list[dict[str, Any]]:
    """The monitor's row of each model, with its other answers under their verb."""
    async with stored(SimulatedMarket(seed, NOW - DAYS * DAY, DEMO)) as dispatcher:
        found = (await answer(dispatcher, "monitor"))["price_trends"]
        for row in found:
            for verb in QUESTIONS:
                row[verb] = await answer(dispatcher, f"{verb} {row['gpu_name']}")
        return list(found)


def cells(row: dict[str, Any]) -> list[str]:
    day = row["predict"].get("predictions", {}).get("next_24h", {})
    return [
        row["gpu_name"],
        f"{row['current_price']:.3f}",
        f"{row['on_demand_price']:.3f}",
        str(row["offers"]),
        f"{row['change_percent']:+.1f} %",
        f"{row['reliability'].get('risk_level')} {row['reliability'].get('reliability_score')}",
        str(row["reliability"].get("mean_time_between_interruptions_hours")),
        str(len(row["windows"].get("safe_windows", ()))),
        f"{day.get('low_80')}-{day.get('high_80')}",
        str(row["predict"].get("recommendation"))[:24],
    ]


def missing(some: list[dict[str, Any]]) -> list[str]:
    """The kinds of answer that this market does not show."""
    risks = [row["reliability"].get("risk_level") for row in some]
    windows = [bool(row["windows"].get("safe_windows")) for row in some]
    kinds = {
        "spot below on demand almost everywhere": sum(row["current_price"] < row["on_demand_price"] for row in some)
        >= len(some) - 1,
        **{f"a model of {risk} risk": risk in risks for risk in ("low", "medium", "high")},
        "safe windows": any(windows),
        "no safe windows": not all(windows),
        "a price that does not move": any("not changed" in str(row["predict"].get("recommendation")) for row in some),
        "a thin model": any(row["offers"] <= THIN_OFFERS for row in some),
        "advice to wait": any(str(row["predict"].get("recommendation")).startswith("Wait") for row in some),
    }
    return [kind for kind, shown in kinds.items() if not shown]


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else SEED
    some = asyncio.run(rows(seed))
    table = Table(*COLUMNS, title=f"The demo's market, seed {seed}, {DAYS} days")
    for row in some:
        table.add_row(*cells(row))
    Console(width=160).print(table)
    lacks = missing(some)
    print("missing: " + (", ".join(lacks) or "nothing"))
    raise SystemExit(bool(lacks))


if __name__ == "__main__":
    main()
