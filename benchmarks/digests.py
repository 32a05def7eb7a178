"""Digests of 500 teams at nine o'clock, with alerts meanwhile: how long each waits, and what that costs.

    python -m benchmarks.digests [--teams 500] [--platform slack]

A stored market of 20 models and 90 days, a digest a team, the schedules' job every five seconds and the outbox as in
the program, on the real clock, with pictures drawn; senders answer as slowly as the platforms do. A fire is queued each
second. Exits 1 where a digest was not sent within ten minutes, or an alert waited five seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from analytics.market import DAY
from benchmarks.pictures import DAYS, NOW, stored
from bot.dispatch.dispatcher import Dispatcher
from bot.outbox.dispatch import RATES, DispatchOptions, OutboxDispatcher
from bot.outbox.drafts import Draft, Rendered
from bot.outbox.sender import Delivered, Delivery, Message, Receipt
from bot.presentation.card import Card
from bot.presentation.gallery import Gallery
from bot.scheduled_messages import Messages
from bot.schedules.producing import DIGEST, produce
from bot.schedules.specs import DigestSpec, dump
from bot.store.alerts import Owner
from bot.store.outbox import NewMessage

ANSWER_S = (0.08, 0.35)
"""How long a platform takes to answer."""

BY_S, ALERT_WITHIN_S = 600, 5.0


@dataclass
class Platform:
    """Takes messages as slowly as a platform, and keeps when each arrived; ``wants`` is when it was wanted."""

    gallery: Gallery
    wants: dict[str, float] = field(default_factory=dict)
    late: dict[str, list[float]] = field(default_factory=lambda: {"digest": [], "alert": []})
    seconds: Counter[int] = field(default_factory=Counter)

    async def send(self, message: Message) -> Delivery:
        self.seconds[int(time.monotonic())] += 1
        for chart in message.card.charts:
            await self.gallery.png(chart, language=message.language)
        await asyncio.sleep(random.uniform(*ANSWER_S))
        kind = "alert" if message.card.title == "alert" else "digest"
        wanted = self.wants[message.card.lead] if kind == "alert" else self.wants["digests"]
        self.late[kind].append(time.monotonic() - wanted)
        return Delivered(Receipt(message.address.channel, message.id))


@dataclass
class Nine:
    """Nine o'clock: the clock of the market runs on from there as the real one does."""

    dispatcher: Dispatcher
    teams: int
    platform: str
    begun: float = field(default_factory=time.monotonic)

    def clock(self) -> int:
        return NOW + int(time.monotonic() - self.begun)

    async def prepare(self) -> None:
        """A digest a team, and a channel each for alerts."""
        spec = dump(DigestSpec(at=NOW % DAY // 60))
        async with self.dispatcher.store.writer() as writer:
            for n in range(self.teams):
                to = await writer.outbox.destination(self.platform, f"T{n}", channel=f"C{n}")
                owner = Owner(self.platform, "", f"T{n}", "U1")
                await writer.schedules.create(owner, to, "digest", spec, NOW, NOW - DAY)

    async def jobs(self) -> None:
        """The schedules' job, as the program runs it."""
        while True:
            async with self.dispatcher.store.writer() as writer:
                await produce(writer, self.clock())
            await asyncio.sleep(5)

    async def alerts(self, sender: Platform, outbox: OutboxDispatcher) -> None:
        """A fire a second, each to another team."""
        for n in range(10_000):
            identity = f"alert/{n}/1/fire"
            sender.wants[identity] = time.monotonic()
            async with self.dispatcher.store.writer() as writer:
                to = await writer.outbox.destination(
                    self.platform, f"T{n * 7 % self.teams}", channel=f"C{n * 7 % self.teams}"
                )
                await writer.outbox.add([NewMessage(identity, to, f"alert/{n}", "fire", {})], self.clock())
            outbox.wake.set()
            await asyncio.sleep(1)


async def run(teams: int, platform: str) -> bool:
    from bot.sources.sim_demo import DEMO, SEED
    from bot.sources.simulated import SimulatedMarket

    async with stored(SimulatedMarket(SEED, NOW - DAYS * DAY, DEMO)) as dispatcher:
        nine = Nine(dispatcher, teams, platform)
        dispatcher.clock = nine.clock
        await nine.prepare()
        messages, sender = Messages(dispatcher, "en"), Platform(Gallery())

        async def render(draft: Draft) -> Rendered:
            if draft.events[0].kind == DIGEST:
                return await messages.render(draft)
            return Rendered(Card("alert", draft.events[0].identity))

        outbox = OutboxDispatcher(dispatcher.store, {platform: sender}, render, nine.clock, DispatchOptions())
        sender.wants["digests"] = nine.begun = time.monotonic()
        cpu = time.process_time()
        tasks = [asyncio.create_task(work) for work in (nine.jobs(), nine.alerts(sender, outbox), outbox.run())]
        while len(sender.late["digest"]) < teams and time.monotonic() - nine.begun < BY_S:
            await asyncio.wait(tasks, timeout=1)
        took, cpu = time.monotonic() - nine.begun, time.process_time() - cpu
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await sender.gallery.close()
        return report(sender, teams, took, cpu)


def report(sender: Platform, teams: int, took: float, cpu: float) -> bool:
    """Print it; whether all is as it is to be."""
    sent, alerts = len(sender.late["digest"]), sorted(sender.late["alert"])
    last, slowest, most = max(sender.late["digest"]), alerts[-1], max(sender.seconds.values())
    print(f"digests sent: {sent} of {teams}, the last {last:.0f} s after nine, CPU {cpu:.0f} s in {took:.0f} s")
    print(f"alerts meanwhile: {len(alerts)}, median {alerts[len(alerts) // 2]:.2f} s, slowest {slowest:.2f} s")
    limits = ", ".join(f"{rate.platform} on {name}" for name, rate in RATES.items())
    print(f"messages begun in one second at most: {most} (taken: {limits})")
    return sent == teams and alerts[-1] < ALERT_WITHIN_S


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teams", type=int, default=500)
    parser.add_argument("--platform", choices=sorted(RATES), default="slack")
    args = parser.parse_args()
    sys.exit(not asyncio.run(run(args.teams, args.platform)))


if __name__ == "__main__":
    main()
