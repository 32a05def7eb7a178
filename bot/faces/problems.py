"""Errors over HTTP: RFC 9457 problem documents, made from the drawn tree of :mod:`analytics.errors` in one place."""

from __future__ import annotations

import difflib
import secrets
import traceback
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import Request, Response
from starlette.exceptions import HTTPException

from analytics.errors import AskError, MarketDown, NotFound, NotYet, Refused
from analytics.evidence import iso, to_json
from bot.store.engine import StoreError

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:spotbot:problem:"
"""Begins the ``type`` of every problem: a name to compare, not an address to open."""

BUSY_SECONDS = 5
"""When to try again after the store could not be read."""

_KINDS: dict[type[AskError], tuple[int, str, str]] = {
    NotFound: (404, "not-found", "Not found"),
    NotYet: (409, "not-enough-history", "Not enough history"),
    MarketDown: (503, "market-down", "The market cannot be read"),
    Refused: (403, "refused", "Refused"),
    AskError: (400, "bad-question", "The question does not fit"),
}
"""Status, type and title by kind of error, first match wins."""

Handlers = dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem document. ``more`` holds the members beyond those of the RFC."""

    status: int
    kind: str
    title: str
    detail: str
    more: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """The answer to send."""
        body = {"type": TYPE + self.kind, "title": self.title, "status": self.status, "detail": self.detail}
        headers = {"Cache-Control": "no-store", **self.headers}
        return Response(to_json({**body, **self.more}), self.status, headers, MEDIA_TYPE)


def of_question(error: AskError) -> Problem:
    """Why a question got no answer; a NotYet says what there is, what is needed and when it will do."""
    status, kind, title = next(known for tree, known in _KINDS.items() if isinstance(error, tree))
    more: dict[str, Any] = {"suggestions": error.suggestions} if error.suggestions else {}
    if isinstance(error, NotYet):
        more |= {"have": error.have, "need": error.need}
        if error.ready_at is not None:
            more["ready_at"] = iso(error.ready_at)
    return Problem(status, kind, title, str(error.note), more)


def of_http(error: HTTPException, path: str, paths: Sequence[str]) -> Problem:
    """What the protocol refuses: keys, quotas, methods, long addresses, and paths that are not among ``paths``."""
    phrase = HTTPStatus(error.status_code).phrase
    kind = phrase.lower().replace(" ", "-")
    detail, more = error.detail, {}
    if error.status_code == 404:
        detail = "there is nothing at this path"
        more = {"suggestions": difflib.get_close_matches(path[:100], paths, n=3) or list(paths)}
    return Problem(error.status_code, kind, phrase, detail, more, error.headers or {})


def of_store(error: StoreError) -> Problem:
    """The store cannot be read now. Its own words go to the log only: they may name files and hosts."""
    log.warning("store_unavailable", error=str(error))
    detail = "the store cannot be read right now; try again soon"
    return Problem(503, "store-unavailable", "Store unavailable", detail, {}, {"Retry-After": str(BUSY_SECONDS)})


def of_fault(error: Exception, route: str) -> Problem:
    """A fault of ours: the log gets the traceback under a short id, the asker gets the id."""
    fault_id = secrets.token_hex(4)
    # as text, not as exc_info: some renderers print local variables, and a key is one of them
    log.error("http_fault", id=fault_id, route=route, exception="".join(traceback.format_exception(error)))
    detail = f"something broke here; the log knows it as {fault_id}"
    return Problem(500, "fault", "Internal error", detail, {"id": fault_id})


def handlers(paths: Sequence[str]) -> Handlers:
    """What FastAPI is to do with each kind of expected error."""

    async def question(request: Request, error: AskError) -> Response:
        return of_question(error).response()

    async def http(request: Request, error: HTTPException) -> Response:
        return of_http(error, request.scope["path"], paths).response()

    async def store(request: Request, error: StoreError) -> Response:
        return of_store(error).response()

    return {AskError: question, HTTPException: http, StoreError: store}
