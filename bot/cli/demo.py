"""``spotbot demo``: a simulated market with history already in it, a prompt and the API, in a temporary database."""

from __future__ import annotations

import asyncio
import itertools
import logging
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from analytics.catalog import vast_names
from analytics.market import DAY, usd
from bot.app import App
from bot.cli.counted import counted
from bot.cli.previews import discord_payload, slack_payload
from bot.clock import SteadyClock
from bot.commands import COMMANDS
from bot.config import Settings
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.console.face import chat
from bot.faces.console.sender import PERSON, PLATFORM, ConsoleSender
from bot.faces.web.playground import PATH as PLAYGROUND
from bot.faces.web.playground import Playground
from bot.faces.web.setup import add_sign_in
from bot.faces.web.sign_in import SignedIn
from bot.faces.web.site import Site
from bot.faces.web.visitors import AtThisMachine
from bot.forecasts import refresh
from bot.logs import set_up
from bot.on_round import on_round
from bot.outbox.sender import Delivery, Message, Sender
from bot.polling.poller import Poller
from bot.polling.rounds import Collector
from bot.presentation.gallery import Gallery
from bot.runtime import stop_on_signals
from bot.secret_box import SecretBox, new_key
from bot.sources.price_shock import DELAY_S, LASTS_S, PriceShock
from bot.sources.simulated import SimulatedMarket
from bot.store.engine import Store, open_store
from bot.webhooks.endpoints import Endpoints
from bot.webhooks.guard import guard_of
from bot.webhooks.setup import build_deliveries

ROUNDS_A_COMMIT = 48
"""Rounds of the back-history that are stored together."""

LIVE_SECONDS = 30
"""How often the demo polls each model once it runs."""

NO_LIMIT = 10**9
"""The simulated market does not count rows."""

FIRST_QUESTION = "monitor"


SHOCKED = "RTX 4090"
"""The model whose price falls where that was asked for."""


@dataclass(frozen=True, slots=True)
class MarketOptions:
    """Which market: days of history, the seed, and whether a price falls soon."""

    days: int
    seed: int
    shock: bool = False


async def demo(settings: Settings, options: MarketOptions, *, language: str, prompt: bool) -> None:
    """Build the market, then serve until the prompt is left or the process is told to stop."""
    out = Console()
    set_up(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="spotbot-demo-") as folder:
        url = f"sqlite+aiosqlite:///{quote(str(Path(folder) / 'demo.db'))}"
        store = await open_store(url, writer=True)
        try:
            began = time.monotonic()
            clock = SteadyClock()
            now = clock()
            days = options.days
            market = SimulatedMarket(options.seed, now - days * DAY)
            collector = Collector(store, source="simulated")
            await fill(market, collector, days=days, until=now, out=out)
            await refresh(store, now)
            filled = f"{counted(days, 'day')} of {counted(len(market.models), 'model')}"
            out.print(f"{filled} in {time.monotonic() - began:.0f} s.", highlight=False)
            if options.shock:
                begins = clock() + DELAY_S
                market.shock = PriceShock(SHOCKED, begins, begins + LASTS_S)
            parts = DemoParts(store, url, clock, market)
            await _serve(settings, parts, language=language, prompt=prompt, out=out)
        finally:
            await store.close()


async def fill(market: SimulatedMarket, collector: Collector, *, days: float, until: int, out: Console) -> None:
    """Store the market's back-history, with a progress bar."""
    rounds = market.history(days, until)
    columns = (TextColumn("simulating"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=out, transient=True) as progress:
        task = progress.add_task("", total=days * DAY)
        while batch := list(itertools.islice(rounds, ROUNDS_A_COMMIT)):
            last = batch[-1][0]
            await collector.record_many(batch, bands=last >= until)
            progress.update(task, completed=last - (until - days * DAY))


@dataclass(frozen=True, slots=True)
class DemoParts:
    """What the demo plays on."""

    store: Store
    url: str
    clock: SteadyClock
    market: SimulatedMarket


@dataclass(frozen=True, slots=True)
class AllOf:
    """Brings a message to several places at this machine; it is delivered when the last has it."""

    senders: tuple[Sender, ...]

    async def send(self, message: Message) -> Delivery:
        """One attempt at each."""
        return [await sender.send(message) for sender in self.senders][-1]


async def _serve(settings: Settings, parts: DemoParts, *, language: str, prompt: bool, out: Console) -> None:
    store, market = parts.store, parts.market
    endpoints = Endpoints(SecretBox(new_key()), guard_of(settings.webhook_allow))  # the key is forgotten with the rest
    ports: list[int] = []  # known once it listens
    dispatcher = Dispatcher(
        store,
        COMMANDS,
        parts.clock,
        home=settings.home,
        language=settings.language_of(language),
        endpoints=lambda: endpoints,
        site=lambda: settings.url or (_address(ports[0]) if ports else None),
    )
    async with store.writer() as writer:
        secret, _ = await writer.create_key("demo", scopes=("read",), per_minute=600, at=parts.clock())
    here = settings.model_copy(update={"host": "127.0.0.1", "locale": language})
    hint = await shock_hint(store, market.shock)
    gallery = Gallery()
    site = Site(dispatcher, AtThisMachine(PERSON), more=(("Playground", PLAYGROUND),), signs_in=False, home=PLAYGROUND)
    playground = Playground(site, {"Slack": slack_payload, "Discord": discord_payload}, gallery)
    senders = {PLATFORM: AllOf((ConsoleSender(out), playground))}
    app = App(here, store, dispatcher, parts.clock, _poller(parts), senders=senders)
    site.extra += playground.routes
    add_sign_in(site, SignedIn(dispatcher, secure=False))  # who asks for a link sees what it leads to
    app.site = site
    app.deliveries = build_deliveries(store, endpoints, parts.clock)
    stop_on_signals(app.stop)
    ready = asyncio.Event()

    def started(port: int) -> None:
        ports.append(port)
        _announce(port, secret, parts.url, hint, out)
        ready.set()

    running = asyncio.create_task(app.run(web=True, started=started))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        if prompt and not running.done():
            await chat(dispatcher, PERSON, language=language, out=out)
            app.stop.set()
        await running
    finally:
        await gallery.close()


def _poller(parts: DemoParts) -> Poller:
    return Poller(
        store=parts.store,
        source=parts.market,
        collector=Collector(parts.store, source="simulated", on_round=on_round),
        clock=parts.clock,
        names=vast_names(parts.market.models),
        budget=NO_LIMIT,
        wish=LIVE_SECONDS,
    )


async def shock_hint(store: Store, shock: PriceShock | None) -> str:
    """What to type to see an alert fire: half-way between the price now and the price to come."""
    if shock is None:
        return ""
    async with store.reader() as reader:
        quote = (await reader.quotes([shock.model])).get(shock.model)
    if quote is None or quote.price is None:
        return f"The bids for the {shock.model} fall soon, but none is on offer now."
    mark = usd(quote.price * (100 + shock.percent) // 200)
    return (
        f"In {DELAY_S} s the bids for the {shock.model} fall by {100 - shock.percent} % for {LASTS_S // 60} minutes. "
        f"Type now: alert {shock.model} < {mark:.3f}"
    )


def _address(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _announce(port: int, secret: str, url: str, hint: str, out: Console) -> None:
    address = _address(port)
    for line in (
        f"Page and API: {address}",
        f"API key: {secret}",
        f'Try: curl -H "Authorization: Bearer {secret}" {address}/api/spot/monitor',
        f"Or from another terminal: DATABASE_URL='{url}' spotbot ask {FIRST_QUESTION}",
        "Everything here is simulated. Stop with Ctrl-C.",
        *([hint] if hint else []),
    ):
        out.print(line, markup=False, highlight=False, soft_wrap=True)
