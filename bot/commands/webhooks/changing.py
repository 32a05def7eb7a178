"""``webhook test``, ``rotate``, ``replay`` and ``delete``: what can be done with an endpoint."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from analytics.errors import NotFound
from analytics.evidence import Note
from analytics.market import HOUR
from bot.commands.webhooks.owned import ID, ROLE, WEBHOOKS, asker_of, endpoints_of, find, note
from bot.dispatch.command import Command, Method, Param, QueryContext
from bot.presentation.card import Card
from bot.presentation.words import Words
from bot.store.webhooks import CHALLENGE, TEST, WebhookRow, to_endpoint
from bot.store.writer import Writer


@dataclass(frozen=True, slots=True)
class WebhookChanged:
    """What was done; ``secret`` where a new one was made, told here and never again."""

    id: str
    done: Note
    secret: str | None = None


Change = Callable[[Writer, WebhookRow], Awaitable[tuple[Note, str | None]]]


async def _change(query: QueryContext, public_id: str, action: str, change: Change) -> WebhookChanged:
    """Do it in one transaction with its note."""
    asker = asker_of(query)
    async with query.writing() as writer:
        row = await find(writer.webhooks, asker, public_id)
        done, secret = await change(writer, row)
        await note(writer, asker, action, row.public_id, query.now)
    return WebhookChanged(row.public_id, done, secret)


async def ask_test(query: QueryContext, *, id: str) -> WebhookChanged:  # noqa: A002
    """Send a test event; an endpoint that takes none is challenged again."""
    endpoints = endpoints_of(query)

    async def change(writer: Writer, row: WebhookRow) -> tuple[Note, str | None]:
        if row.state != "active":
            await endpoints.revive(writer, row, query.now)
            return Note("It is challenged again; events begin once it answers."), None
        name = f"webhook/{row.public_id}/test/{query.now}"
        await writer.outbox.add([to_endpoint(row, TEST, name, name, {"at": query.now}, query.now)], query.now)
        return Note("A test event is on its way; “webhook log” tells what came of it."), None

    return await _change(query, id, "test", change)


async def ask_rotate(query: QueryContext, *, id: str) -> WebhookChanged:  # noqa: A002
    """Make a new secret; the one before it signs too for a day."""
    endpoints = endpoints_of(query)

    async def change(writer: Writer, row: WebhookRow) -> tuple[Note, str | None]:
        secret = await endpoints.rotate(writer, row, query.now)
        return Note("It has a new secret. For 24 hours events are signed with the old one too."), secret

    return await _change(query, id, "rotate", change)


async def ask_replay(query: QueryContext, *, id: str, message: str | None, since: float) -> WebhookChanged:  # noqa: A002
    """Send again, under the same ids, what was not delivered; or one message, delivered or not."""

    async def change(writer: Writer, row: WebhookRow) -> tuple[Note, str | None]:
        after = query.now - round(since * HOUR)
        count = 0
        if message is None or message.isprintable():  # no database takes every text: PostgreSQL refuses a zero byte
            count = await writer.outbox.replay(
                row.destination_id, query.now, since=after, send_id=message, but=CHALLENGE
            )
        if row.state != "active":
            await writer.outbox.hold(row.destination_id, CHALLENGE)
        if message is not None and not count:
            raise NotFound(Note("there is no message of that id in the last 30 days"), suggestions=("webhook log",))
        return Note("Messages that are sent again: {n}", {"n": count}), None

    return await _change(query, id, "replay", change)


async def ask_delete(query: QueryContext, *, id: str) -> WebhookChanged:  # noqa: A002
    """Take an endpoint away, with its secrets and what waits for it."""

    async def change(writer: Writer, row: WebhookRow) -> tuple[Note, str | None]:
        await writer.webhooks.delete(row.id, query.now)
        await writer.outbox.cancel_all(row.destination_id, query.now)
        return Note("It is deleted, with its secret and what waited for it."), None

    return await _change(query, id, "delete", change)


def card(answer: WebhookChanged, words: Words) -> Card:
    """What was done with which endpoint."""
    notes = () if answer.secret is None else (words("Secret: {secret}", secret=answer.secret),)
    return Card(words("Webhook {id}", id=answer.id), words(answer.done), notes=notes)


def _command(
    name: str,
    summary: str,
    ask: Callable[..., Awaitable[WebhookChanged]],
    *params: Param,
    method: Method = "POST",
) -> Command:
    path = "/api/webhooks/{id}"
    return Command(
        name=f"webhook {name}",
        summary=summary,
        path=f"{path}/{name}" if method == "POST" else path,
        params=(ID, *params),
        ask=ask,
        card=card,
        examples=(f"webhook {name} last", f"webhook {name} id=last"),
        role=ROLE,
        method=method,
        scope=WEBHOOKS,
    )


TESTING = _command("test", "Send a webhook a test event", ask_test)
ROTATE = _command("rotate", "Make a new secret for a webhook", ask_rotate)
REPLAY = _command(
    "replay",
    "Send again what a webhook missed",
    ask_replay,
    Param("message", "text", "only the message of this id, as “webhook log” shows it"),
    Param("since", "hours", "how far back", default=168.0, minimum=0.1, maximum=720, positional=False),
)
DELETE = _command("delete", "Delete a webhook", ask_delete, method="DELETE")
