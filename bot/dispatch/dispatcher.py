"""The counter where every face asks: one line or one set of named texts in, one answer out."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from analytics.catalog import Catalog, load_catalog, resolve
from analytics.errors import AskError, Refused
from analytics.evidence import Note
from bot.accounts import NO_PREFERENCES, Asker, Preferences, permits
from bot.dispatch.command import Command, QueryContext
from bot.dispatch.grammar import find_command, read
from bot.dispatch.params import EVERYTHING, convert
from bot.dispatch.usage import Usage
from bot.fair_queue import ANYBODY, FairQueue, Waiter

if TYPE_CHECKING:
    from bot.store.engine import Store

AT_ONCE = 2
"""Questions computed at a time. More would share the same processor, and keep acknowledgements waiting behind them."""


@dataclass(slots=True)
class Dispatcher:
    """Asks commands of the stored market. ``clock`` gives UTC seconds."""

    store: Store
    commands: Sequence[Command]
    clock: Callable[[], int]
    home: str | None = None
    catalog: Catalog = field(default_factory=load_catalog)
    turns: FairQueue = field(default_factory=lambda: FairQueue(AT_ONCE))
    usage: Usage = field(init=False)

    def __post_init__(self) -> None:
        self.usage = Usage(self.store, self.clock)

    @asynccontextmanager
    async def query_context(self, asker: Asker | None = None) -> AsyncIterator[QueryContext]:
        """A query on one snapshot of the store."""
        async with self.store.reader() as reader:
            preferences = (
                NO_PREFERENCES if asker is None else (mine := await reader.preferences(asker))[0].over(mine[1])
            )
            yield QueryContext(
                reader=reader,
                catalog=self.catalog,
                now=self.clock(),
                home=preferences.home or self.home,
                commands=self.commands,
                asker=asker,
                preferences=preferences,
                spent_until=await reader.spent_until(self.clock()),
                write=partial(self.store.writer, beside=True),
            )

    async def ask(
        self, command: Command, given: Mapping[str, str], asker: Asker | None = None, *, waiter: Waiter = ANYBODY
    ) -> Any:
        """The answer to a command whose parameters are given as texts; raises the tree of :mod:`analytics.errors`.

        In chat (``asker``) the role must permit it, and what was not said is taken from the asker's preferences.
        Elsewhere ``waiter`` says whose turn it takes.
        """
        if asker is not None and not permits(asker.role, command.role):
            raise Refused(Note("{command} is for a {role} of this workspace", _who(command)))
        if command.acts:  # it may wait for the database, and must not keep questions waiting
            return await self._ask(command, given, asker)
        async with self.turns.turn(waiter if asker is None else asker.waiter):
            return await self._ask(command, given, asker)

    async def _ask(self, command: Command, given: Mapping[str, str], asker: Asker | None) -> Any:
        async with self.query_context(asker) as query:
            values = await convert(command, with_preferences(command, given, query), query)
            self._remember(command, values)
            return await command.ask(query, **values)

    async def ask_line(self, line: str, asker: Asker | None = None) -> tuple[Command, Any]:
        """The command that a line of text calls, and its answer."""
        command, given = await self.read(line)
        return command, await self.ask(command, given, asker)

    async def read(self, line: str) -> tuple[Command, dict[str, str]]:
        """The command and the texts of its parameters in a line, not yet asked."""
        async with self.query_context() as query:
            known = await query.known()
        return read(line, self.commands, lambda text: self._is_gpu(text, known))

    async def line(self, command: Command, given: Mapping[str, str]) -> str:
        """What to type to ask this: as people would, where that is read back as the same, else with every name."""
        texts = {param.name: given[param.name] for param in command.params if given.get(param.name, "").strip()}
        for parts in (
            list(texts.values()),
            [shlex.quote(text) for text in texts.values()],
        ):
            line = " ".join([command.name, *parts])
            try:
                if await self.read(line) == (command, texts):
                    return line
            except AskError:
                pass
        return " ".join([command.name, *(f'{name}="{text.replace(chr(34), "")}"' for name, text in texts.items())])

    def command(self, verb: str) -> Command:
        """The command of a verb."""
        return find_command(verb.split(), self.commands)[0]

    async def preferences(self, asker: Asker) -> Preferences:
        """The asker's preferences, completed by the team."""
        async with self.store.reader() as reader:
            mine, ours = await reader.preferences(asker)
        return mine.over(ours)

    def _remember(self, command: Command, values: Mapping[str, Any]) -> None:
        for param in command.params:
            value = values[param.name]
            if value and param.kind in ("gpu", "gpus"):
                self.usage.asked((value,) if param.kind == "gpu" else value)

    def _is_gpu(self, text: str, known: Sequence[str]) -> bool:
        if text.lower() in EVERYTHING:
            return True
        try:
            return all(resolve(part, self.catalog, known) for part in text.split(","))
        except AskError:
            return False


def _who(command: Command) -> dict[str, Any]:
    return {"command": command.name, "role": Note(command.role or "nobody")}


def with_preferences(command: Command, given: Mapping[str, str], query: QueryContext) -> Mapping[str, str]:
    """What was given, and where nothing was, the asker's preferences: models and the time zone."""
    if query.asker is None or command.acts:
        return given
    preferences = dataclasses.replace(query.preferences, tz=query.preferences.tz or query.asker.tz)
    filled = dict(given)
    for param in command.params:
        if filled.get(param.name, "").strip():
            continue
        if param.kind == "gpu" and preferences.gpus and param.required:
            filled[param.name] = preferences.gpus[0]
        elif param.kind == "gpus" and preferences.gpus:
            filled[param.name] = ",".join(preferences.gpus)
        elif param.name == "tz" and preferences.tz:
            filled[param.name] = preferences.tz
    return filled
