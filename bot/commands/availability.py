"""``availability`` (Q5): how many GPUs are free where."""

from __future__ import annotations

from analytics.answers.availability import Availability, RegionSupply, availability
from analytics.answers.offers_now import Wanted
from analytics.errors import NotYet
from analytics.evidence import Note, Plural
from analytics.market import HOUR
from analytics.prices import DAY_HOURS
from bot.commands.card_notes import card_notes
from bot.commands.offers_now import with_offers
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Bar, Bars, Card, Chart, Column, Table
from bot.presentation.words import Words

SHOWN = 12
"""Rows of the card's table; the JSON has them all."""


async def ask(query: QueryContext, *, gpu: str, gpus: int | None, home: str | None) -> Availability:
    """The book of the latest complete poll, beside the same hour a day before it."""
    book = await query.reader.book([gpu])
    basis = await query.basis([gpu])
    if basis.as_of is None:
        note = Note("there is no complete poll of this model yet")
        raise NotYet(note, have=Note("no sighting"), need=Note("one complete poll"))
    hour = basis.as_of // HOUR - DAY_HOURS
    polled = await query.reader.hours([gpu], hour, hour + 1)
    regional = await query.reader.regional_hours(gpu, hour) if polled else {}
    yesterday = {region: point.gpus for region, point in regional.items()} if polled else None
    return availability(gpu, book, basis, at_least=gpus or 1, yesterday=yesterday, home=home or query.home)


def card(answer: Availability, words: Words) -> Card:
    """The total and where it is cheapest, then a line a region."""
    columns = (
        Column(words("region")),
        Column(words("GPUs"), "right"),
        Column(words("vs yesterday"), "right"),
        Column(words("median"), "right"),
        Column(words("floor"), "right"),
        Column(words("latency"), "right"),
    )
    rows = tuple(_cells(row, words) for row in answer.regions[:SHOWN])
    more = []
    if len(answer.regions) > SHOWN:
        more.append(words("more regions in the full answer: {n}", n=len(answer.regions) - SHOWN))
    tables = (Table(words("Free GPUs by region, USD per GPU-hour"), columns, rows),) if rows else ()
    title = words("Free GPUs: {gpu}", gpu=answer.gpu_name)
    return Card(
        title,
        words.lead(_lead(answer, words), answer.evidence),
        tables,
        notes=card_notes(answer.evidence, words, own=more),
        footer=words.footer(answer.evidence),
        charts=_charts(answer, words),
    )


CHARTED, TOLD = 10, 5
"""Regions of the chart, and of the text that says what it shows."""


def _charts(answer: Availability, words: Words) -> tuple[Chart, ...]:
    """GPUs by region, beside those of yesterday; none where nothing is free."""
    if not answer.total_available:
        return ()
    told = (f"{row.region} {row.available_count}" for row in answer.regions[:TOLD])
    values = {"n": answer.total_available, "gpu": answer.gpu_name, "list": ", ".join(told)}
    chart = Bars(
        title=words("Free GPUs: {gpu}", gpu=answer.gpu_name),
        alt=words(Plural("{n} {gpu} free, by region: {list}.", "{n} {gpu} free, by region: {list}."), **values),
        bars=tuple(_bar(row) for row in answer.regions[:CHARTED]),
        unit="number",
        value=words("free GPUs by region"),
        reference=words("a day earlier"),
    )
    return (chart,)


def _bar(row: RegionSupply) -> Bar:
    change = row.change_vs_yesterday
    return Bar(row.region, row.available_count, reference=None if change is None else row.available_count - change)


def _cells(row: RegionSupply, words: Words) -> tuple[str, ...]:
    change = row.change_vs_yesterday
    return (
        row.region,
        words.number(row.available_count, 0),
        "–" if change is None else f"{change:+d}" if change else "0",
        words.money(row.avg_price),
        words.money(row.floor_price),
        "–" if row.latency_ms is None else f"~{row.latency_ms} ms",
    )


def _lead(answer: Availability, words: Words) -> str:
    gpus = answer.gpu_name
    if answer.gpus_per_machine > 1:
        gpus = words("{gpu} on machines of {size} or more", gpu=answer.gpu_name, size=answer.gpus_per_machine)
    best = next((row for row in answer.regions if row.region == answer.best_region), None)
    if not answer.total_available:
        return words("No {gpus} free", gpus=gpus)
    if best is None:
        return words(Plural("{n} {gpus} free", "{n} {gpus} free"), n=answer.total_available, gpus=gpus)
    text = Plural(
        "{n} {gpus} free; best: {best} at a median of {price}", "{n} {gpus} free; best: {best} at a median of {price}"
    )
    return words(text, n=answer.total_available, gpus=gpus, best=best.region, price=words.money(best.avg_price))


COMMAND = with_offers(
    Command(
        name="availability",
        summary="How many GPUs are free now, by region, and where they are cheapest",
        path="/api/spot/availability",
        params=(
            Param("gpu", "gpu", "the model", required=True, aliases=("gpu_name", "model")),
            Param("gpus", "gpu_count", "GPUs needed on one machine", default=1, minimum=1, maximum=64),
            Param(
                "home",
                "text",
                "where to estimate latency from, e.g. Sao Paulo, BR",
                positional=False,
                aliases=("from",),
            ),
        ),
        ask=ask,
        card=card,
        examples=("availability RTX 4090", "availability H100 SXM gpus=4"),
        role="member",
    ),
    lambda answer, given: [Wanted(answer.gpu_name, at_least=answer.gpus_per_machine)],
)
