"""What a team set for all its members besides their preferences, as the commands follow it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from analytics.errors import AskError
from analytics.evidence import Note
from bot.accounts import Asker
from bot.alerts.quiet import Quiet
from bot.dispatch.command import QueryContext
from bot.store.team_settings import CHANNEL, QUIET, TeamSetting

TO_CHANNEL = "channel"
"""Says of where to tell: here; and where no channel is, the one that the team chose."""


def limit_of(settings: Mapping[str, TeamSetting], name: str, ours: int) -> int:
    """How many there may be: as the team said, and never more than ours."""
    said = settings.get(name)
    return ours if said is None else min(ours, int(said.value))


def team_quiet(settings: Mapping[str, TeamSetting]) -> Quiet | None:
    """The team's quiet hours, for alerts that have none of their own."""
    said = settings.get(QUIET)
    if said is None:
        return None
    times, zone = said.value.split(" ", 1)
    start, end = (int(hour) * 60 + int(minute) for hour, minute in (time.split(":") for time in times.split("-")))
    return Quiet(start, end, zone, of_team=True)


def quiet_text(quiet: Quiet) -> str:
    """Quiet hours as they are kept and shown: ``22:00-07:00 America/Sao_Paulo``."""
    start, end = (f"{minute // 60:02}:{minute % 60:02}" for minute in (quiet.start, quiet.end))
    return f"{start}-{end} {quiet.zone}"


def has_no_channel(asker: Asker) -> bool:
    """Whether they ask where only they read."""
    return not asker.channel or asker.is_alone or asker.channel.startswith("D")


def elsewhere(query: QueryContext, aimed_at: QueryContext) -> str | None:
    """The team's channel, where it is told there and not where it was asked."""
    return None if query is aimed_at or aimed_at.asker is None else aimed_at.asker.channel


def aimed(query: QueryContext, to: str) -> QueryContext:
    """The query as if it was asked in the team's channel, where that is meant; raises AskError where there is none."""
    if query.asker is None or to != TO_CHANNEL or not has_no_channel(query.asker):
        return query
    said = query.settings.get(CHANNEL)
    if said is None:
        error = AskError(
            Note("this team has no default channel; a manager says “settings team channel=here” in it"),
            suggestions=("dm",),
        )
        error.about = "to"
        raise error
    return replace(query, asker=replace(query.asker, channel=said.value))
