"""What Discord offers while somebody types: models on the market, and the values that a parameter suggests."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
import structlog

from bot.dispatch.command import Param
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.offers import KnownModels, is_value, matching, model_list, takes_models, takes_several, values
from bot.faces.discord.members import asker_of
from bot.store.errors import StoreError

log = structlog.get_logger()

PATIENCE = 2.0
"""Seconds after which who types has typed on."""


class Suggestions:
    """Finds what to offer."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._known = KnownModels(dispatcher)

    async def __call__(self, interaction: discord.Interaction[Any], param: Param, typed: str) -> list[str]:
        """The best first; empty where nothing can be found in time."""
        if not takes_models(param):
            return self._texts(param, typed)
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._gpus(interaction, typed, several=takes_several(param))
        except (StoreError, TimeoutError) as error:
            log.warning("no suggestions", reason=repr(error))
            return []

    def _texts(self, param: Param, typed: str) -> list[str]:
        """Values that hold what is typed; that itself before them, where it can stand so, else behind them."""
        found = values(param, typed, self._dispatcher.catalog)
        if not typed.strip() or param.choices or typed in found:
            return found
        return [typed, *found] if is_value(param, typed, self._dispatcher.catalog) else [*found, typed]

    async def _gpus(self, interaction: discord.Interaction[Any], typed: str, *, several: bool) -> list[str]:
        catalog = self._dispatcher.catalog
        if not typed.strip() or (several and typed.rstrip().endswith(",")):
            async with self._dispatcher.query_context(asker_of(interaction)) as query:
                return model_list(typed, await query.known(), catalog, query.preferences.gpus)
        find = model_list if several else matching
        return find(typed, await self._known.read(), catalog)
