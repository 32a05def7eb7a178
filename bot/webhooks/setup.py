"""The parts of webhooks as the settings want them: what adds endpoints, and what delivers to them."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from bot.config import BadSettings, Settings
from bot.outbox.dispatch import DispatchOptions, OutboxDispatcher
from bot.outbox.notices import WEBHOOK_DISABLED
from bot.secret_box import SecretBox
from bot.store.api_keys import KEY_PERSON
from bot.store.engine import Store
from bot.store.outbox import NewMessage
from bot.store.outbox_claims import Lease, Rate
from bot.store.webhooks import PLATFORM
from bot.store.writer import Writer
from bot.webhooks.delivery import WebhookSender
from bot.webhooks.endpoints import Endpoints, StoredEndpoints
from bot.webhooks.events import render
from bot.webhooks.guard import BadAllowance, guard_of
from bot.webhooks.outcomes import WebhookOutcomes

IN_FLIGHT = 50
"""Deliveries at once, one an endpoint (source: references/reliability.md, C4)."""

RATE = Rate(team=10, platform=100)
"""Deliveries a second to one endpoint and to all (ours)."""

USEFUL_S = 7 * 86_400
"""Seconds in which it is worth telling an owner that an endpoint was disabled (ours: nothing else tells them)."""

log = structlog.get_logger()


def build_endpoints(settings: Settings) -> Endpoints:
    """What seals and checks endpoints; raises BadSettings where SPOTBOT_WEBHOOK_ALLOW means nothing."""
    vault = None if settings.secret_key is None else SecretBox(settings.secret_key.get_secret_value())
    try:
        return Endpoints(vault, guard_of(settings.webhook_allow))
    except BadAllowance as error:
        raise BadSettings(str(error)) from None


def build_deliveries(
    store: Store,
    endpoints: Endpoints,
    clock: Callable[[], int],
    outcomes: WebhookOutcomes | None = None,
    in_flight: int = IN_FLIGHT,
) -> OutboxDispatcher:
    """Delivers what is queued for endpoints; apart from chat messages, which slow receivers must not hold up.

    ``outcomes``: others than usual, such as without chance.
    """
    stored = StoredEndpoints(store, endpoints, clock)
    sender = WebhookSender(stored.find, stored.record, endpoints.guard, clock)
    options = DispatchOptions(
        in_flight=in_flight, rates={PLATFORM: RATE}, outcomes=outcomes or WebhookOutcomes(), on_disabled=tell_owner
    )
    return OutboxDispatcher(store, {PLATFORM: sender}, render, clock, options)


async def tell_owner(writer: Writer, lease: Lease, reason: str, now: int) -> None:
    """Tell an endpoint's owner in chat that it was disabled, in the transaction that did it."""
    row = await writer.webhooks.by_id(lease.destination.channel)
    if row is None:
        return
    log.warning("a webhook was disabled", webhook=row.public_id, reason=reason)
    owner = row.owner
    of_key = owner.person.startswith(KEY_PERSON)
    place = {"channel": row.channel} if of_key else {"person": owner.person}
    destination = await writer.outbox.destination(owner.platform, owner.team, enterprise=owner.enterprise, **place)
    name = f"{WEBHOOK_DISABLED}/{row.public_id}/{now}"
    payload = {"webhook": row.public_id, "host": row.host, "reason": reason}
    message = NewMessage(name, destination, name, WEBHOOK_DISABLED, payload, expires_at=now + USEFUL_S)
    await writer.outbox.add([message], now)
