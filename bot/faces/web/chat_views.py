"""What chats would show, from what they would be sent: near to their look, and every text in it stays a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bot.faces.web.cards import line_address
from bot.faces.web.chat_markup import markdown, markdown_lines, mrkdwn
from bot.faces.web.rendering import render
from bot.presentation.card import Card
from bot.presentation.words import Words

Preview = Callable[[Card, Words, str, int], dict[str, Any]]
"""What a platform would be sent for a page of a card, from 0, and the line that asks it again; as JSON."""

SLACK_FORM = "spot_form"
DISCORD_RUN, DISCORD_FORM, DISCORD_PAGE, DISCORD_PROMPT = "spot:run:", "spot:form:", "spot:page:", "/spot "
"""What buttons carry, as the faces write it; a test holds these to theirs, for no face knows another."""

DISCORD_STYLES = {1: "primary", 2: "secondary", 3: "success", 4: "danger"}
"""Names of the numbers (source: Discord's documentation, Button Styles)."""

ATTACHED = "attachment://"


def chat_html(platform: str, payload: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    """What a platform would show of a payload; ``pictures``: addresses by the names that it gives them."""
    return _SHOWN[platform](payload, pictures)


def slack_html(payload: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    """A message of Block Kit; ``pictures``: addresses by file id."""
    return render("slack.html", blocks=payload["blocks"], pictures=pictures, mrkdwn=mrkdwn, address=slack_address)


def discord_html(payload: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    """Embeds and buttons; ``pictures``: addresses by file name."""
    attached = payload.get("attachments") or ()
    return render(
        "discord.html",
        message=payload,
        line=_line_of(payload),
        pictures={ATTACHED + name: address for name, address in pictures.items()},
        alts={ATTACHED + one["filename"]: one.get("description") or "" for one in attached},
        styles=DISCORD_STYLES,
        markdown=markdown,
        markdown_lines=markdown_lines,
        address=discord_address,
    )


def slack_address(button: Mapping[str, Any]) -> str:
    """Where a button's line is asked, or its form is; empty where it carries none."""
    number, _, line = str(button.get("value", "")).partition(" ")
    is_form = str(button.get("action_id", "")).startswith(SLACK_FORM)
    return line_address(line, "/form" if is_form else "/ask", **_page(number)) if line else ""


def discord_address(button: Mapping[str, Any], line: str) -> str:
    """The same; ``line``: the one that the message answers, which most buttons ask again."""
    name = str(button.get("custom_id", ""))
    if name.startswith(DISCORD_FORM):
        return line_address(name.removeprefix(DISCORD_FORM), "/form")
    if name.startswith(DISCORD_RUN):
        return line_address(name.removeprefix(DISCORD_RUN))
    number = name.removeprefix(DISCORD_PAGE) if name.startswith(DISCORD_PAGE) else "0"
    return line_address(line, **_page(number)) if line else ""


def _page(number: str) -> dict[str, str]:
    return {"page": number} if number not in ("", "0") else {}


def _line_of(payload: Mapping[str, Any]) -> str:
    first: Mapping[str, Any] = next(iter(payload.get("embeds") or ()), {})
    name = str(first.get("author", {}).get("name", ""))
    return name.removeprefix(DISCORD_PROMPT) if name.startswith(DISCORD_PROMPT) else ""


_SHOWN = {"Slack": slack_html, "Discord": discord_html}
