"""Who is behind a request of a browser: somebody who signed in, or in the demo whoever sits at this machine."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

from bot.access import ALERTS, READ, SIGN_IN, WEBHOOKS, Metered
from bot.accounts import Asker
from bot.dispatch.command import Command

FORGED = "this form is not from here, or too old: open the page again"

CSRF_FIELD = "csrf"
"""The name of the hidden field that every form which acts carries."""

EVERYTHING = frozenset((READ, ALERTS, WEBHOOKS))


PERSON_PER_MINUTE = 600
"""Questions a minute of a person who signed in (ours: ten a second is more than all pages that one keeps open ask, and
less than what would keep others waiting)."""


@dataclass(frozen=True, slots=True)
class PersonsBucket:
    """What a person's questions are taken out of; a key has its own."""

    id: str
    per_minute: int = PERSON_PER_MINUTE


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks, what they may ask for, and the secret that their forms carry."""

    asker: Asker
    scopes: frozenset[str]
    csrf: str
    only_asks: bool = False
    """may change nothing: a key without an owner"""
    in_person: bool = True
    """a person, and no key: what is for people in chat alone is none of a key's business"""
    bucket: Metered | None = None
    """what their questions are taken out of; None where nobody counts"""

    def may(self, command: Command) -> bool:
        """Whether the way in which they signed in is good for a command; the dispatcher checks their role."""
        can_act = not self.only_asks and (self.in_person or command.path is not None)
        return command.scope in self.scopes and (can_act or not command.acts)


class Visitors(Protocol):
    """Knows visitors by their requests."""

    async def of(self, request: Request) -> Visitor | None:
        """Who sends a request; None where nobody signed in. Raises HTTPException where it must be refused."""


class AtThisMachine:
    """Everybody is one person: for a server that listens on loopback only. They may even ask for a link that signs in,
    for it leads them to nothing that they have not; and nobody counts what they ask.

    A page of another site could be led here by a name that resolves to loopback: the host must be loopback's own.
    """

    def __init__(self, asker: Asker) -> None:
        self._visitor = Visitor(asker, EVERYTHING | {SIGN_IN}, secrets.token_urlsafe(16))

    async def of(self, request: Request) -> Visitor | None:
        """That person, in the language of their browser."""
        if not _is_loopback(request.headers.get("host", "")):
            raise HTTPException(403, "open this page by its loopback address")
        return in_language(self._visitor, request)


def _is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


LANGUAGE_COOKIE = "language"


def in_language(visitor: Visitor, request: Request) -> Visitor:
    """In the language that was chosen on a page, else that of their settings and chat, else that of their browser."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    tag = visitor.asker.locale or request.headers.get("accept-language")
    return replace(visitor, asker=replace(visitor.asker, locale=tag, chosen=chosen))


def language_tag(request: Request) -> str | None:
    """The language that somebody chose on a page, else that of their browser."""
    return request.cookies.get(LANGUAGE_COOKIE) or request.headers.get("accept-language")


def refuse_forged(request: Request, visitor: Visitor, form: Mapping[str, str]) -> None:
    """Raise 403 unless a form that acts comes from a page of ours that this visitor was shown."""
    given = form.get(CSRF_FIELD, "")
    if _from_here(request) is False or not hmac.compare_digest(given.encode(), visitor.csrf.encode()):
        raise HTTPException(403, FORGED)


def refuse_foreign(request: Request) -> None:
    """Raise 403 unless a browser says that a form comes from a page of ours: for forms before anybody is known."""
    if not _from_here(request):
        raise HTTPException(403, FORGED)


def _from_here(request: Request) -> bool | None:
    """Whether a request comes from a page of ours; None where the browser does not tell.

    Of pages that ask for no referrer it tells the origin ``null``; ``Sec-Fetch-Site`` comes by https or loopback only.
    """
    if site := request.headers.get("sec-fetch-site"):
        return site in ("same-origin", "none")  # none: the person themselves, as by loading a page anew
    origin = request.headers.get("origin", "null")
    if origin == "null":
        return None
    try:
        return urlsplit(origin).netloc == request.headers.get("host")
    except ValueError:
        return False
