"""What a form of ours sends, and where it may lead."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_BODY = 65_536
"""Longest form in bytes; what can be said in one takes some hundred."""

MAX_PATH = 2_000
"""Longest path that is gone back to; longer ones are nobody's intent."""


async def form_texts(request: Request) -> dict[str, str]:
    """The fields of a form as a browser sends it."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            raise HTTPException(413, "that is too long")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=64))
    except ValueError:
        raise HTTPException(400, "this is no form") from None


def own_path(text: str) -> str:
    """A path of this site; what may lead elsewhere leads to its beginning.

    Browsers read ``//host`` and ``/\\host`` as other sites, and pass over tabs and line breaks while they do.
    """
    plain = text.startswith("/") and not text.startswith("//") and "\\" not in text
    visible = text.isascii() and text.isprintable() and " " not in text
    return text if plain and visible and len(text) <= MAX_PATH else "/"
