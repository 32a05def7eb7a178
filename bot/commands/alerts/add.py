"""``alert add``: a new rule, with what it would have told in the last thirty days."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.errors import AskError, Refused
from analytics.evidence import Evidence, Note, iso
from analytics.market import DAY, DEFAULT_INTERVAL, Quote, usd
from bot.alerts.descriptions import describe, terms
from bot.alerts.elements import clock_of, price_chart
from bot.alerts.engine import key_of, rule_row
from bot.alerts.explain import plain_value
from bot.alerts.measures import price_of
from bot.alerts.noticing import notices_within
from bot.alerts.places import is_group
from bot.alerts.replay import Replay, replay
from bot.alerts.rules import Kind, Measure, OfferFilter, Rule
from bot.alerts.state import Reading, initial
from bot.commands.alerts.options import CONDITION, OPTIONS, condition_of, rule_of, with_options
from bot.commands.alerts.outlook import Outlook, outlook_lines, outlook_of, past_readings
from bot.commands.alerts.owned import Owned, asker_of, destination, find, may_be_told, note, owner_of, resume
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Action, Card, Lines
from bot.presentation.words import Words
from bot.store.reader import Reader
from bot.store.writer import Writer

REPLAY_DAYS = 30
"""How far back a new rule is tried; single polls are kept as long."""

MOST_OF_PERSON, MOST_OF_TEAM = 50, 500
"""Rules at most: who needs more needs a program."""

NAMED_EPISODES = 3

REQUEST_S = DAY
"""Seconds in which a request that is sent again makes nothing new."""


@dataclass(frozen=True, slots=True)
class Episode:
    """Once that it would have fired; ``value`` in USD or GPUs, ``resolved_at`` null where it still held."""

    fired_at: str
    value: float | None
    resolved_at: str | None


@dataclass(frozen=True, slots=True)
class Tried:
    """What the rule would have told: ``coverage`` is the share of the time in which the market was known."""

    days: int
    coverage: float
    fired: int
    episodes: tuple[Episode, ...]


@dataclass(frozen=True, slots=True)
class AlertAdded:
    """A rule that holds from now on."""

    id: str
    gpu_name: str
    rule: Note
    terms: tuple[Note, ...]
    direct: bool
    expires_at: str | None
    notices_within_seconds: int
    tried: Tried | None
    untried: Note | None
    """why it was not tried on the past"""
    offer: OfferFilter | None
    """of a rule on offers: what they must have"""
    evidence: Evidence
    points: tuple[tuple[int, float | None], ...]
    """the last days of a price: UTC seconds and USD; none where something else is watched"""
    threshold: float | None
    """in USD, GPUs, or percent"""
    foretold: Outlook | None
    """what is foretold now, of a rule that watches that"""


async def ask(query: QueryContext, *, gpu: str, condition: str, to: str, **given: Any) -> AlertAdded:
    """Store the rule, and try it on the past."""
    if query.write is None:
        raise Refused(Note("this process cannot write"))
    may_be_told(asker_of(query), direct=to == "dm")
    if gpu not in await query.known():
        raise AskError(Note("{gpu} was never on the market here, so it cannot be watched", {"gpu": gpu}))
    rule = with_options(rule_of(gpu, condition_of(query, condition), query.now), query, given)
    quotes = await _past(query.reader, rule, query.now)
    readings = _readings(rule, quotes) or await past_readings(query, rule, query.now - REPLAY_DAYS * DAY)
    row = await query.reader.model(gpu)
    interval = _spacing(quotes, query.now) or (row.interval if row else DEFAULT_INTERVAL)
    async with query.write() as writer:
        made = await _made_before(writer, query)
        public_id = made.row.public_id if made else await _create(writer, query, rule, direct=to == "dm")
    rule = made.rule if made else rule
    return AlertAdded(
        id=public_id,
        gpu_name=gpu,
        rule=describe(rule),
        terms=tuple(terms(rule)),
        direct=to == "dm",
        expires_at=None if rule.expires_at is None else iso(rule.expires_at),
        notices_within_seconds=await notices_within(query.reader, rule, interval, query.now),
        tried=_tried(rule, readings, query.now),
        untried=_UNTRIED.get(rule.kind),
        offer=rule.offer,
        evidence=(await query.basis([gpu])).evidence(Note("stored polls")),
        points=_points(rule, quotes),
        threshold=plain_value(rule, rule.threshold),
        foretold=await outlook_of(query, rule),
    )


async def _create(writer: Writer, query: QueryContext, rule: Rule, *, direct: bool) -> str:
    """Store the rule where there is room for it; its channel is sent to again if nothing could be delivered there."""
    asker = asker_of(query)
    mine, team = await writer.alerts.counts(owner_of(asker))
    if mine >= MOST_OF_PERSON or team >= MOST_OF_TEAM:
        limits = {"mine": MOST_OF_PERSON, "team": MOST_OF_TEAM}
        raise Refused(Note("alerts at most: {mine} a person, {team} a team; delete some first", limits))
    to_id = await destination(writer, asker, direct=direct)
    await resume(writer, asker, to_id, query.now)
    stored = rule_row(await writer.alerts.series_id(key_of(rule)), rule, initial(rule))
    named = {} if query.request is None else {"request": (query.request.name, query.request.digest)}
    public_id = await writer.alerts.create(owner_of(asker), to_id, stored, query.now, **named)
    await note(writer, asker, "create", public_id, query.now, rule=str(describe(rule)))
    return public_id


async def _made_before(writer: Writer, query: QueryContext) -> Owned | None:
    """What a request of the same name has made within a day; one that says something else is refused."""
    if query.request is None:
        return None
    asker, name = asker_of(query), query.request.name
    made = await writer.alerts.requested(owner_of(asker), name, query.now - REQUEST_S)
    if made is None:
        return None
    public_id, digest = made
    if digest != query.request.digest:
        raise AskError(Note("this Idempotency-Key was sent with another request; use a new one"))
    return await find(writer.alerts, asker, public_id)


async def _past(reader: Reader, rule: Rule, now: int) -> list[Quote]:
    """The stored polls of the rule's place; nothing for what a single poll does not tell."""
    series = rule.series
    if series.measure not in (Measure.PRICE, Measure.GPUS) or is_group(series.region):
        return []
    since = now - REPLAY_DAYS * DAY
    return await reader.quote_history(series.model, since, now + 1, region=series.region, scope=series.scope)


def _spacing(quotes: Sequence[Quote], now: int) -> int | None:
    """Seconds between two complete polls of the last day, or since the last if longer; None of fewer than two."""
    times = [quote.at for quote in quotes if quote.at >= now - DAY]
    return max(-((times[0] - times[-1]) // (len(times) - 1)), now - times[-1]) if len(times) > 1 else None


_UNTRIED: Mapping[Kind, Note] = {
    Kind.RISK_ABOVE: Note(
        "It cannot be tried on the past: what was known of interruptions at each hour is not stored, only their sums."
    ),
    Kind.OFFER: Note("It cannot be tried on the past: what single machines offered is not kept."),
}


def _readings(rule: Rule, quotes: Sequence[Quote]) -> list[Reading]:
    if len(quotes) < 2:
        return []
    interval = round(statistics.median(b.at - a.at for a, b in itertools.pairwise(quotes)))
    values = (
        (q.at, q.gpus if rule.series.measure is Measure.GPUS else price_of(q, rule.series.metric)) for q in quotes
    )
    return [Reading(at, value, interval) for at, value in values]


def _tried(rule: Rule, readings: Sequence[Reading], now: int) -> Tried | None:
    if sum(reading.value is not None for reading in readings) < 2:
        return None
    past = replay(rule, readings, now - REPLAY_DAYS * DAY, now)
    return Tried(REPLAY_DAYS, round(past.coverage, 3), len(past.firings), _episodes(rule, past))


def _episodes(rule: Rule, past: Replay) -> tuple[Episode, ...]:
    return tuple(
        Episode(
            iso(one.fired_at),
            plain_value(rule, one.value),
            None if one.resolved_at is None else iso(one.resolved_at),
        )
        for one in past.firings
    )


def _points(rule: Rule, quotes: Sequence[Quote]) -> tuple[tuple[int, float | None], ...]:
    if rule.series.measure is not Measure.PRICE:
        return ()
    return tuple((quote.at, usd(price_of(quote, rule.series.metric))) for quote in quotes)


def card(answer: AlertAdded, words: Words) -> Card:
    """The rule in words, where and until when it holds, and what it would have told."""
    where = words("It is told to you alone.") if answer.direct else words("It is told in this channel.")
    until = words("It holds until it is deleted.")
    if answer.expires_at:
        until = words("It holds until {at}.", at=clock_of(answer.expires_at))
    soon = words(
        "This market is looked at often enough to notice within {time} or so.",
        time=words.hours(answer.notices_within_seconds / 3600),
    )
    notes = (f"{where} {until}", *(words(term) for term in answer.terms), soon)
    return Card(
        title=words("Alert {id}", id=answer.id),
        lead=words(answer.rule),
        notes=(
            *outlook_lines(answer.foretold, words),
            words(answer.untried) if answer.untried else tried(answer.tried, words),
            *notes,
        ),
        footer=words.footer(answer.evidence),
        charts=_charts(answer, words),
        actions=(
            Action(words("Test it"), f"alert test {answer.id}"),
            Action(words("Delete"), f"alert delete {answer.id}", "danger"),
        ),
    )


def tried(past: Tried | None, words: Words) -> str:
    """What it would have told, in a sentence; and how much of the time is known."""
    if past is None:
        return words("It cannot be tried on the past: too little of this is stored.")
    known = words("{share} of the last {n} d is known", share=words.share(past.coverage), n=past.days)
    if not past.fired:
        return words("It would not have fired ({known}).", known=known)
    last = ", ".join(clock_of(episode.fired_at) for episode in past.episodes[-NAMED_EPISODES:])
    return words("It would have fired {n}×, last {times} ({known}).", n=past.fired, times=last, known=known)


def _charts(answer: AlertAdded, words: Words) -> tuple[Lines, ...]:
    if answer.threshold is None or answer.tried is None:
        return ()
    title = words(answer.rule)
    return price_chart(title, words("price"), answer.points, answer.threshold, REPLAY_DAYS * DAY, words)


COMMAND = Command(
    name="alert add",
    summary="Be told when a price, or what is free, reaches a mark",
    path="/api/alerts",
    params=(
        Param("gpu", "gpu", "the model", required=True, aliases=("gpu_name", "model")),
        CONDITION,
        Param(
            "to",
            "choice",
            "where: this channel, or to you alone",
            choices=("channel", "dm"),
            default="channel",
            positional=False,
        ),
        *OPTIONS,
    ),
    ask=ask,
    card=card,
    examples=("alert 4090 < 0.35", "alert h100 sxm drops 10% in 24h", "alert 4090 available >= 8 in EU"),
    role="member",
    method="POST",
    scope="alerts",
    idempotency=True,
    group_default=True,
)
