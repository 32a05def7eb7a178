"""The interruption estimator against the truth: ``python -m benchmarks.estimator DIR|SEED [DIR|SEED ...]``.

A SEED is one of our own simulated market: the shadow tenants of 15, 30 and 60-minute polls over 14 days are compared
with those of 2-minute polls. Each DIR holds a recorded market: ``offers.csv.gz`` (the import format of offers) and
``truth.json`` whose ``summary`` gives, by model, ``interruptions``, ``bid_running_h`` and ``mtbi_h`` of the tenants who
were really there. It tells of nobody's start and of nobody who left: survival is judged on our own market here, and
against those who rent in ``benchmarks.survival``.
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

from analytics.interruptions.bids import mtbi_by_bid
from analytics.interruptions.estimator import Rate, estimate
from analytics.interruptions.overdispersion import overdispersion
from analytics.interruptions.scales import Scale
from analytics.interruptions.shadow_tenants import Book, advance
from analytics.interruptions.survival import fit
from analytics.interruptions.thinning import thinning
from analytics.interruptions.variants import FRESH, Lane, Variant, move
from analytics.market import DAY, HOUR, Exposure, LifeTable, Offer, Poll, Quality, Tenant, micro
from bot.sources.simulated import SimulatedMarket

LEAST_EVENTS = 30
"""Models with fewer true interruptions are not judged."""

START, DAYS = 1_790_000_000, 14
"""Of our own simulated market."""

DENSE_MINUTES = 2
"""Polls so close together hide next to nothing."""


@dataclass(slots=True)
class Followed:
    """One model's shadow tenants on their way through polls."""

    tenants: tuple[Tenant, ...] = ()
    lanes: tuple[Lane, ...] = FRESH
    at: int | None = None
    days: dict[int, Exposure] = field(default_factory=dict)
    lived: dict[Variant, Exposure] = field(default_factory=dict)
    life: LifeTable = field(default_factory=LifeTable)

    @property
    def exposure(self) -> Exposure:
        """All days together."""
        return sum(self.days.values(), Exposure())

    def step(self, poll: Poll) -> None:
        book = Book.of(poll)
        shadow = advance(self.tenants, poll, previous_at=self.at, interval=poll.interval, book=book)
        moved = move(self.lanes, poll, book, previous_at=self.at, plain=shadow.exposure)
        self.tenants, self.lanes, self.at = shadow.tenants, moved.lanes, poll.at
        self.life += shadow.life or LifeTable()
        for (day, variant), lived in moved.lived.items():
            self.lived[variant] = self.lived.get(variant, Exposure()) + lived
            if variant is Variant.PLAIN:
                self.days[day] = self.days.get(day, Exposure()) + lived

    def rates(self) -> tuple[Rate, Rate]:
        """Plain and thinned."""
        scatter = overdispersion(self.days.values())
        factor = thinning(self.lived.get(Variant.PLAIN), self.lived.get(Variant.THINNED))
        plain, thinned = (estimate(self.exposure, overdispersion=scatter, thinning=f) for f in (None, factor))
        return plain, thinned


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


@dataclass(slots=True)
class Score:
    """Errors of one estimator, and how often its interval held the truth."""

    errors: list[float] = field(default_factory=list)
    held: int = 0
    refused: int = 0

    def add(self, rate: Rate, truth: float) -> None:
        """One model."""
        if rate.mtbi_hours is None:
            self.refused += 1
            return
        self.errors.append(rate.mtbi_hours / truth - 1)
        self.held += holds(rate, truth)

    def __str__(self) -> str:
        if not self.errors:
            return "nothing judged"
        sizes = [abs(error) for error in self.errors]
        return (
            f"median error {statistics.median(sizes):.1%} (signed {statistics.median(self.errors):+.1%}), largest "
            f"{max(sizes):.1%}, {self.held} of {len(sizes)} intervals hold the truth, {self.refused} refused"
        )


def survival_summary(models: dict[str, Followed], truths: dict[str, float]) -> None:
    """S(24 h) against these, and how often its interval held them without and with overdispersion."""
    errors, held = [], [0, 0]
    for model, truth in truths.items():
        followed = models.get(model, Followed())
        rate = followed.rates()[1]
        for place, scatter in enumerate((None, rate.overdispersion)):
            curve = fit(followed.life, correction=rate.markov_correction, overdispersion=scatter)
            if curve is not None:
                chance = curve.chance(24.0)
                held[place] += chance.low_95 <= truth <= chance.high_95
                errors += [chance.value - truth] if place else []
    mean, signed = statistics.mean(map(abs, errors)), statistics.mean(errors)
    print(f"  S(24 h): mean error {mean:.3f}, signed {signed:+.3f};", end=" ")
    print(f"{held[0]} of {len(errors)} intervals hold the truth, {held[1]} with overdispersion")


def summary(models: dict[str, Followed], truths: dict[str, float]) -> None:
    """Plain, thinned and the bids against these true MTBIs."""
    plain, thinned = Score(), Score()
    ratios: dict[float, list[float]] = {}
    for model, truth in truths.items():
        followed = models.get(model, Followed())
        one, other = followed.rates()
        plain.add(one, truth)
        thinned.add(other, truth)
        scale = Scale(overdispersion(followed.days.values()), other.thinning, followed.lived)
        for row in mtbi_by_bid(other, scale) or ():
            if row.mean_time_between_interruptions_hours and other.mtbi_hours:
                found = row.mean_time_between_interruptions_hours / other.mtbi_hours - 1
                ratios.setdefault(row.bid_factor, []).append(found)
    print(f"  plain:   {plain}\n  thinned: {thinned}")
    bids = ", ".join(f"x {bid}: {statistics.median(some):+.1%} ({len(some)})" for bid, some in ratios.items())
    print(f"  MTBI at a bid beside that at 1.1, median over the models: {bids}")


def judge(folder: Path) -> None:
    """A recorded market, against those who rented there."""
    truth: dict[str, Any] = json.loads((folder / "truth.json").read_text())
    models = follow(folder / "offers.csv.gz", int(truth["every_minutes"]) * 60)
    print(f"{folder}: {truth['every_minutes']}-minute polls, seed {truth.get('seed')}, against the renters")
    real = {m: one["mtbi_h"] for m, one in truth["summary"].items() if one["interruptions"] >= LEAST_EVENTS}
    summary(models, real)


def simulated(seed: int, minutes: int) -> dict[str, Followed]:
    """Our own market as polls so far apart see it."""
    market = SimulatedMarket(seed, START)
    models = {name: Followed() for name in market.models}
    for at in range(START + HOUR, START + HOUR + DAYS * DAY + 1, minutes * 60):
        for name, followed in models.items():
            followed.step(Poll(name, at, Quality.COMPLETE, tuple(market.offers(name, at)), minutes * 60))
    return models


def judge_simulated(seed: int) -> None:
    """Our own market, against shadow tenants who look every two minutes."""
    dense = simulated(seed, DENSE_MINUTES)
    rates = {name: estimate(one.exposure).mtbi_hours for name, one in dense.items()}
    curves = {name: fit(one.life) for name, one in dense.items()}
    for minutes in (15, 30, 60):
        print(f"simulated, seed {seed}, {minutes}-minute polls, against {DENSE_MINUTES}-minute polls")
        models = simulated(seed, minutes)
        summary(models, {name: rate for name, rate in rates.items() if rate is not None})
        survival_summary(models, {name: curve.survival(24.0) for name, curve in curves.items() if curve is not None})


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        judge_simulated(int(argument)) if argument.isdigit() else judge(Path(argument))
