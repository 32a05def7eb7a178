"""What can be rented now: the cheapest offers of the latest complete poll that fit an answer, and how to rent them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analytics.evidence import AHEAD_SECONDS, Note, iso
from analytics.market import HOUR, MICRO, STORAGE_MONTH_HOURS, WORLD, Offer, usd
from analytics.names import memory_in
from analytics.offer_now import OfferNow
from analytics.regions import countries_in
from analytics.slices import minimal_slices
from analytics.vast_commands import Search, bid_price, create_line, search_line

MOST_OFFERS = 3
"""Machines that an answer ends with (ours: people rent one of the cheapest)."""

DEFAULT_DISK_GB = 50
"""Disk of the prices all-in where the question names none (ours: an image, weights and some data)."""

OLD_AFTER_INTERVALS = 2
"""An offer that was seen longer ago than this many planned polls may be gone (ours: two polls could have told)."""

LEAST_BID = Note("the bid is the least that was taken at this poll, per hour for all GPUs, with nothing added to it")
NO_DEARER = Note("on demand costs no more here than the least bid, and is not interrupted")
AS_ASKED = Note("on demand, as the answer says")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which offers fit. ``gpus``: exactly so many in the slice, or ``at_least``; ``disk_gb``: of the question.

    ``hours``: how long the work takes, None where no length is known.
    """

    model: str
    gpus: int | None = None
    at_least: int = 1
    region: str = WORLD
    disk_gb: float | None = None
    on_demand: bool = False
    hours: float | None = None
    most: int = MOST_OFFERS


@dataclass(frozen=True, slots=True)
class Seen:
    """The rentable slices of a model at its latest complete poll; seconds. ``vast_name``: the market's own name."""

    vast_name: str
    at: int
    interval: int
    book: Sequence[Offer]


def offers_now(seen: Seen, wanted: Wanted, now: int) -> tuple[OfferNow, ...]:
    """The cheapest rentable verified slice of each machine, the cheapest machine first; at most ``wanted.most``.

    Price per GPU-hour without disk decides, so that the first is the floor of that market; but offers that end before
    ``wanted.hours`` are over come after those that last. ``now``: UTC seconds.
    """
    smallest = minimal_slices(offer for offer in seen.book if offer.verified and _fits(offer, wanted))
    taking = (offer for offer in smallest if _takes(offer, wanted, now))
    ranked = sorted(taking, key=lambda offer: (_ends_before(offer, wanted, now), *_rank(offer, wanted)))
    cheapest: dict[int, Offer] = {}
    for offer in ranked:
        cheapest.setdefault(offer.machine_id, offer)
    some = list(cheapest.values())[: wanted.most]
    if not some:
        return ()
    disk = _disk(wanted, some)
    return tuple(_offer(offer, seen, wanted, disk, now) for offer in some)


def _search(seen: Seen, wanted: Wanted, offer: Offer, disk: int) -> str:
    """What finds an offer again, whatever it is called by then."""
    size = memory_in(wanted.model)
    ours = seen.vast_name == wanted.model and size is not None  # told by who imports: the market's has no size
    return search_line(
        Search(
            vast_name=wanted.model.removesuffix(f" {size}GB") if ours else seen.vast_name,
            num_gpus=offer.num_gpus,
            disk_gb=disk,
            vram_gb=size,
            countries=() if wanted.region == WORLD else countries_in(wanted.region),
            on_demand=_on_demand(offer, wanted),
        )
    )


def _fits(offer: Offer, wanted: Wanted) -> bool:
    size = offer.num_gpus == wanted.gpus if wanted.gpus else offer.num_gpus >= wanted.at_least
    return size and wanted.region in (WORLD, offer.region)


def _takes(offer: Offer, wanted: Wanted, now: int) -> bool:
    """Whether it has a price and takes a tenant now; of a disk of unknown size the market will tell."""
    price = offer.on_demand if wanted.on_demand else offer.min_bid
    disk = wanted.disk_gb is None or offer.disk_gb is None or offer.disk_gb >= wanted.disk_gb
    return bool(price) and disk and (offer.end_date is None or offer.end_date > now)


def _ends_before(offer: Offer, wanted: Wanted, now: int) -> bool:
    """Whether it ends before the work is done."""
    return wanted.hours is not None and offer.end_date is not None and offer.end_date < now + wanted.hours * HOUR


def _rank(offer: Offer, wanted: Wanted) -> tuple[int, int, int, int]:
    price = offer.on_demand if wanted.on_demand else offer.min_bid or 0
    return price, offer.num_gpus, offer.machine_id, offer.offer_id or 0


def _disk(wanted: Wanted, offers: Sequence[Offer]) -> int:
    """GB of disk of all prices and lines: as asked; where nobody asked, no more than each of the machines has."""
    if wanted.disk_gb is not None:
        return max(1, math.ceil(wanted.disk_gb))
    return min(DEFAULT_DISK_GB, *(offer.disk_gb or DEFAULT_DISK_GB for offer in offers))


def _on_demand(offer: Offer, wanted: Wanted) -> bool:
    """Whether it is better rented on demand."""
    return wanted.on_demand or not offer.min_bid or bool(offer.on_demand and offer.on_demand <= offer.min_bid)


def _offer(offer: Offer, seen: Seen, wanted: Wanted, disk: int, now: int) -> OfferNow:
    demand, bid = _on_demand(offer, wanted), offer.min_bid or 0
    rent = (offer.on_demand if demand else bid) * offer.num_gpus
    storage = None if offer.storage_cost is None else offer.storage_cost * disk / STORAGE_MONTH_HOURS
    shown = None if demand else bid_price(bid, offer.num_gpus)
    old = not -AHEAD_SECONDS <= now - seen.at <= OLD_AFTER_INTERVALS * seen.interval
    why = AS_ASKED if wanted.on_demand else NO_DEARER if demand else LEAST_BID
    return OfferNow(
        gpu_name=offer.model,
        machine_id=offer.machine_id,
        offer_id=offer.offer_id,
        num_gpus=offer.num_gpus,
        region=offer.region,
        geolocation=offer.geolocation,
        spot_price=usd(offer.min_bid or None),
        on_demand_price=usd(offer.on_demand or None),
        market="on-demand" if demand else "spot",
        price_per_hour=round(rent / MICRO, 4),
        all_in_per_hour=None if storage is None else round((rent + storage) / MICRO, 4),
        disk_gb=disk,
        reliability=offer.reliability,
        until=None if offer.end_date is None else iso(offer.end_date),
        as_of=iso(seen.at),
        old=old,
        why=why,
        search_command=_search(seen, wanted, offer, disk),
        create_command=None if old or offer.offer_id is None else create_line(offer.offer_id, str(disk), shown),
        ends_before_hours=wanted.hours if _ends_before(offer, wanted, now) else None,
    )
