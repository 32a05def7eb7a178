"""How much GPU memory a language model needs, and whether a machine has it. Bytes in, bytes out; stdlib only.

The formulas and constants are those of the ZeRO paper (arXiv 1910.02054), of "Reducing Activation Recomputation"
(arXiv 2205.05198) and of the QLoRA paper (arXiv 2305.14314). Against the 35 single-GPU LoRA and Q-LoRA figures that the
Qwen project published (1.8B-72B, 512-8192 tokens, A100) they are off by 6 % on average, -19 % to +17 % at worst.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from analytics.catalog import Llm
from analytics.evidence import Note
from analytics.hardware.recipes import OVERHEAD_BYTES, PEFT, Recipe, adapter_params
from analytics.hardware.weights import HALF_BYTES, weight_bytes

Mode = Literal["inference", "lora", "qlora", "full"]
Precision = Literal["fp32", "bf16", "fp16", "fp8", "int8", "int4"]
Placement = Literal["copies", "sharded"]
"""``copies``: each GPU holds everything; ``sharded``: weights and states are split over the GPUs."""

MODES: tuple[Mode, ...] = ("inference", "lora", "qlora", "full")
PRECISIONS: tuple[Precision, ...] = ("bf16", "fp16", "fp32", "fp8", "int8", "int4")

GIB = 2**30

CHECKPOINTED_BYTES = 2
"""Kept for each layer, hidden unit and token when activations are recomputed (source: arXiv 2205.05198, section 5)."""

LAYER_BYTES = 34
"""Alive for each hidden unit and token in the layer being recomputed (source: arXiv 2205.05198, equation 1)."""

LOGIT_BYTES = 10
"""For each logit: 16-bit value, 32-bit copy and gradient (source: 2 + 4 + 4; fits the Qwen figures, 6 does not)."""

SHARDING_BYTES = 3e9
"""Gather buffers of ZeRO-3 on each GPU: 0.5e9 bucketed, 1e9 live parameters of 2 bytes (source: DeepSpeed defaults)."""

DEFAULT_CONTEXT = 2048
"""Tokens of a sequence when none are given (source: middle of the lengths at which Qwen's figures were measured)."""

USABLE_SHARE = 0.92
"""What of the memory may be filled (source: definitions, Q2)."""

FORMULA_ERROR = 0.06
"""Mean relative error of these formulas (source: the 35 published Qwen figures above)."""


@dataclass(frozen=True, slots=True)
class Work:
    """A model and what is done with it. ``context`` in tokens, ``batch`` in sequences on each GPU.

    ``precision``: a key of :data:`analytics.hardware.weights.FORMATS`.
    """

    llm: Llm
    mode: Mode = "inference"
    precision: str = "bf16"
    context: int = DEFAULT_CONTEXT
    batch: int = 1
    recipe: Recipe = PEFT


@dataclass(frozen=True, slots=True)
class Need:
    """Memory in bytes: what can be split over several GPUs, what each GPU needs, and what splitting adds on each."""

    shared: float
    each: float
    split_cost: float = 0.0

    def on_each(self, gpus: int, placement: Placement) -> float:
        """Bytes on every one of ``gpus``."""
        if placement == "copies":
            return self.shared + self.each
        return self.shared / gpus + self.each + self.split_cost

    def placement(self, gpus: int, vram_bytes: float) -> Placement | None:
        """How the work fits on ``gpus`` of that size within 92 % of each, None when it does not."""
        usable = USABLE_SHARE * vram_bytes
        if self.on_each(gpus, "copies") <= usable:
            return "copies"
        return "sharded" if gpus > 1 and self.on_each(gpus, "sharded") <= usable else None

    def shortage(self, gpus: int, vram_bytes: float) -> Note:
        """By how much each of ``gpus`` is too small."""
        wanted = self.on_each(gpus, "sharded" if gpus > 1 else "copies")
        usable = USABLE_SHARE * vram_bytes
        values = {"want": gib(wanted), "have": gib(usable), "short": gib(wanted - usable)}
        return Note("needs {want} GiB on each GPU, {have} usable: {short} GiB short", values)


def gib(size: float) -> float:
    """Bytes as GiB for people."""
    return round(size / GIB, 1)


def kv_bytes(llm: Llm, context: int, batch: int) -> float:
    """Cached keys and values: 2 L (h/a) kv s b bytes (latent attention by its own published width).

    Layers that look back over a window only keep that much.
    """
    tokens = (llm.layers - llm.windowed_layers) * context + llm.windowed_layers * min(context, llm.window)
    return float(tokens * llm.kv_width * batch * HALF_BYTES)


def activation_bytes(work: Work) -> float:
    """Activations as the recipe treats them, and the logits of one piece of the loss."""
    llm, recipe, tokens = work.llm, work.recipe, work.context * work.batch
    alive = LAYER_BYTES * (llm.layers if recipe.activations == "kept" else 1)
    inputs = CHECKPOINTED_BYTES * llm.layers if recipe.activations == "recomputed" else 0
    return float(tokens * ((inputs + alive) * llm.hidden + llm.vocab * LOGIT_BYTES / recipe.chunks))


def need(work: Work) -> Need:
    """The memory that ``work`` takes, in bytes (definitions, Q2)."""
    llm, recipe = work.llm, work.recipe
    if work.mode == "inference":
        held = weight_bytes(llm, work.precision) + kv_bytes(llm, work.context, work.batch)
        return Need(shared=held, each=OVERHEAD_BYTES)
    if work.mode == "full":
        held = float(recipe.state_bytes * llm.params)
    else:
        frozen = weight_bytes(llm, recipe.weights_4bit if work.mode == "qlora" else "bf16")
        held = frozen + recipe.state_bytes * adapter_params(llm, recipe.rank, recipe.targets)
    split_cost = min(SHARDING_BYTES, float(HALF_BYTES * llm.params))
    return Need(shared=held, each=activation_bytes(work) + recipe.overhead, split_cost=split_cost)


def chance_to_fit(bytes_needed: float, vram_bytes: float) -> float:
    """Probability that the true need stays within the memory, given that the formula's errors average 6 %.

    Normal errors: their standard deviation is the mean absolute error times sqrt(pi / 2).
    """
    deviation = FORMULA_ERROR * math.sqrt(math.pi / 2)
    return (1 + math.erf((vram_bytes / bytes_needed - 1) / (deviation * math.sqrt(2)))) / 2
