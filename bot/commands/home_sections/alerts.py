"""My alerts: how they stand, and what they watch is worth now."""

from __future__ import annotations

from dataclasses import dataclass

from analytics.evidence import Note
from analytics.market import WORLD
from bot.alerts.descriptions import describe
from bot.alerts.elements import snooze_actions
from bot.alerts.engine import key_of
from bot.alerts.explain import figure
from bot.alerts.measures import measure
from bot.alerts.rules import Measure
from bot.commands.alerts.listing import shown_status, state_in_words
from bot.commands.alerts.owned import Owned
from bot.commands.home_sections.section import Ground, Section, Shown
from bot.presentation.card import Action, Column, Table
from bot.presentation.words import Words

MOST_SHOWN = 10
"""Alerts that are listed (ours: one screen; ``alert list`` has them all)."""

WITH_BUTTONS = 2
"""Alerts that have buttons, the newest (ours: three each, and more are a wall on a telephone)."""

SNOOZE = ("1h",)


@dataclass(frozen=True, slots=True)
class MyAlert:
    """One rule. ``value``: the newest that is known of what it watches; ``read_at``: of which UTC second that is."""

    id: str
    rule: Note
    status: str
    stopped: str | None
    value: Note | str
    read_at: int | None


@dataclass(frozen=True, slots=True)
class MyAlerts:
    """The newest of the asker's rules, and how many more there are."""

    alerts: tuple[MyAlert, ...]
    more: int
    firing: int


async def read(ground: Ground) -> MyAlerts:
    """The asker's rules, the newest first."""
    now = ground.query.now
    shown = [await _line(ground, owned) for owned in ground.alerts[:MOST_SHOWN]]
    firing = sum(shown_status(owned.state, now) == "firing" for owned in ground.alerts)
    return MyAlerts(tuple(shown), max(0, len(ground.alerts) - MOST_SHOWN), firing)


async def _line(ground: Ground, owned: Owned) -> MyAlert:
    value, read_at = await _value(ground, owned)
    return MyAlert(
        owned.row.public_id,
        describe(owned.rule),
        shown_status(owned.state, ground.query.now),
        owned.row.stopped,
        figure(owned.rule, value),
        None if value is None else read_at,
    )


async def _value(ground: Ground, owned: Owned) -> tuple[int | None, int | None]:
    """Of the latest poll where that is read for the home anyway, else what the rule was decided by last."""
    series = owned.rule.series
    row = ground.rows.get(series.model)
    polled = row is not None and row.last_good_at is not None and row.recorded_at is None
    if row is None or not polled or series.region != WORLD or series.measure not in (Measure.PRICE, Measure.GPUS):
        return owned.state.value, owned.state.last_at
    quote = ground.quotes.get(series.model)
    quotes = {} if quote is None else {(series.model, WORLD, series.scope): quote}
    return await measure(key_of(owned.rule), quotes, ground.query.reader, row.last_good_at or 0), row.last_good_at


def show(answer: MyAlerts, words: Words) -> Shown:
    """A line a rule; buttons for the newest."""
    add = Action(words("Add an alert"), "alert add", "primary", place="form")
    if not answer.alerts:
        example = "alert 4090 < 0.35"
        return Shown(notes=(words("You have no alerts yet. For example: {example}", example=example),), actions=(add,))
    columns = (
        Column(words("alert")),
        Column(words("state")),
        Column(words("value now"), "right"),
        Column(words("age"), "right"),
        Column(words("rule")),
    )
    rows = tuple(_cells(alert, words) for alert in answer.alerts)
    buttons = (action for alert in answer.alerts[:WITH_BUTTONS] for action in _actions(alert.id, words))
    return Shown((Table(words("My alerts"), columns, rows),), tuple(_notes(answer, words)), (add, *buttons))


def _cells(alert: MyAlert, words: Words) -> tuple[str, ...]:
    value = words(alert.value) if isinstance(alert.value, Note) else alert.value
    age = "–" if alert.read_at is None else words.ago(alert.read_at)
    return (alert.id, state_in_words(alert.status, alert.stopped, words), value, age, words(alert.rule))


def _notes(answer: MyAlerts, words: Words) -> list[str]:
    if not answer.more:
        return []
    return [words("your alerts beyond these: {n}; alert list shows them", n=answer.more)]


def _actions(alert: str, words: Words) -> tuple[Action, ...]:
    """Each names its alert: the buttons of several stand beside each other."""
    silence = (
        Action(f"{action.label} · {alert}", action.line, action.style)
        for action in snooze_actions(alert, words, SNOOZE)
    )
    edit = Action(f"{words('Edit')} · {alert}", f"alert edit {alert}", place="form")
    return (*silence, edit, Action(f"{words('Delete')} · {alert}", f"alert delete {alert}", "danger"))


SECTION = Section("alerts", read, show)
