"""How language models' weights are stored: bits for each parameter, and which parameters stay in 16 bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from analytics.catalog import Llm

Kept = Literal["nothing", "embeddings", "all but experts"]
"""What stays in 16 bits when the rest is quantised."""

BITS, GIGA = 8, 1e9
"""Of a byte; bytes of the GB of file lists (source: SI)."""

HALF_BYTES = 2
"""Bytes of a 16-bit number: cache, frozen weights, what quantised models keep (source: IEEE 754)."""

GROUP = 128
"""Weights that share a scale (source: ``group_size`` 128 in config.json of Qwen2.5-72B-Instruct-AWQ and -GPTQ-Int4)."""

SCALE_BITS = 16
"""Of the scale of a group (source: fp16 ``scales`` beside ``qweight`` and ``qzeros`` in AutoAWQ and AutoGPTQ files)."""


@dataclass(frozen=True, slots=True)
class Format:
    """One way to store weights. ``precision``: the word for it in answers; ``bits``: with scales and zero points."""

    name: str
    precision: str
    bits: float
    kept: Kept = "embeddings"
    trained_4bit: bool = False
    """adapters can be trained on these 4-bit weights as they are (QLoRA)"""
    is_gguf: bool = False


_PLAIN = {
    "fp32": Format("fp32", "fp32", 32, "nothing"),
    "bf16": Format("bf16", "bf16", 16, "nothing"),
    "fp16": Format("fp16", "fp16", 16, "nothing"),
    "fp8": Format("FP8", "fp8", 8),
    "int8": Format("int8", "int8", 8),
    "int4": Format("int4", "int4", 4.4, trained_4bit=True),
}
"""int4: 4.4 bits with scales (source: NF4 with double quantisation, QLoRA paper, and its working memory)."""

_GROUPED = {
    "awq": Format("AWQ", "int4", 4 + (SCALE_BITS + 4) / GROUP, trained_4bit=True),
    "gptq": Format("GPTQ-Int4", "int4", 4 + (SCALE_BITS + 4) / GROUP, trained_4bit=True),
    "gptq-int8": Format("GPTQ-Int8", "int8", 8 + (SCALE_BITS + 8) / GROUP),
    "w4a16": Format("W4A16", "int4", 4 + SCALE_BITS / GROUP, trained_4bit=True),
    "bnb-4bit": Format("bnb-4bit", "int4", 4 + 8 / 64 + 32 / (64 * 256), trained_4bit=True),
    "nvfp4": Format("NVFP4", "fp4", 4 + 8 / 16),
    "mxfp4": Format("MXFP4", "fp4", 4 + 8 / 32, "all but experts"),
}
"""Zero points have as many bits as a weight; W4A16 is symmetric and has none (source: its files, 19.2 GB of a 32B).
bnb-4bit: an 8-bit scale for 64 weights and a 32-bit one for 256 of those (source: QLoRA's double quantisation). NVFP4:
an 8-bit scale for 16 weights (source: config.json of RedHatAI/GLM-4.6-NVFP4). MXFP4: one for 32, experts only (source:
OCP microscaling format; ``modules_to_not_convert`` of openai/gpt-oss-120b in the documentation of transformers)."""

_LLAMA_8B, _GEMMA_7B = 8_030_261_248, 8_537_680_896
"""Parameters of the models whose GGUF files are measured below (source: data/llms.csv)."""

_GGUF_GB = {
    "q2_k": (3.18, _LLAMA_8B),
    "q2_k_l": (3.3, _LLAMA_8B),
    "q3_k_s": (3.98, _GEMMA_7B),
    "q3_k_m": (4.02, _LLAMA_8B),
    "q3_k_l": (4.71, _GEMMA_7B),
    "iq3_m": (4.11, _GEMMA_7B),
    "iq4_xs": (4.81, _GEMMA_7B),
    "iq4_nl": (5.04, _GEMMA_7B),
    "q4_0": (5.01, _GEMMA_7B),
    "q4_1": (5.5, _GEMMA_7B),
    "q4_k_s": (4.69, _LLAMA_8B),
    "q4_k_m": (4.92, _LLAMA_8B),
    "q4_k_l": (5.31, _LLAMA_8B),
    "q5_0": (5.98, _GEMMA_7B),
    "q5_1": (6.47, _GEMMA_7B),
    "q5_k_s": (5.98, _GEMMA_7B),
    "q5_k_m": (5.73, _LLAMA_8B),
    "q6_k": (6.6, _LLAMA_8B),
    "q8_0": (8.54, _LLAMA_8B),
}
"""GB of published files, embeddings quantised as well (source: bartowski/Meta-Llama-3.1-8B-Instruct-GGUF,
unsloth/DeepSeek-R1-Distill-Llama-8B-GGUF and bartowski/gemma-1.1-7b-it-GGUF, file lists on huggingface.co)."""


def _gguf(name: str, gigabytes: float, params: int) -> Format:
    width = name.removeprefix("i")[1]
    return Format(name.upper(), f"int{width}", gigabytes * GIGA * BITS / params, "nothing", is_gguf=True)


FORMATS = {**_PLAIN, **_GROUPED, **{name: _gguf(name, *measured) for name, measured in _GGUF_GB.items()}}
"""Every known way by its key."""


def weight_bytes(llm: Llm, precision: str) -> float:
    """Bytes of the weights; quantised models keep embedding and output layer, or all but the experts, in 16 bits."""
    stored = FORMATS[precision]
    per = stored.bits / BITS
    kept = min(_kept(llm, stored.kept), llm.params)
    return per * (llm.params - kept) + HALF_BYTES * kept


def _kept(llm: Llm, kept: Kept) -> int:
    if kept == "nothing":
        return 0
    if kept == "all but experts" and llm.expert_params:
        return llm.params - llm.expert_params
    return llm.embedding_params


def read_bytes(llm: Llm, precision: str) -> float:
    """Bytes of the weights that a step of decoding reads: of an embedding of its own it looks up single rows."""
    looked_up = 0 if llm.tied else llm.vocab * llm.hidden
    stored = FORMATS[precision]
    per = stored.bits / BITS if stored.kept == "nothing" else HALF_BYTES
    return weight_bytes(llm, precision) - per * looked_up
