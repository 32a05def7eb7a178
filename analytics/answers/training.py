"""Q6: what it costs to train a language model on the machines on offer, with interruptions, checkpoints and disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from analytics.answers.llm import NotFitting
from analytics.answers.training_runs import BYTES_PER_TOKEN, Bench, CloudRun, GpuCost, TrainingJob, on_aws, run_on
from analytics.catalog import Catalog
from analytics.evidence import OMIT, Basis, Evidence, Note, Percent, Plural
from analytics.hardware.checkpoints import Risk
from analytics.hardware.comparators import PRICE_OLD_DAYS
from analytics.hardware.llm_work import from_name
from analytics.hardware.machines import Machine, no_dearer_on_demand, thin
from analytics.hardware.memory import USABLE_SHARE, need
from analytics.hardware.recipes import RANK
from analytics.hardware.speed import GIGA, PCIE_BYTES_PER_S, STEP_TOKENS
from analytics.offer_now import OfferNow

DEFAULT_DATASET_GB = 1.0
"""The text that is assumed when none is given (source: our choice, stated in the answer)."""

WIDE = 1.5
"""A reached share whose ends differ from its middle by more than this factor is said to be wide (ours)."""

ATTENTION_SHORT = (4, 8)
"""Percent by which hours are short without attention's arithmetic (source: llm-foundry, MPT-7B, 30B against 6ND)."""

METHOD = Note(
    "hours = k x active parameters x tokens x epochs / (GPUs x dense 16-bit peak x MFU x link efficiency); "
    "cost = expected billed hours with Daly's checkpoints x the median spot price + disk"
)


@dataclass(frozen=True, slots=True)
class TrainingCost:
    """Q6. The keys of the first machine stand at the top level too; None when no machine can do it.

    ``aws_machines``: the AWS machines that do the same work on demand, the cheapest first; all rows compare with it.
    """

    model: str
    dataset_size_gb: float
    gpu_recommendations: tuple[GpuCost, ...]
    gpu_name: str | None
    estimated_hours: float | None
    cost_dumont: float | None
    cost_aws: float | None
    savings: float | None
    savings_percent: float | None
    method: str
    tokens: int
    epochs: float
    not_fitting: tuple[NotFitting, ...]
    aws_machines: tuple[CloudRun, ...]
    offers_now: tuple[OfferNow, ...] | None = field(default=None, kw_only=True, metadata=OMIT)
    """the best matching offers; left out where the answer names no model"""
    evidence: Evidence


def training_cost(
    bench: Bench, offered: Sequence[Machine], risks: Mapping[str, Risk], basis: Basis, wanted: Sequence[str] = ()
) -> TrainingCost:
    """Q6: for each GPU model on offer its cheapest machine that can do the job, the cheapest first.

    What is thin, fewer than three machines, leads neither a model nor the answer where there is more; fp16 is last.
    ``risks``: model -> what interrupts it (a missing one means not known: the cost is then without interruptions);
    ``wanted``: only these models, all when empty. Source: definitions, "Q6 training-cost".
    """
    best: dict[str, GpuCost] = {}
    misses: dict[str, NotFitting] = {}
    for machine in offered:
        if wanted and machine.model not in wanted:
            continue
        if bench.job.gpus not in (None, machine.gpus):
            reason = Note(
                Plural("no machine with {n} free GPU on offer", "no machine with {n} free GPUs on offer"),
                {"n": bench.job.gpus},
            )
            misses.setdefault(machine.model, NotFitting(machine.model, machine.gpus, reason))
            continue
        cost = run_on(bench, machine, risks.get(machine.model, Risk()))
        if isinstance(cost, Note):
            misses[machine.model] = NotFitting(machine.model, machine.gpus, cost)
        elif machine.model not in best or cost.order < best[machine.model].order:
            best[machine.model] = cost
    for name in wanted:
        misses.setdefault(name, NotFitting(name, 0, Note("none on offer")))
    ranked = sorted(best.values(), key=lambda cost: (*cost.order, cost.gpu_name))
    left = tuple(miss for name, miss in misses.items() if name not in best)
    return _answer(bench, ranked, left, _dear(ranked, offered), basis)


def _dear(ranked: Sequence[GpuCost], offered: Sequence[Machine]) -> tuple[Note, ...]:
    """Machines of the answer that cost no more on demand."""
    used = {(cost.gpu_name, cost.gpus) for cost in ranked}
    return no_dearer_on_demand(machine for machine in offered if (machine.model, machine.gpus) in used)


def bench_for(job: TrainingJob, catalog: Catalog, now: int) -> Bench:
    """The job with its memory need, ready for machines. ``now``: UTC seconds, to know which cloud prices are old."""
    bench = Bench(job, need(job.work), catalog, now)
    return replace(bench, aws=on_aws(bench))


def _answer(
    bench: Bench,
    ranked: Sequence[GpuCost],
    misses: tuple[NotFitting, ...],
    dear: tuple[Note, ...],
    basis: Basis,
) -> TrainingCost:
    job = bench.job
    best = ranked[0] if ranked else None
    return TrainingCost(
        model=job.found.asked,
        dataset_size_gb=round(job.dataset_gb, 4),
        gpu_recommendations=tuple(ranked),
        gpu_name=best.gpu_name if best else None,
        estimated_hours=best.estimated_hours if best else None,
        cost_dumont=best.cost_dumont if best else None,
        cost_aws=best.cost_aws if best else None,
        savings=best.savings if best else None,
        savings_percent=best.savings_percent if best else None,
        method=job.work.mode,
        tokens=round(job.tokens),
        epochs=job.epochs,
        not_fitting=misses,
        aws_machines=bench.aws,
        evidence=basis.evidence(METHOD, (*dear, *_caveats(job, ranked)), assumptions=_assumptions(job)),
    )


def _caveats(job: TrainingJob, ranked: Sequence[GpuCost]) -> list[Note]:
    found = [*_prices(ranked), *([job.found.assumption] if job.found.assumption else []), *job.found.notes]
    if job.assumed:
        found.append(
            Note(
                Plural(
                    "no amount of data was given: {size} GB of text is assumed",
                    "no amount of data was given: {size} GB of text are assumed",
                    "size",
                ),
                {"size": job.dataset_gb},
            )
        )
    if not ranked:
        return [*found, Note("no machine on offer can do this", usual=True)]
    unknown = [cost.gpu_name for cost in ranked if cost.checkpoints.mtbi_hours is None]
    if unknown:
        found.append(
            Note(
                "how often {models} are interrupted is not known yet: no interruptions are counted for them",
                {"models": ", ".join(unknown)},
            )
        )
    if any(cost.checkpoints.mtbi_hours for cost in ranked):
        found.append(
            Note(
                "a machine with several GPUs is taken to be interrupted as often as one slice of its model", usual=True
            )
        )
    wide = [cost.gpu_name for cost in ranked if cost.mfu["low"] and cost.mfu["used"] > WIDE * cost.mfu["low"]]
    if wide:
        text = "published runs differ much in how much of these GPUs they use, so the range of cost is wide: {models}"
        found.append(Note(text, {"models": ", ".join(wide)}))
    found += _without_aws(job, ranked[0])
    if any(cost.cost_disk is None for cost in ranked):
        found.append(Note("some offers do not say what their disk costs; it is left out there"))
    low, high = ATTENTION_SHORT
    found.append(
        Note(
            "attention itself is not counted: hours are {low}–{high} short at 2048 tokens, more beyond",
            {"low": low, "high": Percent(high)},
            usual=True,
        )
    )
    return found


def _without_aws(job: TrainingJob, best: GpuCost) -> list[Note]:
    if best.aws is not None:
        return []
    if job.max_hours is not None:
        text = "no AWS machine of our price list does this within {limit} h on demand"
        return [Note(text, {"limit": job.max_hours})]
    return [Note("no AWS machine of our price list holds this")]


def _prices(ranked: Sequence[GpuCost]) -> list[Note]:
    """What is to be known of prices before anything is rented."""
    found = []
    dearer = [cost.gpu_name for cost in ranked if cost.savings is not None and cost.savings < 0]
    if dearer:
        found.append(Note("dearer here than the same work on AWS on demand: {models}", {"models": ", ".join(dearer)}))
    found += thin((f"{cost.gpus}× {cost.gpu_name}", cost.machines) for cost in ranked)
    old = sorted({cost.aws.date for cost in ranked if cost.aws and cost.aws.old})
    if old:
        found.append(
            Note(
                Plural(
                    "AWS prices are from {date}, more than {days} day old",
                    "AWS prices are from {date}, more than {days} days old",
                    "days",
                ),
                {"date": old[0], "days": PRICE_OLD_DAYS},
            )
        )
    return found


def _assumptions(job: TrainingJob) -> dict[str, Any]:
    return {
        **from_name(job.found),
        "bytes_per_token": BYTES_PER_TOKEN,
        "usable_memory_share": USABLE_SHARE,
        "lora_rank": None if job.work.mode == "full" else RANK,
        "context": job.work.context,
        "batch": job.work.batch,
        "step_tokens_per_gpu": STEP_TOKENS,
        "pcie_gb_per_s": PCIE_BYTES_PER_S / GIGA,
        "disk_gb": round(job.disk_needed_gb, 1),
        "save_minutes": round(job.upkeep.save_hours * 60, 2),
        "restart_minutes": round(job.restart_minutes, 2),
    }
