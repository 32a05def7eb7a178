"""How much interruptions bunch, for every question about them: the same days, so that answers agree."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.market import DAY
from analytics.waves import WAVE_DAYS, waves
from bot.commands.base import Desk


async def waves_of(desk: Desk, models: Sequence[str] | None = None) -> dict[str, float | None]:
    """Model -> how its daily counts scatter over the last days of the stored market."""
    days = await desk.reader.exposure_days(models, await desk.seen_until() // DAY - WAVE_DAYS)
    return {model: waves(some) for model, some in days.items()}
