"""The interruption estimator against the truth: ``python -m benchmarks.estimator DIR [DIR ...]``.

Each DIR holds a recorded market: ``offers.csv.gz`` (the import format of offers) and ``truth.json`` whose ``summary``
gives, by model, ``interruptions``, ``bid_running_h`` and ``mtbi_h`` of the tenants who were really there.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import itertools
import json
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analytics.interruptions.estimator import Rate, estimate
from analytics.interruptions.overdispersion import overdispersion
from analytics.interruptions.shadow_tenants import advance
from analytics.market import Exposure, Offer, Poll, Quality, Tenant, micro

LEAST_EVENTS = 30
"""Models with fewer true interruptions are shown but not judged."""


@dataclass(slots=True)
class Followed:
    """One model's shadow tenants on their way through the file."""

    tenants: tuple[Tenant, ...] = ()
    at: int | None = None
    days: dict[int, Exposure] = field(default_factory=dict)

    @property
    def exposure(self) -> Exposure:
        """All days together."""
        return sum(self.days.values(), Exposure())

    def step(self, poll: Poll) -> None:
        shadow = advance(self.tenants, poll, previous_at=self.at, interval=poll.interval)
        self.tenants, self.at = shadow.tenants, poll.at
        for (_, hour), lived in (shadow.exposure or {}).items():
            self.days[hour // 24] = self.days.get(hour // 24, Exposure()) + lived


def offer(row: dict[str, str]) -> Offer:
    """One line of the import format."""
    return Offer(
        model=row["gpu_name"],
        machine_id=int(row["machine_id"]),
        num_gpus=int(row["num_gpus"]),
        on_demand=micro(float(row["on_demand_per_gpu"])),
        min_bid=micro(float(row["min_bid_per_gpu"])),
        rentable=row["rentable"] == "1",
        verified=row["verified"] == "1",
        gpu_ids=tuple(sorted(map(int, row["gpu_ids"].split()))),
        host_id=int(row["host_id"]),
        end_date=int(row["end_date"]),
    )


def rounds(path: Path) -> Iterator[tuple[int, dict[str, list[Offer]]]]:
    """(UTC second, model -> its offers) for each distinct time of the file."""
    with gzip.open(path, "rt", newline="") as file:
        for text, rows in itertools.groupby(csv.DictReader(file), key=lambda row: row["ts_utc"]):
            book: dict[str, list[Offer]] = {}
            for row in rows:
                book.setdefault(row["gpu_name"], []).append(offer(row))
            yield int(dt.datetime.fromisoformat(text).timestamp()), book


def follow(path: Path, interval: int) -> dict[str, Followed]:
    """Every model of the file, each round a complete poll of all models seen so far."""
    models: dict[str, Followed] = {}
    for at, book in rounds(path):
        for model in {*models, *book}:
            poll = Poll(model, at, Quality.COMPLETE, tuple(book.get(model, ())), interval)
            models.setdefault(model, Followed()).step(poll)
    return models


def holds(rate: Rate, truth: float) -> bool:
    """The 95 % interval contains the true MTBI."""
    low, high = rate.interval_95
    return (low or 0.0) <= truth <= (high if high is not None else float("inf"))


def line(model: str, real: dict[str, Any], rate: Rate) -> str:
    """One model's row of the table."""
    start = f"{model:12} {real['interruptions']:11} {real['mtbi_h'] or 0:11.2f}"
    if rate.mtbi_hours is None or not real["mtbi_h"]:
        return f"{start}  no figure: {'; '.join(map(str, rate.notes))}"
    low, high = rate.interval_95
    inside = "yes" if holds(rate, real["mtbi_h"]) else "no"
    error = rate.mtbi_hours / real["mtbi_h"] - 1
    return f"{start} {rate.mtbi_hours:8.2f} {error:+7.1%}  {low:6.2f} .. {high:6.2f}  {inside}"


def judge(folder: Path) -> None:
    """Print one line a model, then the verdict."""
    truth: dict[str, Any] = json.loads((folder / "truth.json").read_text())
    models = follow(folder / "offers.csv.gz", int(truth["every_minutes"]) * 60)
    print(f"\n{folder}: {truth['every_minutes']}-minute polls, seed {truth.get('seed')}")
    print(
        f"{'model':12} {'true events':>11} {'true MTBI h':>11} {'ours h':>8} {'error':>7}  95 % interval     holds it"
    )
    judged = []
    for model, real in sorted(truth["summary"].items()):
        followed = models.get(model, Followed())
        rate = estimate(followed.exposure, overdispersion=overdispersion(followed.days.values()))
        print(line(model, real, rate))
        if rate.mtbi_hours is not None and real["interruptions"] >= LEAST_EVENTS:
            judged.append((abs(rate.mtbi_hours / real["mtbi_h"] - 1), holds(rate, real["mtbi_h"])))
    if judged:
        errors, held = zip(*judged, strict=True)
        print(f"{len(judged)} models with {LEAST_EVENTS} or more true interruptions:", end=" ")
        print(f"median absolute error {statistics.median(errors):.1%}, largest {max(errors):.1%};", end=" ")
        print(f"{sum(held)} of {len(held)} intervals hold the truth")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        judge(Path(argument))
