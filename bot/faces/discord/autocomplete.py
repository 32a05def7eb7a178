"""What Discord offers while somebody types: models on the market, and the values that a parameter suggests."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from typing import Any

import discord
import structlog
from rapidfuzz import fuzz, process

from analytics.catalog import resolve
from analytics.errors import AskError
from bot.dispatch.command import Param
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.discord.members import asker_of
from bot.store.errors import StoreError

log = structlog.get_logger()

PATIENCE = 2.0
"""Seconds after which who types has typed on."""

KEPT_SECONDS = 30
"""How long the list of models is kept: people type faster than the market changes."""

ALIKE = 60
"""Least similarity (0-100) of a model worth offering."""

_LETTERS = re.compile(r"[^a-z0-9]+")


class Suggestions:
    """Finds what to offer."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._models: tuple[str, ...] = ()
        self._read_at: int | None = None

    async def __call__(self, interaction: discord.Interaction[Any], param: Param, typed: str) -> list[str]:
        """The best first; empty where nothing can be found in time."""
        if param.kind not in ("gpu", "gpus"):
            return values(param, typed)
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._gpus(interaction, typed, several=param.kind == "gpus")
        except (StoreError, TimeoutError) as error:
            log.warning("no suggestions", reason=repr(error))
            return []

    async def _gpus(self, interaction: discord.Interaction[Any], typed: str, *, several: bool) -> list[str]:
        head, comma, last = typed.rpartition(",") if several else ("", "", typed)
        taken = {name.strip().lower() for name in head.split(",")}
        if last.strip():
            found = [*matching(last, await self._known(), self._dispatcher)]
        else:
            async with self._dispatcher.query_context(asker_of(interaction)) as query:
                mine = query.preferences.gpus
            found = [*dict.fromkeys((*mine, *await self._known()))]
        return [f"{head}{comma}{name}" for name in found if name.lower() not in taken]

    async def _known(self) -> tuple[str, ...]:
        now = self._dispatcher.clock()
        if self._read_at is None or not 0 <= now - self._read_at < KEPT_SECONDS:
            async with self._dispatcher.query_context() as query:
                self._models = await query.known()
            self._read_at = now
        return self._models


def matching(typed: str, known: Sequence[str], dispatcher: Dispatcher) -> Iterator[str]:
    """Models that a typed text may mean: by name or alias, then those that hold it, then those that look like it."""
    letters = _LETTERS.sub("", typed.lower())
    found = [*_meant(typed, known, dispatcher), *(name for name in known if letters in _LETTERS.sub("", name.lower()))]
    alike = process.extract(typed[:40], known, scorer=fuzz.WRatio, processor=str.lower, limit=25, score_cutoff=ALIKE)
    yield from dict.fromkeys([*found, *(name for name, *_ in alike)])


def _meant(typed: str, known: Sequence[str], dispatcher: Dispatcher) -> Sequence[str]:
    try:
        return resolve(typed, dispatcher.catalog, known)
    except AskError as error:
        return error.suggestions


def values(param: Param, typed: str) -> list[str]:
    """A parameter's suggestions that hold what is typed; before them, that itself."""
    fitting = [text for text in (*param.suggest, *param.choices) if typed.strip().lower() in text.lower()]
    return fitting if not typed.strip() or param.choices or typed in fitting else [typed, *fitting]
