"""``llm`` (Q2): which machines on offer hold a language model, the best value first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from analytics.answers.llm import ASSUMED_TOKENS, LlmGpus, Recommendation, Wish, llm_gpus
from analytics.answers.offers_now import Wanted
from analytics.answers.training import DEFAULT_DATASET_GB
from analytics.answers.training_runs import BYTES_PER_TOKEN
from analytics.evidence import Plural
from analytics.hardware.llm_lookup import find_llm
from analytics.hardware.llm_work import named_work
from analytics.hardware.machines import machines
from analytics.hardware.memory import MODES, PRECISIONS, Mode, Precision
from analytics.hardware.recipes import ACTIVATIONS, PEFT, RECIPES, TARGETS, Recipe
from analytics.hardware.speed import GIGA
from analytics.prices import nothing_polled
from bot.commands.machine_notes import machine_notes, marked
from bot.commands.offers_now import with_offers
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Action, Card, Column, Table
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
    found, work = named_work(
        named, mode, given["batch"] or 1, precision=precision, context=context, recipe=_recipe(given)
    )
    rows = [row for row in await query.reader.models() if row.last_good_at]
    if not rows:
        raise nothing_polled()
    fresh = [row for row in rows if not query.basis_of([row]).stale] or rows
    book = await query.reader.book([row.name for row in fresh])
    tokens = given["tokens"] or DEFAULT_DATASET_GB * GIGA / BYTES_PER_TOKEN
    wish = Wish(
        given["min_vram"],
        given["max_price"],
        given["gpus"],
        tokens,
        assumed=given["tokens"] is None,
        batch=given["batch"],
        limit=given["limit"],
    )
    basis = query.basis_of(fresh, offers=await query.offers_of([row.name for row in fresh]))
    return llm_gpus(found, work, machines(book, query.catalog), wish, basis)


def _recipe(given: Mapping[str, Any]) -> Recipe:
    """The recipe by its name, with what was asked of it otherwise."""
    said = {key: given[key] for key in ("rank", "targets", "activations") if given[key] is not None}
    return replace(RECIPES[given["recipe"]], **said)


def card(answer: LlmGpus, words: Words) -> Card:
    """The best value, then a line for each model that fits and one for those that do not."""
    shown = answer.recommendations[: answer.limit or SHOWN]
    columns = (
        Column(words("GPU")),
        Column(words("$/h"), "right"),
        Column(words("score"), "right"),
        Column(words("memory"), "right"),
        *_speed_columns(answer, words),
        Column(words("$ per million tokens"), "right"),
        *((Column(words("hours"), "right"),) if answer.training_tokens else ()),
        Column(words("machines"), "right"),
    )
    rows = tuple(_cells(row, answer, words) for row in shown)
    title = words("GPUs for {model} ({mode})", model=answer.model_size, mode=words(answer.mode))
    tables = (Table(_caption(len(shown), answer.fitting, words), columns, rows),) if rows else ()
    return Card(
        title,
        words.lead(_lead(answer, words), answer.evidence),
        tables,
        notes=_notes(answer, len(shown), words),
        footer=words.footer(answer.evidence),
        actions=_show_all(answer, words),
    )


def _caption(shown: int, count: int, words: Words) -> str:
    """The order of the rows, and how many of all they are: nothing is cut silently."""
    caption = words("Machines that fit, best value first; within 10% fewer GPUs first")
    return caption if shown == count else words("{table}: {shown} of {n}", table=caption, shown=shown, n=count)


def _marked(row: Recommendation, answer: LlmGpus, words: Words) -> str:
    """The machine, and what keeps it from leading."""
    fp16 = row.precision == "fp16" and answer.precision != "fp16"
    return marked(f"{row.gpus}× {row.gpu_name}", words, fp16=fp16, thin=row.thin)


def _speed_columns(answer: LlmGpus, words: Words) -> tuple[Column, ...]:
    """Running a model: what one reader gets, and all together with so many at a time."""
    if answer.mode != "inference":
        return (Column(words("tokens/s"), "right"),)
    names = ("tokens/s, one reader", "tokens/s in all", "at a time")
    return tuple(Column(words(name), "right") for name in names)


def _show_all(answer: LlmGpus, words: Words) -> tuple[Action, ...]:
    count = answer.fitting
    if answer.limit is not None or count <= SHOWN:
        return ()
    return (Action(words("Show all"), f"limit={count}", place="here", continues=True),)


def _cells(row: Recommendation, answer: LlmGpus, words: Words) -> tuple[str, ...]:
    speeds: tuple[str, ...] = (words.number(row.tokens_per_second, 0),)
    if answer.mode == "inference":
        speeds += (words.number(row.tokens_per_second_total, 0), _at_a_time(row, words))
    cells = (
        _marked(row, answer, words),
        words.money(row.price_per_hour),
        words.number(row.fit_score, 2),
        f"{words.number(row.memory_need_gib, 1)}/{words.number(row.memory_gib, 1)} GiB",
        *speeds,
        words.money(row.usd_per_million_tokens),
    )
    hours = (words.hours(row.estimated_training_time_hours),) if answer.training_tokens else ()
    return (*cells, *hours, words.number(row.machines, 0))


def _at_a_time(row: Recommendation, words: Words) -> str:
    batch = words.number(row.batch, 0)
    return batch if row.copies == 1 else f"{row.copies}× {batch}"


def _lead(answer: LlmGpus, words: Words) -> str:
    if not answer.recommendations:
        text = "No machine on offer holds {model}"
        if any(miss.ruled_out for miss in answer.not_fitting):
            text = "No machine on offer holds {model} within these limits"
        return words(text, model=answer.model_size)
    best = answer.recommendations[0]
    text = "{n}× {gpu} at {price} an hour: {why}"
    price = words.money(best.price_per_hour)
    return words(text, n=best.gpus, gpu=best.gpu_name, price=price, why=words(best.reasoning))


def _notes(answer: LlmGpus, shown: int, words: Words) -> tuple[str, ...]:
    notes = [words("{model} needs {n} GiB on one GPU", model=answer.model, n=answer.memory_need_gib)]
    count = answer.fitting
    if shown < count:
        notes.append(words("{shown} of {n}; with limit={n}, all", shown=shown, n=count))
    told = any(note.text == ASSUMED_TOKENS for note in answer.evidence.caveats)
    if answer.recommendations and answer.training_tokens and not told:
        notes.append(
            words(
                Plural("hours are for {n} million training tokens", "hours are for {n} million training tokens"),
                n=round(answer.training_tokens / MILLION, 1),
            )
        )
    return machine_notes(notes, answer.not_fitting, answer.evidence, words, fits=bool(answer.recommendations))


def _which(answer: LlmGpus, given: Mapping[str, Any]) -> tuple[Wanted, ...]:
    """Machines like the best."""
    return tuple(Wanted(best.gpu_name, best.gpus) for best in answer.recommendations[:1])


COMMAND = with_offers(
    Command(
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
            Param(
                "precision", "choice", "of the weights, when running it; if not given, the name's", choices=PRECISIONS
            ),
            Param(
                "context",
                "int",
                "tokens; the name's or 2048 if not given",
                minimum=1,
                maximum=MOST_CONTEXT,
                positional=False,
            ),
            Param(
                "batch",
                "int",
                "sequences at a time; if not given, 1 in training, as many as fit when running",
                minimum=1,
                maximum=4096,
                positional=False,
            ),
            Param("gpus", "gpu_count", "most GPUs in one machine", minimum=1, maximum=64, positional=False),
            Param(
                "tokens", "tokens", "training tokens, for the hours", minimum=1, maximum=MOST_TOKENS, positional=False
            ),
            Param(
                "recipe",
                "choice",
                "how it is trained: torchtune computes the loss in pieces and all in bf16",
                default=PEFT.name,
                choices=tuple(RECIPES),
                positional=False,
            ),
            Param(
                "rank", "int", "of the adapters; the recipe's if not given", minimum=1, maximum=4096, positional=False
            ),
            Param(
                "targets",
                "choice",
                "layers with adapters; the recipe's if not given",
                choices=TARGETS,
                positional=False,
            ),
            Param(
                "activations",
                "choice",
                "what becomes of them in training; the recipe's if not given",
                choices=ACTIVATIONS,
                positional=False,
            ),
            Param("limit", "int", "how many lines, best first", minimum=1, maximum=500, positional=False),
        ),
        ask=ask,
        card=card,
        examples=("llm 7B", "llm llama2-13b qlora $1", "llm 70B inference min_vram=48GB"),
        role="member",
    ),
    _which,
)
