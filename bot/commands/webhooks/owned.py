"""What the verbs of ``webhook`` share: whose endpoints they are, and what knows their secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analytics.errors import NotFound, Refused
from analytics.evidence import Note
from bot.access import WEBHOOKS
from bot.accounts import Asker, Role
from bot.commands.alerts.owned import asker_of
from bot.dispatch.command import Param, QueryContext
from bot.presentation.words import Words
from bot.store.alerts import LETTERS
from bot.store.audit import AuditEntry
from bot.store.webhooks import WebhookReads, WebhookRow
from bot.store.writer import Writer

if TYPE_CHECKING:
    from bot.webhooks.endpoints import Endpoints

ROLE: Role = "manager"
"""Who may use them in chat: what a team is told goes to an address of their choice."""

ID = Param("id", "text", "the webhook's name, as “webhook list” shows it", required=True, suggest=("last",))


def endpoints_of(query: QueryContext) -> Endpoints:
    """What seals and checks; raises Refused in a process that has none."""
    if query.endpoints is None or query.write is None:
        raise Refused(Note("this process knows no webhooks"))
    return query.endpoints()


async def find(webhooks: WebhookReads, asker: Asker, public_id: str) -> WebhookRow:
    """An endpoint of the asker's team; one of another team is as one that is not there."""
    name = public_id.strip().lower()
    row = None
    if name == "last":
        row = next(reversed(await webhooks.of_team(asker.platform, asker.enterprise, asker.team)), None)
    elif set(name) <= set(LETTERS):
        row = await webhooks.find(asker.platform, asker.enterprise, asker.team, name)
    if row is None:
        raise NotFound(Note("there is no webhook of that name here"), suggestions=("webhook list",))
    return row


async def note(writer: Writer, asker: Asker, action: str, public_id: str, at: int, **details: object) -> None:
    """Write down who did what to an endpoint, in the transaction that does it."""
    subject = f"webhook/{public_id}"
    await writer.audit.add(AuditEntry(at, asker.platform, asker.team, asker.person, action, subject, details))


def least_change(percent: float, words: Words) -> str:
    """From which change on a price is told."""
    return words("Prices are told when they change by {percent} or more.", percent=words.percent(percent))


__all__ = ["ID", "ROLE", "WEBHOOKS", "asker_of", "endpoints_of", "find", "least_change", "note"]
