"""`make bench`: speed, memory and size on a year of market, as a table; each answer beside raw SQL in the same process.

python -m benchmarks.run [--file YEAR.db] [--rounds 30]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import psutil

from analytics.evidence import to_json
from analytics.market import HOUR
from benchmarks.processes import ROOT, SPOTBOT, environment, free_port, get, run, running
from benchmarks.requests import measure
from benchmarks.year import OFFERS, book, build, models
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.forecasts import refresh
from bot.polling.rounds import Collector
from bot.store.engine import open_store

QUESTIONS = (
    "monitor",
    "llm 7B",
    "fleet $500 training",
    "predict {gpu}",
    "availability {gpu}",
    "cost llama2-7b 50GB",
    "savings {gpu} 100h",
    "reliability {gpu}",
    "interruptions",
    "windows {gpu}",
)
RAW = {
    "monitor": "SELECT gpu_id, avg(price), min(price), max(price) FROM price_hour WHERE gpu_id IN (SELECT id FROM gpu) "
    "AND hour >= {day} AND region_id = 0 AND scope = 0 GROUP BY gpu_id",
    "predict": "SELECT * FROM forecast WHERE gpu_id = {id} ORDER BY issued_at DESC LIMIT 3",
    "availability": "SELECT region_id, offers, price FROM price_hour WHERE gpu_id = {id} AND hour >= {day}",
    "reliability": "SELECT sum(held_s), sum(interrupted_s) FROM exposure_hour WHERE gpu_id = {id} AND hour >= {month}",
    "interruptions": "SELECT gpu_id, region_id, sum(held_s), sum(interrupted_s), sum(outbid) FROM exposure_hour "
    "WHERE gpu_id IN (SELECT id FROM gpu) AND hour >= {week} GROUP BY 1, 2",
    "windows": "SELECT hour, sum(held_s), sum(outbid) FROM exposure_hour WHERE gpu_id = {id} AND hour >= {quarter} "
    "GROUP BY hour",
}
GOALS = {"monitor": ("p50", 20.0)}
EVERY_ANSWER = ("p95", 100.0)


def row(what: str, figure: str, goal: str, ok: bool) -> None:
    print(f"{'ok  ' if ok else 'MISS'} {what:<46} {figure:>24}   goal {goal}", flush=True)


def spread(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(1000 * s for s in seconds)
    return {"p50": statistics.median(ordered), "p95": ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]}


async def timed(work: Callable[[], Awaitable[object]], rounds: int) -> dict[str, float]:
    await work()
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        await work()
        taken.append(time.perf_counter() - began)
    return spread(taken)


def raw(file: Path, sql: str, rounds: int) -> float:
    with sqlite3.connect(file) as conn:
        conn.execute(sql).fetchall()
        taken = []
        for _ in range(rounds):
            began = time.perf_counter()
            conn.execute(sql).fetchall()
            taken.append(time.perf_counter() - began)
    return spread(taken)["p50"]


async def answers(file: Path, now: int, rounds: int) -> None:
    store = await open_store(f"sqlite+aiosqlite:///{file}", writer=False)
    gpu = models()[7]
    with sqlite3.connect(file) as conn:
        gpu_id = conn.execute("SELECT id FROM gpu WHERE name = ?", (gpu,)).fetchone()[0]
    hour = now // HOUR
    places = {"id": gpu_id, "day": hour - 24, "week": hour - 168, "month": hour - 720, "quarter": hour - 2016}
    dispatcher = Dispatcher(store, COMMANDS, lambda: now)
    try:
        for question in QUESTIONS:
            line = question.format(gpu=gpu)
            verb = line.split()[0]

            async def ask(line: str = line) -> object:
                return to_json((await dispatcher.ask_line(line))[1])

            found = await timed(ask, rounds)
            base = raw(file, RAW[verb].format(**places), rounds) if verb in RAW else None
            which, goal = GOALS.get(verb, EVERY_ANSWER)
            beside = f", raw SQL {base:.1f}" if base is not None else ""
            good = found[which] < goal and found["p95"] < EVERY_ANSWER[1]
            row(
                f"answer: {line}",
                f"p50 {found['p50']:.1f} p95 {found['p95']:.1f} ms",
                f"{which} < {goal:g} ms{beside}",
                good,
            )
    finally:
        await store.close()


async def rounds_of_5000(file: Path, now: int) -> None:
    store = await open_store(f"sqlite+aiosqlite:///{file}", writer=True)
    try:
        collector = Collector(store)
        async with store.reader() as reader:
            now = max(now, await reader.last_round_at() or 0)
        taken = []
        for n in range(1, 6):
            polls = [book(model, now + n * 300, OFFERS, seed=n) for model in models()]
            began = time.perf_counter()
            await collector.record(now + n * 300, polls)
            taken.append(time.perf_counter() - began)
        offers = sum(len(poll.offers) for poll in polls)
        worst = max(taken[1:])
        row(f"a round of {offers} offers", f"{1000 * worst:.0f} ms worst of {len(taken) - 1}", "< 500 ms", worst < 0.5)
    finally:
        await store.close()


def whole_process(folder: Path, rounds: int = 7) -> None:
    env = {**os.environ, **environment(folder)}
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run([*SPOTBOT, "ask", "monitor"], env=env, cwd=ROOT, check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    middle = statistics.median(taken)
    row("spotbot ask monitor, whole process", f"{middle:.2f} s median", "< 0.8 s", middle < 0.8)


def memory(folder: Path) -> None:
    """`spotbot run` on the year, polling a market that refuses connections and answering."""
    port = free_port()
    env = environment(folder, VAST_URL=f"http://127.0.0.1:{free_port()}", PORT=str(port), SPOTBOT_GPUS="RTX 4090")
    key = run(["keys", "create", "bench", "--per-minute", "60000"], env).split()[0]
    with running([*SPOTBOT, "run"], port, env, folder / "run.log") as process:
        watched = psutil.Process(process.pid)
        peak = 0
        paths = [c.path for c in COMMANDS if c.path and c.shared and "{" not in c.path] * 20
        for path in paths:
            get(f"http://127.0.0.1:{port}{path}?{_query(path)}", key)
            peak = max(peak, watched.memory_info().rss)
    row("memory of spotbot run while answering", f"{peak / 1e6:.0f} MB peak", "< 200 MB", peak < 200e6)


def requests(folder: Path) -> None:
    """The API as programs use it; and the page, which needs no key."""
    (alone, many), page = measure(folder)
    p50 = alone.quantile(0.5)
    row("12 questions over HTTP, one client", f"p50 {p50:.1f} p99 {alone.quantile(0.99):.0f} ms", "p50 < 8 ms", p50 < 8)
    p99, rate = many.quantile(0.99), many.per_second
    figure = f"{rate:.0f}/s p99 {p99:.0f} ms"
    row(f"the same, {many.clients} at once", figure, "> 250/s, p99 < 400 ms", rate > 250 and p99 < 400)
    row("GET / over HTTP, one client", f"p50 {page.quantile(0.5):.1f} ms", "p50 < 8 ms", page.quantile(0.5) < 8)


def _query(path: str) -> str:
    needed = {
        "llm-gpus": "model_size=7B",
        "fleet": "budget=500",
        "availability": "gpu=RTX+4090",
        "training": "model=llama2-7b",
    }
    needed |= {"savings": "gpu=RTX+4090", "reliability": "gpu=RTX+4090"}
    return next((query for part, query in needed.items() if part in path), "")


async def bench(file: Path, rounds: int) -> None:
    now = 1_795_000_000 // HOUR * HOUR
    if not file.exists():
        began = time.perf_counter()
        await build(file, now)
        print(f"built a year in {time.perf_counter() - began:.0f} s")
    with sqlite3.connect(file) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        hours, exposed = (
            conn.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("price_hour", "exposure_hour")
        )
    size = file.stat().st_size
    row(f"database: {hours:,} price hours, {exposed:,} exposed", f"{size / 1e6:.0f} MB", "< 400 MB", size < 400e6)
    store = await open_store(f"sqlite+aiosqlite:///{file}", writer=True)
    try:
        began = time.perf_counter()
        issued = await refresh(store, now)
        row(f"forecasts: {issued} issued", f"{time.perf_counter() - began:.1f} s", "own process", ok=True)
    finally:
        await store.close()
    gc.collect()
    gc.freeze()  # as the serving process does
    await answers(file, now, rounds)
    await rounds_of_5000(file, now)
    whole_process(file.parent)
    await asyncio.to_thread(memory, file.parent)
    await asyncio.to_thread(requests, file.parent / "demo")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="keep the year's database here and use it again")
    parser.add_argument("--rounds", type=int, default=30)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="spotbot-bench-") as temporary:
        folder = args.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        asyncio.run(bench(folder / "spotbot.db", args.rounds))


if __name__ == "__main__":
    main()
