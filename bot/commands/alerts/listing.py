"""``alert list`` and ``alert show``: the rules of a team, and all that is known of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analytics.evidence import Note, iso
from analytics.market import WORLD
from bot.alerts.codec import load_rule, load_state
from bot.alerts.decide import Decision, Reason, decide
from bot.alerts.descriptions import describe, terms
from bot.alerts.elements import SNOOZES, clock_of, snooze_actions
from bot.alerts.engine import key_of, of_offers
from bot.alerts.explain import explain, plain_value
from bot.alerts.foretold import FORETOLD
from bot.alerts.measures import measure
from bot.alerts.rules import Kind, Rule
from bot.alerts.state import Reading, State
from bot.commands.alerts.acts import Act, act_of
from bot.commands.alerts.outlook import Outlook, outlook_lines, outlook_of
from bot.commands.alerts.owned import ID_OR_LAST, Owned, asker_of, find, known_to
from bot.commands.alerts.trial import Points, past_prices, watched_chart
from bot.dispatch.command import Command, QueryContext
from bot.presentation.card import Action, Card, Column, Table
from bot.presentation.words import Words
from bot.store.outbox import Destination


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One rule of a list."""

    id: str
    rule: Note
    status: str
    where: str
    by: str
    mine: bool
    stopped: str | None
    """why nothing is sent to its destination any more"""


@dataclass(frozen=True, slots=True)
class AlertList:
    """The rules of a team, the asker's own first."""

    alerts: tuple[AlertLine, ...]


@dataclass(frozen=True, slots=True)
class AlertShown:
    """All that is known of a rule."""

    id: str
    rule: Note
    terms: tuple[Note, ...]
    status: str
    reason: Note
    where: str
    by: str
    created_at: str
    expires_at: str | None
    snoozed_until: str | None
    episodes: int
    stopped: str | None
    """why nothing is sent to its destination any more"""
    history: tuple[Act, ...]
    foretold: Outlook | None
    """what is foretold now, of a rule that watches that"""
    points: Points
    """the last days of a price: UTC seconds and USD; none where something else is watched"""
    threshold: float | None
    """in USD, GPUs, or percent"""


async def ask_list(query: QueryContext) -> AlertList:
    """All rules that the asker may look at."""
    asker = asker_of(query)
    rows = await known_to(query.reader.alerts, asker)
    lines = [
        AlertLine(
            row.public_id,
            describe(load_rule(row.rule)),
            shown_status(load_state(row.state), query.now),
            where(row.destination),
            row.owner.person,
            row.owner.person == asker.person,
            row.stopped,
        )
        for row in rows
    ]
    return AlertList(tuple(sorted(lines, key=lambda line: not line.mine)))


async def ask_show(query: QueryContext, *, id: str) -> AlertShown:  # noqa: A002  the parameter is called so
    """One rule, with what a reading of now means for it."""
    asker = asker_of(query)
    owned = await find(query.reader.alerts, asker, id)
    row, rule, state = owned.row, owned.rule, owned.state
    acts = await query.reader.audit.of(asker.platform, row.owner.team, f"alert/{row.public_id}")
    return AlertShown(
        id=row.public_id,
        rule=describe(rule),
        terms=tuple(terms(rule)),
        status=shown_status(state, query.now),
        reason=await reason(query, owned),
        where=where(row.destination),
        by=row.owner.person,
        created_at=iso(row.created_at),
        expires_at=None if rule.expires_at is None else iso(rule.expires_at),
        snoozed_until=None if state.snoozed_until is None else iso(state.snoozed_until),
        episodes=state.episode,
        stopped=row.stopped,
        history=tuple(map(act_of, acts)),
        foretold=await outlook_of(query, rule),
        points=await past_prices(query, rule),
        threshold=plain_value(rule, rule.threshold),
    )


async def reason(query: QueryContext, owned: Owned) -> Note:
    """Why the rule stands where it does, by the newest complete poll."""
    rule, state = owned.rule, owned.state
    reading = await latest(query, rule)
    decision = Decision(state, Reason.NO_READING) if reading is None else decide(rule, state, reading, query.now)
    return explain(rule, decision, query.now, query.zone())


async def latest(query: QueryContext, rule: Rule) -> Reading | None:
    """The rule's series at the newest complete poll of its model; dated now, so that it counts as a new reading."""
    model = await query.reader.model(rule.series.model)
    if model is None or model.last_good_at is None:
        return None
    scope = rule.series.scope
    if rule.series.region == WORLD:
        world = (await query.reader.quotes([model.name])).get(model.name)
        places = {} if world is None else {WORLD: world}
    else:
        places = await query.reader.regional_quotes(model.name)
    quotes = {(model.name, place, scope): quote for place, quote in places.items()}
    book = await query.reader.book([model.name]) if rule.kind is Kind.OFFER else []
    # the future is told from now, as its questions are; the market as it was at its last poll
    at = query.now if rule.series.measure in FORETOLD else model.last_good_at
    value = await measure(key_of(rule), quotes, query.reader, at, book)
    reading = Reading(query.now, value, model.interval, heard_at=model.last_good_at)
    return of_offers(reading, rule, book) if rule.kind is Kind.OFFER else reading


def shown_status(state: State, now: int) -> str:
    """Ok, pending, firing, snoozed or ended."""
    if state.ended:
        return "ended"
    return "snoozed" if state.snoozed_until is not None and state.snoozed_until > now else str(state.status)


def where(destination: Destination) -> str:
    """A channel's id, or that it is a person's direct messages."""
    return destination.channel or "dm"


STATUS: Mapping[str, str] = {
    "ok": "waiting",
    "pending": "pending",
    "firing": "firing",
    "snoozed": "snoozed",
    "ended": "ended",
}
"""What the states of a rule are called."""


def list_card(answer: AlertList, words: Words) -> Card:
    """A line a rule."""
    title = words("Alerts")
    if not answer.alerts:
        return Card(title, words("There are none yet. For example: {example}", example="alert 4090 < 0.35"))
    columns = tuple(Column(words(name)) for name in ("alert", "rule", "state"))
    rows = tuple(
        (line.id, words(line.rule), state_in_words(line.status, line.stopped, words)) for line in answer.alerts
    )
    mine = sum(line.mine for line in answer.alerts)
    lead = words("{n} here, {mine} of them yours", n=len(answer.alerts), mine=mine)
    notes = [words("alert show and its name tells all of one")]
    if stopped := sum(line.stopped is not None for line in answer.alerts):
        notes.insert(0, words("{n} cannot be delivered; alert test and its name tries again", n=stopped))
    return Card(title, lead, (Table(title, columns, rows),), notes=tuple(notes))


def state_in_words(status: str, stopped: str | None, words: Words) -> str:
    """How a rule stands, or that nobody hears of it."""
    return words("not delivered") if stopped else words(STATUS[status])


def show_card(answer: AlertShown, words: Words) -> Card:
    """The rule, where it stands and why, and who did what."""
    notes = [*outlook_lines(answer.foretold, words), *(words(term) for term in answer.terms)]
    if answer.stopped:
        notes.insert(0, words("Nothing is sent any more: {reason}", reason=answer.stopped))
    if answer.expires_at:
        notes.append(words("It holds until {at}.", at=clock_of(answer.expires_at)))
    columns = (Column(words("when")), Column(words("who")), Column(words("what")))
    rows = tuple((clock_of(act.at), act.by, _what(act, words)) for act in answer.history)
    lead = words("{state}: {reason}", state=words(STATUS[answer.status]), reason=words(answer.reason))
    return Card(
        words("Alert {id}: {rule}", id=answer.id, rule=words(answer.rule)),
        lead,
        (Table(words("What was done"), columns, rows),) if rows else (),
        notes=tuple(notes),
        footer=words("fired {n}× so far", n=answer.episodes),
        charts=watched_chart(answer.rule, answer.points, answer.threshold, words),
        actions=(
            *snooze_actions(answer.id, words, SNOOZES[1:3]),
            Action(words("Edit"), f"alert edit {answer.id}", place="form"),
            Action(words("Delete"), f"alert delete {answer.id}", "danger"),
        ),
    )


def _what(act: Act, words: Words) -> str:
    details = "; ".join(words(note) for note in act.details)
    return f"{words(act.action)}: {details}" if details else words(act.action)


LIST = Command(
    name="alert list",
    summary="The alerts of this workspace and how they stand",
    path="/api/alerts",
    params=(),
    ask=ask_list,
    card=list_card,
    examples=("alert list",),
    role="member",
    scope="alerts",
)
SHOW = Command(
    name="alert show",
    summary="One alert: how it stands and why, and who did what",
    path="/api/alerts/{id}",
    params=(ID_OR_LAST,),
    ask=ask_show,
    card=show_card,
    examples=("alert show", "alert show last"),
    role="member",
    scope="alerts",
)
