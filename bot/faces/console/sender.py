"""Alerts at the prompt: messages are printed above what is being typed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.accounts import Asker
from bot.faces.console.face import show
from bot.outbox.sender import Delivered, Delivery, Message, Receipt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

PLATFORM = "console"
"""The prompt's name in addresses."""

PERSON = Asker(PLATFORM, "local", "you", channel="prompt", role="admin")
"""Who types at the prompt: whoever may read the database may do everything."""


@dataclass(slots=True)
class ConsoleSender:
    """Implements :class:`bot.outbox.sender.Sender` by printing."""

    out: Console
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def send(self, message: Message) -> Delivery:
        """Print it; an edit is printed anew, because what scrolled by stays: it can neither be removed nor pinned."""
        if message.remove is not None:
            return Delivered(message.remove)
        self.out.print()
        show(message.card, self.out)
        return Delivered(Receipt("prompt", str(next(self._numbers))))
