"""What the chat faces send of their own accord, against the stand-ins; started by the stand-ins' drivers."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bot.outbox.sender import Address, Ambiguous, Delivered, Message, Receipt, Sender
from bot.presentation.card import Card, Column, Line, Lines, Spark, Table

if TYPE_CHECKING:
    from benchmarks.standins_discord import DiscordStandIn
    from benchmarks.standins_slack import SlackStandIn

LANGUAGES = ("en", "pt-BR")
POSTED = 5
"""Messages of a conversation that are no edits."""

PAUSE = 1.1
"""Seconds between messages on Discord, which takes 5 in 5 s; keeping that pace is the outbox's work."""

SERVER, CHANNEL, PERSON = "200000000000000001", "300000000000000001", "100000000000000002"
"""Of the stand-in for Discord."""

CARD = Card(
    "RTX 4090 below $0.35 @everyone <!channel>",
    "It costs $0.34 now, <@U0BOB> **says** <@&1>.",
    (Table("Offers", (Column("GPU"), Column("USD", "right")), (("RTX 4090", "0.34"),)),),
    (Spark("RTX 4090", (0.4, 0.35, 0.34)),),
    ("since 14:05",),
    "2 min old",
    (Lines("Price", "falls from 0.40 to 0.35", (Line("RTX 4090", (0.0, 1.0), (0.4, 0.35)),)),),
)
LONG = dataclasses.replace(
    CARD,
    tables=(Table("Offers", (Column("GPU"), Column("USD")), tuple((f"{n} {'x' * 200}", "1") for n in range(300))),),
    notes=("n" * 3000,) * 60,
)
Check = Callable[..., None]


class Conversation:
    """Sends to one place in one language; each delivery is checked. ``pause``: seconds before each."""

    def __init__(self, sender: Sender, address: Address, language: str, check: Check, *, pause: float = 0.0) -> None:
        self.sender, self.address, self.language, self.check, self.pause = sender, address, language, check, pause

    async def send(self, what: str, card: Card = CARD, **more: Any) -> Receipt:
        await asyncio.sleep(self.pause)
        key = f"{self.address.channel or self.address.person} {self.language} {what}"
        delivery = await self.sender.send(Message(key, self.address, card, self.language, **more))
        self.check(f"sent: {key}", isinstance(delivery, Delivered), delivery)
        return delivery.receipt if isinstance(delivery, Delivered) else Receipt("0", "0")

    async def hold(self) -> Receipt:
        """Post, edit, answer in a thread twice, and each of it too long."""
        posted = await self.send("post")
        edited = await self.send("edit", edit=posted)
        self.check("an edit stays where it is", edited == posted, edited)
        for n in (1, 2):
            await self.send(f"answer {n}", thread=posted)
        await self.send("long edit", LONG, edit=posted)
        await self.send("long answer", LONG, thread=posted)
        return await self.send("long post", LONG)


async def on_slack(slack: SlackStandIn) -> None:
    """Posts, edits, threads and direct messages in both languages, and a lost answer."""
    from benchmarks.standins_slack import GENERAL, MEMBER, TEAM
    from benchmarks.standins_slack_checks import check

    assert slack.face is not None
    sender, before = slack.face.sender, len(await slack.get("messages"))
    for address in (Address("slack", TEAM, GENERAL), Address("slack", TEAM, person=MEMBER)):
        for language in LANGUAGES:
            await Conversation(sender, address, language, check).hold()
    messages = (await slack.get("messages"))[before:]
    check("each is there once", len(messages) == 2 * len(LANGUAGES) * POSTED, len(messages))
    check("each says who it is", all(m["metadata"]["event_payload"]["id"] for m in messages))
    await slack.post("fault", method="chat.postMessage", drop=True, before=False)
    lost = await sender.send(Message("lost", Address("slack", TEAM, GENERAL), CARD, "en"))
    check("a lost answer leaves it open", isinstance(lost, Ambiguous), lost)
    check("and is not sent again", len(await slack.get("messages")) == before + len(messages) + 1)


async def on_discord(discord: DiscordStandIn) -> None:
    """Posts, edits, threads and direct messages in both languages, and a lost answer."""
    from benchmarks.standins_discord import check

    assert discord.face is not None
    sender, before = discord.face.sender, len(await discord.get("messages"))
    channel = Address("discord", SERVER, CHANNEL)
    for address in (channel, Address("discord", PERSON, person=PERSON)):
        for language in LANGUAGES:
            await Conversation(sender, address, language, check, pause=PAUSE).hold()
    told = [m for m in (await discord.get("messages"))[before:] if m["embeds"]]
    check("each is there once", len(told) == 2 * len(LANGUAGES) * POSTED, len(told))
    await discord.post("fault", method="POST", path=f"/channels/{CHANNEL}/messages", drop=True, before=False)
    message = Message("lost", channel, CARD, "en")
    lost, again = await sender.send(message), await sender.send(message)
    check("a lost answer leaves it open", isinstance(lost, Ambiguous), lost)
    check("sent again it is there once", isinstance(again, Delivered), again)
    now = [m for m in (await discord.get("messages"))[before:] if m["embeds"]]
    check("and no second time", len(now) == len(told) + 1, len(now))
