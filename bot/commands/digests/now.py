"""``digest now``: what moved, what is cheap, what was foretold, what fired and what comes, of a day or a week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add

from analytics.answers import digest as answers
from analytics.answers.digest import Digest, Fired, FiredAlert, Market
from analytics.answers.digest_prices import Priced, Span
from analytics.evidence import iso
from analytics.interruptions.estimator import estimate
from analytics.interruptions.resolution import TOO_COARSE
from analytics.interruptions.weekly_hazard import LOOK_BACK_HOURS, MIN_EVENTS
from analytics.market import HOUR, Exposure
from analytics.prices import nothing_polled
from bot.alerts.codec import load_rule
from bot.alerts.decide import EventKind
from bot.alerts.descriptions import describe
from bot.alerts.engine import TOPIC
from bot.alerts.explain import figure
from bot.commands.alerts.owned import place_of
from bot.commands.digests.card import card
from bot.dispatch.command import Command, Param, QueryContext
from bot.store.digest_reads import FiredRow
from bot.store.reader import ModelRow
from bot.zones import zone_or_utc

PERIODS: Mapping[str, int] = {"day": 24, "week": 7 * 24}
"""How long each is, in hours."""

MOST_MODELS = 60
"""Models that a digest looks at, the busiest first."""

MOST_ALERTS = 10
"""Alerts that it names; more are counted."""


async def ask(query: QueryContext, *, gpu: tuple[str, ...] | None, period: str) -> Digest:
    """The models that were named, else those that are followed."""
    return await digest(query, gpu, period)


async def digest(
    query: QueryContext,
    models: Sequence[str] | None,
    period: str,
    *,
    since: int | None = None,
    found: Market | None = None,
) -> Digest:
    """What a digest says to the asker, where they ask: its alerts are those that are told there.

    ``models``: None means those that are followed. ``since`` (UTC seconds): the start of the period, where it is not a
    day or week ago. ``found``: the :func:`market` of the same models and period, where it is at hand. Raises NotYet
    where none of the models has a price.
    """
    begin = query.now - PERIODS[period] * HOUR if since is None else since
    found = found or await market(query, models, begin)
    zone = query.zone()
    return answers.digest(found, await _fired(query, begin), begin, zone_or_utc(zone), zone)


async def market(query: QueryContext, models: Sequence[str] | None, since: int) -> Market:
    """The part of it that is the same for all who read of these models and this period; ``since``: UTC seconds."""
    rows = _chosen(await query.reader.models(), models)
    names = [row.name for row in rows]
    quotes, basis = await query.priced(names)
    if not quotes:
        raise nothing_polled()
    span = Span(min(since // HOUR, query.now // HOUR - 1), query.now // HOUR)
    past = await query.reader.prices_at(names, span.needed())
    priced = [
        Priced(
            row.name,
            quotes[row.name].price if row.name in quotes else None,
            query.basis_of_prices([row]).stale,
            past.get(row.name, {}),
        )
        for row in rows
    ]
    landed = await query.reader.landed_forecasts(names, since, query.now)
    return answers.market(priced, span, landed, await _safe(query, names), basis)


def _chosen(rows: Sequence[ModelRow], models: Sequence[str] | None) -> list[ModelRow]:
    """Those of these names, else those that are followed, else all that have a price; the busiest ones."""
    if models is not None:
        return [row for row in rows if row.name in models][:MOST_MODELS]
    known = [row for row in rows if row.priced_at is not None]
    return ([row for row in known if row.followed] or known)[:MOST_MODELS]


async def _safe(query: QueryContext, models: Sequence[str]) -> dict[str, Sequence[float]] | None:
    """The published rhythms of the week, but those that "windows" refuses by what was lived through since."""
    fitted = await query.reader.hazard_profiles(models)
    if not fitted:
        return None
    published = [model for model, found in fitted.items() if found.profile.published]
    if not published:
        return {}
    lived = await query.reader.exposure(published, query.now // HOUR - LOOK_BACK_HOURS)
    rates = {model: estimate(reduce(add, lived.get(model, {}).values(), Exposure())) for model in published}
    return {
        model: fitted[model].profile.relative
        for model, rate in rates.items()
        if rate.events >= MIN_EVENTS and TOO_COARSE not in rate.notes
    }


async def _fired(query: QueryContext, since: int) -> Fired | None:
    if query.asker is None:
        return None
    rows, total = await query.reader.fired_alerts(
        place_of(query.asker, direct=False),
        since,
        query.now,
        topic=TOPIC,
        kind=str(EventKind.FIRE),
        limit=MOST_ALERTS,
    )
    return Fired(tuple(map(_alert, rows)), total)


def _alert(row: FiredRow) -> FiredAlert:
    rule, event = load_rule(row.payload["rule"]), row.payload["event"]
    return FiredAlert(row.payload["alert"], describe(rule), figure(rule, event["value"]), iso(event["at"]))


COMMAND = Command(
    name="digest now",
    summary="What moved, what is cheap, what fired and what comes: the last day or week at a glance",
    path=None,
    params=(
        Param("gpu", "gpus", "models to look at; those that are followed when not given"),
        Param("period", "choice", "how far back it looks", default="day", choices=tuple(PERIODS)),
    ),
    ask=ask,
    card=card,
    examples=("digest now", "digest now week", "digest now 4090 period=week"),
    role="member",
    prices_do=True,
)
