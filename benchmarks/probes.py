"""How soon rules notice a change of the stand-in market, with probes and without, and what it costs of the day's rows.

    python -m benchmarks.probes [--polls-only] [--hours 1] [--offset 0] [--models 10] [--seed 7]

The program's loop runs on simulated time: each request takes the service's six seconds. The market stands still while
nothing is to be noticed, or moves with ``--moving``. Traffic stays on loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from analytics.market import DAY, HOUR, WORLD, Scope
from benchmarks.processes import fake_vast, get
from bot.alerts.engine import evaluate
from bot.alerts.rules import Kind, Metric, Rule
from bot.alerts.state import initial
from bot.polling.poller import Poller
from bot.polling.probes import Probes
from bot.polling.rounds import Collector
from bot.sources.base import Fetch, ProbeAnswer
from bot.sources.vast import VastSource
from bot.sources.vast_client import Timing
from bot.store.engine import Store, open_store
from tests.fakes.alerting import START, Market, rule
from tests.fakes.polling import HandClock

SPACING_S = 6
MODELS = (
    "RTX 4090", "RTX 5090", "RTX 3090", "RTX 3060", "A100 SXM4", "H100 SXM", "RTX 4080", "RTX 3080", "RTX 5080", "L40S",
)  # fmt: skip
FALLEN = 0.7
FAR = 200
AFTER_S = 3 * HOUR // 2


@dataclass(slots=True)
class Simulation:
    """A market, the program's loop and one clock for both."""

    url: str
    clock: HandClock
    moving: bool
    behind: float = 0.0
    requests: int = 0
    rows: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    async def sleep(self, seconds: float) -> None:
        self.clock.pass_(max(1, round(seconds)))
        self.behind += seconds
        if self.moving and self.behind >= 60:
            await self.control("advance", seconds=round(self.behind))
            self.behind = 0.0

    async def control(self, name: str, **values: Any) -> Any:
        return (await asyncio.to_thread(get, f"{self.url}/_control/{name}?{urlencode(values)}", method="POST"))[1]


def timeless(fetch: Fetch) -> Fetch:
    """The stand-in's Date header is of real time."""
    return replace(fetch, clock_skew=None)


@dataclass(slots=True)
class Asked:
    """The source, without the time that it tells."""

    source: VastSource
    made: Simulation

    async def fetch(self, *args: Any, **more: Any) -> Fetch:
        fetch = timeless(await self.source.fetch(*args, **more))
        self.made.rows["polls"] += fetch.rows
        return fetch

    async def probe(self, *args: Any, **more: Any) -> ProbeAnswer:
        answer = await self.source.probe(*args, **more)
        self.made.rows["probes"] += answer.fetch.rows
        self.made.requests += answer.fetch.requests
        return replace(answer, fetch=timeless(answer.fetch))

    async def aclose(self) -> None:
        await self.source.aclose()


async def drill(options: argparse.Namespace, folder: Path) -> None:
    models = MODELS[: options.models]
    market = ("--machines", "600", "--speedup", "0", "--quota", "0", "--seed", str(options.seed))
    with fake_vast(folder, *market, "--start", "2027-01-15T08:00:00Z") as url:
        simulation = Simulation(url, HandClock(START), options.moving)
        timing = Timing(simulation.sleep, lambda: simulation.clock.elapsed, lambda: 1.0)
        store = await open_store(f"sqlite:///{folder / 'drill.db'}", writer=True)
        async with aclosing(Asked(VastSource(url, spacing=SPACING_S, timing=timing), simulation)) as source:
            poller = Poller(
                store=store,
                source=source,
                collector=Collector(store, on_round=evaluate),
                clock=simulation.clock.steady,
                names=models,
                budget=20_000,
                probes=None if options.polls_only else Probes(store, source.probe),
            )
            await measure(options, simulation, poller, store)
        await store.close()


async def measure(options: argparse.Namespace, simulation: Simulation, poller: Poller, store: Store) -> None:
    """A quiet time, then a fall of all prices and more machines, and when each rule told of it."""
    await simulation.control("stock", share=0.4)
    await poller.once()
    rules = await make_rules(store, FAR if options.far else 0)
    await settle(poller, simulation, options.hours * HOUR + options.offset)
    async with store.reader() as reader:
        intervals = [row.interval for row in await reader.models() if row.followed]
    print(f"quiet for {options.hours} h: {simulation.requests} probes, rows {dict(simulation.rows)}")
    print(f"planned intervals: {min(intervals)} to {max(intervals)} s")
    early = await told(store, rules)
    for change, kinds in ({"price": {"factor": FALLEN}}, ("floor", "current")), ({"stock": {"share": 1}}, ("stock",)):
        changed = simulation.clock()
        for name, values in change.items():
            await simulation.control(name, **values)
        await settle(poller, simulation, AFTER_S)
        some = {public_id: kind for public_id, kind in rules.items() if kind in kinds and public_id not in early}
        at = await told(store, some)
        for kind in kinds:
            seconds = [at[public_id] - changed for public_id in at if rules[public_id] == kind]
            report(kind, seconds, sum(one == kind for one in some.values()))
    print(f"after {2 * AFTER_S // HOUR} h more: {simulation.requests} probes, rows {dict(simulation.rows)}")
    async with store.reader() as reader:
        print("rows of the day:", (await reader.quota(simulation.clock() // DAY))[0])


def report(kind: str, seconds: Sequence[int], rules: int) -> None:
    some = sorted(seconds)
    line = f"{kind}: {len(some)} of {rules} told"
    if len(some) > 1:
        p95 = some[max(0, -(-len(some) * 95 // 100) - 1)]
        line += f" after p50 {statistics.median(some):.0f}, p95 {p95}, most {some[-1]} s"
    print(line)


async def make_rules(store: Store, far: int) -> dict[str, str]:
    """Of each model two on the floor, two on the current price and two on what is available; id -> kind."""
    added: dict[str, str] = {}
    market = Market(store)
    async with store.reader() as reader:
        rows = await reader.models()
        place = {"region": WORLD, "scope": Scope.VERIFIED}
        quotes = {row.name: (await reader.quote_history(row.name, 0, START + DAY, **place))[-1] for row in rows}
    for model, quote in quotes.items():
        some: list[tuple[str, Rule]] = []
        for part in (0.8, 0.85):
            if quote.floor:
                some.append(("floor", rule(Kind.BELOW, round(quote.floor * part), model=model, metric=Metric.FLOOR)))
            if quote.price:
                some.append(("current", rule(Kind.BELOW, round(quote.price * (part + 0.05)), model=model)))
            some.append(("stock", rule(Kind.AVAILABLE, far or round(quote.gpus * (part + 1)) + 1, model=model)))
        for kind, new in some:
            added[await market.add(new, replace(initial(new), armed=True))] = kind
    return added


async def settle(poller: Poller, simulation: Simulation, seconds: int) -> None:
    end = simulation.clock() + seconds
    while (now := simulation.clock()) < end:
        wait = await poller.turn()
        await simulation.sleep(max(1.0, min(wait, float(end - now))))


async def told(store: Store, rules: Sequence[str] | dict[str, str]) -> dict[str, int]:
    """When each rule first told of something."""
    market, at = Market(store), {}
    for public_id in rules:
        if messages := [one for one in await market.messages(public_id) if one.kind == "fire"]:
            at[public_id] = messages[0].created_at
    return at


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--polls-only", action="store_true")
    parser.add_argument("--moving", action="store_true")
    parser.add_argument(
        "--far", action="store_true", help="wait for more GPUs than there are: such probes bring no rows"
    )
    for name, number in (("hours", 1), ("offset", 0), ("models", 10), ("seed", 7)):
        parser.add_argument(f"--{name}", type=int, default=number)
    with tempfile.TemporaryDirectory() as folder_:
        asyncio.run(drill(parser.parse_args(), Path(folder_)))
