"""``cost`` (Q6): what it costs to train a language model."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.checkpoints import Risk
from analytics.errors import AskError
from analytics.evidence import Note
from analytics.interruptions import estimate, priors, total
from analytics.llm_lookup import find_llm
from analytics.machines import machines
from analytics.market import HOUR
from analytics.memory import DEFAULT_CONTEXT, MODES, Mode, Work
from analytics.prices import nothing_polled
from analytics.runs import BYTES_PER_TOKEN, RESTART_MINUTES, GpuCost, Job
from analytics.speed import GIGA
from analytics.training import DEFAULT_DATASET_GB, TrainingCost, bench_for, training_cost
from bot.commands.base import Command, Desk, Param
from bot.show.card import Card, Column, Table
from bot.show.words import Words

LOOKBACK_HOURS = 30 * 24
"""Interruptions of the last 30 days are what a run is expected to live through."""

SHOWN = 10
"""Rows of the card's table; the JSON has them all."""

METHODS: tuple[Mode, ...] = ("lora", "qlora", "full")


async def ask(
    desk: Desk, *, model: str, gpu: tuple[str, ...] | None, method: Mode, **given: float | None
) -> TrainingCost:
    """The free machines of every model polled (or of ``gpu``), with what interrupted them in the last 30 days."""
    job = _job(desk, model, method, given)
    rows = [row for row in await desk.reader.models() if row.last_good_at]
    if not rows:
        raise nothing_polled()
    used = [row for row in rows if gpu is None or row.name in gpu]
    book = await desk.reader.book([row.name for row in used])
    basis = desk.basis_of(used or rows, offers=len(book))
    risks = await _risks(desk, [row.name for row in used])
    bench = bench_for(job, desk.catalog, desk.now)
    return training_cost(bench, machines(book, desk.catalog), risks, basis, gpu or ())
