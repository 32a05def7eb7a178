"""Single requests to Discord: what came of one, before the SDK would wait and ask again, and how many were invalid."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import aiohttp

MOST_INVALID, INVALID_SECONDS = 5_000, 600.0
"""Refused requests (401, 403, 429) in ten minutes after which nothing is sent; Discord bans the address at 10,000."""


@dataclass(slots=True)
class Attempt:
    """One request. ``sent``: whether Discord may have heard of it."""

    sent: bool = False


attempt: ContextVar[Attempt | None] = ContextVar("attempt", default=None)
"""The request that this task makes once only."""


class Interrupted(Exception):
    """Discord limits (429) or has trouble (5xx): the SDK would wait, which whoever has a queue does better."""

    def __init__(self, status: int, headers: Mapping[str, str], code: int = 0) -> None:
        super().__init__(f"status {status}")
        self.status, self.headers, self.code = status, headers, code


class InvalidRequests:
    """Counts refused requests over the last ten minutes."""

    def __init__(self, most: int = MOST_INVALID, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._at: deque[float] = deque(maxlen=most)

    def count(self, status: int, headers: Mapping[str, str]) -> None:
        """An answer. What is limited because of others (scope ``shared``) does not count."""
        if status in (401, 403, 429) and headers.get("X-RateLimit-Scope") != "shared":
            self._at.append(self._timer())

    def pause(self) -> float:
        """Seconds until something may be sent; 0 for now."""
        if len(self._at) < (self._at.maxlen or 0):
            return 0.0
        return max(0.0, self._at[0] + INVALID_SECONDS - self._timer())


async def _code(response: aiohttp.ClientResponse) -> int:
    """Discord's code for what is limited; 0 where it names none, as of requests in general."""
    try:
        said = json.loads(await response.read())
    except (aiohttp.ClientError, ValueError):
        return 0
    code = said.get("code") if isinstance(said, dict) else None
    return code if isinstance(code, int) else 0


def watching(invalid: InvalidRequests) -> aiohttp.TraceConfig:
    """For the SDK's client: counts what is refused, and interrupts attempts."""
    trace = aiohttp.TraceConfig()

    async def sent(session: aiohttp.ClientSession, context: Any, params: aiohttp.TraceRequestHeadersSentParams) -> None:
        if (current := attempt.get()) is not None:
            current.sent = True

    async def answered(session: aiohttp.ClientSession, context: Any, params: aiohttp.TraceRequestEndParams) -> None:
        status, headers = params.response.status, params.response.headers
        invalid.count(status, headers)
        if attempt.get() is not None and (status == 429 or status >= 500):
            raise Interrupted(status, headers, await _code(params.response) if status == 429 else 0)

    trace.on_request_headers_sent.append(sent)
    trace.on_request_end.append(answered)
    return trace
