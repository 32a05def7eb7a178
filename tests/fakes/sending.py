"""An outbox on a real store: a sender that answers as scripted, and a clock moved by hand."""

from __future__ import annotations

from collections.abc import Callable

from bot.outbox.dispatch import DispatchOptions, OutboxDispatcher
from bot.outbox.drafts import Draft, Rendered
from bot.outbox.outcomes import Outcomes
from bot.outbox.sender import Delivered, Delivery, Message, Receipt
from bot.presentation.card import Card
from bot.store.engine import Store
from bot.store.outbox import NewMessage, StoredMessage
from tests.fakes.polling import HandClock

NOW = 1_790_000_000


class ScriptedSender:
    """Delivers, unless ``answer`` says something else; keeps what it was given."""

    def __init__(self, answer: Callable[[Message], Delivery | None] = lambda message: None) -> None:
        self.answer = answer
        self.attempts: list[Message] = []
        self.delivered: list[Message] = []

    async def send(self, message: Message) -> Delivery:
        self.attempts.append(message)
        if (answer := self.answer(message)) is not None:
            return answer
        self.delivered.append(message)
        return Delivered(Receipt(message.address.channel, f"m{len(self.delivered)}"))

    @property
    def told(self) -> list[str]:
        """The texts that arrived, in their order."""
        return [message.card.lead for message in self.delivered]


class Outbox:
    """A store, its dispatcher, and short ways to queue."""

    def __init__(self, store: Store, sender: ScriptedSender | None = None, **options: object) -> None:
        self.store, self.sender, self.clock = store, sender or ScriptedSender(), HandClock(NOW)
        self.drafts: list[Draft] = []
        chosen = DispatchOptions(**{"outcomes": Outcomes(spread=lambda: 0.0), **options})  # type: ignore[arg-type]
        senders = {"slack": self.sender, "discord": self.sender}
        self.dispatcher = OutboxDispatcher(store, senders, self.render, self.clock, chosen)

    async def render(self, draft: Draft) -> Rendered:
        self.drafts.append(draft)
        return Rendered(Card("", " + ".join(event.identity for event in draft.events)))

    async def to(self, channel: str = "C1", team: str = "T1", platform: str = "slack") -> int:
        async with self.store.writer() as writer:
            return await writer.outbox.destination(platform, team, channel=channel)

    async def queue(self, to: int, *identities: str, **more: object) -> None:
        """Messages whose topic is the first two parts of their identity."""
        messages = [
            NewMessage(name, to, _topic(name), "fire", {"price": 350_000}, **more)  # type: ignore[arg-type]
            for name in identities
        ]
        async with self.store.writer() as writer:
            await writer.outbox.add(messages, self.clock())

    async def pass_(self, seconds: int = 1) -> None:
        """Let time pass, then send what is due."""
        self.clock.pass_(seconds)
        await self.dispatcher.drain()

    async def read(self, identity: str) -> StoredMessage:
        async with self.store.reader() as reader:
            found = await reader.outbox.message(identity)
        assert found is not None
        return found

    async def state(self, identity: str) -> str:
        return (await self.read(identity)).state


def _topic(identity: str) -> str:
    return "/".join(identity.split("/")[:2])
