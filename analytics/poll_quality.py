"""Whether a poll can be true of its model: judged by its own recent polls and by the slices that were there before.

Pure. Everything it goes by is stored, so that a restart gives the same verdict (definitions, "Quality of a poll").
A market moves because slices come and go; what no market does is change most slices that stay, all at once. So prices,
verification and bids are compared slice by slice with the last complete poll, not by the medians of two populations:
over 95 steps of recorded real polls (Vast, eight models, 2026-02-27..03-06, hours to a day apart) the median slice that
stayed kept its price exactly at every one of them, while the models' median prices moved by 0.23 to 2.99 times.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from analytics.market import DAY, HOUR, MAX_GAP_INTERVALS, WORLD, Offer, Poll, Quality, Quote, Scope

RECENT_POLLS = 12
"""How many earlier complete polls a poll is judged against (source: definitions, "Quality of a poll")."""

COLLAPSE_SHARE = 0.4
"""Fewer offers than this share of their median make a poll suspect, and so do fewer slices of the last complete poll
that are found again, each machine counting as one (source: definitions, "Quality of a poll"). Of 21,120 simulated polls
5, 15 and 60 minutes apart 0.2 % were suspect, nearly all where few machines with many overlapping slices were let."""

SMALL_BOOK = 5
"""Below so many offers a share says little, and one poll is not enough (source: definitions, "Quality of a poll")."""

SAME_SLICES_S = HOUR
"""Over a longer gap than this nothing is said about which slices are found again: in real polls hours apart a fifth of
a model's are (source: the recorded polls above; samples of 64 rows at most, so that the true share is higher)."""

CHANGED_SHARE = 0.5
"""A larger share of the slices that stayed must not lose their bid, nor of the machines their verification (ours)."""

PRICE_FACTOR, SMALL_PRICE_FACTOR = 5.0, 8.0
"""By how much the median slice that stayed may change its price between two polls; the second in a small book, where it
may be one host's whim. Real polls: 1.0 at each of 95 steps; a halved or doubled market is far within (ours)."""

PART_SHARE, PART_LEAST = 0.1, 5
"""Where a market is asked for in parts, one answer may be false alone: so large a share of the slices that stayed, and
so many of them, must not change beyond belief either (ours; of the 95 real steps one had a single slice that did)."""

LEVEL_FACTOR = 10.0
"""How far beyond all recent prices the median may lie where no slice stayed (real polls: 2.99 times at most; ours)."""

AGREEMENT = 2.0
"""Doubted polls agree within this factor in offers and in price (ours: a day's real move)."""

AGREEMENT_SHARE = 0.25
"""Doubted polls agree within this much in their verified share (ours)."""

ESTABLISHED = 3
"""With fewer complete polls than this it is open which of two levels is the false one (ours)."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How many polls in a row must agree, over how many seconds, before what was doubted is the truth."""

    polls: int
    seconds: int


SECOND_POLL = Patience(2, 0)
"""A small book that empties (source: definitions, "Quality of a poll"), and a level that contradicts fewer than
``ESTABLISHED`` polls: the first page of all may have been the false one, and would be served until then."""

LASTING = Patience(4, 1800)
"""Offers that are gone: a market can sell out within minutes, and half an hour is what faulty search indexes were given
before, seven five-minute polls (ours). Four polls span more than three planned intervals, which censors all tenants."""

STUBBORN = Patience(4, DAY)
"""What no market does by itself, a new scale of all prices for example: a day, so that somebody sees it (ours)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is remembered of a poll: its rows, free slices of all hosts, verified ones of them, median price of all."""

    at: int
    rows: int
    free: int
    verified: int
    price: int | None

    @staticmethod
    def of(at: int, rows: int, quotes: Mapping[tuple[str, Scope], Quote]) -> Reading:
        """From the quotes of a poll, new or stored."""
        everyone = quotes[WORLD, Scope.ALL]
        return Reading(at, rows, everyone.offers, quotes[WORLD, Scope.VERIFIED].offers, everyone.price)

    def agrees(self, other: Reading) -> bool:
        """Whether two doubted polls tell of one market."""
        shares = [one.verified / one.free if one.free else 0.0 for one in (self, other)]
        return (
            _near(self.free, other.free)
            and _near(self.price, other.price)
            and abs(shares[0] - shares[1]) <= AGREEMENT_SHARE
        )


def _near(a: int | None, b: int | None) -> bool:
    return a == b or bool(a and b and max(a, b) <= AGREEMENT * min(a, b))


@dataclass(frozen=True, slots=True)
class History:
    """What a model's next poll is judged by."""

    complete: tuple[Reading, ...] = ()
    """the last complete polls, ascending"""
    doubted: tuple[Reading, ...] = ()
    """the first and the last of the suspect polls since then that agree with the first of them; at most two"""
    doubts: int = 0
    """how many agree so"""
    book: Mapping[str, Offer] = field(default_factory=dict, compare=False)
    """the rentable slices of the last complete poll"""

    @property
    def usual(self) -> float | None:
        """Offers to be expected; a model that has sunk is not expected to have more than it had last."""
        if not self.complete:
            return None
        return min(statistics.median(reading.rows for reading in self.complete), self.complete[-1].rows)

    def with_complete(self, reading: Reading, offers: Iterable[Offer]) -> History:
        """After a complete poll."""
        book = {offer.slice_id: offer for offer in offers if offer.rentable}
        return History((*self.complete, reading)[-RECENT_POLLS:], book=book)

    def with_suspect(self, reading: Reading) -> History:
        """After a suspect poll."""
        if self.doubted and reading.agrees(self.doubted[0]):
            return replace(self, doubted=(self.doubted[0], reading), doubts=self.doubts + 1)
        return replace(self, doubted=(reading,), doubts=1)

    def accepts(self, reading: Reading, patience: Patience) -> bool:
        """Whether a doubtful poll and the suspect ones before it agree for long enough to be believed."""
        if not self.doubted or not reading.agrees(self.doubted[0]):
            return False
        return self.doubts + 1 >= patience.polls and reading.at - self.doubted[0].at >= patience.seconds

    def broken(self, reading: Reading) -> bool:
        """Whether a complete poll is a doubted level that was accepted: what happened in between nobody can tell."""
        return self.accepts(reading, replace(LASTING, seconds=0) if self.established else SECOND_POLL)

    @property
    def established(self) -> bool:
        """Whether there are enough complete polls to say which of two levels is the false one."""
        return len(self.complete) >= ESTABLISHED


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a poll cannot be true of its model, and what it takes to believe it all the same."""

    note: str
    patience: Patience


def judge(polls: Sequence[Poll], histories: Mapping[str, History], readings: Mapping[str, Reading]) -> list[Poll]:
    """The polls of one round, those that cannot be true marked suspect; ``readings`` holds each model's own."""
    round_ = _Round.of(polls, histories)
    judged = []
    for poll in polls:
        history = histories.get(poll.model, History())
        doubt = round_.doubt(poll, history) if poll.quality is Quality.COMPLETE else None
        if doubt is not None and not history.accepts(readings[poll.model], doubt.patience):
            poll = replace(poll, quality=Quality.SUSPECT, note=poll.note or doubt.note)
        judged.append(poll)
    return judged


@dataclass(frozen=True, slots=True)
class _Round:
    """How many offers a round has, and should have."""

    seen: int
    expected: float

    @staticmethod
    def of(polls: Sequence[Poll], histories: Mapping[str, History]) -> _Round:
        known = [
            poll for poll in polls if poll.quality is Quality.COMPLETE and histories.get(poll.model, History()).complete
        ]
        return _Round(sum(len(poll.offers) for poll in known), sum(histories[poll.model].usual or 0 for poll in known))

    @property
    def collapsed(self) -> bool:
        return self.expected >= SMALL_BOOK and self.seen < COLLAPSE_SHARE * self.expected

    def doubt(self, poll: Poll, history: History) -> Doubt | None:
        """The gravest doubt about a poll of this round."""
        usual = history.usual
        if usual is None:
            return None
        found = [*_changed(poll, history), *self._gone(poll, history, usual)]
        if not found:
            return None
        gravest = max(found, key=lambda doubt: (doubt.patience.seconds, doubt.patience.polls))
        open_ = not history.established and gravest.patience is STUBBORN
        return replace(gravest, patience=SECOND_POLL) if open_ else gravest

    def _gone(self, poll: Poll, history: History, usual: float) -> Iterator[Doubt]:
        fewer = f"{len(poll.offers)} offers where {usual:g} are usual"
        if self.collapsed:
            yield Doubt(fewer, LASTING)
        small = usual < SMALL_BOOK
        # the rest of a round vouches for its small books
        if small and not self.collapsed and self.expected - usual >= SMALL_BOOK:
            return
        patience = SECOND_POLL if small else LASTING
        if len(poll.offers) < COLLAPSE_SHARE * usual:
            yield Doubt(fewer, patience)
        share = found_again(poll, history)
        if share is not None and share < COLLAPSE_SHARE:
            yield Doubt(f"{share:.0%} of the last complete poll's slices are still on offer", patience)


def found_again(poll: Poll, history: History) -> float | None:
    """The share of the last complete poll's slices that are rentable still, each machine counting as one.

    None where there were none, or so long ago that others may well have taken their place.
    """
    gap = poll.at - history.complete[-1].at
    if not history.book or gap > min(SAME_SLICES_S, MAX_GAP_INTERVALS * poll.interval):
        return None
    free = {offer.slice_id for offer in poll.offers if offer.rentable}
    machines: dict[int, list[bool]] = defaultdict(list)
    for slice_id, offer in history.book.items():
        machines[offer.machine_id].append(slice_id in free)
    return statistics.fmean(statistics.fmean(found) for found in machines.values())


def _changed(poll: Poll, history: History) -> Iterator[Doubt]:
    """What the slices that stayed say against a poll, or its price against the recent ones where none stayed."""
    now = {offer.slice_id: offer for offer in poll.offers}
    stayed = [(old, now[slice_id]) for slice_id, old in history.book.items() if slice_id in now]
    small = len(stayed) < SMALL_BOOK
    yield from _verification(stayed)
    resized = sum(old.num_gpus != new.num_gpus for old, new in stayed)
    if resized > CHANGED_SHARE * len(stayed):
        yield Doubt(f"num_gpus changed on {resized} of {len(stayed)} slices of the same GPUs", STUBBORN)
    bids = [(old.min_bid, new.min_bid) for old, new in stayed if old.min_bid]
    lost = sum(new is None for _, new in bids)
    if patience := _patience(lost, len(bids)):
        yield Doubt(f"min_bid is gone from {lost} of {len(bids)} slices", patience)
    kept = [new / old for old, new in bids if old and new]
    demand = [new.on_demand / old.on_demand for old, new in stayed]
    for name, ratios in (("min_bid", kept), ("dph_base", demand)):
        yield from _scale(name, ratios, SMALL_PRICE_FACTOR if small else PRICE_FACTOR)
    if not stayed:
        yield from _new_level(poll, history)


def _patience(changed: int, stayed: int) -> Patience | None:
    """What it takes to believe that so many of the slices that stayed have changed beyond belief; None for so few."""
    if changed > CHANGED_SHARE * stayed:
        return STUBBORN
    return LASTING if changed >= PART_LEAST and changed > PART_SHARE * stayed else None


def _scale(name: str, ratios: Sequence[float], most: float) -> Iterator[Doubt]:
    beyond = [ratio for ratio in ratios if not 1 / most < ratio < most]
    if patience := _patience(len(beyond), len(ratios)):
        ratio = statistics.median(beyond)
        yield Doubt(f"{name} is {ratio:.3g} times the last one on {len(beyond)} of {len(ratios)} slices", patience)


def _verification(stayed: Sequence[tuple[Offer, Offer]]) -> Iterator[Doubt]:
    """By machines, as they are verified. A few that gain it are no wonder; a few that lose it leave no price."""
    after = {old.machine_id: (old.verified, new.verified) for old, new in stayed}
    for was in (True, False):
        group = [now for before, now in after.values() if before is was]
        small = len(group) < SMALL_BOOK
        flipped = sum(now is not was for now in group)
        if flipped > CHANGED_SHARE * len(group) and (was or not small):
            note = f"verification changed on {flipped} of {len(group)} machines"
            yield Doubt(note, LASTING if small else STUBBORN)


def _new_level(poll: Poll, history: History) -> Iterator[Doubt]:
    known = [reading.price for reading in history.complete if reading.price]
    bids = [offer.min_bid for offer in poll.offers if offer.rentable and offer.min_bid]
    if not known or not poll.offers:
        return
    if not bids:
        yield Doubt(f"none of {len(poll.offers)} offers has a min_bid", STUBBORN)
    elif not min(known) / LEVEL_FACTOR < statistics.median(bids) < max(known) * LEVEL_FACTOR:
        yield Doubt("prices are more than ten times beyond the recent ones", STUBBORN)
