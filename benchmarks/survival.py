"""reliability_score against those who rented: ``python -m benchmarks.survival [EVERY:DAYS:SEED ...]``.

Each set is a market of the stand-in (fake_vast.py beside the checkout), stepped in this process in simulated time: its
bid renters are watched as they start, are interrupted or leave, and our shadow tenants follow its polls. S(24 h) of who
starts to rent is Kaplan and Meier's of 1958: who leaves, or runs at the end, is censored.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from analytics.answers.reliability import SCORE_HOURS
from analytics.interruptions.survival import fit
from analytics.market import DAY, HOUR, Offer, Poll, Quality, micro
from benchmarks.estimator import Followed
from benchmarks.processes import TOOLS

SETS = ("60:30:11", "15:14:12", "30:14:13")
"""Minutes between polls, days and seed of the markets that the estimator is judged on too."""

START, MACHINES, WARM_UP_DAYS = 1_791_158_400, 600, 3
"""As record_market.py starts the stand-in."""

LARGEST_ERROR, LEAST_HELD = 0.05, 13
"""The aims of a set: mean error of S(24 h), and intervals of its 16 models that hold the truth."""


class Spell(NamedTuple):
    """A renter from the start until an interruption, or until it left or was last seen."""

    hours: float
    interrupted: bool


def kaplan_meier(spells: Sequence[Spell], hours: float) -> tuple[float, float]:
    """P(running after ``hours``) and its standard error by Greenwood."""
    alive, variance, at_risk = 1.0, 0.0, len(spells)
    for time, some in itertools.groupby(sorted(spells), key=lambda spell: spell.hours):
        ended = [spell.interrupted for spell in some]
        lost = sum(ended)
        if time > hours:
            break
        alive *= 1 - lost / at_risk
        variance += lost / (at_risk * (at_risk - lost)) if at_risk > lost else 0.0
        at_risk -= len(ended)
    return alive, alive * math.sqrt(variance)


def stand_in() -> ModuleType | None:
    """The stand-in's module; None where it is not beside the checkout."""
    path = Path(TOOLS) / "fake_vast.py"
    spec = importlib.util.spec_from_file_location("fake_vast", path) if path.exists() else None
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Renters:
    """The bid renters of one market, by model, watched from ``since`` on."""

    def __init__(self, market: Any, since: int) -> None:
        self.market, self.since = market, since
        self.spells: dict[str, list[Spell]] = defaultdict(list)
        self._take_off, self._interrupt = market.take_off, market.interrupt
        self._interrupting = False
        market.take_off, market.interrupt = self._off, self._interrupted

    def _interrupted(self, machine: Any, contract: Any, cause: str) -> None:
        self._interrupting = True
        self._interrupt(machine, contract, cause)
        self._interrupting = False

    def _off(self, machine: Any, contract: Any) -> None:
        self._note(machine, contract, self._interrupting)
        self._take_off(machine, contract)

    def _note(self, machine: Any, contract: Any, interrupted: bool) -> None:
        # The first generation is who starts; who comes back after an interruption bids for a slice that was just free.
        if contract.kind == "bid" and contract.gen == 1 and contract.since >= self.since:
            self.spells[machine.gpu_name].append(Spell((self.market.now - contract.since) / HOUR, interrupted))

    def finish(self) -> dict[str, list[Spell]]:
        """All spells, those that still run included."""
        for machine in self.market.machines:
            for contract in {id(one): one for one in machine.slots if one}.values():
                self._note(machine, contract, False)
        return self.spells


def offers(market: Any) -> Iterator[Offer]:
    """What a complete poll of all models sees: the rentable slices."""
    for row in market.rows("on-demand"):
        if row["rentable"]:
            yield Offer(
                model=row["gpu_name"],
                machine_id=row["machine_id"],
                num_gpus=row["num_gpus"],
                on_demand=micro(row["dph_base"] / row["num_gpus"]),
                min_bid=micro(row["min_bid"] / row["num_gpus"]),
                verified=row["verification"] == "verified",
                gpu_ids=tuple(sorted(row["gpu_ids"])),
                host_id=row["host_id"],
                end_date=int(row["end_date"]),
            )


def lived(
    module: ModuleType, every: int, days: int, seed: int, *, machines: int = MACHINES
) -> tuple[dict[str, Followed], dict[str, list[Spell]]]:
    """Our shadow tenants and the renters of one market, by model."""
    market = module.Market(machines, seed, START - WARM_UP_DAYS * DAY)
    market.advance(START)
    renters, models = Renters(market, START), {machine.gpu_name: Followed() for machine in market.machines}
    for at in range(START, START + days * DAY, every * 60):
        market.advance(at)
        book: dict[str, list[Offer]] = defaultdict(list)
        for offer in offers(market):
            book[offer.model].append(offer)
        for name, followed in models.items():
            followed.step(Poll(name, at, Quality.COMPLETE, tuple(book[name]), every * 60))
    return models, renters.finish()


@dataclasses.dataclass(slots=True)
class Verdict:
    """One set: errors of S(24 h), and the intervals that hold without and with overdispersion."""

    errors: list[float] = dataclasses.field(default_factory=list)
    doubts: list[float] = dataclasses.field(default_factory=list)
    held: list[int] = dataclasses.field(default_factory=lambda: [0, 0])

    def add(self, followed: Followed, spells: Sequence[Spell]) -> None:
        """One model; one that is refused has no interval that holds."""
        truth, doubt = kaplan_meier(spells, SCORE_HOURS)
        rate = followed.rates()[1]
        if rate.mtbi_hours is None:
            return
        for place, scatter in enumerate((None, rate.overdispersion)):
            curve = fit(followed.life, correction=rate.markov_correction, overdispersion=scatter)
            assert curve is not None, "who was interrupted was at risk"
            chance = curve.chance(SCORE_HOURS)
            self.held[place] += chance.low_95 <= truth <= chance.high_95
        self.errors.append(chance.value - truth)
        self.doubts.append(doubt)

    @property
    def met(self) -> bool:
        """Both aims."""
        return statistics.mean(map(abs, self.errors)) <= LARGEST_ERROR and self.held[1] >= LEAST_HELD

    def __str__(self) -> str:
        mean, signed = statistics.mean(map(abs, self.errors)), statistics.mean(self.errors)
        return (
            f"S(24 h) mean error {mean:.3f}, signed {signed:+.3f} (standard error of the renters' own: "
            f"{statistics.median(self.doubts):.3f}); of {len(self.errors)} intervals {self.held[0]} hold it, "
            f"{self.held[1]} with overdispersion: {'met' if self.met else 'NOT MET'}"
        )


def main(sets: Sequence[str]) -> int:
    """Print each set; 1 when one misses its aims."""
    module = stand_in()
    if module is None:
        print(f"skipped: no fake_vast.py in {TOOLS}")
        return 0
    failed = False
    for every, days, seed in (map(int, one.split(":")) for one in sets):
        models, spells = lived(module, every, days, seed)
        verdict = Verdict()
        for name, followed in models.items():
            verdict.add(followed, spells[name])
        print(f"{every}-minute polls, {days} days, seed {seed}: {verdict}", flush=True)
        failed |= not verdict.met
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or SETS))
