"""The questions, one file each; this tuple is all that the faces know of them."""

from __future__ import annotations

from bot.commands import (
    availability,
    cost,
    fleet,
    help,  # noqa: A004  the verb is called so
    history,
    interruptions,
    llm,
    monitor,
    predict,
    reliability,
    savings,
    settings,
    status,
    windows,
)
from bot.dispatch.command import Command

COMMANDS: tuple[Command, ...] = (
    monitor.COMMAND,
    llm.COMMAND,
    fleet.COMMAND,
    predict.COMMAND,
    availability.COMMAND,
    cost.COMMAND,
    savings.COMMAND,
    reliability.COMMAND,
    interruptions.COMMAND,
    windows.COMMAND,
    history.COMMAND,
    status.COMMAND,
    settings.SHOW,
    settings.ME,
    settings.TEAM,
    settings.FORGET,
    help.COMMAND,
)
