"""``savings`` (Q7): a spot GPU against AWS, Google Cloud and Azure."""

from __future__ import annotations

from analytics.answers.savings import DEFAULT_HOURS, HOURS_IN_YEAR, CloudCost, Savings, Use, savings
from analytics.errors import NotYet
from analytics.evidence import Note, Plural
from bot.commands.card_notes import card_notes
from bot.commands.offers_now import each_model, with_offers
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Bar, Bars, Card, Chart, Column, Table
from bot.presentation.words import Words


async def ask(query: QueryContext, *, gpu: str, hours: float, hours_per_year: float) -> Savings:
    """The latest complete poll of the model."""
    quotes, basis = await query.priced([gpu])
    if basis.as_of is None:
        note = Note("there is no complete poll of this model yet")
        raise NotYet(note, have=Note("no sighting"), need=Note("one complete poll"))
    return savings(gpu, quotes.get(gpu), Use(hours, hours_per_year), query.catalog, basis)


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
    notes = card_notes(answer.evidence, words, own=_year(answer, words))
    return Card(
        title,
        words.lead(_lead(answer, words), answer.evidence),
        tables,
        notes=notes,
        footer=words.footer(answer.evidence),
        charts=_charts(answer, words),
    )


def _year(answer: Savings, words: Words) -> tuple[str, ...]:
    """What as many hours as in a year come to, where that is known."""
    if answer.roi_annual is None:
        return ()
    places = {"hours": words.number(answer.hours_per_year, 0), "year": words.money(abs(answer.roi_annual), 0)}
    text = "against AWS hour for hour, in a year of {hours} h: {year} saved"
    if answer.roi_annual < 0:
        text = "against AWS hour for hour, in a year of {hours} h: {year} dearer"
    return (words(text, **places),)


def _charts(answer: Savings, words: Words) -> tuple[Chart, ...]:
    """Spot beside the clouds; none where there is nothing to compare."""
    if answer.cost_dumont is None or not answer.comparators:
        return ()
    hours = words.number(answer.hours)
    low, high = ((None if price is None else price * answer.hours) for price in (answer.price_p10, answer.price_p90))
    clouds = tuple(Bar(_cloud(row), _shown_cost(row)) for row in answer.comparators)
    costs = ", ".join(f"{_cloud(row)} {words.money(_shown_cost(row), 2)}" for row in answer.comparators)
    values = {
        "gpu": answer.gpu_name,
        "n": answer.hours,
        "hours": hours,
        "cost": words.money(answer.cost_dumont, 2),
        "list": costs,
    }
    chart = Bars(
        title=words("Savings: {gpu} for {hours} h", gpu=answer.gpu_name, hours=hours),
        alt=words(
            Plural(
                "Cost of the work of {hours} GPU-hour of {gpu}: spot {cost}; the clouds on demand: {list}.",
                "Cost of the work of {hours} GPU-hours of {gpu}: spot {cost}; the clouds on demand: {list}.",
            ),
            **values,
        ),
        bars=(Bar(words("spot"), answer.cost_dumont, low, high), *clouds),
        value=words(
            Plural("USD for the work of {hours} GPU-hour", "USD for the work of {hours} GPU-hours"),
            n=answer.hours,
            hours=hours,
        ),
        spread=words("p10–p90 of the offers"),
    )
    return (chart,)


def _shown_cost(row: CloudCost) -> float:
    """What the same work costs there; as many hours where that is not known."""
    return row.cost if row.cost_same_work is None else row.cost_same_work


def _cloud(row: CloudCost) -> str:
    """The cloud, with its GPU where it has not the same."""
    return row.cloud if row.same_gpu else f"{row.cloud} ({row.gpu_name})"


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
    """What the same work costs at AWS; as many hours of its GPU where our tables cannot compare the work."""
    if answer.cost_dumont is None:
        return words("{gpu} has no spot price", gpu=answer.gpu_name)
    here = {"cost": words.money(answer.cost_dumont, 2), "price": words.money(answer.price_per_hour)}
    if answer.cost_aws is None:
        return words("{cost} at {price} an hour; nothing in our AWS price list compares", **here)
    aws = next(row for row in answer.comparators if row.cloud == "AWS")
    places = {**here, "gpu": aws.gpu_name, "instance": aws.instance}
    if answer.cost_aws_same_work is None or answer.savings_percent_same_work is None:
        text = "{cost} at {price} an hour; as many hours of {gpu} on AWS ({instance}) {aws}: {percent} saved"
        dearer = "{cost} at {price} an hour; as many hours of {gpu} on AWS ({instance}) {aws}: {percent} dearer"
        return _against(text, dearer, answer.cost_aws, answer.savings_percent or 0.0, places, words)
    text = "{cost} at {price} an hour; the same work on AWS ({instance}, {gpu}) {aws}: {percent} saved"
    dearer = "{cost} at {price} an hour; the same work on AWS ({instance}, {gpu}) {aws}: {percent} dearer"
    return _against(text, dearer, answer.cost_aws_same_work, answer.savings_percent_same_work, places, words)


def _against(text: str, dearer: str, cost: float, percent: float, places: dict[str, str], words: Words) -> str:
    shown = {"aws": words.money(cost, 2), "percent": words.percent(abs(percent), 0)}
    return words(dearer if percent < 0 else text, **places, **shown)


COMMAND = with_offers(
    Command(
        name="savings",
        summary="What a spot GPU saves against AWS, Google Cloud and Azure",
        path="/api/spot/savings",
        params=(
            Param("gpu", "gpu", "the model", required=True, aliases=("gpu_name", "model")),
            Param("hours", "hours", "GPU-hours to compare", default=DEFAULT_HOURS, minimum=0.01, maximum=1e6),
            Param(
                "hours_per_year",
                "hours",
                "use in a year",
                default=HOURS_IN_YEAR,
                minimum=0,
                maximum=1e6,
                positional=False,
            ),
        ),
        ask=ask,
        card=card,
        examples=("savings RTX 4090 100h", "savings A100 PCIE 80GB"),
        role="member",
        prices_do=True,
    ),
    lambda answer, given: each_model([answer.gpu_name]),
)
