"""One round: polls become quotes, hour points, exposure and interruptions, and are stored in one transaction.

The same path serves live polling, imports and the demo's back-history; they differ only in how many rounds are
committed together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from analytics.catalog import load_catalog
from analytics.interruptions.shadow_tenants import Book, advance
from analytics.interruptions.variants import FRESH, Lane, move
from analytics.market import (
    DAY,
    HOUR,
    WORLD,
    ChangeBand,
    Offer,
    Poll,
    Quality,
    Quote,
    Round,
    Scope,
    Tenant,
)
from analytics.poll_quality import RECENT_POLLS, History, Reading, judge
from analytics.prices import BAND_HOURS, DAY_HOURS, change_band, hour_point, quotes
from analytics.slices import minimal_slices
from bot.store.engine import Store
from bot.store.reader import Reader
from bot.store.writer import Entry, Writer

Place = tuple[str, Scope]
WORLD_PLACE: Place = (WORLD, Scope.VERIFIED)


@dataclass(frozen=True, slots=True)
class ModelState:
    """What is carried from one poll of a model to the next."""

    tenants: tuple[Tenant, ...] = ()
    lanes: tuple[Lane, ...] = FRESH
    """the tenants who look less often or bid otherwise"""
    good_at: int | None = None
    seen_at: int | None = None
    history: History = field(default_factory=History)
    """what the next poll is judged by"""
    hour: int | None = None
    hour_quotes: Mapping[Place, tuple[Quote, ...]] = field(default_factory=dict)
    """the quotes of ``hour`` so far"""


OnRound = Callable[[Writer, Round], Awaitable[None]]
"""Told of each round inside the transaction that stores it: what it writes is kept with the round or not at all. It may
not wait for anything but the store."""


@dataclass(frozen=True, slots=True)
class JudgedPoll:
    """A poll with what is worked out of it once, for the judge and for the books."""

    poll: Poll
    free: tuple[Offer, ...]
    quotes: Mapping[Place, Quote]

    @staticmethod
    def of(poll: Poll) -> JudgedPoll:
        """Of a poll of any quality."""
        free = minimal_slices(poll.offers)
        return JudgedPoll(poll, free, quotes(poll.offers, poll.at, free=free))

    @property
    def reading(self) -> Reading:
        """What is remembered of it."""
        return Reading.of(self.poll.at, len(self.poll.offers), self.quotes)


def step(
    state: ModelState, judged_poll: JudgedPoll, elsewhere: AbstractSet[str] = frozenset()
) -> tuple[ModelState, Entry | None]:
    """A judged poll of one model: the state after it, and what to store; nothing for a poll that is not newer.

    ``elsewhere``: slices that other models show now (:class:`analytics.interruptions.shadow_tenants.Book`).
    """
    poll, found = judged_poll.poll, judged_poll.quotes
    if state.seen_at is not None and poll.at <= state.seen_at:
        return state, None
    state = replace(state, seen_at=poll.at)
    if poll.quality in (Quality.FAILED, Quality.CAPPED):
        return state, Entry(poll)
    if poll.quality is Quality.SUSPECT:
        return replace(state, history=state.history.with_suspect(judged_poll.reading)), Entry(poll, quotes=found)
    hour = poll.at // HOUR
    earlier = state.hour_quotes if state.hour == hour else {}
    so_far = {**earlier, **{place: (*earlier.get(place, ()), quote) for place, quote in found.items()}}
    points = {place: hour_point(hour, so_far[place]) for place in found}
    before = None if state.history.broken(judged_poll.reading) else state.good_at
    book = Book.of(poll, judged_poll.free, elsewhere)
    shadow = advance(state.tenants, poll, previous_at=before, interval=poll.interval, book=book)
    moved = move(state.lanes, poll, book, previous_at=before, plain=shadow.exposure)
    history = state.history.with_complete(judged_poll.reading, poll.offers)
    state = ModelState(shadow.tenants, moved.lanes, poll.at, poll.at, history, hour, so_far)
    return state, Entry(poll, quotes=found, points=points, shadow=shadow, variants=moved)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a fetch cost, and the name it was asked by; told once for all models of that name."""

    vast_name: str
    rows: int = 0
    requests: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    reserved: int = 0
    """rows that were counted before they were asked for"""


class Collector:
    """Stores rounds. Keeps each model's state between rounds, and reads it anew after a round that was not stored."""

    def __init__(self, store: Store, *, source: str = "live", on_round: OnRound | None = None) -> None:
        self._store = store
        self._source = source
        self._on_round = on_round
        self._states: dict[str, ModelState] = {}
        self._banded: dict[str, int] = {}

    async def record(self, at: int, polls: Sequence[Poll], cost: Cost | None = None) -> Round:
        """One round: judged, worked out and committed together with the rows it cost."""
        return (await self.record_many([(at, polls)], cost))[0]

    async def record_many(
        self,
        rounds: Iterable[tuple[int, Sequence[Poll]]],
        cost: Cost | None = None,
        *,
        bands: bool = True,
        shared: Collection[tuple[str, int]] = (),
    ) -> list[Round]:
        """Rounds in time order, committed together: for back-fill, where a commit for each would take hours.

        ``shared``: (model, hour) of which polls may be stored that no state tells of.
        """
        try:
            async with self._store.writer() as writer:
                done = [await self._record_one(writer, at, polls, cost) for at, polls in rounds]
                entries = [entry for _, some in done for entry in some]
                for model, hour in shared:
                    entries = await _with_whole_hour(writer.read, entries, model, hour)
                if bands:
                    entries = await self._with_bands(writer, entries)
                if entries:
                    await writer.save_round(done[-1][0].at, entries, source=self._source)
                if cost is not None and cost.rows != cost.reserved:
                    await writer.add_quota(done[-1][0].at // DAY, cost.rows - cost.reserved)
                await self._tell(writer, done)
        except BaseException:
            self._states.clear()
            raise
        return [round_ for round_, _ in done]

    async def _tell(self, writer: Writer, done: Iterable[tuple[Round, Sequence[Entry]]]) -> None:
        """Tell of each round that brought something new."""
        if self._on_round is not None:
            for round_, entries in done:
                if entries:
                    await self._on_round(writer, round_)

    def knows(self, model: str) -> bool:
        """Whether it carries a state of this model."""
        return model in self._states

    def forget_all(self) -> None:
        """Let every model's next poll begin from what is stored: another process may have stored since."""
        self._states.clear()
        self._banded.clear()

    def forget_bands(self) -> None:
        """Work out each model's band of usual changes with its next poll: older history has come in."""
        self._banded.clear()

    def forget(self, model: str, state: ModelState | None = None) -> None:
        """Let a model's next poll begin from what is stored, or from the given state."""
        if state is None:
            self._states.pop(model, None)
        else:
            self._states[model] = state

    async def _record_one(
        self, writer: Writer, at: int, polls: Sequence[Poll], cost: Cost | None
    ) -> tuple[Round, list[Entry]]:
        for poll in polls:
            if poll.model not in self._states:
                self._states[poll.model] = await load_state(writer.read, poll.model)
        entries: list[Entry] = []
        judged_polls = [JudgedPoll.of(poll) for poll in polls]
        histories = {poll.model: self._states[poll.model].history for poll in polls}
        judged = judge(polls, histories, {judged_poll.poll.model: judged_poll.reading for judged_poll in judged_polls})
        books = self._books(judged)
        for judged_poll, poll in zip(judged_polls, judged, strict=True):
            state = self._states[poll.model]
            elsewhere = _elsewhere(state, poll, books)
            self._states[poll.model], entry = step(state, replace(judged_poll, poll=poll), elsewhere)
            if entry is not None:
                entries.append(_priced(entry, cost, first=not entries))
        return _round(at, entries), entries

    def _books(self, polls: Iterable[Poll]) -> dict[str, Mapping[str, object]]:
        """The slices of each model: as it was just polled, else as it was last seen."""
        books: dict[str, Mapping[str, object]] = {name: state.history.book for name, state in self._states.items()}
        return books | {
            poll.model: dict.fromkeys(offer.slice_id for offer in poll.offers)
            for poll in polls
            if poll.quality is Quality.COMPLETE
        }

    async def _with_bands(self, writer: Writer, entries: Sequence[Entry]) -> list[Entry]:
        """The entries, the newest of each model with its band of usual changes if a new hour has begun for it."""
        by_model: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            if entry.points:
                by_model[entry.poll.model].append(entry)
        bands = {id(some[-1]): await self._band(writer, some) for some in by_model.values()}
        return [replace(entry, band=bands.get(id(entry))) for entry in entries]

    async def _band(self, writer: Writer, entries: Sequence[Entry]) -> ChangeBand | None:
        """The band of one model before the hour of its newest entry, from what is stored and what is about to be."""
        model, hour = entries[-1].poll.model, entries[-1].poll.at // HOUR
        if self._banded.get(model) == hour:
            return None
        self._banded[model] = hour
        since = hour - BAND_HOURS - DAY_HOURS
        stored = (await writer.read.hours([model], since, hour)).get(model, [])
        points = {point.hour: point for point in (*stored, *(entry.points[WORLD_PLACE] for entry in entries))}
        return change_band([points[h] for h in sorted(points) if since <= h < hour])


def _elsewhere(state: ModelState, poll: Poll, books: Mapping[str, Mapping[str, object]]) -> AbstractSet[str]:
    """The slices of this model's tenants that its poll lacks and another model's book has."""
    mine = books.get(poll.model, {})
    followed = [state.tenants, *(lane.tenants for lane in state.lanes)]
    missing = {tenant.slice_id for tenants in followed for tenant in tenants if tenant.slice_id not in mine}
    others = (book for model, book in books.items() if model != poll.model)
    return frozenset().union(*(missing & book.keys() for book in others)) if missing else missing


async def _with_whole_hour(reader: Reader, entries: Sequence[Entry], model: str, hour: int) -> list[Entry]:
    """The entries, those of this hour with its points as stored polls and all of theirs make them together."""
    quoted: dict[Place, list[Quote]] = defaultdict(list, await reader.quotes_in_hour(model, hour))
    mine = {id(e) for e in entries if e.points and e.poll.model == model and e.poll.at // HOUR == hour}
    for entry in entries:
        for place, quote in entry.quotes.items() if id(entry) in mine else ():
            quoted[place].append(quote)
    points = {place: hour_point(hour, sorted(some, key=lambda quote: quote.at)) for place, some in quoted.items()}
    return [replace(entry, points=points) if id(entry) in mine else entry for entry in entries]


def _priced(entry: Entry, cost: Cost | None, *, first: bool) -> Entry:
    """The entry with its name on the market and what its fetch cost, borne by the first of the models that share it."""
    gpu = load_catalog().gpu(entry.poll.model)
    known = None if gpu is None else gpu.vram_gb
    if cost is None:
        return replace(entry, vast_name=None if gpu is None else gpu.vast_name, vram_gb=known)
    entry = replace(entry, vast_name=cost.vast_name, vram_gb=known)
    return replace(entry, rows=cost.rows, requests=cost.requests, dropped=cost.dropped) if first else entry


def _round(at: int, entries: Sequence[Entry]) -> Round:
    fresh = [entry for entry in entries if entry.poll.quality is Quality.COMPLETE]
    return Round(
        at=at,
        polls=tuple(entry.poll for entry in entries),
        quotes={(entry.poll.model, *place): quote for entry in fresh for place, quote in entry.quotes.items()},
        interruptions=tuple(i for entry in fresh if entry.shadow for i in entry.shadow.started),
    )


async def load_state(reader: Reader, model: str) -> ModelState:
    """A model's state as the store has it: a restart continues where the last round ended."""
    row = await reader.model(model)
    if row is None:
        return ModelState()
    hour = None if row.last_good_at is None else row.last_good_at // HOUR
    in_hour = {} if hour is None else await reader.quotes_in_hour(model, hour)
    return ModelState(
        tenants=await reader.tenants(model),
        lanes=await reader.lanes(model),
        good_at=row.last_good_at,
        seen_at=row.last_poll_at,
        history=await _history(reader, model, row.last_good_at),
        hour=hour,
        hour_quotes={place: tuple(some) for place, some in in_hour.items()},
    )


async def _history(reader: Reader, model: str, last_good_at: int | None) -> History:
    complete, suspect = await reader.readings(model, RECENT_POLLS, since=last_good_at)
    book = {offer.slice_id: offer for offer in await reader.book([model])}
    history = History(tuple(complete), book=book)
    for reading in suspect:
        history = history.with_suspect(reading)
    return history
