"""Cross-origin requests: the web pages that may call the API from a browser; none unless the operator names some."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

METHODS = ("GET", "HEAD", "POST", "PATCH", "DELETE")

REQUEST_HEADERS = ("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match")
"""What our clients send beside the headers that browsers let every page send."""

ANSWER_HEADERS = (
    *("ETag", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"),
    *("WWW-Authenticate", "Allow"),
)
"""What a page may read beside the headers that browsers let every page read."""


def let_browsers_call(api: FastAPI, origins: Sequence[str]) -> None:
    """Answer pages of these origins as browsers want it, outermost: so that errors carry the headers too.

    A browser asks before it sends a key (a preflight), so that question needs none. Cookies are never let through: we
    set none, and a key is sent by who holds it.
    """
    if origins:
        api.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=METHODS,
            allow_headers=REQUEST_HEADERS,
            expose_headers=ANSWER_HEADERS,
        )
