"""What an answer that names a model ends with: its best matching offers now, and the lines that find and rent them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from analytics.answers.offers_now import MOST_OFFERS, Seen, Wanted, offers_now
from analytics.evidence import Plural
from analytics.market import Offer
from analytics.offer_now import OfferNow
from bot.alerts.elements import clock_of
from bot.dispatch.command import Ask, Command, QueryContext
from bot.presentation.card import Card, Column, Table
from bot.presentation.words import Words

WhichOffers = Callable[[Any, Mapping[str, Any]], Sequence[Wanted]]
"""From an answer and the parameters of its question the offers that fit it; none where it names no model."""


def with_offers(command: Command, which: WhichOffers, *, apart: bool = False) -> Command:
    """The command whose answers end with the offers that fit them.

    ``apart``: each offer is for another part of the answer, so each is searched for by a line of its own.
    """
    return replace(command, ask=_asking(command.ask, which), card=_showing(command.card, apart=apart))


def each_model(models: Sequence[str]) -> tuple[Wanted, ...]:
    """The best offers of one model, or the best one of each of several."""
    return tuple(Wanted(model, most=1 if len(models) > 1 else MOST_OFFERS) for model in models[:MOST_OFFERS])


def models_asked_for(models: Sequence[str], given: Mapping[str, Any]) -> tuple[Wanted, ...]:
    """The best offers of the models of an answer about several; none where nobody named any and there are more."""
    return each_model(models) if given.get("gpu") or len(models) == 1 else ()


def _asking(ask: Ask, which: WhichOffers) -> Ask:
    @functools.wraps(ask)
    async def asked(query: QueryContext, **given: Any) -> Any:
        answer = await ask(query, **given)
        wanted = await _polled(query, which(answer, given))
        return replace(answer, offers_now=await found_offers(query, wanted)) if wanted else answer

    return asked


async def _polled(query: QueryContext, wanted: Sequence[Wanted]) -> Sequence[Wanted]:
    """Those whose offers are known: of a model without a complete poll nobody knows what is on offer."""
    polled = {row.name for row in await query.reader.models() if row.last_good_at is not None}
    return [one for one in wanted if one.model in polled]


async def found_offers(query: QueryContext, wanted: Sequence[Wanted]) -> tuple[OfferNow, ...]:
    """The offers that fit, from the latest complete poll of each model."""
    names = {one.model for one in wanted}
    books: dict[str, list[Offer]] = {name: [] for name in names}
    for offer in await query.reader.book(names):
        books[offer.model].append(offer)
    seen = {
        row.name: Seen(row.vast_name, row.last_good_at, row.interval, books[row.name])
        for row in await query.reader.models()
        if row.name in names and row.last_good_at is not None
    }
    return tuple(offer for one in wanted if one.model in seen for offer in offers_now(seen[one.model], one, query.now))


def _showing(card: Callable[[Any, Words], Card], *, apart: bool) -> Callable[[Any, Words], Card]:
    @functools.wraps(card)
    def shown(answer: Any, words: Words) -> Card:
        made = card(answer, words)
        offers: tuple[OfferNow, ...] | None = answer.offers_now
        if offers is None:
            return made
        if not offers:
            return replace(made, notes=(words("Nothing that fits was rentable at the latest poll."), *made.notes))
        tables, notes = (*made.tables, _table(offers[:MOST_OFFERS], words)), _with_notes(made.notes, offers, words)
        return replace(made, tables=tables, notes=notes, commands=_commands(offers[:MOST_OFFERS], apart=apart))

    return shown


def _table(offers: Sequence[OfferNow], words: Words) -> Table:
    several = _several(offers)
    columns = (
        Column(words("machine"), "right"),
        *((Column(words("GPU")),) if several else ()),
        Column("GPUs", "right"),
        Column(words("region")),
        Column(words("USD/GPU-h"), "right"),
        Column(words("all-in"), "right"),
        Column(words("host reliability"), "right"),
    )
    return Table(_caption(offers, words), columns, tuple(_cells(offer, words, several=several) for offer in offers))


def _several(offers: Sequence[OfferNow]) -> bool:
    return len({offer.gpu_name for offer in offers}) > 1


def _caption(offers: Sequence[OfferNow], words: Words) -> str:
    why = offers[0].why
    if all(offer.all_in_per_hour is None for offer in offers):
        return words("Cheapest to rent. Of the first, {why}.", why=why)
    text = "Cheapest to rent; all-in: USD an hour for all GPUs with {n} GB of disk. Of the first, {why}."
    return words(text, n=max(offer.disk_gb for offer in offers), why=why)


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
    notes = [*_ending(offers[0], words), *([words(text)] if old else []), *made]
    if len(offers) > MOST_OFFERS:
        more = len(offers) - MOST_OFFERS
        notes.append(words(Plural("{n} more offer in the full answer", "{n} more offers in the full answer"), n=more))
    return tuple(notes)


def _ending(first: OfferNow, words: Words) -> list[str]:
    """That even the first ends too early; the others then do so too."""
    if first.ends_before_hours is None or first.until is None:
        return []
    text = "The first of these ends {date}, before the {hours} that this takes."
    return [words(text, date=clock_of(first.until), hours=words.hours(first.ends_before_hours))]


def _commands(offers: Sequence[OfferNow], *, apart: bool) -> tuple[str, ...]:
    """How the first is rented, and how it is found again; so each one where they are of several models or parts."""
    found = offers if apart or _several(offers) else offers[:1]
    lines = (offers[0].create_command, *(offer.search_command for offer in found))
    return tuple(dict.fromkeys(line for line in lines if line is not None))
