"""What the store knows of those who ask in chat: their preferences, and the sealed tokens of their workspaces."""

from __future__ import annotations

from sqlalchemy import delete, select

from bot.accounts import NO_PREFERENCES, Asker, Preferences
from bot.store import tables as t
from bot.store.audit import AuditWrites
from bot.store.browser_sessions import BrowserSessionWrites
from bot.store.bulk import put
from bot.store.outbox import OutboxWrites
from bot.store.risk import Reads
from bot.store.schedules import ScheduleWrites
from bot.store.team_settings import TeamSettingWrites
from bot.store.webhooks import WebhookWrites

TEAM = ""
"""In the place of a person: the whole team."""

NO_ENTERPRISE = ""
"""In the place of Slack's organisation, which a workspace may join and leave: the team alone says which one it is."""


class AccountReads(Reads):
    """Reading them."""

    async def preferences(self, asker: Asker) -> tuple[Preferences, Preferences]:
        """The asker's own preferences and those of the team."""
        w = t.preferences.c
        mine = (w.platform == asker.platform, w.team == asker.team, w.person.in_((asker.person, TEAM)))
        rows = await self._rows(select(t.preferences).where(*mine))
        found = {row.person: Preferences(row.language, row.tz, row.home, _split(row.gpus)) for row in rows}
        return found.get(asker.person, NO_PREFERENCES), found.get(TEAM, NO_PREFERENCES)

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
