"""The life of an endpoint: added, challenged, active, rotated, disabled; and who delivers to it finds it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.errors import Refused
from analytics.evidence import Note
from bot.outbox.grouped import Grouped
from bot.secret_box import CannotOpen, SecretBox
from bot.store.engine import Store
from bot.store.outbox import NewMessage
from bot.store.webhooks import CHALLENGE, KEPT_S, PLATFORM, NewWebhook, StoredAttempt, WebhookRow, new_public_id
from bot.store.writer import Writer
from bot.webhooks.delivery import Attempt, Endpoint
from bot.webhooks.guard import Guard
from bot.webhooks.signing import ROTATION_S, new_secret


@dataclass(frozen=True, slots=True)
class Secrets:
    """What is sealed of an endpoint. ``old`` signs too until ``old_until``."""

    url: str
    key: str
    old: str = ""
    old_until: int = 0
    challenge: str = ""

    def keys(self, now: int) -> tuple[str, ...]:
        """The secrets that sign, the newest first."""
        return (self.key, self.old) if self.old and now < self.old_until else (self.key,)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Adds and changes endpoints. ``vault`` seals their secrets: None where SPOTBOT_SECRET_KEY is not set."""

    vault: SecretBox | None
    guard: Guard

    async def add(self, writer: Writer, url: str, new: NewWebhook, now: int) -> tuple[str, str]:
        """Store an endpoint whose address was checked, and queue its challenge; gives its id and its secret."""
        public_id, key = new_public_id(), new_secret()
        destination = await writer.outbox.destination(PLATFORM, public_id, channel=public_id)
        sealed = self.seal(public_id, Secrets(url, key, challenge=secrets.token_urlsafe(24)))
        await writer.webhooks.create(public_id, new, destination, sealed, now)
        await _challenge(writer, public_id, destination, now)
        return public_id, key

    async def rotate(self, writer: Writer, row: WebhookRow, now: int) -> str:
        """Sign with a new secret; the one before it signs too for a day. Gives the new one."""
        try:
            known, key = self.open(row), new_secret()
        except CannotOpen:
            raise Refused(
                Note("SPOTBOT_SECRET_KEY is not the one of when this webhook was added; tell whoever runs spotbot")
            ) from None
        fresh = Secrets(known.url, key, known.key, now + ROTATION_S, known.challenge)
        await writer.webhooks.change(row.id, now, sealed=self.seal(row.public_id, fresh))
        return key

    async def revive(self, writer: Writer, row: WebhookRow, now: int) -> None:
        """Challenge an endpoint again; what waits for it, and events, go once it answers."""
        await writer.webhooks.change(row.id, now, state="pending", failing_since=None, disabled_reason=None)
        await writer.outbox.enable(row.destination_id)
        await writer.outbox.cancel_all(row.destination_id, now, kind=CHALLENGE)
        await _challenge(writer, row.public_id, row.destination_id, now)

    def seal(self, public_id: str, known: Secrets) -> bytes:
        """The secrets, encrypted; raises Refused where no key is set."""
        return self._box().seal(_label(public_id), _plain(known))

    def open(self, row: WebhookRow) -> Secrets:
        """The secrets; raises CannotOpen, or Refused where no key is set."""
        return Secrets(**self._box().open(_label(row.public_id), row.sealed))

    def _box(self) -> SecretBox:
        if self.vault is None:
            raise Refused(Note("webhooks need SPOTBOT_SECRET_KEY, which encrypts their secrets; the README says how"))
        return self.vault


class StoredEndpoints:
    """The endpoints of a store, for who delivers: ``find`` and ``record`` of a sender."""

    def __init__(self, store: Store, endpoints: Endpoints, clock: Callable[[], int]) -> None:
        self._store, self._endpoints, self._clock = store, endpoints, clock
        self._log = Grouped(self._record)

    async def find(self, public_id: str) -> Endpoint | None:
        """An endpoint with what signs now; None where it was deleted. Raises CannotOpen where the key was changed, or
        is not set here but where the endpoint was added."""
        async with self._store.reader() as reader:
            row = await reader.webhooks.by_id(public_id)
        if row is None:
            return None
        if self._endpoints.vault is None:
            raise CannotOpen("SPOTBOT_SECRET_KEY is not set in this process")
        known = self._endpoints.open(row)
        return Endpoint(
            public_id, known.url, known.keys(self._clock()), known.challenge if row.state == "pending" else ""
        )

    async def record(self, attempt: Attempt) -> None:
        """Add an attempt to the log of its endpoint."""
        await self._log.add(attempt)

    async def _record(self, attempts: Sequence[Attempt]) -> None:
        async with self._store.writer(sharing=True) as writer:
            await writer.webhooks.attempted([(attempt.endpoint, _stored(attempt)) for attempt in attempts])


def _stored(attempt: Attempt) -> StoredAttempt:
    return StoredAttempt(
        attempt.message, attempt.event, attempt.at, attempt.milliseconds, attempt.status, attempt.error, attempt.excerpt
    )


async def _challenge(writer: Writer, public_id: str, destination_id: int, now: int) -> None:
    name = f"webhook/{public_id}/challenge/{secrets.token_hex(8)}"
    first = NewMessage(name, destination_id, name, CHALLENGE, {"at": now}, expires_at=now + KEPT_S)
    await writer.outbox.add([first], now)
    await writer.outbox.hold(destination_id, CHALLENGE)


def _label(public_id: str) -> str:
    return f"webhook {public_id}"


def _plain(known: Secrets) -> dict[str, Any]:
    return {name: getattr(known, name) for name in Secrets.__slots__}
