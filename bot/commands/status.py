"""``status``: what is polled, how often, how fresh it is, and what it costs of the day's rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analytics.evidence import Evidence, Freshness, Note, Plural, clock_time, iso, seconds_of
from analytics.market import DAY, HOUR
from bot.alerts.noticing import Noticing, noticing
from bot.dispatch.command import Command, QueryContext
from bot.presentation.card import Card, Column, Table
from bot.presentation.words import Words
from bot.store.market_reads import counts_of
from bot.version import version


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """How one model is polled."""

    gpu_name: str
    interval_seconds: int
    last_poll: str | None
    last_quality: str | None
    last_complete_poll: str | None
    rows_a_poll: int | None
    stale: bool
    freshness: str
    followed: bool


@dataclass(frozen=True, slots=True)
class Probes:
    """What probes between polls cost today; ``rows_share`` null where none was made."""

    requests_today: int
    rows_today: int
    rows_share: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the collector."""

    version: str
    timestamp: str
    rows_spent_today: int
    rows_learned_limit: int | None
    polls_resume_at: str | None
    """when the market gives rows again, if none are left today"""
    planned_rows_a_day: int
    probes: Probes
    noticing: Noticing
    """seconds within which each kind of rule is looked at again, as measured"""
    polls_24h: dict[str, int]
    models: tuple[ModelStatus, ...]
    leader: str | None
    """the process whose lease runs, as host:process; null where nobody leads or, as in SQLite, it is not stored"""
    leader_since: str | None
    leader_last: str | None
    """the process that led last, where nobody leads now"""
    evidence: Evidence


async def ask(query: QueryContext) -> Status:
    """The state of the collector as the store knows it."""
    rows = await query.reader.models()
    spent, limit = await query.reader.quota(query.now // DAY)
    polls = await query.reader.poll_spans(query.now - DAY)
    counts = counts_of(polls)
    probed = await query.reader.probes.day(query.now // DAY)
    led = await query.reader.leader()
    followed = [row for row in rows if row.followed]
    models = tuple(
        ModelStatus(
            gpu_name=row.name,
            interval_seconds=row.interval,
            last_poll=_iso(row.last_poll_at),
            last_quality=None if row.last_quality is None else row.last_quality.value,
            last_complete_poll=_iso(row.last_good_at),
            rows_a_poll=row.last_rows,
            stale=query.basis_of([row]).stale,
            freshness=query.basis_of([row]).freshness.value,
            followed=row.followed,
        )
        for row in sorted(rows, key=lambda row: not row.followed)
    )
    by_name = {row.vast_name: row for row in followed if row.interval}
    planned = sum((row.last_rows or 0) * DAY // row.interval for row in by_name.values())
    basis = query.basis_of(followed or rows)
    return Status(
        version=version(),
        timestamp=iso(query.now),
        rows_spent_today=spent,
        rows_learned_limit=limit,
        polls_resume_at=_iso(query.spent_until),
        planned_rows_a_day=planned,
        probes=Probes(probed.requests, probed.rows, probed.share),
        noticing=noticing(await query.reader.probes.last(), polls, {row.name for row in followed}, query.now),
        polls_24h={quality.value: count for quality, count in counts.items()},
        models=models,
        leader=led.holder if led and led.held else None,
        leader_since=iso(led.since) if led and led.held else None,
        leader_last=led.holder if led and not led.held else None,
        evidence=basis.evidence(Note("read from the poll log; rows are what the market service delivered")),
    )


def _iso(at: int | None) -> str | None:
    return None if at is None else iso(at)


def _state(model: ModelStatus, words: Words) -> str:
    if not model.followed:
        return words("not followed")
    return words(STATES[Freshness(model.freshness)])


STATES: Mapping[Freshness, str] = {
    Freshness.FRESH: "fresh",
    Freshness.LATE: "late",
    Freshness.QUOTA_SPENT: "late, rows spent",
    Freshness.MARKET_DOWN: "market down",
    Freshness.MISDATED: "age unknown",
    Freshness.NEVER_POLLED: "never polled",
}
"""What is said of how fresh a model's data are."""


def _every(seconds: int, words: Words) -> str:
    """How often a model is polled."""
    return words.hours(seconds / HOUR) if seconds >= 60 else f"{words.number(seconds)} s"


def card(answer: Status, words: Words) -> Card:
    """Plan and spend, then a line a model."""
    followed = Plural("{n} model followed", "{n} models followed")
    spent = Plural("{n} row spent today, {planned} planned a day", "{n} rows spent today, {planned} planned a day")
    lead = words(followed, n=sum(model.followed for model in answer.models))
    lead += " · " + words(spent, n=answer.rows_spent_today, planned=answer.planned_rows_a_day)
    columns = (
        Column(words("GPU")),
        Column(words("every"), "right"),
        Column(words("last complete poll")),
        Column(words("rows"), "right"),
        Column(words("state")),
    )
    rows = tuple(
        (
            model.gpu_name,
            _every(model.interval_seconds, words) if model.followed else words.hours(None),
            model.last_complete_poll or "–",
            words.number(model.rows_a_poll, 0),
            _state(model, words),
        )
        for model in answer.models
    )
    polls = ", ".join(f"{words(name)} {count}" for name, count in answer.polls_24h.items())
    notes = [words("polls in the last 24 h: {polls}", polls=polls), words("version {version}", version=answer.version)]
    notes += _probing(answer, words)
    if answer.rows_learned_limit is not None:
        notes.append(
            words(
                Plural(
                    "the market service said its limit is {n} row a day",
                    "the market service said its limit is {n} rows a day",
                ),
                n=answer.rows_learned_limit,
            )
        )
    if answer.polls_resume_at is not None:
        resume = clock_time(seconds_of(answer.polls_resume_at))
        notes.append(words("no rows are left today; polling goes on at {time} UTC", time=resume))
    if answer.leader is not None:
        notes.append(
            words("the process {leader} leads, since {since}", leader=answer.leader, since=answer.leader_since)
        )
    if answer.leader_last is not None:
        notes.append(
            words("no process leads now, so nothing is polled; {leader} was the last", leader=answer.leader_last)
        )
    table = Table(words("Models"), columns, rows)
    return Card(words("Status"), lead, (table,) if rows else (), (), tuple(notes), words.footer(answer.evidence))


def _probing(answer: Status, words: Words) -> list[str]:
    """What probes cost, and how soon rules notice."""
    notes = []
    if answer.probes.rows_share is not None:
        cost = "probes today, requests: {n}; rows: {rows} of {share}"
        probes = answer.probes
        notes.append(words(cost, n=probes.requests_today, rows=probes.rows_today, share=probes.rows_share))
    for text, seconds in (
        ("alerts on the floor are looked at every {time}", answer.noticing.floor_seconds),
        ("alerts on availability are looked at every {time}", answer.noticing.available_seconds),
        ("alerts on offers are looked at every {time}", answer.noticing.offer_seconds),
        ("alerts on the current price are looked at every {time}", answer.noticing.current_price_seconds),
        ("other alerts are looked at with each poll, every {time}", answer.noticing.polls_seconds),
    ):
        if seconds is not None:
            notes.append(words(text, time=words.hours(seconds / 3600)))
    return notes


COMMAND = Command(
    name="status",
    summary="What is polled, how fresh it is, and what it costs of the day's row budget",
    path="/api/spot/status",
    params=(),
    ask=ask,
    card=card,
    examples=("status",),
    role="member",
)
