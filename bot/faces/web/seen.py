"""What every page of a browser is answered with and knows: its headers, its route, and who asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.accounts import Preferences, permits
from bot.dispatch.command import Command
from bot.faces.web.posted import form_texts
from bot.faces.web.visitors import Visitor, refuse_forged
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
    polled: tuple[str, ...]
    """those of which a complete poll is stored"""
    preferences: Preferences
    zone: str

    @property
    def said(self) -> dict[str, str]:
        """What the address says, without what is left empty."""
        return {name: text for name, text in self.request.query_params.items() if text.strip()}

    async def sent(self) -> dict[str, str]:
        """The fields of a form of ours that this visitor was shown; raises 403 for any other."""
        said = await form_texts(self.request)
        refuse_forged(self.request, self.visitor, said)
        return said

    def may(self, command: Command) -> bool:
        """Whether both the way in which they signed in and their role are good for a command."""
        return self.visitor.may(command) and permits(self.visitor.asker.role, command.role)


def to_sign_in(request: Request) -> Response:
    """Lead to where one signs in, and then back."""
    return RedirectResponse(f"/sign-in?{urlencode({'next': address_of(request)})}", 303)


def address_of(request: Request) -> str:
    """Path and query as they were sent, so that one can be led back to them: a decoded name may hold anything."""
    path = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    query = request.scope["query_string"]
    return (path + (b"?" + query if query else b"")).decode("latin-1")


def bodiless(got: Response) -> Response:
    """The answer to HEAD: what GET would be told, without what it would be sent."""
    answer = Response(status_code=got.status_code)
    answer.raw_headers = list(got.raw_headers)
    return answer
