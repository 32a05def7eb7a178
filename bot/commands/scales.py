"""The days that every question about interruptions looks at, so that answers agree, and what those days say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analytics.answers.reliability import PERIOD_DAYS
from analytics.interruptions.overdispersion import OVERDISPERSION_DAYS
from analytics.interruptions.scales import Scale, factors, scales
from analytics.market import DAY, HOUR
from bot.dispatch.command import QueryContext


async def scales_of(query: QueryContext, models: Sequence[str] | None = None) -> dict[str, Scale]:
    """Model -> what its last days of the stored market say of its figures."""
    since = await query.seen_until() // DAY - OVERDISPERSION_DAYS
    reader = query.reader
    return scales(await reader.exposure_days(models, since), await reader.variant_days(models, since))


async def thinning_of(query: QueryContext, model: str) -> float | None:
    """The factor of one model's time between interruptions alone."""
    return (await thinnings_of(query, [model])).get(model)


async def thinnings_of(query: QueryContext, models: Sequence[str]) -> Mapping[str, float | None]:
    """Model -> the factor of its time between interruptions."""
    since = await query.seen_until() // DAY - OVERDISPERSION_DAYS
    return factors(scales({}, await query.reader.variant_days(models, since)))


async def risk_since(query: QueryContext) -> int:
    """The first hour of the 30 days from which risk is told."""
    return await query.seen_until() // HOUR - PERIOD_DAYS * 24
