"""The pages on a year of 60 models: first byte, size, and what 200 open pages cost. python -m benchmarks.web [--file]

The server runs in a process of its own on one core, as in production; what is measured there comes over its pipe.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil
from playwright.sync_api import sync_playwright

from analytics.market import HOUR
from benchmarks.processes import ROOT, free_port
from benchmarks.run import row, spread
from benchmarks.year import build, models
from bot.accounts import Asker
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.http.api import ForBrowsers, build_api, serve, stored_keys
from bot.faces.http.metrics import Health, market_health
from bot.faces.web.site import Site
from bot.faces.web.visitors import AtThisMachine
from bot.forecasts import refresh
from bot.store.engine import open_store
from tests.browser.look import start_chromium

OPEN_PAGES = 200
SECONDS = 30.0
"""How long they are open."""
ROUND_SECONDS = 5.0
"""How often they are told to ask anew: sixty times as often as the market page does."""
TICK = 0.01
PERSON = Asker("console", "local", "you", channel="prompt", role="admin")


def pages() -> list[str]:
    gpu = models()[7].replace(" ", "%20")
    return ["/dash/market", "/dash/reliability", "/dash/cost", f"/gpu/{gpu}", f"/dash/market?gpu={gpu}&days=365"]


async def server(file: Path, port: int, now: int) -> None:
    """Serve until standard input ends; a line there asks for the loop's lags since the last one."""
    store = await open_store(f"sqlite+aiosqlite:///{file}", writer=False)
    dispatcher = Dispatcher(store, COMMANDS, lambda: now)

    async def health() -> Health:
        return await market_health(dispatcher, polling=False)

    site = Site(dispatcher, AtThisMachine(PERSON), signs_in=False)
    api = build_api(dispatcher, keys=stored_keys(dispatcher), health=health, browsers=ForBrowsers(site.routes))
    stop, lags = asyncio.Event(), list[float]()

    async def tick() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(TICK)
            lags.append(time.perf_counter() - began - TICK)

    async def rounds() -> None:
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            site.events.publish("round", str(time.time()))

    async def obey() -> None:
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            taken, lags[:] = sorted(lags), []
            p99 = taken[int(0.99 * len(taken))] if taken else 0.0
            sys.stdout.write(json.dumps({"p99": p99, "rss": psutil.Process().memory_info().rss}) + "\n")
            sys.stdout.flush()
        site.events.close()
        stop.set()

    gc.collect()
    gc.freeze()  # as the serving process does
    beside = [asyncio.create_task(work()) for work in (tick, rounds, obey)]
    await serve(api, "127.0.0.1", port, stop=stop)
    for task in beside:
        task.cancel()
    await store.close()


async def reader(client: httpx.AsyncClient, panels: list[str]) -> int:
    """One open page: it listens, and when told asks for its panels anew. Gives how often it did."""
    done = 0
    async with client.stream("GET", "/events") as live:
        async for line in live.aiter_lines():
            if line.startswith("event: round"):
                for panel in panels:
                    (await client.get(f"/dash/market?panel={panel}")).raise_for_status()
                done += 1
    return done


def loads(port: int) -> None:
    """How long Chromium takes for each page once everything is warm, until it is drawn."""
    with sync_playwright() as playwright:
        browser = start_chromium(playwright)
        page = browser.new_page()
        for path in pages():
            taken = []
            for _ in range(5):
                page.goto(f"http://127.0.0.1:{port}{path}", wait_until="load")
                taken.append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
            row(f"loaded: {path}", f"slowest of 4 {max(taken[1:]):.0f} ms", "< 1000 ms", max(taken[1:]) < 1000)
        browser.close()


async def measure(port: int, process: subprocess.Popen[str]) -> None:
    limits = httpx.Limits(max_connections=None)
    base = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=base, limits=limits, timeout=60) as client:
        for path in pages():
            first, sizes = [], [0]
            for _ in range(30):
                began = time.perf_counter()
                async with client.stream("GET", path) as got:
                    pieces = got.aiter_raw()
                    size = len(await anext(pieces))
                    first.append(time.perf_counter() - began)
                    sizes.append(size + sum([len(piece) async for piece in pieces]))
            found = spread(first[1:])
            row(f"first byte: {path}", f"p95 {found['p95']:.1f} ms", "< 200 ms", found["p95"] < 200)
            row(f"transferred: {path}", f"{max(sizes) / 1e3:.0f} kB", "< 500 kB", max(sizes) < 500e3)
        before = tell(process)
        opened = [
            asyncio.create_task(reader(client, ["prices", "history", "regions", "status"])) for _ in range(OPEN_PAGES)
        ]
        await asyncio.sleep(SECONDS)
        after = tell(process)
        for task in opened:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*opened)
    lag, grown = 1000 * after["p99"], (after["rss"] - before["rss"]) / 1e6
    row(f"{OPEN_PAGES} open pages: loop lag", f"p99 {lag:.1f} ms", "< 50 ms", lag < 50)
    row(f"{OPEN_PAGES} open pages: memory", f"+{grown:.0f} MB", "< 100 MB", grown < 100)


def tell(process: subprocess.Popen[str]) -> dict[str, float]:
    """What the server measured since it was last asked."""
    assert process.stdin
    assert process.stdout
    process.stdin.write("\n")
    process.stdin.flush()
    found: dict[str, float] = json.loads(process.stdout.readline())
    return found


async def bench(file: Path) -> None:
    now = int(time.time()) // HOUR * HOUR
    if not file.exists():
        await build(file, now)
        store = await open_store(f"sqlite+aiosqlite:///{file}", writer=True)
        await refresh(store, now)
        await store.close()
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.web", "--serve", str(port), "--now", str(now), "--file", str(file)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:  # noqa: ASYNC220  nothing else runs here yet
        try:
            async with httpx.AsyncClient() as client:
                for _ in range(200):
                    with contextlib.suppress(httpx.TransportError):
                        if (await client.get(f"http://127.0.0.1:{port}/health")).status_code:
                            break
                    await asyncio.sleep(0.1)
            await measure(port, process)
            await asyncio.to_thread(loads, port)
        finally:
            process.stdin.close()
            process.wait(20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, help="keep the year's database here and use it again")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--now", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        asyncio.run(server(args.file, args.serve, args.now))
        return
    with tempfile.TemporaryDirectory(prefix="spotbot-web-") as folder:
        asyncio.run(bench(args.file or Path(folder) / "spotbot.db"))


if __name__ == "__main__":
    main()
