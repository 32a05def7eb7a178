"""What a section of the home is, and what is read once for all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.market import Quote
from bot.alerts.codec import load_rule, load_state
from bot.commands.alerts.owned import Owned, known_to
from bot.commands.scales import thinnings_of
from bot.dispatch.command import QueryContext
from bot.presentation.card import Action, Table
from bot.presentation.words import Words
from bot.store.reader import ModelRow

MOST_GPUS = 5
"""Models of a home at most (ours: one screen)."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What sections are made of: the stored models, the asker's own of them, their prices, and the asker's rules."""

    query: QueryContext
    rows: Mapping[str, ModelRow]
    mine: Sequence[ModelRow]
    chosen: int | None
    """how many models the asker has chosen; None where these are the busiest"""
    quotes: Mapping[str, Quote]
    """of the asker's models, and of those that their rules watch"""
    alerts: Sequence[Owned]
    """the asker's own rules, the newest first"""
    thinnings: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Shown:
    """A section in words."""

    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the home: ``read`` makes its data, a dataclass, of which ``show`` makes what is seen."""

    name: str
    read: Callable[[Ground], Awaitable[Any]]
    show: Callable[[Any, Words], Shown]


async def ground_of(query: QueryContext, gpus: Sequence[str] | None) -> Ground:
    """Read what the sections share: in few statements, for a home is opened often."""
    rows = {row.name: row for row in await query.reader.models()}
    busiest = [name for name, row in rows.items() if row.followed or row.priced_at is not None]
    mine = [rows[name] for name in gpus or busiest if name in rows][:MOST_GPUS]
    alerts = await _rules_of(query)
    names = {row.name for row in mine} | {owned.rule.series.model for owned in alerts}
    return Ground(
        query=query,
        rows=rows,
        mine=mine,
        chosen=None if gpus is None else len(gpus),
        quotes=await query.prices(sorted(names)),
        alerts=alerts,
        thinnings=await thinnings_of(query, [row.name for row in mine]),
    )


async def _rules_of(query: QueryContext) -> list[Owned]:
    asker = query.asker
    if asker is None:
        return []
    rows = [row for row in await known_to(query.reader.alerts, asker) if row.owner.person == asker.person]
    rows.sort(key=lambda row: row.id, reverse=True)
    return [Owned(row, load_rule(row.rule), load_state(row.state)) for row in rows]
