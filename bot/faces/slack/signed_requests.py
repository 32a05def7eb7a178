"""Slack's signed requests over HTTP: what is not from Slack, not now, or not for the first time is refused."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl

import structlog
from slack_bolt.adapter.starlette.async_handler import to_starlette_response
from slack_bolt.response import BoltResponse
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from bot.dispatch.deduplicator import Deduplicator

log = structlog.get_logger()

WINDOW = 300
"""Seconds that a signature is good for, before and after its time."""

LONGEST_BODY = 1_000_000
"""Bytes of a request; Slack's own have a few thousand."""

REMEMBERED = 100_000
"""Signatures that are kept to know a replay by."""

_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)

Dispatch = Callable[[dict[str, Any]], Awaitable[BoltResponse]]


class NotOurs(Exception):
    """A request that is refused; ``status`` is what it is answered with."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def signed(secret: str, stamp: str, signature: str, body: bytes, now: float) -> bool:
    """Whether a body was signed with our secret, at about this time. Never raises, whatever the headers hold."""
    if not _TIMESTAMP.fullmatch(stamp) or abs(now - int(stamp)) > WINDOW:
        return False
    basis = b"v0:" + stamp.encode() + b":" + body
    expected = "v0=" + hmac.new(secret.encode(), basis, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))


class SignedRequests:
    """What ``POST /slack/events`` goes through: it checks a request and hands its payload on."""

    def __init__(self, secret: str, dispatch: Dispatch, *, clock: Callable[[], float] = time.time) -> None:
        self._secret, self._dispatch, self._clock = secret, dispatch, clock
        self._seen = Deduplicator(2 * WINDOW + 60, room=REMEMBERED)

    async def answer(self, request: Request) -> Response:
        """The handler of one request."""
        try:
            body = await read_body(request)
            self._check(request, body)
            payload = parse(request.headers.get("content-type", ""), body)
        except NotOurs as error:
            log.warning("slack_request_refused", status=error.status, reason=str(error))
            return PlainTextResponse(str(error), error.status)
        return to_starlette_response(await self._dispatch(payload))

    def _check(self, request: Request, body: bytes) -> None:
        stamps = request.headers.getlist("x-slack-request-timestamp")
        signatures = request.headers.getlist("x-slack-signature")
        if not (len(stamps) == len(signatures) == 1) or not signed(
            self._secret, stamps[0], signatures[0], body, self._clock()
        ):
            raise NotOurs(401, "the signature is missing, wrong or too old")
        if not self._seen.first(signatures[0]):
            raise NotOurs(401, "this very request was made before")


async def read_body(request: Request) -> bytes:
    """The body, unless it is too long."""
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > LONGEST_BODY:
                raise NotOurs(413, f"a request may have {LONGEST_BODY} bytes")
            parts.append(part)
    except ClientDisconnect:
        raise NotOurs(400, "the request broke off") from None
    return b"".join(parts)


def parse(content_type: str, body: bytes) -> dict[str, Any]:
    """The payload of an event, a command or an interaction; raises NotOurs."""
    kind = content_type.split(";")[0].strip().lower()
    try:
        text = body.decode()
        if kind == "application/json":
            return _object(text)
        if kind == "application/x-www-form-urlencoded":
            return _form(parse_qsl(text, keep_blank_values=True, max_num_fields=100))
    except (ValueError, RecursionError):
        raise NotOurs(400, "the body cannot be read") from None
    raise NotOurs(400, "the content type is not one of Slack's")


def _form(fields: Sequence[tuple[str, str]]) -> dict[str, Any]:
    found = dict(fields)
    if "payload" in found:
        return _object(found["payload"])
    if "command" not in found and "ssl_check" not in found:
        raise ValueError("neither a command nor an interaction")
    return dict(found)


def _object(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found
