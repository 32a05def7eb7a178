"""How fast GPUs train language models: published peak rates times the share that is reached in practice."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from analytics.catalog import Catalog, Gpu, Llm, Mfu
from analytics.hardware.memory import Mode, Placement, Work
from analytics.hardware.recipes import adapter_params
from analytics.hardware.weights import HALF_BYTES, weight_bytes

TERA = 1e12
GIGA = 1e9

FLOPS_FULL, FLOPS_ADAPTER = 6.0, 4.0
"""Operations for each parameter and token: 2 forward, 2 for gradients of activations and 2 for those of weights, which
frozen weights do not have (source: Kaplan et al. 2020, section 2.1; definitions, Q6)."""

QLORA_SLOWDOWN = 1.375
"""Q-LoRA takes longer than LoRA because weights are unpacked (source: Qwen README, 2048 tokens, 7B 1.35, 14B 1.40)."""

NVLINK_EFFICIENCY = 0.95
"""Share of the rate that is left when NVLink carries the traffic (source: lower end of what the formula below gives for
A100 and H100 at their published 600 and 900 GB/s)."""

PCIE_BYTES_PER_S = 12e9
"""What PCIe 4.0 x16 carries between consumer GPUs, which cannot address each other (source: half of the 24 GB/s that
peer-to-peer reaches, as bytes go through host memory)."""

STEP_TOKENS = 16_384
"""Tokens for each GPU between two exchanges of gradients (source: common fine-tuning recipes, 8 sequences of 2048)."""

GATHERS_FULL, GATHERS_FROZEN = 3, 2
"""How often the weights cross the link in a step: two gathers and one scatter of gradients, which frozen weights do not
have (source: ZeRO paper, section 7)."""


PRETRAINING_TOKENS = 20
"""Tokens for each parameter from which on a full training is a pretraining (source: Hoffmann et al. 2022, table 3)."""


def mfu_of(gpu: Gpu, catalog: Catalog, mode: Mode | None = None, run: str = "") -> Mfu:
    """The first row of the table of reached shares that matches the GPU, what is trained and the run; the last does.

    Without ``mode`` the rows that hold for any.
    """
    return next(
        row
        for row in catalog.mfu
        if any(fnmatchcase(gpu.name, pattern) for pattern in row.gpus)
        and (row.modes == ("*",) or mode in row.modes)
        and row.run in ("*", run)
    )


def run_of(llm: Llm, mode: Mode, tokens: float) -> str:
    """``pretraining`` of a full training on enough tokens, epochs included; else empty."""
    return "pretraining" if mode == "full" and tokens >= PRETRAINING_TOKENS * llm.params else ""


@dataclass(frozen=True, slots=True)
class Rates:
    """Tokens a second of a whole machine, the share lost to its links already taken off, and that remaining share."""

    tokens_per_s: float
    efficiency: float


def overlap(compute_s: float, link_s: float) -> float:
    """The share of the rate that is left: the middle between full overlap of computing and sending, and none."""
    best = compute_s / max(compute_s, link_s)
    return (best + compute_s / (compute_s + link_s)) / 2


def train_rate(gpu: Gpu, gpus: int, work: Work, placement: Placement, mfu: float) -> Rates | None:
    """Training tokens a second: gpus x peak x mfu x efficiency / (k x active parameters); None without a rate."""
    if gpu.tflops is None:
        return None
    alone = gpu.tflops * TERA * mfu / flops_per_token(work.llm, work.mode)
    left = _train_efficiency(gpu, gpus, work, placement, STEP_TOKENS / alone)
    return Rates(gpus * alone * left, left)


def flops_per_token(llm: Llm, mode: Mode) -> float:
    """k x N of the active parameters; Q-LoRA's unpacking counts as work."""
    if mode == "full":
        return FLOPS_FULL * llm.active_params
    return FLOPS_ADAPTER * llm.active_params * (QLORA_SLOWDOWN if mode == "qlora" else 1)


def _train_efficiency(gpu: Gpu, gpus: int, work: Work, placement: Placement, step_s: float) -> float:
    if gpus == 1:
        return 1.0
    if gpu.nvlink:
        return NVLINK_EFFICIENCY
    return overlap(step_s, _train_traffic(work, placement) * (gpus - 1) / gpus / PCIE_BYTES_PER_S)


def _train_traffic(work: Work, placement: Placement) -> float:
    """Bytes for each step, before the factor (n-1)/n."""
    llm = work.llm
    if placement == "copies":
        trained = llm.params if work.mode == "full" else adapter_params(llm)
        return 2.0 * HALF_BYTES * trained
    if work.mode == "full":
        return float(GATHERS_FULL * HALF_BYTES * llm.params)
    return GATHERS_FROZEN * weight_bytes(llm, "int4" if work.mode == "qlora" else "bf16")
