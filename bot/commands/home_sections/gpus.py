"""My GPUs: the price now, what it did in a day, the cheapest to rent and the risk of interruption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analytics.answers.offers_now import Wanted
from analytics.answers.reliability import Risk, risk_level, score_of
from analytics.evidence import seconds_of
from analytics.interruptions.estimator import total
from analytics.market import HOUR, LifeTable, Scope
from analytics.offer_now import OfferNow
from analytics.prices import DAY_HOURS, PriceTrend, monitor
from bot.commands.home_sections.section import Ground, Section, Shown
from bot.commands.monitor import listing
from bot.commands.offers_now import found_offers
from bot.commands.scales import risk_since
from bot.presentation.card import Column, Table
from bot.presentation.words import Words


@dataclass(frozen=True, slots=True)
class GpuLine:
    """One model. ``cheapest``: None where nothing can be rented; ``risk_level``: None where too little is known."""

    trend: PriceTrend
    cheapest: OfferNow | None
    risk_level: Risk | None


@dataclass(frozen=True, slots=True)
class MyGpus:
    """The asker's models, or the busiest. ``more``: chosen ones that are not shown."""

    gpus: tuple[GpuLine, ...]
    chosen: bool
    more: int


async def read(ground: Ground) -> MyGpus:
    """The figures of ``monitor``, ``reliability`` and of the offers under answers."""
    trends, risks = await _trends(ground), await _risks(ground)
    polled = [Wanted(row.name, most=1) for row in ground.mine if row.last_good_at is not None]
    cheapest = {offer.gpu_name: offer for offer in await found_offers(ground.query, polled)}
    lines = tuple(
        GpuLine(trends[row.name], cheapest.get(row.name), risks.get(row.name))
        for row in ground.mine
        if row.name in trends
    )
    return MyGpus(lines, ground.chosen is not None, max(0, (ground.chosen or 0) - len(lines)))


async def _trends(ground: Ground) -> Mapping[str, PriceTrend]:
    """The rows of ``monitor``, without the bands of usual changes."""
    query = ground.query
    quotes = {row.name: ground.quotes[row.name] for row in ground.mine if row.name in ground.quotes}
    if not quotes:
        return {}
    days = await query.reader.hours_until({name: quote.at // HOUR for name, quote in quotes.items()}, DAY_HOURS)
    listings = [listing(query, row, quotes.get(row.name), days.get(row.name, ()), {}) for row in ground.mine]
    found = monitor(listings, query.basis_of_prices(ground.mine), scope=Scope.VERIFIED)
    return {trend.gpu_name: trend for trend in found.price_trends}


async def _risks(ground: Ground) -> Mapping[str, Risk]:
    """The ``risk_level`` of ``reliability`` of each model that has a score."""
    query, since = ground.query, await risk_since(ground.query)
    names = [row.name for row in ground.mine]
    lived, lives = await query.reader.exposure(names, since), await query.reader.life_tables(names, since // 24)
    risks = {}
    for row in ground.mine:
        life, thinning = lives.get(row.name, LifeTable()), ground.thinnings.get(row.name)
        score = score_of(total(lived.get(row.name, {})), life, query.basis_of([row]), thinning=thinning)
        if score is not None:
            risks[row.name] = risk_level(score)
    return risks


def show(answer: MyGpus, words: Words) -> Shown:
    """A line a model."""
    if not answer.gpus:
        return Shown(notes=(words("No price is stored yet of the models that would stand here."),))
    columns = (
        Column(words("GPU")),
        Column(words("price"), "right"),
        Column(words("in 24 h"), "right"),
        Column(words("risk")),
        Column(words("cheapest to rent")),
    )
    text = "My GPUs, USD per GPU-hour, {age}" if answer.chosen else "The busiest GPUs, USD per GPU-hour, {age}"
    caption = words(text, age=_age_of_all(answer, words))
    rows = tuple(_cells(line, words) for line in answer.gpus)
    return Shown((Table(caption, columns, rows),), tuple(_notes(answer, words)))


def _cells(line: GpuLine, words: Words) -> tuple[str, ...]:
    trend = line.trend
    return (
        trend.gpu_name + (f" ({_age(trend, words)}, {words('stale')})" if trend.stale else ""),
        words.money(trend.current_price),
        words.percent(trend.change_percent, signed=True),
        "–" if line.risk_level is None else words(line.risk_level),
        "–" if line.cheapest is None else _offer(line.cheapest, words),
    )


def _age(trend: PriceTrend, words: Words) -> str:
    return "–" if trend.as_of is None else words.ago(seconds_of(trend.as_of))


def _age_of_all(answer: MyGpus, words: Words) -> str:
    """The age of the oldest price that is not marked as old, else of the newest."""
    known = [line.trend for line in answer.gpus if line.trend.as_of is not None]
    known.sort(key=lambda trend: (trend.stale, trend.as_of))
    fresh = [trend for trend in known if not trend.stale]
    return _age((fresh[:1] or known[-1:])[0], words) if known else "–"


def _offer(offer: OfferNow, words: Words) -> str:
    spot = offer.market == "spot"
    price = words.money(offer.spot_price if spot else offer.on_demand_price)
    market = "" if spot else f" ({words('on demand')})"
    return f"{price} ×{offer.num_gpus} {offer.region}{market}"


def _notes(answer: MyGpus, words: Words) -> list[str]:
    notes = []
    if not answer.chosen:
        example = "settings me gpus=4090,h100"
        notes.append(words("To see your own GPUs here, say which: {example}", example=example))
    if answer.more:
        notes.append(words("your GPUs beyond these: {n}; monitor shows them", n=answer.more))
    unknown = [line.trend.gpu_name for line in answer.gpus if line.risk_level is None]
    if unknown:
        notes.append(words("too little is known of interruptions to name a risk: {gpus}", gpus=unknown))
    return notes


SECTION = Section("gpus", read, show)
