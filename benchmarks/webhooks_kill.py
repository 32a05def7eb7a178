"""Events to receivers on loopback through a sending process that is killed again and again."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from standardwebhooks import Webhook

from benchmarks.outbox import ANSWER_S, LIFE_S, LONGEST_S, counts
from benchmarks.processes import ROOT
from benchmarks.webhooks_sender import add_endpoint, queue
from bot.secret_box import SecretBox, new_key
from bot.store.engine import open_store
from bot.webhooks.endpoints import Endpoints
from bot.webhooks.guard import Guard
from bot.webhooks.setup import IN_FLIGHT, build_deliveries

ENDPOINTS, EVENTS = 20, 50


@dataclass
class Receiver:
    """Counts copies by webhook-id, and knows the order in which new ones came to each endpoint."""

    keys: dict[str, str] = field(default_factory=dict)
    copies: Counter[tuple[str, str]] = field(default_factory=Counter)
    bodies: dict[tuple[str, str], set[bytes]] = field(default_factory=dict)
    order: dict[str, list[float]] = field(default_factory=dict)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def post(self, request: web.Request) -> web.Response:
        """Verify and count."""
        try:
            body, name = await request.read(), request.match_info["name"]
        except ConnectionResetError:  # its sender was killed
            return web.Response(status=400)
        event = Webhook(self.keys[name]).verify(body, dict(request.headers))
        one = (name, request.headers["webhook-id"])
        if not self.copies[one]:
            self.order.setdefault(name, []).append(event["data"]["price"])
        self.copies[one] += 1
        self.bodies.setdefault(one, set()).add(body)
        self.begun.set()
        await asyncio.sleep(random.uniform(*ANSWER_S))
        return web.Response()


def parts(folder: Path) -> Endpoints:
    """What opens the endpoints of the drill."""
    port = int((folder / "port").read_text())
    return Endpoints(SecretBox((folder / "key").read_text()), Guard(frozenset({("127.0.0.1", port)})))


def database(folder: Path) -> str:
    """Where the store is."""
    return f"sqlite:///{folder / 'spotbot.db'}"


async def work(folder: Path, in_flight: int) -> None:
    """A worker: sends until it is killed."""
    store = await open_store(database(folder), writer=True)
    async with store.writer() as writer:
        await writer.outbox.free_all()
    await build_deliveries(store, parts(folder), lambda: int(time.time()), in_flight=in_flight).run()


async def fill(folder: Path, receiver: Receiver) -> None:
    """Add the endpoints and queue every event."""
    endpoints = parts(folder)
    store = await open_store(database(folder), writer=True)
    async with store.writer() as writer:
        for n in range(ENDPOINTS):
            url = f"http://127.0.0.1:{(folder / 'port').read_text()}/{n}"
            await add_endpoint(writer, endpoints, url)
        for row in await writer.webhooks.active():
            known = endpoints.open(row)
            receiver.keys[known.url.rpartition("/")[2]] = known.key
        for n in range(EVENTS):
            await queue(writer, n)
    await store.close()


async def drill(folder: Path, in_flight: int) -> tuple[Receiver, int, float]:
    """Send all through workers that are killed, the last one excepted; gives the receiver, kills and seconds."""
    receiver, app, kills = Receiver(), web.Application(), 0
    app.router.add_post("/{name}", receiver.post)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    (folder / "port").write_text(str(runner.addresses[0][1]))
    (folder / "key").write_text(new_key())
    await fill(folder, receiver)
    begun = time.monotonic()
    while len(receiver.copies) < ENDPOINTS * EVENTS and time.monotonic() - begun < LONGEST_S:
        kills += await _life(folder, receiver, in_flight, random.uniform(*LIFE_S))
    await _life(folder, receiver, in_flight, None)
    await runner.cleanup()
    return receiver, kills, time.monotonic() - begun


async def _life(folder: Path, receiver: Receiver, in_flight: int, seconds: float | None) -> int:
    """One worker until it is killed, so many seconds after its first event; or until all is recorded."""
    receiver.begun.clear()
    command = [sys.executable, "-m", "benchmarks.webhooks", "--work", str(folder), str(in_flight)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=(folder / "log").open("ab"))  # noqa: ASYNC220
    try:
        if seconds is None:
            await _until_recorded(folder)
        else:
            async with asyncio.timeout(60):
                await receiver.begun.wait()
            await asyncio.sleep(seconds)
        if process.poll() is not None:
            raise SystemExit("a worker ended by itself:\n" + (folder / "log").read_text()[-3000:])
        return 1
    finally:
        process.kill()
        process.wait()


async def _until_recorded(folder: Path) -> None:
    for _ in range(120):
        if not (await counts(database(folder))).get("queued"):
            return
        await asyncio.sleep(0.5)


def run(in_flight: int | None) -> bool:
    """The drill and its table; gives whether the goals are met."""
    at_once = in_flight or IN_FLIGHT
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        receiver, kills, seconds = asyncio.run(drill(folder, at_once))
        states = asyncio.run(counts(database(folder)))
    wanted, copies = ENDPOINTS * EVENTS, sum(receiver.copies.values())
    lost, again = wanted - len(receiver.copies), copies - len(receiver.copies)
    bodies = sum(len(found) > 1 for found in receiver.bodies.values())
    disorder = sum(found != sorted(found) for found in receiver.order.values())
    left = {state: many for state, many in states.items() if state not in ("delivered", "cancelled")}
    bound = kills * min(at_once, ENDPOINTS)
    rows = {
        "events": wanted, "seconds": round(seconds, 1), "deliveries at once": min(at_once, ENDPOINTS),
        "kill -9": kills, "lost": f"{max(lost, 0)} (goal 0)", "under another id": f"{max(-lost, 0)} (goal 0)",
        "ids with more than one body": f"{bodies} (goal 0)", "endpoints out of order": f"{disorder} (goal 0)",
        "copies too many": f"{again} (goal: no more than kills times deliveries at once, {bound})",
        "no more than kills": "yes" if again <= kills else "no: a kill repeats all that was answered and not recorded",
        "most copies of one": max(receiver.copies.values()), "recorded": json.dumps(states),
    }  # fmt: skip
    for label, value in rows.items():
        print(f"{label:34} {value}")
    return not (lost or bodies or disorder or left) and again <= bound
