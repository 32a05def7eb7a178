"""The hourly forecast job at its full size: time, memory, how long the event loop waits meanwhile, and ``predict``.

python -m benchmarks.forecasts [--case 60x60 --case 600x60 --case 60x90]

``SERIESxDAYS``: a made-up market with a ledger of 30 days and lived exposure, refreshed through the real worker;
90 days and more are backtested as well. Other work on the machine shows in seconds of the wall, not of the CPU.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from analytics.forecasting.grid import HORIZONS_H
from analytics.market import HOUR, WORLD, Exposure, HourPoint, Scope
from benchmarks.year import OFFERS, book, models
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.forecasts import _report, apart, refresh
from bot.polling.rounds import Collector
from bot.store.engine import Store, open_store

NOW = 1_795_000_000 // HOUR * HOUR
CASES = ("60x60", "600x60", "60x90")
RECORD_HOURS = 30 * 24
TICK_S = 0.005
QUESTIONS = 200
GOAL_S = {60: 30.0, 600: 300.0}
GOAL_BACKTEST_S, GOAL_LAG_MS, GOAL_PREDICT_MS = 120.0, 50.0, 20.0


def names(n: int) -> list[str]:
    known = models()
    return [*known, *(f"Model {k}" for k in range(len(known), n))][:n]


def prices(seed: int, hours: int) -> list[int]:
    """Most come back to a level, as the recorded ones do; one series in five never moves."""
    chance, off, level = random.Random(seed), 0.0, 100_000 + 7_000 * seed
    found = []
    for _ in range(hours):
        if seed % 5 and chance.random() < 0.4:
            off += -0.15 * off + chance.gauss(0, 0.05)
        found.append(round(level * math.exp(off)))
    return found


async def build(file: Path, series: int, days: int) -> None:
    hours, end = days * 24, NOW // HOUR
    store = await open_store(f"sqlite+aiosqlite:///{file}", writer=True)
    ledger: list[tuple[object, ...]] = []
    try:
        for seed, model in enumerate(names(series), 1):
            line, chance = prices(seed, hours), random.Random(-seed)
            points = [HourPoint(end - hours + k, p, p, p, p, p, 8, 12, 12) for k, p in enumerate(line)]
            lived = {
                (WORLD, one.hour): Exposure(28_800, 0, 96, 0, outbid=int(chance.random() < 0.15)) for one in points
            }
            async with store.writer() as writer:
                await writer.bulk_hours(model, {(WORLD, Scope.VERIFIED): points})
                await writer.bulk_exposure(model, lived)
            ledger += entries(model, line, end - hours)
        await Collector(store).record(NOW, [book(names(series)[0], NOW, OFFERS)])
    finally:
        await store.close()
    with sqlite3.connect(file) as conn:
        conn.executemany(
            "INSERT INTO forecast (gpu_id, issued_at, horizon_h, target_at, y_last, price, lo80, hi80, confidence, "
            "regime, source, scored_at, actual) SELECT id, ?, ?, ?, ?, ?, ?, ?, 0.7, 'own', 'last_value', ?, ? "
            "FROM gpu WHERE name = ?",
            ledger,
        )


def entries(model: str, line: list[int], start: int) -> Iterator[tuple[object, ...]]:
    """Forecasts of the last 30 days, scored but for the last hour's."""
    for k in range(len(line) - RECORD_HOURS, len(line)):
        for horizon in HORIZONS_H:
            at, p, target = (start + k) * HOUR, line[k], k + horizon
            actual = line[target] if target < len(line) - 1 else None
            scored = None if actual is None else at + horizon * HOUR
            yield (at, horizon, at + horizon * HOUR, p, p, p * 95 // 100, p * 105 // 100, scored, actual, model)


@asynccontextmanager
async def lag(found: list[float]) -> AsyncIterator[None]:
    """Milliseconds by which short sleeps end late."""

    async def probe() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(TICK_S)
            found.append(1000 * (time.perf_counter() - began - TICK_S))

    task = asyncio.create_task(probe())
    try:
        yield
    finally:
        task.cancel()


def quantiles(found: list[float]) -> str:
    ordered = sorted(found)
    return ", ".join(f"{name} {ordered[min(len(ordered) - 1, int(q * len(ordered)))]:.1f}" for name, q in QUANTILES)


QUANTILES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))


async def measured(what: str, work: Callable[[], Awaitable[object]], goal: float | None) -> None:
    waits: list[float] = []
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    own = time.process_time()
    async with lag(waits):
        await work()
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    aim = "" if goal is None else f" (goal {goal:g} s of one core)"
    print(
        f"{what}: {wall:.1f} s, CPU {cpu:.1f} s in the worker, {time.process_time() - own:.1f} s here{aim}; worker "
        f"{after.ru_maxrss / 1024:.0f} MB at most; lag {quantiles(waits)} ms (goal p99 {GOAL_LAG_MS:g})",
        flush=True,
    )


async def ask(store: Store, model: str) -> None:
    dispatcher, taken = Dispatcher(store, COMMANDS, lambda: NOW), []
    before = time.process_time()
    for _ in range(QUESTIONS):
        began = time.perf_counter()
        await dispatcher.ask_line(f"predict {model}")
        taken.append(1000 * (time.perf_counter() - began))
    cpu = 1000 * (time.process_time() - before) / QUESTIONS
    print(f"predict: {quantiles(taken)} ms (goal {GOAL_PREDICT_MS:g}), CPU {cpu:.1f} ms each", flush=True)


async def case(file: Path, series: int, days: int) -> None:
    began = time.perf_counter()
    await build(file, series, days)
    print(f"\n{series} series of {days} days, built in {time.perf_counter() - began:.0f} s", flush=True)
    store = await open_store(f"sqlite+aiosqlite:///{file}", writer=True)
    try:
        await measured("nothing to do", lambda: asyncio.sleep(3), None)
        await measured("refresh, week fitted", lambda: refresh(store, NOW, anew=True), GOAL_S.get(series))
        await measured("refresh an hour later", lambda: refresh(store, NOW + HOUR), GOAL_S.get(series))
        if days >= 90:
            await measured("backtest", lambda: apart(_report, store.url, None), GOAL_BACKTEST_S)
        await ask(store, names(series)[0])
    finally:
        await store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", help="SERIESxDAYS")
    chosen = parser.parse_args().case or CASES
    if len(chosen) > 1:  # each in a process of its own: the system tells only the largest child's memory
        for one in chosen:
            subprocess.run([sys.executable, "-m", "benchmarks.forecasts", "--case", one], check=True)
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    series, days = map(int, chosen[0].split("x"))
    with tempfile.TemporaryDirectory(prefix="spotbot-bench-") as folder:
        asyncio.run(case(Path(folder) / "spotbot.db", series, days))


if __name__ == "__main__":
    main()
