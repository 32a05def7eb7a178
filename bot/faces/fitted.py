"""Cards that have to fit into one message, because nobody is there to turn pages."""

from __future__ import annotations

import dataclasses

from bot.presentation.card import Card
from bot.presentation.text import page, pages
from bot.presentation.words import Words


def fitted(card: Card, words: Words) -> Card:
    """The card; of one with several pages the first, which then says so."""
    if pages(card) == 1:
        return card
    return dataclasses.replace(page(card, 0), notes=(_shortened(words), *card.notes))


def brief(card: Card, words: Words) -> Card:
    """Title, conclusion and age, for platforms that refuse the whole as too long."""
    short = (_shortened(words),)
    return dataclasses.replace(card, tables=(), sparks=(), notes=short, charts=())


def _shortened(words: Words) -> str:
    return words("Shortened: the rest does not fit into one message.")
