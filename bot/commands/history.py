"""``history``: what a model's price was."""

from __future__ import annotations

import datetime as dt

from analytics.history import DEFAULT_DAYS, MOST_DAYS, History, history
from analytics.market import DAY, HOUR
from bot.commands.base import Command, Desk, Param
from bot.show.card import Card, Column, Spark, Table
from bot.show.words import Words

SHOWN_GAPS = 3
"""Gaps that the card names; the JSON has them all."""


async def ask(desk: Desk, *, gpu_name: str, days: int) -> History:
    """The stored hours of one model."""
    since = await desk.seen_until([gpu_name]) // HOUR - 24 * days + 1
    hours = (await desk.reader.hours([gpu_name], since)).get(gpu_name, [])
    offers = hours[-1].offers if hours else 0
    return history(gpu_name, hours, days, await desk.basis([gpu_name], offers=offers))


def card(answer: History, words: Words) -> Card:
    """How the price moved, as a line and a few figures."""
    stats = answer.stats
    title = words("Price history: {gpu}", gpu=answer.gpu_name)
    notes = [words(note) for note in answer.evidence.caveats]
    notes += [words("gap from {since}: {n} h", since=gap.since, n=gap.hours) for gap in answer.gaps[-SHOWN_GAPS:]]
    footer = words.footer(answer.evidence)
    if stats is None:
        return Card(title, words("no price in these {n} days", n=answer.days), notes=tuple(notes), footer=footer)
    lead = words(
        "{gpu}: {first} → {last} ({change}) over {n} hours with a price",
        gpu=answer.gpu_name,
        first=words.money(stats.first),
        last=words.money(stats.last),
        change=words.percent(stats.change_percent, signed=True),
        n=stats.hours,
    )
    columns = tuple(Column(words(name), "right") for name in ("lowest", "median", "highest", "unchanged"))
    row = (
        words.money(stats.low),
        words.money(stats.median),
        words.money(stats.high),
        words.percent(stats.unchanged_percent),
    )
    table = Table(words("USD per GPU-hour; share of hours without a change"), columns, (row,))
    spark = Spark(words("last {n} d", n=answer.days), _line(answer))
    return Card(title, lead, (table,), (spark,), tuple(notes), footer)


LINE = 60
"""Points of the sparkline."""


def _line(answer: History) -> tuple[float | None, ...]:
    """The prices thinned to a line of text, gaps kept; the newest point is always among them."""
    step = HOUR if answer.step == "hour" else DAY
    prices = {int(dt.datetime.fromisoformat(point.at).timestamp()): point.price for point in answer.points}
    stride = max(1, -(-(max(prices) - min(prices)) // (step * LINE)))
    line = [prices.get(at) for at in range(max(prices), min(prices) - 1, -step * stride)]
    return tuple(reversed(line))


COMMAND = Command(
    name="history",
    summary="What a model's spot price was, with its gaps",
    path="/api/spot/history/{gpu_name}",
    params=(
        Param("gpu_name", "gpu", "the model", required=True),
        Param("days", "int", "how many days back", default=DEFAULT_DAYS, minimum=1, maximum=MOST_DAYS),
    ),
    ask=ask,
    card=card,
    examples=("history RTX 4090", "history RTX 4090 days=7"),
)
