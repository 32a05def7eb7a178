"""The server's connections: how long each may keep us waiting, how many there may be, and how they are set up."""

import asyncio
import contextlib
import itertools
import os
import resource
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.faces.http.api import build_api, serve, stored_keys
from bot.faces.http.connections import (
    LOG_SECONDS,
    MOST_CONNECTIONS,
    ConnectionLimiter,
    Timeouts,
    connection_limit,
    shortage_told_once,
)

SOON = 0.05
"""Seconds that a phase may last where a test wants it to end."""

HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


@asynccontextmanager
async def served(house, limiter: ConnectionLimiter | None = None, health: Any = None) -> AsyncIterator[int]:
    """The API behind a real server on a free port of loopback."""
    keys = stored_keys(house.dispatcher)
    api = build_api(house.dispatcher, keys=keys, health=health or house.health, require_key=False)
    stop, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(api, "127.0.0.1", 0, started=listening.set_result, stop=stop, limiter=limiter))
    try:
        yield await listening
    finally:
        stop.set()
        await task


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def answered(reader: asyncio.StreamReader) -> int:
    """Read one whole answer; gives its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    await reader.readexactly(int(length))
    return int(head.split()[1])


def socket_with_peer(peer: Any) -> socket.socket:
    """The socket of this process at the other end of a connection."""
    for fd in range(3, 4096):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                found = socket.socket(fileno=os.dup(fd))
                with contextlib.suppress(OSError):
                    if found.getpeername() == peer:
                        return found
                found.close()
    raise LookupError(peer)


async def test_answers_do_not_wait_for_the_clients_acknowledgement(house):
    await house.polled()
    async with served(house) as port, connected(port) as (reader, writer):
        writer.write(HEALTH)
        assert await answered(reader) == 200
        with socket_with_peer(writer.get_extra_info("sockname")) as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_name_with_a_slash_arrives_over_a_real_connection(house):
    await house.polled(model="GH200/96GB")
    async with served(house) as port, connected(port) as (reader, writer):
        writer.write(b"GET /api/spot/price/GH200%2F96GB HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await answered(reader) == 200


async def closed(reader: asyncio.StreamReader) -> bool:
    """Whether the server closes the connection, without another word."""
    async with asyncio.timeout(5):
        try:
            return await reader.read() == b""
        except ConnectionError:
            return True


@pytest.mark.parametrize("begun", [b"", b"G", HEALTH[:-2]], ids=["silent", "begun", "unended"])
async def test_a_client_that_does_not_end_its_request_is_let_go(house, begun):
    async with (
        served(house, ConnectionLimiter(timeouts=Timeouts(head=SOON))) as port,
        connected(port) as (reader, writer),
    ):
        writer.write(begun)
        assert await closed(reader)


@pytest.mark.parametrize("before", [b"", HEALTH], ids=["first", "kept-alive"])
async def test_dripping_bytes_do_not_buy_more_time(house, before):
    await house.polled()
    async with (
        served(house, ConnectionLimiter(timeouts=Timeouts(head=SOON))) as port,
        connected(port) as (reader, writer),
    ):
        if before:
            writer.write(before)
            assert await answered(reader) == 200
        dripping = asyncio.create_task(drip(writer))
        assert await closed(reader)
        dripping.cancel()


async def drip(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        for letter in itertools.chain(HEALTH[:-2], itertools.repeat(120)):
            writer.write(bytes([letter]))
            await writer.drain()
            await asyncio.sleep(SOON / 10)


async def test_a_request_in_pieces_and_more_requests_on_the_same_connection_are_answered(house):
    await house.polled()
    async with (
        served(house, ConnectionLimiter(timeouts=Timeouts(idle=0.5))) as port,
        connected(port) as (reader, writer),
    ):
        for piece in (HEALTH[:9], HEALTH[9:], HEALTH + HEALTH[:5], HEALTH[5:]):
            writer.write(piece)
            await asyncio.sleep(SOON / 5)
        assert [await answered(reader) for _ in range(3)] == [200, 200, 200]


async def test_an_idle_connection_is_kept_longer_than_a_request_may_take(house):
    await house.polled()
    limiter = ConnectionLimiter(timeouts=Timeouts(head=SOON))
    async with served(house, limiter) as port, connected(port) as (reader, writer):
        for _ in range(2):
            writer.write(HEALTH)
            assert await answered(reader) == 200
            await asyncio.sleep(1.5 * SOON)


async def test_an_idle_connection_is_closed_after_its_time(house):
    await house.polled()
    limiter = ConnectionLimiter(timeouts=Timeouts(idle=SOON))
    async with served(house, limiter) as port, connected(port) as (reader, writer):
        writer.write(HEALTH)
        assert await answered(reader) == 200
        assert await closed(reader)


def test_idle_connections_outlast_those_of_common_clients():
    assert ConnectionLimiter().timeouts.idle > 60


async def test_a_body_that_does_not_come_is_not_waited_for(house):
    limiter = ConnectionLimiter(timeouts=Timeouts(body=SOON))
    async with served(house, limiter) as port, connected(port) as (reader, writer):
        writer.write(b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx")
        assert await answered(reader) == 405
        assert await closed(reader)


async def test_a_client_that_does_not_read_its_answers_is_let_go(house):
    async with served(house, ConnectionLimiter(timeouts=Timeouts(answer=SOON))) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setblocking(False)
            asked = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 100
            async with asyncio.timeout(30):
                while True:
                    try:
                        client.send(asked)
                    except BlockingIOError:
                        pass
                    except ConnectionError:
                        break
                    await asyncio.sleep(SOON / 10)


async def test_at_the_limit_the_connection_that_waited_longest_makes_room(house):
    await house.polled()
    async with served(house, ConnectionLimiter(limit=2)) as port, connected(port) as idle, connected(port) as silent:
        idle[1].write(HEALTH)
        assert await answered(idle[0]) == 200
        async with connected(port) as third, connected(port) as fourth:
            for reader, writer in (third, fourth):
                writer.write(HEALTH)
                assert await answered(reader) == 200
            assert await closed(silent[0])  # it has waited since before the other's answer
            assert await closed(idle[0])


async def test_where_every_connection_is_at_work_a_further_one_is_told_and_the_next_is_served(house):
    await house.polled()
    working, done = asyncio.Event(), asyncio.Event()

    async def slow_health():
        working.set()
        await done.wait()
        return await house.health()

    async with served(house, ConnectionLimiter(limit=1), slow_health) as port, connected(port) as (reader, writer):
        writer.write(HEALTH)
        await working.wait()
        async with connected(port) as (surplus, asking), asyncio.timeout(5):
            asking.write(HEALTH)
            answer = await surplus.read()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"connection: close" in answer.lower()
        assert b"application/problem+json" in answer
        done.set()
        assert await answered(reader) == 200
        async with connected(port) as (after, asking):
            asking.write(HEALTH)
            assert await answered(after) == 200


@pytest.mark.parametrize(("files", "expected"), [(256, 128), (1024, 512), (10**6, MOST_CONNECTIONS)])
def test_half_of_the_files_are_kept_for_other_uses(files, expected):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(files, before[1]), before[1]))
        assert connection_limit() == min(expected, before[1] // 2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_malformed_requests_do_not_fill_the_log(house, caplog):
    async with served(house) as port, connected(port) as (reader, writer):
        writer.write(b"GET\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    assert not caplog.records


@pytest.mark.parametrize("question", [b"POST / HTTP/1.1", b"GET /health HTTP/1.1", b"GET /openapi.json HTTP/1.1"])
async def test_a_malformed_body_ends_the_connection_and_does_not_fill_the_log(house, caplog, question):
    """With the head and after the answer to it."""
    async with served(house) as port:
        for waits in (False, True):
            async with connected(port) as (reader, writer):
                writer.write(question + b"\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
                if waits:
                    await answered(reader)
                writer.write(b"ZZ\r\n")
                with contextlib.suppress(ConnectionError):
                    await asyncio.wait_for(reader.read(), 5)
    assert caplog.records == []


async def test_a_shortage_of_descriptors_is_one_line_in_the_log(house, caplog):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with served(house) as port:
        with socket.socket() as client, capture_logs() as logs:
            client.setblocking(False)
            lowest = os.dup(client.fileno())
            os.close(lowest)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
            try:
                await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
                await asyncio.sleep(SOON)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert [entry["event"] for entry in logs] == ["no_descriptors_left"]
    assert not caplog.records


async def test_a_shortage_that_lasts_is_told_once_a_minute_and_other_troubles_each_time(caplog):
    loop, now = asyncio.get_running_loop(), [0.0]
    shortage = {"message": "socket.accept() out of system resource", "exception": OSError(24, "Too many open files")}
    with capture_logs() as logs, shortage_told_once(lambda: now[0]):
        for now[0] in (0.0, 1.0, LOG_SECONDS - 0.1, LOG_SECONDS, LOG_SECONDS + 1.0):
            loop.call_exception_handler(shortage)
        loop.call_exception_handler({"message": "something else"})
    assert [entry["error"] for entry in logs] == ["[Errno 24] Too many open files"] * 2
    assert [record.message for record in caplog.records] == ["something else"]
    loop.call_exception_handler(shortage)
    assert len(caplog.records) == 2
