"""``spotbot demo``: a simulated market with history already in it, a prompt and the API, in a temporary database."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import quote

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from analytics.catalog import vast_names
from analytics.market import DAY, HOUR, usd
from bot.app import App
from bot.cli.counted import counted
from bot.cli.demo_history import FIRST_S, Filling, History
from bot.cli.demo_port import HOST, take_port
from bot.cli.previews import discord_payload, slack_payload
from bot.cli.program import program
from bot.cli.running_demo import FOLDER_PREFIX, announced, nothing_set_up
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
from bot.runtime import first_of, stop_on_signals, unless_stopped
from bot.secret_box import SecretBox, new_key
from bot.sources.price_shock import DELAY_S, LASTS_S, PriceShock
from bot.sources.simulated import SimulatedMarket
from bot.store.engine import Store, open_store
from bot.webhooks.endpoints import Endpoints
from bot.webhooks.guard import guard_of
from bot.webhooks.setup import build_deliveries

if TYPE_CHECKING:
    import socket

ROUNDS_A_COMMIT = 48
"""Rounds of the back-history that are stored together."""

LIVE_SECONDS = 30
"""How often the demo polls each model once it runs."""

NO_LIMIT = 10**9
"""The simulated market does not count rows."""

PATIENCE_S = 30
"""Seconds to wait for the database while the older days come in: on a busy machine a commit takes its time."""

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
    """Take the port, build the newest hours of the market, then serve until the prompt is left or a signal comes."""
    out = Console()
    bar = out if prompt and out.is_terminal else Console(quiet=True)
    set_up(logging.WARNING)
    stop = asyncio.Event()
    stop_on_signals(stop)
    with closing(take_port(settings, out.print)) as listener, TemporaryDirectory(prefix=FOLDER_PREFIX) as folder:
        url = f"sqlite+aiosqlite:///{quote(str(Path(folder) / 'demo.db'))}"
        store = await open_store(f"{url}?timeout={PATIENCE_S}", writer=True)
        try:
            parts = await unless_stopped(_built(store, url, options, out, bar), stop)
            if parts is not None:
                await _serve(settings, parts, Stage(listener, stop, out, language), prompt=prompt)
        finally:
            await store.close()


async def _built(store: Store, url: str, options: MarketOptions, out: Console, bar: Console) -> DemoParts:
    """The newest hours in, forecasts from them, and the market ready to go on."""
    began = time.monotonic()
    clock = SteadyClock()
    history = History(options.seed, options.days, clock())
    market = history.market()
    collector = Collector(store, source="simulated")
    await fill(market, collector, days=options.days, until=history.until, out=bar, since=history.seam)
    filling = Filling(history, clock, time.monotonic() - began)
    await refresh(store, history.until)
    first = counted(options.days, "day") if not filling.needed else f"The last {FIRST_S // HOUR} hours"
    models = counted(len(market.models), "model")
    out.print(f"{first} of {models} in {time.monotonic() - began:.0f} s.", highlight=False)
    if options.shock:
        begins = clock() + DELAY_S
        market.shock = PriceShock(SHOCKED, begins, begins + LASTS_S)
    return DemoParts(store, url, clock, market, filling)


async def fill(
    market: SimulatedMarket, collector: Collector, *, days: float, until: int, out: Console, since: int = 0
) -> None:
    """Store the market's back-history, with a progress bar. ``since``: only what is not before that second."""
    rounds = market.history(days, until, since=since)
    begins = max(since, until - round(days * DAY))
    columns = (TextColumn("simulating"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=out, transient=True) as progress:
        task = progress.add_task("", total=until - begins)
        while batch := list(itertools.islice(rounds, ROUNDS_A_COMMIT)):
            last = batch[-1][0]
            await collector.record_many(batch, bands=last >= until)
            progress.update(task, completed=last - begins)


@dataclass(frozen=True, slots=True)
class DemoParts:
    """What the demo plays on."""

    store: Store
    url: str
    clock: SteadyClock
    market: SimulatedMarket
    filling: Filling


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo is played: the port that it holds, what ends it, and who looks on."""

    listener: socket.socket
    stop: asyncio.Event
    out: Console
    language: str


@dataclass(frozen=True, slots=True)
class AllOf:
    """Brings a message to several places at this machine; it is delivered when the last has it."""

    senders: tuple[Sender, ...]

    async def send(self, message: Message) -> Delivery:
        """One attempt at each."""
        return [await sender.send(message) for sender in self.senders][-1]


async def _serve(settings: Settings, parts: DemoParts, stage: Stage, *, prompt: bool) -> None:
    gallery = Gallery()
    app = _app(settings, parts, stage, gallery)
    async with parts.store.writer() as writer:
        secret, _ = await writer.create_key("demo", scopes=("read",), per_minute=600, at=parts.clock())
    hint = await shock_hint(parts.store, parts.market.shock, "" if prompt else f" at {_address(stage)}{PLAYGROUND}")
    ready = asyncio.Event()
    running = asyncio.create_task(app.run(web=True, started=lambda _: ready.set()))
    try:
        await first_of(running, asyncio.create_task(ready.wait()))
        with announced(parts.url, filling=parts.filling.needed) as word:
            ask = f"{program()} ask {FIRST_QUESTION}"
            ask = ask if word and nothing_set_up(settings) else f"DATABASE_URL='{parts.url}' {ask}"
            leave = "Leave with exit, quit or Ctrl-D." if prompt else "Stop with Ctrl-C."
            say = partial(stage.out.print, markup=False, highlight=False, soft_wrap=True)
            for line in (*_announcement(_address(stage), secret, ask, leave), *parts.filling.announcement, hint):
                if line:
                    say(line)
            parts.filling.then = word.all_in if word else parts.filling.then
            await _play(app, parts, stage, running, prompt=prompt, say=say)
    finally:
        stage.stop.set()
        await asyncio.gather(running, return_exceptions=True)
        await gallery.close()
    await running


async def _play(
    app: App,
    parts: DemoParts,
    stage: Stage,
    running: asyncio.Task[None],
    *,
    prompt: bool,
    say: Callable[[str], None],
) -> None:
    """Until it is to end: fill in the older days, and talk where there is a prompt."""
    filling = asyncio.create_task(parts.filling.run(parts.store, app.poller, say))
    try:
        if prompt and not running.done():
            talk = chat(app.dispatcher, PERSON, language=stage.language, out=stage.out, status=parts.filling.state)
            await first_of(running, asyncio.create_task(talk))
        else:
            await running
    finally:
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)


def _app(settings: Settings, parts: DemoParts, stage: Stage, gallery: Gallery) -> App:
    """The parts of a running spotbot, on the simulated market and with the playground."""
    store = parts.store
    endpoints = Endpoints(SecretBox(new_key()), guard_of(settings.webhook_allow))  # the key is forgotten with the rest
    dispatcher = Dispatcher(
        store,
        COMMANDS,
        parts.clock,
        home=settings.home,
        language=settings.language_of(stage.language),
        endpoints=lambda: endpoints,
        site=lambda: settings.url or _address(stage),
    )
    site = Site(dispatcher, AtThisMachine(PERSON), more=(("Playground", PLAYGROUND),), signs_in=False, home=PLAYGROUND)
    playground = Playground(site, {"Slack": slack_payload, "Discord": discord_payload}, gallery)
    site.extra += playground.routes
    add_sign_in(site, SignedIn(dispatcher, secure=False))  # who asks for a link sees what it leads to
    return App(
        settings.model_copy(update={"host": HOST, "locale": stage.language}),
        store,
        dispatcher,
        parts.clock,
        _poller(parts),
        senders={PLATFORM: AllOf((ConsoleSender(stage.out), playground))},
        deliveries=build_deliveries(store, endpoints, parts.clock),
        site=site,
        stop=stage.stop,
        listener=stage.listener,
        forecast=True,
    )


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


async def shock_hint(store: Store, shock: PriceShock | None, where: str = "") -> str:
    """What to type, and where, to see an alert fire: half-way between the price now and the price to come."""
    if shock is None:
        return ""
    async with store.reader() as reader:
        quote = (await reader.quotes([shock.model])).get(shock.model)
    if quote is None or quote.price is None:
        return f"The bids for the {shock.model} fall soon, but none is on offer now."
    mark = usd(quote.price * (100 + shock.percent) // 200)
    return (
        f"In {DELAY_S} s the bids for the {shock.model} fall by {100 - shock.percent} % for {LASTS_S // 60} minutes. "
        f"Type now{where}: alert {shock.model} < {mark:.3f}"
    )


def _address(stage: Stage) -> str:
    return f"http://{HOST}:{stage.listener.getsockname()[1]}"


def _announcement(address: str, secret: str, ask: str, leave: str) -> tuple[str, ...]:
    return (
        f"Page and API: {address}",
        f"API key: {secret}",
        f'Try: curl -H "Authorization: Bearer {secret}" {address}/api/spot/monitor',
        f"Or from another terminal: {ask}",
        f"Everything here is simulated. {leave}",
    )
