"""``history``: what a model's price was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from analytics.answers.history import (
    DEFAULT_DAYS,
    MOST_DAYS,
    History,
    Moment,
    Stats,
    cloud_references,
    history,
    since_hour,
)
from analytics.evidence import Plural, seconds_of
from analytics.market import DAY, HOUR
from bot.commands.offers_now import each_model, with_offers
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Band, Card, Chart, Column, Line, Lines, Spark, Table
from bot.presentation.words import Words

SHOWN_GAPS = 3
"""Gaps that the card names; the JSON has them all."""


async def ask(query: QueryContext, *, gpu_name: str, days: int) -> History:
    """The stored hours of one model, up to the newest that is not in the future."""
    now_hour = query.now // HOUR
    last = await query.reader.last_hour(gpu_name, now_hour)
    since = since_hour(now_hour if last is None else last, days)
    hours = (await query.reader.hours([gpu_name], since, now_hour + 1)).get(gpu_name, [])
    quotes, basis = await query.priced([gpu_name])
    found = history(gpu_name, hours, days, basis, quotes.get(gpu_name))
    return replace(found, clouds=cloud_references(gpu_name, query.catalog, query.now))


def card(answer: History, words: Words) -> Card:
    """How the price moved, as a line and a few figures."""
    stats = answer.stats
    title = words("Price history: {gpu}", gpu=answer.gpu_name)
    notes = [words(note) for note in answer.evidence.caveats]
    notes += [words("gap from {since}: {n} h", since=gap.since, n=gap.hours) for gap in answer.gaps[-SHOWN_GAPS:]]
    footer = words.footer(answer.evidence)
    if stats is None:
        nothing = words(Plural("no price in {n} day", "no price in {n} days"), n=answer.days)
        return Card(title, words.lead(nothing, answer.evidence), notes=tuple(notes), footer=footer)
    columns = tuple(Column(words(name), "right") for name in ("lowest", "median", "highest", "unchanged"))
    row = (
        words.money(stats.low),
        words.money(stats.median),
        words.money(stats.high),
        words.percent(stats.unchanged_percent),
    )
    table = Table(words("USD per GPU-hour; share of hours without a change"), columns, (row,))
    spark = Spark(words(Plural("last {n} d", "last {n} d"), n=answer.days), _line(answer))
    charts = _charts(answer, stats, words)
    return Card(
        title,
        words.lead(_lead(answer.gpu_name, stats, words), answer.evidence),
        (table,),
        (spark,),
        tuple(notes),
        footer,
        charts,
    )


def _lead(gpu: str, stats: Stats, words: Words) -> str:
    """From which level to which, or the last price and why there is no change."""
    if stats.why is not None:
        text = Plural(
            "{gpu}: {last} at the end of {n} hour with a price; {why}",
            "{gpu}: {last} at the end of {n} hours with a price; {why}",
        )
        return words(text, gpu=gpu, last=words.money(stats.last), n=stats.hours, why=stats.why)
    text = Plural(
        "{gpu}: {first} → {last} ({change}), medians of the first and last day of {n} hour with a price",
        "{gpu}: {first} → {last} ({change}), medians of the first and last day of {n} hours with a price",
    )
    first, last = words.money(stats.first_day), words.money(stats.last_day)
    return words(
        text, gpu=gpu, first=first, last=last, change=words.percent(stats.change_percent, signed=True), n=stats.hours
    )


LINE = 60
"""Points of the sparkline."""


def _line(answer: History) -> tuple[float | None, ...]:
    """The prices thinned to a line of text, gaps kept; the newest point is always among them."""
    step = HOUR if answer.step == "hour" else DAY
    prices = {seconds_of(point.at): point.price for point in answer.points}
    stride = max(1, -(-(max(prices) - min(prices)) // (step * LINE)))
    line = [prices.get(at) for at in range(max(prices), min(prices) - 1, -step * stride)]
    return tuple(reversed(line))


def _charts(answer: History, stats: Stats, words: Words) -> tuple[Chart, ...]:
    """The price with the range of what was on offer; hours without a poll stay empty."""
    points = {seconds_of(point.at): point for point in answer.points}
    xs = tuple(range(min(points), max(points) + 1, HOUR if answer.step == "hour" else DAY))
    found = [points.get(at) for at in xs]
    lows = tuple(point.p10 if point else None for point in found)
    highs = tuple(point.p90 if point else None for point in found)
    prices = tuple(point.price if point else None for point in found)
    chart = Lines(
        title=words("Price history: {gpu}", gpu=answer.gpu_name),
        alt=_alt(answer, stats, words),
        lines=(Line(words("median price"), xs, prices), *_references(answer, xs, found, words)),
        bands=(Band(words("p10–p90"), xs, lows, highs),) if any(low is not None for low in lows) else (),
        scale=words("USD per GPU-hour"),
    )
    return (chart,)


def _references(answer: History, xs: tuple[int, ...], found: Sequence[Moment | None], words: Words) -> Iterator[Line]:
    """What the same chip costs elsewise: on demand then, and at the clouds today."""
    on_demand = tuple(point.on_demand if point else None for point in found)
    if any(price is not None for price in on_demand):
        yield Line(words("on demand"), xs, on_demand, role="reference", aside="on")
    ends = (xs[0], xs[-1])
    for cloud in answer.clouds:
        label = words("{cloud} {gpu} on demand, list of {date}", cloud=cloud.cloud, gpu=cloud.gpu_name, date=cloud.date)
        yield Line(label, ends, (cloud.on_demand_price,) * 2, role="reference", aside="off")


def _alt(answer: History, stats: Stats, words: Words) -> str:
    return words(
        "{gpu}, USD per GPU-hour from {since} to {until}: first {first}, last {last}, lowest {low}, median {median}, "
        "highest {high}; gaps: {n}.",
        gpu=answer.gpu_name,
        since=answer.points[0].at[:10],
        until=answer.points[-1].at[:10],
        first=words.money(stats.first),
        last=words.money(stats.last),
        low=words.money(stats.low),
        median=words.money(stats.median),
        high=words.money(stats.high),
        n=len(answer.gaps),
    )


COMMAND = with_offers(
    Command(
        name="history",
        summary="What a model's spot price was, with its gaps",
        path="/api/spot/history/{gpu_name}",
        params=(
            Param("gpu_name", "gpu", "the model", required=True, aliases=("gpu", "model")),
            Param("days", "days", "how many days back", default=DEFAULT_DAYS, minimum=1, maximum=MOST_DAYS),
        ),
        ask=ask,
        card=card,
        examples=("history RTX 4090", "history RTX 4090 days=7"),
        role="member",
        prices_do=True,
    ),
    lambda answer, given: each_model([answer.gpu_name]),
)
