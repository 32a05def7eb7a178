"""One attempt to deliver an event: signed, bounded in wall time and in what is read, and never followed elsewhere."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import structlog
from ssrfguard import SSRFGuardError

from bot.outbox.sender import Delivered, Delivery, Message, Receipt, Rejected, TryLater
from bot.secret_box import CannotOpen
from bot.store.errors import StoreError
from bot.store.webhooks import CHALLENGE
from bot.webhooks.guard import CONNECT_S, Guard
from bot.webhooks.signing import signed_headers

log = structlog.get_logger()

TOTAL_S = 15.0
"""Seconds of an attempt in all, however slowly a receiver answers (source: references/reliability.md, C4)."""

MOST_READ = 16 * 1024
"""Bytes of an answer that are read (source: references/reliability.md, C4)."""

EXCERPT = 1024
"""Bytes of an answer that the log keeps (source: references/reliability.md, C6)."""

LONGEST_WAIT_S = 86_400
"""Seconds that a receiver may ask us to wait (source: references/reliability.md, C3)."""

OURS_S = 300
"""Seconds until the next try where the fault is ours (ours: somebody has to mend it)."""

GONE = 410
"""Says that an endpoint wants nothing any more."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events go; ``keys``: the secrets that sign, the newest first; ``challenge``: what it must answer first."""

    id: str
    url: str
    keys: Sequence[str]
    challenge: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one attempt, for the log; ``status`` is None where there was no answer."""

    endpoint: str
    message: str
    event: str
    at: int
    milliseconds: int
    status: int | None
    error: str
    excerpt: str
    """the beginning of the answer, as text"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said."""

    status: int
    body: bytes
    retry_after: str = ""


FindEndpoint = Callable[[str], Awaitable[Endpoint | None]]
Record = Callable[[Attempt], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class WebhookSender:
    """Brings events to endpoints. ``find`` knows an endpoint by its id; ``record`` keeps the log of attempts."""

    find: FindEndpoint
    record: Record
    guard: Guard
    clock: Callable[[], int]
    total_s: float = TOTAL_S
    closed: set[str] = field(default_factory=set, compare=False)
    """endpoints whose secrets could not be opened, which was said"""

    async def send(self, message: Message) -> Delivery:
        """One attempt; never raises but for cancellation."""
        name = message.address.channel
        try:
            endpoint = await self.find(name)
        except CannotOpen as closed:
            if name not in self.closed:
                log.error("the secrets of an endpoint cannot be opened", endpoint=name, error=str(closed))
            self.closed.add(name)
            return TryLater("its secrets cannot be opened", OURS_S, ours=True)
        self.closed.discard(name)
        if endpoint is None:
            return Rejected("the endpoint was deleted", gone=True)
        if message.data is None:
            return TryLater("the event could not be written", OURS_S, ours=True, alone=True)
        challenge, data = "", message.data
        if data.get("type") != CHALLENGE and endpoint.challenge:
            return TryLater("the challenge was not answered", OURS_S, ours=True, alone=True)
        if data.get("type") == CHALLENGE:
            challenge = endpoint.challenge
            data = {**data, "data": {"challenge": challenge}}
        at, begun = self.clock(), time.monotonic()
        answer, error = await self._try(endpoint, message.id, data, at)
        spent = round((time.monotonic() - begun) * 1000)
        delivery = outcome(endpoint.id, answer, error, at, challenge)
        await self._log(_attempt(endpoint, message, at, spent, answer, delivery))
        return delivery

    async def _log(self, attempt: Attempt) -> None:
        """A log that cannot be written must not send an event twice."""
        try:
            await self.record(attempt)
        except StoreError as error:
            log.warning("an attempt is not in the log", endpoint=attempt.endpoint, error=str(error))

    async def _try(
        self, endpoint: Endpoint, message_id: str, data: Mapping[str, Any], at: int
    ) -> tuple[Answer | None, str]:
        try:
            async with asyncio.timeout(self.total_s):
                return await self._post(endpoint, message_id, data, at), ""
        except TimeoutError:
            return None, f"no answer within {self.total_s:g} s"
        except (SSRFGuardError, httpx.InvalidURL):
            return None, "this address may not be reached"
        except (httpx.ConnectError, httpx.ConnectTimeout):
            return None, "no connection"
        except (httpx.HTTPError, OSError, ValueError):
            return None, "the connection broke off"
        except Exception as error:  # one endpoint's oddity must not end the sender
            log.exception("a webhook attempt failed", endpoint=endpoint.id)
            return None, type(error).__name__

    async def _post(self, endpoint: Endpoint, message_id: str, data: Mapping[str, Any], at: int) -> Answer:
        body = body_of(data)
        headers = {
            "content-type": "application/json",
            "user-agent": "spotbot-webhooks",
            **signed_headers(endpoint.keys, message_id, at, body),
        }
        async with (
            self.guard.client(endpoint.url) as client,
            client.stream(
                "POST",
                endpoint.url,
                content=body,
                headers=headers,
                timeout=httpx.Timeout(self.total_s, connect=CONNECT_S),
            ) as response,
        ):
            return Answer(response.status_code, await _beginning(response), response.headers.get("retry-after", ""))


def body_of(data: Mapping[str, Any]) -> bytes:
    """The bytes that are signed and sent: the same at each attempt."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def outcome(endpoint: str, answer: Answer | None, error: str, at: int, challenge: str = "") -> Delivery:
    """What an answer means for the message; ``challenge``: what it must hold."""
    if answer is None:
        return TryLater(error, 0)
    if answer.status == GONE:
        return Rejected("the receiver wants no more (410)", gone=True)
    if not 200 <= answer.status < 300:
        return TryLater(f"status {answer.status}", _wait(answer.retry_after, at))
    if challenge and not _answers(answer.body, challenge):
        return TryLater("the challenge was not answered", 0)
    return Delivered(Receipt(endpoint, str(answer.status)))


async def _beginning(response: httpx.Response) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_raw():
        parts.append(part[: MOST_READ - size])
        size += len(parts[-1])
        if size >= MOST_READ:
            break
    return b"".join(parts)


def _answers(body: bytes, challenge: str) -> bool:
    """Whether the body is the challenge, as text or as {"challenge": ...}."""
    text = body.decode(errors="replace").strip()
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = text
    return challenge in (said, said.get("challenge") if isinstance(said, dict) else None)


def _wait(retry_after: str, at: int) -> float:
    """Seconds that a receiver asks us to wait: a number or a date; 0 where it says neither."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), LONGEST_WAIT_S))
    return float(min(max(_date(text) - at, 0), LONGEST_WAIT_S)) if text else 0.0


def _date(text: str) -> int:
    from email.utils import parsedate_to_datetime

    try:
        return int(parsedate_to_datetime(text).timestamp())
    except (TypeError, ValueError, OverflowError):
        return 0


def _attempt(
    endpoint: Endpoint, message: Message, at: int, spent: int, answer: Answer | None, delivery: Delivery
) -> Attempt:
    error = "" if isinstance(delivery, Delivered) else delivery.reason
    excerpt = "" if answer is None else answer.body[:EXCERPT].decode(errors="replace")
    kind = str((message.data or {}).get("type", ""))
    return Attempt(endpoint.id, message.id, kind, at, spent, None if answer is None else answer.status, error, excerpt)
