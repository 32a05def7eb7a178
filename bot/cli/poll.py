"""``spotbot poll``: the collector alone, and what it did."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analytics.market import Quality
from bot.app import build_poller, close_source, refuse_misplaced, steady_clock
from bot.cli.counted import counted
from bot.cli.stores import open_writer
from bot.config import Settings
from bot.runtime import stop_on_signals

if TYPE_CHECKING:
    from bot.sources.base import Fetch

EXIT_MARKET = 4
"""Exit code when the market cannot be read, as that of a question."""


async def poll(settings: Settings, *, once: bool) -> int:
    """The collector alone; with ``once`` one poll of every followed model, and 4 when the market gave none."""
    from bot.logs import set_up

    set_up()
    refuse_misplaced(settings)
    async with open_writer(settings, wait=not once) as store:
        clock = await steady_clock(store)
        poller = build_poller(settings, store, clock)
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
        offers = counted(sum(len(some.offers) for some in fetch.polls), "offer")
        note = f" ({fetch.note})" if fetch.note else ""
        print(f"{fetch.vast_name}: {fetch.quality.value}, {offers}, {counted(fetch.rows, 'row')}{note}")  # noqa: T201
    if not fetches:
        spent, empty = "the day's rows are spent, or the market asks to wait", "the market shows no models"
        why = spent if anything_followed else empty
        print(f"nothing was polled: {why}", file=sys.stderr)  # noqa: T201
        return 0 if anything_followed else EXIT_MARKET
    return EXIT_MARKET if all(fetch.quality is Quality.FAILED for fetch in fetches) else 0
