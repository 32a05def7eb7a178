"""Leadership: which one process polls the market and writes what it saw, and how it knows that it still may."""

from __future__ import annotations

from typing import Literal, Protocol

LEASE_SECONDS = 10.0
"""How long a lease runs unless it is renewed: a dead leader is replaced within about this time. A choice."""

State = Literal["leader", "standing by", "lost"]
"""``lost``: it led, and does not know who leads now."""


class Leadership(Protocol):
    """One process's claim to be the leader."""

    @property
    def epoch(self) -> int | None:
        """The number of this leader; None before it first led and after another one has."""

    @property
    def state(self) -> State:
        """What this process is now."""

    @property
    def rival(self) -> str:
        """A sentence on who leads instead."""

    def held(self) -> bool:
        """Whether this process may act as the leader at this moment; asks nobody."""

    async def renew(self) -> bool:
        """Lead for longer, or from now on if nobody does; gives whether it leads."""

    async def keep(self) -> None:
        """Renew in time until cancelled."""

    async def release(self) -> None:
        """Let another one lead at once."""
