"""Who hears of a round, in its own transaction: alerts first, then the endpoints that follow prices."""

from __future__ import annotations

from analytics.market import Round
from bot.alerts.engine import evaluate
from bot.store.writer import Writer
from bot.webhooks.prices import tell_prices


async def on_round(writer: Writer, round_: Round) -> None:
    """Tell them."""
    await evaluate(writer, round_)
    await tell_prices(writer, round_)
