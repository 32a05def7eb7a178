"""What every page of a browser is answered with and knows: its headers, its route, and who asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.accounts import Preferences, permits
from bot.dispatch.command import Command
from bot.faces.web.visitors import Visitor
from bot.presentation.words import Words

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of every page: nothing from elsewhere, nothing within the page itself."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "private, no-cache",
    "Vary": "Cookie, Accept-Language",
    "Referrer-Policy": "same-origin",
}

Handler = Callable[[Request], Awaitable[Response]]
Route = tuple[str, list[str], Handler]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request: who asks, in which words, and what of the market a page needs around its answers."""

    request: Request
    visitor: Visitor
    words: Words
    models: tuple[str, ...]
    """those of the market, busiest first"""
    preferences: Preferences
    zone: str

    @property
    def said(self) -> dict[str, str]:
        """What the address says, without what is left empty."""
        return {name: text for name, text in self.request.query_params.items() if text.strip()}

    def may(self, command: Command) -> bool:
        """Whether both the way in which they signed in and their role are good for a command."""
        return self.visitor.may(command) and permits(self.visitor.asker.role, command.role)


def to_sign_in(request: Request) -> Response:
    """Lead to where one signs in, and then back."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"/sign-in?{urlencode({'next': request.url.path + query})}", 303)
