"""The market data beside the checkout as import files, and what is measured and promised on them."""

from __future__ import annotations

import csv
import gzip
import math
import random
from pathlib import Path
from typing import Any

import pytest

from benchmarks.promise_sets import Source, aws_movers, floors, hourly, moves_a_day, neocloud, vast_floors, write
from benchmarks.promise_verdicts import checks
from benchmarks.seed_method import LEAST_H, compare, conformal, hour_mean, ratio, series, tables
from bot.cli.import_export import import_files
from bot.config import load_settings
from bot.store.engine import Store, open_store

HOUR = 3600
DAY_ONE = 1_700_006_400
"""2023-11-15 00:00 UTC."""


def aws_row(at: str, price: str, zone: str = "us-east-1a") -> dict[str, str]:
    return {
        "ts_utc": f"2023-11-15 {at}+00:00",
        "instance": "p3.8xlarge",
        "region": "us-east-1",
        "zone": zone,
        "price_usd_per_hour": price,
        "gpu": "V100",
        "n_gpus": "4",
    }


def floor_row(source: str, price: str, **others: str) -> dict[str, str]:
    usual = {"commitment_term": "OnDemand", "interruptibility": "NonInterruptible", "gpu_model": "H100"}
    at = "2023-11-15 03:12:07.5+00:00"
    return {"ts_utc": at, "source_name": source, "form_factor": "SXM", "cheapest_usd_hour": price, **usual, **others}


def test_each_full_hour_has_the_price_of_the_last_change_before_it() -> None:
    changes = [(DAY_ONE + 1, 1.0), (DAY_ONE + HOUR, 2.0), (DAY_ONE + 2 * HOUR + 1, 3.0), (DAY_ONE + 4 * HOUR, 4.0)]
    assert list(hourly(changes)) == [
        (DAY_ONE + n * HOUR, price) for n, price in ((1, 2.0), (2, 2.0), (3, 3.0), (4, 4.0))
    ]


def test_changes_a_day_count_other_prices_and_not_events() -> None:
    assert moves_a_day([(0, 1.0), (6 * HOUR, 1.0), (12 * HOUR, 2.0), (48 * HOUR, 1.0)]) == 1.0
    assert moves_a_day([(0, 1.0)]) == 0.0


def test_only_aws_series_that_move_come_through_and_cost_what_one_gpu_does() -> None:
    still = [aws_row(f"{hour:02}:00:00", "4.0", "us-east-1b") for hour in range(5)]
    moving = [aws_row("02:30:00", "8.0"), aws_row("00:00:00", "4.0")]  # the file is not in order of time
    assert list(aws_movers([*still, *moving])) == [
        (DAY_ONE + n * HOUR, "V100 p3.8xlarge us-east-1a", 1.0) for n in range(3)
    ]


def test_a_floor_is_the_cheapest_of_a_provider_without_a_term() -> None:
    rows = [
        floor_row("runpod_secure", "2.99"),
        floor_row("runpod_community", "2.69"),
        floor_row("runpod_secure", "1.99", commitment_term="6M"),
        floor_row("runpod_secure", ""),
        floor_row("vast_ai_verified", "1.80"),
        floor_row("vast_ai_verified", "0.90", interruptibility="Interruptible"),
    ]
    at = DAY_ONE + 3 * HOUR + 12 * 60 + 7
    vast = [(at, "H100 SXM Vast on-demand", 1.8), (at, "H100 SXM Vast interruptible", 0.9)]
    assert list(floors(rows)) == [(at, "H100 SXM RunPod on-demand", 2.69), *vast]
    assert list(vast_floors(rows)) == vast


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A folder with a small neocloud file."""
    lines = ["ts_utc,gpu,median,p10", "2023-11-15 01:40:00+00:00,H100_80GB_SXM5,2.5,1.5"]
    lines += [f"2023-11-15 00:{minute}:00+00:00,H100_80GB_SXM5,{price},1" for minute, price in (("00", 2), ("45", 3))]
    with gzip.open(tmp_path / "raw.csv.gz", "wt") as file:
        file.write("\n".join(lines))
    return tmp_path


async def test_a_written_set_is_imported_hour_by_hour_under_the_names_that_are_read(recorded: Path) -> None:
    file = recorded / "set.csv"
    write(Source("raw.csv.gz", neocloud("median")), file, recorded)
    assert [row["price"] for row in csv.DictReader(file.read_text().splitlines())] == [
        "2.000000",
        "3.000000",
        "2.500000",
    ]
    url = f"sqlite+aiosqlite:///{recorded / 'spotbot.db'}"

    async def no_forecasts(_: Store, __: int) -> None: ...

    settings = load_settings(database_url=url)
    assert await import_files(settings, [file], kind=None, clock=lambda: DAY_ONE + 9 * HOUR, forecast=no_forecasts) == 0
    store = await open_store(url, writer=False)
    async with store.reader() as reader:
        hours = await reader.hours(None, 0)
    await store.close()
    first = DAY_ONE // HOUR
    found = {model: [(point.hour - first, point.price) for point in points] for model, points in hours.items()}
    # the median of an hour weighs each price by how long it stood
    assert found == {"H100 SXM": [(0, 2_000_000), (1, 2_500_000)]}


def test_another_method_is_compared_at_the_same_origins_and_looks_only_back() -> None:
    start = DAY_ONE // HOUR
    prices = {start + n: 2.0 if n % 24 < 12 else 1.0 for n in range(96)}
    one = series(prices)
    said = tables(one, hour_mean)
    assert ratio(one, said, 6) is not None
    # from the second day on the daily step is known; on the first, the last value is all there is to say
    first_day = sum(a != b for a, b in ((prices[h], prices[h + 6]) for h in range(start, start + LEAST_H)))
    every = sum(prices[h] != prices[h + 6] for h in range(start, start + 90))
    assert ratio(one, said, 6) == pytest.approx(first_day / every)
    later = tables(series({**prices, **{start + 72 + n: 9.0 for n in range(24)}}), hour_mean)
    assert (later[(start + 72) // 24] == said[(start + 72) // 24]).all()


def test_hours_without_a_price_are_carried_for_three_hours_and_never_scored() -> None:
    one = series({0: 1.0, 6: 2.0, 7: 2.0})
    assert list(one.origins(1)) == [6]
    assert list(one.origins(3)) == [3]
    assert math.isnan(one.held[4])


def test_a_conformal_range_covers_the_share_it_says() -> None:
    chance = random.Random(3)
    found = conformal(series({n: math.exp(chance.gauss(0, 0.05)) for n in range(2000)}), 1)
    assert 0.78 <= sum(covered for covered, _, _ in found) / len(found) <= 0.82
    assert all(winkler == width if covered else winkler > width for covered, width, winkler in found)


def test_figures_of_other_methods_are_of_the_series_that_move() -> None:
    chance = random.Random(5)
    moving = {n: math.exp(chance.gauss(0, 0.05)) for n in range(240)}
    found = compare({"moving": moving, "flat": dict.fromkeys(range(240), 1.0)})
    assert found == compare({"moving": moving})
    assert set(found) == {"random forest", "hour mean", "split conformal"}
    ranges = found["split conformal"][6]
    assert ranges["winkler"] > ranges["width"] > 0
    assert ranges["worst_coverage"] is None  # fewer than 500 origins


def report(**row: Any) -> dict[str, Any]:
    usual = {"gpu": "A", "n": 600, "mae_naive": 0.1, "ratio": 0.9, "coverage_80": 0.8, "width_80_percent": 3.0}
    rows = [{**usual, "horizon_hours": hours, **row} for hours in (1, 6, 24)]
    flat = [{**usual, "gpu": "flat", "horizon_hours": 1, "mae_naive": 0.0, "ratio": None, "coverage_80": 1.0}]
    overall = {str(hours): {"ratio": 0.94, "ece": 0.02} for hours in (1, 6, 24)}
    advice = {"saved_percent": 4.0, "oracle_percent": 8.0, "wrong_waits_percent": None}
    return {"series": rows + flat, "overall": overall, "advice": advice}


@pytest.mark.parametrize(
    ("name", "row", "broken"),
    [
        ("neo-p10", {}, set()),
        ("aws", {}, {"ratio 6 h", "ratio 24 h"}),
        ("floors", {}, {"share of the oracle"}),
        ("neo-p10", {"ratio": 1.06}, {f"worst series {hours} h (A)" for hours in (1, 6, 24)}),
        ("neo-p10", {"coverage_80": 0.75, "n": 499}, {f"mean coverage {hours} h" for hours in (1, 6, 24)}),
        ("neo-p10", {"coverage_80": 0.9}, {"mean coverage"}),
    ],
)
def test_a_promise_is_broken_by_what_breaks_it_and_flat_prices_do_not_help(
    name: str, row: dict[str, Any], broken: set[str]
) -> None:
    found = checks(name, report(**row), simulated=False)
    assert {check.what for check in found if check.ok is False} == broken
    assert [check.ok for check in found if check.what == "wrong waits, %"] == [None]
