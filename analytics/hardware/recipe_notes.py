"""What an answer says about how it takes a model to be trained."""

from __future__ import annotations

from typing import Any

from analytics.evidence import Note
from analytics.hardware.memory import Work

ON = {"all": Note("all layers"), "attention": Note("attention"), "qv": Note("q and v")}
"""What LoRA trains, in words."""

SAID = {"recomputed": Note("recomputed"), "kept": Note("kept"), "offloaded": Note("offloaded to the host")}
"""What becomes of activations, in words."""


def recipe_note(work: Work) -> Note:
    """The recipe that the memory is counted for; every part of it can be asked otherwise."""
    recipe = work.recipe
    values: dict[str, Any] = {
        "recipe": recipe.name,
        "batch": work.batch,
        "context": work.context,
        "activations": SAID[recipe.activations],
        "rank": recipe.rank,
        "targets": ON[recipe.targets],
    }
    if work.mode == "full":
        return Note("memory as with {recipe}: {batch} × {context} packed, activations {activations}", values)
    return Note(
        "memory as with {recipe}: rank {rank} on {targets}, {batch} × {context} packed, activations {activations}",
        values,
    )


def recipe_assumptions(work: Work) -> dict[str, Any]:
    """The same for programs."""
    recipe = work.recipe
    common: dict[str, Any] = {
        "recipe": recipe.name,
        "activations": recipe.activations,
        "loss_chunks": recipe.chunks,
        "sequences": "full (packed or padded)",
    }
    return common if work.mode == "full" else {**common, "lora_rank": recipe.rank, "lora_targets": recipe.targets}
