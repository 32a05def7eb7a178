"""Receivers of the attack drill behind one TLS listener a port: the name that is asked for says how one behaves."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from benchmarks.webhooks_namespace import PUBLIC
from tests.fakes.receivers import Behaviour, Receiver, answer, resetting, silent

PORTS = (443, 8443, 80)
ZONE = "hooks.example"
"""Every receiver is a name of it; the first word, before a number, says how it behaves."""

BLOCK = 1 << 18
FLOODS = 1 << 40
"""Bytes that all floods send at the most, and at once."""

TARGETS = (
    "https://10.0.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "https://127.0.0.1:8443/",
    "https://[::1]/",
    "http://[2002:7f00:1::1]/",
)
"""Where redirects lead."""


async def dripping(receiver: Receiver, writer: asyncio.StreamWriter, got: bytes) -> None:
    """Answers a byte a second, for ever."""
    writer.write(b"HTTP/1.1 200 x\r\n\r\n")
    while not receiver.stop.is_set():
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(1)


async def flooding(receiver: Receiver, writer: asyncio.StreamWriter, got: bytes) -> None:
    """Answers with a gigabyte, as far as it is taken."""
    writer.write(b"HTTP/1.1 200 x\r\ncontent-length: 1073741824\r\n\r\n")
    while receiver.sent < FLOODS and not writer.is_closing():
        writer.write(b"x" * BLOCK)
        await writer.drain()
        receiver.sent += BLOCK
        await asyncio.sleep(0)  # drain() says nothing of a connection that was closed meanwhile


BEHAVIOURS: Mapping[str, Behaviour] = {
    "healthy": answer(200),
    "silent": silent,
    "dripping": dripping,
    "flooding": flooding,
    "resetting": resetting,
}


@dataclass
class Receivers:
    """All of them."""

    state: Receiver = field(default_factory=Receiver)
    hits: Counter[str] = field(default_factory=Counter)
    """requests, by the first word of the name"""
    answered: dict[str, list[float]] = field(default_factory=dict)
    """when each webhook-id was answered by a healthy one"""
    private: int = 0
    """connections that reached a private address"""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.private += writer.get_extra_info("sockname")[0] != PUBLIC
        with suppress(OSError, asyncio.IncompleteReadError):
            headers, body = await _request(reader)
            name = headers.get("host", "").split(".")[0]
            kind, _, number = name.partition("-")
            self.hits[kind] += 1
            location = TARGETS[int(number or 0) % len(TARGETS)]
            redirect = answer(302, location=location) if kind == "redirecting" else answer(200)
            await BEHAVIOURS.get(kind, redirect)(self.state, writer, body)
            if kind == "healthy":
                self.answered.setdefault(headers["webhook-id"], []).append(time.monotonic())
        writer.close()


async def _request(reader: asyncio.StreamReader) -> tuple[dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    pairs = [line.partition(":") for line in head.split("\r\n")[1:] if line]
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    return headers, await reader.readexactly(int(headers.get("content-length", "0")))


@asynccontextmanager
async def listening(context: ssl.SSLContext) -> AsyncIterator[Receivers]:
    """Listen on every address: with TLS, but on port 80."""
    found = Receivers()
    servers = [
        await asyncio.start_server(found.serve, None, port, ssl=None if port == 80 else context, backlog=512)
        for port in PORTS
    ]
    try:
        yield found
    finally:
        found.state.stop.set()
        for server in servers:
            server.close()
