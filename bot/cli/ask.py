"""``spotbot ask``, ``chart`` and ``chat``: questions to what is stored."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from analytics.errors import AskError
from analytics.evidence import Note
from bot.cli.stores import open_dispatcher, open_writer
from bot.config import Settings
from bot.store.engine import StoreEmpty, StoreError

if TYPE_CHECKING:
    from bot.presentation.chart import Theme

EXIT_FILE = 2
"""Exit code when a file cannot be written."""


async def ask_once(settings: Settings, line: str, *, language: str, as_json: bool) -> int:
    """Answer one line on the terminal; returns the exit code."""
    from rich.console import Console

    from bot.faces.console.face import answer, write_json
    from bot.presentation.problem_documents import NOTHING_STORED, STORE_DOWN

    try:
        async with open_dispatcher(settings) as dispatcher:
            out, err = Console(), Console(stderr=True)
            return await answer(dispatcher, line, language=language, as_json=as_json, out=out, err=err)
    except StoreError as error:
        if as_json:
            write_json((NOTHING_STORED if isinstance(error, StoreEmpty) else STORE_DOWN).text())
        raise


async def draw_once(settings: Settings, line: str, file: Path, *, language: str, theme: Theme) -> int:
    """Draw the first chart of an answer into a file; returns the exit code."""
    from bot.extras import CHARTS, EXIT_MISSING
    from bot.faces.console.face import exit_code
    from bot.presentation.chart import png
    from bot.presentation.error_cards import error_lines
    from bot.presentation.words import Words

    async with open_dispatcher(settings) as dispatcher:
        words = Words(language, dispatcher.clock())
        try:
            command, found = await dispatcher.ask_line(line, language)
            charts = command.card(found, words).charts
            if not charts:
                raise AskError(Note("The answer to “{command}” has no chart.", {"command": line}))
        except AskError as error:
            print(*error_lines(error, words), sep="\n", file=sys.stderr)  # noqa: T201
            return exit_code(error)
    if not CHARTS.installed:
        print(f"pictures are off: {CHARTS.advice}", file=sys.stderr)  # noqa: T201
        return EXIT_MISSING
    try:
        await asyncio.to_thread(file.write_bytes, png(charts[0], language=language, theme=theme))
    except OSError as error:
        print(f"{file}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return EXIT_FILE
    print(f"{file}: {charts[0].alt}")  # noqa: T201
    return 0


async def chat(settings: Settings, *, language: str) -> None:
    """The prompt on what is stored, where alerts appear as they fire."""
    from rich.console import Console

    from bot.app import steady_clock
    from bot.commands import COMMANDS
    from bot.dispatch.dispatcher import Dispatcher
    from bot.faces.console.face import chat as prompt
    from bot.faces.console.sender import PERSON, PLATFORM, ConsoleSender
    from bot.logs import set_up
    from bot.outbox.dispatch import DispatchOptions, OutboxDispatcher
    from bot.scheduled_messages import Messages
    from bot.schedules.delivered import follow_dashboard
    from bot.webhooks.setup import build_endpoints

    set_up(logging.WARNING)  # without it a traceback would show the values of variables
    out = Console()
    async with open_writer(settings, alone=False) as store:
        clock = await steady_clock(store)
        dispatcher = Dispatcher(
            store,
            COMMANDS,
            clock,
            home=settings.home,
            language=settings.language_of(language),
            endpoints=lambda: build_endpoints(settings),
            site=lambda: settings.url,
        )
        messages, options = Messages(dispatcher, language), DispatchOptions(on_outcome=follow_dashboard)
        outbox = OutboxDispatcher(store, {PLATFORM: ConsoleSender(out)}, messages.render, clock, options)
        stop = asyncio.Event()
        sending = asyncio.create_task(outbox.run_until(stop))
        try:
            await prompt(dispatcher, PERSON, language=language, out=out)
        finally:
            stop.set()
            await sending
