"""A year of market in a SQLite file: 60 models, the world and nine regions, every hour. Fast, by plain inserts."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from analytics.catalog import load_catalog
from analytics.market import DAY, HOUR, Offer, Poll, Quality
from bot.collect import Collector
from bot.store.engine import Store, open_store

HOURS = 8760
GPUS = 60
REGIONS = (
    ("US-East", "New York, US"),
    ("US-West", "California, US"),
    ("US-Central", "Texas, US"),
    ("EU-West", "Germany, DE"),
    ("EU-North", "Sweden, SE"),
    ("EU-East", "Poland, PL"),
    ("Canada", "Quebec, CA"),
    ("Asia-East", "Japan, JP"),
    ("Oceania", ", AU"),
)
OFFERS = 92
"""Slices a model: 60 models make a round of some 5,060, a twelfth of them away."""


def models() -> list[str]:
    return [gpu.name for gpu in load_catalog().gpus][:GPUS]


def book(model: str, at: int, n: int, seed: int = 0) -> Poll:
    """A poll of ``n`` slices spread over the regions; one slice in twelve is away at any time."""
    rng = random.Random(f"{model}/{at}/{seed}")
    base = 100_000 + 37_000 * (sum(map(ord, model)) % 60)
    offers = []
    for machine in range(n):
        if rng.random() < 1 / 12:
            continue
        region, place = REGIONS[machine % len(REGIONS)]
        price = base + 3_000 * (machine % 41)
        offers.append(
            Offer(
                model=model,
                machine_id=1000 + machine,
                num_gpus=1 if machine % 3 else 4,
                on_demand=price * 5 // 4,
                min_bid=price,
                gpu_ids=(machine * 10,) if machine % 3 else tuple(range(machine * 10, machine * 10 + 4)),
                geolocation=place,
                region=region,
                reliability=0.99,
                host_id=machine // 2,
                storage_cost=100_000,
            )
        )
    return Poll(model, at, Quality.COMPLETE, tuple(offers), HOUR)


async def build(file: Path, until: int) -> None:
    """Write the year up to ``until``: first what only a real collector can write, then the hours in bulk."""
    store = await open_store(f"sqlite+aiosqlite:///{file}", writer=True)
    try:
        await recent(store, until)
    finally:
        await store.close()
    await asyncio.to_thread(_bulk, file, until)


async def recent(store: Store, until: int) -> None:
    """A day and a half of hourly rounds through the collector: books, tenants, bands, names."""
    collector = Collector(store)
    times = range(until - 36 * HOUR, until + 1, HOUR)
    for at in times:
        await collector.settle_many([(at, [book(model, at, OFFERS) for model in models()])], bands=at == times[-1])


def _bulk(file: Path, until: int) -> None:
    with sqlite3.connect(file) as conn:
        gpus = [row[0] for row in conn.execute("SELECT id FROM gpu ORDER BY id")]
        regions = [row[0] for row in conn.execute("SELECT id FROM region WHERE id > 0 ORDER BY id")]
        last = until // HOUR - 37
        first = last - HOURS + 37
        conn.executemany(
            "INSERT OR IGNORE INTO price_hour (gpu_id, hour, region_id, scope, price, floor, p10, p90, on_demand, "
            "offers, gpus, polls) VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, 12)",
            _prices(gpus, [0, *regions], first, last),
        )
        conn.executemany(
            "INSERT OR IGNORE INTO exposure_hour (gpu_id, hour, region_id, held_s, interrupted_s, up_steps, "
            "down_steps, outbid, taken_or_down, absent, resumed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)",
            _exposure(gpus, regions, first, last),
        )
        sums = ("held_s", "interrupted_s", "up_steps", "down_steps", "outbid", "taken_or_down", "absent", "resumed")
        conn.execute(
            f"INSERT OR REPLACE INTO exposure_day (gpu_id, day, region_id, {', '.join(sums)}) "
            f"SELECT gpu_id, hour / 24, region_id, {', '.join(f'sum({name})' for name in sums)} "
            "FROM exposure_hour GROUP BY 1, 2, 3"
        )
        conn.executemany(
            "INSERT OR IGNORE INTO life_day (gpu_id, day, bin, at_risk_s, events) VALUES (?, ?, ?, ?, ?)",
            (
                (g, d, b, 40_000 + 900 * b, (g + d + b) % 3)
                for g in gpus
                for d in range(until // DAY - 364, until // DAY)
                for b in range(13)
            ),
        )
        conn.execute("UPDATE gpu SET first_hour = ?", (first,))


def _prices(gpus: list[int], regions: list[int], first: int, last: int) -> Iterator[tuple[int, ...]]:
    rng = random.Random(1)
    for gpu in gpus:
        price = 100_000 + 50_000 * gpu
        for hour in range(first, last):
            if rng.random() < 0.1:
                price = max(20_000, price + rng.randrange(-9_000, 9_500))
            for region in regions:
                p = price + 700 * region
                yield (
                    gpu,
                    hour,
                    region,
                    p,
                    p * 7 // 10,
                    p * 8 // 10,
                    p * 13 // 10,
                    p * 5 // 4,
                    8 + hour % 5,
                    12 + hour % 7,
                )


def _exposure(gpus: list[int], regions: list[int], first: int, last: int) -> Iterator[tuple[int, ...]]:
    rng = random.Random(2)
    for gpu in gpus:
        for hour in range(first, last):
            for region in regions:
                lost = rng.random() < 0.15 + 0.1 * (12 <= hour % 24 < 18)
                yield (
                    gpu,
                    hour,
                    region,
                    28_800 - 1_800 * lost,
                    1_800 * lost,
                    96,
                    int(lost),
                    int(lost and hour % 3 == 0),
                    int(lost and hour % 3 > 0),
                    int(lost),
                )
