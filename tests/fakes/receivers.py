"""Receivers of webhooks on loopback: good ones, and those that hang, drip, flood, reset and redirect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Behaviour = Callable[["Receiver", asyncio.StreamWriter, bytes], Awaitable[None]]


@dataclass
class Request:
    """What arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A listening socket; ``url`` is its address, ``requests`` what arrived whole, ``hits`` how many connected."""

    url: str = ""
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    hits: int = 0
    sent: int = 0
    """bytes of answers that could be written"""
    stop: asyncio.Event = field(default_factory=asyncio.Event)


def answer(status: int = 200, body: bytes = b"", **headers: str) -> Behaviour:
    """Answers so."""
    lines = [f"HTTP/1.1 {status} x", f"content-length: {len(body)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    raw = "\r\n".join([*lines, "", ""]).encode() + body

    async def behave(receiver: Receiver, writer: asyncio.StreamWriter, got: bytes) -> None:
        writer.write(raw)
        await writer.drain()

    return behave


async def silent(receiver: Receiver, writer: asyncio.StreamWriter, got: bytes) -> None:
    """Never answers."""
    await receiver.stop.wait()


async def dripping(receiver: Receiver, writer: asyncio.StreamWriter, got: bytes) -> None:
    """Answers for ever, a byte now and then."""
    writer.write(b"HTTP/1.1 200 x\r\n\r\n")
    while not receiver.stop.is_set():
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.005)


async def flooding(receiver: Receiver, writer: asyncio.StreamWriter, got: bytes) -> None:
    """Answers with a gigabyte."""
    writer.write(b"HTTP/1.1 200 x\r\ncontent-length: 1073741824\r\n\r\n")
    for _ in range(1024):
        writer.write(b"x" * (1 << 20))
        await writer.drain()
        receiver.sent += 1 << 20


async def resetting(receiver: Receiver, writer: asyncio.StreamWriter, got: bytes) -> None:
    """Breaks the connection off."""
    writer.transport.abort()


@asynccontextmanager
async def receiving(*behaviours: Behaviour) -> AsyncIterator[Receiver]:
    """A receiver that behaves so, request by request; the last behaviour goes on."""
    found = Receiver()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behave = behaviours[min(found.hits, len(behaviours) - 1)]
        found.hits += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            found.requests.append(Request(first.split()[1], headers, body))
            await behave(found, writer, body)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    found.url = f"http://127.0.0.1:{found.port}/hook"
    try:
        yield found
    finally:
        found.stop.set()
        server.close()
        await server.wait_closed()
