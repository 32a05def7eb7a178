"""Starting the program and its stand-ins as processes of their own, on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bot.dispatch.dispatcher import Dispatcher
from bot.forecasts import refresh

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT.parent / "shared" / "tools"
SPOTBOT = [sys.executable, "-m", "bot"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str, key: str | None = None, *, method: str = "GET", timeout: float = 10) -> tuple[int, Any]:
    """Status and JSON (or text) of a request to loopback."""
    assert url.startswith("http://127.0.0.1:"), url
    request = urllib.request.Request(url, method=method, data=b"" if method == "POST" else None)
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            status, body = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read()
    try:
        return status, json.loads(body)
    except ValueError:
        return status, body.decode(errors="replace")


def wait_for(port: int, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"exited with {process.returncode} before it listened")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("did not listen in time")


def told(log: Path, pattern: str, seconds: float = 180) -> tuple[str, ...]:
    """The groups of what a process has written to its log, as soon as it has."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := re.search(pattern, log.read_text(), re.DOTALL):
            return found.groups()
        time.sleep(0.1)
    raise RuntimeError(f"never said {pattern}: {log.read_text()[-2000:]}")


@contextmanager
def running(command: Sequence[str], port: int, env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that listens on a port, stopped at the end with SIGTERM."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, env={**os.environ, **env}, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT)
        try:
            wait_for(port, process)
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


@contextmanager
def fake_vast(folder: Path, *options: str) -> Iterator[str]:
    """The stand-in market; gives its address."""
    port = free_port()
    command = [sys.executable, str(TOOLS / "fake_vast.py"), "--port", str(port), *options]
    with running(command, port, {}, folder / "vast.log"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def spotbot(folder: Path, vast: str, **settings: str) -> Iterator[tuple[str, str, subprocess.Popen[bytes]]]:
    """`spotbot run` against a market; gives its address, a key and the process."""
    port = free_port()
    env = environment(folder, VAST_URL=vast, PORT=str(port), **settings)
    key = run(["keys", "create", "acceptance", "--per-minute", "6000"], env).split()[0]
    with running([*SPOTBOT, "run"], port, env, folder / "spotbot.log") as process:
        yield f"http://127.0.0.1:{port}", key, process


def environment(folder: Path, **settings: str) -> dict[str, str]:
    return {"DATABASE_URL": f"sqlite:///{folder / 'spotbot.db'}", "VAST_API_KEY": "", **settings}


def run(arguments: Sequence[str], env: Mapping[str, str], *, timeout: float = 1800) -> str:
    """One command of the program to its end; its standard output."""
    done = subprocess.run(
        [*SPOTBOT, *arguments],
        env={**os.environ, **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} exited with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


async def strain(dispatcher: Dispatcher) -> None:
    """Forecasts are refreshed while another program keeps the database locked for ten seconds."""
    file = str(dispatcher.store.url).removeprefix("sqlite:///")
    lock = "import sqlite3,sys,time; c=sqlite3.connect(sys.argv[1], isolation_level=None);"
    lock += "c.execute('BEGIN IMMEDIATE'); time.sleep(10); c.rollback()"
    locker = await asyncio.create_subprocess_exec(sys.executable, "-c", lock, file, stderr=subprocess.DEVNULL)
    with suppress(Exception):  # it may well be told that the database is locked
        await refresh(dispatcher.store, dispatcher.clock())
    await locker.wait()
