"""``llm`` (Q2): which machines on offer hold a language model, the best value first."""

from __future__ import annotations

from typing import Any

from analytics.answers.llm import LlmGpus, Recommendation, Wish, llm_gpus
from analytics.answers.training import DEFAULT_DATASET_GB
from analytics.answers.training_runs import BYTES_PER_TOKEN
from analytics.evidence import Plural
from analytics.hardware.llm_lookup import find_llm
from analytics.hardware.llm_work import named_work
from analytics.hardware.machines import machines
from analytics.hardware.memory import MODES, PRECISIONS, Mode, Precision
from analytics.hardware.speed import GIGA
from analytics.prices import nothing_polled
from bot.commands.machine_notes import machine_notes
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Card, Column, Table
from bot.presentation.words import Words

MILLION = 1_000_000
MOST_TOKENS = 1e15
"""More text than this has nobody."""

MOST_CONTEXT = 10_485_760
"""What Llama 4 Scout reads, the most of the catalogue."""

SHOWN = 10
"""Rows of the card's table; the JSON has them all."""


async def ask(
    query: QueryContext, *, model_size: str, mode: Mode, precision: Precision | None, context: int | None, **given: Any
) -> LlmGpus:
    """The free machines of every model polled lately."""
    named = find_llm(model_size, query.catalog)
    found, work = named_work(named, mode, given["batch"], precision=precision, context=context)
    rows = [row for row in await query.reader.models() if row.last_good_at]
    if not rows:
        raise nothing_polled()
    fresh = [row for row in rows if not query.basis_of([row]).stale] or rows
    book = await query.reader.book([row.name for row in fresh])
    tokens = given["tokens"] or DEFAULT_DATASET_GB * GIGA / BYTES_PER_TOKEN
    wish = Wish(given["min_vram"], given["max_price"], given["gpus"], tokens, assumed=given["tokens"] is None)
    return llm_gpus(found, work, machines(book, query.catalog), wish, query.basis_of(fresh, offers=len(book)))


def card(answer: LlmGpus, words: Words) -> Card:
    """The best value, then a line for each model that fits and one for those that do not."""
    columns = (
        Column(words("GPU")),
        Column(words("$/h"), "right"),
        Column(words("score"), "right"),
        Column(words("memory"), "right"),
        Column(words("tokens/s"), "right"),
        Column(words("$ per million tokens"), "right"),
        *((Column(words("hours"), "right"),) if answer.training_tokens else ()),
        Column(words("machines"), "right"),
    )
    rows = tuple(_cells(row, answer, words) for row in answer.recommendations[:SHOWN])
    title = words("GPUs for {model} ({mode})", model=answer.model_size, mode=words(answer.mode))
    tables = (Table(words("Machines that fit, best value first"), columns, rows),) if rows else ()
    return Card(
        title,
        words.lead(_lead(answer, words), answer.evidence),
        tables,
        notes=_notes(answer, words),
        footer=words.footer(answer.evidence),
    )


def _cells(row: Recommendation, answer: LlmGpus, words: Words) -> tuple[str, ...]:
    cells = (
        f"{row.gpus}× {row.gpu_name}",
        words.money(row.price_per_hour),
        words.number(row.fit_score, 2),
        f"{words.number(row.memory_need_gib, 1)}/{words.number(row.memory_gib, 1)} GiB",
        words.number(row.tokens_per_second, 0),
        words.money(row.usd_per_million_tokens),
    )
    hours = (words.hours(row.estimated_training_time_hours),) if answer.training_tokens else ()
    return (*cells, *hours, words.number(row.machines, 0))


def _lead(answer: LlmGpus, words: Words) -> str:
    if not answer.recommendations:
        return words("No machine on offer holds {model}", model=answer.model_size)
    best = answer.recommendations[0]
    text = "{n}× {gpu} at {price} an hour: {why}"
    price = words.money(best.price_per_hour)
    return words(text, n=best.gpus, gpu=best.gpu_name, price=price, why=words(best.reasoning))


def _notes(answer: LlmGpus, words: Words) -> tuple[str, ...]:
    notes = [words("{model} needs {n} GiB on one GPU", model=answer.model, n=answer.memory_need_gib)]
    if answer.training_tokens:
        notes.append(
            words(
                Plural("hours are for {n} million training tokens", "hours are for {n} million training tokens"),
                n=round(answer.training_tokens / MILLION, 1),
            )
        )
    return machine_notes(notes, answer.not_fitting, answer.evidence, words)


COMMAND = Command(
    name="llm",
    summary="GPUs on offer that hold a language model, best value first",
    path="/api/spot/llm-gpus",
    params=(
        Param(
            "model_size",
            "llm",
            "a size or a model",
            required=True,
            joins=("b",),
            suggest=("7B", "13B", "30B", "70B", "8x7B"),
            offers="llms",
        ),
        Param("min_vram", "gigabytes", "least memory of one GPU", minimum=0, maximum=1000),
        Param("max_price", "usd_per_hour", "most USD per hour for the whole machine", minimum=0),
        Param("mode", "choice", "what the model is to do", default="lora", choices=MODES),
        Param("precision", "choice", "of the weights, when running it; if not given, the name's", choices=PRECISIONS),
        Param(
            "context",
            "int",
            "tokens; the name's or 2048 if not given",
            minimum=1,
            maximum=MOST_CONTEXT,
            positional=False,
        ),
        Param("batch", "int", "sequences at a time", default=1, minimum=1, maximum=4096, positional=False),
        Param("gpus", "gpu_count", "most GPUs in one machine", minimum=1, maximum=64, positional=False),
        Param("tokens", "tokens", "training tokens, for the hours", minimum=1, maximum=MOST_TOKENS, positional=False),
    ),
    ask=ask,
    card=card,
    examples=("llm 7B", "llm llama2-13b qlora $1", "llm 70B inference min_vram=48GB"),
    role="member",
)
