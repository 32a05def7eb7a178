"""What must not be lost: events of a process that is killed, and secrets when the operator's key is changed."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from bot.cli.keys import reseal
from bot.config import Settings
from bot.secret_box import SecretBox, new_key
from bot.store.engine import open_store
from bot.store.outbox_claims import LEASE_S
from bot.webhooks.endpoints import Endpoints
from tests.fakes.alerting import rule
from tests.fakes.webhook_market import WebhookMarket, signers, webhook_market

ROOT = Path(__file__).resolve().parents[2]


async def killed(url: str, key: str, hooks: WebhookMarket) -> int:
    port, at = str(hooks.inbox.receiver.port), str(hooks.clock())
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fakes.killed_delivery", url, key, port, at, cwd=ROOT
    )
    return await process.wait()


async def test_a_process_killed_between_post_and_record_sends_again_under_the_same_id(database_tables: str) -> None:
    store, key = await open_store(database_tables, writer=True, alone=False), new_key()
    async with webhook_market(store) as hooks:
        hooks.use(Endpoints(SecretBox(key), hooks.endpoints.guard))
        await hooks.active()
        await hooks.market.add(rule(readings=1))
        await hooks.price(400_000, 300_000, 400_000)
        assert await killed(database_tables, key, hooks) == -signal.SIGKILL
        assert [one["type"] for one in hooks.inbox.events] == ["alert.fired"]
        await hooks.deliver()
        assert len(hooks.inbox.events) == 1  # the lease of the dead has not run out
        await hooks.deliver(LEASE_S + 1)
        assert [one["type"] for one in hooks.inbox.events] == ["alert.fired", "alert.fired", "alert.resolved"]
        assert hooks.inbox.ids[0] == hooks.inbox.ids[1]
        assert hooks.inbox.requests[0].body == hooks.inbox.requests[1].body
        assert hooks.inbox.ids[2] != hooks.inbox.ids[1]
    await store.close()


async def test_a_new_key_seals_endpoints_anew(sqlite_tables: str) -> None:
    old, new = new_key(), new_key()
    store = await open_store(sqlite_tables, writer=True, alone=False)
    async with webhook_market(store) as hooks:
        hooks.use(Endpoints(SecretBox(old), hooks.endpoints.guard))
        name, secret = await hooks.active()
        wrong, both = (
            Settings(_env_file=None, DATABASE_URL=sqlite_tables, SPOTBOT_SECRET_KEY=keys)
            for keys in (new, f"{new},{old}")
        )
        assert await reseal(wrong) == 2
        assert await reseal(both) == 0
        hooks.use(Endpoints(SecretBox(new), hooks.endpoints.guard))
        await hooks.say(f"webhook test {name}")
        await hooks.deliver()
        assert [signers(one, secret) for one in hooks.inbox.requests] == [[True]]
    await store.close()
