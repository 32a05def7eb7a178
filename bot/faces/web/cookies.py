"""Cookies that an answer must carry, whatever becomes of its request."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LEFT = "spotbot.cookies"
"""Where in a request's scope they wait: name -> header."""


class CookieCarrier:
    """Around every request: its answer carries the cookies that were left for it, a refusal too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through."""
        left: dict[str, str] = scope.setdefault(_LEFT, {})

        async def carrying(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for header in left.values():
                    headers.append("Set-Cookie", header)
            await send(message)

        await self.app(scope, receive, carrying)


@dataclass(frozen=True, slots=True)
class Cookie:
    """The cookie of sessions. ``secure``: browsers send it by https only, and no neighbouring site can set it."""

    secure: bool

    @property
    def name(self) -> str:
        """Its name; the prefix binds browsers to what ``header`` says (RFC 6265bis, 4.1.3.2)."""
        return "__Host-spotbot" if self.secure else "spotbot"

    def read(self, request: Request) -> str:
        """What a browser sent, or nothing."""
        return request.cookies.get(self.name, "")

    def leave(self, request: Request, value: str, seconds: int) -> None:
        """Let the answer set it; 0 seconds take it away. Needs CookieCarrier around the request."""
        secure = "; Secure" if self.secure else ""
        header = f"{self.name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
        request.scope[_LEFT][self.name] = header
