"""What is done with a model whose name says how its weights are stored: what was asked wins, then the name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from analytics.errors import AskError
from analytics.evidence import Note, Plural
from analytics.hardware.llm_lookup import FoundLlm
from analytics.hardware.llm_names import Spelling
from analytics.hardware.memory import DEFAULT_CONTEXT, Mode, Work
from analytics.hardware.recipes import PEFT, Recipe
from analytics.hardware.weights import FORMATS

DEFAULT_PRECISION = "bf16"
"""Of weights about which neither the asker nor the name says anything (source: how nearly all are published)."""

HALF_BITS = 16
"""Of weights that can be trained as they are (source: mixed precision, ZeRO paper, section 3.1)."""


def named_work(
    found: FoundLlm,
    mode: Mode,
    batch: int,
    *,
    precision: str | None = None,
    context: int | None = None,
    recipe: Recipe = PEFT,
) -> tuple[FoundLlm, Work]:
    """The work that was asked (None: not said), and ``found`` with notes of what the answer takes from the name.

    Raises AskError where quantised weights are to be trained in full.
    """
    spelling = found.spelling or Spelling(found.asked)
    if mode == "inference":
        key, notes = _running(found, spelling, precision)
        length, said = _context(spelling, context)
        return replace(found, notes=(*notes, *said)), Work(found.llm, mode, key, length, batch)
    trained, notes = _training(found, spelling, mode)
    if spelling.context and context is None:
        said_context = {"n": spelling.context, "given": DEFAULT_CONTEXT}
        notes += (
            Note(
                "a context of {n} in the name is what the model can read: training is counted with sequences of "
                "{given}, context= says otherwise",
                said_context,
            ),
        )
    work = Work(found.llm, trained, precision or DEFAULT_PRECISION, context or DEFAULT_CONTEXT, batch, recipe)
    return replace(found, notes=notes), work


def from_name(found: FoundLlm) -> dict[str, Any]:
    """What the name says besides the model, for the assumptions of an answer; empty where it says nothing."""
    spelling = found.spelling
    if spelling is None or (spelling.weights is None and spelling.context is None):
        return {}
    weights = None if spelling.weights is None else FORMATS[spelling.weights].name
    return {"name_says": {"weights": weights, "context": spelling.context}}


def _running(found: FoundLlm, spelling: Spelling, precision: str | None) -> tuple[str, tuple[Note, ...]]:
    """The key of the weights' format, and what is said about it."""
    key = spelling.weights
    if key is None:
        published = found.llm.published
        if precision is not None or published == DEFAULT_PRECISION:
            return precision or DEFAULT_PRECISION, ()
        values = {"name": found.llm.name, "weights": FORMATS[published].name}
        return published, (Note("{name} is published in {weights} and counted so", values),)
    stored = FORMATS[key]
    if precision is not None and precision != stored.precision:
        values = {"weights": stored.name, "given": precision}
        return precision, (Note("the name says {weights}, {given} was asked: {given} is counted", values),)
    if spelling.guessed:
        return key, (Note("a GGUF repository holds several sizes: {weights} is taken", {"weights": stored.name}),)
    if stored.bits >= HALF_BITS:
        return key, (Note("weights in {weights}, as the name says", {"weights": stored.name}),)
    told: dict[str, Any] = {"weights": stored.name, "bits": round(stored.bits, 2)}
    return key, (Note("weights in {weights}, as the name says (bits each: {bits})", told),)


def _context(spelling: Spelling, context: int | None) -> tuple[int, tuple[Note, ...]]:
    if context is not None:
        return context, ()
    if spelling.context is None:
        return DEFAULT_CONTEXT, ()
    told = Plural("{n} token of context as the name says", "{n} tokens of context as the name says")
    return spelling.context, (Note(told, {"n": spelling.context}),)


def _training(found: FoundLlm, spelling: Spelling, mode: Mode) -> tuple[Mode, tuple[Note, ...]]:
    """How a checkpoint of that name is trained, and what is said about it."""
    stored = FORMATS[spelling.weights or DEFAULT_PRECISION]
    values = {"weights": stored.name, "name": found.llm.name}
    if stored.bits >= HALF_BITS:
        return mode, ()
    if mode == "full":
        text = "weights in {weights} cannot be trained in full: ask for the original {name}, or for qlora"
        raise AskError(Note(text, values), suggestions=[found.llm.name])
    if not stored.trained_4bit:
        return mode, (Note("weights in {weights} are for running: training is counted on the original {name}", values),)
    if mode == "lora":
        return "qlora", (Note("adapters on weights in {weights} are QLoRA: it is counted so", values),)
    return mode, (Note("QLoRA is counted on 4-bit weights, as {weights} has them", values),)
