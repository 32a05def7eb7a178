"""Asking Slack again: when a method was limited, and when Slack was not reached."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import ClientConnectorError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
)
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

quiet = logging.getLogger("spotbot.slack")
"""For the SDKs: they would log addresses that are secrets, and each failed try with its traceback."""
quiet.setLevel(logging.CRITICAL)

TRIES = 5
"""Times that a limited or unreachable method is tried."""

LONGEST_WAIT = 60
"""Seconds of a Retry-After that are waited for; an answer that comes later helps nobody."""

TIMEOUT = 20
"""Seconds for one request."""

Sleep = Callable[[float], Awaitable[None]]


class Limits:
    """Until when Slack wants a method of a workspace left alone; whoever else would call it waits as well."""

    def __init__(self, sleep: Sleep, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._sleep, self._timer = sleep, timer
        self._until: dict[tuple[str, str], float] = {}

    def limited(self, method: str, token: str, seconds: float) -> None:
        """Slack said to wait."""
        now = self._timer()
        self._until = {key: until for key, until in self._until.items() if until > now}
        self._until[method, token] = now + seconds

    async def passed(self, method: str, token: str) -> None:
        """Wait until the method may be called."""
        left = self._until.get((method, token), 0.0) - self._timer()
        if left > 0:
            await self._sleep(min(left, LONGEST_WAIT))


class RateLimitRetry(AsyncRateLimitErrorRetryHandler):
    """Waits as long as Slack says, within reason. ``limits`` hears of it, for the calls of others."""

    def __init__(self, sleep: Sleep = asyncio.sleep, limits: Limits | None = None) -> None:
        super().__init__(max_retry_count=TRIES - 1)
        self._sleep, self._limits = sleep, limits

    async def _can_retry_async(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        return response is not None and response.status_code == 429 and retry_after(response.headers) <= LONGEST_WAIT

    async def prepare_for_next_attempt_async(  # noqa: D102  the SDK's
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> None:
        state.next_attempt_requested = True
        seconds = retry_after(response.headers) if response else 1.0
        if self._limits is not None:
            bearer = "".join(request.headers.get("Authorization", ""))  # a list here
            self._limits.limited(request.url.rpartition("/")[2], bearer.removeprefix("Bearer "), seconds)
        await self._sleep(seconds)
        state.increment_current_attempt()


class ConnectionRetry(AsyncConnectionErrorRetryHandler):
    """Tries again where nothing can have been sent; a connection that was lost half-way may have been heard."""

    def __init__(self, sleep: Sleep = asyncio.sleep) -> None:
        super().__init__(TRIES - 1, error_types=[ClientConnectorError])
        self._sleep = sleep

    async def prepare_for_next_attempt_async(  # noqa: D102  the SDK's
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> None:
        state.next_attempt_requested = True
        await self._sleep(float(2**state.current_attempt))
        state.increment_current_attempt()


def retry_after(headers: Mapping[str, Any]) -> float:
    """The seconds that a refusal asks to wait; one where it does not say."""
    for name, value in headers.items():
        if name.lower() == "retry-after":
            text = str(value[0] if isinstance(value, list) else value)
            return float(text) if text.isascii() and text.isdigit() else 1.0
    return 1.0


def retrying(sleep: Sleep, limits: Limits | None = None) -> list[AsyncRetryHandler]:
    """Try again when limited, and when Slack was not reached."""
    return [RateLimitRetry(sleep, limits), ConnectionRetry(sleep)]


class RetryingClient(AsyncWebClient):
    """A client of the Web API that leaves limited methods alone, whoever was told."""

    def __init__(self, base: str, token: str | None, sleep: Sleep) -> None:
        self.limits = Limits(sleep)
        handlers = retrying(sleep, self.limits)
        super().__init__(token, base_url=base, timeout=TIMEOUT, retry_handlers=handlers, logger=quiet)

    async def api_call(self, api_method: str, **given: Any) -> AsyncSlackResponse:
        """Call a method, once it may be called."""
        fields = given.get("params") or given.get("json") or given.get("data") or {}
        await self.limits.passed(api_method, str(fields.get("token") or self.token or ""))
        return await super().api_call(api_method, **given)


def web_client(
    base: str, *, token: str | None = None, sleep: Sleep = asyncio.sleep, retry: bool = True
) -> AsyncWebClient:
    """A client of the Web API at an address without a slash at its end."""
    if retry:
        return RetryingClient(f"{base}/", token, sleep)
    return AsyncWebClient(token, base_url=f"{base}/", timeout=TIMEOUT, retry_handlers=[], logger=quiet)
