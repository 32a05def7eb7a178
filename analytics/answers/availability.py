"""What is free now and where (Q5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from analytics import regions
from analytics.evidence import OMIT, Basis, Evidence, Note, Plural, Usd
from analytics.hardware.machines import ENOUGH_MACHINES
from analytics.market import WORLD, Offer, Quote, usd
from analytics.offer_now import OfferNow
from analytics.on_demand import cheaper_on_demand
from analytics.prices import quotes


@dataclass(frozen=True, slots=True)
class RegionSupply:
    """One region; ``avg_price`` is the median USD per GPU-hour (the key's name is the guide's)."""

    region: str
    available_count: int
    """GPUs, each once"""
    avg_price: float | None
    latency_ms: int | None
    """an estimate from the distance, None when the place is unknown"""
    floor_price: float | None
    on_demand_price: float | None
    offers: int
    """slices of at least the asked number of GPUs"""
    machines: int
    change_vs_yesterday: int | None
    """GPUs more than at the same hour yesterday"""
    countries: Mapping[str, int]
    """GPUs by country; they add up to ``available_count``"""


@dataclass(frozen=True, slots=True)
class Availability:
    """Q5; ``total_available`` is the sum over regions."""

    gpu_name: str
    total_available: int
    regions: tuple[RegionSupply, ...]
    best_region: str | None
    gpus_per_machine: int
    home: str | None
    offers_now: tuple[OfferNow, ...] | None = field(default=None, kw_only=True, metadata=OMIT)
    """the best matching offers; left out where the answer names no model"""
    evidence: Evidence


def availability(
    model: str,
    book: Sequence[Offer],
    basis: Basis,
    *,
    at_least: int = 1,
    yesterday: Mapping[str, int] | None = None,
    home: str | None = None,
) -> Availability:
    """Free, verified GPUs of a model by region, most first; only slices of at least ``at_least`` GPUs.

    ``book``: the rentable slices of the latest complete poll; ``yesterday``: region -> GPUs at the same hour a day
    earlier, None when that hour is not stored. ``best_region``: the cheapest median among regions with at least
    ``ENOUGH_MACHINES`` machines. An empty market is an answer: 0. Source: definitions, "Q5 availability".
    """
    offers = [offer for offer in book if offer.verified and offer.rentable and offer.num_gpus >= at_least]
    found = quotes(offers, basis.as_of or basis.now)
    places = {region: quote for (region, _), quote in found.items() if region != WORLD}
    compare = yesterday if at_least == 1 else None
    gone = {region for region, gpus in (compare or {}).items() if gpus and region not in places}
    world = next((quote for (region, _), quote in found.items() if region == WORLD), None)
    cheaper = cheaper_on_demand([(model, world.price, world.on_demand)] if world else [])
    nothing = Quote(0, None, None, None, None, None, 0, 0, 0)
    rows = [_row(region, places.get(region, nothing), offers, compare, home) for region in sorted({*places, *gone})]
    rows.sort(key=lambda row: -row.available_count)
    best = _best(rows)
    return Availability(
        gpu_name=model,
        total_available=sum(row.available_count for row in rows),
        regions=tuple(rows),
        best_region=best,
        gpus_per_machine=at_least,
        home=home,
        evidence=basis.evidence(
            Note(
                Plural(
                    "free verified GPUs at the latest complete poll; best: cheapest median with {n} machine or more",
                    "free verified GPUs at the latest complete poll; best: cheapest median with {n} machines or more",
                ),
                {"n": ENOUGH_MACHINES},
            ),
            (*cheaper, *_caveats(rows, best, at_least, yesterday is not None, home)),
        ),
    )


def _row(
    region: str, quote: Quote, offers: Sequence[Offer], yesterday: Mapping[str, int] | None, home: str | None
) -> RegionSupply:
    there = [replace(o, region=regions.country_of(o.geolocation)) for o in offers if o.region == region]
    countries = {country: found.gpus for (country, _), found in quotes(there, quote.at).items() if country != WORLD}
    return RegionSupply(
        region=region,
        available_count=quote.gpus,
        avg_price=usd(quote.price),
        latency_ms=regions.latency_ms(home, region),
        floor_price=usd(quote.floor),
        on_demand_price=usd(quote.on_demand),
        offers=quote.offers,
        machines=quote.machines,
        change_vs_yesterday=None if yesterday is None else quote.gpus - yesterday.get(region, 0),
        countries=dict(sorted(countries.items(), key=lambda item: -item[1])),
    )


def _best(rows: Sequence[RegionSupply]) -> str | None:
    enough = [row for row in rows if row.machines >= ENOUGH_MACHINES and row.avg_price is not None]
    return min(enough, key=lambda row: (row.avg_price or 0.0, -row.available_count)).region if enough else None


def _caveats(
    rows: Sequence[RegionSupply], best: str | None, at_least: int, compared: bool, home: str | None
) -> list[Note]:
    notes = []
    priced = [row for row in rows if row.avg_price is not None]
    if best is None and priced:
        cheap = min(priced, key=lambda row: row.avg_price or 0.0)
        values = {"n": ENOUGH_MACHINES, "region": cheap.region, "price": Usd(cheap.avg_price or 0.0)}
        notes.append(
            Note(
                Plural(
                    "no region has {n} machine; the cheapest median is {region} at {price}",
                    "no region has {n} machines; the cheapest median is {region} at {price}",
                ),
                values,
            )
        )
    if at_least > 1:
        notes.append(
            Note("changes since yesterday are known for all GPUs only, not for machines of {n}", {"n": at_least})
        )
    elif not compared:
        notes.append(Note("no poll at this hour yesterday: changes are unknown"))
    if home is None:
        notes.append(Note("no latency without a place to measure from (home=)"))
    elif regions.place(home) is None:
        notes.append(Note("“{home}” is not a place known here: no latency", {"home": home}))
    else:
        notes.append(
            Note("latency is an estimate from the distance to {home}, not a measurement", {"home": home}, usual=True)
        )
    return notes
