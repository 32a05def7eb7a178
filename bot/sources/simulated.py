"""A market that needs no account and no network: made from a seed, moved by hand, its truth open to inspection.

It behaves like the real one as far as that was measured (``sim_calibration``), and gives what the real one gives:
rentable slices, overlapping ones too, under offer ids that do not last.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analytics.interruptions.shadow_tenants import BID_FACTOR, PATIENCE_S
from analytics.market import DAY, HOUR, Offer, Poll, Quality
from bot.sources.base import Fetch, Reserve, Survey
from bot.sources.price_shock import PriceShock
from bot.sources.sim_calibration import DEFAULT, HAZARD_RATIO, SimModel
from bot.sources.sim_model import GONE, ModelMarket

OLD_INTERVAL_S, RECENT_INTERVAL_S, RECENT_S = HOUR, 900, 2 * DAY
"""The back-history is polled hourly, and every 15 minutes over its last two days: enough for hourly prices and for
interruption rates (a third of the shortest mean up-time is three hours), and little enough to be stored while one
waits."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What really happened in a span to tenants of every verified block who bid like shadow tenants."""

    model: str
    since: int
    until: int
    outbid: int
    lost: int
    """taken by a renter, or the machine was away"""
    held_s: int
    interrupted_s: int
    runs_s: tuple[int, ...]
    """lengths of the tenancies that began and ended in between"""

    @property
    def interruptions(self) -> int:
        """Of all causes."""
        return self.outbid + self.lost

    @property
    def mtbi_hours(self) -> float | None:
        """Held hours for each interruption; None without one."""
        return self.held_s / HOUR / self.interruptions if self.interruptions else None

    @property
    def uptime_percent(self) -> float | None:
        """Share of the tenants' time that they ran; None when there was nothing to hold."""
        total = self.held_s + self.interrupted_s
        return 100 * self.held_s / total if total else None


class SimulatedMarket:
    """The demo's market. Equal arguments give equal markets; time only moves forwards, by ``advance`` or a later look.

    ``hazard_ratio``: how much likelier a loss is in the week's worst hour than in its best; 1 for no difference.
    """

    def __init__(
        self, seed: int, start: int, models: Sequence[SimModel] = DEFAULT, *, hazard_ratio: float = HAZARD_RATIO
    ) -> None:
        self.now = self.start = start
        self.shock: PriceShock | None = None
        self._markets = {
            spec.name: ModelMarket(spec, index, seed, start, hazard_ratio) for index, spec in enumerate(models)
        }

    @property
    def models(self) -> tuple[str, ...]:
        """The canonical models on this market."""
        return tuple(self._markets)

    def advance(self, to: int) -> None:
        """Move time on to UTC second ``to``. Raises ValueError for the past."""
        if to < self.now:
            raise ValueError(f"the simulated market is at {self.now} and cannot go back to {to}")
        self.now = to

    def offers(self, model: str, at: int) -> tuple[Offer, ...]:
        """The rentable slices of a model at UTC second ``at``; a model that is not traded here has none."""
        self.advance(at)
        market = self._markets.get(model)
        offers = self._moved(market).offers() if market else ()
        return offers if self.shock is None else self.shock.applied(offers, at)

    def truth(self, model: str, since: int, until: int, *, bid_factor: float = BID_FACTOR) -> Truth:
        """What tenants lived through. Raises ValueError if ``until`` lies ahead, KeyError for a strange model."""
        if until > self.now:
            raise ValueError(f"the simulated market is at {self.now}: what happens until {until} is not decided yet")
        market = self._moved(self._markets[model])
        changes: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for at, block, bid in market.changes():
            changes[block].append((at, bid))
        lives = [_Life(since, until, bid_factor) for block in market.blocks if block.machine.verified]
        verified = (block.number for block in market.blocks if block.machine.verified)
        for number, life in zip(verified, lives, strict=True):
            life.live(changes[number])
        return Truth(
            model=model,
            since=since,
            until=until,
            outbid=sum(life.outbid for life in lives),
            lost=sum(life.lost for life in lives),
            held_s=sum(life.held_s for life in lives),
            interrupted_s=sum(life.interrupted_s for life in lives),
            runs_s=tuple(run for life in lives for run in life.runs_s),
        )

    async def fetch(
        self,
        vast_name: str,
        *,
        at: int,
        interval: int,
        models: Sequence[str],
        max_rows: int | None = None,
        reserve: Reserve | None = None,
    ) -> Fetch:
        """All offers of one service name at ``at``; if there are over ``max_rows``, that many in capped polls."""
        self.advance(max(at, self.now))
        names = sorted(
            {*models, *(name for name, market in self._markets.items() if market.spec.vast_name == vast_name)}
        )
        found = {name: self.offers(name, self.now) for name in names}
        rows = sum(map(len, found.values()))
        capped = max_rows is not None and rows > max_rows
        quality = Quality.CAPPED if capped else Quality.COMPLETE
        kept = {
            name: offers[: max_rows // len(names)] if max_rows is not None and capped else offers
            for name, offers in found.items()
        }
        polls = tuple(Poll(name, at, quality, offers, interval) for name, offers in kept.items())
        return Fetch(vast_name, at, polls, quality, rows=sum(len(poll.offers) for poll in polls), requests=1)

    async def survey(self, *, at: int, max_rows: int | None = None, reserve: Reserve | None = None) -> Survey:
        """How many offers each service name has."""
        self.advance(max(at, self.now))
        rows: dict[str, int] = defaultdict(int)
        for name, market in self._markets.items():
            rows[market.spec.vast_name] += len(self.offers(name, self.now))
        return Survey(dict(rows), sampled=False, fetch=Fetch("", at, (), Quality.COMPLETE, requests=1))

    async def aclose(self) -> None:
        """Nothing to let go of."""

    def history(self, days: float, until: int, *, since: int = 0) -> Iterator[tuple[int, list[Poll]]]:
        """Polls of every model over ``days``, round by round, the last one at ``until`` itself.

        ``since``: nothing before that second is looked at, but all of it has happened.
        """
        for at, interval in poll_times(until - round(days * DAY), until):
            if at < since:
                continue
            yield at, [Poll(model, at, Quality.COMPLETE, self.offers(model, at), interval) for model in self._markets]

    def _moved(self, market: ModelMarket) -> ModelMarket:
        if market.now < self.now:
            market.advance(self.now)
        return market


def poll_times(since: int, until: int) -> Iterator[tuple[int, int]]:
    """When a back-history is polled, and how long after the poll before that was planned: (UTC second, seconds)."""
    recent = max(since + (until - since) % RECENT_INTERVAL_S, until - RECENT_S)
    for at in range(since + (recent - since) % OLD_INTERVAL_S, recent + 1, OLD_INTERVAL_S):
        yield at, OLD_INTERVAL_S
    for at in range(recent + RECENT_INTERVAL_S, until + 1, RECENT_INTERVAL_S):
        yield at, RECENT_INTERVAL_S


class _Life:
    """One block's tenant, watched without gaps: takes it when on offer, waits when it is lost, gives up in the end."""

    def __init__(self, since: int, until: int, bid_factor: float) -> None:
        self.since, self.until, self.bid_factor = since, until, bid_factor
        self.outbid = self.lost = self.held_s = self.interrupted_s = 0
        self.runs_s: list[int] = []
        self._bid: int | None = None
        self._began: int | None = None
        self._down_since: int | None = None

    def live(self, changes: Sequence[tuple[int, int]]) -> None:
        """Live through a block's changes, oldest first."""
        for (start, price), (end, _) in itertools.pairwise([*changes, (self.until, 0)]):
            if max(start, self.since) < min(end, self.until):
                self._spell(max(start, self.since), min(end, self.until), price)

    def _spell(self, start: int, end: int, price: int) -> None:
        if price == GONE:
            self._bid = self._down_since = None
            return
        if self._bid is None and price:
            self._bid, self._began = round(price * self.bid_factor), None
        if self._affords(price):
            self._run(start, end)
        elif self._bid is not None:
            self._wait(start, end, price)

    def _affords(self, price: int) -> bool:
        return self._bid is not None and 0 < price <= self._bid

    def _run(self, start: int, end: int) -> None:
        if self._down_since is not None:
            self._down_since, self._began = None, start
        self.held_s += end - start

    def _wait(self, start: int, end: int, price: int) -> None:
        if self._down_since is None:
            self._down_since = start
            self.outbid, self.lost = self.outbid + bool(price), self.lost + (not price)
            if self._began is not None:
                self.runs_s.append(start - self._began)
        given_up = min(end, self._down_since + PATIENCE_S)
        self.interrupted_s += given_up - start
        if given_up < end:
            self._bid = self._down_since = None
            self._spell(given_up, end, price)
