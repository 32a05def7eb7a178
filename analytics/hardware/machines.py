"""What is on offer as machines: for each model and number of GPUs what such a slice costs and its memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from analytics.catalog import MIB_PER_GIB, Catalog, Gpu, Mfu
from analytics.evidence import Note, Plural
from analytics.hardware.memory import GIB
from analytics.hardware.speed import mfu_of
from analytics.market import MICRO, Offer
from analytics.names import memory_in
from analytics.on_demand import cheaper_on_demand
from analytics.prices import BAND_HIGH, BAND_LOW, quantile

ENOUGH_MACHINES = 3
"""The price of fewer machines is hardly a median (ours: with two, it is what one or two hosts happen to ask)."""


MOST_NAMED = 4
"""How many prices a caveat names (ours: each line of an answer has its number of machines beside it)."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Slices of one model with the same number of GPUs. Prices in micro-dollars per GPU-hour over machines.

    ``storage``: median micro-dollars per GB and month, None when no offer says.
    """

    model: str
    gpus: int
    price: int
    floor: int
    p10: int
    p90: int
    on_demand: int
    machines: int
    vram_gib: float | None
    storage: float | None
    gpu: Gpu | None
    mfu: Mfu | None

    @property
    def usd_per_hour(self) -> float:
        """The median spot price of all GPUs of such a slice."""
        return self.price * self.gpus / MICRO

    @property
    def vram_bytes(self) -> float | None:
        """Memory of one GPU."""
        return None if self.vram_gib is None else self.vram_gib * GIB


def machines(book: Iterable[Offer], catalog: Catalog) -> list[Machine]:
    """Every (model, number of GPUs) with a rentable, verified, priced slice; of each machine its cheapest counts."""
    cheapest: dict[tuple[str, int], dict[int, Offer]] = defaultdict(dict)
    for offer in book:
        if not (offer.rentable and offer.verified and offer.min_bid):
            continue
        held = cheapest[offer.model, offer.num_gpus]
        other = held.get(offer.machine_id)
        if other is None or offer.min_bid < (other.min_bid or offer.min_bid):
            held[offer.machine_id] = offer
    return [_machine(model, n, tuple(found.values()), catalog) for (model, n), found in sorted(cheapest.items())]


def _machine(model: str, gpus: int, offers: Sequence[Offer], catalog: Catalog) -> Machine:
    bids = sorted((offer.min_bid or 0, 1) for offer in offers)
    storage = [offer.storage_cost for offer in offers if offer.storage_cost is not None]
    gpu = rated(model, catalog)
    return Machine(
        model=model,
        gpus=gpus,
        price=quantile(bids, 0.5) or 0,
        floor=bids[0][0],
        p10=quantile(bids, BAND_LOW) or 0,
        p90=quantile(bids, BAND_HIGH) or 0,
        on_demand=round(median(offer.on_demand for offer in offers)),
        machines=len(offers),
        vram_gib=_vram(model, offers, catalog),
        storage=median(storage) if storage else None,
        gpu=gpu,
        mfu=mfu_of(gpu, catalog) if gpu else None,
    )


def _vram(model: str, offers: Sequence[Offer], catalog: Catalog) -> float | None:
    """What the drivers report where they do, else the catalogue's size, else what the name says."""
    reported = [offer.gpu_ram_mb for offer in offers if offer.gpu_ram_mb]
    if reported:
        return median(reported) / MIB_PER_GIB
    gpu = catalog.gpu(model)
    return float(gpu.vram_gb) if gpu else memory_in(model)


def nominal_gb(machine: Machine) -> int | None:
    """The memory of one GPU as it is sold."""
    if machine.gpu:
        return machine.gpu.vram_gb
    return None if machine.vram_gib is None else round(machine.vram_gib)


def rated(model: str, catalog: Catalog) -> Gpu | None:
    """The catalogue's GPU; a rebuilt one (``RTX 4090 48GB``) computes like the one as sold; None if none is listed.

    Where it was sold in several sizes (``RTX 3080``), a rebuilt one counts as the slowest of them: which it was made of
    is not told.
    """
    gpu, size = catalog.gpu(model), memory_in(model)
    if gpu or size is None:
        return gpu
    name = model.removesuffix(f" {size}GB")
    family = [one for one in catalog.gpus if one.name in (name, f"{name} {one.vram_gb}GB")]
    slowest = min(family, key=lambda one: (one.tflops or 0.0, one.mem_bw_gbs), default=None)
    return replace(slowest, name=model, vram_gb=size) if slowest else None


def no_dearer_on_demand(machines: Iterable[Machine]) -> tuple[Note, ...]:
    """The caveat that names machines which cost no more on demand."""
    return cheaper_on_demand((f"{one.gpus}× {one.model}", one.price, one.on_demand) for one in machines)


def thin(rests: Iterable[tuple[str, int]]) -> tuple[Note, ...]:
    """The caveat where prices, each given as its name and the machines that it rests on, rest on too few of them."""
    few = [f"{name} ({machines})" for name, machines in dict.fromkeys(rests) if machines < ENOUGH_MACHINES]
    if not few:
        return ()
    text = Plural(
        "prices that rest on fewer than {n} machine are hardly medians: {prices}",
        "prices that rest on fewer than {n} machines are hardly medians: {prices}",
    )
    prices: str | Note = ", ".join(few[:MOST_NAMED])
    if len(few) > MOST_NAMED:
        prices = Note("{list} and {n} more", {"list": prices, "n": len(few) - MOST_NAMED})
    return (Note(text, {"n": ENOUGH_MACHINES, "prices": prices}),)
