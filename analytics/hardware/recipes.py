"""How adapters and models are trained: what of it decides the memory, and the two recipes that are known by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from analytics.catalog import Llm

Targets = Literal["all", "attention", "qv"]
"""Which matrices get adapters: all linear layers, the four of attention, or queries and values alone."""

Activations = Literal["recomputed", "kept", "offloaded"]
"""What becomes of a layer's activations until the way back: its input is kept, all are, or inputs go to the host."""

TARGETS: tuple[Targets, ...] = ("all", "attention", "qv")
ACTIVATIONS: tuple[Activations, ...] = ("recomputed", "kept", "offloaded")

RANK = 16
"""Rank of the adapters (source: common choice in published LoRA recipes; the reference outputs use it)."""

TORCHTUNE_RANK = 8
"""The same in torchtune (source: recipes/configs/llama3_1, 8B_lora_ and 8B_qlora_single_device.yaml)."""

ADAM_BYTES = 16
"""Bytes for a trained parameter: 2 weight, 2 gradient, 12 fp32 copy and moments (source: ZeRO paper, section 3.1)."""

ADAM_HALF_BYTES = 8
"""The same where weight, gradient and both moments are bf16 (source: ``dtype: bf16`` in torchtune's configurations)."""

CHUNKS = 8
"""Pieces in which torchtune computes the loss (source: CEWithChunkedOutputLoss, ``num_output_chunks`` 8)."""

OVERHEAD_BYTES = 1.5e9
"""CUDA context and the allocator's slack on each GPU (source: fixed before the comparison with the Qwen figures)."""

CONTEXT_BYTES = 0.78e9
"""CUDA context alone (source: pytorch issue 34323, 781 MB in nvidia-smi after a first small tensor)."""

ATTENTION_FACTORS, QV_FACTORS = 8, 4
"""Adapter parameters of four or of two attention matrices: rank x hidden for each of two factors (source: LoRA paper,
arXiv 2106.09685, section 4.1, with both factors hidden wide)."""

MLP_MATRICES = 3
"""Matrices of a gated MLP, each with rank x (hidden + ffn) adapter parameters (source: LLaMA architecture)."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What of a way to train decides its memory. ``state_bytes`` for each trained parameter, with weight and gradient;
    ``chunks``: pieces of the loss; ``weights_4bit``: QLoRA's format, a key of
    :data:`analytics.hardware.weights.FORMATS`; ``overhead``: bytes on each GPU besides what is allocated."""

    name: str = "peft"
    rank: int = RANK
    targets: Targets = "all"
    activations: Activations = "recomputed"
    chunks: int = 1
    state_bytes: int = ADAM_BYTES
    weights_4bit: str = "int4"
    overhead: float = OVERHEAD_BYTES


PEFT = Recipe()
"""Adapters as Hugging Face's PEFT and the QLoRA paper train them: the loss at once, states in fp32."""

TORCHTUNE = Recipe("torchtune", TORCHTUNE_RANK, "all", "recomputed", CHUNKS, ADAM_HALF_BYTES, "bnb-4bit", CONTEXT_BYTES)
"""As torchtune does: the loss in pieces, all in bf16, NF4 with double quantisation (source: its configurations)."""

RECIPES = {recipe.name: recipe for recipe in (PEFT, TORCHTUNE)}
"""Every known recipe by its name."""


def adapter_params(llm: Llm, rank: int = RANK, targets: Targets = "all") -> int:
    """Trained parameters of LoRA."""
    attention = QV_FACTORS if targets == "qv" else ATTENTION_FACTORS
    mlp = MLP_MATRICES * (llm.hidden + llm.ffn) if targets == "all" else 0
    return llm.layers * rank * (attention * llm.hidden + mlp)
