"""Q7: what renting at the spot price saves against AWS, Google Cloud and Azure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from analytics.catalog import Catalog
from analytics.evidence import OMIT, Basis, Evidence, Note, Usd
from analytics.hardware.comparators import (
    CLOUDS,
    LEAST_MEMORY,
    MOST_MEMORY,
    SPEED_FACTOR,
    Comparator,
    comparator,
    old_prices,
)
from analytics.hardware.machines import rated, thin
from analytics.market import MICRO, Quote, usd
from analytics.offer_now import OfferNow
from analytics.on_demand import cheaper_on_demand

HOURS_IN_YEAR = 8760
"""No GPU runs longer in a year (source: definitions, Q7: 365 days)."""

DEFAULT_HOURS = 100.0
"""Hours when none are given (source: the guide's example for question 7)."""

METHOD = Note(
    "cost = hours x the median spot price; each cloud by its on-demand price for the same GPU, else the nearest; "
    "the same work counts the hours that the other GPU needs for it"
)
NOT_COUNTED = Note("spot machines can be interrupted and bill their disk; the cost question counts both", usual=True)


@dataclass(frozen=True, slots=True)
class CloudCost:
    """One cloud. ``cost`` for as many hours, ``cost_same_work`` for as much training; savings against each."""

    cloud: str
    gpu_name: str
    instance: str
    region: str
    usd_per_gpu_hour: float
    same_gpu: bool
    date: str
    old: bool
    source: str
    note: str
    cost: float
    savings: float | None
    savings_percent: float | None
    hours_same_work: float | None
    cost_same_work: float | None
    savings_percent_same_work: float | None
    same_chip: bool
    """the same chip in another edition"""


@dataclass(frozen=True, slots=True)
class Savings:
    """Q7. ``savings_*`` and ``roi_*`` are against AWS; None where nothing compares or nothing is on offer.

    ``*_same_work``: against what AWS takes for as much training; the others against as many hours of its GPU.
    """

    gpu_name: str
    hours: float
    cost_dumont: float | None
    cost_aws: float | None
    cost_gcp: float | None
    cost_azure: float | None
    savings_vs_aws: float | None
    savings_percent: float | None
    roi_annual: float | None
    roi_percent: float | None
    hours_per_year: float
    price_per_hour: float | None
    price_p10: float | None
    price_p90: float | None
    on_demand_price: float | None
    cost_aws_same_work: float | None
    savings_vs_aws_same_work: float | None
    savings_percent_same_work: float | None
    comparators: tuple[CloudCost, ...]
    offers_now: tuple[OfferNow, ...] | None = field(default=None, kw_only=True, metadata=OMIT)
    """the best matching offers; left out where the answer names no model"""
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Use:
    """How long a GPU is used: for the costs, and in a year for ``roi_annual`` (more than 8760 counts as 8760)."""

    hours: float = DEFAULT_HOURS
    hours_per_year: float = HOURS_IN_YEAR


def savings(model: str, quote: Quote | None, use: Use, catalog: Catalog, basis: Basis) -> Savings:
    """Q7 for one model at its latest quote. USD.

    savings_percent = (C_ref - C) / C_ref, roi_percent = savings / C, roi_annual = hourly saving x
    min(hours_per_year, 8760), all from the unrounded costs. Source: definitions, "Q7 savings".
    """
    price = quote.price / MICRO if quote and quote.price else None
    gpu = rated(model, catalog)
    found = [c for cloud in CLOUDS if gpu and (c := comparator(cloud, gpu, catalog, basis.now))]
    clouds = {c.cloud: _cloud_cost(c, use.hours, price) for c in found}
    there = next((c for c in found if c.cloud == "AWS"), None)
    aws = there.usd_per_gpu_hour if there else None
    worked = None if there is None or there.work_ratio is None else there.usd_per_gpu_hour * there.work_ratio
    hourly = None if aws is None or price is None else aws - price
    for_work = None if worked is None or price is None else worked - price
    year = min(use.hours_per_year, HOURS_IN_YEAR)
    return Savings(
        gpu_name=model,
        hours=use.hours,
        cost_dumont=_round(price, use.hours),
        cost_aws=_cost(clouds, "AWS"),
        cost_gcp=_cost(clouds, "GCP"),
        cost_azure=_cost(clouds, "Azure"),
        savings_vs_aws=_round(hourly, use.hours),
        savings_percent=_percent(hourly, aws),
        roi_annual=_round(hourly, year),
        roi_percent=_percent(hourly, price),
        hours_per_year=year,
        price_per_hour=usd(quote.price if quote else None),
        price_p10=usd(quote.p10 if quote else None),
        price_p90=usd(quote.p90 if quote else None),
        on_demand_price=usd(quote.on_demand if quote else None),
        cost_aws_same_work=_round(worked, use.hours),
        savings_vs_aws_same_work=_round(for_work, use.hours),
        savings_percent_same_work=_percent(for_work, worked),
        comparators=tuple(clouds.values()),
        evidence=basis.evidence(
            METHOD,
            (*_about_price(model, quote, found), *_caveats(model, price, found, listed=gpu is not None)),
            assumptions=_assumptions(year),
        ),
    )


def _round(per_hour: float | None, hours: float) -> float | None:
    return None if per_hour is None else round(per_hour * hours, 4)


def _percent(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else round(100 * part / whole, 2)


def _cost(clouds: dict[str, CloudCost], cloud: str) -> float | None:
    return clouds[cloud].cost if cloud in clouds else None


def _cloud_cost(found: Comparator, hours: float, price: float | None) -> CloudCost:
    theirs = found.usd_per_gpu_hour
    per_work = None if found.work_ratio is None else theirs * found.work_ratio
    return CloudCost(
        cloud=found.cloud,
        gpu_name=found.gpu_name,
        instance=found.instance,
        region=found.region,
        usd_per_gpu_hour=theirs,
        same_gpu=found.same_gpu,
        date=found.date,
        old=found.old,
        source=found.source,
        note=found.note,
        cost=round(theirs * hours, 4),
        savings=_round(None if price is None else theirs - price, hours),
        savings_percent=_percent(None if price is None else theirs - price, theirs),
        hours_same_work=_round(found.work_ratio, hours),
        cost_same_work=_round(per_work, hours),
        savings_percent_same_work=_percent(None if price is None or per_work is None else per_work - price, per_work),
        same_chip=found.same_chip,
    )


def _caveats(model: str, price: float | None, found: Sequence[Comparator], *, listed: bool) -> tuple[Note, ...]:
    caveats = [] if price is not None else [Note("no {model} with a spot price is on offer", {"model": model})]
    if not listed:
        caveats.append(Note("{model} is not in the catalogue, so no cloud can be compared", {"model": model}))
    caveats += old_prices(found)
    if listed:
        caveats += _not_listed(model, found)
    return (*caveats, NOT_COUNTED)


def _not_listed(model: str, found: Sequence[Comparator]) -> list[Note]:
    """What our price list lacks. That a cloud does not sell it cannot be told from a list of ours."""
    notes, have = [], {c.cloud for c in found}
    without = [cloud for cloud in CLOUDS if cloud not in have]
    other = [f"{c.cloud} {c.gpu_name}" for c in found if not c.same_gpu and not c.same_chip]
    edition = [f"{c.cloud} {c.gpu_name}" for c in found if c.same_chip]
    if other:
        text = "{model} is not in our price list of these clouds; the nearest GPU there: {list}"
        notes.append(Note(text, {"model": model, "list": ", ".join(other)}))
    if edition:
        notes.append(Note("the same chip in another edition: {list}", {"list": ", ".join(edition)}))
    if without:
        text = "nothing in our price list compares with {model}: {clouds}"
        notes.append(Note(text, {"model": model, "clouds": ", ".join(without)}))
    return notes


def _about_price(model: str, quote: Quote | None, found: Sequence[Comparator]) -> tuple[Note, ...]:
    """Where the spot price saves nothing, and where hardly anybody stands behind it."""
    if quote is None or not quote.price:
        return ()
    price = quote.price / MICRO
    text = "spot is dearer here than {cloud} on demand: {price} against {theirs} per GPU-hour ({gpu})"
    dearer = (
        Note(text, {"cloud": c.cloud, "price": Usd(price), "theirs": Usd(c.usd_per_gpu_hour), "gpu": c.gpu_name})
        for c in found
        if price > c.usd_per_gpu_hour
    )
    here = cheaper_on_demand([(model, quote.price, quote.on_demand)])
    return (*here, *dearer, *thin([(model, quote.machines)] if quote.machines else []))


def _assumptions(year: float) -> dict[str, float]:
    return {
        "hours_per_year": year,
        "comparable_memory_at_least": LEAST_MEMORY,
        "comparable_memory_at_most": MOST_MEMORY,
        "comparable_speed_factor": SPEED_FACTOR,
    }
