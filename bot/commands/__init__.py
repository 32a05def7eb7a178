"""The questions, one file each; this tuple is all that the faces know of them."""

from __future__ import annotations

from bot.commands import availability, fleet, history, monitor, predict, status
from bot.commands.base import Command

COMMANDS: tuple[Command, ...] = tuple(
    module.COMMAND for module in (monitor, fleet, predict, availability, history, status)
)
