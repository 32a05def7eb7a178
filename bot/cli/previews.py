"""What Slack and Discord would be sent for a card: the payloads that our faces make, shown by the demo's playground."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from bot.dispatch.reply import actions
from bot.presentation.card import Card
from bot.presentation.text import page, pages
from bot.presentation.words import Words


def slack_payload(card: Card, words: Words, line: str, number: int = 0) -> dict[str, Any]:
    """The message that would be posted to Slack; charts are files called ``chart1``, ``chart2``."""
    from bot.faces.slack import blocks
    from bot.faces.slack.chart_uploads import MOST

    found = blocks.sheet(_own_buttons(card, words, line), words, line=line, number=number)
    charts = found.card.charts[:MOST]
    pictures = [blocks.Picture(f"chart{n}", chart.alt) for n, chart in enumerate(charts, 1)]
    return blocks.message(found, pictures=pictures)


def discord_payload(card: Card, words: Words, line: str, number: int = 0) -> dict[str, Any]:
    """The message that would be posted to Discord, as its SDK writes it; charts are attachments.

    To be called where an event loop runs, as the SDK's buttons want one.
    """
    from discord.http import handle_message_parameters

    from bot.faces.discord.buttons import buttons
    from bot.faces.discord.embeds import Picture, can_ask_again, message
    from bot.faces.discord.replies import NOBODY
    from bot.faces.discord.responder import PICTURES

    count = pages(card)
    number = min(number, count - 1)
    shown = page(_own_buttons(card, words, line), number)
    pictures = [Picture(b"", chart.alt) for chart in shown.charts[:PICTURES]]
    built = message(shown, words, line=line, number=number, count=count, pictures=pictures)
    common = actions(words, line if can_ask_again(line) else "", number=number, count=count)
    sent = handle_message_parameters(
        embeds=built.embeds,
        attachments=built.files(),
        view=buttons((*common, *shown.actions), number=number),
        allowed_mentions=NOBODY,
    )
    if sent.multipart:  # beside files, the message is a part of its own
        return dict(json.loads(sent.multipart[0]["value"]))
    return dict(sent.payload or {})


def _own_buttons(card: Card, words: Words, line: str) -> Card:
    """A card without the buttons that every answer has: faces add them."""
    common = actions(words, line)
    return replace(card, actions=tuple(action for action in card.actions if action not in common))
