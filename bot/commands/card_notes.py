"""The order of a card's notes: what changes a decision first, for only the first few are shown; what is usual last."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.evidence import Evidence, Note
from bot.presentation.words import Words


def card_notes(
    evidence: Evidence, words: Words, *, first: Sequence[str] = (), own: Sequence[str] = (), usual: Sequence[Note] = ()
) -> tuple[str, ...]:
    """``first``, the caveats of this answer, ``own`` notes of the card, then ``usual`` and the usual caveats."""
    telling = [words(note) for note in evidence.caveats if not note.usual]
    rest = [words(note) for note in (*usual, *(note for note in evidence.caveats if note.usual))]
    return (*first, *telling, *own, *rest)
