"""Requests a second over HTTP: clients that keep their connections, on the demo's market, the server on one core."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from analytics.market import DAY
from benchmarks.processes import SPOTBOT, environment, free_port, run, running
from bot.cli.demo import fill
from bot.clock import SteadyClock
from bot.forecasts import refresh
from bot.polling.rounds import Collector
from bot.sources.simulated import SimulatedMarket
from bot.store.engine import open_store

PATHS = (
    "/api/spot/monitor",
    "/api/spot/llm-gpus?model_size=7B",
    "/api/spot/fleet-strategy?budget=500",
    "/api/spot/prediction/RTX%204090",
    "/api/spot/availability?gpu=RTX+4090",
    "/api/spot/training-cost?model=llama2-7b&dataset_size=50GB",
    "/api/spot/savings?gpu=RTX+4090&hours=100",
    "/api/spot/reliability?gpu=RTX+4090",
    "/api/spot/interruption-rates",
    "/api/spot/safe-windows/RTX%204090",
    "/api/spot/history/RTX%204090",
    "/api/spot/status",
)
"""The guide's ten, history and status."""

REQUESTS = 24
"""Of each client, at the least."""


@dataclass(frozen=True, slots=True)
class Load:
    """What so many clients at once got."""

    clients: int
    seconds: float
    taken: tuple[float, ...]
    """seconds of each answer, ascending"""

    @property
    def per_second(self) -> float:
        return len(self.taken) / self.seconds

    def quantile(self, share: float) -> float:
        """In milliseconds."""
        return 1000 * self.taken[min(len(self.taken) - 1, int(share * len(self.taken)))]


def measure(folder: Path, clients: tuple[int, ...] = (1, 50)) -> tuple[list[Load], Load]:
    """The twelve paths asked by so many clients at once, and the page by one."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("spotbot.db*"):
        old.unlink()
    asyncio.run(demo_market(folder))
    port = free_port()
    env = environment(folder, PORT=str(port))
    key = run(["keys", "create", "bench", "--per-minute", "10000000"], env).split()[0]
    with running(on_one_core([*SPOTBOT, "web"]), port, env, folder / "web.log"):
        asyncio.run(load(port, key, 1, PATHS, 1))  # imports happen at the first question of each kind
        found = [asyncio.run(load(port, key, n, PATHS, max(REQUESTS, 240 // n))) for n in clients]
        return found, asyncio.run(load(port, key, 1, ("/",), 100))


async def demo_market(folder: Path) -> None:
    """The market of `spotbot demo`, stored."""
    store = await open_store(environment(folder)["DATABASE_URL"], writer=True)
    try:
        now = SteadyClock()()
        market = SimulatedMarket(7, now - 90 * DAY)
        await fill(market, Collector(store, source="simulated"), days=90, until=now, out=Console(quiet=True))
        await refresh(store, now)
    finally:
        await store.close()


def on_one_core(command: Sequence[str]) -> list[str]:
    """The command with one core to run on, where the system can do that."""
    tool = shutil.which("taskset")
    return [tool, "--cpu-list", str(min(os.sched_getaffinity(0))), *command] if tool else list(command)


async def load(port: int, key: str, clients: int, paths: tuple[str, ...], requests: int) -> Load:
    """Each client asks the paths in turn, each beginning with another one."""
    began = time.perf_counter()
    turns = [itertools.islice(itertools.cycle(paths), n, n + max(requests, len(paths))) for n in range(clients)]
    taken = await asyncio.gather(*(client(port, key, turn) for turn in turns))
    return Load(clients, time.perf_counter() - began, tuple(sorted(itertools.chain.from_iterable(taken))))


async def client(port: int, key: str, paths: Iterator[str]) -> list[float]:
    """Ask one after the other over one connection; gives the seconds of each."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    taken = []
    for path in paths:
        began = time.perf_counter()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
        taken.append(time.perf_counter() - began)
        assert head.startswith(b"http/1.1 200 "), (path, head)
    writer.close()
    return taken
