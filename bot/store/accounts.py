"""What the store knows of those who ask in chat: their preferences, and the sealed tokens of their workspaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import BigInteger, Text, delete, literal, null, select, union_all

from bot.accounts import NO_PREFERENCES, Asker, Preferences
from bot.store import tables as t
from bot.store.audit import AuditWrites
from bot.store.browser_sessions import BrowserSessionWrites
from bot.store.bulk import put
from bot.store.outbox import OutboxWrites
from bot.store.risk import Reads
from bot.store.schedules import ScheduleWrites
from bot.store.team_settings import TeamSetting, TeamSettingWrites, team_setting
from bot.store.webhooks import WebhookWrites

TEAM = ""
"""In the place of a person: the whole team."""

NO_ENTERPRISE = ""
"""In the place of Slack's organisation, which a workspace may join and leave: the team alone says which one it is."""


_PREFERENCES = ""
"""In the place of a setting's name: a row of preferences."""


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody set, and what their team did."""

    own: Preferences
    team: Preferences
    settings: Mapping[str, TeamSetting]
    """the team's, by name"""


NOTHING_SAID = Said(NO_PREFERENCES, NO_PREFERENCES, {})


class AccountReads(Reads):
    """Reading them."""

    async def preferences(self, asker: Asker) -> tuple[Preferences, Preferences]:
        """The asker's own preferences and those of the team."""
        said = await self.said_by(asker)
        return said.own, said.team

    async def said_by(self, asker: Asker) -> Said:
        """What the asker and their team set: in one statement, for every question begins with it."""
        w, s = t.preferences.c, team_setting.c
        mine = (w.platform == asker.platform, w.team == asker.team, w.person.in_((asker.person, TEAM)))
        nameless, never = literal(_PREFERENCES, Text).label("name"), literal(0, BigInteger).label("at")
        preferences = select(nameless, w.person, w.language, w.tz, w.home, w.gpus, never).where(*mine)
        nothing = (null(), null(), null())
        ours = (s.platform == asker.platform, s.team == asker.team)
        settings = select(s.name, s.person, s.value, *nothing, s.at).where(*ours)
        own, team, found = NO_PREFERENCES, NO_PREFERENCES, {}
        for name, person, first, tz, home, gpus, at in await self._rows(union_all(preferences, settings)):
            if name != _PREFERENCES:
                found[name] = TeamSetting(first, person, at)
            elif person == TEAM:
                team = Preferences(first, tz, home, _split(gpus))
            else:
                own = Preferences(first, tz, home, _split(gpus))
        return Said(own, team, found)

    async def installation(self, platform: str, team: str) -> tuple[bytes, int] | None:
        """The sealed tokens of a workspace, and since when; None where the app is not installed."""
        i = t.installation.c
        query = select(i.sealed, i.installed_at).where(i.platform == platform, i.team == team)
        rows = await self._rows(query.order_by(i.installed_at.desc()))
        return (bytes(rows[0].sealed), rows[0].installed_at) if rows else None

    async def installations(self) -> list[tuple[str, str, bytes, int]]:
        """All of them, the oldest first: platform, team, sealed tokens, since when."""
        i = t.installation.c
        query = select(i.platform, i.team, i.sealed, i.installed_at).order_by(i.installed_at)
        return [tuple(row) for row in await self._rows(query)]


class AccountWrites(Reads):
    """Changing them."""

    async def save_preferences(self, platform: str, team: str, person: str, preferences: Preferences) -> None:
        """Replace somebody's preferences; ``person`` is empty for the team."""
        row = (
            platform,
            team,
            person,
            preferences.language,
            preferences.tz,
            preferences.home,
            "\n".join(preferences.gpus) or None,
        )
        await put(self._conn, t.preferences, [row])

    async def save_installation(self, platform: str, team: str, sealed: bytes, at: int) -> None:
        """Keep the sealed tokens of a workspace in place of older ones, whichever organisation it was in then."""
        i = t.installation.c
        await self._conn.execute(delete(t.installation).where(i.platform == platform, i.team == team))
        await put(self._conn, t.installation, [(platform, NO_ENTERPRISE, team, sealed, at)])

    async def forget_team(self, platform: str, team: str) -> None:
        """Remove everything that is known of a workspace: it left."""
        w, i = t.preferences.c, t.installation.c
        await self._conn.execute(delete(t.preferences).where(w.platform == platform, w.team == team))
        await self._conn.execute(delete(t.installation).where(i.platform == platform, i.team == team))
        await ScheduleWrites(self._conn).forget_team(platform, team)
        await TeamSettingWrites(self._conn).forget_team(platform, team)
        await OutboxWrites(self._conn).forget_team(platform, team)
        await WebhookWrites(self._conn, self._names).forget_team(platform, team)
        await BrowserSessionWrites(self._conn).forget_team(platform, team)
        await AuditWrites(self._conn).forget_team(platform, team)


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(text.split("\n")) if text else ()
