"""How much interruptions bunch, for every question about them: the same days, so that answers agree."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.interruptions.overdispersion import OVERDISPERSION_DAYS, overdispersion
from analytics.market import DAY, Exposure
from bot.dispatch.command import QueryContext


async def overdispersion_of(query: QueryContext, models: Sequence[str] | None = None) -> dict[str, float | None]:
    """Model -> how its daily counts scatter over the last days of the stored market."""
    return {model: overdispersion(some) for model, some in (await last_days(query, models)).items()}


async def last_days(query: QueryContext, models: Sequence[str] | None = None) -> dict[str, list[Exposure]]:
    """Those days of each model, regions together."""
    return await query.reader.exposure_days(models, await query.seen_until() // DAY - OVERDISPERSION_DAYS)
