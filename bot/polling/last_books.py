"""What the last complete poll of a model says of what can be probed for; and polls ahead of their turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from analytics.market import Offer
from analytics.prices import quotes
from analytics.slices import minimal_slices
from bot.alerts.measures import Quotes
from bot.alerts.places import quote_in
from bot.alerts.rules import Measure
from bot.sources.base import PROBE_ROWS
from bot.store.alerts import SeriesKey
from bot.store.reader import ModelRow

MOST_SIZES = 2
"""Sizes of slices that the floor of one model is probed for: the most frequent ones of its last book (ours).

One a turn, by turns: the service prices whole slices, so one search with one price cannot ask for two sizes without
bringing those that are too dear. What a price does to one size it mostly does to the others, of the same machines.
"""

NEAR_PERCENT = 40
"""Percent of a market's GPUs that must be cheap enough for a poll ahead of its turn: half of them move the median."""

NEAR_POLL_SECONDS = 300
"""Least seconds between two polls ahead of their turn; doubled by each that did not bring the market away (ours)."""


@dataclass(frozen=True, slots=True)
class LastBook:
    """A model's verified slices at its last complete poll."""

    quotes: Quotes = field(default_factory=dict)
    sizes: tuple[int, ...] = (1,)
    """the most frequent sizes of slices that hold no smaller one"""
    all_sizes: tuple[int, ...] = ()
    """of all slices, the most frequent first"""
    machines: frozenset[int] = frozenset()
    """those that had slices to rent"""
    largest_answer: tuple[int, int] = (1, 0)
    """the size of which one answer can hold the most GPUs, and how many"""


def last_book(name: str, offers: Sequence[Offer], at: int) -> LastBook:
    """What a book says."""
    known = {(name, *place): quote for place, quote in quotes(offers, at).items()}
    verified = [offer for offer in offers if offer.verified and offer.rentable]
    common = Counter(offer.num_gpus for offer in minimal_slices(verified)).most_common(MOST_SIZES)
    slices = Counter(offer.num_gpus for offer in verified)
    held, size = max(((min(count, PROBE_ROWS) * size, size) for size, count in slices.items()), default=(0, 1))
    every = tuple(size for size, _ in slices.most_common())
    machines = frozenset(offer.machine_id for offer in verified)
    return LastBook(known, tuple(size for size, _ in common) or (1,), every, machines, (size, held))


@dataclass(frozen=True, slots=True)
class Near:
    """When a series is worth a poll: so many GPUs below ``limit``, or so many that the last poll did not see."""

    limit: int | None
    gpus: int


def near(key: SeriesKey, limit: int, book: LastBook) -> Near | None:
    """What an answer must hold; None where it could not, or where the last poll is beyond the threshold already."""
    quote = quote_in(book.quotes, key.model, key.region, key.scope)
    if key.measure == Measure.GPUS:
        missing = limit + 1 - (0 if quote is None else quote.gpus)
        return Near(None, missing) if missing > 0 else None
    if quote is None or quote.price is None or quote.price < limit:
        return None
    gpus = max(1, -(-quote.gpus * NEAR_PERCENT // 100))
    return Near(limit, gpus) if book.largest_answer[1] >= gpus else None


def is_near(key: SeriesKey, wanted: Near, offers: Iterable[Offer], at: int) -> bool:
    """Whether offers are enough GPUs, below the limit where there is one."""
    limit = wanted.limit
    cheap = [offer for offer in offers if limit is None or (offer.min_bid and offer.min_bid < limit)]
    found = {(key.model, *place): quote for place, quote in quotes(cheap, at).items()}
    quote = quote_in(found, key.model, key.region, key.scope)
    return quote is not None and quote.gpus >= wanted.gpus


@dataclass(slots=True)
class NewMachines:
    """What probes saw of machines that the last complete poll of a model had nothing of, each asked for once."""

    _seen: dict[str, tuple[int | None, tuple[Offer, ...]]] = field(default_factory=dict)

    def since(self, name: str, polled_at: int | None) -> tuple[Offer, ...]:
        """Their slices; none once there was another poll."""
        at, offers = self._seen.get(name, (None, ()))
        return offers if at == polled_at else ()

    def add(self, name: str, polled_at: int | None, offers: Iterable[Offer]) -> tuple[Offer, ...]:
        """Take in an answer; all of them so far."""
        seen = (*self.since(name, polled_at), *offers)
        self._seen[name] = polled_at, seen
        return seen


@dataclass(slots=True)
class EarlyPolls:
    """Which models are to be polled ahead of their turn."""

    _since: dict[str, int] = field(default_factory=dict)
    _again: dict[str, tuple[int, int]] = field(default_factory=dict)
    """name -> the second before which it is not polled early again, and the pause after that"""

    @property
    def names(self) -> frozenset[str]:
        """Names that wait for their early poll."""
        return frozenset(self._since)

    def note(self, name: str, now: int, *, near: bool) -> None:
        """Take in what a probe said of a name."""
        at, pause = self._again.get(name, (0, NEAR_POLL_SECONDS))
        if not near:
            self._again[name] = (at, NEAR_POLL_SECONDS)
        elif now >= at and name not in self._since:
            self._since[name], self._again[name] = now, (now + pause, 2 * pause)

    def polled(self, rows: Iterable[ModelRow]) -> None:
        """Let go of those that were polled since."""
        for row in rows:
            if (row.last_poll_at or 0) >= self._since.get(row.vast_name, 1 << 62):
                del self._since[row.vast_name]

    def hasten(self, intervals: Mapping[str, int]) -> dict[str, int]:
        """The intervals, none where a name waits."""
        return {name: 1 if name in self._since else interval for name, interval in intervals.items()}
