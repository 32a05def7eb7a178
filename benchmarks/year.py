"""A year of market in a SQLite file, every table as full as a year of polling leaves it. Fast, by plain inserts.

60 models, the world and nine regions, every hour; what is kept for days only (bot/store/retention.py) fills those days.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from analytics.catalog import load_catalog
from analytics.market import DAY, HOUR, Offer, Poll, Quality
from bot.polling.rounds import Collector
from bot.store.engine import Store, open_store
from bot.store.retention import FORECAST_DAYS, INTERRUPTION_DAYS, RAW_DAYS

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
POLLS_A_DAY = 8
"""Polls of a model: 20,000 rows a day are some 240 polls of a market like this one."""
INTERRUPTIONS_A_DAY = 9_000
"""Of all models; the simulated markets, which are calibrated on recorded ones, had 4,000 to 9,000 for 60 models."""
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
        await collector.record_many([(at, [book(model, at, OFFERS) for model in models()])], bands=at == times[-1])


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
        _kept_for_days(conn, gpus, regions, until)


def _kept_for_days(conn: sqlite3.Connection, gpus: list[int], regions: list[int], until: int) -> None:
    """What is kept for days: polls and quotes, interruptions, forecasts, the rows spent."""
    polls = list(range(until - RAW_DAYS * DAY, until - 37 * HOUR, DAY // POLLS_A_DAY))
    for text, rows in (
        (
            "poll (gpu_id, at, quality, offers, rows, requests) VALUES (?, ?, 0, 84, 92, 1)",
            itertools.product(gpus, polls),
        ),
        ("round (at, source, polls) VALUES (?, 'live', 60)", ((at,) for at in polls)),
        (
            "quote (gpu_id, at, region_id, scope, price, floor, p10, p90, on_demand, offers, gpus, machines) "
            "VALUES (?, ?, ?, ?, 312500, 214000, 231000, 402000, 390000, 9, 18, 7)",
            ((g, at, r, s) for g in gpus for at in polls for r, s in ((0, 0), (0, 1), *((r, 0) for r in regions))),
        ),
        (
            "interruption (gpu_id, seen_at, slice_id, region_id, machine_id, host_id, num_gpus, cause, bid, held_at, "
            "back_at) VALUES (?, ?, ?, ?, ?, ?, 4, ?, 345000, ?, ?)",
            _interruptions(gpus, regions, until),
        ),
        (
            "forecast (gpu_id, issued_at, horizon_h, target_at, y_last, price, lo80, hi80, confidence, regime, source) "
            "VALUES (?, ?, ?, ?, 312500, 312500, 300100, 331000, 0.71239, 'mature', 'live')",
            (
                (g, at, h, at + h * HOUR)
                for g in gpus
                for at in range(until - FORECAST_DAYS * DAY, until, HOUR)
                for h in (1, 6, 24)
            ),
        ),
        ("quota (day, rows) VALUES (?, 17950)", ((until // DAY - n,) for n in range(RAW_DAYS))),
    ):
        conn.executemany(f"INSERT OR IGNORE INTO {text}", rows)


def _interruptions(gpus: list[int], regions: list[int], until: int) -> Iterator[tuple[object, ...]]:
    rng = random.Random(3)
    first = until - INTERRUPTION_DAYS * DAY
    for n in range(INTERRUPTION_DAYS * INTERRUPTIONS_A_DAY):
        machine, at = rng.randrange(1_000, 60_000), first + n * DAY // INTERRUPTIONS_A_DAY
        slice_id = f"{machine}:{','.join(str(machine * 10 + k) for k in range(4))}"
        yield (
            *(rng.choice(gpus), at, slice_id, rng.choice(regions), machine, machine // 2, n % 3),
            *(at - HOUR, at + 2 * HOUR),
        )


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
