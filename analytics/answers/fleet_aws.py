"""What a fleet's work (Q3) would cost on AWS on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from analytics.answers.fleet_program import Fleet
from analytics.catalog import Catalog, CloudPrice, Gpu
from analytics.hardware.comparators import Comparator, comparator
from analytics.hardware.machines import rated


@dataclass(frozen=True, slots=True)
class Aws:
    """What a fleet's effective work costs on AWS on demand, and on which of its GPUs."""

    cost: float | None
    compared: tuple[Comparator, ...] = ()
    stand_in: CloudPrice | None = None
    """where a model has no comparable GPU: the one on which AWS does such work cheapest"""
    without: tuple[str, ...] = ()
    """the models that it stands in for"""


def on_aws(
    fleet: Fleet, speed: Callable[[Gpu, Catalog], float | None], hours: float, catalog: Catalog, now: int
) -> Aws:
    """The cost of what ``fleet`` does in ``hours`` a month, USD: on like GPUs, else where AWS does it cheapest."""
    prices = [row for row in catalog.cloud_prices if row.cloud == "AWS" and row.kind == "on_demand"]
    known = {row.gpu: fast for row in prices if (gpu := catalog.gpu(row.gpu)) and (fast := speed(gpu, catalog))}
    if not fleet or not known:
        return Aws(None)
    stand_in = min((row for row in prices if row.gpu in known), key=lambda row: row.usd_per_gpu_hour / known[row.gpu])
    dollars, without, compared = 0.0, [], {}
    for lot, n in fleet:
        gpu = rated(lot.model, catalog)
        like = comparator("AWS", gpu, catalog, now) if gpu else None
        if like is not None and like.gpu_name in known:
            compared[like.gpu_name] = like
            rate = like.usd_per_gpu_hour / known[like.gpu_name]
        else:
            without.append(lot.model)
            rate = stand_in.usd_per_gpu_hour / known[stand_in.gpu]
        dollars += lot.work * lot.size * n * hours * rate
    return Aws(dollars, tuple(compared.values()), stand_in if without else None, tuple(dict.fromkeys(without)))
