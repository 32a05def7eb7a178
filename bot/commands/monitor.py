"""``monitor`` (Q1): the prices of every model now and over the last day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analytics.evidence import Plural
from analytics.market import HOUR, ChangeBand, HourPoint, Quote, Scope
from analytics.prices import BAND_HOURS, DAY_HOURS, Listing, Monitor, PriceTrend, change_band, monitor
from bot.commands.card_notes import card_notes
from bot.commands.offers_now import models_asked_for, with_offers
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Card, Column, Table
from bot.presentation.words import Words
from bot.store.reader import ModelRow

SHOWN = 15
"""Rows of the card's table where nobody said how many; the JSON has them all."""

MOVING = ("increasing", "decreasing")
"""The trends of a price that moves."""


async def ask(query: QueryContext, *, gpu: tuple[str, ...] | None, scope: str, limit: int | None) -> Monitor:
    """Every model that is followed or stored, or those of one name."""
    rows = [row for row in await query.reader.models() if row.followed or row.priced_at is not None]
    if gpu is not None:
        rows = [row for row in rows if row.name in gpu]
    whose = Scope(scope)
    names = [row.name for row in rows]
    quotes = await query.prices(names, whose)
    ends = {name: quote.at // HOUR for name, quote in quotes.items()}  # of each model's own latest poll
    if whose is Scope.ALL:  # the hours of unverified offers are no past of an imported price
        ends = {row.name: ends[row.name] for row in rows if row.name in ends and row.recorded_at is None}
    days = await query.reader.hours_until(ends, DAY_HOURS, scope=whose)
    bands = await _bands(query, rows, whose)
    listings = [listing(query, row, quotes.get(row.name), days.get(row.name, ()), bands) for row in rows]
    # one forgotten model must not make the whole board look stale; each row has its own age beside
    offers = sum(quote.offers for quote in quotes.values())
    basis = query.basis_of_prices([row for row in rows if row.followed] or rows, offers=offers)
    return monitor(listings, basis, scope=whose, limit=limit)


async def _bands(query: QueryContext, rows: Sequence[ModelRow], scope: Scope) -> dict[str, ChangeBand]:
    """Stored bands are of verified offers at polls; for all offers and for imported prices they are made here."""
    stored = await query.reader.bands() if scope is Scope.VERIFIED else {}
    names = [row.name for row in rows if scope is not Scope.VERIFIED or row.recorded_at is not None]
    if not names:
        return stored
    seen = max(row.priced_at or 0 for row in rows if row.name in names)
    since = seen // HOUR - BAND_HOURS - DAY_HOURS
    history = await query.reader.hours(names, since, scope=scope)
    return {**stored, **{name: band for name, hours in history.items() if (band := change_band(hours))}}


def listing(
    query: QueryContext,
    row: ModelRow,
    quote: Quote | None,
    hours: Sequence[HourPoint],
    bands: Mapping[str, ChangeBand],
) -> Listing:
    """A model with its price and the hours of the day before it."""
    stale = query.basis_of_prices([row]).stale
    recorded = row.recorded_at is not None
    return Listing(row.name, quote, hours, bands.get(row.name), row.first_hour, stale, recorded)


def card(answer: Monitor, words: Words) -> Card:
    """What moves, then a line a model."""
    shown = answer.price_trends[: answer.limit or SHOWN]
    columns = (
        Column(words("GPU")),
        Column(words("price"), "right"),
        Column(words("24 h low–high"), "right"),
        Column(words("change"), "right"),
        Column(words("trend")),
        Column(words("floor"), "right"),
        Column(words("on demand"), "right"),
        Column(words("GPUs"), "right"),
    )
    alone = len(answer.price_trends) == 1  # then the lead says what is usual
    rows = tuple(_cells(trend, words, explained=alone) for trend in shown)
    more, why = [], []
    if len(answer.price_trends) > len(shown):
        more = [words("more models in the full answer: {n}", n=len(answer.price_trends) - len(shown))]
    if len(shown) == 1 and shown[0].why is not None:
        why = [words(shown[0].why)]
    table = Table(words("Spot prices, USD per GPU-hour"), columns, rows)
    footer = words.footer(answer.evidence)
    return Card(
        words("Spot prices"),
        words.lead(_lead(answer, shown, words), answer.evidence),
        (table,),
        notes=card_notes(answer.evidence, words, first=why, own=more),
        footer=footer,
    )


def _cells(trend: PriceTrend, words: Words, *, explained: bool) -> tuple[str, ...]:
    span = "–"
    if trend.min_price_24h is not None:
        span = f"{words.money(trend.min_price_24h)}–{words.money(trend.max_price_24h)}"
    return (
        trend.gpu_name + (f" ({words('stale')})" if trend.stale else ""),
        words.money(trend.current_price),
        span,
        words.percent(trend.change_percent, signed=True),
        _direction(trend, words, explained=explained),
        words.money(trend.floor_price),
        words.money(trend.on_demand_price),
        words.number(trend.gpus_available, 0),
    )


def _direction(trend: PriceTrend, words: Words, *, explained: bool) -> str:
    """The trend; a stable one with the changes that are usual, for it may stand beside a large change."""
    if trend.trend is None:
        return "–"
    if trend.trend != "stable" or explained:
        return words(trend.trend)
    return words("stable (usual: {low} to {high})", **_usual(trend, words))


def _usual(trend: PriceTrend, words: Words) -> dict[str, str]:
    low, high = trend.usual_low_percent, trend.usual_high_percent
    return {"low": words.percent(low, signed=True), "high": words.percent(high, signed=True)}


def _lead(answer: Monitor, shown: Sequence[PriceTrend], words: Words) -> str:
    """How many move, and which of those in the table moves most."""
    if len(answer.price_trends) == 1:
        return _one(answer.price_trends[0], words)
    moving = [trend for trend in answer.price_trends if trend.trend in MOVING]
    falling = sum(trend.trend == "decreasing" for trend in moving)
    counts = {"n": answer.total_gpus_tracked, "falling": falling, "rising": len(moving) - falling}
    if not moving:
        return words(
            Plural("{n} model; none moves outside its usual range", "{n} models; none moves outside its usual range"),
            n=answer.total_gpus_tracked,
        )
    seen = [trend for trend in shown if trend.trend in MOVING]
    if not seen:
        text = Plural("{n} model: {falling} falling, {rising} rising", "{n} models: {falling} falling, {rising} rising")
        return words(text, **counts)
    top = max(seen, key=lambda trend: abs(trend.change_percent or 0.0))
    change = words.percent(top.change_percent, signed=True)
    text = _LARGEST if len(shown) == len(answer.price_trends) else _LARGEST_SHOWN
    return words(text, **counts, gpu=top.gpu_name, change=change)


_LARGEST = Plural(
    "{n} model: {falling} falling, {rising} rising; the largest move is {gpu} {change}",
    "{n} models: {falling} falling, {rising} rising; the largest move is {gpu} {change}",
)
_LARGEST_SHOWN = Plural(
    "{n} model: {falling} falling, {rising} rising; the largest move in the table is {gpu} {change}",
    "{n} models: {falling} falling, {rising} rising; the largest move in the table is {gpu} {change}",
)


def _one(trend: PriceTrend, words: Words) -> str:
    price = words.money(trend.current_price)
    if trend.current_price is None:
        return words("{gpu}: no price", gpu=trend.gpu_name)
    if trend.change_percent is None:
        return words("{gpu} {price}", gpu=trend.gpu_name, price=price)
    change = words.percent(trend.change_percent, signed=True)
    places = {"gpu": trend.gpu_name, "price": price, "change": change}
    if trend.usual_low_percent is None:
        return words("{gpu} {price}, {change} against its last 24 h", **places)
    text = "{gpu} {price}, {change} against its last 24 h (usual for it: {low} to {high})"
    return words(text, **places, **_usual(trend, words))


COMMAND = with_offers(
    Command(
        name="monitor",
        summary="Spot prices now and over 24 hours, with their trend",
        path="/api/spot/monitor",
        params=(
            Param("gpu", "gpus", "models to show; all when not given"),
            Param("scope", "choice", "whose offers count", default="verified", choices=("verified", "all")),
            Param("limit", "int", "how many models, busiest first", minimum=1, maximum=500),
        ),
        ask=ask,
        card=card,
        examples=("monitor", "monitor 4090", "monitor scope=all"),
        role="member",
        prices_do=True,
    ),
    lambda answer, given: models_asked_for([row.gpu_name for row in answer.price_trends], given),
)
