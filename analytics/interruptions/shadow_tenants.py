"""The shadow tenants: what would have happened to people bidding on every free slice, poll by poll.

Pure and without memory of its own: the tenants of one model go in with its next complete poll, and come out moved on,
with everything the step adds to the books (definitions, "Interruptions: the shadow tenant").
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from analytics.market import (
    AGE_BINS_H,
    ANY_MACHINE,
    HOUR,
    MAX_GAP_INTERVALS,
    Cause,
    Exposure,
    Interruption,
    LifeTable,
    Offer,
    Poll,
    Shadow,
    Tenant,
)
from analytics.slices import cheaper, minimal_slices

BID_FACTOR = 1.1
"""What a shadow tenant bids, as a multiple of min_bid (source: definitions, "Interruptions"; our choice)."""

PATIENCE_S = 18 * HOUR
"""How long an interrupted tenant waits for its slice before it gives up and another may take it (ours: what 99 % of the
outages in nine AWS V100 zones stayed below; source: market-statistics 5). Bounds what one lost machine can add."""

_EDGES_S = tuple(round(edge * HOUR) for edge in AGE_BINS_H)


_FIELD = {Cause.OUTBID: "outbid", Cause.TAKEN_OR_DOWN: "taken_or_down", Cause.ABSENT: "absent"}


@dataclass(frozen=True, slots=True)
class Book:
    """What tenants see at a poll, worked out once for all of them."""

    rows: Mapping[str, Offer]
    """the row that decides about each slice"""
    vacant: tuple[Offer, ...]
    """the minimal slices that a tenant may take"""
    elsewhere: AbstractSet[str] = frozenset()
    """slices that another model shows now: their machine bears another name, nobody lost it"""

    @staticmethod
    def of(poll: Poll, free: Sequence[Offer] | None = None, elsewhere: AbstractSet[str] = frozenset()) -> Book:
        """The book of a poll. ``free``: ``minimal_slices(poll.offers)``, if at hand."""
        vacant = minimal_slices(poll.offers) if free is None else free
        priced = tuple(offer for offer in vacant if offer.verified and offer.min_bid)
        return Book(_by_slice(poll.offers), priced, elsewhere)


def advance(
    tenants: Sequence[Tenant],
    poll: Poll,
    *,
    previous_at: int | None,
    interval: int,
    bid_factor: float = BID_FACTOR,
    book: Book | None = None,
) -> Shadow:
    """Move the tenants of one model on to its next complete poll.

    ``previous_at``: UTC seconds of the last complete poll, None at the first; ``interval``: planned seconds between
    polls. A poll that is not newer changes nothing. A step that changes a tenant's state gives half of its time to
    each state. Tenancies end without event or exposure when the gap is too long, the offer's end_date has passed,
    its verification changed, it is missing from a machine with unreadable rows, or another model shows its slice. Only
    verified slices are followed. ``book``: what is seen at the poll, if at hand.
    Returns the tenants after the step, interruptions started and ended, exposure by (region, hour), life table.
    Source: definitions, "Interruptions: the shadow tenant".
    """
    if previous_at is not None and poll.at <= previous_at:
        return Shadow(tenants=tuple(tenants))
    step = _Step(poll.at if previous_at is None else previous_at, poll.at)
    book = book or Book.of(poll)
    if previous_at is not None and poll.at - previous_at <= MAX_GAP_INTERVALS * interval:
        for tenant in tenants:
            offer = book.rows.get(tenant.slice_id)
            if offer is not None or not _unknown(tenant, poll, book):
                step.take(tenant, offer)
    taken = {tenant.slice_id for tenant in step.tenants}
    step.tenants += [_new(offer, poll.at, bid_factor) for offer in book.vacant if offer.slice_id not in taken]
    return step.result()


def _unknown(tenant: Tenant, poll: Poll, book: Book) -> bool:
    """Whether a slice that is missing may be there all the same: unreadable, or under another model's name."""
    unread = not poll.unknown.isdisjoint((tenant.machine_id, ANY_MACHINE))
    return unread or tenant.slice_id in book.elsewhere


def _by_slice(offers: Iterable[Offer]) -> dict[str, Offer]:
    """The row that decides about each slice: a rentable one before others, then the cheapest bid."""
    seen: dict[str, Offer] = {}
    for offer in offers:
        key = offer.slice_id
        if key not in seen or (offer.rentable, cheaper(offer, seen[key])) > (seen[key].rentable, False):
            seen[key] = offer
    return seen


def _new(offer: Offer, at: int, bid_factor: float) -> Tenant:
    return Tenant(
        slice_id=offer.slice_id,
        model=offer.model,
        region=offer.region,
        machine_id=offer.machine_id,
        num_gpus=offer.num_gpus,
        bid=round((offer.min_bid or 0) * bid_factor),
        since=at,
        verified=offer.verified,
        host_id=offer.host_id,
        end_date=offer.end_date,
    )


def _censored(tenant: Tenant, offer: Offer | None, at: int) -> bool:
    end_date = tenant.end_date if offer is None else offer.end_date
    return (end_date is not None and end_date <= at) or (offer is not None and offer.verified != tenant.verified)


def _lost(tenant: Tenant, offer: Offer | None) -> Cause | None:
    """Why the tenant cannot run at this poll, None when it can. A rentable slice without a min_bid outbids nobody."""
    if offer is None:
        return Cause.ABSENT
    if not offer.rentable:
        return Cause.TAKEN_OR_DOWN
    return Cause.OUTBID if (offer.min_bid or 0) > tenant.bid else None


def _interruption(tenant: Tenant, cause: Cause, held_at: int, seen_at: int, back_at: int | None = None) -> Interruption:
    return Interruption(
        model=tenant.model,
        region=tenant.region,
        slice_id=tenant.slice_id,
        machine_id=tenant.machine_id,
        host_id=tenant.host_id,
        num_gpus=tenant.num_gpus,
        cause=cause,
        bid=tenant.bid,
        held_at=held_at,
        seen_at=seen_at,
        back_at=back_at,
    )


class _Step:
    """Collects one step of one model. All its tenants share the same two halves, so the hours are split once a region.

    While a tenant waits, its ``since`` keeps the last poll at which it ran and ``down_since`` the first at which it did
    not, so that the interruption that ends carries the same two polls as when it started.
    """

    def __init__(self, before: int, at: int) -> None:
        self.before, self.middle, self.at = before, (before + at) // 2, at
        self.tenants: list[Tenant] = []
        self.started: list[Interruption] = []
        self.ended: list[Interruption] = []
        self.moves: Counter[tuple[str, bool, bool, Cause | None]] = Counter()
        self.at_risk_s = [0] * (len(_EDGES_S) + 1)
        self.events = [0] * (len(_EDGES_S) + 1)

    def take(self, tenant: Tenant, offer: Offer | None) -> None:
        """Account one tenant's step and keep it, unless it is censored or has lost its patience."""
        if _censored(tenant, offer, self.at):
            return
        cause = _lost(tenant, offer)
        end_date = tenant.end_date if offer is None else offer.end_date
        if tenant.down_since is None:
            self.moves[tenant.region, True, cause is None, cause] += 1
            self.tenants.append(self._ran(tenant, cause, end_date))
        else:
            self.moves[tenant.region, False, cause is None, None] += 1
            if cause is None:
                self.tenants.append(self._resumed(tenant, end_date))
            elif self.at - tenant.down_since < PATIENCE_S:
                self.tenants.append(_ending(tenant, end_date))

    def _ran(self, tenant: Tenant, cause: Cause | None, end_date: int | None) -> Tenant:
        if cause is None:
            self._risk(self.before - tenant.since, self.at - tenant.since)
            return _ending(tenant, end_date)
        self._risk(self.before - tenant.since, self.middle - tenant.since)
        self.events[bisect_right(_EDGES_S, self.middle - tenant.since)] += 1
        self.started.append(_interruption(tenant, cause, self.before, self.at))
        return replace(tenant, since=self.before, end_date=end_date, down_since=self.at, cause=cause)

    def _resumed(self, tenant: Tenant, end_date: int | None) -> Tenant:
        self._risk(0, self.at - self.middle)
        cause, seen_at = tenant.cause or Cause.ABSENT, tenant.down_since or self.at
        self.ended.append(_interruption(tenant, cause, tenant.since, seen_at, self.at))
        return replace(tenant, since=self.middle, end_date=end_date, down_since=None, cause=None)

    def _risk(self, start: int, end: int) -> None:
        """Spread seconds at risk over the age bins."""
        index = bisect_right(_EDGES_S, start)
        while index < len(_EDGES_S) and end > _EDGES_S[index]:
            self.at_risk_s[index] += _EDGES_S[index] - start
            start = _EDGES_S[index]
            index += 1
        self.at_risk_s[index] += end - start

    def _exposure(self) -> dict[tuple[str, int], Exposure]:
        books: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
        halves = (tuple(_hours(self.before, self.middle)), tuple(_hours(self.middle, self.at)))
        for (region, was_up, is_up, cause), count in self.moves.items():
            for up, hours in zip((was_up, is_up), halves, strict=True):
                for hour, seconds in hours:
                    books[region, hour]["held_s" if up else "interrupted_s"] += count * seconds
            # the step itself, and what it brought, belong to the hour of its middle
            book = books[region, self.middle // HOUR]
            book["up_steps" if was_up else "down_steps"] += count
            if cause is not None:
                book[_FIELD[cause]] += count
            elif is_up and not was_up:
                book["resumed"] += count
        return {key: Exposure(**book) for key, book in books.items()}

    def result(self) -> Shadow:
        """The step as the books take it."""
        return Shadow(
            tenants=tuple(self.tenants),
            started=tuple(self.started),
            ended=tuple(self.ended),
            exposure=self._exposure(),
            life=LifeTable(tuple(self.at_risk_s), tuple(self.events)),
        )


def _ending(tenant: Tenant, end_date: int | None) -> Tenant:
    """The tenant as it was, unless its offer's end has moved: most steps change nobody."""
    return tenant if end_date == tenant.end_date else replace(tenant, end_date=end_date)


def _hours(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The clock hours that [start, end) touches, and its seconds in each."""
    while start < end:
        stop = min(end, (start // HOUR + 1) * HOUR)
        yield start // HOUR, stop - start
        start = stop
