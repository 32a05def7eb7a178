"""The questions, one file each; this tuple is all that the faces know of them."""

from __future__ import annotations

from bot.commands import (
    accuracy,
    availability,
    cost,
    dashboard,
    fleet,
    help,  # noqa: A004  the verb is called so
    history,
    home,
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
from bot.commands.alerts import add as alert_add
from bot.commands.alerts import changing as alert_changing
from bot.commands.alerts import listing as alert_listing
from bot.commands.alerts import preview as alert_preview
from bot.commands.digests import now as digest_now
from bot.commands.schedules import dashboards, digests, subscriptions
from bot.commands.webhooks import add as webhook_add
from bot.commands.webhooks import changing as webhook_changing
from bot.commands.webhooks import listing as webhook_listing
from bot.dispatch.command import Command

COMMANDS: tuple[Command, ...] = (
    monitor.COMMAND,
    llm.COMMAND,
    fleet.COMMAND,
    predict.COMMAND,
    accuracy.COMMAND,
    availability.COMMAND,
    cost.COMMAND,
    savings.COMMAND,
    reliability.COMMAND,
    interruptions.COMMAND,
    windows.COMMAND,
    history.COMMAND,
    status.COMMAND,
    alert_add.COMMAND,
    alert_preview.COMMAND,
    alert_listing.LIST,
    alert_listing.SHOW,
    alert_changing.EDIT,
    alert_changing.SNOOZE,
    alert_changing.ACK,
    alert_changing.TESTING,
    alert_changing.DELETE,
    webhook_add.COMMAND,
    webhook_listing.LIST,
    webhook_listing.SHOW,
    webhook_listing.LOG,
    webhook_changing.TESTING,
    webhook_changing.ROTATE,
    webhook_changing.REPLAY,
    webhook_changing.DELETE,
    dashboards.POST,
    dashboards.LIST,
    dashboards.OFF,
    dashboard.LINK,
    digest_now.COMMAND,
    digests.DAILY,
    digests.WEEKLY,
    digests.LIST,
    digests.OFF,
    subscriptions.COMMAND,
    home.COMMAND,
    settings.SHOW,
    settings.ME,
    settings.TEAM,
    settings.FORGET,
    help.COMMAND,
)
