"""``spotbot migrate``, ``backup`` and ``backtest``: what is done to, and with, all that is stored."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from analytics.errors import AskError
from bot.cli.stores import open_dispatcher, open_reader, open_writer
from bot.config import Settings


async def migrate(settings: Settings) -> None:
    """Bring the schema up to date."""
    async with open_writer(settings) as store:
        print(f"{store.where}: the tables are up to date")  # noqa: T201


async def backup(settings: Settings, file: Path) -> None:
    """Copy the database while it is in use."""
    async with open_reader(settings) as store:
        await store.backup(file)
        print(f"{file}: written")  # noqa: T201


async def backtest(settings: Settings, names: Sequence[str], *, as_json: bool) -> int:
    """Score the forecaster on the stored history."""
    from bot.extras import EXIT_MISSING, FORECASTS
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
        if not FORECASTS.installed:
            print(f"backtests are off: {FORECASTS.advice}", file=sys.stderr)  # noqa: T201
            return EXIT_MISSING
        return await report(dispatcher.store, models or None, as_json=as_json)
