"""The hourly forecast job: history out of the store, worked through in a process of its own, results back in."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

import structlog

from analytics.forecasting import forecasts
from analytics.market import HOUR, HourPoint
from bot.store.engine import Store, open_store

log = structlog.get_logger()

LOOKBACK_HOURS = 60 * 24
"""History that a refresh reads: 30 scored days, 14 of errors before them, and room for gaps."""

Result = TypeVar("Result")


async def refresh(store: Store, now: int) -> int:
    """Forecast every model from the stored history; returns how many forecasts were issued."""
    results = await apart(_refresh, store.url, now // HOUR)
    if not results:
        return 0
    async with store.writer() as writer:
        await writer.save_forecasts([forecast for forecasts, _ in results for forecast in forecasts])
        for _, record in results:
            await writer.save_track_record(record)
    issued = sum(len(forecasts) for forecasts, _ in results)
    log.info("forecasts", models=len(results), issued=issued)
    return issued


def _refresh(url: str, now_hour: int) -> list[tuple[tuple[forecasts.Forecast, ...], forecasts.TrackRecord]]:
    """In the other process: read the history there, so that this one never holds it."""
    hours = asyncio.run(_hours(url, None, now_hour - LOOKBACK_HOURS, now_hour + 1))
    return forecasts.refresh(hours, now_hour) if hours else []


def _report(url: str, models: Sequence[str] | None) -> Mapping[str, Any] | None:
    """In the other process too: the report on all stored hours of these models, None where there are none."""
    hours = asyncio.run(_hours(url, models, 0, None))
    return forecasts.backtest_report(hours) if hours else None


async def _hours(
    url: str, models: Sequence[str] | None, since: int, until: int | None
) -> Mapping[str, Sequence[HourPoint]]:
    store = await open_store(url, writer=False)
    try:
        async with store.reader() as reader:
            return await reader.hours(models, since, until)
    finally:
        await store.close()


async def apart(work: Callable[..., Result], *arguments: Any) -> Result:
    """Run in a fresh process that ends when done: it loads 230 MB, and the event loop must not wait for it."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, work, *arguments)


async def report(store: Store, models: Sequence[str] | None, *, as_json: bool) -> int:
    """Print how the forecaster would have fared on the stored history; 3 when there is none."""
    found = await apart(_report, store.url, models)
    if found is None:
        print("no history is stored yet: poll or import some first", file=sys.stderr)  # noqa: T201
        return 3
    print(json.dumps(found, indent=2) if as_json else table(found))  # noqa: T201
    return 0


def table(found: Mapping[str, Any]) -> str:
    """The report for people: a line a series and horizon."""
    head = f"{'GPU':<22}{'h':>4}{'n':>7}{'MAE':>9}{'naive':>9}{'ratio':>7}{'cover':>7}{'hit 5%':>8}{'moves':>7}"
    rows = [
        f"{row['gpu'][:21]:<22}{row['horizon_hours']:>4}{row['n']:>7}{_f(row['mae'], 9, 4)}{_f(row['mae_naive'], 9, 4)}"
        f"{_f(row['ratio'], 7, 2)}{_f(row['coverage_80'], 7, 2)}{_f(row['hit_5_percent'], 8, 2)}"
        f"{_f(row['moves_percent'], 7, 1)}"
        for row in found["series"]
    ]
    return "\n".join([head, *rows])


def _f(value: float | None, width: int, digits: int) -> str:
    return f"{'–':>{width}}" if value is None else f"{value:>{width}.{digits}f}"
