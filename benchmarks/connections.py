"""What a thousand silent, dripping and idle connections do to a running spotbot that may open few files.

python -m benchmarks.connections [--files 256] [--connections 1000] [--seconds 60]

`spotbot demo` runs as a process of its own on loopback, polling its simulated market, with a low limit of open files.
The connections are held from this process; meanwhile /health and a question are asked over connections of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sqlite3
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.processes import SPOTBOT, free_port, running, told

KINDS = ("silent", "dripping", "idle")
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
ANSWER_SECONDS = 5.0
"""Seconds after which an answer counts as not given."""


@dataclass
class Held:
    """A connection held open: how long it lasted, None while it does."""

    kind: str
    began: float = field(default_factory=time.monotonic)
    lasted: float | None = None


@dataclass
class Asked:
    """How a path fared: seconds of each answer by status, and how often none came."""

    seconds: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)


async def hold(port: int, held: Held) -> None:
    """Keep one connection busy in its way until the server closes it."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        held.began = time.monotonic()
        dripping = asyncio.create_task(drip(writer)) if held.kind == "dripping" else None
        if held.kind == "idle":
            writer.write(HEALTH)
        try:
            while await reader.read(65536):
                pass
        finally:
            if dripping:
                dripping.cancel()
            writer.close()
    except OSError:
        pass
    held.lasted = time.monotonic() - held.began


async def drip(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        for letter in HEALTH[:-2] + b"x" * 10_000:
            writer.write(bytes([letter]))
            await writer.drain()
            await asyncio.sleep(1)


async def ask(port: int, path: str, key: str, asked: Asked) -> None:
    """One request over a connection of its own."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n\r\n"
                writer.write(head.encode())
                answer = await reader.read()
            finally:
                writer.close()
        asked.outcomes[answer[9:12].decode() or "closed"] += 1
        asked.seconds.append(time.monotonic() - began)
    except TimeoutError:
        asked.outcomes[f"none in {ANSWER_SECONDS:g} s"] += 1
    except OSError as error:
        asked.outcomes[type(error).__name__] += 1


def last_round(database: str) -> int:
    with closing(sqlite3.connect(database)) as conn:
        return int(conn.execute("SELECT max(at) FROM round").fetchone()[0])


async def strain(port: int, key: str, kinds: Sequence[str], seconds: float) -> tuple[list[Held], dict[str, Asked]]:
    """Hold one connection of each of these kinds for so long, asking twice a second."""
    held = [Held(kind) for kind in kinds]
    asked = {"/health": Asked(), "/api/spot/monitor": Asked()}
    holding = [asyncio.create_task(hold(port, one)) for one in held]
    end = time.monotonic() + seconds
    asking: list[asyncio.Task[None]] = []
    while time.monotonic() < end:
        await asyncio.sleep(0.5)
        asking += [asyncio.create_task(ask(port, path, key, some)) for path, some in asked.items()]
    await asyncio.gather(*asking)
    for task in holding:
        task.cancel()
    await asyncio.gather(*holding, return_exceptions=True)
    return held, asked


def report(held: Sequence[Held], asked: dict[str, Asked]) -> None:
    for path, some in asked.items():
        spread = "-"
        if some.seconds:
            spread = f"p50 {1000 * statistics.median(some.seconds):.0f} max {1000 * max(some.seconds):.0f} ms"
        print(f"{path:<28} {spread:<28} {dict(some.outcomes)}")
    for kind in KINDS:
        lasted = [one.lasted for one in held if one.kind == kind and one.lasted is not None]
        total = sum(one.kind == kind for one in held)
        after = f"after {statistics.median(lasted):.1f} s median, {max(lasted):.1f} s at most" if lasted else ""
        print(f"{kind + ' connections':<28} {f'{len(lasted)} of {total} closed':<28} {after}")


def drill(folder: Path, files: int, connections: int, seconds: float) -> None:
    port, log = free_port(), folder / "spotbot.log"
    command = ["prlimit", f"--nofile={files}", *SPOTBOT, "demo", "--days", "2", "--port", str(port)]
    configured = f"sqlite:///{folder / 'none.db'}"  # so that the demo names its own, which else is found without
    with running(command, port, {"PYTHONUNBUFFERED": "1", "VAST_API_KEY": "", "DATABASE_URL": configured}, log):
        key, database = told(log, r"API key: (\S+).*DATABASE_URL='sqlite[^:]*:///([^']+)'.*Stop with")
        kinds = [KINDS[n % len(KINDS)] for n in range(connections)]
        round_before, log_before = last_round(database), log.stat().st_size
        began = time.monotonic()
        held, asked = asyncio.run(strain(port, key, kinds, seconds))
        minutes = (time.monotonic() - began) / 60
        polled, written = last_round(database) - round_before, log.stat().st_size - log_before
        report(held, asked)
        print(f"{'market time of rounds stored':<28} {polled} s in {60 * minutes:.0f} s")
        print(f"{'log':<28} {written / minutes:,.0f} bytes a minute")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=256, help="files that spotbot may open")
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60)
    args = parser.parse_args()
    connections = min(args.connections, 5000)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(connections + 500, hard), hard))
    with tempfile.TemporaryDirectory(prefix="spotbot-connections-") as folder:
        drill(Path(folder), args.files, connections, min(args.seconds, 600))


if __name__ == "__main__":
    main()
