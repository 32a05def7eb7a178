"""How fast GPUs generate text: what a step reads, the kernels it starts, and what its GPUs exchange.

Against 36 published speeds (``benchmarks/published/decode_speed.csv``: dense models and mixtures, 1 to 8 GPUs, 1 to 64
sequences) the constants below are off by 14 % on average and by 35 % at worst; 10 of the 36 were used to fit them.
"""

from __future__ import annotations

from dataclasses import dataclass

from analytics.catalog import Gpu, Llm
from analytics.hardware.memory import Placement, Work, kv_bytes
from analytics.hardware.speed import GIGA, PCIE_BYTES_PER_S, TERA, Rates
from analytics.hardware.weights import HALF_BYTES, read_bytes

FLOPS_FORWARD = 2.0
"""Operations for each parameter and generated token (source: Kaplan et al. 2020, section 2.1)."""

MBU = 0.71
"""Share of the memory bandwidth that reading weights reaches (source: least squares together with ``LAUNCH_S`` over the
nine dense rows marked ``fitted`` in decode_speed.csv: Qwen2.5 on vLLM, gpt-fast, llama.cpp)."""

LAUNCH_S = 65e-6
"""Seconds a layer's kernels take beyond reading, whatever their size (source: fitted with ``MBU``)."""

LAUNCH_MIXTURE_S = 115e-6
"""The same for a layer that routes tokens to experts (source: fitted to DeepSeek-R1 on 8 H200 at 8 sequences, as in
InferenceX issue 870; its 64 sequences, Mixtral and Qwen3-30B-A3B were kept out)."""

ALL_REDUCES = 2
"""Exchanges in a layer split over GPUs: after attention and after the MLP (source: Megatron-LM, arXiv 1909.08053)."""

NVLINK_LATENCY_S = 9.3e-6
"""Of a small all-reduce over NVLink (source: SGLang pull request 2904, vLLM's kernel on 8 H100, 4 KiB)."""

NVLINK_BYTES_PER_S = 51e9
"""At which a larger one grows (source: the same table, 45.0 microseconds for 1 MiB: 2 x 7/8 x 1 MiB / 35.7e-6)."""

PCIE_LATENCY_S = 20e-6
"""Of a small all-reduce over PCIe (source: NCCL between 4 GPUs in haohervchb/sglang-V100 pull request 2, 4 to 8 KB)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of decoding, in seconds: reading or computing, starting kernels, exchanging between GPUs."""

    work_s: float
    launch_s: float
    exchange_s: float

    @property
    def seconds(self) -> float:
        """All of it, one after the other."""
        return self.work_s + self.launch_s + self.exchange_s


def decode_rate(gpu: Gpu, gpus: int, work: Work, placement: Placement, mfu: float) -> Rates | None:
    """Generated tokens a second of all ``work.batch`` sequences, copies side by side; None without a 16-bit rate."""
    split = gpus if placement == "sharded" else 1
    step = decode_step(gpu, split, work, mfu)
    if step is None:
        return None
    left = 1 - step.exchange_s / step.seconds
    return Rates(gpus / split * work.batch / step.seconds, left)


def decode_step(gpu: Gpu, split: int, work: Work, mfu: float) -> Step | None:
    """One token for each of ``work.batch`` sequences on a model split over ``split`` GPUs (definitions, Q2).

    Bytes / (bandwidth x MBU), or the arithmetic where that takes longer, + layers x (launch + all-reduces).
    """
    if gpu.tflops is None:
        return None
    llm = work.llm
    read = touched_share(llm, work.batch) * read_bytes(llm, work.precision)
    read += kv_bytes(llm, work.context, work.batch)
    read_s = read / (split * gpu.mem_bw_gbs * GIGA * MBU)
    compute_s = FLOPS_FORWARD * llm.active_params * work.batch / (split * gpu.tflops * TERA * mfu)
    launch = LAUNCH_MIXTURE_S if llm.moe else LAUNCH_S
    return Step(max(read_s, compute_s), llm.layers * launch, _exchange_s(gpu, split, work))


def touched_share(llm: Llm, batch: int) -> float:
    """Which share of the weights ``batch`` tokens need: all but the experts, and 1 - (1 - k/E)^batch of the experts.

    k/E: experts at work for one token, from active and total parameters. Source: each token picks on its own.
    """
    if not llm.moe:
        return 1.0
    experts = llm.expert_params or llm.params
    always = llm.params - experts
    at_work = max(0.0, llm.active_params - always) / experts
    return (always + (1 - (1 - at_work) ** batch) * experts) / llm.params


def _exchange_s(gpu: Gpu, split: int, work: Work) -> float:
    if split == 1:
        return 0.0
    latency, rate = PCIE_LATENCY_S, PCIE_BYTES_PER_S
    if gpu.nvlink:
        latency, rate = NVLINK_LATENCY_S, NVLINK_BYTES_PER_S
    sent = 2 * (split - 1) / split * work.llm.hidden * HALF_BYTES * work.batch
    return work.llm.layers * ALL_REDUCES * (latency + sent / rate)
