"""The composition root: the only file that knows every part, and what each command of the program starts."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from analytics.catalog import load_catalog, resolve
from analytics.errors import AskError
from analytics.evidence import Note
from analytics.market import Quality
from bot.clock import SteadyClock
from bot.commands import COMMANDS
from bot.config import BadSettings, Settings
from bot.dispatch.dispatcher import Dispatcher
from bot.store.engine import Store, StoreError, open_store

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from bot.polling.poller import Poller
    from bot.presentation.chart import Theme
    from bot.presentation.gallery import Gallery
    from bot.sources.base import Fetch, Source

Clock = Callable[[], int]

STOP_GRACE = 10.0
"""Seconds that parts get to finish after a stop was asked for."""

EXIT_MARKET = 4
"""Exit code when the market cannot be read, as that of a question."""

EXIT_FILE = 2
"""Exit code when a file cannot be written."""


class Face(Protocol):
    """A chat platform: runs until told to stop, and may want pages of the web server."""

    @property
    def routes(self) -> Sequence[tuple[str, list[str], Callable[[Request], Awaitable[Response]]]]:
        """Path, methods and handler of each."""

    async def run(self, stop: asyncio.Event) -> None:
        """Answer until ``stop`` is set."""


class CannotListen(Exception):
    """The API's address is taken or not ours."""


@asynccontextmanager
async def open_dispatcher(settings: Settings) -> AsyncIterator[Dispatcher]:
    """A dispatcher that only reads."""
    store = await open_store(settings.database_url, writer=False)
    try:
        yield Dispatcher(store, COMMANDS, SteadyClock(), home=settings.home)
    finally:
        await store.close()


@asynccontextmanager
async def open_writer(settings: Settings, *, alone: bool = True, wait: bool = False) -> AsyncIterator[Store]:
    """The store for writing; ``alone=False`` beside a running spotbot, for small changes; ``wait``: as a stand-by."""
    store = await open_store(settings.database_url, writer=True, alone=alone, wait=wait)
    try:
        yield store
    finally:
        await store.close()


async def ask_once(settings: Settings, line: str, *, language: str, as_json: bool) -> int:
    """Answer one line on the terminal; returns the exit code."""
    from rich.console import Console

    from bot.faces.console.face import answer
    from bot.presentation.problem_documents import STORE_DOWN

    try:
        async with open_dispatcher(settings) as dispatcher:
            out, err = Console(), Console(stderr=True)
            return await answer(dispatcher, line, language=language, as_json=as_json, out=out, err=err)
    except StoreError:
        if as_json:
            sys.stdout.write(STORE_DOWN.text())
        raise


async def draw_once(settings: Settings, line: str, file: Path, *, language: str, theme: Theme) -> int:
    """Draw the first chart of an answer into a file; returns the exit code."""
    from bot.faces.console.face import exit_code
    from bot.presentation.chart import png
    from bot.presentation.error_cards import error_lines
    from bot.presentation.words import Words

    async with open_dispatcher(settings) as dispatcher:
        words = Words(language, dispatcher.clock())
        try:
            command, found = await dispatcher.ask_line(line)
            charts = command.card(found, words).charts
            if not charts:
                raise AskError(Note("The answer to “{command}” has no chart.", {"command": line}))
        except AskError as error:
            print(*error_lines(error, words), sep="\n", file=sys.stderr)  # noqa: T201
            return exit_code(error)
    try:
        await asyncio.to_thread(file.write_bytes, png(charts[0], language=language, theme=theme))
    except OSError as error:
        print(f"{file}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return EXIT_FILE
    print(f"{file}: {charts[0].alt}")  # noqa: T201
    return 0


async def chat(settings: Settings, *, language: str) -> None:
    """The prompt on what is stored."""
    from rich.console import Console

    from bot.faces.console.face import chat as prompt

    async with open_dispatcher(settings) as dispatcher:
        await prompt(dispatcher, language=language, out=Console())


async def migrate(settings: Settings) -> None:
    """Bring the schema up to date."""
    async with open_writer(settings) as store:
        print(f"{store.where}: the tables are up to date")  # noqa: T201


async def backup(settings: Settings, file: Path) -> None:
    """Copy the database while it is in use."""
    store = await open_store(settings.database_url, writer=False)
    try:
        await store.backup(file)
        print(f"{file}: written")  # noqa: T201
    finally:
        await store.close()


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
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, *, web: bool, started: Callable[[int], None] | None = None) -> None:
        """Run every part until ``stop`` is set or one of them fails."""
        parts = [self._poll(self.poller)] if self.poller else []
        if web:
            parts.append(self._serve(started))
        parts += [face.run(self.stop) for face in self.faces]
        tasks = [asyncio.create_task(part) for part in parts]
        waiting = asyncio.create_task(self.stop.wait())
        await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
        self.stop.set()
        _, late = await asyncio.wait(tasks, timeout=STOP_GRACE)
        for task in (*late, waiting):
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def _poll(self, poller: Poller) -> None:
        from bot.scheduler import PeriodicJob, rearm, run_job, start, watch_clock

        jobs = [
            PeriodicJob("forecasts", self._forecast, minute=2),
            PeriodicJob("retention", self._forget_old, minute=40, hour=3),
        ]
        scheduler = start(jobs)
        first: list[asyncio.Task[None]] = []  # the forecasts of the last leader may be hours old
        poller.begun = lambda: first.append(asyncio.create_task(run_job(jobs[0])))
        watch = asyncio.create_task(watch_clock(lambda: rearm(scheduler, jobs)))
        try:
            await poller.run(self.stop)
        finally:
            scheduler.shutdown(wait=False)
            for task in first:
                task.cancel()
            watch.cancel()

    async def _forecast(self) -> None:
        from bot.forecasts import refresh

        self.store.must_lead()
        await refresh(self.store, self.clock())

    async def _forget_old(self) -> None:
        async with self.store.writer() as writer:
            await writer.prune(self.clock())
        await self.store.checkpoint()

    async def _serve(self, started: Callable[[int], None] | None) -> None:
        from bot.faces.http.api import build_api, serve, stored_keys
        from bot.faces.http.metrics import Health, market_health

        async def health() -> Health:
            budget = self.settings.row_budget if self.poller else None
            state = self.store.state if self.poller else None
            return await market_health(
                self.dispatcher, polling=self.poller is not None, row_budget=budget, leadership=state
            )

        api = build_api(self.dispatcher, keys=stored_keys(self.dispatcher), health=health, require_key=self.require_key)
        for face in self.faces:
            for path, methods, handler in face.routes:
                api.add_route(path, handler, methods=methods, include_in_schema=False)
        host, port = self.settings.host, self.settings.port
        try:
            await serve(api, host, port, started=started, stop=self.stop)
        except OSError as error:
            raise CannotListen(f"Cannot listen on {host}:{port} ({error.strerror}). Set PORT to a free one.") from error


async def steady_clock(store: Store) -> SteadyClock:
    """A clock that does not begin before what is stored."""
    async with store.reader() as reader:
        return SteadyClock(floor=await reader.last_round_at() or 0)


def build_poller(settings: Settings, store: Store, dispatcher: Dispatcher, clock: SteadyClock) -> Poller:
    """The poller of the market that the settings name."""
    from bot.polling.poller import Poller
    from bot.polling.rounds import Collector
    from bot.sources.vast import VastSource

    key = settings.vast_api_key.get_secret_value() if settings.vast_api_key else None
    source = VastSource(settings.vast_url, key=key, permit=store.must_lead)
    return Poller(
        store=store,
        source=source,
        survey=source.survey,
        collector=Collector(store),
        clock=clock,
        names=vast_names(settings.gpus),
        budget=settings.row_budget,
        wish=settings.poll_seconds,
    )


def vast_names(typed: Sequence[str]) -> tuple[str, ...]:
    """The market's own names of models that a person typed; an unknown one is taken as it is spelt."""
    catalog = load_catalog()
    spelt = {gpu.vast_name for gpu in catalog.gpus}
    found: dict[str, None] = {}
    for text in typed:
        try:
            models = (text,) if text in spelt else resolve(text, catalog, ())
        except AskError:
            models = (text,)
        for model in models:
            gpu = catalog.gpu(model)
            found[gpu.vast_name if gpu else model] = None
    return tuple(found)


async def serve(settings: Settings, *, poll: bool, web: bool, chat: Sequence[str] = ()) -> None:
    """Run what was asked for until SIGINT or SIGTERM. ``chat``: the platforms to speak on where they are set up."""
    from bot.logs import set_up
    from bot.presentation.gallery import Gallery

    set_up()
    # all note what people ask about, and change their settings in chat, beside the one that polls
    store = await open_store(settings.database_url, writer=True, alone=poll, wait=poll)
    gallery = Gallery()
    try:
        clock = await steady_clock(store)
        dispatcher = Dispatcher(store, COMMANDS, clock, home=settings.home)
        poller = build_poller(settings, store, dispatcher, clock) if poll else None
        faces = build_faces(settings, dispatcher, gallery, chat)
        if not (poll or web or faces):
            raise BadSettings(f"{' and '.join(chat)}: no token is set; see the README, “Going live”")
        app = App(settings, store, dispatcher, clock, poller, faces=faces)
        stop_on_signals(app.stop)
        serves = web or any(face.routes for face in faces)
        await app.run(web=serves, started=lambda port: say_address(settings.host, port))
        if poller is not None:
            await close_source(poller.source)
    finally:
        await gallery.close()
        await store.close()


def build_faces(settings: Settings, dispatcher: Dispatcher, gallery: Gallery, names: Sequence[str]) -> list[Face]:
    """The chat platforms of these names that the settings set up."""
    faces: list[Face] = []
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


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGINT and SIGTERM ask every part to finish."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)


def say_address(host: str, port: int) -> None:
    """Tell where the API listens."""
    print(f"Listening on http://{host}:{port}", flush=True)  # noqa: T201


async def poll(settings: Settings, *, once: bool) -> int:
    """The collector alone; with ``once`` one poll of every followed model, and 4 when the market gave none."""
    from bot.logs import set_up

    set_up()
    async with open_writer(settings, wait=not once) as store:
        clock = await steady_clock(store)
        dispatcher = Dispatcher(store, COMMANDS, clock, home=settings.home)
        poller = build_poller(settings, store, dispatcher, clock)
        try:
            if once:
                fetches = await poller.once()
                return _say_polls(fetches, bool(poller.names))
            stop = asyncio.Event()
            stop_on_signals(stop)
            await poller.run(stop)
        finally:
            await close_source(poller.source)
    return 0


def _say_polls(fetches: Sequence[Fetch], anything_followed: bool) -> int:
    """A line a poll; gives the exit code."""
    for fetch in fetches:
        offers = sum(len(some.offers) for some in fetch.polls)
        note = f" ({fetch.note})" if fetch.note else ""
        print(f"{fetch.vast_name}: {fetch.quality.value}, {offers} offers, {fetch.rows} rows{note}")  # noqa: T201
    if not fetches:
        spent, empty = "the day's rows are spent, or the market asks to wait", "the market shows no models"
        why = spent if anything_followed else empty
        print(f"nothing was polled: {why}", file=sys.stderr)  # noqa: T201
        return 0 if anything_followed else EXIT_MARKET
    return EXIT_MARKET if all(fetch.quality is Quality.FAILED for fetch in fetches) else 0


async def backtest(settings: Settings, names: Sequence[str], *, as_json: bool) -> int:
    """Score the forecaster on the stored history."""
    from bot.faces.console.face import exit_code
    from bot.forecasts import report
    from bot.presentation.error_cards import error_lines
    from bot.presentation.words import Words

    async with open_dispatcher(settings) as dispatcher:
        try:
            async with dispatcher.query_context() as query:
                models = [model for name in names for model in await query.resolve(name)]
        except AskError as error:
            for line in error_lines(error, Words(settings.locale, dispatcher.clock())):
                print(line, file=sys.stderr)  # noqa: T201
            return exit_code(error)
        return await report(dispatcher.store, models or None, as_json=as_json)
