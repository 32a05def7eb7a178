"""The parameters of a request as texts, from its path, query and body: one conversion serves all faces."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException

from analytics.errors import AskError
from analytics.evidence import Note
from bot.dispatch.command import Request as Repeatable
from bot.dispatch.kinds import shorten

MAX_ADDRESS = 4096
"""Longest path and query together, in bytes; no question needs a tenth of it."""

MAX_BODY = 65_536
"""Longest body in bytes; what can be said in one takes some hundred."""

MAX_REQUEST_NAME = 255
"""Longest Idempotency-Key; a UUID has 36 characters."""

LONGEST_DIGITS = 40
"""Digits of a number that is written without a power of ten; 5e-324 would take 326."""

_REQUEST_NAME = re.compile(rf"[!-~]{{1,{MAX_REQUEST_NAME}}}")


def given(request: Request) -> dict[str, str]:
    """The texts of a question's parameters, from path and query."""
    if len(request.scope["path"]) + len(request.scope["query_string"]) > MAX_ADDRESS:
        raise HTTPException(414, f"path and query together may have {MAX_ADDRESS} bytes")
    texts: dict[str, str] = dict(request.path_params)
    for name, text in request.query_params.multi_items():
        if name in texts:
            raise AskError(Note("{name} was given twice", {"name": shorten(name)}))
        texts[name] = text
    return texts


def request_of(request: Request, texts: Mapping[str, str]) -> Repeatable | None:
    """The request as its header Idempotency-Key names it, None without one."""
    names = request.headers.getlist("idempotency-key")
    if not names:
        return None
    if len(names) > 1 or not _REQUEST_NAME.fullmatch(names[0]):
        raise AskError(
            Note("Idempotency-Key is given once, in visible characters, at most {n}", {"n": MAX_REQUEST_NAME})
        )
    said = json.dumps(sorted(texts.items()))
    return Repeatable(names[0], hashlib.sha256(said.encode()).hexdigest())


def merged(texts: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Both; what is given in both places is refused."""
    for name in texts.keys() & more.keys():
        raise AskError(Note("{name} was given twice", {"name": shorten(name)}))
    return {**texts, **more}


async def body_texts(request: Request) -> dict[str, str]:
    """The members of a JSON object as texts; null is as not given, and no body an empty object.

    Raises 413 beyond ``MAX_BODY``, 415 where it is not said to be JSON, AskError where it is not such an object.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise HTTPException(413, f"a body may have {MAX_BODY} bytes")
    if not body:
        return {}
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "send the parameters as Content-Type: application/json")
    return {name: _text(name, value) for name, value in _members(body).items() if value is not None}


def _members(body: bytes) -> dict[str, Any]:
    try:
        members = json.loads(body, parse_constant=_no_constant, object_pairs_hook=_once_each)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise AskError(Note("the body must be a JSON object of parameters"))
    return members


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member was given twice")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _text(name: str, value: Any) -> str:
    """A JSON value as people would type it; several texts with commas between them."""
    if isinstance(value, list) and all(isinstance(some, str) and "," not in some for some in value):
        return ",".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        digits = format(Decimal(repr(value)).normalize(), "f")
        return digits if len(digits) <= LONGEST_DIGITS else repr(value)
    if isinstance(value, (str, int)):
        return str(value)
    raise AskError(Note("{name} must be a text, a number, true or false", {"name": shorten(name)}))
