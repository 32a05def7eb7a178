"""From a round to ``price.changed``: one event an endpoint and model whose price has moved as much as asked for."""

from __future__ import annotations

from analytics.market import WORLD, Quality, Quote, Round, Scope
from bot.alerts.rules import PPM
from bot.store.outbox import NewMessage
from bot.store.webhooks import PRICE, WebhookRow, to_endpoint
from bot.store.writer import Writer


async def tell_prices(writer: Writer, round_: Round) -> None:
    """Queue the events of a round, in its own transaction. Only complete polls say anything."""
    polled = {poll.model for poll in round_.polls if poll.quality is Quality.COMPLETE}
    quotes = {model: round_.quotes.get((model, WORLD, Scope.VERIFIED)) for model in polled}
    priced = {model: quote for model, quote in quotes.items() if quote is not None and quote.price}
    endpoints = [row for row in await writer.webhooks.active() if PRICE in row.events] if priced else []
    if not endpoints:
        return
    known = await writer.webhooks.prices([row.id for row in endpoints])
    told: list[tuple[int, str, int]] = []
    messages: list[NewMessage] = []
    for row in endpoints:
        for model, quote in priced.items():
            if not row.wants(PRICE, model) or quote.price is None:
                continue
            before = known.get((row.id, model))
            if before is not None and not _moved(row, before, quote.price):
                continue
            told.append((row.id, model, quote.price))
            if before is not None:
                messages.append(_message(row, model, quote, before, round_.at))
    await writer.webhooks.told_prices(told)
    await writer.outbox.add(messages, round_.at)


def _moved(row: WebhookRow, before: int, price: int) -> bool:
    return price != before and abs(price - before) * PPM >= before * row.min_change_ppm


def _message(row: WebhookRow, model: str, quote: Quote, before: int, at: int) -> NewMessage:
    payload = {
        "gpu": model,
        "price": quote.price,
        "before": before,
        "floor": quote.floor,
        "gpus": quote.gpus,
        "offers": quote.offers,
        "at": at,
    }
    return to_endpoint(row, PRICE, f"price/{model}/{at}", f"price/{model}", payload, at)
