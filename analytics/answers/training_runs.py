"""One training run on one machine: hours, interruptions, dollars, and the same work on AWS (the inner part of Q6)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from analytics.catalog import Catalog, CloudPrice, Gpu, Mfu
from analytics.evidence import Note
from analytics.hardware.checkpoints import Makespan, Risk, Upkeep, makespan, uninterrupted
from analytics.hardware.comparators import PRICE_OLD_DAYS, price_age_days
from analytics.hardware.llm_lookup import FoundLlm
from analytics.hardware.machines import ENOUGH_MACHINES, Machine
from analytics.hardware.memory import GIB, Need, Work
from analytics.hardware.recipes import adapter_params
from analytics.hardware.speed import GIGA, mfu_of, run_of, train_rate
from analytics.hardware.weights import HALF_BYTES
from analytics.market import HOUR, MICRO, STORAGE_MONTH_HOURS

BYTES_PER_TOKEN = 4.0
"""UTF-8 bytes of English text for each token (source: definitions, Q6; tokenizers give 3.6-4.5, code 3.3)."""

CHECKPOINT_BYTES = 14
"""Bytes saved for each trained parameter: 16-bit weight, fp32 copy, two moments (source: ZeRO paper less gradients)."""

KEPT_CHECKPOINTS = 2
"""Checkpoints on the disk at a time, so that a broken one does not end the run (source: common practice)."""

SAVE_MINUTES = 2.0
"""Least time that saving stops the work (source: our assumption; override with save_minutes)."""

SAVE_BYTES_PER_S = 1e9
"""How fast a checkpoint is written (source: our assumption, an ordinary NVMe disk; override with save_minutes)."""

RESTART_MINUTES = 10.0
"""From resumed machine to resumed training: start, load, redo the data order (source: our assumption; override with
restart_minutes)."""


BF16, FP16 = "bf16", "fp16"
"""The number formats that training computes in (source: definitions, Q6; fp16 where the tensor cores lack bf16)."""


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """What is to be trained. ``mfu``, ``gpus``, ``disk_gb``, ``save_minutes`` override what would be assumed."""

    found: FoundLlm
    work: Work
    tokens: float
    epochs: float = 1.0
    mfu: float | None = None
    gpus: int | None = None
    max_hours: float | None = None
    disk_gb: float | None = None
    save_minutes: float | None = None
    restart_minutes: float = RESTART_MINUTES
    assumed: bool = False
    """``tokens`` were not given but assumed"""

    @property
    def dataset_gb(self) -> float:
        """The text that makes these tokens."""
        return self.tokens * BYTES_PER_TOKEN / GIGA

    @property
    def checkpoint_bytes(self) -> float:
        """One checkpoint."""
        llm = self.work.llm
        return float(CHECKPOINT_BYTES * (llm.params if self.work.mode == "full" else adapter_params(llm)))

    @property
    def disk_needed_gb(self) -> float:
        """Text, weights and two checkpoints, unless given."""
        if self.disk_gb is not None:
            return self.disk_gb
        held = HALF_BYTES * self.work.llm.params + KEPT_CHECKPOINTS * self.checkpoint_bytes
        return self.dataset_gb + held / GIGA

    @property
    def upkeep(self) -> Upkeep:
        """Hours for saving and restarting."""
        minutes = self.save_minutes
        if minutes is None:
            minutes = max(SAVE_MINUTES, self.checkpoint_bytes / SAVE_BYTES_PER_S / 60)
        return Upkeep(minutes / 60, self.restart_minutes / 60)


@dataclass(frozen=True, slots=True)
class CloudRun:
    """The same work on a cloud's on-demand machine, as large as it is sold. ``cost``: USD for the whole work.

    ``same_gpu``: with the GPU that it is compared with; ``precision``: what it computes with, ``bf16`` or ``fp16``.
    """

    cloud: str
    gpu_name: str
    instance: str
    gpus: int
    hours: float
    usd_per_gpu_hour: float
    same_gpu: bool
    date: str
    old: bool
    source: str
    note: str
    cost: float
    precision: str


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """How often to save, and what a run then lives through."""

    every_minutes: float | None
    size_gb: float
    save_minutes: float
    restart_minutes: float
    mtbi_hours: float | None
    expected_interruptions: float | None


@dataclass(frozen=True, slots=True)
class GpuCost:
    """One machine. ``estimated_hours`` is from start to end with waiting; ``cost_low``/``high`` are p10 and p90.

    ``aws``: the AWS machine that does the whole work for the least money, the same for every row.
    """

    gpu_name: str
    estimated_hours: float
    cost_dumont: float
    cost_aws: float | None
    savings: float | None
    savings_percent: float | None
    gpus: int
    compute_hours: float
    billed_hours: float
    price_per_hour: float
    cost_low: float
    cost_high: float
    cost_disk: float | None
    mfu: Mapping[str, Any]
    link_efficiency: float
    checkpoints: Checkpoints
    aws: CloudRun | None
    machines: int
    """different machines that the price is the median of"""
    thin: bool
    """fewer than 3 machines"""
    precision: str
    """what it computes with: ``fp16`` on GPUs before bf16"""

    @property
    def order(self) -> tuple[bool, bool, float]:
        """What leads: bf16 before fp16, a median before the price of one or two machines, then the cheapest."""
        return self.precision != BF16, self.thin, self.cost_dumont


@dataclass(frozen=True, slots=True)
class Bench:
    """What does not change from machine to machine; ``now`` in UTC seconds; ``aws``: what :func:`on_aws` found."""

    job: TrainingJob
    memory: Need
    catalog: Catalog
    now: int
    aws: tuple[CloudRun, ...] = ()

    def reached(self, gpu: Gpu) -> Mfu:
        """The share of the peak that such a run reaches on ``gpu``."""
        work, tokens = self.job.work, self.job.tokens * self.job.epochs
        return mfu_of(gpu, self.catalog, work.mode, run_of(work.llm, work.mode, tokens))


def run_on(bench: Bench, machine: Machine, risk: Risk) -> GpuCost | Note:
    """What ``bench.job`` takes and costs on a machine, or why it cannot be done there. USD, hours."""
    job, vram, gpu = bench.job, machine.vram_bytes, machine.gpu
    if vram is None or gpu is None:
        return Note("this GPU is not in the catalogue: its memory or speed is not known")
    placement = bench.memory.placement(machine.gpus, vram)
    if placement is None:
        return bench.memory.shortage(machine.gpus, vram)
    if risk.refused is not None:
        return risk.refused
    rates = train_rate(gpu, machine.gpus, job.work, placement, job.mfu or bench.reached(gpu).mid)
    if rates is None:
        return Note("it has no fast 16-bit arithmetic to train with")
    work_hours = job.tokens * job.epochs / rates.tokens_per_s / HOUR
    span = _span(job, work_hours, risk.mtbi_hours, risk)
    if span is None:
        text = "interrupted every {hours} h, such a run would practically never end"
        return Note(text, {"hours": round(risk.mtbi_hours or 0.0, 2)})
    if job.max_hours is not None and span.hours > job.max_hours:
        return Note("takes {hours} h, limit {limit}", {"hours": round(span.hours, 1), "limit": job.max_hours})
    return _gpu_cost(bench, machine, work_hours, rates.efficiency, span, risk)


def _span(job: TrainingJob, work_hours: float, mtbi: float | None, risk: Risk) -> Makespan | None:
    if mtbi is None:
        return uninterrupted(work_hours)
    return makespan(work_hours, mtbi, risk.down_hours or 0.0, job.upkeep)


def _gpu_cost(
    bench: Bench, machine: Machine, work_hours: float, efficiency: float, span: Makespan, risk: Risk
) -> GpuCost:
    job = bench.job
    rent = span.billed_hours * machine.usd_per_hour
    disk = _disk_cost(job, machine, span)
    reached = bench.reached(machine.gpu) if machine.gpu and not job.mfu else None
    low, high = _spread(job, machine, reached, work_hours, span, risk)
    cost = round(rent + (disk or 0.0), 4)
    aws = replace(bench.aws[0], same_gpu=bench.aws[0].gpu_name == machine.model) if bench.aws else None
    cost_aws = aws.cost if aws else None
    return GpuCost(
        gpu_name=machine.model,
        estimated_hours=round(span.hours, 2),
        cost_dumont=cost,
        cost_aws=cost_aws,
        savings=None if cost_aws is None else round(cost_aws - cost, 4),
        savings_percent=None if not cost_aws else round(100 * (cost_aws - cost) / cost_aws, 1),
        gpus=machine.gpus,
        compute_hours=round(work_hours, 2),
        billed_hours=round(span.billed_hours, 2),
        price_per_hour=round(machine.usd_per_hour, 4),
        cost_low=round(rent * low + (disk or 0.0), 4),
        cost_high=round(rent * high + (disk or 0.0), 4),
        cost_disk=None if disk is None else round(disk, 4),
        mfu=_mfu_shown(job, reached),
        link_efficiency=round(efficiency, 3),
        checkpoints=_checkpoints(job, span, risk),
        aws=aws,
        machines=machine.machines,
        thin=machine.machines < ENOUGH_MACHINES,
        precision=_precision(machine.gpu),
    )


def _disk_cost(job: TrainingJob, machine: Machine, span: Makespan) -> float | None:
    """Storage is billed all the time, waiting included."""
    if machine.storage is None:
        return None
    return machine.storage / MICRO / STORAGE_MONTH_HOURS * job.disk_needed_gb * span.hours


def _spread(
    job: TrainingJob, machine: Machine, mfu: Mfu | None, work_hours: float, span: Makespan, risk: Risk
) -> tuple[float, float]:
    """Factors of the rent at its p10 and p90: speed, price and interruptions vary independently: logs add squared."""
    slow, fast = (0.0, 0.0) if mfu is None else (math.log(mfu.mid / mfu.low), math.log(mfu.high / mfu.mid))
    cheap, dear = math.log(machine.price / machine.p10), math.log(machine.p90 / machine.price)
    worse = _span(job, work_hours, risk.mtbi_low, risk) if risk.mtbi_low and risk.mtbi_hours else None
    rough = math.log(worse.billed_hours / span.billed_hours) if worse else 0.0
    return math.exp(-math.hypot(fast, cheap)), math.exp(math.hypot(slow, dear, rough))


def _mfu_shown(job: TrainingJob, mfu: Mfu | None) -> dict[str, Any]:
    if mfu is None:
        return {"used": job.mfu, "low": None, "high": None, "class": None, "source": "given by the asker"}
    return {"used": mfu.mid, "low": mfu.low, "high": mfu.high, "class": mfu.name, "source": mfu.source}


def _checkpoints(job: TrainingJob, span: Makespan, risk: Risk) -> Checkpoints:
    known = risk.mtbi_hours is not None
    return Checkpoints(
        every_minutes=round(span.interval_hours * 60, 1) if known else None,
        size_gb=round(job.checkpoint_bytes / GIGA, 2),
        save_minutes=round(job.upkeep.save_hours * 60, 2),
        restart_minutes=round(job.upkeep.restart_hours * 60, 2),
        mtbi_hours=None if risk.mtbi_hours is None else round(risk.mtbi_hours, 2),
        expected_interruptions=round(span.interruptions, 2) if known else None,
    )


def _precision(gpu: Gpu | None) -> str:
    return BF16 if gpu is not None and gpu.has_bf16 else FP16


def on_aws(bench: Bench) -> tuple[CloudRun, ...]:
    """The work on each machine of AWS that does it on demand, in time where that is limited; no interruptions.

    The cheapest for the whole work comes first; those without bf16 come last, as they cannot do the same work.
    """
    sold = [row for row in bench.catalog.cloud_prices if (row.cloud, row.kind) == ("AWS", "on_demand")]
    runs = [run for row in sold if (run := _cloud_run(bench, row)) is not None]
    return tuple(sorted(runs, key=lambda run: (run.precision != BF16, run.cost, run.gpus, run.instance)))


def _cloud_run(bench: Bench, row: CloudPrice) -> CloudRun | None:
    """None where the work does not fit or takes too long."""
    job, gpu, gpus = bench.job, bench.catalog.gpu(row.gpu), row.sold_together
    placement = bench.memory.placement(gpus, gpu.vram_gb * GIB) if gpu else None
    if gpu is None or placement is None:
        return None
    rates = train_rate(gpu, gpus, job.work, placement, job.mfu or bench.reached(gpu).mid)
    if rates is None:
        return None
    hours = job.tokens * job.epochs / rates.tokens_per_s / HOUR
    if job.max_hours is not None and hours > job.max_hours:
        return None
    return CloudRun(
        cloud=row.cloud,
        gpu_name=row.gpu,
        instance=row.machine,
        gpus=gpus,
        hours=round(hours, 2),
        usd_per_gpu_hour=row.usd_per_gpu_hour,
        same_gpu=False,
        date=row.date,
        old=price_age_days(row.date, bench.now) > PRICE_OLD_DAYS,
        source=row.source,
        note=row.note,
        cost=round(gpus * hours * row.usd_per_gpu_hour, 4),
        precision=_precision(gpu),
    )
