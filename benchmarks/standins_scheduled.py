"""Dashboards and digests on both stand-ins over a simulated day, from the line that is typed to the message that stays.

    python -m benchmarks.standins_scheduled

A market moves. Two dashboards and a digest are asked for in a channel of Slack and of Discord; the dashboards are
edited over a day of the driver's clock, with the faces and the outbox begun anew in between, and then turned off.
Skipped with a message where the stand-ins are absent.
Traffic stays on loopback.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analytics.market import usd
from benchmarks import standins_discord, standins_slack
from benchmarks.acceptance import check, failures
from bot.alerts.stopped import tell_creators
from bot.outbox.dispatch import DispatchOptions, OutboxDispatcher
from bot.presentation.gallery import Gallery
from bot.presentation.words import Words
from bot.scheduled_messages import Messages
from bot.schedules.delivered import follow_dashboard
from bot.schedules.producing import produce
from tests.fakes.alert_market import Market, alert_market
from tests.fakes.stored import fill

EDITS = 20
DAY, STEP = 86_400, 300
WAVE = (1.0, 0.9, 1.1, 0.95, 1.2)
"""Parts of its usual price that the model costs by turns, so that each edit has something else to say."""

Chat = standins_slack.SlackStandIn | standins_discord.DiscordStandIn


@dataclass
class Drill:
    """A market, the stand-ins, and the process that speaks on them, which can be begun anew."""

    market: Market
    chats: dict[str, Chat]
    pictures: dict[str, int] = field(default_factory=dict)
    outbox: OutboxDispatcher | None = None

    def begin(self) -> None:
        """The sending half of a process."""
        messages = Messages(self.market.dispatcher, "en")
        options = DispatchOptions(on_disabled=tell_creators, on_outcome=follow_dashboard)
        senders = {name: chat.face.sender for name, chat in self.chats.items() if chat.face is not None}
        self.outbox = OutboxDispatcher(self.market.store, senders, messages.render, self.market.clock, options)

    async def restart(self) -> None:
        """Another process: the faces and the outbox are new, what is stored is as it was."""
        for chat in self.chats.values():
            await chat.stop()
            await chat.start()
        self.begin()

    async def pass_(self, seconds: int) -> None:
        """The driver's clock goes on; the schedules' job looks once, and all that is due is sent."""
        self.market.clock.pass_(seconds)
        async with self.market.store.writer() as writer:
            await produce(writer, self.market.clock())
        for _ in range(3):  # what follows from a delivery goes with the next
            self.market.clock.pass_(2)
            if self.outbox is None:
                raise AssertionError("begun before")
            await self.outbox.drain()


def told(chat: Chat, messages: list[dict[str, Any]], title: str) -> list[str]:
    """What stands in the channel under a title, for all to see."""
    module = standins_slack if isinstance(chat, standins_slack.SlackStandIn) else standins_discord
    texts = [module.visible(message) for message in messages if not _only(message)]
    return [text for text in texts if text.startswith(title)]


def _only(message: dict[str, Any]) -> bool:
    return bool(message.get("ephemeral_to") or int(message.get("flags", 0)) & 64)


async def standing(chat: Chat, title: str) -> list[str]:
    """What stands there now."""
    found = await chat.get("messages")
    return told(chat, [one for one in found if not one.get("deleted")], title)


async def edits(chat: Chat, title: str) -> int:
    """How often the messages that stand there were edited, by the stand-in's count."""
    found = [one for one in await chat.get("messages") if not one.get("deleted") and told(chat, [one], title)]
    return sum(len(one.get("edits") or one.get("_edits") or ()) for one in found)


async def violations(chat: Chat) -> list[Any]:
    """What the stand-in found wrong."""
    found = await chat.get("violations?level=error")
    return list(found["violations"] if isinstance(found, dict) else found)


async def day(drill: Drill) -> None:
    """Twenty edits with a restart in between, each of what holds then."""
    for name, chat in drill.chats.items():
        for line in ("dashboard market here", "dashboard cost 4090 here", "digest daily 09:00"):
            await chat.say(line)
        check(f"{name}: asked for", ok=True)
    await drill.pass_(10)
    begun = {name: len(await standing(chat, "Market")) for name, chat in drill.chats.items()}
    check("one message each", set(begun.values()) == {1}, begun)
    right = dict.fromkeys(drill.chats, 0)
    for n in range(EDITS):
        if n == EDITS // 2:
            await drill.restart()
        await drill.market.poll(WAVE[n % len(WAVE)], sends=False)
        await drill.pass_(DAY // EDITS)
        price = Words("en", 0).money(usd(await drill.market.price()))
        for name, chat in drill.chats.items():
            (text,) = await standing(chat, "Market") or ("",)
            right[name] += price in text
            await asyncio.sleep(1.2)  # Discord takes five edits in five seconds
    check(
        f"after each of {EDITS} looks over a day the message said the price of then",
        set(right.values()) == {EDITS},
        right,
    )
    for name, chat in drill.chats.items():
        for title in ("Market", "Cost"):
            check(f"{name}: {title} is one message", len(await standing(chat, title)) == 1)
            check(
                f"{name}: {title} was edited {EDITS} times", await edits(chat, title) == EDITS, await edits(chat, title)
            )
        check(f"{name}: one digest", len(await standing(chat, "Digest")) == 1, await standing(chat, "Digest"))
        check(f"{name}: nothing wrong by the stand-in's rules", not await violations(chat), await violations(chat))


async def ends(drill: Drill) -> None:
    """Turned off, deleted, archived."""
    for name, chat in drill.chats.items():
        await chat.say("dashboard off cost")
        await drill.pass_(10)
        check(f"{name}: a dashboard that is turned off is gone", not await standing(chat, "Cost"))
        await chat.say("dashboard reliability every=5min here")
        await drill.pass_(10)
        check(f"{name}: another one came", len(await standing(chat, "Reliability")) == 1)


async def run() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        await fill(place / "market.db")
        gallery = Gallery()
        async with alert_market(place / "market.db", place) as market:
            slack = standins_slack.SlackStandIn(market.dispatcher, gallery, place)
            discord = standins_discord.DiscordStandIn(market.dispatcher, gallery, place)
            async with slack, discord:
                market.send_through("slack", slack.face.sender)  # type: ignore[union-attr]
                drill = Drill(market, {"slack": slack, "discord": discord})
                drill.begin()
                market.outbox = drill.outbox
                await day(drill)
                await ends(drill)
        await gallery.close()


def main() -> None:
    if not (standins_slack.STANDIN.exists() and standins_discord.STANDIN.exists()):
        print("skipped, there are no stand-ins beside this checkout")
        return
    asyncio.run(run())
    print(f"{len(failures)} failed" if failures else "all passed")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
