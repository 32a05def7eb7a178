"""Rules that the database wakes tell the same as all rules decided at every round."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from analytics.market import HOUR, WORLD, Poll, Quality, Round
from bot.alerts.codec import load_state
from bot.alerts.decide import decide
from bot.alerts.engine import evaluate, identity, key_of, of_offers, pass_time
from bot.alerts.measures import measure
from bot.alerts.quiet import Quiet
from bot.alerts.rules import Direction, Kind, Metric, Rule
from bot.alerts.state import STALE_INTERVALS, Reading, State, initial
from bot.polling.rounds import Collector
from bot.store.engine import Store, open_store
from bot.store.writer import Writer
from tests.fakes.alerting import MODEL, OTHER, OWNER, START, STEP, Market, book, rule

COMPARED = ("status", "episode", "n", "told", "sent_at", "suppressed", "silent", "ended")
"""What decides and is shown; when a rule that sleeps last had a value, it need not know."""


@dataclass
class EveryRule:
    """All rules in memory, each decided at every round and every pass."""

    rules: dict[int, Rule] = field(default_factory=dict)
    states: dict[int, State] = field(default_factory=dict)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    heard: dict[str, int] = field(default_factory=dict)

    def decide(self, id_: int, reading: Reading | None, now: int) -> None:
        decision = decide(self.rules[id_], self.states[id_], reading, now)
        self.states[id_] = decision.state
        self.told += [(identity(id_, one), asdict(one)) for one in decision.events]

    async def evaluate(self, writer: Writer, round_: Round) -> None:
        complete = {poll.model: poll.offers for poll in round_.polls if poll.quality is Quality.COMPLETE}
        self.heard.update(dict.fromkeys(complete, round_.at))
        for id_, one in self.rules.items():
            seen = complete.get(one.series.model)
            value = await measure(key_of(one), round_.quotes, writer.read, round_.at, seen or ())
            reading = Reading(round_.at, value, STEP)
            if seen is not None and one.kind is Kind.OFFER:
                self.decide(id_, of_offers(reading, one, seen), round_.at)
            elif seen is not None and value is not None:
                self.decide(id_, reading, round_.at)

    def pass_time(self, now: int) -> None:
        for id_, one in self.rules.items():
            self.decide(id_, None, now)
            heard = self.heard[one.series.model]
            if now - heard > STALE_INTERVALS * STEP:
                self.decide(id_, Reading(now, None, STEP, heard_at=heard), now)


PLACES = st.sampled_from([(WORLD, Metric.CURRENT), ("EU-North", Metric.FLOOR), ("EU-*", Metric.FLOOR)])
KINDS = st.sampled_from(
    [
        (Kind.BELOW, Direction.BELOW, 350_000),
        (Kind.ABOVE, Direction.ABOVE, 350_000),
        (Kind.CROSSES, Direction.BELOW, 340_000),
        (Kind.CROSSES, Direction.ABOVE, 360_000),
        (Kind.DROPS, Direction.BELOW, 990_000),
        (Kind.RISES, Direction.ABOVE, 1_010_000),
        (Kind.AVAILABLE, Direction.ABOVE, 7),
        (Kind.OFFER, Direction.BELOW, 350_000),
    ]
)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    (kind, direction, threshold), (region, metric) = draw(KINDS), draw(PLACES)
    if kind in (Kind.DROPS, Kind.RISES):
        region = WORLD
    minute = START % 86_400 // 60
    return rule(
        kind,
        threshold,
        direction=direction,
        model=draw(st.sampled_from([MODEL, OTHER])),
        region=region,
        metric=Metric.CURRENT if kind in (Kind.AVAILABLE, Kind.OFFER) else metric,
        window=HOUR if kind in (Kind.DROPS, Kind.RISES) else 0,
        readings=draw(st.integers(1, 2)),
        repeat_seconds=draw(st.sampled_from([0, 2 * STEP])),
        min_interval=draw(st.sampled_from([0, 300, 1500])),
        at_threshold=draw(st.booleans()),
        expires_at=draw(st.sampled_from([None, START + 12 * STEP])),
        quiet=draw(st.sampled_from([None, Quiet(minute + 15, minute + 32)])),
    )


PRICES = st.sampled_from([300_000, 343_000, 349_999, 350_000, 350_001, 357_000, 400_000])
POLLS = st.tuples(st.sampled_from([MODEL, OTHER]), PRICES, st.sampled_from([6, 9, 12]))
STEPS = st.one_of(
    st.lists(POLLS, min_size=1, max_size=2, unique_by=lambda poll: poll[0]),
    st.lists(POLLS, min_size=2, max_size=2, unique_by=lambda poll: poll[0]),
    st.sampled_from([60, STEP, 4 * STEP]),
)


@settings(max_examples=15)
@given(some=st.lists(rules(), min_size=3, max_size=12), steps=st.lists(STEPS, min_size=8, max_size=24))
def test_the_index_wakes_whatever_brute_force_decides(
    file_with_tables: Path, some: list[Rule], steps: list[Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(file_with_tables, f"{folder}/market.db")
        asyncio.run(_compare(f"sqlite:///{folder}/market.db", some, steps))


async def _compare(url: str, some: list[Rule], steps: list[Any]) -> None:
    store = await open_store(url, writer=True)
    try:
        await _walk(store, some, steps)
    finally:
        await store.close()


async def _walk(store: Store, some: list[Rule], steps: list[Any]) -> None:
    await Collector(store).record(
        START, [Poll(name, START, Quality.COMPLETE, book(400_000, name), STEP) for name in (MODEL, OTHER)]
    )
    market, every = Market(store), EveryRule(heard={MODEL: START, OTHER: START})
    await market.add_all(some)
    async with store.reader() as reader:
        rows = await reader.alerts.of_team(OWNER.platform, OWNER.enterprise, OWNER.team)
    every.rules = {row.id: one for row, one in zip(rows, some, strict=True)}
    every.states = {id_: initial(one) for id_, one in every.rules.items()}

    async def both(writer: Writer, round_: Round) -> None:
        await every.evaluate(writer, round_)
        await evaluate(writer, round_)

    collector = Collector(store, on_round=both)
    for step in steps:
        market.at += STEP if isinstance(step, list) else step
        await _take(store, collector, every, market.at, step)
        await _equal(store, every)
    event(f"messages {min(len(every.told), 5)}")


async def _take(store: Store, collector: Collector, every: EveryRule, at: int, step: Any) -> None:
    if isinstance(step, list):
        polls = [Poll(name, at, Quality.COMPLETE, book(price, name, n), STEP) for name, price, n in step]
        await collector.record(at, polls)
        return
    every.pass_time(at)
    for _ in range(2):  # a rule that is due is asked about its data by the next pass
        async with store.writer() as writer:
            await pass_time(writer, at)


async def _equal(store: Store, every: EveryRule) -> None:
    async with store.reader() as reader:
        rows = await reader.alerts.of_team(OWNER.platform, OWNER.enterprise, OWNER.team)
        messages = [message for row in rows for message in await reader.outbox.topic(f"alert/{row.id}")]
    for row in rows:
        state = load_state(row.state)
        assert {n: getattr(state, n) for n in COMPARED} == {n: getattr(every.states[row.id], n) for n in COMPARED}
    told = {message.identity: message.payload["event"] for message in messages}
    assert len(messages) == len(every.told)
    assert told == {name: json.loads(json.dumps(one)) for name, one in every.told}
