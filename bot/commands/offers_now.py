"""What an answer that names a model ends with: its best matching offers now, and the lines that find and rent them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from analytics.answers.offers_now import MOST_OFFERS, Seen, Wanted, offers_now
from analytics.evidence import Plural
from analytics.offer_now import OfferNow
from bot.dispatch.command import Ask, Command, QueryContext
from bot.presentation.card import Card, Column, Table
from bot.presentation.words import Words

WhichOffers = Callable[[Any, Mapping[str, Any]], Sequence[Wanted]]
"""From an answer and the parameters of its question the offers that fit it; none where it names no model."""


def with_offers(command: Command, which: WhichOffers) -> Command:
    """The command whose answers end with the offers that fit them."""
    return replace(command, ask=_asking(command.ask, which), card=_showing(command.card))


def each_model(models: Sequence[str]) -> tuple[Wanted, ...]:
    """The best offers of one model, or the best one of each of several."""
    return tuple(Wanted(model, most=1 if len(models) > 1 else MOST_OFFERS) for model in models[:MOST_OFFERS])


def _asking(ask: Ask, which: WhichOffers) -> Ask:
    @functools.wraps(ask)
    async def asked(query: QueryContext, **given: Any) -> Any:
        answer = await ask(query, **given)
        wanted = which(answer, given)
        return replace(answer, offers_now=await found_offers(query, wanted)) if wanted else answer

    return asked


async def found_offers(query: QueryContext, wanted: Sequence[Wanted]) -> tuple[OfferNow, ...]:
    """The offers that fit, from the latest complete poll of each model."""
    rows = {row.name: row for row in await query.reader.models()}
    found: list[OfferNow] = []
    for one in wanted:
        row = rows.get(one.model)
        if row is not None and row.last_good_at is not None:
            book = await query.reader.book([one.model])
            found += offers_now(Seen(row.vast_name, row.last_good_at, row.interval, book), one, query.now)
    return tuple(found)


def _showing(card: Callable[[Any, Words], Card]) -> Callable[[Any, Words], Card]:
    @functools.wraps(card)
    def shown(answer: Any, words: Words) -> Card:
        made = card(answer, words)
        offers: tuple[OfferNow, ...] | None = answer.offers_now
        if offers is None:
            return made
        if not offers:
            return replace(made, notes=(words("Nothing that fits was rentable at the latest poll."), *made.notes))
        tables, notes = (*made.tables, _table(offers[:MOST_OFFERS], words)), _with_notes(made.notes, offers, words)
        return replace(made, tables=tables, notes=notes, commands=_commands(offers[:MOST_OFFERS]))

    return shown


def _table(offers: Sequence[OfferNow], words: Words) -> Table:
    several = len({offer.gpu_name for offer in offers}) > 1
    columns = (
        Column(words("machine"), "right"),
        *((Column(words("GPU")),) if several else ()),
        Column("GPUs", "right"),
        Column(words("region")),
        Column(words("USD/GPU-h"), "right"),
        Column(words("all-in"), "right"),
        Column(words("host reliability"), "right"),
    )
    disk = max(offer.disk_gb for offer in offers)
    text = "Cheapest to rent; all-in: USD an hour for all GPUs with {n} GB of disk. Of the first, {why}."
    caption = words(text, n=disk, why=offers[0].why)
    return Table(caption, columns, tuple(_cells(offer, words, several=several) for offer in offers))


def _cells(offer: OfferNow, words: Words, *, several: bool) -> tuple[str, ...]:
    price = offer.spot_price if offer.market == "spot" else offer.on_demand_price
    return (
        str(offer.machine_id),
        *((offer.gpu_name,) if several else ()),
        str(offer.num_gpus),
        offer.region + (f" ({words('old')})" if offer.old else ""),
        words.money(price) + ("" if offer.market == "spot" else f" ({words('on demand')})"),
        words.money(offer.all_in_per_hour),
        words.share(offer.reliability, 1),
    )


def _with_notes(made: tuple[str, ...], offers: Sequence[OfferNow], words: Words) -> tuple[str, ...]:
    """The card's notes, before them what must be known of the lines: faces show the first ones."""
    old = any(offer.old for offer in offers[:MOST_OFFERS])
    text = "Old offers were seen more than two planned polls ago and may be gone: search first."
    notes = [*([words(text)] if old else []), *made]
    if offers[0].create_command is not None:
        notes.append(words("IMAGE in the line that rents it stands for a container image."))
    if len(offers) > MOST_OFFERS:
        more = len(offers) - MOST_OFFERS
        notes.append(words(Plural("{n} more offer in the full answer", "{n} more offers in the full answer"), n=more))
    return tuple(notes)


def _commands(offers: Sequence[OfferNow]) -> tuple[str, ...]:
    """How the cheapest is rented, and how each kind of offer is found again."""
    lines = (offers[0].create_command, *(offer.search_command for offer in offers))
    return tuple(dict.fromkeys(line for line in lines if line is not None))
