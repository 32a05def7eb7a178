"""``dashboard link``: an address that signs the asker in to the web pages, once."""

from __future__ import annotations

from dataclasses import dataclass

from analytics.errors import Refused
from analytics.evidence import Note, Plural, iso
from bot.access import SIGN_IN
from bot.dispatch.command import Command, QueryContext
from bot.presentation.card import Card
from bot.presentation.words import Words
from bot.store.api_keys import KEY_PERSON
from bot.store.browser_sessions import LINK_S, new_link

PATH = "/sign-in/link"
"""Where the web pages take links."""

MINUTES = LINK_S // 60


@dataclass(frozen=True, slots=True)
class DashboardLink:
    """An address that signs somebody in."""

    url: str
    expires_at: str


async def link(query: QueryContext) -> DashboardLink:
    """Make a link in place of those that the asker did not use."""
    asker = query.asker
    if asker is None or asker.person.startswith(KEY_PERSON):  # a link may do more than the scopes of a key
        raise Refused(Note("links are for people in chat; an API key signs in by itself, on the page /sign-in"))
    site = query.site() if query.site else None
    if site is None:
        raise Refused(Note("set {setting} to the address of the web pages first", {"setting": "SPOTBOT_URL"}))
    secret = new_link()
    async with query.writing() as writer:
        until = await writer.browser_sessions.add_link(secret, asker, query.now)
    return DashboardLink(f"{site}{PATH}?token={secret}", iso(until))


def card(answer: DashboardLink, words: Words) -> Card:
    """The address, and who must not see it."""
    good = Plural("Good for {n} minute, once.", "Good for {n} minutes, once.")
    return Card(
        words("Web pages"),
        words("Open this address in your browser to sign in."),
        notes=(
            words("Whoever has it signs in as you: do not pass it on."),
            f"{words(good, n=MINUTES)} {words('A new one takes the place of those before.')}",
        ),
        commands=(answer.url,),
    )


LINK = Command(
    name="dashboard link",
    summary="An address that signs you in to the web pages, once",
    path=None,
    params=(),
    ask=link,
    card=card,
    examples=("dashboard link",),
    role="member",
    method="POST",
    scope=SIGN_IN,
)
