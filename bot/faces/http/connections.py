"""The HTTP server's connections: how long each may keep us waiting, and how many there may be."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import h11
import structlog
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from bot.faces.http.problems import reply
from bot.presentation.problem_documents import Problem

IDLE_SECONDS = 75
"""How long a connection is kept open between two requests: longer than clients and proxies keep theirs (httpx 5 s,
aiohttp 15 s, nginx and AWS load balancers 60 s), so that they do not ask on one that is being closed here. Those that
keep theirs longer (Go 90 s, browsers) ask again by themselves. It is what nginx grants its clients."""

MOST_CONNECTIONS = 1000
"""Connections held at once where the process may open files enough."""

ACCEPT_AT_ONCE = 16
"""Connections accepted before the loop does anything else: none of them is counted, nor the surplus closed, before."""

LOG_SECONDS = 60
"""A shortage of descriptors is told once in this time."""

Phase = Literal["head", "idle", "body", "work", "answer"]

ALL_BUSY: ASGIApp = reply(
    Problem(503, "too-many-connections", "Service Unavailable", "every connection is in use; try again in a moment"),
    {"Connection": "close", "Retry-After": "1"},
)
"""The answer to everything on a connection beyond the limit."""

log = structlog.get_logger()


def connection_limit() -> int:
    """Half of the files that the process may open: the other half is for the store, the market and chat."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if files == resource.RLIM_INFINITY else max(1, min(MOST_CONNECTIONS, files // 2))


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long one connection may keep us waiting, in seconds from the beginning of each phase."""

    head: float = 10
    """from the connection, or the first byte of a further request, to the end of the request's head"""
    body: float = 30
    """from the end of the head to the end of the body"""
    answer: float = 30
    """from when the client does not take the answer as fast as it comes, to when it has caught up"""
    idle: float = IDLE_SECONDS
    """between an answer and the next request"""


@dataclass(slots=True)
class ConnectionLimiter:
    """The connections of one server. At the limit, the one that has kept us waiting longest makes room."""

    limit: int = field(default_factory=connection_limit)
    timeouts: Timeouts = field(default_factory=Timeouts)
    waiting: dict[Connection, None] = field(default_factory=dict)
    """those that wait for their client, the longest waiting first"""

    def close_longest_waiting(self) -> bool:
        """Close the connection that has waited longest; False where every one is being answered."""
        oldest = next(iter(self.waiting), None)
        if oldest is None:
            return False
        oldest.abort()
        return True


class Connection(H11Protocol):
    """uvicorn's protocol with a limit to each phase in which the client keeps us waiting: uvicorn limits ``idle`` only.

    Without one, a client that sends nothing, or a byte a minute, holds a descriptor for as long as it likes.
    """

    def __init__(self, limiter: ConnectionLimiter, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limiter = limiter
        self._phase: Phase | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request; beyond the limit, make room or answer 503."""
        super().connection_made(transport)
        # asyncio does so only where the listener's protocol number says TCP; that of socket.create_server is 0
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > self._limiter.limit and not self._limiter.close_longest_waiting():
            self.app = ALL_BUSY
        self._follow()

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request."""
        super().data_received(data)
        self._follow()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, and nothing else: a question that it came with would fail to be answered."""
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.abort()

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        super().on_response_complete()
        self._follow()

    def pause_writing(self) -> None:
        """The client does not keep up."""
        super().pause_writing()
        self._follow()

    def resume_writing(self) -> None:
        """The client has caught up."""
        super().resume_writing()
        self._follow()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        self._enter(None)

    def abort(self) -> None:
        """Close, without waiting for the client to take what was sent."""
        self._enter(None)
        self.transport.abort()

    def timeout_keep_alive_handler(self) -> None:
        """Close after ``idle``, even where the last answer was never taken."""
        self.abort()

    def _follow(self) -> None:
        phase = self._now()
        if phase != self._phase:
            self._enter(phase)

    def _now(self) -> Phase:
        """What is being waited for."""
        cycle = self.cycle
        if self.transport.is_closing() or self.flow.write_paused:
            return "answer"
        if cycle is not None and not cycle.response_complete:
            return "body" if cycle.more_body else "work"
        if cycle is None:
            return "head"
        if self.conn.their_state is h11.SEND_BODY:
            return "body"
        return "head" if self.conn.trailing_data[0] else "idle"

    def _enter(self, phase: Phase | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._phase = phase
        self._limiter.waiting.pop(self, None)
        if phase is None or phase == "work":
            return
        self._limiter.waiting[self] = None
        self._deadline = self.loop.call_later(getattr(self._limiter.timeouts, phase), self.abort)


@contextmanager
def shortage_told_once(timer: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """While this lasts, the loop logs a line a minute when no descriptor is left to accept a connection with.

    asyncio alone writes a traceback for every attempt, and attempts as often as its backlog allows in one go.
    """
    loop = asyncio.get_running_loop()
    before, told = loop.get_exception_handler(), -float("inf")

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal told
        if context.get("message") != "socket.accept() out of system resource":
            before(loop, context) if before else loop.default_exception_handler(context)
        elif timer() - told >= LOG_SECONDS:
            told = timer()
            log.error("no_descriptors_left", error=str(context.get("exception")))

    loop.set_exception_handler(handle)
    try:
        yield
    finally:
        loop.set_exception_handler(before)
