"""The line to Vast: one request at a time, spaced, bounded in time and size, retried, silent after many failures."""

from __future__ import annotations

import asyncio
import email.utils
import json
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from bot.sources.base import Reserve
from bot.sources.vast_refusals import Act, Refusal, Reply, judge
from bot.sources.vast_rows import BadPage, read_rows

SEARCH_PATH = "/api/v0/bundles/"
"""With its last slash: without it the service redirects, and a redirect loses the body."""
VAST_SPACING_S = 6.0
"""Least seconds between two searches at the real service (its API reference: 10 a minute for one address)."""
TIMEOUT_S = 60.0
"""Seconds one answer may take in all; the official client waits 120, but a poll that late is worth little."""
BODY_CAP = 8 * 2**20
"""Bytes read of one answer: five times what 512 rows of the recorded 3 KB need."""
RETRIES = 3
"""Further tries after trouble on the way, as long as the last fetch had worked."""
BACKOFF_S = (2.0, 4.0, 8.0)
"""Upper ends of the random wait before each further try (full jitter)."""
INLINE_WAIT_S = 60.0
"""A longer stated wait ends the fetch, as in the official client; nothing is asked until it has passed."""
PAUSE_AFTER, PAUSE_S = 5, 300.0
"""Failed fetches in a row after which nothing is asked for a while, and for how long: at most 12 requests in an outage
of 10 minutes. A choice."""
_ROW_MARK = b'"machine_id"'


class Broken(Exception):
    """No complete answer came back."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The passing of time and chance, given from outside so that tests need neither."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random


@dataclass(slots=True)
class FetchContext:
    """What one fetch has cost so far. ``at`` is its UTC second, ``started`` the same instant on ``clock``."""

    at: int
    started: float
    clock: Callable[[], float]
    max_rows: int | None = None
    reserve: Reserve | None = None
    reserved: int = 0
    rows: int = 0
    requests: int = 0
    notes: list[str] = field(default_factory=list)
    clock_skew: float | None = None
    """seconds by which the service's clock was ahead of ours at its last answer"""

    @property
    def elapsed(self) -> float:
        """Seconds since the fetch began."""
        return self.clock() - self.started

    async def secure(self, rows: int) -> None:
        """Reserve what an answer of so many rows needs beyond the reservations made before and not used up."""
        more = self.rows + rows - self.reserved
        if self.reserve is not None and more > 0:
            await self.reserve(more)
            self.reserved += more

    def hear_time(self, date: str | None) -> None:
        """Compare the ``Date`` of an answer that has just come with our own time."""
        try:
            told = email.utils.parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            return
        self.clock_skew = told - (self.at + self.elapsed)

    def affords(self, rows: int) -> bool:
        """Whether so many more rows stay within what this fetch may cost."""
        return self.max_rows is None or self.rows + rows <= self.max_rows


def open_client(url: str, timeout: float = TIMEOUT_S) -> httpx.AsyncClient:
    """A client for one service. The environment's proxies are for the world outside, not for this machine."""
    base = httpx.URL(url.rstrip("/"))
    return httpx.AsyncClient(
        base_url=base,
        timeout=timeout,
        follow_redirects=False,
        trust_env=base.host not in ("localhost", "127.0.0.1", "::1"),
        limits=httpx.Limits(max_connections=1),
        headers={"Accept": "application/json", "User-Agent": "spotbot"},
    )


async def exchange(client: httpx.AsyncClient, request: httpx.Request, seconds: float) -> Reply:
    """One request and its whole answer. Raises Broken for everything that keeps the answer from being whole."""
    try:
        # httpx's own time-outs are per chunk: a byte now and then would never end
        async with asyncio.timeout(seconds):
            response = await client.send(request, stream=True)
            try:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > BODY_CAP:
                        raise Broken(f"the answer is larger than {BODY_CAP} bytes")
            finally:
                await response.aclose()
    except TimeoutError as error:
        raise Broken(f"no whole answer within {seconds:g} s") from error
    except httpx.HTTPError as error:
        raise Broken(f"no whole answer ({type(error).__name__})") from error
    return Reply(response.status_code, response.headers, bytes(body))


class Client:
    """Asks searches one by one and remembers what the service has taught: its pace, a dead key, when to stay away."""

    def __init__(
        self,
        url: str,
        key: str | None,
        spacing: float | None,
        timeout: float,
        timing: Timing,
        permit: Callable[[], None] = lambda: None,
    ) -> None:
        if key and not (key.isascii() and key.isprintable()):
            raise ValueError("the market key has characters that no key has (was it copied whole?)")
        self._http = open_client(url, timeout)
        self._key = key or None
        host = self._http.base_url.host
        ours = VAST_SPACING_S if host == "vast.ai" or host.endswith(".vast.ai") else 0.0
        self.spacing = ours if spacing is None else spacing
        self._timeout, self._timing, self._permit = timeout, timing, permit
        self._last: float | None = None
        self._failures = 0
        self._closed: tuple[float, float, Refusal] | None = None

    def context(self, at: int, max_rows: int | None, reserve: Reserve | None) -> FetchContext:
        """The account of a fetch that begins now."""
        return FetchContext(at, self._timing.clock(), self._timing.clock, max_rows, reserve)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._http.aclose()

    def closed(self, context: FetchContext) -> Refusal | None:
        """Why nothing may be asked now, and for how long still; None when something may.

        Two clocks are asked and the one that opens first is believed: one stands still while a machine sleeps.
        """
        if self._closed is None:
            return None
        until, until_at, refusal = self._closed
        left = min(until - self._timing.clock(), until_at - context.at)
        if left <= 0:
            self._closed = None
            return None
        return Refusal(refusal.act, refusal.note, left, limit=refusal.limit)

    def settle(self, refusal: Refusal | None, context: FetchContext) -> Refusal | None:
        """Learn from how a fetch ended: count failures, close for as long as the service or five failures demand."""
        if refusal is None:
            self._failures = 0
            return None
        self._failures += refusal.act is not Act.QUOTA
        if self._failures >= PAUSE_AFTER and (refusal.wait or 0) < PAUSE_S:
            note = f"{refusal.note}; pausing after {self._failures} failures in a row"
            refusal = Refusal(refusal.act, note, PAUSE_S, limit=refusal.limit)
        if refusal.wait:
            until_at = context.at + context.elapsed + refusal.wait
            self._closed = self._timing.clock() + refusal.wait, until_at, refusal
        return refusal

    async def ask(self, query: Mapping[str, Any], context: FetchContext) -> list[Any] | Refusal:
        """The raw rows that a search gives, or why there are none."""
        tries = RETRIES if self._failures == 0 else 0
        for attempt in range(tries + 1):
            answer = await self._once(query, context)
            if isinstance(answer, Refusal) and answer.act is Act.KEY and self._key:
                self._key = None
                context.notes.append(f"{answer.note}; asking without a key from now on")
                answer = await self._once(query, context)
            if isinstance(answer, list) or answer.act not in (Act.RETRY, Act.SLOWER) or attempt == tries:
                return answer
            wait = max(BACKOFF_S[attempt] * self._timing.jitter(), answer.wait or 0, answer.spacing or 0)
            if wait > INLINE_WAIT_S or not context.affords(query["limit"]):
                return Refusal(answer.act, answer.note, wait)
            await self._timing.sleep(wait)
        raise AssertionError("unreachable: the last try returns")

    async def _once(self, query: Mapping[str, Any], context: FetchContext) -> list[Any] | Refusal:
        try:
            reply = await self._send(query, context)
        except Broken as error:
            return Refusal(Act.RETRY, str(error))
        context.hear_time(reply.headers.get("Date"))
        refusal = judge(reply, context.at + int(context.elapsed))
        if refusal is not None:
            self.spacing = max(self.spacing, refusal.spacing or 0)
            return refusal
        try:
            rows = read_rows(reply.body)
        except BadPage as error:
            # the service has counted the rows of a damaged answer, so we count those that can be recognized
            context.rows += reply.body.count(_ROW_MARK)
            return Refusal(Act.RETRY, str(error))
        context.rows += len(rows)
        return rows

    async def _send(self, query: Mapping[str, Any], context: FetchContext) -> Reply:
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = self._http.build_request("POST", SEARCH_PATH, content=json.dumps(query).encode(), headers=headers)
        if self._last is not None and (early := self._last + self.spacing - self._timing.clock()) > 0:
            await self._timing.sleep(early)
        await context.secure(query["limit"])
        self._permit()
        context.requests += 1
        try:
            return await exchange(self._http, request, self._timeout)
        finally:
            # counted from the end of the last answer: the service sees requests at least this far apart
            self._last = self._timing.clock()
