"""What a series is worth at one moment: computed once a round, however many rules watch it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

from analytics.market import HOUR, Offer, Quote, Scope
from bot.alerts.foretold import FORETOLD, Shared, foretold
from bot.alerts.offers import lowest_bid
from bot.alerts.places import quote_in
from bot.alerts.rules import PPM, Measure, Metric
from bot.store.alerts import SeriesKey
from bot.store.reader import Reader

REFERENCE_SLACK_S = 2 * HOUR
"""How much earlier than "H hours ago" the last known price may be (ours: two polls an hour apart)."""


Quotes = Mapping[tuple[str, str, Scope], Quote]


def price_of(quote: Quote, metric: str) -> int | None:
    """The price that is meant, in micro-dollars per GPU-hour; None where nothing priced was on offer."""
    return {Metric.CURRENT: quote.price, Metric.FLOOR: quote.floor, Metric.ON_DEMAND: quote.on_demand}[Metric(metric)]


async def measure(
    key: SeriesKey,
    quotes: Quotes,
    reader: Reader,
    at: int,
    offers: Iterable[Offer] = (),
    shared: Shared | None = None,
) -> int | None:
    """The value of a series at a complete poll in the unit of its measure; None where there is nothing to measure.

    ``offers``: what the poll saw of the model; ``shared``: of one round, what its series have in common.
    """
    if key.measure in FORETOLD:
        return (await foretold(key, reader, at, {} if shared is None else shared)).value
    if key.measure == Measure.OFFER:
        return lowest_bid(offers, key.region)
    quote = quote_in(quotes, key.model, key.region, key.scope)
    return await _MEASURES[Measure(key.measure)](key, quote, reader, at)


async def _price(key: SeriesKey, quote: Quote | None, reader: Reader, at: int) -> int | None:
    return None if quote is None else price_of(quote, key.metric)


async def _gpus(key: SeriesKey, quote: Quote | None, reader: Reader, at: int) -> int | None:
    return 0 if quote is None else quote.gpus


async def _change(key: SeriesKey, quote: Quote | None, reader: Reader, at: int) -> int | None:
    price = await _price(key, quote, reader, at)
    then = at - key.window
    earlier = await reader.quote_history(
        key.model, then - REFERENCE_SLACK_S, then + 1, region=key.region, scope=key.scope
    )
    known = [old for old in (price_of(quote, key.metric) for quote in earlier) if old]
    return None if price is None or not known else round(price * PPM / known[-1])


async def _over_low(key: SeriesKey, quote: Quote | None, reader: Reader, at: int) -> int | None:
    price, hour = await _price(key, quote, reader, at), at // HOUR
    since = hour - key.window // HOUR
    points = (await reader.hours([key.model], since, hour, region=key.region, scope=key.scope)).get(key.model, [])
    if price is None or not points or points[0].hour > since + key.window // HOUR // 10:
        return None  # a low of thirty days takes thirty days of history, give or take a tenth
    lows = {Metric.CURRENT: [p.price for p in points], Metric.FLOOR: [p.floor for p in points]}
    known = [low for low in lows.get(Metric(key.metric), [p.on_demand for p in points]) if low]
    return round(price * PPM / min(known)) if known else None


_MEASURES: Mapping[Measure, Callable[[SeriesKey, Quote | None, Reader, int], Awaitable[int | None]]] = {
    Measure.PRICE: _price,
    Measure.GPUS: _gpus,
    Measure.CHANGE: _change,
    Measure.OVER_LOW: _over_low,
}
"""Those that can be measured today."""

MEASURED = frozenset(_MEASURES) | FORETOLD | {Measure.OFFER}
"""What rules may watch: the others are not offered."""
