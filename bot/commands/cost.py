"""``cost`` (Q6): what it costs to train a language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analytics.answers.offers_now import Wanted
from analytics.answers.reliability import PERIOD_DAYS
from analytics.answers.training import DEFAULT_DATASET_GB, TrainingCost, bench_for, training_cost
from analytics.answers.training_runs import BYTES_PER_TOKEN, RESTART_MINUTES, GpuCost, TrainingJob
from analytics.errors import AskError
from analytics.evidence import Note, Plural
from analytics.hardware.checkpoints import Risk
from analytics.hardware.llm_lookup import find_llm
from analytics.hardware.llm_work import named_work
from analytics.hardware.machines import machines
from analytics.hardware.memory import DEFAULT_CONTEXT, Mode
from analytics.hardware.speed import GIGA
from analytics.interruptions.estimator import Rate, estimate, priors, total
from analytics.interruptions.resolution import TOO_COARSE
from analytics.market import HOUR
from analytics.prices import nothing_polled
from bot.commands.machine_notes import machine_notes
from bot.commands.offers_now import with_offers
from bot.commands.overdispersion import overdispersion_of
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Bar, Bars, Card, Chart, Column, Table
from bot.presentation.words import Words

SHOWN = 10
"""Rows of the card's table; the JSON has them all."""

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
    since = await query.seen_until() // HOUR - PERIOD_DAYS * 24  # the same hours as of the questions about risk
    summed = {model: total(some) for model, some in (await query.reader.exposure(None, since)).items()}
    prior, scatter = priors(summed), await overdispersion_of(query)
    rates = {
        model: estimate(exposure, prior=prior[model], overdispersion=scatter.get(model))
        for model, exposure in summed.items()
    }
    return {model: _risk(rate) for model, rate in rates.items()}


def _risk(rate: Rate) -> Risk:
    """A time without interruptions would be invented where polls are too far apart to see them."""
    refused = TOO_COARSE if TOO_COARSE in rate.notes else None
    return Risk(rate.mtbi_hours, rate.interval_95[0], rate.duration_hours, refused=refused)


def card(answer: TrainingCost, words: Words) -> Card:
    """The cheapest machine, then a line a model, then what was assumed."""
    columns = (
        Column(words("GPU")),
        Column(words("time"), "right"),
        Column(words("cost"), "right"),
        Column(words("p10–p90"), "right"),
        Column(words("saved"), "right"),
        Column(words("save every"), "right"),
    )
    aws = _named(answer)
    rows = tuple(_cells(row, aws, words) for row in answer.gpu_recommendations[:SHOWN])
    title = words("Training {model} ({mode})", model=answer.model, mode=words(answer.method))
    tables = (Table(words("Cheapest machine of each model, USD"), columns, rows),) if rows else ()
    return Card(
        title,
        words.lead(_lead(answer, words), answer.evidence),
        tables,
        notes=_notes(answer, words),
        footer=words.footer(answer.evidence),
        charts=_charts(answer, words),
    )


def _named(answer: TrainingCost) -> GpuCost | None:
    """The cheapest machine with a comparable one on AWS: that one is what all are compared with on the card."""
    return next((row for row in answer.gpu_recommendations if row.aws is not None), None)


def _instance(row: GpuCost) -> str:
    return f"{row.aws.gpus}× {row.aws.gpu_name}" if row.aws else ""


TOLD = 3
"""Machines of the text that says what the chart shows."""


def _charts(answer: TrainingCost, words: Words) -> tuple[Chart, ...]:
    """The cost on each machine with its range, and on AWS; none where no machine can do it."""
    rows = answer.gpu_recommendations[:SHOWN]
    if not rows:
        return ()
    told = "; ".join(_told(row, words) for row in rows[:TOLD])
    bars = [Bar(f"{row.gpus}× {row.gpu_name}", row.cost_dumont, row.cost_low, row.cost_high) for row in rows]
    alt = words("Cost of training {model}, the cheapest first: {list}.", model=answer.model, list=told)
    aws = _named(answer)
    if aws:
        bars.append(Bar(f"AWS: {_instance(aws)}", aws.cost_aws))
        theirs = words("On AWS {aws} ({instance}).", aws=words.money(aws.cost_aws, 2), instance=_instance(aws))
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
    values = {"low": words.money(row.cost_low, 2), "high": words.money(row.cost_high, 2)}
    text = words("{low} to {high}", **values)
    return f"{row.gpus}× {row.gpu_name} {words.money(row.cost_dumont, 2)} ({text})"


def _cells(row: GpuCost, aws: GpuCost | None, words: Words) -> tuple[str, ...]:
    theirs = aws.cost_aws if aws else None
    saved = 100 * (theirs - row.cost_dumont) / theirs if theirs else None
    every = row.checkpoints.every_minutes
    return (
        f"{row.gpus}× {row.gpu_name}",
        words.hours(row.estimated_hours),
        words.money(row.cost_dumont, 2),
        f"{words.money(row.cost_low, 2)}–{words.money(row.cost_high, 2)}",
        words.percent(saved, 0),
        "–" if every is None else words.hours(every / 60),
    )


def _lead(answer: TrainingCost, words: Words) -> str:
    if not answer.gpu_recommendations:
        return words("No machine on offer can train {model}", model=answer.model)
    best = answer.gpu_recommendations[0]
    values = {"n": best.gpus, "gpu": best.gpu_name, "cost": words.money(best.cost_dumont, 2)}
    values["time"] = words.hours(best.estimated_hours)
    lead = words("{n}× {gpu}: {cost} in {time}", **values)
    if best.aws is None:
        return lead
    theirs = {"aws": words.money(best.cost_aws, 2), "instance": f"{best.aws.gpus}× {best.aws.gpu_name}"}
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
    """What all are compared with, and in one line what AWS has that is nearer to the others."""
    aws = _named(answer)
    if aws is None or aws.aws is None:
        return []
    named = {"instance": _instance(aws), "type": aws.aws.instance, "aws": words.money(aws.cost_aws, 2)}
    notes = [words("saved: against {aws} for the whole training on AWS on demand, {instance} ({type})", **named)]
    shown = answer.gpu_recommendations[:SHOWN]
    others = {_instance(row): words.money(row.cost_aws, 2) for row in shown if row.aws and row.aws != aws.aws}
    others.pop(_instance(aws), None)
    if others:
        told = ", ".join(f"{instance} {cost}" for instance, cost in others.items())
        notes.append(words("AWS machines nearer to the others: {list}", list=told))
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
