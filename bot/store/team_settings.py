"""What a team set for all its members besides their preferences: a value by name, who set it and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Table, Text, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.bulk import put
from bot.store.tables import metadata

QUIET, CHANNEL, MANAGERS = "quiet", "channel", "managers"
"""Names of settings: hours without messages, where things are told by default, who counts as a manager."""

team_setting = Table(
    "team_setting",
    metadata,
    *(Column(name, Text, primary_key=True) for name in ("platform", "team", "name")),
    *(Column(name, Text, nullable=False) for name in ("value", "person")),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class TeamSetting:
    """A value as text, who set it and when."""

    value: str
    person: str
    at: int


def managers_of(settings: Mapping[str, TeamSetting]) -> tuple[str, ...]:
    """The ids of the people and roles that a team counts among its managers."""
    said = settings.get(MANAGERS)
    return tuple(said.value.split(",")) if said else ()


class TeamSettingReads:
    """Reading them."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def of(self, platform: str, team: str) -> dict[str, TeamSetting]:
        """All that a team set, by name."""
        s = team_setting.c
        query = select(s.name, s.value, s.person, s.at).where(s.platform == platform, s.team == team)
        return {name: TeamSetting(*rest) for name, *rest in await self._conn.execute(query)}


class TeamSettingWrites(TeamSettingReads):
    """Changing them."""

    async def save(self, platform: str, team: str, name: str, setting: TeamSetting | None) -> None:
        """Set one, or take it back."""
        s = team_setting.c
        if setting is None:
            here = (s.platform == platform, s.team == team, s.name == name)
            await self._conn.execute(delete(team_setting).where(*here))
        else:
            row = (platform, team, name, setting.value, setting.person, setting.at)
            await put(self._conn, team_setting, [row])

    async def forget_team(self, platform: str, team: str) -> None:
        """Remove those of a team that left."""
        s = team_setting.c
        await self._conn.execute(delete(team_setting).where(s.platform == platform, s.team == team))
