"""Safe windows against a known truth: ``python -m benchmarks.windows [SEEDS [RATIO ...]]``, or
``simulator [SEEDS [INTERVAL_S]]``.

Twenty models whose hazard has a daily rhythm (or none), under waves that last for hours: one that all models share and
one of each model's own, both log-normal AR(1), and interruptions that come several at a time. "true" is the mean hazard
of the quarter claimed to be safest over that of all hours, by the hazards that made the data.
"""

from __future__ import annotations

import itertools
import math
import statistics
import sys
import time
from dataclasses import dataclass

import numpy as np

from analytics.interruptions.fleet_profile import fit, window_report
from analytics.interruptions.overdispersion import overdispersion
from analytics.interruptions.shadow_tenants import advance
from analytics.interruptions.weekly_hazard import SAFEST_SHARE, WEEK, HazardProfile, Hours
from analytics.market import HOUR, Exposure, HourOfWeek, Poll, Quality, Tenant
from bot.sources.simulated import SimulatedMarket

MODELS, TENANTS = 20, 12
MEAN_UP_H = (6.0, 40.0)
"""Mean hours between interruptions, from the busiest model to the calmest."""

WAVE_SD, WAVE_KEEPS, BUNCH = 0.35, 0.85, 1.3
"""Of each log-normal wave the spread and what is left after an hour; interruptions that come at once, on average."""

STRONG_WAVE_SD = 2 * WAVE_SD
"""Of waves that hide a twofold rhythm: the hours that they ruin are many times as bad."""

WEEKEND = 0.9
"""Hazard at weekends over that of working days, to the power of log2 of the daily ratio."""

START = 480_000 - HourOfWeek.of(480_000).index
QUARTER = round(SAFEST_SHARE * WEEK)


@dataclass(frozen=True)
class Market:
    """What models lived through, and the relative hazard that each hour of the week truly had."""

    hours: dict[str, Hours]
    truth: dict[str, np.ndarray]


def market(seed: int, weeks: int, ratio: float, *, models: int = MODELS, wave_sd: float = WAVE_SD) -> Market:
    """``ratio``: hazard of the day's worst hour over its best; the models' peaks lie within two hours of each other."""
    rng = np.random.default_rng(seed)
    shared = wave(rng, weeks * WEEK, wave_sd)
    cells = np.arange(weeks * WEEK) % WEEK
    hours, truth = {}, {}
    for n in range(models):
        peak = 15 + rng.normal(0, 1.0)
        rhythm = np.exp(math.log(ratio) / 2 * np.cos(2 * np.pi * (np.arange(WEEK) - peak) / 24))
        rhythm = rhythm * np.where(np.arange(WEEK) >= 5 * 24, WEEKEND ** math.log2(ratio), 1.0)
        mean = 1 / math.exp(rng.uniform(*map(math.log, MEAN_UP_H)))
        held = np.maximum(1, rng.poisson(TENANTS, weeks * WEEK))
        hazard = mean * (rhythm / rhythm.mean())[cells] * shared * wave(rng, weeks * WEEK, wave_sd)
        bunches = rng.poisson(held * hazard / BUNCH)
        events = bunches + rng.negative_binomial(np.maximum(bunches, 1), 1 / BUNCH) * (bunches > 0)
        hours[f"model {n}"] = [
            (START + at, Exposure(int(h) * HOUR, 0, int(h), 0, absent=int(k)))
            for at, (h, k) in enumerate(zip(held, events, strict=True))
        ]
        truth[f"model {n}"] = rhythm / rhythm.mean()
    return Market(hours, truth)


def wave(rng: np.random.Generator, hours: int, spread: float) -> np.ndarray:
    """A log-normal AR(1) with mean 1."""
    logs = np.empty(hours)
    logs[0] = rng.normal(0, spread)
    for at, shock in enumerate(rng.normal(0, spread * math.sqrt(1 - WAVE_KEEPS**2), hours - 1), 1):
        logs[at] = WAVE_KEEPS * logs[at - 1] + shock
    return np.exp(logs - spread**2 / 2)


def met(profile: HazardProfile, truth: np.ndarray) -> float:
    """The true hazard of the quarter of the week that the profile says is safest."""
    return float(truth[np.argsort(profile.relative, kind="stable")[:QUARTER]].mean())


def daily_overdispersion(hours: Hours) -> float:
    days: dict[int, Exposure] = {}
    for hour, lived in hours:
        days[hour // 24] = days.get(hour // 24, Exposure()) + lived
    return overdispersion(days.values()) or 1.0


def line(ratio: float, weeks: int, seed: int, wave_sd: float) -> tuple[str, int]:
    """One market's row of the table, and how many models publish."""
    made = market(seed, weeks, ratio, wave_sd=wave_sd)
    began = time.perf_counter()
    found = fit(made.hours)
    took = time.perf_counter() - began
    chosen = [name for name, one in found.items() if one.published]
    report = window_report(found, len(made.hours))
    claim = statistics.mean(found[name].claimed_risk for name in chosen or found)
    true = statistics.mean(met(found[name], made.truth[name]) for name in chosen or found)
    best = statistics.mean(float(np.sort(truth)[:QUARTER].mean()) for truth in made.truth.values())
    bunched = statistics.mean(daily_overdispersion(hours) for hours in made.hours.values())
    some = next(iter(found.values()))
    text = (
        f"x{ratio:<4} {wave_sd:>4.2f} {weeks:>3} {seed:>5} {len(chosen):>6}/{len(found)} {some.pooled_t or 0:>6.2f} "
        f"{claim:>6.3f} {true:>6.3f} {some.met_risk or 0:>6.3f} {best:>6.3f} {report['skill_percent'] or 0:>7.2f} "
        f"{bunched:>6.2f} {took:>6.2f}"
    )
    return text, len(chosen)


def simulated(seed: int, weeks: int, ratio: float, interval: int = HOUR) -> dict[str, Hours]:
    """The hours of shadow tenants on the demo's market, polled every ``interval`` seconds."""
    simulator = SimulatedMarket(seed, START * HOUR, hazard_ratio=ratio)
    tenants: dict[str, tuple[Tenant, ...]] = dict.fromkeys(simulator.models, ())
    hours: dict[str, dict[int, Exposure]] = {name: {} for name in simulator.models}
    for at in range(START * HOUR, (START + weeks * WEEK) * HOUR + 1, interval):
        for name in simulator.models:
            poll = Poll(name, at, Quality.COMPLETE, simulator.offers(name, at), interval)
            previous = None if at == START * HOUR else at - interval
            shadow = advance(tenants[name], poll, previous_at=previous, interval=interval)
            tenants[name] = shadow.tenants
            for (_, hour), lived in (shadow.exposure or {}).items():
                hours[name][hour] = hours[name].get(hour, Exposure()) + lived
    return {name: sorted(lived.items()) for name, lived in hours.items() if lived}


def on_the_simulator(seeds: int, interval: int) -> None:
    """What the demo's market shows, whose hours matter as much as its ``hazard_ratio`` says."""
    for ratio, seed in itertools.product((1.0, 1.5, 2.0), range(1, seeds + 1)):
        everything = simulated(seed, 8, ratio, interval)
        for weeks in (4, 8):
            end = START + weeks * WEEK
            hours = {name: [row for row in lived if row[0] < end] for name, lived in everything.items()}
            fitted = fit(hours)
            t = next(iter(fitted.values())).pooled_t
            print(f"x{ratio} {weeks} weeks seed {seed}: t {t}, {window_report(fitted, len(hours))}", flush=True)


def main() -> None:
    if sys.argv[1:2] == ["simulator"]:
        on_the_simulator(*(int(word) for word in (*sys.argv[2:], "1", str(HOUR))[:2]))
        return
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print("ratio wave wks  seed publish      t  claim   true    met   best  skill%  bunch  fit s")
    for ratio in map(float, sys.argv[2:] or ("2", "1")):
        for wave_sd, weeks in itertools.product((WAVE_SD, STRONG_WAVE_SD), (4, 8, 12)):
            rows = [line(ratio, weeks, seed, wave_sd) for seed in range(1, seeds + 1)]
            print("\n".join(text for text, _ in rows))
            counts = [n for _, n in rows]
            print(f"      published {sum(counts)} of {MODELS * seeds}, in {sum(map(bool, counts))} of {seeds} fleets")


if __name__ == "__main__":
    main()
