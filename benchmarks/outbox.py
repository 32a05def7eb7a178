"""Messages and a sending process that is killed again and again: what is lost, and what arrives twice.

``python -m benchmarks.outbox --messages 3000``, with ``--workers 2 --postgres`` on PostgreSQL. Each worker is killed
0.5 to 0.9 s after its first message. Prints a table; exits 1 when something was lost, or when more
arrived again than were in flight at the kills.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from benchmarks.processes import ROOT
from bot.outbox.dispatch import IN_FLIGHT, DispatchOptions, OutboxDispatcher
from bot.outbox.drafts import Draft, Rendered
from bot.outbox.sender import Ambiguous, Delivered, Delivery, Message, Receipt, TryLater
from bot.presentation.card import Card
from bot.store.engine import open_store
from bot.store.outbox import NewMessage
from tests.fakes.postgres import Databases, postgres_server

TEAMS, CHANNELS = 40, 5
LIFE_S = (0.5, 0.9)
ANSWER_S = (0.002, 0.03)
"""How long the receiver takes to answer: kills fall between arrival and answer too."""
LEASE_S = 2
LONGEST_S = 600.0


class HttpSender:
    """Sends to a receiver on this machine."""

    def __init__(self, session: aiohttp.ClientSession, url: str, worker: int) -> None:
        self._session, self._url, self._worker = session, url, worker

    async def send(self, message: Message) -> Delivery:
        body = {"id": message.id, "text": message.card.lead, "worker": self._worker}
        try:
            async with self._session.post(self._url, json=body) as answer:
                answer.raise_for_status()
        except aiohttp.ClientConnectorError as error:
            return TryLater(str(error), 1)
        except aiohttp.ClientError as error:
            return Ambiguous(str(error))
        return Delivered(Receipt(message.address.channel, message.id))


@dataclass
class Receiver:
    """Counts what arrives, from workers with so many messages in flight."""

    in_flight: int
    copies: Counter[str] = field(default_factory=Counter)
    texts: dict[str, set[str]] = field(default_factory=dict)
    order: dict[str, list[int]] = field(default_factory=dict)
    begun: dict[int, asyncio.Event] = field(default_factory=dict)

    async def post(self, request: web.Request) -> web.Response:
        body = await request.json()
        topic, n = body["text"].rsplit("/", 1)
        if not self.copies[body["id"]]:
            self.order.setdefault(topic, []).append(int(n))
        self.copies[body["id"]] += 1
        self.texts.setdefault(body["text"], set()).add(body["id"])
        self.begun[body["worker"]].set()
        await asyncio.sleep(random.uniform(*ANSWER_S))
        return web.json_response({})


async def _render(draft: Draft) -> Rendered:
    return Rendered(Card("", draft.events[0].identity))


async def work(url: str, receiver: str, worker: int, in_flight: int) -> None:
    """A worker: sends until it is killed."""
    alone = url.startswith("sqlite")
    store = await open_store(url, writer=True, alone=alone)
    if alone:
        async with store.writer() as writer:
            await writer.outbox.free_all()
    async with aiohttp.ClientSession() as session:
        sender = HttpSender(session, receiver, worker)
        options = DispatchOptions(lease_seconds=LEASE_S, in_flight=in_flight)
        await OutboxDispatcher(store, {"slack": sender}, _render, lambda: int(time.time()), options).run()


async def fill(url: str, messages: int) -> None:
    store = await open_store(url, writer=True)
    async with store.writer() as writer:
        places = [(f"T{n % TEAMS}", f"C{n // TEAMS}") for n in range(TEAMS * CHANNELS)]
        to = [await writer.outbox.destination("slack", team, channel=channel) for team, channel in places]
        topics = [n % len(to) for n in range(messages)]
        rows = [
            NewMessage(f"alert/{place}/{n}", to[place], f"alert/{place}", "fire", {}) for n, place in enumerate(topics)
        ]
        await writer.outbox.add(rows, int(time.time()))
    await store.close()


async def counts(url: str) -> dict[str, int]:
    store = await open_store(url, writer=False)
    async with store.reader() as reader:
        found = await reader.outbox.counts()
    await store.close()
    return found


async def drill(url: str, messages: int, workers: int, in_flight: int) -> tuple[Receiver, dict[str, int], int, float]:
    """Send them all through workers that are killed; gives the receiver, the states, kills and seconds."""
    await fill(url, messages)
    receiver = Receiver(in_flight)
    app = web.Application()
    app.router.add_post("/", receiver.post)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    begun, numbers, kills = time.monotonic(), iter(range(1_000_000)), 0

    async def lives() -> None:
        nonlocal kills
        while len(receiver.texts) < messages and time.monotonic() - begun < LONGEST_S:
            kills += await _life(url, address, receiver, next(numbers), messages)

    await asyncio.gather(*(lives() for _ in range(workers)))
    await _last(url, address, receiver, next(numbers), messages)
    await runner.cleanup()
    return receiver, await counts(url), kills, time.monotonic() - begun


@contextmanager
def _worker(url: str, address: str, receiver: Receiver, number: int) -> Iterator[subprocess.Popen[bytes]]:
    receiver.begun[number] = asyncio.Event()
    command = [sys.executable, "-m", "benchmarks.outbox", "--work", url, address, str(number), str(receiver.in_flight)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def _life(url: str, address: str, receiver: Receiver, number: int, messages: int) -> int:
    """One worker until it is killed, 0.5 to 0.9 s after its first message."""
    with _worker(url, address, receiver, number) as process:
        waiting = asyncio.create_task(receiver.begun[number].wait())
        while not waiting.done() and process.poll() is None and len(receiver.texts) < messages:
            await asyncio.wait([waiting], timeout=0.2)
        waiting.cancel()
        if process.poll() is not None:
            raise SystemExit("a worker ended by itself")
        if receiver.begun[number].is_set():
            await asyncio.sleep(random.uniform(*LIFE_S))
        return int(process.poll() is None)


async def _last(url: str, address: str, receiver: Receiver, number: int, messages: int) -> None:
    """One that is left alone, until everything is recorded."""
    with _worker(url, address, receiver, number):
        for _ in range(120):
            if not (await counts(url)).get("queued"):
                return
            await asyncio.sleep(0.5)


def report(messages: int, result: tuple[Receiver, dict[str, int], int, float]) -> bool:
    """Print the table; gives whether the goals are met."""
    receiver, states, kills, seconds = result
    twice = [n for n in receiver.copies.values() if n > 1]
    lost = messages - len(receiver.texts)
    strange = sum(len(ids) > 1 for ids in receiver.texts.values())
    inversions = sum(numbers != sorted(numbers) for numbers in receiver.order.values())
    rows = {
        "messages": messages,
        "seconds": round(seconds, 1),
        "kill -9": kills,
        "lost": lost,
        "ids that arrived more than once": len(twice),
        "copies too many": sum(twice) - len(twice),
        "most copies of one": max(receiver.copies.values()),
        "messages under two ids": strange,
        "topics out of order": inversions,
        **{f"recorded as {state}": count for state, count in states.items()},
    }
    for name, value in rows.items():
        print(f"{name:34} {value}")
    fits = sum(twice) - len(twice) <= kills * receiver.in_flight
    return not lost and not strange and not inversions and fits and states == {"delivered": messages}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--in-flight", type=int, default=IN_FLIGHT)
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        url, address, number, in_flight = options.work
        asyncio.run(work(url, address, int(number), int(in_flight)))
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite:///{folder / 'spotbot.db'}"
        if options.postgres:
            url = asyncio.run(Databases(stack.enter_context(postgres_server())).create())
        met = report(options.messages, asyncio.run(drill(url, options.messages, options.workers, options.in_flight)))
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
