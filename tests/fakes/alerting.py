"""Rules in a store, and rounds of a market made by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from analytics.market import HOUR, Offer, Poll, Quality
from bot.alerts.codec import load_rule, load_state
from bot.alerts.engine import evaluate, key_of, pass_time, rule_row
from bot.alerts.rules import KINDS, Direction, Kind, Rule, Series
from bot.alerts.state import State, initial
from bot.polling.rounds import Collector
from bot.store.alerts import Owner
from bot.store.engine import Store
from bot.store.outbox import StoredMessage
from bot.store.writer import Writer

MODEL, OTHER = "RTX 4090", "H100 SXM"
START = 1_800_000_000 // HOUR * HOUR
STEP = 300
OWNER = Owner("slack", "", "T1", "U1")
REGIONS = ("EU-North", "EU-West", "US-East")


def book(price: int, model: str = MODEL, machines: int = 9, regions: tuple[str, ...] = REGIONS) -> tuple[Offer, ...]:
    """One GPU a machine, all at one price; the regions by turns."""
    some = (regions[n % len(regions)] for n in range(machines))
    return tuple(Offer(model, 10 + n, 1, 2 * price, price, region=region) for n, region in enumerate(some))


def rule(kind: Kind = Kind.BELOW, threshold: int = 350_000, **more: Any) -> Rule:
    """A rule of a kind, made just before the first round."""
    spec = KINDS[kind]
    where = {name: more.pop(name) for name in ("model", "region", "metric", "window") if name in more}
    series = replace(Series(MODEL, measure=spec.measure), **where)
    direction = more.pop("direction", spec.direction or Direction.BELOW)
    return Rule(kind, series, threshold, direction, **{"created_at": START, **more})


@dataclass
class Market:
    """A collector with rules; each round comes an interval after the one before."""

    store: Store
    at: int = START
    collector: Collector = field(init=False)

    def __post_init__(self) -> None:
        self.collector = Collector(self.store, on_round=evaluate)

    async def add(self, new: Rule, state: State | None = None, owner: Owner = OWNER) -> str:
        """Store a rule for a channel of its owner's team."""
        async with self.store.writer() as writer:
            return await _create(writer, new, state, owner)

    async def add_all(self, some: Sequence[Rule], state: Callable[[Rule], State] = initial) -> None:
        """Store many at once, a transaction for all."""
        async with self.store.writer() as writer:
            for new in some:
                await _create(writer, new, state(new), OWNER)

    async def poll(
        self, price: int = 400_000, *, quality: Quality = Quality.COMPLETE, offers: Any = None, after: int = STEP
    ) -> None:
        """One round of one model."""
        self.at += after
        seen = book(price) if offers is None else offers
        await self.collector.record(self.at, [Poll(MODEL, self.at, quality, seen, STEP)])

    async def prices(self, *prices: int) -> None:
        """A round for each price."""
        for price in prices:
            await self.poll(price)

    async def wait(self, seconds: int) -> None:
        """Time passes without a round."""
        self.at += seconds
        async with self.store.writer() as writer:
            await pass_time(writer, self.at)

    async def messages(self, public_id: str) -> list[StoredMessage]:
        """What was queued for a rule."""
        async with self.store.reader() as reader:
            found = await reader.alerts.find(OWNER.platform, OWNER.enterprise, OWNER.team, public_id)
            assert found is not None
            return await reader.outbox.topic(f"alert/{found.id}")

    async def told(self, public_id: str) -> list[tuple[str, str]]:
        """(kind, action) of what was queued for a rule."""
        return [(message.kind, message.action) for message in await self.messages(public_id)]

    async def state(self, public_id: str) -> State:
        """Where a rule stands."""
        async with self.store.reader() as reader:
            found = await reader.alerts.find(OWNER.platform, OWNER.enterprise, OWNER.team, public_id)
        assert found is not None
        return load_state(found.state)

    async def change(self, public_id: str, state: State) -> None:
        """Put a rule into another state, as a click would."""
        async with self.store.writer() as writer:
            found = await writer.alerts.find(OWNER.platform, OWNER.enterprise, OWNER.team, public_id)
            assert found is not None
            said = load_rule(found.rule)
            await writer.alerts.change(found.id, rule_row(found.series_id, said, state), self.at)


async def _create(writer: Writer, new: Rule, state: State | None, owner: Owner) -> str:
    to = await writer.outbox.destination(owner.platform, owner.team, channel="C1")
    series = await writer.alerts.series_id(key_of(new))
    row = rule_row(series, new, initial(new) if state is None else state)
    return await writer.alerts.create(owner, to, row, new.created_at)


async def market(store: Store, models: Mapping[str, int] | None = None) -> Market:
    """A market with one stored round of each model, at 0.40 dollars."""
    made = Market(store)
    polls = [Poll(name, START, Quality.COMPLETE, book(400_000, name), STEP) for name in models or {MODEL: 0}]
    await Collector(store).record(START, polls)
    return made
