"""``fleet`` (Q3): which GPUs to rent for a monthly budget."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from analytics.answers.fleet import DEFAULT_HOURS, SPEEDS, FleetStrategy, Order, Part, fleet_strategy, lots
from analytics.answers.fleet_program import LEVELS, Lot
from analytics.answers.offers_now import Wanted
from analytics.catalog import Catalog
from analytics.errors import NotYet
from analytics.evidence import Basis, Note, Plural
from bot.commands.card_notes import card_notes
from bot.commands.offers_now import with_offers
from bot.commands.scales import risk_since
from bot.dispatch.command import Command, Param, QueryContext
from bot.presentation.card import Action, Card, Column, Table
from bot.presentation.words import Words

SHOWN = 6
"""Rows of the card's table; the JSON has them all."""


async def ask(
    query: QueryContext,
    *,
    workload: str,
    budget: float,
    reliability: str,
    hours_per_month: float,
    min_vram: float | None,
) -> FleetStrategy:
    """Everything that is free now, and how much time each place has lost lately."""
    order = Order(workload, budget, reliability, hours_per_month, min_vram)
    rows = [row for row in await query.reader.models() if row.last_good_at]
    if not rows:
        note = Note("no complete poll of the market is stored yet")
        raise NotYet(note, have=Note("no offer"), need=Note("one complete poll"))
    fresh = [row for row in rows if not query.basis_of([row]).stale] or rows
    book = await query.reader.book([row.name for row in fresh])
    exposures = await query.reader.exposure(None, await risk_since(query))
    offered = lots(book, order, exposures, query.catalog)
    basis = query.basis_of(fresh, offers=await query.offers_of([row.name for row in fresh]))
    left_out = len(rows) - len(fresh)
    return await asyncio.to_thread(_solve, order, offered, basis, query.catalog, left_out)


_ONE_AT_A_TIME = threading.Lock()


def _solve(order: Order, offered: Sequence[Lot], basis: Basis, catalog: Catalog, left_out: int) -> FleetStrategy:
    with _ONE_AT_A_TIME, _stdout_kept():
        return fleet_strategy(order, offered, basis, catalog, left_out=left_out)


@contextmanager
def _stdout_kept() -> Iterator[None]:
    """Send what C code prints to standard error meanwhile.

    HiGHS 1.12 prints a line whatever its settings (jump-dev/HiGHS.jl#312), which would stand in the JSON of ``ask``.
    """
    import ctypes

    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        ctypes.CDLL(None).fflush(None)
        os.dup2(kept, 1)
        os.close(kept)


def card(answer: FleetStrategy, words: Words) -> Card:
    """Size and cost, then a line a part."""
    columns = (
        Column(words("GPU")),
        Column(words("number"), "right"),
        Column(words("market")),
        Column(words("region")),
        Column(words("$/GPU-h"), "right"),
        Column(words("a month"), "right"),
        Column(words("role")),
        Column(words("machines"), "right"),
    )
    tables = []
    if answer.composition:
        rows = tuple(_cells(part, words) for part in answer.composition[:SHOWN])
        tables.append(Table(_caption(len(answer.composition), words), columns, rows))
    return Card(
        words("Fleet for {workload}", workload=words(answer.workload)),
        words.lead(_lead(answer, words), answer.evidence),
        tuple(tables),
        notes=_notes(answer, words),
        footer=words.footer(answer.evidence),
        actions=_actions(answer, words),
    )


def _caption(lines: int, words: Words) -> str:
    if lines <= SHOWN:
        return words("Fleet")
    text = Plural("Fleet: {shown} of {n} line, most work first", "Fleet: {shown} of {n} lines, most work first")
    return words(text, shown=SHOWN, n=lines)


def _notes(answer: FleetStrategy, words: Words) -> tuple[str, ...]:
    best, own = [], [words(note) for note in answer.binding_limits]
    if answer.composition:
        own.append(words("{hours} h a month: change with hours=", hours=words.number(answer.hours_per_month)))
    if answer.best_plan:
        text = Plural(
            "the best plan does {more} more work than this simpler one: {n} GPU, {cost} a month",
            "the best plan does {more} more work than this simpler one: {n} GPUs, {cost} a month",
        )
        more = words.percent(answer.best_plan.more_work_percent)
        cost = words.money(answer.best_plan.monthly_cost, 2)
        best.append(words(text, n=answer.best_plan.total_gpus, more=more, cost=cost))
    return card_notes(answer.evidence, words, first=best, own=own)


def _actions(answer: FleetStrategy, words: Words) -> tuple[Action, ...]:
    """The same question with budgets that do, the least demanding reliability first."""
    enough = dict(answer.smallest_budgets)
    if answer.smallest_budget is not None:
        enough[answer.reliability] = answer.smallest_budget
    return tuple(
        Action(
            words("Fleet for {budget}, {level}", budget=words.money(budget, 2), level=words(level)),
            f"fleet {budget} {answer.workload} {level} hours_per_month={answer.hours_per_month:g}",
        )
        for level, budget in ((level, max(least, answer.budget)) for level, least in enough.items())
    )


_ROLES = {"high_priority": "high priority"}
"""Roles whose key is no word."""


def _cells(part: Part, words: Words) -> tuple[str, ...]:
    return (
        part.gpu_type + (f" ×{part.gpus_per_machine}" if part.gpus_per_machine > 1 else ""),
        words.number(part.quantity, 0),
        words(part.market),
        part.region,
        words.money(part.price_per_hour),
        words.money(part.cost_per_month, 2),
        words(_ROLES.get(part.role, part.role)),
        words.number(part.machines, 0),
    )


def _lead(answer: FleetStrategy, words: Words) -> str:
    budget = words.money(answer.budget, 2)
    if not answer.total_gpus:
        return _too_little(answer, budget, words)
    text = Plural(
        "{n} GPU for {hours} a month costs {cost} of {budget}", "{n} GPUs for {hours} a month cost {cost} of {budget}"
    )
    hours = f"{words.number(answer.hours_per_month)} h"
    cost = words.money(answer.monthly_cost, 2)
    lead = words(text, n=answer.total_gpus, hours=hours, cost=cost, budget=budget)
    if answer.savings_vs_aws is None:
        return lead
    compared = "{fleet}; the same work on AWS costs {saved} more"
    if answer.savings_vs_aws < 0:
        compared = "{fleet}; the same work on AWS costs {saved} less"
    return words(compared, fleet=lead, saved=words.money(abs(answer.savings_vs_aws), 2))


def _too_little(answer: FleetStrategy, budget: str, words: Words) -> str:
    lead = words("Nothing on offer makes a fleet of this reliability")
    if answer.smallest_budget is not None:
        enough = words.money(answer.smallest_budget, 2)
        lead = words("{budget} a month is too little; from {enough} a fleet is possible", budget=budget, enough=enough)
    for level, least in answer.smallest_budgets.items():
        if answer.smallest_budget is None or least < answer.smallest_budget:
            text = "{lead}; with reliability {level} from {enough}"
            return words(text, lead=lead, level=words(level), enough=words.money(least, 2))
    return lead


def _which(answer: FleetStrategy, given: Mapping[str, Any]) -> tuple[Wanted, ...]:
    """The best offer of each line."""
    return tuple(
        Wanted(part.gpu_type, part.gpus_per_machine, region=part.region, on_demand=part.market == "on-demand", most=1)
        for part in answer.composition
    )


COMMAND = with_offers(
    Command(
        name="fleet",
        summary="Which GPUs to rent for a monthly budget, spot and on demand",
        path="/api/spot/fleet-strategy",
        params=(
            Param("budget", "usd_per_month", "USD a month", required=True, minimum=0.01, maximum=10_000_000),
            Param("workload", "choice", "what it is for", default="training", choices=tuple(SPEEDS)),
            Param("reliability", "choice", "how much must survive", default="medium", choices=tuple(LEVELS)),
            Param(
                "hours_per_month",
                "hours_per_month",
                "hours that it runs a month",
                default=DEFAULT_HOURS,
                minimum=1,
                maximum=744,
                aliases=("hours",),
            ),
            Param("min_vram", "gigabytes", "least memory of a GPU in GB", minimum=1, maximum=1000, positional=False),
        ),
        ask=ask,
        card=card,
        examples=("fleet training $100", "fleet inference $2000 high"),
        role="member",
    ),
    _which,
    apart=True,
)
