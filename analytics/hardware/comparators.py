"""What AWS, Google Cloud and Azure would take: the same GPU where a cloud sells it, else the nearest, else nothing."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

from analytics.catalog import Catalog, CloudPrice, Gpu, Mfu
from analytics.evidence import Note, Plural
from analytics.hardware.speed import mfu_of
from analytics.market import DAY

CLOUDS = ("AWS", "GCP", "Azure")
"""The clouds that are compared with (source: the guide's answer to question 7)."""

LEAST_MEMORY, MOST_MEMORY = 0.9, 3.0
"""A comparable GPU has at least 90 % of the memory, so that the same job fits, and at most three times as much
(source: our choice; beyond that one would pay for another class of machine)."""

SPEED_FACTOR = 3.0
"""A comparable GPU is at most three times as fast or slow in dense 16-bit TFLOPS (source: our choice, as above)."""

PRICE_OLD_DAYS = 90
"""Cloud prices older than this are flagged (source: definitions, Q7)."""

EDITIONS = frozenset({"WS", "S", "PCIE", "SXM", "SXM2", "SXM4", "NVL", "Max-Q"})
"""Words at the end of a GPU's name that tell builds of one chip apart (source: NVIDIA's product names)."""

DATE_PARTS = 3
"""Year, month and day (source: ISO 8601)."""


@dataclass(frozen=True, slots=True)
class Comparator:
    """What one cloud sells for the same purpose. ``work_ratio``: its GPU-hours for the work of one of our GPU-hours."""

    cloud: str
    gpu_name: str
    instance: str
    region: str
    usd_per_gpu_hour: float
    same_gpu: bool
    work_ratio: float | None
    date: str
    old: bool
    source: str
    note: str
    same_chip: bool = False
    """the same chip in another edition, such as a server's card for a workstation's"""


def comparator(cloud: str, gpu: Gpu, catalog: Catalog, now: int) -> Comparator | None:
    """The on-demand price of ``cloud`` that compares with ``gpu``, None when it sells nothing comparable.

    Same GPU first, cheapest row; then the same chip in another edition; else the least |log memory ratio| + |log speed
    ratio|, all within the thresholds above; a GPU with bf16 never compares with one without. None means that our price
    list has nothing, not that the cloud has nothing.
    ``now`` in UTC seconds tells which prices are old.
    """
    sold = [row for row in catalog.cloud_prices if row.cloud == cloud and row.kind == "on_demand"]
    same = [row for row in sold if row.gpu == gpu.name]
    if same:
        return _comparator(min(same, key=lambda row: row.usd_per_gpu_hour), gpu, gpu, catalog, now)
    others = [(row, other) for row in sold if (other := catalog.gpu(row.gpu)) is not None]
    near = [(far, row, other) for row, other in others if (far := _far(gpu, other)) is not None]
    if not near:
        return None
    _, row, other = min(
        near, key=lambda item: (_chip(item[2].name) != _chip(gpu.name), item[0], item[1].usd_per_gpu_hour)
    )
    return _comparator(row, gpu, other, catalog, now)


def _chip(name: str) -> str:
    """A GPU's name without its memory and edition."""
    words = name.split()
    while len(words) > 1 and (words[-1] in EDITIONS or words[-1].endswith("GB")):
        words.pop()
    return " ".join(words)


def _far(gpu: Gpu, other: Gpu) -> float | None:
    """How unlike two GPUs are, None when they do not compare."""
    if gpu.tflops is None or other.tflops is None or (gpu.has_bf16 and not other.has_bf16):
        return None
    memory, speed = other.vram_gb / gpu.vram_gb, other.tflops / gpu.tflops
    if not LEAST_MEMORY <= memory <= MOST_MEMORY or not 1 / SPEED_FACTOR <= speed <= SPEED_FACTOR:
        return None
    return abs(math.log(memory)) + abs(math.log(speed))


def _comparator(row: CloudPrice, gpu: Gpu, other: Gpu, catalog: Catalog, now: int) -> Comparator:
    return Comparator(
        cloud=row.cloud,
        gpu_name=other.name,
        instance=row.instance,
        region=row.region,
        usd_per_gpu_hour=row.usd_per_gpu_hour,
        same_gpu=gpu.name == other.name,
        work_ratio=work_ratio(gpu, other, catalog),
        date=row.date,
        old=price_age_days(row.date, now) > PRICE_OLD_DAYS,
        source=row.source,
        note=row.note,
        same_chip=gpu.name != other.name and _chip(gpu.name) == _chip(other.name),
    )


def work_ratio(gpu: Gpu, other: Gpu, catalog: Catalog) -> float | None:
    """GPU-hours on ``other`` for what ``gpu`` trains in one hour: ratio of peak rates times usual shares of them."""
    if gpu.name == other.name:
        return 1.0
    ours, theirs = _effective(gpu, mfu_of(gpu, catalog)), _effective(other, mfu_of(other, catalog))
    return round(ours / theirs, 4) if ours and theirs else None


def _effective(gpu: Gpu, mfu: Mfu) -> float | None:
    return None if gpu.tflops is None else gpu.tflops * mfu.mid


def price_age_days(date: str, now: int) -> int:
    """Days since a date that may be a year, a month or a day; the earliest day that it can mean counts."""
    parts = [int(part) for part in date.split("-")]
    day = dt.datetime(*[*parts, 1, 1][:DATE_PARTS], tzinfo=dt.UTC)  # type: ignore[misc,arg-type]
    return int(now - day.timestamp()) // DAY


def old_prices(found: Sequence[Comparator]) -> tuple[Note, ...]:
    """That prices of clouds are too old, all of them in one sentence."""
    old: dict[str, dict[str, None]] = {}
    for c in found:
        if c.old:
            old.setdefault(c.cloud, {})[c.date] = None
    if not old:
        return ()
    text = Plural(
        "cloud prices more than {days} day old: {list}", "cloud prices more than {days} days old: {list}", "days"
    )
    return (
        Note(
            text,
            {
                "days": PRICE_OLD_DAYS,
                "list": "; ".join(f"{cloud} {', '.join(sorted(dates))}" for cloud, dates in old.items()),
            },
        ),
    )
