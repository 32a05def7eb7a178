"""The HTTP face: a route a command, made from its declaration, behind keys and quotas; and the server that carries it.

A page (``/``, or ``/api`` beside other pages), ``/openapi.json``, ``/health`` and ``/metrics`` need no key: they hold
no answer and no secret. Who must not see them is kept out by a proxy or by listening on loopback only.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from urllib.parse import unquote

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from analytics.evidence import to_json
from bot.access import READ, Holder, KeyCheck, Quotas, bearer
from bot.accounts import Asker
from bot.dispatch.command import Command
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.shared_answers import SharedAnswers
from bot.faces.http.connections import ACCEPT_AT_ONCE, Connection, ConnectionLimiter, shortage_told_once
from bot.faces.http.cors import let_browsers_call
from bot.faces.http.metrics import MEDIA_TYPE as EXPOSITION
from bot.faces.http.metrics import Health, Meter
from bot.faces.http.openapi import document
from bot.faces.http.page import POLICY, page
from bot.faces.http.parameters import body_texts, given, merged, request_of
from bot.faces.http.problems import Refuse, handlers, of_fault, reply, route_path
from bot.fair_queue import ANYBODY, Waiter
from bot.presentation.words import Words, pick_language
from bot.store.api_keys import ApiKey
from bot.version import version

READING = ["GET", "HEAD"]

REFERENCE = "/docs"
"""The page about the API, where there are pages."""

GRACE_SECONDS = 5
"""How long answers under way may take after the server was told to stop."""

BACKLOG = 1024
"""Connections that the system may hold until we accept them."""

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}

_TOLD = "spotbot.headers"
"""Where in a request's scope the headers wait that its answer must carry, whatever becomes of it."""

_SLASH = "\udc2f"
"""Stands for a slash within a name while routes are matched; no decoded path holds it."""

Handler = Callable[[Request], Awaitable[Response]]

PageRoute = tuple[str, list[str], Handler]
"""Path, methods and handler of a page for browsers."""


def stored_keys(dispatcher: Dispatcher) -> KeyCheck:
    """The check of keys against the store, where the use of those in force is noted."""

    async def check(secret: str) -> ApiKey | None:
        async with dispatcher.store.reader() as reader:
            key = await reader.find_key(secret)
        if key is not None:
            dispatcher.usage.used(key.id)
        return key

    return check


@dataclass(frozen=True, slots=True)
class ForBrowsers:
    """What is there for browsers: our own ``pages``, beside which the list of addresses is at ``/api``;
    pages of ``origins`` may call the API. ``refuse`` makes a page of what is wrong with an address of no command;
    ``quotas`` count what keys ask on the pages too.
    """

    pages: Sequence[PageRoute] = ()
    origins: Sequence[str] = ()
    refuse: Refuse | None = None
    quotas: Quotas | None = None


NOTHING_FOR_BROWSERS = ForBrowsers()


def build_api(
    dispatcher: Dispatcher,
    *,
    keys: KeyCheck,
    health: Callable[[], Awaitable[Health]],
    require_key: bool = True,
    timer: Callable[[], float] = time.monotonic,
    browsers: ForBrowsers = NOTHING_FOR_BROWSERS,
) -> FastAPI:
    """The API over a counter's commands. ``timer`` gives the seconds that quotas and latencies are counted in."""
    authorizer = Authorizer(keys if require_key else None, browsers.quotas or Quotas(timer))
    meter, shared = Meter(), SharedAnswers(dispatcher)
    routes: list[tuple[str, Handler, list[str]]] = [
        (path, handler, with_head(some)) for path, some, handler in browsers.pages
    ]
    routes += [
        (command.path, change(dispatcher, command, authorizer), [str(command.method)])
        if command.acts
        else (command.path, question(dispatcher, command, authorizer, shared), READING)
        for command in dispatcher.commands
        if command.path
    ]
    also = [path for path, _, _ in browsers.pages if path == REFERENCE]
    without_key = open_routes(dispatcher, meter, health, shared, require_key=require_key, also=also)
    if any(path == "/" for path, _, _ in browsers.pages):
        without_key["/api"] = without_key.pop("/")
    routes += [(path, handler, READING) for path, handler in without_key.items()]
    methods: dict[str, list[str]] = {}
    for path, _, some in routes:
        methods.setdefault(path, []).extend(some)
    api = FastAPI(
        title="spotbot",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=handlers(methods, browsers.refuse),
    )
    api.router.route_class = NameRoute
    for path, handler, some in routes:
        api.add_api_route(path, handler, methods=some, include_in_schema=False)
    api.add_middleware(ErrorMiddleware, meter=meter, timer=timer)
    let_browsers_call(api, browsers.origins)
    return api


def with_head(methods: Sequence[str]) -> list[str]:
    """Methods of a page: what can be got can be asked about."""
    return [*methods, "HEAD"] if "GET" in methods else list(methods)


class NameRoute(APIRoute):
    """A route whose names may hold a slash, sent as ``%2F``: Starlette looks for slashes only after decoding."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the path is this route's, and the names in it."""
        if scope["type"] != "http" or b"%2f" not in scope.get("raw_path", b"").lower():
            return super().matches(scope)
        segments = (unquote(segment).replace("/", _SLASH) for segment in scope["raw_path"].decode("latin-1").split("/"))
        match, found = super().matches({**scope, "path": "/".join(segments)})
        names = {name: text.replace(_SLASH, "/") for name, text in found.get("path_params", {}).items()}
        return match, {**found, "path_params": names} if found else found


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose turn a request takes, each key being a team; and in whose name it acts."""

    waiter: Waiter = ANYBODY
    asker: Asker | None = None


@dataclass(frozen=True, slots=True)
class Authorizer:
    """Who may pass: anybody where ``keys`` is None."""

    keys: KeyCheck | None
    quotas: Quotas

    async def admit(self, request: Request, scope: str) -> Caller:
        """Raise 401 without a valid key, 403 where it lacks the scope, 429 beyond its quota.

        Else leave the quota's headers for the answer, and say who asks.
        """
        if self.keys is None:
            return Caller()
        headers = request.headers.getlist("authorization")
        secret = bearer(headers)
        holder = await self.keys(secret) if secret else None
        if holder is None:
            detail = "this key is not valid" if headers else "send a key: Authorization: Bearer spot_…"
            scheme = 'Bearer error="invalid_token"' if headers else "Bearer"
            raise HTTPException(401, detail, {"WWW-Authenticate": scheme})
        if scope not in holder.scopes:
            scheme = f'Bearer error="insufficient_scope", scope="{scope}"'
            raise HTTPException(403, f"this key lacks the scope “{scope}”", {"WWW-Authenticate": scheme})
        allowance = self.quotas.take(holder)
        request.scope[_TOLD] = allowance.headers
        if allowance.wait:
            raise HTTPException(429, f"questions that this key may ask a minute: {allowance.limit}")
        return _caller(holder, scope)


def _caller(holder: Holder, scope: str) -> Caller:
    """Questions that are answered alike for everybody are asked by nobody in particular."""
    return Caller(Waiter(f"key {holder.id}", ""), None if scope == READ else holder.asker)


def question(dispatcher: Dispatcher, command: Command, authorizer: Authorizer, shared: SharedAnswers) -> Handler:
    """The handler of one command. Texts go to the dispatcher as they came: one conversion serves all faces.

    For shared answers nobody is known as an asker with preferences: the command and its texts are all they depend on.
    What belongs to a team is computed for each request, and nobody between may keep it.
    """

    async def handler(request: Request) -> Response:
        caller = await authorizer.admit(request, command.scope)
        texts = given(request)

        async def compute() -> bytes:
            return to_json(await dispatcher.ask(command, texts, caller.asker, waiter=caller.waiter)).encode()

        if not command.shared:
            return fresh(request, await compute(), "private, no-cache")
        return fresh(request, await shared.get((command.name, *sorted(texts.items())), compute))

    return handler


def change(dispatcher: Dispatcher, command: Command, authorizer: Authorizer) -> Handler:
    """The handler of a command that changes something: its parameters come in the path, the query and a JSON body."""

    async def handler(request: Request) -> Response:
        caller = await authorizer.admit(request, command.scope)
        texts = merged(given(request), await body_texts(request))
        once = request_of(request, texts) if command.idempotency else None
        answer = await dispatcher.ask(command, texts, caller.asker, waiter=caller.waiter, request=once)
        return Response(to_json(answer), headers={"Cache-Control": "no-store"}, media_type="application/json")

    return handler


def fresh(request: Request, body: bytes, caching: str = "no-cache") -> Response:
    """The body with its ETag, or 304 where the client has it already."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": caching}
    known = {text.strip().removeprefix("W/") for text in request.headers.get("if-none-match", "").split(",")}
    if known & {tag, "*"}:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def open_routes(
    dispatcher: Dispatcher,
    meter: Meter,
    health: Callable[[], Awaitable[Health]],
    shared: SharedAnswers,
    *,
    require_key: bool,
    also: Sequence[str] = (),
) -> dict[str, Handler]:
    """What needs no key: the page, the OpenAPI document, health and metrics."""
    described = to_json(document(dispatcher.commands, version(), require_key=require_key)).encode()

    async def index(request: Request) -> Response:
        language = pick_language(request.headers.get("accept-language"))

        async def compute() -> bytes:
            words = Words(language, dispatcher.clock())
            return (await page(dispatcher, words, require_key=require_key, also=also)).encode()

        text = await shared.get(("/", language), compute)
        headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache", "Vary": "Accept-Language"}
        return Response(text, headers=headers, media_type="text/html")

    async def openapi(request: Request) -> Response:
        return fresh(request, described)

    async def healthy(request: Request) -> Response:
        state = await health()
        status = HTTPStatus.OK if state.status == "ok" else HTTPStatus.SERVICE_UNAVAILABLE
        return Response(to_json(state.document()), status, {"Cache-Control": "no-store"}, "application/json")

    async def metrics(request: Request) -> Response:
        return Response(meter.text(await health()), 200, {"Cache-Control": "no-store"}, EXPOSITION)

    return {"/": index, "/openapi.json": openapi, "/health": healthy, "/metrics": metrics}


class ErrorMiddleware:
    """Around every request: its faults become problems, its answer is dressed and counted."""

    def __init__(self, app: ASGIApp, meter: Meter, timer: Callable[[], float]) -> None:
        self.app, self.meter, self.timer = app, meter, timer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, begun = 0, self.timer()

        async def dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.update(scope.get(_TOLD, {}))
            await send(message)

        try:
            await self.app(scope, receive, dressed)
        except Exception as error:
            fault = of_fault(error, route_path(scope))
            if status:  # half of another answer is sent already: only the broken connection can tell
                raise
            await reply(fault)(scope, receive, dressed)
        if status:
            self.meter.saw(route_path(scope), status, self.timer() - begun)


async def serve(
    api: FastAPI,
    host: str,
    port: int,
    *,
    started: Callable[[int], None] | None = None,
    stop: asyncio.Event,
    limiter: ConnectionLimiter | None = None,
) -> None:
    """Serve at an address as :func:`serve_on` does; raises OSError where it cannot be listened on."""
    await serve_on(api, listen(host, port), started=started, stop=stop, limiter=limiter)


def listen(host: str, port: int) -> socket.socket:
    """Take an address: who connects waits until it is served. Port 0 takes a free one. Raises OSError where taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


async def serve_on(
    api: FastAPI,
    listener: socket.socket,
    *,
    started: Callable[[int], None] | None = None,
    stop: asyncio.Event,
    limiter: ConnectionLimiter | None = None,
) -> None:
    """Serve until ``stop`` is set, then finish what is under way and close the socket; ``started`` is told its port.

    Signals are left to the caller. ``limiter``: the limits of connections, where not the usual ones.
    """
    with listener:
        server = _Server(_configured(api, limiter or ConnectionLimiter()))
        stopper = asyncio.create_task(_stop_when(stop, server))
        if started:
            started(listener.getsockname()[1])
        try:
            with shortage_told_once():
                await server.serve(sockets=[listener])
        finally:
            stopper.cancel()


def _configured(api: FastAPI, limiter: ConnectionLimiter) -> uvicorn.Config:
    return uvicorn.Config(
        api,
        http=partial(Connection, limiter),  # type: ignore[arg-type]  # it is only called
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="error",  # its warnings are of malformed requests: anybody could fill the log with them
        server_header=False,
        proxy_headers=False,
        backlog=ACCEPT_AT_ONCE,
        timeout_keep_alive=math.ceil(limiter.timeouts.idle),
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(BACKLOG)  # asyncio takes one number for this and for how many it accepts at once


async def _stop_when(stop: asyncio.Event, server: uvicorn.Server) -> None:
    await stop.wait()
    server.should_exit = True
