"""How soon rules notice a change of the stand-in market, with probes and without, and what it costs of the day's rows.

    python -m benchmarks.probes [--hours 24] [--changes 12] [--seeds 7,11] [--models 10]

The program's loop runs on simulated time: each request takes the service's six seconds. First a day on a market that
moves, with fifty rules that nothing satisfies: what probes cost. Then all prices fall and more machines come, again and
again and each time at another phase, with probes and by full polls alone. Traffic stays on loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sqlite3
import tempfile
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import structlog

from analytics.catalog import models_of
from analytics.market import DAY, HOUR, WORLD, Quote, Scope
from analytics.prices import quotes
from benchmarks.processes import fake_vast, get
from bot.alerts.engine import evaluate
from bot.alerts.rules import Kind, Metric, OfferFilter, Rule
from bot.alerts.state import initial
from bot.polling.poller import Poller
from bot.polling.probes import Probes
from bot.polling.rounds import Collector
from bot.sources.base import Fetch, ProbeAnswer
from bot.sources.vast import VastSource
from bot.sources.vast_client import Timing
from bot.store.engine import Store, open_store
from tests.fakes.alerting import OWNER, START, Market, rule
from tests.fakes.polling import HandClock

SPACING_S = 6
MODELS = (
    "RTX 4090", "RTX 5090", "RTX 3090", "RTX 3060", "A100 SXM4", "H100 SXM", "RTX 4080", "RTX 3080", "RTX 5080", "L40S",
)  # fmt: skip
FALLEN, SCARCE = 0.7, 0.6
"""Parts of the usual prices and of the usual machines."""

LONGEST_S = HOUR // 2
"""Seconds waited at most for a change to be told."""

LOOK_S, PHASE_S = 30, 97
"""Seconds between two looks at what was told, and by how much each change comes later than the one before."""

GOALS_S = {"floor": 180, "offer": 180, "stock": 180, "current": 600}
"""95 of 100 are to be told within so many seconds."""

SHOWN_HOURS = 3

GOAL_ROWS = 200
"""Rows of a quiet day that probes may cost."""


@dataclass(slots=True)
class Simulation:
    """A market, the program's loop and one clock for both."""

    url: str
    clock: HandClock
    moving: bool
    behind: float = 0.0
    requests: int = 0
    rows: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    most: Mapping[str, int] = field(default_factory=dict)
    """model -> GPUs when all machines are there"""

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


@dataclass(frozen=True, slots=True)
class Noticed:
    """A rule that was to tell of a change, and after how long it did."""

    kind: str
    seconds: int | None


@asynccontextmanager
async def simulated(
    options: argparse.Namespace, seed: int, *, moving: bool = False, probing: bool = True
) -> AsyncIterator[tuple[Simulation, Store, Poller]]:
    """A market with some of its machines, polled once, and the program's loop."""
    market = ("--machines", str(options.machines), "--speedup", "0", "--quota", "0", "--seed", str(seed))
    with (
        tempfile.TemporaryDirectory(prefix="spotbot-probes-") as name,
        fake_vast(folder := Path(name), *market, "--start", "2027-01-15T08:00:00Z") as url,
    ):
        simulation = Simulation(url, HandClock(START), moving)
        timing = Timing(simulation.sleep, lambda: simulation.clock.elapsed, lambda: 1.0)
        store = await open_store(f"sqlite:///{folder / 'drill.db'}", writer=True)
        async with aclosing(Asked(VastSource(url, spacing=SPACING_S, timing=timing), simulation)) as source:
            poller = Poller(
                store=store,
                source=source,
                collector=Collector(store, on_round=evaluate),
                clock=simulation.clock.steady,
                names=MODELS[: options.models],
                budget=20_000,
                probes=Probes(store, source.probe) if probing else None,
            )
            simulation.most = await most_gpus(poller)
            await simulation.control("stock", share=SCARCE)
            await poller.once()
            yield simulation, store, poller
        await store.close()


async def most_gpus(poller: Poller) -> Mapping[str, int]:
    """GPUs of each model on the whole market; what nobody offers cannot be waited for."""
    fetches = [await poller.source.fetch(name, at=START, interval=300, models=models_of(name)) for name in poller.names]
    polls = (poll for fetch in fetches for poll in fetch.polls)
    return {poll.model: quotes(poll.offers, START)[WORLD, Scope.VERIFIED].gpus for poll in polls if poll.offers}


async def quiet(options: argparse.Namespace) -> None:
    """What probes cost while nothing satisfies a rule."""
    async with simulated(options, options.seeds[0], moving=True) as (simulation, store, poller):
        rules = await add_rules(store, simulation.clock(), FAR_RULES, {})
        for hour in range(1, options.hours + 1):
            await settle(poller, simulation, HOUR)
            if hour % SHOWN_HOURS == 0 or hour == options.hours:
                shown = (
                    f"{hour} h, {len(rules)} rules, {len(await told(store, rules))} told: {simulation.requests} probes"
                )
                rows = simulation.rows["probes"], simulation.rows["polls"]
                print(f"{shown}; rows of probes {rows[0]} (goal {GOAL_ROWS} a day), of polls {rows[1]}", flush=True)


async def changes(options: argparse.Namespace, seed: int, *, probing: bool) -> list[Noticed]:
    """The market changes again and again; what each rule took to tell of it."""
    noticed: list[Noticed] = []
    async with simulated(options, seed, probing=probing) as (simulation, store, poller):
        for n in range(options.changes):
            rules = await add_rules(store, simulation.clock(), NEAR_RULES, simulation.most)
            await settle(poller, simulation, 10 * 60 + n * PHASE_S)
            early = await told(store, rules)
            for change, kinds in ((("price", "factor", FALLEN), PRICED), (("stock", "share", 1), ("stock",))):
                some = {name: kind for name, kind in rules.items() if kind in kinds and name not in early}
                noticed += await notice(simulation, store, poller, change, some)
                await simulation.control("price", factor=1)
            await take_back(simulation, store, poller, rules)
            late = Counter(one.kind for one in noticed if one.seconds is None)
            print(f"seed {seed}, change {n}: {len(noticed)} rules, not told {dict(late)}", flush=True)
        async with store.reader() as reader:
            spent = (await reader.quota(simulation.clock() // DAY))[0]
    which = "with probes" if probing else "polls alone"
    print(
        f"seed {seed}, {which}: {simulation.requests} probes, rows {dict(simulation.rows)}, today {spent}", flush=True
    )
    return noticed


async def notice(
    simulation: Simulation, store: Store, poller: Poller, change: tuple[str, str, float], rules: Mapping[str, str]
) -> list[Noticed]:
    """Change the market, and wait until all rules told of it."""
    changed, (what, option, value) = simulation.clock(), change
    await simulation.control(what, **{option: value})
    while len(at := await told(store, rules)) < len(rules) and simulation.clock() < changed + LONGEST_S:
        await settle(poller, simulation, LOOK_S)
    return [Noticed(kind, at[name] - changed if name in at else None) for name, kind in rules.items()]


async def take_back(simulation: Simulation, store: Store, poller: Poller, rules: Mapping[str, str]) -> None:
    """Delete the rules, and wait until polls have seen the market as it was."""
    async with store.writer() as writer:
        for name in rules:
            found = await writer.alerts.find(OWNER.platform, OWNER.enterprise, OWNER.team, name)
            assert found is not None
            await writer.alerts.delete(found.id, simulation.clock())
    await simulation.control("stock", share=SCARCE)
    since = simulation.clock()
    oldest = 0
    while oldest <= since:
        await settle(poller, simulation, LOOK_S)
        async with store.reader() as reader:
            oldest = min(row.last_good_at or 0 for row in await reader.models() if row.followed)


def report(noticed: Mapping[str, Sequence[Noticed]]) -> None:
    """One table."""
    print(f"{'kind':8} {'by':12} {'rules':>6} {'told':>6} {'p50 s':>6} {'p95 s':>6} {'most':>6} {'goal':>6}")
    for kind, goal in GOALS_S.items():
        for by, every in noticed.items():
            some = [one.seconds for one in every if one.kind == kind]
            known = sorted(seconds for seconds in some if seconds is not None)
            # what was not told is later than all others
            ranked = [*map(str, known), *["never"] * (len(some) - len(known))]
            shown = [ranked[max(0, -(-len(ranked) * part // 100) - 1)] if ranked else "-" for part in (50, 95, 100)]
            print(f"{kind:8} {by:12} {len(some):6} {len(known):6} " + " ".join(f"{one:>6}" for one in (*shown, goal)))


PRICED = ("floor", "offer", "current")
FAR_RULES = (("floor", 0.5), ("floor", 0.4), ("offer", 0.5), ("offer", 0.4), ("stock", 4.0))
NEAR_RULES = (
    *(("floor", 0.8), ("floor", 0.85), ("offer", 0.8), ("offer", 0.85)),
    *(("current", 0.85), ("current", 0.9), ("stock", 1.1), ("stock", 1.4)),
)
"""What each model has rules on, and the part of its value at which they fire."""


async def add_rules(
    store: Store, now: int, some: Sequence[tuple[str, float]], most: Mapping[str, int]
) -> dict[str, str]:
    """The rules of each model: id -> kind; none for more than ``most`` GPUs."""
    added: dict[str, str] = {}
    market = Market(store)
    async with store.reader() as reader:
        names = [row.name for row in await reader.models() if row.followed]
        quotes = {
            name: (await reader.quote_history(name, 0, now + DAY, region=WORLD, scope=Scope.VERIFIED))[-1]
            for name in names
        }
    for model, quote in quotes.items():
        for kind, part in some:
            if (new := rule_on(kind, model, quote, part, now)) and not (
                kind == "stock" and new.threshold > most.get(model, 0 if most else 1 << 30)
            ):
                added[await market.add(new, replace(initial(new), armed=True))] = kind
    return added


def rule_on(kind: str, model: str, quote: Quote, part: float, now: int) -> Rule | None:
    """A rule at a part of what is quoted; None where that is not known."""
    if kind == "stock":
        return rule(Kind.AVAILABLE, round(quote.gpus * part) + 1, model=model, created_at=now)
    value = quote.price if kind == "current" else quote.floor
    if not value:
        return None
    if kind == "offer":
        return rule(Kind.OFFER, round(value * part), model=model, created_at=now, offer=OfferFilter())
    return rule(Kind.BELOW, round(value * part), model=model, metric=Metric(kind), created_at=now)


async def settle(poller: Poller, simulation: Simulation, seconds: int) -> None:
    end = simulation.clock() + seconds
    while (now := simulation.clock()) < end:
        wait = await poller.turn()
        await simulation.sleep(max(1.0, min(wait, float(end - now))))


async def told(store: Store, rules: Iterable[str]) -> dict[str, int]:
    """When each rule first told of something."""
    first = (
        "SELECT public_id, min(message.created_at) FROM message JOIN alert ON topic = 'alert/' || alert.id"
        " WHERE message.kind = 'fire' GROUP BY public_id"
    )
    with closing(sqlite3.connect(str(store.url).removeprefix("sqlite:///"))) as conn:
        at: dict[str, int] = dict(conn.execute(first).fetchall())
    return {name: at[name] for name in rules if name in at}


async def drill(options: argparse.Namespace) -> None:
    """All of it."""
    if options.hours:
        await quiet(options)
    noticed: dict[str, list[Noticed]] = {"with probes": [], "polls alone": []}
    for seed in options.seeds if options.changes else ():
        for by, some in noticed.items():
            some += await changes(options, seed, probing=by == "with probes")
    if options.changes:
        report(noticed)


def main() -> None:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, number in (("hours", 24), ("changes", 12), ("models", 10), ("machines", 600)):
        parser.add_argument(f"--{name}", type=int, default=number)
    parser.add_argument("--seeds", type=lambda text: [int(one) for one in text.split(",")], default=[7, 11])
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    asyncio.run(drill(parser.parse_args()))


if __name__ == "__main__":
    main()
