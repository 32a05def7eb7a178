"""A dispatcher with commands made up here, on a real store, and its API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx
import pytest

from analytics.errors import AskError, MarketDown, NotFound, NotYet, Refused
from analytics.evidence import OMIT, Evidence, Note
from analytics.market import WORLD, Poll, Quality, Quote, Scope, micro, usd
from bot.dispatch.command import Command, Param, QueryContext
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.http.api import build_api, stored_keys
from bot.faces.http.metrics import market_health
from bot.presentation.card import Card
from bot.presentation.words import Words
from bot.store.engine import StoreError, open_store
from bot.store.writer import Entry
from tests.fakes.discord_house import discord, discord_dispatcher, server  # noqa: F401  fixtures
from tests.fakes.slack_house import chat, many, posted, slack, slack_dispatcher  # noqa: F401  fixtures

NOON = 1_772_366_400


@dataclass(frozen=True, slots=True)
class Rate:
    """Dollars for an hour."""

    usd: float | None
    kind: Literal["spot", "on-demand"]


@dataclass(frozen=True, slots=True)
class Price:
    """What a while costs."""

    gpu_name: str
    rates: tuple[Rate, ...]
    asked: Mapping[str, Any]
    reasoning: Note
    evidence: Evidence
    extra: int | None = field(default=None, metadata=OMIT)


async def ask_price(query: QueryContext, *, gpu_name: str, **asked: Any) -> Price:
    quote = (await query.reader.quotes([gpu_name])).get(gpu_name)
    if quote is None:
        raise NotYet(Note("no price"), have=Note("0 polls"), need=Note("{n} poll", {"n": 1}), ready_at=query.now + 300)
    basis = await query.basis([gpu_name])
    rates = (Rate(usd(quote.price), "spot"), Rate(usd(quote.on_demand), "on-demand"))
    reason = Note("mediana de {n} ofertas • ação", {"n": quote.offers})
    return Price(gpu_name, rates, asked, reason, basis.evidence(Note("median")))


ERRORS = {
    "bad": AskError(Note("{n} is too many", {"n": 9}), suggestions=("8",)),
    "unknown": NotFound(Note("no such thing")),
    "down": MarketDown(Note("nothing usable")),
    "refused": Refused(Note("not you")),
    "store": StoreError("the file /secret/place is broken"),
    "fault": ZeroDivisionError("division by /secret/zero"),
}


async def ask_trouble(query: QueryContext, *, what: str) -> Price:
    raise ERRORS[what]


def no_card(answer: Any, words: Words) -> Card:
    return Card("", "")


PRICE = Command(
    name="price",
    summary='What a <while> "costs" & why',
    path="/api/spot/price/{gpu_name}",
    params=(
        Param("gpu_name", "gpu", "the GPU", required=True),
        Param("hours", "hours", "how long", default=100.0, minimum=1, maximum=8760),
        Param("disk", "gigabytes", "disk"),
        Param("gpus", "int", "how many", default=1, minimum=1, maximum=64),
        Param("budget", "usd_per_month", "at most", minimum=0),
        Param("workload", "choice", "what for", choices=("training", "inference"), default="training"),
        Param("spot", "flag", "interruptible"),
        Param("note", "text", "anything", suggest=("mine",)),
    ),
    ask=ask_price,
    card=no_card,
    examples=("price rtx 4090 100h", "price"),
)
TROUBLE = Command(
    name="trouble",
    summary="Every way to fail",
    path="/api/spot/trouble",
    params=(Param("what", "choice", "which", required=True, choices=tuple(ERRORS)),),
    ask=ask_trouble,
    card=no_card,
    examples=("trouble what=bad",),
)


@dataclass
class Clock:
    now: int = NOON

    def __call__(self) -> int:
        return self.now


@dataclass
class House:
    """A market in a store, with a clock to turn."""

    dispatcher: Dispatcher
    clock: Clock

    async def polled(self, price: float = 0.4, *, model: str = "RTX 4090", quality: Quality = Quality.COMPLETE) -> None:
        """One poll of a model, with an interval of 300 s."""
        at, cost = self.clock.now, micro(price)
        quote = Quote(at, cost, cost, cost, cost, 2 * cost, offers=3, gpus=5, machines=3)
        poll = Poll(model, at, quality, interval=300)
        quotes = {(WORLD, Scope.VERIFIED): quote} if quality is Quality.COMPLETE else {}
        async with self.dispatcher.store.writer() as writer:
            await writer.save_round(at, [Entry(poll, quotes=quotes, rows=3)])

    async def key(self, per_minute: int = 120) -> str:
        async with self.dispatcher.store.writer() as writer:
            secret, _ = await writer.create_key("tests", scopes=("read",), per_minute=per_minute, at=self.clock.now)
        return secret

    async def health(self):
        return await market_health(self.dispatcher, polling=True, row_budget=20_000)

    def client(self, key: str | None = None, **options: Any) -> httpx.AsyncClient:
        """A client of a fresh API; without a key that API asks for none, unless told otherwise."""
        options = {"health": self.health, "require_key": key is not None, "timer": self.clock, **options}
        api = build_api(self.dispatcher, keys=stored_keys(self.dispatcher), **options)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://spotbot", headers=headers)


@pytest.fixture
async def house(sqlite_tables):
    store = await open_store(sqlite_tables, writer=True)
    clock = Clock()
    yield House(Dispatcher(store, (PRICE, TROUBLE), clock), clock)
    await store.close()


@pytest.fixture
async def web(house):
    await house.polled()
    async with house.client() as client:
        yield client
