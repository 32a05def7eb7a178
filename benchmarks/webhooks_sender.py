"""The sending side of the drills of webhooks: the real dispatcher, sender and store, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import select

from analytics.errors import Refused
from benchmarks.webhooks_namespace import PUBLIC
from benchmarks.webhooks_receivers import ZONE
from bot.secret_box import SecretBox
from bot.store import tables as t
from bot.store.alerts import Owner
from bot.store.engine import Store, open_store
from bot.store.webhooks import PLATFORM, PRICE, NewWebhook, to_endpoint, webhook, webhook_attempt
from bot.store.writer import Writer
from bot.webhooks.endpoints import Endpoints
from bot.webhooks.guard import Guard
from bot.webhooks.setup import RATE, build_deliveries

EVERY_S = 5.0
"""Seconds between rounds, each with one event an endpoint: a market is polled far more seldom."""

QUIET_S = 10.0
"""Seconds after the last round in which what is late may still arrive."""

CLAIMS, CLIENTS = 20, 300
"""How often a claim and a client are timed."""

HIDDEN_NAMES = {"mixed": [PUBLIC, "10.0.0.1"], "mapped": ["::ffff:10.0.0.1"]}
"""What names have."""

MOVING = ("rebinding", "flipping")
"""Names that are public when first looked up: private ever after, or every other time."""


@dataclass
class Names:
    """A resolver: names of the zone are ours, all else is read by the system, which knows no server here."""

    asked: Counter[str] = field(default_factory=Counter)

    def __call__(self, host: str, port: Any, *more: Any, **named: Any) -> list[Any]:
        name, _, zone = str(host).partition(".")
        if zone != ZONE:
            return socket.getaddrinfo(host, port, *more, **named)
        self.asked[name] += 1
        kind = name.split("-")[0]
        moved = self.asked[name] > 1 if kind == "rebinding" else self.asked[name] % 2 == 0
        found = HIDDEN_NAMES.get(kind, [PUBLIC] if kind not in MOVING or not moved else ["10.0.0.1"])
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found
        ]


def price(n: int) -> dict[str, Any]:
    """The payload of an event."""
    return {"gpu": "RTX 4090", "price": 300_000 + n, "before": 300_000, "floor": 250_000, "gpus": 64, "offers": 12,
            "at": int(time.time())}  # fmt: skip


async def add_endpoint(writer: Writer, endpoints: Endpoints, url: str) -> int:
    """An endpoint that has answered its challenge, whatever it is; gives its number."""
    now = int(time.time())
    owner = Owner("slack", "", "T1", "U1")
    public_id, _ = await endpoints.add(writer, url, NewWebhook(owner, "C1", url[:60], [PRICE], [], 0), now)
    row = await writer.webhooks.by_id(public_id)
    assert row is not None
    await writer.webhooks.change(row.id, now, state="active")
    await writer.outbox.cancel_all(row.destination_id, now)
    return row.id


async def queue(writer: Writer, n: int) -> list[str]:
    """Queue event number ``n`` to every endpoint; gives the names of the events."""
    now, payload = int(time.time()), price(n)
    rows = await writer.webhooks.active()
    messages = [to_endpoint(row, PRICE, f"price/{n}", "price/RTX 4090", payload, now) for row in rows]
    await writer.outbox.add(messages, now)
    return [message.identity for message in messages]


async def attack(folder: Path, urls: list[str], waves: int, every: float, checked: list[str]) -> None:
    """Send ``waves`` rounds of events to all endpoints and write down when each was queued, and what came of it."""
    names = Names()
    guard = Guard(resolver=names, certificates=ssl.create_default_context(cafile=str(folder / "ca.pem")))
    endpoints = Endpoints(SecretBox((folder / "key").read_text()), guard)
    store = await open_store(f"sqlite:///{folder / 'spotbot.db'}", writer=True)
    refused = [url for url in checked if not await _taken(guard, url)]
    async with store.writer() as writer:
        ids = {url: await add_endpoint(writer, endpoints, url) for url in urls}
    await _warm(guard)
    (folder / "ready").touch()
    deliveries = build_deliveries(store, endpoints, lambda: int(time.time()))
    stop, queued, lag = asyncio.Event(), dict[str, float](), list[float]()
    running = asyncio.create_task(deliveries.run_until(stop))
    lagging = asyncio.create_task(_lag(lag))
    for n in range(waves):
        begun = time.monotonic()
        async with store.writer() as writer:
            identities = await queue(writer, n)
        queued |= dict.fromkeys(identities, begun)
        await asyncio.sleep(every)
    await asyncio.sleep(QUIET_S)
    (folder / "over").touch()
    stop.set()
    await running
    lagging.cancel()
    result = {"refused": refused, "lag": lag, **await _outcome(store, queued, ids), **await costs(guard, folder)}
    await store.close()
    (folder / "result.json").write_text(json.dumps(result))


async def _taken(guard: Guard, url: str) -> bool:
    try:
        await guard.check(url)
    except Refused:
        return False
    return True


async def _warm(guard: Guard) -> None:
    """What a first request imports and keeps is no growth."""
    async with guard.client(f"https://warm.{ZONE}/") as client:
        await client.post(f"https://warm.{ZONE}/")


async def _lag(found: list[float]) -> None:
    while True:
        begun = time.monotonic()
        await asyncio.sleep(0.05)
        found.append(time.monotonic() - begun - 0.05)


async def _outcome(store: Store, queued: dict[str, float], ids: dict[str, int]) -> dict[str, Any]:
    m, a = t.message.c, webhook_attempt.c
    async with store.reader() as reader:
        conn = reader.outbox._conn
        rows = await conn.execute(select(m.id, m.identity, m.state, webhook.c.id).join_from(
            t.message, webhook, webhook.c.destination_id == m.destination_id).where(m.kind == PRICE))  # fmt: skip
        url_of = {id_: url for url, id_ in ids.items()}
        messages = [(id_, queued[identity], state, url_of[hook]) for id_, identity, state, hook in rows]
        attempts = [
            (url_of[hook], error, ms, status)
            for hook, error, ms, status in await conn.execute(select(a.webhook_id, a.error, a.milliseconds, a.status))
        ]
    return {"messages": messages, "attempts": attempts}


async def costs(guard: Guard, folder: Path) -> dict[str, Any]:
    """What a client and a claim cost by themselves."""
    before, begun = resident(), time.perf_counter()
    for n in range(CLIENTS):
        async with guard.client(f"https://healthy-{n}.{ZONE}/"):
            pass
    client = (time.perf_counter() - begun) / CLIENTS
    return {"client_ms": client * 1000, "client_kb": (resident() - before) / CLIENTS, "claims_ms": await claims(folder)}


async def claims(folder: Path, endpoints: int = 100, events: int = 20) -> list[float]:
    """Milliseconds of claims where so many endpoints wait for so many messages each."""
    store = await open_store(f"sqlite:///{folder / 'claims.db'}", writer=True)
    vault = Endpoints(SecretBox((folder / "key").read_text()), Guard())
    found = []
    async with store.writer() as writer:
        for n in range(endpoints):
            await add_endpoint(writer, vault, f"https://claim-{n}.{ZONE}/")
        for n in range(events):
            await queue(writer, n)
    for n in range(CLAIMS):
        async with store.writer() as writer:
            now, begun = int(time.time()) + 10 + n, time.perf_counter()
            leases = await writer.outbox_leases.claim(now, 10, {PLATFORM: replace(RATE, platform=1000)})
            found.append((time.perf_counter() - begun) * 1000)
            assert len(leases) == 10
            await writer.outbox.free_all()
    await store.close()
    return found


def resident(process: str = "self") -> int:
    """Kilobytes that a process holds."""
    status = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
