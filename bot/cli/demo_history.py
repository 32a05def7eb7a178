"""The demo's history: the newest hours before anything is served, the older days behind the prompt."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from analytics.market import DAY, HOUR
from bot.apart import Died, Tell, apart_heard
from bot.cli.counted import counted
from bot.extras import FORECASTS
from bot.forecasts import refresh
from bot.polling.back_fill import back_fill, covered_time
from bot.polling.poller import Poller
from bot.polling.rounds import Collector
from bot.sources.sim_calibration import SimModel
from bot.sources.sim_demo import DEMO
from bot.sources.simulated import OLD_INTERVAL_S, SimulatedMarket, poll_times
from bot.store.engine import Store, StoreError, open_store

FIRST_S = 26 * HOUR
"""The part of the history that is stored first: what answers about the last day look at."""

ROUNDS_A_COMMIT = 24
"""Rounds of the older history that are stored together: half a second in which nobody else can write."""

PAUSE_S = 0.1
"""Between commits: the longest that SQLite sleeps between two tries for a lock, so that who waits for it gets it."""


@dataclass(frozen=True, slots=True)
class History:
    """Which simulated history is to be there in the end."""

    seed: int
    days: int
    until: int
    models: tuple[SimModel, ...] = DEMO

    def market(self) -> SimulatedMarket:
        """The market as it was when the history began; each is the same."""
        return SimulatedMarket(self.seed, self.until - self.days * DAY, self.models)

    @property
    def seam(self) -> int:
        """UTC second from which rounds are stored first: on the hour, as an hour's price is made of all its rounds."""
        return max(-(-(self.until - FIRST_S) // HOUR) * HOUR, self.until - self.days * DAY)

    @property
    def older_rounds(self) -> int:
        """How many rounds are before the seam."""
        return sum(at < self.seam for at in self.polled)

    @property
    def polled(self) -> list[int]:
        """When its rounds are, as UTC seconds."""
        return [at for at, _ in poll_times(self.until - self.days * DAY, self.until)]


async def fill_older(url: str, history: History, tell: Callable[[int], None] = lambda _: None) -> None:
    """Store the rounds before the seam beside whoever else writes; ``tell`` is called with how many are in."""
    market = history.market()
    rounds = itertools.takewhile(lambda round_: round_[0] < history.seam, market.history(history.days, history.until))
    store = await open_store(url, writer=True, alone=False)
    try:
        since = history.until - history.days * DAY
        covered = await covered_time(store, market.models, since, history.until, OLD_INTERVAL_S)
        collector, done = Collector(store, source="simulated"), 0
        async for _ in back_fill(rounds, covered, collector, together=ROUNDS_A_COMMIT, until=None):
            done += ROUNDS_A_COMMIT
            tell(min(done, history.older_rounds))
            await asyncio.sleep(PAUSE_S)
    finally:
        await store.close()


def _fill_apart(tell: Tell, url: str, history: History) -> None:
    asyncio.run(fill_older(url, history, tell))


class Filling:
    """The older days on their way in, in a process of their own, and the forecasts from all of it after them."""

    def __init__(self, history: History, clock: Callable[[], int], first_took: float) -> None:
        self._history, self._clock, self._first_took = history, clock, first_took
        self._done, self._forecasting = 0, False
        self._left = history.older_rounds
        self._began = time.monotonic()
        self.then: Callable[[], None] = lambda: None
        """called once all is in, forecasts included"""

    @property
    def needed(self) -> bool:
        """Whether there is anything older."""
        return self._history.older_rounds > 0

    def state(self) -> str:
        """How far it is, for the foot of the prompt; nothing once all is in."""
        if not self._left and not self._forecasting:
            return ""
        if self._forecasting:
            return f"All {counted(self._history.days, 'day')} are in; forecasting from them …"
        share = 100 * self._done // self._history.older_rounds
        return f"Filling in the older of {counted(self._history.days, 'day')}: {share} %{self._time_left()}"

    def _time_left(self) -> str:
        if not self._done:
            return ""
        seconds = (time.monotonic() - self._began) * self._left / self._done
        return f", about {_about(seconds)} more, then the forecasts"

    @property
    def announcement(self) -> tuple[str, ...]:
        """What is still to come, and about how long it takes at the pace of what was stored first."""
        if not self.needed:
            return ()
        first = sum(at >= self._history.seam for at in self._history.polled)
        seconds = self._first_took * self._history.older_rounds / first
        then = ", then forecasts from them" if FORECASTS.installed else ""
        return (
            f"The older of {counted(self._history.days, 'day')} are being filled in meanwhile, about {_about(seconds)} "
            f"at the pace so far{then}. Until then answers count days of history across a gap, "
            "and may say that there is not enough or how long that takes on a real market: here it does not.",
        )

    async def run(self, store: Store, poller: Poller | None, say: Callable[[str], None]) -> None:
        """Fill in, then forecast anew, and say how it went."""
        if not self.needed:
            return
        try:
            await self._fill_in(store, poller)
        except (Died, StoreError) as error:
            self._left, self._forecasting = 0, False
            say(f"The older days could not be filled in ({error}); what is there stays.")
        else:
            self.then()
            what = (
                "with forecasts from them: every question can be asked now"
                if FORECASTS.installed
                else "without forecasts"
            )
            took = f"{time.monotonic() - self._began:.0f} s later"
            say(f"All {counted(self._history.days, 'day')} are in, {took}, {what}.")

    async def _fill_in(self, store: Store, poller: Poller | None) -> None:
        self._began = time.monotonic()
        await apart_heard(_fill_apart, self._heard, store.url, self._history)
        self._left, self._forecasting = 0, True
        if poller is not None:
            poller.collector.forget_bands()
        await refresh(store, self._clock(), anew=True)
        self._forecasting = False

    def _heard(self, rounds: int) -> None:
        self._done, self._left = rounds, self._history.older_rounds - rounds


def _about(seconds: float) -> str:
    return f"{math.ceil(seconds / 5) * 5} s"
