"""``cost`` (Q6): what it costs to train a language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analytics.answers.offers_now import Wanted
from analytics.answers.training import DEFAULT_DATASET_GB, TrainingCost, bench_for, training_cost
from analytics.answers.training_runs import BYTES_PER_TOKEN, FP16, RESTART_MINUTES, CloudRun, GpuCost, TrainingJob
from analytics.errors import AskError
from analytics.evidence import Note, Plural
from analytics.hardware.checkpoints import Risk
from analytics.hardware.llm_lookup import find_llm
from analytics.hardware.llm_work import named_work
from analytics.hardware.machines import machines
from analytics.hardware.memory import DEFAULT_CONTEXT, Mode
from analytics.hardware.speed import GIGA
from analytics.interruptions.class_prior import priors
from analytics.interruptions.estimator import Rate, estimate, total
from analytics.interruptions.resolution import TOO_COARSE
from analytics.interruptions.scales import NO_SCALE, factors
from analytics.prices import nothing_polled
from bot.commands.machine_notes import machine_notes, marked
from bot.commands.offers_now import with_offers
from bot.commands.scales import risk_since, scales_of
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Bar, Bars, Card, Chart, Column, Table
from bot.presentation.words import Words

SHOWN = 10
"""Rows of the card's table; the JSON has them all."""

CENT = 0.01
"""Dollars; less would be shown as nothing."""

MILLION = 1_000_000
MOST_TOKENS = 1e15
"""More text than this has nobody."""

AMOUNTS = ("dataset_size", "tokens", "rows")
"""Ways to say how much data there is."""

OVERRIDES = ("epochs", "mfu", "gpus", "max_hours", "disk_gb", "save_minutes", "restart_minutes")
"""Parameters that go into the job as they are."""

METHODS: tuple[Mode, ...] = ("lora", "qlora", "full")


async def ask(
    query: QueryContext,
    *,
    model: str,
    gpu: tuple[str, ...] | None,
    method: Mode,
    context: int,
    batch: int,
    **given: Any,
) -> TrainingCost:
    """The free machines of every model polled lately (or of ``gpu``), and their interruptions of the last 30 days."""
    found, work = named_work(find_llm(model, query.catalog), method, batch, context=context)
    tokens = _tokens(given["dataset_size"], given["tokens"], given["rows"], work.context)
    assumed = all(given[key] is None for key in AMOUNTS)
    job = TrainingJob(found, work, tokens, assumed=assumed, **{key: given[key] for key in OVERRIDES})
    rows = [row for row in await query.reader.models() if row.last_good_at]
    if not rows:
        raise nothing_polled()
    used = [row for row in rows if gpu is None or row.name in gpu]
    fresh = [row for row in used if not query.basis_of([row]).stale] or used
    book = await query.reader.book([row.name for row in fresh])
    basis = query.basis_of(fresh or rows, offers=await query.offers_of([row.name for row in fresh]))
    bench = bench_for(job, query.catalog, query.now)
    return training_cost(bench, machines(book, query.catalog), await _risks(query), basis, gpu or ())


def _tokens(dataset_gb: float | None, tokens: float | None, rows: float | None, context: int) -> float:
    """Training tokens from the one way in which the data were described; rows count as full."""
    if sum(value is not None for value in (dataset_gb, tokens, rows)) > 1:
        raise AskError(Note("give only one of dataset_size, tokens and rows"))
    if tokens is not None:
        return tokens
    if rows is not None:
        return rows * context
    return (DEFAULT_DATASET_GB if dataset_gb is None else dataset_gb) * GIGA / BYTES_PER_TOKEN


async def _risks(query: QueryContext) -> dict[str, Risk]:
    """What interrupted each model in the last 30 days; a model's class is made of all models, so all are read."""
    exposures = await query.reader.exposure(None, await risk_since(query))
    summed = {model: total(some) for model, some in exposures.items()}
    scale = await scales_of(query)
    prior = priors(summed, factors(scale))
    found = {}
    for model, exposure in summed.items():
        own = scale.get(model, NO_SCALE)
        rate = estimate(exposure, prior=prior[model], overdispersion=own.overdispersion, thinning=own.thinning)
        found[model] = _risk(rate)
    return found


def _risk(rate: Rate) -> Risk:
    """A time without interruptions would be invented where polls are too far apart to see them."""
    refused = TOO_COARSE if TOO_COARSE in rate.notes else None
    return Risk(rate.mtbi_hours, rate.interval_95[0], rate.duration_hours, refused=refused)


def card(answer: TrainingCost, words: Words) -> Card:
    """The first machine, then a line a model, then what was assumed."""
    columns = (
        Column(words("GPU")),
        Column(words("time"), "right"),
        Column(words("cost"), "right"),
        Column(words("p10–p90"), "right"),
        Column(words("saved"), "right"),
        Column(words("save every"), "right"),
    )
    rows = tuple(_cells(row, words) for row in answer.gpu_recommendations[:SHOWN])
    title = words("Training {model} ({mode})", model=answer.model, mode=words(answer.method))
    tables = (
        (Table(words("Cheapest machine of each model, USD; thin offers and fp16 last"), columns, rows),) if rows else ()
    )
    return Card(
        title,
        words.lead(_lead(answer, words), answer.evidence),
        tables,
        notes=_notes(answer, words),
        footer=words.footer(answer.evidence),
        charts=_charts(answer, words),
    )


def _on(run: GpuCost | CloudRun) -> str:
    return f"{run.gpus}× {run.gpu_name}"


def _marked(row: GpuCost, words: Words) -> str:
    """The machine, with why it does not come first although it may be the cheapest."""
    return marked(_on(row), words, fp16=row.precision == FP16, thin=row.thin)


def _usd(dollars: float | None, words: Words) -> str:
    """Dollars in cents, and what is less than a cent in hundredths of one."""
    return words.money(dollars, 4 if dollars and abs(dollars) < CENT else 2)


TOLD = 3
"""Machines of the text that says what the chart shows."""


def _charts(answer: TrainingCost, words: Words) -> tuple[Chart, ...]:
    """The cost on each machine with its range, and on AWS; none where no machine can do it."""
    rows = answer.gpu_recommendations[:SHOWN]
    if not rows:
        return ()
    told = "; ".join(_told(row, words) for row in rows[:TOLD])
    bars = [Bar(_marked(row, words), row.cost_dumont, row.cost_low, row.cost_high) for row in rows]
    alt = words(
        "Cost of training {model}, the cheapest first, thin offers and fp16 last: {list}.",
        model=answer.model,
        list=told,
    )
    for aws in answer.aws_machines[:1]:
        bars.append(Bar(f"AWS: {_on(aws)}", aws.cost))
        theirs = words("On AWS {aws} ({instance}).", aws=_usd(aws.cost, words), instance=_on(aws))
        alt = f"{alt} {theirs}"
    chart = Bars(
        title=words("Training {model} ({mode})", model=answer.model, mode=words(answer.method)),
        alt=alt,
        bars=tuple(bars),
        value=words("USD for the whole training"),
        spread=words("p10–p90"),
    )
    return (chart,)


def _told(row: GpuCost, words: Words) -> str:
    values = {"low": _usd(row.cost_low, words), "high": _usd(row.cost_high, words)}
    text = words("{low} to {high}", **values)
    return f"{_marked(row, words)} {_usd(row.cost_dumont, words)} ({text})"


def _cells(row: GpuCost, words: Words) -> tuple[str, ...]:
    every = row.checkpoints.every_minutes
    return (
        _marked(row, words),
        words.hours(row.estimated_hours),
        _usd(row.cost_dumont, words),
        f"{_usd(row.cost_low, words)}–{_usd(row.cost_high, words)}",
        words.percent(row.savings_percent, 0),
        "–" if every is None else words.hours(every / 60),
    )


def _lead(answer: TrainingCost, words: Words) -> str:
    if not answer.gpu_recommendations:
        return words("No machine on offer can train {model}", model=answer.model)
    best = answer.gpu_recommendations[0]
    values = {"n": best.gpus, "gpu": best.gpu_name, "cost": _usd(best.cost_dumont, words)}
    values["time"] = words.hours(best.estimated_hours)
    lead = words("{n}× {gpu}: {cost} in {time}", **values)
    if best.aws is None:
        return lead
    theirs = {"aws": _usd(best.cost_aws, words), "instance": _on(best.aws)}
    return words("{lead}; AWS would take {aws} ({instance})", lead=lead, **theirs)


def _notes(answer: TrainingCost, words: Words) -> tuple[str, ...]:
    text = Plural(
        "{tokens} million tokens ({size} GB of text) × {epochs}",
        "{tokens} million tokens ({size} GB of text) × {epochs}",
        "tokens",
    )
    values = {"tokens": round(answer.tokens / MILLION, 1), "size": answer.dataset_size_gb, "epochs": answer.epochs}
    notes = [words(text, **values), *_on_aws(answer, words)]
    fits = bool(answer.gpu_recommendations)
    return machine_notes(notes, answer.not_fitting, answer.evidence, words, fits=fits)


def _on_aws(answer: TrainingCost, words: Words) -> list[str]:
    """What all are compared with, and in one line the next machines of AWS."""
    if not answer.gpu_recommendations or not answer.aws_machines:
        return []
    aws, *others = answer.aws_machines
    named = {"instance": _on(aws), "type": aws.instance, "aws": _usd(aws.cost, words)}
    notes = [words("saved: against {aws} for the whole training on AWS on demand, {instance} ({type})", **named)]
    if others:
        told = ", ".join(f"{_on(run)} {_usd(run.cost, words)}" for run in others[:TOLD])
        notes.append(words("next on AWS: {list}", list=told))
    return notes


def _which(answer: TrainingCost, given: Mapping[str, Any]) -> tuple[Wanted, ...]:
    """Machines like the cheapest, with the disk that the work needs, those that last as long as it takes first."""
    disk = (answer.evidence.assumptions or {}).get("disk_gb")
    return tuple(
        Wanted(best.gpu_name, best.gpus, disk_gb=disk, hours=best.estimated_hours)
        for best in answer.gpu_recommendations[:1]
    )


COMMAND = with_offers(
    Command(
        name="cost",
        summary="What training a language model costs on spot GPUs and on AWS, interruptions included",
        path="/api/spot/training-cost",
        params=(
            Param(
                "model",
                "llm",
                "a model or a size",
                required=True,
                joins=("b",),
                suggest=("llama2-7b", "llama3-8b", "mistral-7b"),
                offers="llms",
            ),
            Param("gpu", "gpus", "a model or family; all if not given"),
            Param("dataset_size", "gigabytes", "text to train on; 1 GB if not given", minimum=1e-6, maximum=1e6),
            Param("method", "choice", "what is trained", default="lora", choices=METHODS),
            Param(
                "tokens",
                "tokens",
                "training tokens instead of a size",
                minimum=1,
                maximum=MOST_TOKENS,
                positional=False,
            ),
            Param("rows", "number", "training rows of full context instead", minimum=1, maximum=1e12, positional=False),
            Param("epochs", "times", "passes over the data", default=1.0, minimum=0.01, maximum=1000, positional=False),
            Param("mfu", "share", "share of the peak rate reached", minimum=0.01, maximum=1, positional=False),
            Param("gpus", "gpu_count", "exactly so many GPUs", minimum=1, maximum=64, positional=False),
            Param("max_hours", "hours", "to be done within", minimum=0.01, positional=False),
            Param("disk_gb", "gigabytes", "disk to rent", minimum=0, maximum=1e6, positional=False),
            Param("save_minutes", "minutes", "to write a checkpoint", minimum=0.001, maximum=1440, positional=False),
            Param(
                "restart_minutes",
                "minutes",
                "to go on",
                default=RESTART_MINUTES,
                minimum=0,
                maximum=1440,
                positional=False,
            ),
            Param(
                "context",
                "int",
                "tokens of a row",
                default=DEFAULT_CONTEXT,
                minimum=1,
                maximum=10_000_000,
                positional=False,
            ),
            Param("batch", "int", "rows at a time on a GPU", default=1, minimum=1, maximum=4096, positional=False),
        ),
        ask=ask,
        card=card,
        examples=("cost llama2-7b 50GB", "cost llama2-13b 4090", "cost 70B full tokens=1e9"),
        role="member",
    ),
    _which,
)
