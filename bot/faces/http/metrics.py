"""How the service fares: the state of polling (``/health``) and its figures for Prometheus (``/metrics``)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import prometheus_client as prometheus
from prometheus_client import Gauge

from analytics.evidence import STALE_AFTER_INTERVALS, Basis, Freshness, iso
from analytics.market import DAY, Quality, Quote, usd
from bot.dispatch.command import QueryContext
from bot.dispatch.dispatcher import Dispatcher
from bot.store.leadership import State
from bot.store.reader import ModelRow
from bot.version import version

MEDIA_TYPE = prometheus.CONTENT_TYPE_LATEST
SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Upper edges of the latency histogram."""

MOST_MODELS = 60
"""Models with gauges of their own, those with most offers first: each is six series to whoever stores them."""


@dataclass(frozen=True, slots=True)
class ModelNow:
    """One followed model at its latest complete poll. ``quote``: None where that is not fresh, so nothing is known."""

    name: str
    age: int
    """seconds since that poll"""
    quote: Quote | None


@dataclass(frozen=True, slots=True)
class Health:
    """The state of polling. ``interval``: planned seconds of the model polled most often; ``polls``: of 24 hours."""

    now: int
    polling: bool
    """whether this process is the one that polls"""
    last_poll: int | None
    """UTC seconds of the latest complete poll of any followed model"""
    interval: int
    models: int
    rows_spent: int = 0
    rows_limit: int | None = None
    polls: Mapping[Quality, int] = field(default_factory=dict)
    failing: bool = False
    """the latest poll of every followed model failed"""
    spent_until: int | None = None
    """when the market gives rows again, if none are left today"""
    leadership: State | None = None
    """whether this process leads; None where it does not poll"""
    market: Sequence[ModelNow] = ()
    """the followed models with most offers"""

    @property
    def age(self) -> int | None:
        """Seconds since the latest complete poll."""
        return None if self.last_poll is None else max(0, self.now - self.last_poll)

    @property
    def stale_after(self) -> int:
        """The age in seconds beyond which polling counts as stale."""
        return STALE_AFTER_INTERVALS * self.interval

    @property
    def freshness(self) -> Freshness:
        """The state of the data, as answers tell it."""
        basis = Basis(self.now, self.last_poll, self.interval, None, 0, self.failing, self.spent_until)
        return basis.freshness

    @property
    def status(self) -> str:
        """``ok``, ``starting`` where this process polls and nothing has come yet, or why the data are not fresh."""
        if self.freshness is Freshness.NEVER_POLLED:
            return "starting" if self.polling else "ok"
        return "ok" if self.freshness is Freshness.FRESH else self.freshness.value

    def document(self) -> dict[str, Any]:
        """What ``/health`` says."""
        return {
            "status": self.status,
            "last_poll": None if self.last_poll is None else iso(self.last_poll),
            "age_seconds": self.age,
            "stale_after_seconds": self.stale_after,
            "polls_resume_at": None if self.spent_until is None else iso(self.spent_until),
            "models": self.models,
            "version": version(),
            **({"leadership": self.leadership} if self.leadership else {}),
        }


async def market_health(
    dispatcher: Dispatcher, *, polling: bool, row_budget: int | None = None, leadership: State | None = None
) -> Health:
    """The state of polling as the store knows it: of the followed models, or of all where none is followed.

    ``row_budget`` is the operator's; a lower limit that the market service named goes before it.
    """
    async with dispatcher.query_context() as query:
        rows = await query.reader.models()
        spent, learned = await query.reader.quota(query.now // DAY)
        polls = await query.reader.poll_counts(query.now - DAY)
        followed = [row for row in rows if row.followed] or rows
        market = await _market(query, followed[:MOST_MODELS])
    return Health(
        now=query.now,
        polling=polling,
        last_poll=max((row.last_good_at for row in followed if row.last_good_at is not None), default=None),
        interval=min((row.interval for row in followed), default=0),
        models=len(followed),
        rows_spent=spent,
        rows_limit=min((limit for limit in (row_budget, learned) if limit is not None), default=None),
        polls=polls,
        failing=bool(followed) and all(row.last_quality is Quality.FAILED for row in followed),
        spent_until=query.spent_until,
        leadership=leadership,
        market=market,
    )


async def _market(query: QueryContext, rows: Sequence[ModelRow]) -> list[ModelNow]:
    quotes = await query.reader.quotes([row.name for row in rows])
    return [
        ModelNow(
            name=row.name,
            age=max(0, query.now - row.last_good_at),
            quote=quotes.get(row.name) if query.basis_of([row]).freshness is Freshness.FRESH else None,
        )
        for row in rows
        if row.last_good_at is not None
    ]


PER_MODEL: Sequence[tuple[str, str, Callable[[Quote], float | None]]] = (
    ("spotbot_spot_price_usd", "Spot price, USD per GPU-hour", lambda quote: usd(quote.price)),
    ("spotbot_floor_price_usd", "Cheapest offer, USD per GPU-hour", lambda quote: usd(quote.floor)),
    ("spotbot_on_demand_price_usd", "On-demand price, USD per GPU-hour", lambda quote: usd(quote.on_demand)),
    ("spotbot_free_gpus", "GPUs on offer", lambda quote: quote.gpus),
    ("spotbot_free_offers", "Slices on offer", lambda quote: quote.offers),
)
"""The gauges of a model's market: name, meaning and figure."""

UNKNOWN = "verified offers at the latest complete poll; absent while that is not fresh or there is none"
"""What holds of all of them."""


class Meter:
    """The figures of one API, in a registry of its own."""

    def __init__(self) -> None:
        own = self.registry = prometheus.CollectorRegistry()
        self._requests = prometheus.Counter(
            "spotbot_http_requests", "Requests answered", ("route", "status"), registry=own
        )
        self._seconds = prometheus.Histogram(
            "spotbot_http_request_seconds", "Time to answer", ("route",), buckets=SECONDS, registry=own
        )
        self._age = Gauge("spotbot_poll_age_seconds", "Since the latest complete poll; NaN before one", registry=own)
        self._spent = Gauge("spotbot_rows_spent_today", "Rows the market service delivered this UTC day", registry=own)
        self._limit = Gauge("spotbot_rows_limit_today", "Rows allowed a UTC day; NaN where unknown", registry=own)
        self._polls = Gauge("spotbot_polls_24h", "Polls of the last 24 hours", ("quality",), registry=own)
        self._models = Gauge("spotbot_models", "Models followed", registry=own)
        self._model_age = Gauge(
            "spotbot_model_poll_age_seconds",
            "Since the model's latest complete poll; absent before one",
            ("gpu",),
            registry=own,
        )
        self._market = {
            name: Gauge(name, f"{meaning}; {UNKNOWN}", ("gpu",), registry=own) for name, meaning, _ in PER_MODEL
        }

    def saw(self, route: str, status: int, seconds: float) -> None:
        """Count one answered request. ``route`` is a declared path, never what a client made up."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self, health: Health) -> bytes:
        """The exposition, with the state of polling as it is now."""
        self._age.set(math.nan if health.age is None else health.age)
        self._spent.set(health.rows_spent)
        self._limit.set(math.nan if health.rows_limit is None else health.rows_limit)
        self._models.set(health.models)
        for quality in Quality:
            self._polls.labels(quality.value).set(health.polls.get(quality, 0))
        self._tell_market(health.market)
        return bytes(prometheus.generate_latest(self.registry))

    def _tell_market(self, market: Sequence[ModelNow]) -> None:
        """The gauges of models, begun anew: of what is no longer known nothing stays."""
        for gauge in (self._model_age, *self._market.values()):
            gauge.clear()
        for model in market:
            self._model_age.labels(model.name).set(model.age)
            if model.quote is not None:
                self._tell_quote(model.name, model.quote)

    def _tell_quote(self, gpu: str, quote: Quote) -> None:
        for name, _, figure in PER_MODEL:
            value = figure(quote)
            if value is not None:
                self._market[name].labels(gpu).set(value)
