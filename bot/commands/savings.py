"""``savings`` (Q7): a spot GPU against AWS, Google Cloud and Azure."""

from __future__ import annotations

from analytics.errors import NotYet
from analytics.evidence import Note
from analytics.savings import DEFAULT_HOURS, HOURS_IN_YEAR, CloudCost, Savings, Use, savings
from bot.commands.base import Command, Desk, Param
from bot.show.card import Card, Column, Table
from bot.show.words import Words


async def ask(desk: Desk, *, gpu: str, hours: float, hours_per_year: float) -> Savings:
    """The latest complete poll of the model."""
    basis = await desk.basis([gpu])
    if basis.as_of is None:
        note = Note("there is no complete poll of this model yet")
        raise NotYet(note, have=Note("no sighting"), need=Note("one complete poll"))
    quote = (await desk.reader.quotes([gpu])).get(gpu)
    basis = await desk.basis([gpu], offers=quote.offers if quote else 0)
    return savings(gpu, quote, Use(hours, hours_per_year), desk.catalog, basis)


def card(answer: Savings, words: Words) -> Card:
    """What is saved against AWS, then a line a cloud."""
    columns = (
        Column(words("cloud")),
        Column(words("GPU")),
        Column(words("$/GPU-h"), "right"),
        Column(words("cost"), "right"),
        Column(words("saved"), "right"),
        Column(words("same work"), "right"),
        Column(words("saved"), "right"),
        Column(words("price of")),
    )
    rows = tuple(_cells(row, words) for row in answer.comparators)
    title = words("Savings: {gpu} for {hours} h", gpu=answer.gpu_name, hours=words.number(answer.hours))
    tables = (Table(words("On-demand prices of the clouds, USD"), columns, rows),) if rows else ()
    notes = tuple(words(caveat) for caveat in answer.evidence.caveats)
    return Card(title, _lead(answer, words), tables, notes=notes, footer=words.footer(answer.evidence))


def _cells(row: CloudCost, words: Words) -> tuple[str, ...]:
    return (
        row.cloud,
        row.gpu_name,
        words.money(row.usd_per_gpu_hour),
        words.money(row.cost, 2),
        words.percent(row.savings_percent, 0),
        words.money(row.cost_same_work, 2),
        words.percent(row.savings_percent_same_work, 0),
        row.date,
    )


def _lead(answer: Savings, words: Words) -> str:
    if answer.cost_dumont is None:
        return words("{gpu} has no spot price now", gpu=answer.gpu_name)
    here = {"cost": words.money(answer.cost_dumont, 2), "price": words.money(answer.price_per_hour)}
    if answer.cost_aws is None:
        return words("{cost} at {price} an hour; nothing at AWS compares", **here)
    theirs = {"aws": words.money(answer.cost_aws, 2), "percent": words.percent(answer.savings_percent, 0)}
    year = words.money(answer.roi_annual, 0)
    text = "{cost} at {price} an hour, AWS {aws}: {percent} saved, {year} in a year of {hours} h"
    return words(text, **here, **theirs, year=year, hours=words.number(answer.hours_per_year, 0))


COMMAND = Command(
    name="savings",
    summary="What a spot GPU saves against AWS, Google Cloud and Azure",
    path="/api/spot/savings",
    params=(
        Param("gpu", "gpu", "the model", required=True),
        Param("hours", "hours", "GPU-hours to compare", default=DEFAULT_HOURS, minimum=0.01, maximum=1e6),
        Param(
            "hours_per_year", "number", "use in a year", default=HOURS_IN_YEAR, minimum=0, maximum=1e6, positional=False
        ),
    ),
    ask=ask,
    card=card,
    examples=("savings RTX 4090 100h", "savings A100 PCIE 80GB"),
)
