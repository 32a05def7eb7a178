"""``home``: one screen for who asks: their GPUs, alerts and safe hours, the state of the data, and what holds here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analytics.errors import Refused
from analytics.evidence import Note
from bot.commands.home_sections import alerts, gpus, here, safe_hours, told
from bot.commands.home_sections.alerts import MyAlerts
from bot.commands.home_sections.gpus import MyGpus
from bot.commands.home_sections.here import Here
from bot.commands.home_sections.section import Section, ground_of
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Card
from bot.presentation.words import Words

SECTIONS: tuple[Section, ...] = (gpus.SECTION, alerts.SECTION, safe_hours.SECTION, told.SECTION, here.SECTION)
"""From top to bottom. One more is a file beside these and its name here."""


@dataclass(frozen=True, slots=True)
class Home:
    """The data of each section by its name."""

    sections: Mapping[str, Any]


async def ask(query: QueryContext, *, gpu: tuple[str, ...] | None) -> Home:
    """The asker's own models, else the busiest."""
    if query.asker is None:
        raise Refused(Note("a home belongs to people in chat"))
    ground = await ground_of(query, gpu)
    return Home({section.name: await section.read(ground) for section in SECTIONS})


def card(answer: Home, words: Words) -> Card:
    """The sections below each other."""
    shown = [section.show(answer.sections[section.name], words) for section in SECTIONS]
    state: Here = answer.sections[here.SECTION.name]
    return Card(
        words("Home"),
        words.lead(_lead(answer, words), state.evidence),
        tuple(table for part in shown for table in part.tables),
        notes=tuple(note for part in shown for note in part.notes),
        footer=words.footer(state.evidence),
        actions=tuple(action for part in shown for action in part.actions),
    )


def _lead(answer: Home, words: Words) -> str:
    mine: MyGpus = answer.sections[gpus.SECTION.name]
    rules: MyAlerts = answer.sections[alerts.SECTION.name]
    parts = [
        f"{line.trend.gpu_name} {words.money(line.trend.current_price)}"
        for line in mine.gpus[:1]
        if line.trend.current_price is not None
    ]
    count = len(rules.alerts) + rules.more
    parts.append(words("alerts: {n}", n=count))
    if rules.firing:
        parts.append(words("firing: {n}", n=rules.firing))
    return " · ".join(parts)


COMMAND = Command(
    name="home",
    summary="Your GPUs, alerts and safe hours on one screen, and what holds here",
    path=None,
    params=(Param("gpu", "gpus", "models to show; yours when not given, else the busiest"),),
    ask=ask,
    card=card,
    examples=("home", "home 4090"),
    role="member",
    prices_do=True,
)
