"""Real market data beside the checkout as files that ``spotbot import`` takes: what :mod:`benchmarks.promise` judges.

Nothing is kept in the project: the sources stay in ``../shared/data`` and the files go to the folder that is given. A
GPU's name says which series it is; the catalogue knows none of these names, so the import keeps them as they are.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import ROOT

DATA = ROOT.parent / "shared" / "data"
HOUR, DAY = 3600, 86_400
MOVES_A_DAY = 0.5
"""AWS series with fewer price changes a day are left out: half of them never change and say nothing of a forecaster."""
VAST = "vast_ai"
HEADER = ("ts_utc", "gpu_name", "region", "price")

Row = Mapping[str, str]
Price = tuple[int, str, float]
"""UTC second, name of the series, USD per GPU-hour."""


@dataclass(frozen=True, slots=True)
class Source:
    """One data set: the file it comes from and how that becomes prices."""

    file: str
    convert: Callable[[Iterable[Row]], Iterator[Price]]


def second(text: str) -> int:
    """The UTC second of an ISO time."""
    return int(dt.datetime.fromisoformat(text).timestamp())


def neocloud(column: str) -> Callable[[Iterable[Row]], Iterator[Price]]:
    """One statistic of the aggregator's prices, every recording as it is."""

    def prices(rows: Iterable[Row]) -> Iterator[Price]:
        for row in rows:
            yield second(row["ts_utc"]), row["gpu"], float(row[column])

    return prices


def floors(rows: Iterable[Row]) -> Iterator[Price]:
    """The cheapest price without a term by chip, provider and whether it can be interrupted, at its own times.

    The providers are Vast, verified offers only, and RunPod, which did not change a price in these weeks.
    """
    cheapest: dict[tuple[int, str], float] = {}
    for row in rows:
        if row["commitment_term"] != "OnDemand" or not row["cheapest_usd_hour"]:
            continue
        provider = "Vast" if row["source_name"].startswith(VAST) else "RunPod"
        kind = "interruptible" if row["interruptibility"] == "Interruptible" else "on-demand"
        key = second(row["ts_utc"]), f"{row['gpu_model']} {row['form_factor']} {provider} {kind}"
        price = float(row["cheapest_usd_hour"])
        cheapest[key] = min(price, cheapest.get(key, price))
    for (at, name), price in cheapest.items():
        yield at, name, price


def vast_floors(rows: Iterable[Row]) -> Iterator[Price]:
    """The floors of Vast alone, so that no price which never moves tells the others what errors to expect."""
    yield from floors(row for row in rows if row["source_name"].startswith(VAST))


def aws_movers(rows: Iterable[Row]) -> Iterator[Price]:
    """Hourly prices of the instances and zones that move, from change events."""
    events: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for row in rows:
        price = float(row["price_usd_per_hour"]) / int(row["n_gpus"])
        events[f"{row['gpu']} {row['instance']} {row['zone']}"].append((second(row["ts_utc"]), price))
    for name, found in events.items():
        found.sort()
        if moves_a_day(found) > MOVES_A_DAY:
            yield from ((at, name, price) for at, price in hourly(found))


def moves_a_day(events: Sequence[tuple[int, float]]) -> float:
    """How often the price was another one than before, per day between the first and the last event."""
    days = (events[-1][0] - events[0][0]) / DAY
    return sum(a != b for (_, a), (_, b) in itertools.pairwise(events)) / days if days else 0.0


def hourly(events: Sequence[tuple[int, float]]) -> Iterator[tuple[int, float]]:
    """The price in force at each full hour between the first and the last event; ``events`` ascending.

    An event later in an hour counts from the next one on: at the full hour nobody knew of it.
    """
    n = 0
    for at in range(-(-events[0][0] // HOUR) * HOUR, events[-1][0] + 1, HOUR):
        while n + 1 < len(events) and events[n + 1][0] <= at:
            n += 1
        yield at, events[n][1]


_NEOCLOUD = "neocloud_tugot17_2025-10_11.csv.gz"
_FLOORS = "marketplace_floor_ccir_ccby_2026-07.csv.gz"
SOURCES: Mapping[str, Source] = {
    "aws": Source("aws_gpu_spot_2019-12_2020-03.csv.gz", aws_movers),
    "neo-median": Source(_NEOCLOUD, neocloud("median")),
    "neo-p10": Source(_NEOCLOUD, neocloud("p10")),
    "neo-p25": Source(_NEOCLOUD, neocloud("p25")),
    "floors": Source(_FLOORS, floors),
    "floors-vast": Source(_FLOORS, vast_floors),
}


def write(source: Source, file: Path, data: Path = DATA) -> None:
    """Write a set as an import file of prices, in order of time."""
    with gzip.open(data / source.file, "rt", newline="") as raw, file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(HEADER)
        for at, name, price in sorted(source.convert(csv.DictReader(raw))):
            writer.writerow((dt.datetime.fromtimestamp(at, dt.UTC).isoformat(), name, "World", f"{price:.6f}"))
