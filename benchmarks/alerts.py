"""A hundred thousand rules: what a round costs with them, ten thousand that fire at once, and a market that is away.

``python -m benchmarks.alerts --rules 100000``, with ``--postgres`` on PostgreSQL. Prints a table; exits 1 when a goal
is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import event

from analytics.market import DAY, HOUR, Offer, Poll, Quality, Round
from bot.alerts.codec import dump
from bot.alerts.engine import evaluate, key_of, pass_time, standing
from bot.alerts.rules import Direction, Kind, Measure, OfferFilter, Rule, Series
from bot.alerts.state import initial
from bot.polling.rounds import Collector
from bot.store import tables as t
from bot.store.engine import Store, open_store
from bot.store.writer import Writer
from tests.fakes.postgres import Databases, postgres_server

START, STEP = 1_800_000_000 // HOUR * HOUR, 300
PRICE, MACHINES, TEAMS = 400_000, 6, 500
LOWEST_BID, OFFER_RULES, OFFERS = 200_000, 1_000, 400
TICK_GOAL_MS, BURST_GOAL_S = 5.0, 1.0
Prices = dict[str, int]


@dataclass
class Timer:
    """Seconds of each round in the rules, and in the database for them."""

    total: list[float] = field(default_factory=list)
    sql: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """of the thread that decides; the driver's own thread works in the database"""
    decided: int = 0
    """rules whose state was stored"""
    _begun: float = 0.0
    _counts: bool = False

    async def __call__(self, writer: Writer, round_: Round) -> None:
        self.sql.append(0.0)
        begun, cpu, self._counts = time.perf_counter(), time.thread_time(), True
        await evaluate(writer, round_)
        self._counts = False
        self.cpu.append(time.thread_time() - cpu)
        self.total.append(time.perf_counter() - begun)

    def watch(self, store: Store) -> None:
        """Count the time in the database."""
        engine = store._site.write.sync_engine

        @event.listens_for(engine, "before_cursor_execute")
        def _before(_c: Any, _s: Any, statement: str, parameters: Any, *_: Any) -> None:
            self.decided += len(parameters) if self._counts and statement.startswith('UPDATE "alert"') else 0
            self._begun = time.perf_counter()

        @event.listens_for(engine, "after_cursor_execute")
        def _after(*_: Any) -> None:
            if self._counts:
                self.sql[-1] += time.perf_counter() - self._begun


def book(model: str, price: int) -> tuple[Offer, ...]:
    return tuple(Offer(model, n, 1, 2 * price, price, region="EU-North") for n in range(MACHINES))


async def tick(collector: Collector, at: int, prices: Prices) -> float:
    """One round of all models; gives its seconds."""
    polls = [Poll(model, at, Quality.COMPLETE, book(model, price), STEP) for model, price in prices.items()]
    begun = time.perf_counter()
    await collector.record(at, polls)
    return time.perf_counter() - begun


async def add(store: Store, rules: Sequence[Rule]) -> None:
    """Store rules that have seen the other side already, a channel for each team."""
    async with store.writer() as writer:
        to = [await writer.outbox.destination("slack", f"T{n}", channel="C") for n in range(TEAMS)]
        ids = {key: await writer.alerts.series_id(key) for key in {key_of(rule) for rule in rules}}
        rows = [_row(n, rule, ids[key_of(rule)], to[n % TEAMS]) for n, rule in enumerate(rules)]
        await writer._conn.execute(t.alert.insert(), rows)


def _row(n: int, rule: Rule, series_id: int, to: int) -> dict[str, Any]:
    row = asdict(standing(rule, replace(initial(rule), armed=True)))
    row |= {
        "public_id": f"{rule.kind}{rule.threshold}{n}",
        "platform": "slack",
        "enterprise": "",
        "team": f"T{n % TEAMS}",
    }
    row |= {"person": "U", "destination_id": to, "series_id": series_id, "rule": dump(rule)}
    return row | {"threshold": rule.threshold, "created_at": START, "changed_at": START}


def below(model: str, threshold: int) -> Rule:
    return Rule(Kind.BELOW, Series(model), threshold, created_at=START)


def any_rule(model: str) -> Rule:
    kind = random.choice((Kind.BELOW, Kind.ABOVE))
    away = 1 - random.uniform(0.0, 0.5) if kind is Kind.BELOW else 1 + random.uniform(0.0, 0.5)
    made = START - random.randrange(90 * DAY)  # people make rules one by one: no two are stored alike
    return Rule(kind, Series(model), round(PRICE * away), Direction(kind), created_at=made)


def percentiles(seconds: Sequence[float]) -> str:
    cuts = statistics.quantiles(seconds, n=20)
    return f"p50 {1000 * statistics.median(seconds):8.1f} ms   p95 {1000 * cuts[-1]:8.1f} ms"


async def ticks(store: Store, n_rules: int, n_models: int, n_ticks: int) -> Timer:
    """Rounds whose prices move by a percent; the first of them settle rules that are passed at once."""
    prices = {f"GPU {n}": PRICE for n in range(n_models)}
    await tick(Collector(store), START, prices)
    bare = [await tick(Collector(store), START + n, prices) for n in range(1, 4)]
    begun = time.perf_counter()
    await add(store, [any_rule(random.choice(list(prices))) for _ in range(n_rules)])
    print(f"{'rules stored in':40} {time.perf_counter() - begun:8.1f} s")
    timer = Timer()
    timer.watch(store)
    collector, whole = Collector(store, on_round=timer), []
    for n in range(1, n_ticks + 1):
        prices = {model: round(price * random.uniform(0.99, 1.01)) for model, price in prices.items()}
        whole.append(await tick(collector, START + n * STEP, prices))
    print(f"{'a round without rules':40} {1000 * statistics.median(bare):8.1f} ms")
    print(f"{'a round with them':40} {percentiles(whole)}")
    return timer


async def burst(store: Store, n_fires: int) -> tuple[float, float]:
    """So many rules that fire in one round: seconds of the round, by the clock beyond one without, and of CPU time."""
    prices, at = {"GPU burst": PRICE}, START + 10_000 * STEP
    collector = Collector(store, on_round=evaluate)
    await tick(collector, at, prices)
    await add(store, [replace(below("GPU burst", 350_000), readings=1) for _ in range(n_fires)])
    usual = await tick(collector, at + STEP, prices)
    cpu = time.process_time()
    took = await tick(collector, at + 2 * STEP, {"GPU burst": 300_000})
    cpu = time.process_time() - cpu
    async with store.reader() as reader:
        assert (await reader.outbox.counts())["queued"] >= n_fires
    return took - usual, cpu


def renting(model: str, n: int) -> Rule:
    """A rule on offers with a limit of its own, a little above the lowest bid: it is woken, and few offers match."""
    series = Series(model, measure=Measure.OFFER)
    wanted = OfferFilter(reliability_ppm=900_000 + n, disk_gb=n % 4 * 10)
    return Rule(Kind.OFFER, series, LOWEST_BID + 500 + n, created_at=START, offer=wanted)


def offers_of(model: str, n_offers: int) -> tuple[Offer, ...]:
    """A book of one GPU a machine, each a thousandth dearer than the one before; the cheapest suits nobody."""
    return tuple(
        Offer(model, n, 1, 900_000, LOWEST_BID + 1_000 * n, region="EU-North", reliability=0.5 if n == 0 else 0.99)
        for n in range(n_offers)
    )


async def offers(store: Store, n_rules: int, n_offers: int) -> tuple[float, float]:
    """So many woken rules on the offers of one model: CPU seconds of two rounds, each beyond one without them."""
    model, at = "GPU offers", START + 15_000 * STEP
    collector = Collector(store, on_round=evaluate)
    polls = [Poll(model, at + n * STEP, Quality.COMPLETE, offers_of(model, n_offers), STEP) for n in range(4)]
    await collector.record(polls[0].at, polls[:1])
    took = []
    for n, poll in enumerate(polls[1:]):
        begun = time.process_time()
        await collector.record(poll.at, [poll])
        took.append(time.process_time() - begun)
        if n == 0:
            await add(store, [renting(model, n) for n in range(n_rules)])
    return took[1] - took[0], took[2] - took[0]


async def silence(store: Store) -> list[float]:
    """The market is away: seconds of each pass, until nothing is left to tell and 20 beyond."""
    at, passes, told = START + 20_000 * STEP, [], -1
    for n in range(1_000):
        begun = time.perf_counter()
        async with store.writer() as writer:
            await pass_time(writer, at + n)
        passes.append(time.perf_counter() - begun)
        async with store.reader() as reader:
            now = (await reader.outbox.counts()).get("queued", 0)
        if now == told:
            break
        told = now
    return passes


async def drill(url: str, options: argparse.Namespace) -> bool:
    store = await open_store(url, writer=True)
    timer = await ticks(store, options.rules, options.models, options.ticks)
    mine = [total - sql for total, sql in zip(timer.total, timer.sql, strict=True)]
    async with store.reader() as reader:
        queued = sum((await reader.outbox.counts()).values())
    print(f"{'the rules of a round, SQL and all':40} {percentiles(timer.total)}")
    print(f"{'  in the database':40} {percentiles(timer.sql)}")
    print(f"{'  beyond it':40} {percentiles(mine)}")
    print(f"{'  CPU time of deciding':40} {percentiles(timer.cpu)}")
    print(f"{'states, messages of a round':40} {timer.decided // options.ticks:8} {queued // options.ticks:8}")
    print(f"{'  beyond the database, for each state':40} {1e6 * sum(mine) / max(1, timer.decided):8.1f} us")
    seconds, cpu = await burst(store, options.fires)
    print(f"{f'{options.fires:,} fires in one round':40} {seconds:8.2f} s   CPU {cpu:8.2f} s")
    for round_, cpu in zip(("first", "next"), await offers(store, OFFER_RULES, OFFERS), strict=True):
        what = f"{OFFER_RULES:,} woken rules on {OFFERS} offers, {round_}"
        print(f"{what:40} {1e6 * cpu / OFFER_RULES:8.1f} us CPU each")
    passes = await silence(store)
    print(f"{'passes until all is told, longest':40} {len(passes):8}    {max(passes):8.2f} s")
    print(f"{'a pass with nothing left to tell':40} {1000 * passes[-1]:8.1f} ms")
    await store.close()
    return seconds < BURST_GOAL_S and statistics.quantiles(mine, n=20)[-1] * 1000 < TICK_GOAL_MS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("rules", 100_000), ("models", 60), ("ticks", 40), ("fires", 10_000)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    random.seed(1)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite:///{folder / 'spotbot.db'}"
        if options.postgres:
            url = asyncio.run(Databases(stack.enter_context(postgres_server())).create())
        met = asyncio.run(drill(url, options))
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
