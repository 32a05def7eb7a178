"""The server's connections: how long each may keep us waiting, how many there may be, and how they are set up."""

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bot.faces.http import build_api, serve, stored_keys

HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


@asynccontextmanager
async def served(house, **options: Any) -> AsyncIterator[int]:
    """The API behind a real server on a free port of loopback."""
    api = build_api(house.counter, keys=stored_keys(house.counter.store), health=house.health, require_key=False)
    stop, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(api, "127.0.0.1", 0, started=listening.set_result, stop=stop, **options))
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
