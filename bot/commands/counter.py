"""The counter where every face asks: one line or one set of named texts in, one answer out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from analytics.catalog import Catalog, load_catalog, resolve
from analytics.errors import AskError
from bot.commands.base import Command, Desk
from bot.commands.grammar import find_command, read
from bot.commands.params import convert

if TYPE_CHECKING:
    from bot.store.engine import Store

RECENT_SECONDS = 6 * 3600
"""How long a question about a model counts as recent for the poller."""


@dataclass(slots=True)
class Counter:
    """Asks commands of the stored market. ``clock`` gives UTC seconds; ``asked``: model -> when somebody last asked."""

    store: Store
    commands: Sequence[Command]
    clock: Callable[[], int]
    home: str | None = None
    catalog: Catalog = field(default_factory=load_catalog)
    asked: dict[str, int] = field(default_factory=dict)

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[Desk]:
        """A desk on one snapshot of the store."""
        async with self.store.reader() as reader:
            yield Desk(reader=reader, catalog=self.catalog, now=self.clock(), home=self.home)

    async def ask(self, command: Command, given: Mapping[str, str]) -> Any:
        """The answer to a command whose parameters are given as texts; raises the tree of :mod:`analytics.errors`."""
        async with self.desk() as desk:
            values = await convert(command, given, desk)
            self._remember(command, values)
            return await command.ask(desk, **values)

    async def ask_line(self, line: str) -> tuple[Command, Any]:
        """The command that a line of text calls, and its answer."""
        command, given = await self.read(line)
        return command, await self.ask(command, given)

    async def read(self, line: str) -> tuple[Command, dict[str, str]]:
        """The command and the texts of its parameters in a line, not yet asked."""
        async with self.desk() as desk:
            known = await desk.known()
        return read(line, self.commands, lambda text: self._is_gpu(text, known))

    def command(self, verb: str) -> Command:
        """The command of a verb."""
        return find_command(verb, self.commands)

    def recently_asked(self) -> set[str]:
        """Models that somebody asked about lately: the poller serves them first."""
        horizon = self.clock() - RECENT_SECONDS
        self.asked = {model: at for model, at in self.asked.items() if at >= horizon}
        return set(self.asked)

    def _remember(self, command: Command, values: Mapping[str, Any]) -> None:
        for param in command.params:
            value = values[param.name]
            if value and param.kind in ("gpu", "gpus"):
                self.asked.update(dict.fromkeys((value,) if param.kind == "gpu" else value, self.clock()))

    def _is_gpu(self, text: str, known: Sequence[str]) -> bool:
        try:
            return bool(resolve(text, self.catalog, known))
        except AskError:
            return False
