"""What Slack and Discord would be sent for a card: the payloads that our faces make, shown by the demo's playground."""

from __future__ import annotations

from typing import Any

from bot.presentation.card import Card
from bot.presentation.words import Words


def slack_payload(card: Card, words: Words, line: str) -> dict[str, Any]:
    """The message that would be posted to Slack; charts are files called ``chart1``, ``chart2``."""
    from bot.faces.slack import blocks

    pictures = [blocks.Picture(f"chart{n}", chart.alt) for n, chart in enumerate(card.charts, 1)]
    return blocks.message(blocks.sheet(card, words, line=line), pictures=pictures)


def discord_payload(card: Card, words: Words, line: str) -> dict[str, Any]:
    """The embeds that would be posted to Discord; charts are attachments."""
    from bot.faces.discord import embeds

    pictures = [embeds.Picture(b"", chart.alt) for chart in card.charts]
    made = embeds.message(card, words, line=line, pictures=pictures)
    return {"embeds": [embed.to_dict() for embed in made.embeds]}
