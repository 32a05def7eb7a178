"""The composition root: the only file that knows every part."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from analytics.catalog import vast_names
from bot.access import Quotas
from bot.clock import SteadyClock
from bot.commands import COMMANDS
from bot.config import BadSettings, Settings
from bot.dispatch.dispatcher import Dispatcher
from bot.extras import CHARTS, FORECASTS, tell_if_missing
from bot.runtime import run_parts, stop_on_signals
from bot.store.engine import Store, open_store
from bot.version import version

if TYPE_CHECKING:
    import socket

    from starlette.requests import Request
    from starlette.responses import Response

    from bot.faces.web.site import Site
    from bot.outbox.dispatch import OutboxDispatcher
    from bot.outbox.sender import Sender
    from bot.polling.poller import Poller
    from bot.presentation.gallery import Gallery
    from bot.sources.base import Source

Clock = Callable[[], int]


class Face(Protocol):
    """A chat platform: runs until told to stop, and may want pages of the web server."""

    @property
    def routes(self) -> Sequence[tuple[str, list[str], Callable[[Request], Awaitable[Response]]]]:
        """Path, methods and handler of each."""

    @property
    def platform(self) -> str:
        """Its name in addresses."""

    @property
    def sender(self) -> Sender:
        """Brings messages that nobody asked for."""

    async def run(self, stop: asyncio.Event) -> None:
        """Answer until ``stop`` is set."""


class CannotListen(Exception):
    """The API's address is taken or not ours."""


@dataclass(slots=True)
class App:
    """One running process: its store, what it polls, and what it serves."""

    settings: Settings
    store: Store
    dispatcher: Dispatcher
    clock: Clock
    poller: Poller | None = None
    require_key: bool = True
    faces: Sequence[Face] = ()
    senders: Mapping[str, Sender] = field(default_factory=dict)
    """of platforms that are no faces, such as the prompt"""
    deliveries: OutboxDispatcher | None = None
    """to endpoints of webhooks"""
    site: Site | None = None
    """the pages for browsers"""
    quotas: Quotas = field(default_factory=lambda: Quotas(time.monotonic))
    """how often keys may ask, over HTTP and on the pages together"""
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    listener: socket.socket | None = None
    """where the address was taken before there was anything to serve"""
    forecast: bool = False
    """forecasts are new, and wait for their next time"""

    async def run(self, *, web: bool, started: Callable[[int], None] | None = None) -> None:
        """Run every part until ``stop`` is set or one of them fails."""
        parts = [self._poll(self.poller)] if self.poller else []
        if web:
            parts.append(self._serve(started))
        parts += [face.run(self.stop) for face in self.faces]
        if self.faces or self.senders:
            parts.append(self._send())
        if self.deliveries is not None:
            parts.append(self.deliveries.run_until(self.stop))
        await run_parts(parts, self.stop)

    async def _poll(self, poller: Poller) -> None:
        from bot.jobs import jobs_of_the_leader, running

        tell_if_missing(FORECASTS)
        async with running(jobs_of_the_leader(self.store, self.clock)) as run_now:
            if not self.forecast:
                poller.begun = lambda: run_now("forecasts")  # those of the last leader may be hours old
            await poller.run(self.stop)

    async def _send(self) -> None:
        from bot.alerts.stopped import tell_creators
        from bot.outbox.dispatch import DispatchOptions, OutboxDispatcher
        from bot.scheduled_messages import Messages
        from bot.schedules.delivered import follow_dashboard

        senders = {**self.senders, **{face.platform: face.sender for face in self.faces}}
        messages = Messages(self.dispatcher, self.settings.locale)
        options = DispatchOptions(on_disabled=tell_creators, on_outcome=follow_dashboard)
        await OutboxDispatcher(self.store, senders, messages.render, self.clock, options).run_until(self.stop)

    async def _serve(self, started: Callable[[int], None] | None) -> None:
        from bot.faces.http.api import ForBrowsers, build_api, listen, serve_on, stored_keys
        from bot.faces.http.metrics import Health, market_health
        from bot.faces.web.cookies import CookieCarrier

        if self.site is not None:
            describe(self.site, require_key=self.require_key)

        async def health() -> Health:
            budget = self.settings.row_budget if self.poller else None
            state = self.store.state if self.poller else None
            return await market_health(
                self.dispatcher, polling=self.poller is not None, row_budget=budget, leadership=state
            )

        api = build_api(
            self.dispatcher,
            keys=stored_keys(self.dispatcher),
            health=health,
            require_key=self.require_key,
            browsers=ForBrowsers(
                self.site.routes if self.site else (),
                self.settings.cors_origins,
                self.site.refusal if self.site else None,
                self.quotas,
            ),
        )
        api.add_middleware(CookieCarrier)
        for face in self.faces:
            for path, methods, handler in face.routes:
                api.add_route(path, handler, methods=methods, include_in_schema=False)
        host, port = self.settings.host, self.settings.port
        try:
            async with self._live_until_stopped():
                await serve_on(api, self.listener or listen(host, port), started=started, stop=self.stop)
        except OSError as error:
            raise CannotListen(f"Cannot listen on {host}:{port} ({error.strerror}). Set PORT to a free one.") from error

    @contextlib.asynccontextmanager
    async def _live_until_stopped(self) -> AsyncIterator[None]:
        """Streams of events end when the process is to stop: the server waits for what is under way."""

        async def close() -> None:
            await self.stop.wait()
            if self.site is not None:
                self.site.events.close()

        closing = asyncio.create_task(close())
        try:
            yield
        finally:
            closing.cancel()


def describe(site: Site, *, require_key: bool = True) -> None:
    """Let a site show the API's reference; the faces that it is made of know nothing of each other."""
    from bot.faces.http.openapi import document
    from bot.faces.http.page import addresses
    from bot.faces.web.reference import add_reference

    add_reference(site, document(site.dispatcher.commands, version(), require_key=require_key), addresses)


async def steady_clock(store: Store) -> SteadyClock:
    """A clock that does not begin before what is stored."""
    async with store.reader() as reader:
        return SteadyClock(floor=await reader.last_round_at() or 0)


def build_poller(settings: Settings, store: Store, clock: SteadyClock) -> Poller:
    """The poller of the market that the settings name."""
    from bot.on_round import on_round
    from bot.polling.poller import Poller
    from bot.polling.probes import Probes
    from bot.polling.rounds import Collector
    from bot.sources.vast import VastSource

    key = settings.vast_api_key.get_secret_value() if settings.vast_api_key else None
    source = VastSource(settings.vast_url, key=key, permit=store.must_lead)
    return Poller(
        store=store,
        source=source,
        survey=source.survey,
        probes=Probes(store, source.probe),
        collector=Collector(store, on_round=on_round),
        clock=clock,
        names=vast_names(settings.gpus),
        budget=settings.row_budget,
        wish=settings.poll_seconds,
    )


def refuse_misplaced(settings: Settings) -> None:
    """Raise BadSettings where a secret is in another's place: it must not be shown to whom it is not for."""
    if misplaced := settings.misplaced():
        raise BadSettings("\n".join(misplaced.values()))


async def serve(settings: Settings, *, poll: bool, web: bool, chat: Sequence[str] = ()) -> None:
    """Run what was asked for until SIGINT or SIGTERM. ``chat``: the platforms to speak on where they are set up."""
    from bot.logs import set_up
    from bot.presentation.gallery import Gallery
    from bot.webhooks.setup import build_deliveries, build_endpoints

    set_up()
    refuse_misplaced(settings)
    # all note what people ask about, and change their settings in chat, beside the one that polls
    store = await open_store(settings.database_url, writer=True, alone=poll, wait=poll)
    gallery = Gallery()
    try:
        clock = await steady_clock(store)
        endpoints = build_endpoints(settings)
        dispatcher = Dispatcher(
            store,
            COMMANDS,
            clock,
            home=settings.home,
            language=settings.said_locale,
            endpoints=lambda: endpoints,
            site=lambda: settings.url,
        )
        poller = build_poller(settings, store, clock) if poll else None
        faces = build_faces(settings, dispatcher, gallery, chat)
        if not (poll or web or faces):
            raise BadSettings(f"{' and '.join(chat)}: no token is set; see the README, “Going live”")
        deliveries = build_deliveries(store, endpoints, clock) if poll else None
        app = App(settings, store, dispatcher, clock, poller, faces=faces, deliveries=deliveries)
        serves = web or any(face.routes for face in faces)
        if web:
            from bot.faces.web.setup import build_site

            app.site = build_site(dispatcher, settings.url, app.quotas)
        stop_on_signals(app.stop)
        await app.run(web=serves, started=lambda port: say_address(settings.host, port))
        if poller is not None:
            await close_source(poller.source)
    finally:
        await gallery.close()
        await store.close()


def build_faces(settings: Settings, dispatcher: Dispatcher, gallery: Gallery, names: Sequence[str]) -> list[Face]:
    """The chat platforms of these names that the settings set up."""
    faces: list[Face] = []
    if names:
        tell_if_missing(CHARTS)
    said = (settings.slack_bot_token, settings.slack_client_id, settings.slack_app_token, settings.slack_signing_secret)
    if "slack" in names and any(said):
        from bot.faces.slack.face import build_slack
        from bot.secret_box import SecretBox

        vault = SecretBox(settings.secret_key.get_secret_value()) if settings.secret_key else None
        slack = build_slack(settings, dispatcher, gallery, vault)
        faces += [slack] if slack else []
    if "discord" in names and settings.discord_token:
        from bot.faces.discord.face import build_discord

        discord = build_discord(settings, dispatcher, gallery)
        faces += [discord] if discord else []
    return faces


async def close_source(source: Source) -> None:
    """Let go of the market's connections."""
    with contextlib.suppress(OSError):
        await source.aclose()


def say_address(host: str, port: int) -> None:
    """Tell where the API listens."""
    print(f"Listening on http://{host}:{port}", flush=True)  # noqa: T201
