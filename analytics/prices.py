"""What the market asks: quotes of one poll, points of one hour, a model's own band of changes, and the monitor (Q1).

Stdlib only: a round of 5,000 offers passes through here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise

from analytics.errors import NotYet
from analytics.evidence import OMIT, Basis, Evidence, Note, Plural, iso
from analytics.market import HOUR, WORLD, ChangeBand, HourPoint, Offer, Quote, Scope, usd
from analytics.offer_now import OfferNow
from analytics.on_demand import cheaper_on_demand
from analytics.slices import minimal_slices

BAND_LOW, BAND_HIGH = 0.1, 0.9
"""The edges of the middle 80 % (source: definitions, "Q1 monitor")."""

BAND_HOURS = 30 * 24
"""How far back a model's own changes are looked at (source: definitions, "Q1 monitor")."""

BAND_MIN_HOURS = 7 * 24
"""Changes over a shorter time than this give no band (ours: a week, so that each of its days was seen)."""

BAND_MIN_CHANGES = 28
"""Fewer 24 h changes than this give no band (ours: a week of the rarest planned polls, every six hours)."""

TIE = 1e-9
"""Cumulative weights this close, relative to their sum, meet (ours: beyond floating-point error, below any weight)."""

DAY_HOURS = 24
"""The window of the 24 h figures."""

HOLD_HOURS = 6
"""How long an hour's price stands for the hours after it that have none (source: the longest planned poll interval)."""

DAY_MIN_HOURS = 12
"""Fewer hours than this that a price stands for give no 24 h figures (ours: half of the window)."""


def quotes(offers: Sequence[Offer], at: int, *, free: Sequence[Offer] | None = None) -> dict[tuple[str, Scope], Quote]:
    """The market of one model at one poll, for the world in both scopes and for each region in scope verified.

    Prices in micro-dollars per GPU-hour over rentable minimal slices, weighted by GPUs; ``floor`` the cheapest;
    ``offers`` slices, ``gpus`` physical GPUs (each once), ``machines``. A slice without min_bid counts for
    ``on_demand`` and availability only. ``at``: UTC seconds. The two world quotes are there even when nothing is free.
    ``free``: ``minimal_slices(offers)``, where it is at hand.
    Source: definitions, "current_price".
    """
    everyone = free or minimal_slices(offers)
    verified = [offer for offer in everyone if offer.verified]
    regions: dict[str, list[Offer]] = defaultdict(list)
    for offer in verified:
        regions[offer.region].append(offer)
    gpus = _gpus(offer for offer in offers if offer.rentable)
    book = {(region, Scope.VERIFIED): _quote(at, slices, gpus) for region, slices in regions.items()}
    book[WORLD, Scope.VERIFIED] = _quote(at, verified, gpus)
    alike = len(verified) == len(everyone)
    book[WORLD, Scope.ALL] = book[WORLD, Scope.VERIFIED] if alike else _quote(at, everyone, gpus)
    return book


def _gpus(offers: Iterable[Offer]) -> dict[int, int]:
    """Machine -> how many of its GPUs are on offer, each once however many slices hold it."""
    named: dict[int, set[int]] = defaultdict(set)
    most: dict[int, int] = defaultdict(int)
    for offer in offers:
        named[offer.machine_id].update(offer.gpu_ids)
        most[offer.machine_id] = max(most[offer.machine_id], offer.num_gpus)
    return {machine: max(count, len(named[machine])) for machine, count in most.items()}


def _quote(at: int, slices: Sequence[Offer], gpus: Mapping[int, int]) -> Quote:
    spot = sorted([(o.min_bid, o.num_gpus) for o in slices if o.min_bid])
    demand = sorted([(o.on_demand, o.num_gpus) for o in slices if o.on_demand])
    p10, price, p90 = quantiles(spot, (BAND_LOW, 0.5, BAND_HIGH))
    machines = {o.machine_id for o in slices}
    return Quote(
        at=at,
        price=price,
        floor=spot[0][0] if spot else None,
        p10=p10,
        p90=p90,
        on_demand=quantile(demand, 0.5),
        offers=len(slices),
        gpus=sum(gpus[machine] for machine in machines),
        machines=len(machines),
    )


def quantiles(pairs: Sequence[tuple[int, int]], wanted: Sequence[float]) -> list[int | None]:
    """The weighted quantiles of (value, weight) pairs sorted by value; where two values meet at one, their mean."""
    if not pairs:
        return [None] * len(wanted)
    sums = list(accumulate([weight for _, weight in pairs]))
    tie, last = TIE * sums[-1], len(pairs) - 1
    found: list[int | None] = []
    for q in wanted:
        at = q * sums[-1]
        i = min(bisect_left(sums, at - tie), last)
        meets = i < last and abs(sums[i] - at) <= tie
        found.append((pairs[i][0] + pairs[i + 1][0]) // 2 if meets else pairs[i][0])
    return found


def quantile(pairs: Sequence[tuple[int, int]], q: float) -> int | None:
    """One of :func:`quantiles`."""
    return quantiles(pairs, (q,))[0]


def hour_point(hour: int, quotes: Sequence[Quote]) -> HourPoint:
    """One hour of one (model, region, scope) from its quotes in order of time, each weighted by how long it stood.

    A quote stands until the next or the end of the hour. Prices are None when no quote had one.
    """
    if quotes and all(replace(quote, at=quotes[0].at) == quotes[0] for quote in quotes[1:]):
        only = quotes[0]
        known = (only.price, only.floor, only.p10, only.p90, only.on_demand)
        return HourPoint(hour, *known, only.offers, only.gpus, polls=len(quotes))
    edges = [*(quote.at for quote in quotes[1:]), (hour + 1) * HOUR]
    spans = [max(1, edge - quote.at) for quote, edge in zip(quotes, edges, strict=True)] if quotes else []

    def middle(name: str) -> int | None:
        pairs = [(getattr(quote, name), span) for quote, span in zip(quotes, spans, strict=True)]
        return quantile(sorted(pair for pair in pairs if pair[0] is not None), 0.5)

    prices = {name: middle(name) for name in ("price", "floor", "p10", "p90", "on_demand")}
    return HourPoint(hour=hour, **prices, offers=middle("offers") or 0, gpus=middle("gpus") or 0, polls=len(quotes))


@dataclass(frozen=True, slots=True)
class _Days:
    """Running sums over a model's priced hours, from which the mean of any 24 h is one subtraction.

    Each price stands until the next one, for at most ``HOLD_HOURS``.
    """

    times: Sequence[int]
    prices: Sequence[int]
    covered: Sequence[int]
    worth: Sequence[int]

    @staticmethod
    def of(hours: Iterable[HourPoint], end: int) -> _Days:
        """``end``: the hour at which the last price stops to stand."""
        points = [(point.hour, point.price) for point in hours if point.price and point.hour < end]
        times, prices = [hour for hour, _ in points], [price for _, price in points]
        spans = [min(later - hour, HOLD_HOURS) for hour, later in pairwise([*times, end])]
        worth = accumulate((span * price for span, price in zip(spans, prices, strict=True)), initial=0)
        return _Days(times, prices, list(accumulate(spans, initial=0)), list(worth))

    def mean_before(self, hour: int) -> float | None:
        """The time-weighted mean of the 24 h before an hour of the series or its end; None when too little is known."""
        first, last = bisect_left(self.times, hour - DAY_HOURS), bisect_left(self.times, hour)
        held = self.covered[last] - self.covered[first]
        return (self.worth[last] - self.worth[first]) / held if held >= DAY_MIN_HOURS else None


def change_band(hours: Sequence[HourPoint]) -> ChangeBand | None:
    """The middle 80 % of a model's 24 h changes (fractions) over the 30 days up to the last of ``hours`` (ascending).

    One change per priced hour: its price against the time-weighted mean of the 24 h before. None when there are
    fewer than ``BAND_MIN_CHANGES``, or less than a week of them. Source: definitions, "Q1 monitor".
    """
    if not hours:
        return None
    end = hours[-1].hour + 1
    days = _Days.of(hours, end)
    since = bisect_left(days.times, max(end - BAND_HOURS, hours[0].hour + DAY_HOURS))
    means = {hour: mean for hour in days.times[since:] if (mean := days.mean_before(hour)) is not None}
    if len(means) < BAND_MIN_CHANGES or end - min(means) < BAND_MIN_HOURS:
        return None
    price = dict(zip(days.times, days.prices, strict=True))
    changes = sorted(price[hour] / mean - 1 for hour, mean in means.items())
    low, high = (changes[min(len(changes) - 1, int(q * len(changes)))] for q in (BAND_LOW, BAND_HIGH))
    return ChangeBand(low, high, len(changes))


@dataclass(frozen=True, slots=True)
class Listing:
    """What is stored of one model: the latest quote, the hours of the day before it, its band and first hour."""

    model: str
    quote: Quote | None
    hours: Sequence[HourPoint]
    band: ChangeBand | None
    first_hour: int | None
    stale: bool
    recorded: bool = False
    """its price was imported without the offers behind it"""


@dataclass(frozen=True, slots=True)
class PriceTrend:
    """One model on the monitor; USD per GPU-hour. Figures of 24 h look back from the poll of ``as_of``."""

    gpu_name: str
    current_price: float | None
    avg_price_24h: float | None
    min_price_24h: float | None
    max_price_24h: float | None
    trend: str | None
    change_percent: float | None
    usual_low_percent: float | None
    """the changes between which the trend is stable: this model's own 80 % band, stretched to hold no change"""
    usual_high_percent: float | None
    floor_price: float | None
    p10: float | None
    p90: float | None
    on_demand_price: float | None
    offers: int | None
    """None, as the next two, where the price was imported without them"""
    gpus_available: int | None
    machines: int | None
    history_hours: int
    gaps_24h: int
    """hours of the last 24 without a complete poll (those before the first poll do not count)"""
    as_of: str | None
    stale: bool
    why: Note | None
    """why figures are missing"""


@dataclass(frozen=True, slots=True)
class Monitor:
    """Q1. ``total_gpus_tracked``: the models that are followed or have stored prices, also those cut by a limit."""

    timestamp: str
    total_gpus_tracked: int
    price_trends: tuple[PriceTrend, ...]
    offers_now: tuple[OfferNow, ...] | None = field(default=None, kw_only=True, metadata=OMIT)
    """the best matching offers; left out where the answer names no model"""
    evidence: Evidence
    limit: int | None = field(default=None, metadata=OMIT)
    """how many models were asked for, where that was said"""


def monitor(listings: Sequence[Listing], basis: Basis, *, scope: Scope, limit: int | None = None) -> Monitor:
    """Prices now and over 24 h of each model, the one with most offers first.

    ``trend`` leaves ``stable`` only when the change is outside the model's own 80 % band of 24 h changes; it is None
    without a band or 24 h of history. Raises NotYet when nothing was polled. Source: definitions, "Q1 monitor".
    """
    if not any(listing.quote for listing in listings):
        raise nothing_polled()
    ordered = sorted(listings, key=lambda one: (-(one.quote.offers if one.quote else -1), one.model))
    trends = tuple(_trend(listing) for listing in ordered)[:limit]
    caveats = [Note("models without a price: {n}", {"n": blank})] if (blank := _blank(trends)) else []
    if gaps := sum(trend.gaps_24h > 0 for trend in trends):
        caveats.append(Note("models with gaps in the last 24 h, which are not filled: {n}", {"n": gaps}))
    quoted = ((one.model, one.quote) for one in ordered[:limit] if one.quote)
    caveats += cheaper_on_demand((model, quote.price, quote.on_demand) for model, quote in quoted)
    hosts = Note("verified hosts") if scope is Scope.VERIFIED else Note("all hosts")
    method = Note(
        "median of the lowest bids per GPU-hour over free minimal slices of {hosts}, weighted by GPUs", {"hosts": hosts}
    )
    return Monitor(iso(basis.now), len(listings), trends, basis.evidence(method, tuple(caveats)), limit)


def nothing_polled() -> NotYet:
    """The refusal of every price question when no complete poll is stored."""
    note = Note("no complete poll of the market is stored yet")
    return NotYet(note, have=Note("no price"), need=Note("one complete poll"))


def _blank(trends: Iterable[PriceTrend]) -> int:
    return sum(trend.current_price is None for trend in trends)


_NO_QUOTE = Quote(0, None, None, None, None, None, 0, 0, 0)


def _trend(listing: Listing) -> PriceTrend:
    quote = listing.quote or _NO_QUOTE
    day = _Day.of(listing, quote) if listing.quote else _Day(None, None, None, None, 0, 0)
    usual = _usual(listing.band)
    return PriceTrend(
        gpu_name=listing.model,
        current_price=usd(quote.price),
        avg_price_24h=usd(day.mean),
        min_price_24h=usd(day.low),
        max_price_24h=usd(day.high),
        trend=_direction(day.change, usual),
        change_percent=_percent(day.change),
        usual_low_percent=_percent(usual and usual[0]),
        usual_high_percent=_percent(usual and usual[1]),
        floor_price=usd(quote.floor),
        p10=usd(quote.p10),
        p90=usd(quote.p90),
        on_demand_price=usd(quote.on_demand),
        offers=(quote.offers or None) if listing.recorded else quote.offers,
        gpus_available=(quote.gpus or None) if listing.recorded else quote.gpus,
        machines=None if listing.recorded else quote.machines,
        history_hours=day.history,
        gaps_24h=day.gaps,
        as_of=iso(quote.at) if listing.quote else None,
        stale=listing.stale,
        why=_why(listing, quote, day),
    )


@dataclass(frozen=True, slots=True)
class _Day:
    """The 24 hours before a quote's own hour; the range holds the quote too: no price is outside its own range."""

    mean: float | None
    low: int | None
    high: int | None
    change: float | None
    history: int
    gaps: int

    @staticmethod
    def of(listing: Listing, quote: Quote) -> _Day:
        hour = quote.at // HOUR
        first = min((p.hour for p in listing.hours), default=hour) if listing.first_hour is None else listing.first_hour
        since = max(hour - DAY_HOURS, first)
        known = [point for point in listing.hours if since <= point.hour < hour]
        prices = [point.price for point in known if point.price]
        days = _Days.of(known, hour)
        mean = days.mean_before(hour) if hour - first >= DAY_HOURS else None
        change = quote.price / mean - 1 if quote.price and mean else None
        if quote.price:
            prices.append(quote.price)
        low, high = (min(prices), max(prices)) if mean is not None else (None, None)
        return _Day(mean, low, high, change, hour - first, hour - since - len(known))


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else round(100 * fraction, 2)


def _usual(band: ChangeBand | None) -> tuple[float, float] | None:
    """The changes that make no trend: a rise is no fall because this model mostly rises more."""
    return None if band is None else (min(band.low, 0.0), max(band.high, 0.0))


def _direction(change: float | None, usual: tuple[float, float] | None) -> str | None:
    if change is None or usual is None:
        return None
    low, high = usual
    if change > high:
        return "increasing"
    return "decreasing" if change < low else "stable"


def _why(listing: Listing, quote: Quote, day: _Day) -> Note | None:
    if listing.quote is None:
        return Note("no complete poll yet")
    if quote.price is None:
        return Note("nothing with a bid price on offer at the last poll")
    if day.mean is None:
        return Note(
            Plural("{n} hour of history in the last 24; not enough", "{n} hours of history in the last 24; not enough"),
            {"n": min(day.history, DAY_HOURS) - day.gaps},
        )
    if listing.band is None:
        return Note(
            Plural(
                "trend needs {n} hour of this model's own 24 h changes",
                "trend needs {n} hours of this model's own 24 h changes",
            ),
            {"n": BAND_MIN_HOURS},
        )
    return None
