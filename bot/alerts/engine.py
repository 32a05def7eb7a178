"""From a round to states and messages, in the round's own transaction; and what happens when time passes alone."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from analytics.market import Offer, Quality, Round
from bot.alerts.codec import dump, load_rule, load_state, plain
from bot.alerts.decide import Event, EventKind, decide
from bot.alerts.endpoint_events import ToldEvent, endpoint_messages
from bot.alerts.foretold import Shared
from bot.alerts.measures import measure
from bot.alerts.offers import Match, OfferBook, matches, matching, offer_book
from bot.alerts.rules import Direction, Kind, Measure, Rule
from bot.alerts.state import STALE_INTERVALS, Reading, State, stands_still
from bot.alerts.wake import due_at, notice_at, timer_at, wake
from bot.store.alerts import AlertRow, RuleRow, RuleState, SeriesKey, Standing
from bot.store.outbox import Action, NewMessage, Thread
from bot.store.reader import ModelRow
from bot.store.writer import Writer

TEST = "test"
"""The kind of a message that somebody asked for to see it."""

THREAD_S = 6 * 3600
"""A second episode within so many seconds of the last message answers in its thread; later it is news again (ours)."""


HIGHEST = 2**62
"""Above every value that is measured, within what a database's integer holds."""

RULES_A_PASS = 10_000
"""Rules that the time alone changes in one transaction (ours: a second or two); the others come with the next."""


def standing(rule: Rule, state: State, now: int = 0) -> Standing:
    """A state as it is stored, with when it must be looked at again."""
    below, above = wake(rule, state)
    alone = timer_at(rule, state, now), notice_at(rule, state, now)
    return Standing(dump(state), str(state.status), below, above, due_at(rule, state), *alone)


def rule_row(series_id: int, rule: Rule, state: State) -> RuleRow:
    """A rule as it is stored."""
    return RuleRow(series_id, dump(rule), rule.threshold, standing(rule, state))


def key_of(rule: Rule) -> SeriesKey:
    """The series of a rule, as the store names it."""
    s = rule.series
    return SeriesKey(s.model, s.region, s.scope, str(s.measure), str(s.metric), s.window, s.level)


TOPIC = "alert/"
"""What the topics of rules begin with, before their ids."""


def topic_of(alert_id: int) -> str:
    """What a rule's messages are queued under: they keep their order."""
    return f"{TOPIC}{alert_id}"


def identity(alert_id: int, event: Event) -> str:
    """Names a message. An episode has one fire and at most one resolve; reminders and notices are counted."""
    once = event.kind in (EventKind.FIRE, EventKind.RESOLVE)
    return f"{topic_of(alert_id)}/{event.episode}/{event.kind}" + ("" if once else f"/{event.n}")


async def evaluate(writer: Writer, round_: Round) -> None:
    """Decide every rule that a round may change. Only complete polls say anything."""
    polls = {poll.model: poll for poll in round_.polls if poll.quality is Quality.COMPLETE}
    if not polls:
        return
    intervals = {model: poll.interval for model, poll in polls.items()}
    series = await writer.alerts.series(intervals)
    values: dict[int, int] = {}
    shared: Shared = {}
    for id_, key in series.items():
        value = await measure(key, round_.quotes, writer.read, round_.at, polls[key.model].offers, shared)
        if value is not None:
            values[id_] = value
        elif key.measure == Measure.OFFER:
            values[id_] = HIGHEST  # where nothing is on offer, nothing matches
    if not values:
        return

    @functools.cache
    def book(key: SeriesKey) -> OfferBook:
        return offer_book(polls[key.model].offers, key.region, round_.at)

    decisions = Decisions(round_.at)
    for alert in await writer.alerts.woken(values, round_.at):
        key, value = series[alert.series_id], values[alert.series_id]
        reading = Reading(round_.at, value, intervals[key.model])
        if key.measure == Measure.OFFER:
            reading = _with_matches(reading, matching(book(key), load_rule(alert.rule)))
        decisions.decide(alert, reading, round_.at)
    await decisions.save(writer)


def of_offers(reading: Reading, rule: Rule, offers: Iterable[Offer]) -> Reading:
    """The reading with the machines that match a rule on offers."""
    return _with_matches(reading, matches(offers, rule, reading.at))


def _with_matches(reading: Reading, found: tuple[Match, ...]) -> Reading:
    return replace(reading, value=None if reading.value == HIGHEST else reading.value, matches=found)


async def evaluate_probe(writer: Writer, series: Mapping[int, ProbedSeries], at: int, interval: int) -> None:
    """Decide the rules that a probe proves met, and those that the probe before it did and this one does not.

    ``interval``: planned seconds between two polls of the model: only polls tell whether it is heard of.
    """
    decisions = Decisions(at)

    @functools.cache
    def books(series_id: int, region: str) -> tuple[OfferBook, OfferBook]:
        probed = series[series_id]
        return offer_book(probed.offers, region, at), offer_book(probed.offers_before, region, at)

    for alert in await writer.alerts.woken({id_: probed.waking for id_, probed in series.items()}, at):
        rule, probed = load_rule(alert.rule), series[alert.series_id]
        reading = Reading(at, probed.value, interval, bound=probed.bound)
        met = any(value is not None and rule.met(value) for value in (probed.value, probed.before))
        if rule.kind is Kind.OFFER:
            now, before = books(alert.series_id, rule.series.region)
            reading = _with_matches(reading, matching(now, rule))
            met = bool(reading.matches or matching(before, rule))
        if met:
            decisions.decide(alert, reading, at)
    await decisions.save(writer)


async def pass_time(writer: Writer, now: int) -> None:
    """Decide what the time alone changes: held messages, expiry, and series of which nothing was heard.

    Each rule that is decided here is stored with a later time, or with none: nothing is decided every second.
    """
    decisions = Decisions(now)
    for alert in await writer.alerts.due(now, RULES_A_PASS):
        decisions.decide(alert, None, now)
    silent = {row.name: row for row in await writer.read.models() if _is_silent(row, now)}
    series = await writer.alerts.series(silent) if silent else {}
    for alert in await writer.alerts.unheard(series, now, RULES_A_PASS):
        if alert.id not in decisions.states:
            row = silent[series[alert.series_id].model]
            decisions.decide(alert, Reading(now, None, row.interval, heard_at=row.last_good_at), now)
    await decisions.save(writer)


def _is_silent(row: ModelRow, now: int) -> bool:
    return row.last_good_at is not None and now - row.last_good_at > STALE_INTERVALS * row.interval


@dataclass(frozen=True, slots=True)
class ProbedSeries:
    """What a probe says of a series: that it is ``value`` or lies beyond it; None where it met with nothing."""

    value: int | None
    bound: Direction
    before: int | None = None
    """what the probe before this one said of the same part of the market"""
    offers: tuple[Offer, ...] = ()
    """what it met with"""
    offers_before: tuple[Offer, ...] = ()
    """what the probe before this one met with"""

    @property
    def waking(self) -> int:
        """The value to find rules by: those that wait for a confirmation are found by any."""
        if self.value is not None:
            return self.value
        return HIGHEST if self.bound is Direction.BELOW else 0


@dataclass(frozen=True, slots=True)
class Told:
    """A message to be written, with what it came from."""

    alert: RuleState
    rule: Rule
    before: State
    event: Event

    @property
    def answers(self) -> bool:
        """Whether it goes to the thread of the message before it, if there is one."""
        sent_at, event = self.before.sent_at, self.event
        recent = sent_at is not None and event.at - sent_at <= THREAD_S
        return event.kind in (EventKind.REPEAT, EventKind.MORE) or (
            event.kind is EventKind.FIRE and event.episode > 1 and recent
        )


@dataclass(slots=True)
class Decisions:
    """What was decided in one transaction, until it is saved in it."""

    at: int
    states: dict[int, Standing] = field(default_factory=dict)
    _told: list[Told] = field(default_factory=list)

    def decide(self, alert: RuleState, reading: Reading | None, now: int) -> None:
        """Decide one rule. One that stands still is saved only where the time has been used up."""
        rule, before = load_rule(alert.rule), load_state(alert.state)
        decision = decide(rule, before, reading, now)
        if reading is None or reading.value is None or not stands_still(before, decision.state):
            self.states[alert.id] = standing(rule, decision.state, now)
        self._told += [Told(alert, rule, before, event) for event in decision.events]

    async def save(self, writer: Writer) -> None:
        """States and messages, together."""
        await writer.alerts.save(self.states.items())
        topics = [topic_of(told.alert.id) for told in self._told if told.answers]
        threads = await writer.outbox.threads(topics, (EventKind.FIRE, EventKind.REPEAT, EventKind.MORE))
        messages = [self._message(told, threads) for told in self._told]
        events = [
            ToldEvent(told.alert.id, told.rule.series.model, told.event.kind, one.identity, one.topic, one.payload)
            for told, one in zip(self._told, messages, strict=True)
        ]
        await writer.outbox.add([*messages, *await endpoint_messages(writer, events, self.at)], self.at)

    def _message(self, told: Told, threads: Mapping[str, Thread]) -> NewMessage:
        action, refers_to = _place(told, threads)
        return NewMessage(
            identity=identity(told.alert.id, told.event),
            destination_id=told.alert.destination_id,
            topic=topic_of(told.alert.id),
            kind=str(told.event.kind),
            payload=_said(told.alert.public_id, told.alert.person, told.alert.rule, told.event),
            action=action,
            refers_to=refers_to,
            batch=self.at if action == "post" else None,
        )


def payload(alert: AlertRow, rule: Rule, event: Event) -> dict[str, Any]:
    """What a message says, as data: words are made when it is sent."""
    return _said(alert.public_id, alert.owner.person, dump(rule), event)


def _said(public_id: str, person: str, rule: str, event: Event) -> dict[str, Any]:
    told = plain(event)
    if event.offers is not None:
        told["offers"] = [plain(match) for match in event.offers]
    return {"alert": public_id, "by": person, "rule": rule, "event": told}


def _place(told: Told, threads: Mapping[str, Thread]) -> tuple[Action, str | None]:
    """Where a message goes: a resolve edits its fire, a reminder and a quick second fire answer in the thread."""
    event, thread = told.event, threads.get(topic_of(told.alert.id))
    if event.kind is EventKind.RESOLVE:
        return "edit", identity(told.alert.id, replace(event, kind=EventKind.FIRE))
    if not told.answers or thread is None:
        return "post", None
    # the message before may have been a notice of no data, long after the last fire
    news = event.kind is EventKind.FIRE and event.at - thread.newest_at > THREAD_S
    return ("post", None) if news else ("thread", thread.root)
