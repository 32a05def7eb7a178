"""A process that delivers events and dies between a receiver's answer and its record: URL, key, port, time."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from bot.outbox.sender import Delivery
from bot.secret_box import SecretBox
from bot.store.engine import open_store
from bot.store.outbox_claims import Lease
from bot.store.writer import Writer
from bot.webhooks.endpoints import Endpoints
from bot.webhooks.guard import guard_of
from bot.webhooks.outcomes import WebhookOutcomes
from bot.webhooks.setup import build_deliveries


class Killed(WebhookOutcomes):
    """Records nothing any more."""

    async def record(self, writer: Writer, lease: Lease, delivery: Delivery, now: int) -> bool:
        os.kill(os.getpid(), signal.SIGKILL)
        return False


async def run(url: str, key: str, port: str, at: int) -> None:
    store = await open_store(url, writer=True, alone=False)
    endpoints = Endpoints(SecretBox(key), guard_of(f"127.0.0.1:{port}"))
    await build_deliveries(store, endpoints, lambda: at, Killed()).drain()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
