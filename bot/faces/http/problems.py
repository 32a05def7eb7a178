"""Errors over HTTP: the problem documents of :mod:`bot.presentation.problem_documents` as answers,
and those that only HTTP knows.
"""

from __future__ import annotations

import difflib
import secrets
import traceback
from collections.abc import Callable, Coroutine, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.types import Scope

from analytics.errors import AskError
from bot.presentation.problem_documents import STORE_DOWN, Problem, of_question
from bot.store.engine import StoreError

MEDIA_TYPE = "application/problem+json"

UNKNOWN_PAGE = "there is no such page"

BUSY_SECONDS = 5
"""When to try again after the store could not be read."""

Handlers = dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]]

Refuse = Callable[[Request, HTTPException], Response]
"""Makes the page that a browser is shown of a refusal."""

log = structlog.get_logger()


def reply(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """A problem as the answer to a request."""
    return Response(problem.text(), problem.status, {"Cache-Control": "no-store", **(headers or {})}, MEDIA_TYPE)


def of_http(error: HTTPException, path: str, paths: Sequence[str]) -> Problem:
    """What the protocol refuses: keys, quotas, methods, long addresses, and paths that are not among ``paths``."""
    phrase = HTTPStatus(error.status_code).phrase
    kind = phrase.lower().replace(" ", "-")
    detail, more = error.detail, {}
    if error.status_code == 404:
        detail = "there is nothing at this path"
        more = {"suggestions": difflib.get_close_matches(path[:100], paths, n=3) or list(paths)}
    return Problem(error.status_code, kind, phrase, detail, more)


def of_fault(error: Exception, route: str) -> Problem:
    """A fault of ours: the log gets the traceback under a short id, the asker gets the id."""
    fault_id = secrets.token_hex(4)
    # as text, not as exc_info: some renderers print local variables, and a key is one of them
    log.error("http_fault", id=fault_id, route=route, exception="".join(traceback.format_exception(error)))
    detail = f"something broke here; the log knows it as {fault_id}"
    return Problem(500, "fault", "Internal error", detail, {"id": fault_id})


def route_path(scope: Scope) -> str:
    """The declared path that a request met; one word for all others, so that nobody can make up a million of them."""
    return str(getattr(scope.get("route"), "path", "unmatched"))


def is_browser(request: Request) -> bool:
    """Whether a person looks at an address that is none of the API's."""
    path, accepted = request.scope["path"], request.headers.get("accept", "")
    return "text/html" in accepted and not path.startswith("/api/")


def handlers(methods: Mapping[str, Sequence[str]], refuse: Refuse | None = None) -> Handlers:
    """What FastAPI is to do with each kind of expected error, where these paths have these methods.

    ``refuse``: what a browser is shown of an address that is none, or is asked for otherwise; programs get a problem.
    """
    paths = [path for path in methods if path != "/"]

    async def question(request: Request, error: AskError) -> Response:
        return reply(of_question(error))

    async def http(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == 405:  # Starlette knows the methods of one route, and a path may have several
            headers["Allow"] = ", ".join(methods.get(route_path(request.scope), ())) or headers.get("Allow", "")
        if refuse is not None and is_browser(request):
            detail = UNKNOWN_PAGE if error.status_code == 404 else error.detail
            return refuse(request, HTTPException(error.status_code, detail, headers))
        return reply(of_http(error, request.scope["path"], paths), headers)

    async def store(request: Request, error: StoreError) -> Response:
        log.warning("store_unavailable", error=str(error))
        return reply(STORE_DOWN, {"Retry-After": str(BUSY_SECONDS)})

    return {AskError: question, HTTPException: http, StoreError: store}
