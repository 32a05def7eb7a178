"""What cards about machines for a language model say alike: marks, what does not fit, and the caveats."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.answers.llm import NotFitting
from analytics.evidence import Evidence
from bot.commands.card_notes import card_notes
from bot.presentation.words import Words

SHOWN_MISSES = 4
"""Reasons that a card names; the JSON has them all."""


def marked(machine: str, words: Words, *, fp16: bool, thin: bool) -> str:
    """A machine's name with what keeps it from leading."""
    marks = [*(["fp16"] if fp16 else []), *([words("thin")] if thin else [])]
    return f"{machine} ({', '.join(marks)})" if marks else machine


def machine_notes(
    own: Sequence[str], misses: Sequence[NotFitting], evidence: Evidence, words: Words, *, fits: bool
) -> tuple[str, ...]:
    """Why models on offer do not fit, first of all where none does; then as every card has them."""
    refused = _refused(misses, words)
    if not fits:
        return card_notes(evidence, words, first=refused, own=own)
    return card_notes(evidence, words, own=(*refused, *own))


def _refused(misses: Sequence[NotFitting], words: Words) -> tuple[str, ...]:
    if misses:
        reasons = ", ".join(f"{miss.gpu_name} ({words(miss.reason)})" for miss in misses[:SHOWN_MISSES])
        if len(misses) > SHOWN_MISSES:
            reasons = words("{list} and {n} more", list=reasons, n=len(misses) - SHOWN_MISSES)
        return (words("Not fitting: {list}", list=reasons),)
    return ()
