"""What is foretold now, for the confirmation of a rule that watches it and for ``alert show``."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from analytics.errors import NotYet
from analytics.evidence import Note, iso
from analytics.market import HOUR
from bot.alerts.descriptions import measured
from bot.alerts.engine import key_of
from bot.alerts.explain import figure, plain_value
from bot.alerts.foretold import FORETOLD, foretold, predicted_value
from bot.alerts.rules import Measure, Rule
from bot.alerts.state import Reading
from bot.dispatch.command import QueryContext
from bot.presentation.words import Words


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there is no value: what there is, what is needed, and when it will do, null where nobody knows."""

    why: Note
    have: Note
    need: Note
    ready_at: str | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """The value of now in USD or percent, null where ``missing`` says why; ``basis``: what it rests on."""

    measure: Note
    value: float | None
    shown: Note | None
    basis: tuple[Note, ...]
    missing: Missing | None


async def outlook_of(query: QueryContext, rule: Rule) -> Outlook | None:
    """What is foretold now of a rule's series; None for a rule on what is seen."""
    if rule.series.measure not in FORETOLD:
        return None
    now = await foretold(key_of(rule), query.reader, query.now, {})
    return Outlook(
        measure=measured(rule.series),
        value=plain_value(rule, now.value),
        shown=None if now.value is None else figure(rule, now.value),
        basis=now.basis,
        missing=None if now.missing is None else _missing(now.missing),
    )


async def past_readings(query: QueryContext, rule: Rule, since: int) -> list[Reading]:
    """What the rule's series was at each hour's forecast, as it was issued then; none of what is not kept."""
    if rule.series.measure is not Measure.PREDICTED:
        return []
    issued = await query.reader.forecasts_since(rule.series.model, since)
    by_hour = itertools.groupby(issued, key=lambda forecast: forecast.issued_at)
    return [Reading(at, predicted_value(key_of(rule), list(some), at), HOUR) for at, some in by_hour]


def _missing(error: NotYet) -> Missing:
    return Missing(error.note, error.have, error.need, None if error.ready_at is None else iso(error.ready_at))


def outlook_lines(outlook: Outlook | None, words: Words) -> tuple[str, ...]:
    """The value of now and what it rests on, or why there is none; nothing for a rule on what is seen."""
    if outlook is None:
        return ()
    if outlook.missing is None:
        return (
            words("{measure}: {value} now", measure=outlook.measure, value=outlook.shown),
            *(words(note) for note in outlook.basis),
        )
    lacks = outlook.missing
    silent = words("There is no value now, so nothing fires: {why}", why=lacks.why)
    lines = [silent, words("There is: {have}", have=lacks.have), words("Needed: {need}", need=lacks.need)]
    if lacks.ready_at is not None:
        lines.append(words("It will do at {at} if polling goes on.", at=lacks.ready_at))
    return tuple(lines)
