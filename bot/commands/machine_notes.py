"""The notes below a card about machines for a language model: what does not fit, then the caveats."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.answers.llm import NotFitting
from analytics.evidence import Evidence
from bot.presentation.words import Words

SHOWN_MISSES = 4
"""Reasons that a card names; the JSON has them all."""


def machine_notes(
    first: Sequence[str], misses: Sequence[NotFitting], evidence: Evidence, words: Words
) -> tuple[str, ...]:
    """``first``, then why models on offer do not fit, then what else must be known."""
    notes = list(first)
    if misses:
        reasons = ", ".join(f"{miss.gpu_name} ({words(miss.reason)})" for miss in misses[:SHOWN_MISSES])
        if len(misses) > SHOWN_MISSES:
            reasons = words("{list} and {n} more", list=reasons, n=len(misses) - SHOWN_MISSES)
        notes.append(words("Not fitting: {list}", list=reasons))
    return (*notes, *(words(caveat) for caveat in evidence.caveats))
