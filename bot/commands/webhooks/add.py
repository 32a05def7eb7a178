"""``webhook add``: an endpoint, whose secret is shown once."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from analytics.errors import AskError, Refused
from analytics.evidence import Note
from bot.commands.webhooks.owned import ROLE, WEBHOOKS, asker_of, endpoints_of, least_change, note
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Action, Card
from bot.presentation.words import Words
from bot.store.alerts import Owner
from bot.store.webhooks import CHALLENGE, FIRED, PRICE, RESOLVED, SUBSCRIBED, NewWebhook

MOST_OF_TEAM = 20
"""Endpoints of a team at most (ours: who needs more needs a distributor of their own)."""

PPM_OF_PERCENT = 10_000


@dataclass(frozen=True, slots=True)
class WebhookAdded:
    """A new endpoint. ``secret`` is told here and never again."""

    id: str
    host: str
    events: tuple[str, ...]
    gpus: tuple[str, ...]
    min_change_percent: float
    secret: str
    challenge_event: str


async def ask(
    query: QueryContext, *, url: str, events: str, gpus: tuple[str, ...] | None, change: float
) -> WebhookAdded:
    """Check the address, store the endpoint, and queue its challenge."""
    asker, endpoints = asker_of(query), endpoints_of(query)
    wanted = events_of(events)
    address = url.strip().strip("<>")
    await endpoints.guard.check(address)
    owner = Owner(asker.platform, asker.enterprise, asker.team, asker.person)
    ppm = round(change * PPM_OF_PERCENT)
    new = NewWebhook(owner, asker.channel, host_of(address), wanted, gpus or (), ppm)
    async with query.writing() as writer:
        if len(await writer.webhooks.of_team(asker.platform, asker.enterprise, asker.team)) >= MOST_OF_TEAM:
            raise Refused(Note("webhooks at most: {n} a team; delete some first", {"n": MOST_OF_TEAM}))
        public_id, secret = await endpoints.add(writer, address, new, query.now)
        await note(writer, asker, "create", public_id, query.now, host=new.host)
    return WebhookAdded(public_id, new.host, wanted, tuple(gpus or ()), change, secret, CHALLENGE)


def host_of(url: str) -> str:
    """The host and port that may be shown of an address, whose path may hold a secret."""
    return urlsplit(url).netloc.rpartition("@")[2]


def events_of(text: str) -> tuple[str, ...]:
    """The events of a text such as "alert.fired, price.changed"; raises AskError with those that there are."""
    said = tuple(dict.fromkeys(part for part in text.lower().replace(",", " ").split() if part))
    unknown = [part for part in said if part not in SUBSCRIBED]
    if unknown or not said:
        given = "".join(c for c in " ".join(unknown) if c.isprintable())[:40]
        raise AskError(Note("“{given}” is no event", {"given": given}), suggestions=SUBSCRIBED)
    return said


def card(answer: WebhookAdded, words: Words) -> Card:
    """What was added, its secret, and what happens next."""
    events = ", ".join(answer.events)
    of_prices = (least_change(answer.min_change_percent, words),) if PRICE in answer.events else ()
    notes = (
        words("Secret: {secret}", secret=answer.secret),
        words("Keep it now: it is not shown again. Events are signed with it; “webhook rotate” makes a new one."),
        words("First it is sent {event}: the answer must hold the challenge, and then events begin.", event=CHALLENGE),
        *of_prices,
    )
    return Card(
        words("Webhook {id}", id=answer.id),
        words("{host} is told of {events}", host=answer.host, events=events),
        notes=notes,
        actions=(
            Action(words("Show"), f"webhook show {answer.id}"),
            Action(words("Delete"), f"webhook delete {answer.id}", "danger"),
        ),
    )


COMMAND = Command(
    name="webhook add",
    summary="Let a program of yours be told of alerts and prices",
    path="/api/webhooks",
    params=(
        Param(
            "url", "text", "the https address that is posted to", required=True, suggest=("https://example.com/hook",)
        ),
        Param(
            "events",
            "text",
            "which events, separated by commas",
            default=f"{FIRED},{RESOLVED}",
            suggest=(FIRED, RESOLVED, PRICE),
            positional=False,
        ),
        Param("gpus", "gpus", "only of these models", positional=False),
        Param(
            "change",
            "percent",
            "least change of a price that is told",
            default=1.0,
            minimum=0.1,
            maximum=50,
            positional=False,
        ),
    ),
    ask=ask,
    card=card,
    examples=(
        "webhook add https://example.com/hook",
        "webhook add https://example.com/hook events=price.changed gpus=4090",
    ),
    role=ROLE,
    method="POST",
    scope=WEBHOOKS,
)
