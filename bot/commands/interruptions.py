"""``interruptions``: how often and how long, by model, with the worst region (Q9)."""

from __future__ import annotations

from analytics.evidence import Plural
from analytics.interruptions.estimator import PERIODS, InterruptionRates, ModelRate, interruption_rates
from analytics.market import HOUR
from bot.commands.card_notes import card_notes
from bot.commands.offers_now import models_asked_for, with_offers
from bot.commands.scales import scales_of
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Card, Column, Table
from bot.presentation.words import Words

ROWS = 10
"""How many models a card shows where nobody said how many; the JSON has them all."""


async def ask(
    query: QueryContext, *, period: str = "7d", gpu: tuple[str, ...] | None = None, limit: int | None = None
) -> InterruptionRates:
    """Q9 over the hours of the period; all models are read, since a rare one leans on its kind."""
    exposures = await query.reader.exposure(None, await query.seen_until() // HOUR - PERIODS[period])
    rows = [row for row in await query.reader.models() if row.name in (gpu or exposures)]
    basis = query.basis_of(rows, offers=await query.offers_of([row.name for row in rows]))
    return interruption_rates(
        exposures,
        period,
        basis,
        only=gpu or (),
        limit=limit,
        scale=await scales_of(query),
    )


def card(answer: InterruptionRates, words: Words) -> Card:
    """The safest and the riskiest model, then a line a model."""
    shown_rows = shown(answer, answer.limit or ROWS)
    rows = tuple(_row(row, words) for row in shown_rows)
    columns = (
        Column(words("GPU")),
        Column(words("interruptions"), "right"),
        Column(words("per day of running"), "right"),
        Column(words("time between"), "right"),
        Column(words("each lasts"), "right"),
        Column(words("worst region")),
    )
    more = []
    if left := len(answer.gpus) - len(shown_rows):
        more.append(words(Plural("{n} more model not shown", "{n} more models not shown"), n=left))
    notes = card_notes(answer.evidence, words, own=more, usual=(answer.evidence.method,))
    table = Table(words("Interruptions"), columns, rows)
    title = words("Interruptions, last {period}", period=answer.period)
    return Card(
        title,
        words.lead(_lead(answer, words), answer.evidence),
        (table,),
        (),
        notes,
        words.footer(answer.evidence),
    )


def shown(answer: InterruptionRates, most: int) -> list[ModelRate]:
    """The safest models, and the least safe one, of which the lead speaks."""
    known = [row for row in answer.gpus if row.interruption_rate_per_day is not None]
    first = list(answer.gpus[:most])
    return first if not known or known[-1] in first else [*first[:-1], known[-1]]


def _lead(answer: InterruptionRates, words: Words) -> str:
    known = [row for row in answer.gpus if row.interruption_rate_per_day is not None]
    if not known:
        return words("No rate can be given yet: see the notes")
    least, most = known[0], known[-1]
    low = words.number(least.interruption_rate_per_day, 2)
    if least is most:
        return words("{gpu}: interruptions per day of running: {rate}", gpu=least.gpu_name, rate=low)
    return words(
        "Least interrupted: {least} ({low} a day of running); most: {most} ({high})",
        least=least.gpu_name,
        low=low,
        most=most.gpu_name,
        high=words.number(most.interruption_rate_per_day, 2),
    )


def _row(row: ModelRate, words: Words) -> tuple[str, ...]:
    minutes = row.avg_duration_minutes
    return (
        row.gpu_name,
        words.number(row.total_interruptions, 0),
        words.number(row.interruption_rate_per_day, 2),
        between(row, words),
        words.hours(None if minutes is None else minutes / 60),
        row.worst_region or "–",
    )


def between(row: ModelRate, words: Words) -> str:
    """The mean time between interruptions, or what it is at least."""
    if row.mean_time_between_interruptions_hours is None:
        low = row.interval_95["low"]
        return "–" if low is None else f"> {words.hours(low)}"
    return words.hours(row.mean_time_between_interruptions_hours)


COMMAND = with_offers(
    Command(
        name="interruptions",
        summary="How often tenants are interrupted and for how long, by model",
        path="/api/spot/interruption-rates",
        params=(
            Param("period", "period", "how far back to look", default="7d", choices=tuple(PERIODS)),
            Param("gpu", "gpus", "models to show; all when not given"),
            Param("limit", "int", "how many models, least interrupted first", minimum=1, maximum=500),
        ),
        ask=ask,
        card=card,
        examples=("interruptions", "interruptions 30d", "interruptions 7d 4090"),
        role="member",
    ),
    lambda answer, given: models_asked_for([row.gpu_name for row in answer.gpus], given),
)
