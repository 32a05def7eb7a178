"""The API with the sign-in pages and one page that says who sees it, over a store and a clock to turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.accounts import Asker
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.http.api import build_api, stored_keys
from bot.faces.http.metrics import market_health
from bot.faces.web.cookies import CookieCarrier
from bot.faces.web.key_tries import KeyTries
from bot.faces.web.posted import form_texts
from bot.faces.web.sign_in import SignedIn, SignInPages
from bot.faces.web.site import Site
from bot.faces.web.visitors import refuse_forged
from bot.presentation.words import Words
from bot.store.api_keys import KeyOwner
from bot.store.engine import Store
from tests.faces.conftest import Clock

ANA = Asker("slack", "T1", "U1", "C1", "manager", "pt-BR", "America/Sao_Paulo", "E1", ("S1", "S2"))
BEN = Asker("discord", "77", "88", "99", mentionable=None)


@dataclass
class WebHouse:
    """Browsers are httpx clients, each with its own cookies."""

    store: Store
    secure: bool = True
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.site = "https://spot.example.com" if self.secure else "http://spot.example.com:8080"
        self.dispatcher = Dispatcher(self.store, COMMANDS, self.clock, site=lambda: self.site)
        self.visitors = SignedIn(self.dispatcher, secure=self.secure)
        site = Site(self.dispatcher, self.visitors)

        def shell(template: str, words: Words, /, **values: Any) -> str:
            return site.shell(template, None, words, **values)

        self.pages = SignInPages(self.visitors, KeyTries(self.clock), self.clock, shell)
        self.api = build_api(self.dispatcher, keys=stored_keys(self.dispatcher), health=self._health)
        more = [("/who", ["GET"], self._who), ("/act", ["POST"], self._act)]
        for path, methods, handler in (*self.pages.routes, *more):
            self.api.add_route(path, handler, methods=methods, include_in_schema=False)
        self.api.add_middleware(CookieCarrier)

    async def _health(self) -> Any:
        return await market_health(self.dispatcher, polling=True, row_budget=1)

    async def _who(self, request: Request) -> Response:
        visitor = await self.visitors.of(request)
        if visitor is None:
            return JSONResponse(None)
        may = [command.name for command in COMMANDS if visitor.may(command)]
        return JSONResponse({**asdict(visitor.asker), "csrf": visitor.csrf, "may": may})

    async def _act(self, request: Request) -> Response:
        visitor = await self.visitors.of(request)
        assert visitor is not None
        refuse_forged(request, visitor, await form_texts(request))
        return Response("done")

    def browser(self, *, address: str = "192.0.2.1", headers: dict[str, str] | None = None) -> httpx.AsyncClient:
        """A browser that says from which page its forms are, as all do."""
        transport = httpx.ASGITransport(self.api, client=(address, 1234))
        told = {"Origin": self.site} if headers is None else headers
        return httpx.AsyncClient(transport=transport, base_url=self.site, headers=told)

    async def link(self, asker: Asker = ANA) -> str:
        """The token of the link that somebody is given in chat."""
        answered = await self.dispatcher.answer("dashboard link", asker)
        url = urlsplit(answered.answer.url)
        assert f"{url.scheme}://{url.netloc}{url.path}" == f"{self.site}/sign-in/link"
        return parse_qs(url.query)["token"][0]

    async def signed_in(self, asker: Asker = ANA) -> httpx.AsyncClient:
        """The browser of somebody who used their link."""
        browser = self.browser()
        assert (await browser.post("/sign-in/link", data={"token": await self.link(asker)})).status_code == 303
        return browser

    async def key(self, scopes: Sequence[str] = ("read",), owner: KeyOwner | None = None) -> tuple[str, int]:
        """The secret of a new key, and its id."""
        async with self.store.writer() as writer:
            secret, key = await writer.create_key("k", scopes=scopes, per_minute=60, at=self.clock.now, owner=owner)
        return secret, key.id

    async def who(self, browser: httpx.AsyncClient) -> Any:
        """Who is signed in there."""
        return (await browser.get("/who")).json()


def token_of(browser: httpx.AsyncClient) -> str:
    """The token in a browser's cookie, or nothing."""
    return next((cookie.value or "" for cookie in browser.cookies.jar), "")
