"""The image's health check, run as the container runs it, against a server on loopback."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from analytics.market import Quality
from bot.faces.http.api import build_api, serve, stored_keys
from bot.store.engine import StoreError

SCRIPT = Path(__file__).parents[2] / "deploy" / "healthcheck.py"


@asynccontextmanager
async def served(house, health=None) -> AsyncIterator[int]:
    """The API of a house over a socket; its port."""
    api = build_api(house.dispatcher, keys=stored_keys(house.dispatcher), health=health or house.health)
    stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(api, "127.0.0.1", 0, started=port.set_result, stop=stop))
    try:
        yield await port
    finally:
        stop.set()
        await task


async def check(port: int) -> tuple[int, str]:
    """Exit code and output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, SCRIPT, env={**os.environ, "PORT": str(port)}, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode().strip()


async def test_a_container_that_has_just_started_is_healthy(house):
    async with served(house) as port:
        assert await check(port) == (0, "starting")


async def test_a_container_with_fresh_polls_is_healthy_and_one_whose_polls_stopped_is_not(house):
    await house.polled()
    async with served(house) as port:
        assert await check(port) == (0, "ok")
        house.clock.now += 901
        assert await check(port) == (1, "late")


async def test_a_market_that_is_away_is_no_reason_to_start_anew(house):
    await house.polled()
    house.clock.now += 901
    await house.polled(quality=Quality.FAILED)
    async with served(house) as port:
        assert await check(port) == (0, "market_down")


async def test_a_server_that_cannot_read_its_database_is_not_healthy(house):
    async def broken():
        raise StoreError("gone")

    async with served(house, broken) as port:
        assert await check(port) == (1, "503")


@pytest.mark.parametrize("listens", [False, True])
async def test_what_does_not_answer_is_not_healthy(listens: bool):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        if not listens:
            listener.close()
            assert await check(port) == (1, "no answer (ConnectionRefusedError)")
            return

        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        async with await asyncio.start_server(hang_up, sock=listener):
            code, said = await check(port)
    assert code == 1
    assert said.startswith("no answer")
