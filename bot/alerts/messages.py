"""What the alert messages look like: made when they are sent, in the language of who reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from analytics.evidence import Note
from analytics.market import HOUR, MICRO, Offer, Scope, usd
from bot.accounts import Asker
from bot.alerts.codec import load_rule
from bot.alerts.decide import EventKind
from bot.alerts.descriptions import describe, measured
from bot.alerts.elements import clock, price_chart, snooze_actions
from bot.alerts.engine import TEST, key_of
from bot.alerts.explain import figure
from bot.alerts.foretold import FORETOLD, basis_of, foretold
from bot.alerts.measures import price_of
from bot.alerts.offer_messages import (
    OffersTold,
    offers_lead,
    offers_table,
    offers_told,
    rent_notes,
    together_notes,
    together_table,
)
from bot.alerts.places import is_group, within
from bot.alerts.rules import Direction, Kind, Measure, Metric, Rule, Unit
from bot.alerts.stopped import STOPPED
from bot.outbox.drafts import Draft, Event, Rendered
from bot.outbox.notices import NOTICES
from bot.outbox.sender import Address
from bot.presentation.card import Action, Card, Column, Lines, Table
from bot.presentation.words import Words
from bot.schedules.descriptions import describe as describe_schedule
from bot.schedules.specs import load_spec
from bot.store.engine import Store
from bot.store.reader import Reader

CHART_HOURS = 48
"""How far back the chart of a message goes."""

SHOWN_OFFERS = 5
"""Offers that a message lists; people rent one of the cheapest."""

SHOWN_EVENTS = 20
"""Events that one message lists; more are counted."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event with its rule."""

    alert: str
    rule: Rule
    kind: EventKind
    at: int
    value: int | None
    since: int | None
    suppressed: int
    already: bool
    offers: OffersTold | None = None
    """of a rule on offers: the machines that it tells of"""
    test: bool = False
    """somebody asked to see what it would look like"""


@dataclass(slots=True)
class AlertMessages:
    """Renders drafts of the outbox. ``language``: where neither the person nor the team says one."""

    store: Store
    clock: Callable[[], int]
    language: str

    async def render(self, draft: Draft) -> Rendered:
        """The message of one event, or of several of one round."""
        async with self.store.reader() as reader:
            words = Words(await self._language(reader, draft.address), self.clock())
            card = await _card(draft, reader, words)
        if draft.late:
            late = words("Delayed: this is of {age}.", age=words.ago(min(event.created_at for event in draft.events)))
            card = replace(card, notes=(late, *card.notes))
        return Rendered(card, words.language, _mentions(draft))

    async def _language(self, reader: Reader, to: Address) -> str:
        mine, team = await reader.preferences(Asker(to.platform, to.team, to.person))
        return (mine.language if to.person else None) or team.language or self.language


async def _card(draft: Draft, reader: Reader, words: Words) -> Card:
    first = draft.events[0]
    if first.kind in NOTICES:
        return NOTICES[first.kind](first.payload, words)
    if first.kind == STOPPED:
        return stopped(draft.events[0].payload, words)
    told = [told_by(event) for event in draft.events]
    return await single(told[0], reader, words, plain=draft.plain) if len(told) == 1 else several(told, words)


def _mentions(draft: Draft) -> tuple[str, ...]:
    """Whom the fires of a message call: nobody for an end, a lack of data or a test."""
    calling = (told_by(event).rule.mention for event in draft.events if event.kind in _CALLING)
    return tuple(dict.fromkeys(role for role in calling if role))


_CALLING = (EventKind.FIRE, EventKind.REPEAT, EventKind.MORE)


def stopped(payload: Mapping[str, Any], words: Words) -> Card:
    """What of somebody's cannot be told any more, why, and how it is told again."""
    where = payload["where"]
    columns = (Column(words("name")), Column(words("what")))
    every = [(name, describe(load_rule(rule))) for name, rule in payload["alerts"]]
    # those of before dashboards have none
    every += [(name, describe_schedule(load_spec(kind, spec))) for kind, name, spec in payload.get("schedules", ())]
    rows = tuple((name, words(what)) for name, what in every[:SHOWN_EVENTS])
    lead = words(
        "Nothing can be delivered to {where} any more ({reason}), so these of yours are silent.",
        where=where,
        reason=payload["reason"],
    )
    notes = [words("Once messages are taken there again, “alert test” and a name, or a new one there, turns them on.")]
    if more := len(every) - len(rows):
        notes.append(words("and {n} more: subscriptions shows all", n=more))
    title = words("Stopped: {where}", where=where)
    return Card(title, lead, (Table(words("What is silent"), columns, rows),), notes=tuple(notes))


def told_by(event: Event) -> Told:
    """The event of a stored payload."""
    stored: Mapping[str, Any] = event.payload["event"]
    return Told(
        alert=event.payload["alert"],
        rule=load_rule(event.payload["rule"]),
        kind=EventKind.FIRE if event.kind == TEST else EventKind(event.kind),
        at=stored["at"],
        value=stored["value"],
        since=stored["since"],
        suppressed=stored["suppressed"],
        already=stored["already"],
        offers=offers_told(stored),
        test=event.kind == TEST,
    )


async def single(told: Told, reader: Reader, words: Words, *, plain: bool = False) -> Card:
    """One event: what happened, the offers at that price, the chart, and what can be done."""
    rule = told.rule
    fired = told.kind in (EventKind.FIRE, EventKind.REPEAT, EventKind.MORE)
    listed = told.offers if fired else None
    return Card(
        title=words("Test: {rule}" if told.test else _TITLES[told.kind], rule=words(describe(rule))),
        lead=_lead(told, words),
        tables=offers_table(listed, words) if listed else await _offers(rule, reader, words) if fired else (),
        notes=(
            *(rent_notes(rule, listed, words) if listed else ()),
            *_notes(told, words),
            *(await _basis(told, reader, words) if fired else ()),
        ),
        footer=await _footer(told, reader, words),
        charts=() if plain else await _charts(rule, reader, words),
        actions=actions(told.alert, words) if fired else (),
    )


def several(told: Sequence[Told], words: Words) -> Card:
    """Events of one round in one message."""
    shown = told[:SHOWN_EVENTS]
    columns = (Column(words("rule")), Column(words("value"), "right"), Column(words("alert")))
    rows = tuple((words(describe(one.rule)), _figure(one.rule, one.value, words), one.alert) for one in shown)
    more = len(told) - len(shown)
    title = words("Alerts that fired: {n}", n=len(told))
    if any(one.kind is not EventKind.FIRE for one in told):
        title = words("Alerts: {n}", n=len(told))
    notes = (words("and {n} more: alert list shows all", n=more),) if more else ()
    listed = [(one.alert, one.offers) for one in shown if one.offers is not None]
    lead = words("Each can be looked at with “alert show” and its name.")
    return Card(
        title,
        lead,
        (Table(title, columns, rows), *together_table(listed, words)),
        notes=(*notes, *together_notes(listed, words)),
        footer=words.ago(told[0].at),
    )


def actions(alert: str, words: Words) -> tuple[Action, ...]:
    """What can be done with an alert that fired."""
    return (
        Action(words("Acknowledge"), f"alert ack {alert}", "primary"),
        *snooze_actions(alert, words),
        Action(words("Edit"), f"alert edit {alert}", place="form"),
        Action(words("Delete"), f"alert delete {alert}", "danger"),
    )


_TITLES: Mapping[EventKind, str] = {
    EventKind.FIRE: "Alert: {rule}",
    EventKind.REPEAT: "Still so: {rule}",
    EventKind.RESOLVE: "Over: {rule}",
    EventKind.NO_DATA: "No data: {rule}",
    EventKind.MORE: "New machines: {rule}",
}
_LEADS: Mapping[EventKind, str] = {
    EventKind.FIRE: "{measure}: {value}. It has been so since {since}.",
    EventKind.REPEAT: "{measure}: {value}. It has been so since {since}.",
    EventKind.RESOLVE: "{measure}: {value} now. It held from {since} to {at}.",
    EventKind.NO_DATA: "Nothing was heard of this market since {since}. The alert waits; it neither fires nor ends.",
}


def _lead(told: Told, words: Words) -> str:
    if told.rule.kind is Kind.OFFER and told.kind is not EventKind.NO_DATA:
        return offers_lead(told.offers, told.since or told.at, told.at, words)
    lead = _LEADS[told.kind]
    if told.test:  # nothing need hold, and for no time
        lead = "{measure}: there is no value now." if told.value is None else "{measure}: {value} now."
    return words(
        lead,
        measure=words(measured(told.rule.series)),
        value=_figure(told.rule, told.value, words),
        since=clock(told.since or told.at),
        at=clock(told.at),
    )


def _figure(rule: Rule, value: int | None, words: Words) -> str:
    """A value with its unit, as people write it."""
    if value is not None and rule.series.unit is Unit.MICRO_DOLLARS:
        return words.money(value / MICRO, None if value % 1000 == 0 else 4)
    shown = figure(rule, value)
    return words(shown) if isinstance(shown, Note) else str(shown)


def _notes(told: Told, words: Words) -> list[str]:
    notes = []
    if told.already and told.kind is EventKind.FIRE:
        notes.append(words("This was so already when the alert was made."))
    if told.suppressed:
        notes.append(words("Before this it came and went without a message ({n}×).", n=told.suppressed))
    return notes


async def _basis(told: Told, reader: Reader, words: Words) -> tuple[str, ...]:
    """What a value that is foretold rests on, as long as it is still the one that is told."""
    if told.rule.series.measure not in FORETOLD:
        return ()
    now = await foretold(key_of(told.rule), reader, words.now, {})
    return tuple(words(note) for note in now.basis) if now.value == told.value else ()


async def _footer(told: Told, reader: Reader, words: Words) -> str:
    model = told.rule.series.model
    row, quote = await reader.model(model), (await reader.quotes([model])).get(model)
    if row is None:
        return told.alert
    # as answers about the model count them
    basis = replace(basis_of(row, words.now), offers=quote.offers if quote else 0)
    return f"{words.footer(basis.evidence(Note('alert')))} · {told.alert}"


async def _offers(rule: Rule, reader: Reader, words: Words) -> tuple[Table, ...]:
    """The cheapest offers that can be rented, at the price that fired where it is a price."""
    if rule.series.metric is Metric.ON_DEMAND or (
        rule.direction is Direction.ABOVE and rule.kind is not Kind.AVAILABLE
    ):
        return ()
    book = [offer for offer in await reader.book([rule.series.model]) if _fits(offer, rule)]
    book.sort(key=lambda offer: (offer.min_bid or 0, -(offer.reliability or 0)))
    if not book:
        return ()
    columns = (
        Column(words("USD/GPU-h"), "right"),
        Column("GPUs", "right"),
        Column(words("region")),
        Column(words("host reliability"), "right"),
        Column(words("offer"), "right"),
    )
    rows = tuple(_row(offer, words) for offer in book[:SHOWN_OFFERS])
    return (Table(words("Cheapest to rent now, of {n}", n=len(book)), columns, rows),)


def _fits(offer: Offer, rule: Rule) -> bool:
    priced = bool(offer.min_bid) and (rule.kind is not Kind.BELOW or rule.met(offer.min_bid or 0))
    return offer.rentable and offer.verified and priced and within(offer.region, rule.series.region)


def _row(offer: Offer, words: Words) -> tuple[str, ...]:
    score = "–" if offer.reliability is None else words.share(offer.reliability, 1)
    number = "–" if offer.offer_id is None else str(offer.offer_id)
    return words.money(usd(offer.min_bid), 3), str(offer.num_gpus), offer.region, score, number


async def _charts(rule: Rule, reader: Reader, words: Words) -> tuple[Lines, ...]:
    """The last two days with the threshold, for rules on a price; hours without a poll stay empty."""
    series = rule.series
    if series.measure is not Measure.PRICE or is_group(series.region):
        return ()
    since = words.now - CHART_HOURS * HOUR
    quotes = await reader.quote_history(
        series.model, since, words.now + 1, region=series.region, scope=Scope(series.scope)
    )
    points = [(quote.at, usd(price_of(quote, series.metric))) for quote in quotes]
    title, label = words(describe(rule)), words(measured(series))
    return price_chart(title, label, points, rule.threshold / MICRO, CHART_HOURS * HOUR, words)
