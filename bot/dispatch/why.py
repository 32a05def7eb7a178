"""``why`` before a question: the same answer, told by what it rests on instead of by its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from analytics.errors import AskError
from analytics.evidence import Evidence
from analytics.typed_text import plain_text
from bot.dispatch.command import Command
from bot.dispatch.verbs import find_command, without_accents, without_call
from bot.presentation.card import Action, Card
from bot.presentation.words import Words

WHY = "why"
CALLED_SO = frozenset((WHY, "why?", "porque", "porque?"))
"""How people ask it, without accents."""

SHOWN_NOTES = 2
"""Notes on a card (source: our choice; what more must be known is one press away)."""


def behind_why(line: str, commands: Sequence[Command]) -> str | None:
    """The question behind ``why``; None where a line does not begin so, or goes on with what is no command."""
    said = plain_text(line).split()
    words = without_call(said)
    if not words or without_accents(words[0]) not in CALLED_SO:
        return None
    try:
        find_command(words[1:], commands)
    except (AskError, IndexError):
        return None
    return plain_text(line).split(maxsplit=len(said) - len(words) + 1)[-1]


def told_why(line: str) -> str:
    """The line that asks why."""
    return f"{WHY} {line}"


def explained(card: Card, answer: Any, words: Words) -> Card:
    """What an answer rests on: everything that is to be known of it, and how its figures are made."""
    evidence = _evidence(answer)
    if evidence is None:
        return card
    method = words("How it is made: {method}", method=evidence.method)
    others = (note for note in card.notes if note != words(evidence.method))
    notes = (*dict.fromkeys(others), method)
    return Card(card.title, card.lead, notes=notes, footer=card.footer)


def shortened(card: Card, answer: Any, line: str, words: Words) -> Card:
    """A card with its first notes, and a button that asks for the others and for how its figures are made."""
    notes = tuple(dict.fromkeys(card.notes))
    if _evidence(answer) is None or not line:
        return card
    why = Action(words("Why?"), told_why(line))
    return replace(card, notes=notes[:SHOWN_NOTES], actions=(*card.actions, why))


def _evidence(answer: Any) -> Evidence | None:
    found = getattr(answer, "evidence", None)
    return found if isinstance(found, Evidence) else None
