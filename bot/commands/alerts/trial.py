"""What a rule would have told in the last thirty days: looked at before it is made, and told when it is."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.errors import AskError
from analytics.evidence import Evidence, Note, iso
from analytics.market import DAY, DEFAULT_INTERVAL, Quote, usd
from bot.alerts.descriptions import describe, terms
from bot.alerts.elements import clock_of, price_chart
from bot.alerts.explain import plain_value
from bot.alerts.measures import price_of
from bot.alerts.noticing import notices_within
from bot.alerts.places import is_group
from bot.alerts.replay import Replay, replay
from bot.alerts.rules import Kind, Measure, OfferFilter, Rule
from bot.alerts.state import Reading
from bot.commands.alerts.options import CONDITION, OPTIONS, condition_of, rule_of, with_options
from bot.commands.alerts.outlook import Outlook, outlook_of, past_readings
from bot.commands.alerts.owned import asker_of, may_be_told
from bot.dispatch.command import Param, QueryContext
from bot.presentation.card import Lines
from bot.presentation.words import Words
from bot.store.reader import Reader

REPLAY_DAYS = 30
"""How far back a new rule is tried; single polls are kept as long."""

NAMED_EPISODES = 3

Points = tuple[tuple[int, float | None], ...]
"""Prices at polls: UTC seconds and USD."""

PARAMS = (
    Param("gpu", "gpu", "the model", required=True, aliases=("gpu_name", "model")),
    CONDITION,
    Param(
        "to",
        "choice",
        "here; dm: to you alone; channel: here too, or the team's channel where you are in none",
        choices=("channel", "dm", "here"),
        default="here",
        positional=False,
    ),
    *OPTIONS,
)
"""What says a whole rule."""


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
class Trial:
    """A rule in words, and how it would have fared."""

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
    points: Points
    """the last days of a price: UTC seconds and USD; none where something else is watched"""
    threshold: float | None
    """in USD, GPUs, or percent"""
    foretold: Outlook | None
    """what is foretold now, of a rule that watches that"""
    channel: str | None
    """the team's default channel, where it is told there and was asked elsewhere"""


async def rule_said(query: QueryContext, gpu: str, condition: str, to: str, given: dict[str, Any]) -> Rule:
    """The rule that the texts of ``PARAMS`` mean; raises AskError where it cannot hold here."""
    may_be_told(asker_of(query), direct=to == "dm")
    if gpu not in await query.known():
        raise AskError(Note("{gpu} was never on the market here, so it cannot be watched", {"gpu": gpu}))
    return with_options(rule_of(gpu, condition_of(query, condition), query.now), query, given)


async def trial_of(query: QueryContext, rule: Rule, *, direct: bool, channel: str | None) -> Trial:
    """Try a rule on the past; nothing is stored."""
    gpu = rule.series.model
    quotes = await _past(query.reader, rule, query.now)
    readings = _readings(rule, quotes) or await past_readings(query, rule, query.now - REPLAY_DAYS * DAY)
    row = await query.reader.model(gpu)
    interval = _spacing(quotes, query.now) or (row.interval if row else DEFAULT_INTERVAL)
    return Trial(
        gpu_name=gpu,
        rule=describe(rule),
        terms=tuple(terms(rule)),
        direct=direct,
        expires_at=None if rule.expires_at is None else iso(rule.expires_at),
        notices_within_seconds=await notices_within(query.reader, rule, interval, query.now),
        tried=_tried(rule, readings, query.now),
        untried=_UNTRIED.get(rule.kind) or (None if _is_tried(rule) else _NOT_BY_POLLS),
        offer=rule.offer,
        evidence=(await query.basis([gpu])).evidence(Note("stored polls")),
        points=_points(rule, quotes),
        threshold=plain_value(rule, rule.threshold),
        foretold=await outlook_of(query, rule),
        channel=channel,
    )


async def past_prices(query: QueryContext, rule: Rule) -> Points:
    """The last days of the price that a rule watches: UTC seconds and USD; none where it watches something else."""
    return _points(rule, await _past(query.reader, rule, query.now))


async def _past(reader: Reader, rule: Rule, now: int) -> list[Quote]:
    """The stored polls of the rule's place; nothing for what a single poll does not tell."""
    series = rule.series
    if not _is_told_by_polls(rule):
        return []
    since = now - REPLAY_DAYS * DAY
    return await reader.quote_history(series.model, since, now + 1, region=series.region, scope=series.scope)


def _is_told_by_polls(rule: Rule) -> bool:
    """Whether each stored poll tells what it watches."""
    return rule.series.measure in (Measure.PRICE, Measure.GPUS) and not is_group(rule.series.region)


def _is_tried(rule: Rule) -> bool:
    """Whether its past is known where enough of it is stored: by polls, or by the forecasts that were issued."""
    return _is_told_by_polls(rule) or rule.series.measure is Measure.PREDICTED


_NOT_BY_POLLS = Note("It is not tried on the past: so far only prices and free GPUs at single polls of one place are.")


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


def _points(rule: Rule, quotes: Sequence[Quote]) -> Points:
    if rule.series.measure is not Measure.PRICE:
        return ()
    return tuple((quote.at, usd(price_of(quote, rule.series.metric))) for quote in quotes)


def trial_result(trial: Trial, words: Words) -> str:
    """What it would have told, or why that is not known."""
    return words(trial.untried) if trial.untried else tried(trial.tried, words)


def trial_terms(trial: Trial, words: Words) -> tuple[str, ...]:
    """Where and until when it holds, on which terms, and how soon it notices."""
    where = words("It is told to you alone.") if trial.direct else words("It is told in this channel.")
    if trial.channel:
        where = words("It is told in the team's channel {id}.", id=trial.channel)
    until = words("It holds until it is deleted.")
    if trial.expires_at:
        until = words("It holds until {at}.", at=clock_of(trial.expires_at))
    soon = words(
        "This market is looked at often enough to notice within {time} or so.",
        time=words.hours(trial.notices_within_seconds / 3600),
    )
    return (f"{where} {until}", *(words(term) for term in trial.terms), soon)


def tried(past: Tried | None, words: Words) -> str:
    """What it would have told, in a sentence; and how much of the time is known."""
    if past is None:
        return words("It cannot be tried on the past: too little of this is stored.")
    known = words("{share} of the last {n} d is known", share=words.share(past.coverage), n=past.days)
    if not past.fired:
        return words("It would not have fired ({known}).", known=known)
    last = ", ".join(clock_of(episode.fired_at) for episode in past.episodes[-NAMED_EPISODES:])
    return words("It would have fired {n}×, last {times} ({known}).", n=past.fired, times=last, known=known)


def trial_charts(trial: Trial, words: Words) -> tuple[Lines, ...]:
    """The price that it watches with its threshold; nothing where that was not tried."""
    return () if trial.tried is None else watched_chart(trial.rule, trial.points, trial.threshold, words)


def watched_chart(rule: Note, points: Points, threshold: float | None, words: Words) -> tuple[Lines, ...]:
    """The last days of a price and the threshold that a rule has on it; nothing of a rule without one."""
    if threshold is None:
        return ()
    return price_chart(words(rule), words("price"), points, threshold, REPLAY_DAYS * DAY, words)
