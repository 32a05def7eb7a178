"""Endpoints of a team on a real receiver, with a clock and a market that are moved by hand."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from analytics.market import Poll, Quality
from bot.accounts import Asker
from bot.alerts.messages import AlertMessages
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.reply import Reply, reply
from bot.on_round import on_round
from bot.outbox.dispatch import OutboxDispatcher
from bot.outbox.sender import Delivered, Delivery, Message, Receipt
from bot.polling.rounds import Collector
from bot.presentation.text import plain
from bot.secret_box import SecretBox, new_key
from bot.store.engine import Store
from bot.store.webhooks import CHALLENGE, StoredAttempt, WebhookRow
from bot.webhooks.endpoints import Endpoints
from bot.webhooks.guard import guard_of
from bot.webhooks.outcomes import WebhookOutcomes
from bot.webhooks.setup import build_deliveries
from tests.fakes.alerting import MODEL, START, STEP, Market, book, market
from tests.fakes.polling import HandClock
from tests.fakes.receivers import Behaviour, Receiver, Request, answer, receiving

BOSS = Asker("slack", "T1", "U2", "C1", role="manager")


@dataclass
class Inbox:
    """A receiver whose behaviour a test changes; it answers challenges as long as it is ``obliging``."""

    receiver: Receiver
    behave: Behaviour = field(default_factory=answer)
    obliging: bool = True

    async def __call__(self, receiver: Receiver, writer: Any, got: bytes) -> None:
        said = json.loads(got)
        if said["type"] == CHALLENGE and self.obliging:
            await answer(200, said["data"]["challenge"].encode())(receiver, writer, got)
        else:
            await self.behave(receiver, writer, got)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What arrived after the challenges."""
        return [json.loads(one.body) for one in self.requests]

    @property
    def requests(self) -> list[Request]:
        """The same, as it came."""
        return [one for one in self.receiver.requests if json.loads(one.body)["type"] != CHALLENGE]

    @property
    def types(self) -> list[str]:
        """The names of all that arrived."""
        return [json.loads(one.body)["type"] for one in self.receiver.requests]

    @property
    def ids(self) -> list[str]:
        """Under which ids, without challenges."""
        return [one.headers["webhook-id"] for one in self.requests]


@dataclass
class ChatSender:
    """Keeps what people are told."""

    told: list[Message] = field(default_factory=list)

    async def send(self, message: Message) -> Delivery:
        self.told.append(message)
        return Delivered(Receipt(message.address.channel or "D1", str(len(self.told))))


@dataclass
class WebhookMarket:
    """A store with endpoints, their deliveries, and chat."""

    store: Store
    clock: HandClock
    inbox: Inbox
    endpoints: Endpoints
    market: Market
    chat: ChatSender
    deliveries: OutboxDispatcher = field(init=False)
    dispatcher: Dispatcher = field(init=False)

    def __post_init__(self) -> None:
        self.use(self.endpoints)

    def use(self, endpoints: Endpoints, spread: float = 0.5) -> None:
        """Go on with these, as after a restart."""
        self.endpoints = endpoints
        self.dispatcher = Dispatcher(self.store, COMMANDS, self.clock, endpoints=lambda: endpoints)
        outcomes = WebhookOutcomes(spread=lambda: spread)
        self.deliveries = build_deliveries(self.store, endpoints, self.clock, outcomes)

    async def say(self, text: str, asker: Asker = BOSS) -> Reply:
        """Ask in chat."""
        return await reply(self.dispatcher, asker, text, default="en")

    async def hear(self, text: str, asker: Asker = BOSS) -> str:
        """Ask, and read the answer."""
        return plain((await self.say(text, asker)).card)

    async def add(self, more: str = "", asker: Asker = BOSS) -> tuple[str, str]:
        """An endpoint at the receiver, not yet challenged; gives its name and its secret."""
        said = await self.say(f"webhook add {self.inbox.receiver.url} {more}", asker)
        assert said.ok, plain(said.card)
        return said.answer.id, said.answer.secret

    async def active(self, more: str = "", asker: Asker = BOSS) -> tuple[str, str]:
        """The same, once it takes events."""
        made = await self.add(more, asker)
        await self.deliver()
        assert (await self.row(made[0])).state == "active"
        return made

    async def deliver(self, after: int = 0) -> None:
        """What is due after some seconds."""
        self.clock.pass_(after)
        await self.deliveries.drain()

    async def told(self) -> list[Message]:
        """What people were told in chat."""
        self.clock.pass_(1)
        render = AlertMessages(self.store, self.clock, "en").render
        await OutboxDispatcher(self.store, {"slack": self.chat}, render, self.clock).drain()
        return self.chat.told

    async def price(self, *prices: int, model: str = MODEL, quality: Quality = Quality.COMPLETE) -> None:
        """A round for each price, five minutes apart."""
        for price in prices:
            self.clock.pass_(STEP)
            poll = Poll(model, self.clock(), quality, book(price, model), STEP)
            await self.market.collector.record(self.clock(), [poll])

    async def row(self, public_id: str) -> WebhookRow:
        """An endpoint as it is stored."""
        async with self.store.reader() as reader:
            row = await reader.webhooks.by_id(public_id)
        assert row is not None
        return row

    async def log(self, public_id: str) -> list[StoredAttempt]:
        """Its attempts, the oldest first."""
        row = await self.row(public_id)
        async with self.store.reader() as reader:
            return (await reader.webhooks.log(row.id, 500))[::-1]

    async def counts(self) -> dict[str, int]:
        """How many messages are in each state."""
        async with self.store.reader() as reader:
            return await reader.outbox.counts()


@asynccontextmanager
async def webhook_market(store: Store) -> AsyncIterator[WebhookMarket]:
    """A team whose endpoints are one receiver."""
    inbox = Inbox(Receiver())
    async with receiving(inbox) as receiver:
        inbox.receiver = receiver
        endpoints = Endpoints(SecretBox(new_key()), guard_of(f"127.0.0.1:{receiver.port}"))
        alerts = await market(store)
        alerts.collector = Collector(store, on_round=on_round)
        yield WebhookMarket(store, HandClock(START), inbox, endpoints, alerts, ChatSender())


def signers(request: Request, *keys: str) -> list[bool]:
    """Which of these secrets signed a request, as the standard says."""
    at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    given = request.headers["webhook-signature"].split(" ")
    return [Webhook(key).sign(request.headers["webhook-id"], at, request.body.decode()) in given for key in keys]


def secret_in(text: str) -> str:
    """The secret that an answer shows."""
    found = re.search(r"whsec_\S+", text)
    assert found, text
    return found[0]
