"""The days that every question about interruptions looks at, so that answers agree, and how much they bunch."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.answers.reliability import PERIOD_DAYS
from analytics.interruptions.overdispersion import OVERDISPERSION_DAYS, overdispersion
from analytics.market import DAY, HOUR
from bot.dispatch.command import QueryContext


async def overdispersion_of(query: QueryContext, models: Sequence[str] | None = None) -> dict[str, float | None]:
    """Model -> how its daily counts scatter over the last days of the stored market."""
    days = await query.reader.exposure_days(models, await query.seen_until() // DAY - OVERDISPERSION_DAYS)
    return {model: overdispersion(some) for model, some in days.items()}


async def risk_since(query: QueryContext) -> int:
    """The first hour of the 30 days from which risk is told."""
    return await query.seen_until() // HOUR - PERIOD_DAYS * 24
