"""A fair queue for a few turns: teams take turns with each other, and the persons of a team among themselves."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

Turn = asyncio.Future[None]


class Waiter(NamedTuple):
    """Who waits for a turn. A team and a person of it, as texts that name nobody else."""

    team: str
    person: str


ANYBODY = Waiter("", "")
"""Who gave no name: all of them together are one person of one team."""


class FairQueue:
    """At most ``at_once`` turns at a time: ``async with queue.turn(waiter): ...``.

    A free turn goes to the team that has waited longest since its last one, and in it to the person of whom that is
    true; of one person's questions the oldest is first. Each step costs the same however many wait. ``OrderedDict``
    throughout: taking the first of a ``dict`` costs more the more was taken before.
    """

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._teams: OrderedDict[str, OrderedDict[str, OrderedDict[Turn, None]]] = OrderedDict()
        """only of those who wait: no team and no person in it is empty"""

    @asynccontextmanager
    async def turn(self, waiter: Waiter) -> AsyncIterator[None]:
        """Wait for a turn, and hold it."""
        await self._wait(waiter)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, waiter: Waiter) -> None:
        if self._free:  # nobody waits then
            self._free -= 1
            return
        turn: Turn = asyncio.get_running_loop().create_future()
        persons = self._teams.setdefault(waiter.team, OrderedDict())
        persons.setdefault(waiter.person, OrderedDict())[turn] = None
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._leave(waiter, turn)
            else:  # the turn was given in the same moment: it is somebody else's now
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """A turn is free: the next one's."""
        while self._teams:
            team, persons = next(iter(self._teams.items()))
            person, turns = next(iter(persons.items()))
            turn = next(iter(turns))
            given = not turn.cancelled()  # who is about to leave takes no place from the team's others
            if given:
                turn.set_result(None)
                self._teams.move_to_end(team)
                persons.move_to_end(person)
            self._leave(Waiter(team, person), turn)
            if given:
                return
        self._free += 1

    def _leave(self, waiter: Waiter, turn: Turn) -> None:
        persons = self._teams.get(waiter.team, OrderedDict())
        turns = persons.get(waiter.person, OrderedDict())
        turns.pop(turn, None)  # absent where its place came up between the cancellation and this
        if not turns:
            persons.pop(waiter.person, None)
        if not persons:
            self._teams.pop(waiter.team, None)
