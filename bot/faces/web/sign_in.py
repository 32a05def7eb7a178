"""Signing in to the pages: by a link that was asked for in chat, or by an API key; and who is signed in."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.accounts import Asker
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.web.cookies import Cookie
from bot.faces.web.key_tries import KeyTries
from bot.faces.web.posted import form_texts, own_path
from bot.faces.web.rendering import render
from bot.faces.web.seen import HEADERS as PAGE_HEADERS
from bot.faces.web.seen import address_of
from bot.faces.web.visitors import (
    EVERYTHING,
    PersonsBucket,
    Visitor,
    in_language,
    language_tag,
    refuse_foreign,
    refuse_forged,
)
from bot.presentation.words import Words, pick_language
from bot.store.api_keys import ApiKey
from bot.store.browser_sessions import LIFE_S, NOTED_S, ROTATE_S, BrowserSession
from bot.store.errors import StoreError

HEADERS = {**PAGE_HEADERS, "Cache-Control": "no-store"}

Route = tuple[str, list[str], Callable[[Request], Awaitable[Response]]]

_TOKEN = re.compile(r"([A-Za-z0-9_-]{43})\.[A-Za-z0-9_-]{43}")
"""A session's seed, which it keeps, and its secret, which is replaced."""

log = structlog.get_logger()


def _token(seed: str = "") -> str:
    return f"{seed or secrets.token_urlsafe(32)}.{secrets.token_urlsafe(32)}"


def _csrf(seed: str) -> str:
    """What a session's forms carry: the same however often its token is replaced, and stored nowhere."""
    return hmac.new(seed.encode(), b"forms", hashlib.sha256).hexdigest()


class SignedIn:
    """Implements :class:`bot.faces.web.visitors.Visitors` by the sessions of the store.

    ``secure``: the pages are reached by https. Answers need :class:`bot.faces.web.cookies.CookieCarrier` around them.
    """

    def __init__(self, dispatcher: Dispatcher, *, secure: bool) -> None:
        self._store, self._clock, self._usage = dispatcher.store, dispatcher.clock, dispatcher.usage
        self._cookie = Cookie(secure)
        self._noting: set[int] = set()

    async def of(self, request: Request) -> Visitor | None:
        """Who sends a request; now and then their token is replaced, or it is noted that they are there."""
        token = self._cookie.read(request)
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        async with self._store.reader() as reader:
            now = self._clock()
            session = await reader.browser_sessions.find(token, now)
            if session is None:
                return None
            key = None if session.key_id is None else await reader.key(session.key_id)
        visitor = _visitor(session, key, _csrf(match[1]))
        if visitor is None:
            return None
        if key is not None:
            self._usage.used(key.id)
        await self._renew(request, session, token, now)
        return in_language(visitor, request)

    async def _renew(self, request: Request, session: BrowserSession, token: str, now: int) -> None:
        if session.replaced or not self._store.writable:
            return
        if now - session.rotated_at >= ROTATE_S:
            await self._rotate(request, session, token, now)
        elif now - session.used_at >= NOTED_S and session.id not in self._noting:
            self._noting.add(session.id)
            self._store.in_background(self._note(session.id, now))

    async def _rotate(self, request: Request, session: BrowserSession, token: str, now: int) -> None:
        new = _token(token.partition(".")[0])
        try:
            async with self._store.writer(sharing=True) as writer:
                rotated = await writer.browser_sessions.rotate(token, new, now)
        except StoreError as error:  # the next request does it
            log.debug("session not rotated", reason=str(error))
            return
        if rotated:  # else a request beside this one did it, and its answer tells
            self._cookie.leave(request, new, session.expires_at - now)

    async def _note(self, session_id: int, now: int) -> None:
        try:
            async with self._store.writer(sharing=True) as writer:
                await writer.browser_sessions.touch(session_id, now)
        except StoreError as error:
            log.debug("use of a session not noted", reason=str(error))
        finally:
            self._noting.discard(session_id)

    async def whom(self, link: str) -> Asker | None:
        """Whom a link would sign in, without using it."""
        async with self._store.reader() as reader:
            return await reader.browser_sessions.link(link, self._clock())

    async def by_link(self, request: Request, link: str) -> bool:
        """Use a link and sign in whom it is for; False where it is not good."""
        token, now = _token(), self._clock()
        async with self._store.writer(sharing=True) as writer:
            asker = await writer.browser_sessions.use_link(link, now)
            if asker is None:
                return False
            await writer.browser_sessions.end(self._cookie.read(request))
            await writer.browser_sessions.begin(token, asker, now)
        self._cookie.leave(request, token, LIFE_S)
        return True

    async def by_key(self, request: Request, secret: str) -> bool:
        """Sign in by an API key; False where it is not good."""
        async with self._store.reader() as reader:
            key = await reader.find_key(secret)
        if key is None:
            return False
        token = _token()
        async with self._store.writer(sharing=True) as writer:
            await writer.browser_sessions.end(self._cookie.read(request))
            await writer.browser_sessions.begin(token, key.id, self._clock())
        self._usage.used(key.id)
        self._cookie.leave(request, token, LIFE_S)
        return True

    async def end(self, request: Request) -> None:
        """Sign out."""
        async with self._store.writer(sharing=True) as writer:
            await writer.browser_sessions.end(self._cookie.read(request))
        self._cookie.leave(request, "", 0)


def _visitor(session: BrowserSession, key: ApiKey | None, csrf: str) -> Visitor | None:
    """A person; or a key, which may do what it may over HTTP now, and nothing once it is revoked."""
    if session.asker is not None:
        asker = session.asker
        bucket = PersonsBucket(f"{asker.platform} {asker.team} {asker.person}")
        return Visitor(asker, EVERYTHING, csrf, bucket=bucket)
    if key is None:
        return None
    asker = key.asker or Asker("web", f"key {key.id}", "key")
    return Visitor(asker, frozenset(key.scopes), csrf, only_asks=key.owner is None, in_person=False, bucket=key)


class Shell(Protocol):
    """Makes a whole page of a template."""

    def __call__(self, template: str, words: Words, /, **values: Any) -> str:
        """The HTML."""


def bare(template: str, words: Words, /, **values: Any) -> str:
    """A page of a template without anything around it."""
    return render(template, words=words, **values)


@dataclass(frozen=True, slots=True)
class SignInPages:
    """The pages on which one signs in and out."""

    visitors: SignedIn
    tries: KeyTries
    clock: Callable[[], int]
    shell: Shell = bare

    @property
    def routes(self) -> Sequence[Route]:
        """Path, methods and handler of each."""
        return [
            ("/sign-in", ["GET"], self._form),
            ("/sign-in", ["POST"], self._by_key),
            ("/sign-in/link", ["GET"], self._link),
            ("/sign-in/link", ["POST"], self._by_link),
            ("/sign-out", ["POST"], self._out),
        ]

    async def _form(self, request: Request) -> Response:
        goal = own_path(request.query_params.get("next", "/"))
        if await self.visitors.of(request) is not None:
            return _see_other(goal)
        return self._page(request, 200, next=goal)

    async def _by_key(self, request: Request) -> Response:
        refuse_foreign(request)
        said = await form_texts(request)
        goal = own_path(said.get("next", "/"))
        words = self._words(request)
        if await self.visitors.by_key(request, said.get("key", "").strip()):
            return _see_other(goal)
        if wait := self.tries.fail(request.client.host if request.client else ""):
            told = words("Too many tries from your address; try again in {n} s.", n=wait)
            refused = self._page(request, 429, next=goal, fault=told)
            refused.headers["Retry-After"] = str(wait)
            return refused
        return self._page(request, 403, next=goal, fault=words("This key is not valid."))

    async def _link(self, request: Request) -> Response:
        """A page with a button: programs that look at links in chats must not use them up."""
        link = request.query_params.get("token", "")
        asker = await self.visitors.whom(link)
        return self._spent(request) if asker is None else self._page(request, 200, link=link, who=asker)

    async def _by_link(self, request: Request) -> Response:
        refuse_foreign(request)
        said = await form_texts(request)
        done = await self.visitors.by_link(request, said.get("token", ""))
        return _see_other("/") if done else self._spent(request)

    async def _out(self, request: Request) -> Response:
        visitor = await self.visitors.of(request)
        if visitor is not None:
            refuse_forged(request, visitor, await form_texts(request))
            await self.visitors.end(request)
        return _see_other("/sign-in")

    def _spent(self, request: Request) -> Response:
        return self._page(request, 410, fault=self._words(request)("This link was used or is too old."))

    def _words(self, request: Request) -> Words:
        return Words(pick_language(language_tag(request)), self.clock())

    def _page(self, request: Request, status: int, **shown: Any) -> Response:
        """The page with ``next`` to go to, a ``fault``, or a ``link`` and ``who`` it signs in."""
        words = self._words(request)
        address = f"/sign-in?{urlencode({'next': shown.get('next', '/')})}"  # of what a form came to, none
        if request.method != "POST":
            address = address_of(request)
        values = {"next": "/", "fault": "", "link": "", "who": None, "address": address, **shown}
        html = self.shell("sign_in.html", words, title=words("Sign in"), **values)
        return Response(html, status, HEADERS, "text/html")


def _see_other(path: str) -> Response:
    return RedirectResponse(path, 303, {"Cache-Control": "no-store"})
