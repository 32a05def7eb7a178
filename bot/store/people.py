"""What the store knows of those who ask in chat: their wishes, and the sealed tokens of their workspaces."""

from __future__ import annotations

from sqlalchemy import delete, select

from bot.people import NO_WISHES, Asker, Wishes
from bot.store import tables as t
from bot.store.bulk import put
from bot.store.risk import Reads

TEAM = ""
"""In the place of a person: the whole team."""


class PeopleReads(Reads):
    """Reading them."""

    async def wishes(self, asker: Asker) -> tuple[Wishes, Wishes]:
        """The asker's own wishes and those of the team."""
        w = t.wishes.c
        mine = (w.platform == asker.platform, w.team == asker.team, w.person.in_((asker.person, TEAM)))
        rows = await self._rows(select(t.wishes).where(*mine))
        found = {row.person: Wishes(row.language, row.tz, row.home, _split(row.gpus)) for row in rows}
        return found.get(asker.person, NO_WISHES), found.get(TEAM, NO_WISHES)

    async def installation(self, platform: str, enterprise: str, team: str) -> bytes | None:
        """The sealed tokens of a workspace; None where the app is not installed."""
        i = t.installation.c
        query = select(i.sealed).where(i.platform == platform, i.enterprise == enterprise, i.team == team)
        rows = await self._rows(query)
        return bytes(rows[0].sealed) if rows else None

    async def installations(self) -> list[tuple[str, str, str, bytes, int]]:
        """All of them: platform, enterprise, team, sealed tokens, since when."""
        return [tuple(row) for row in await self._rows(select(t.installation))]


class PeopleWrites(Reads):
    """Changing them."""

    async def save_wishes(self, platform: str, team: str, person: str, wishes: Wishes) -> None:
        """Replace what somebody wishes; ``person`` is empty for the team."""
        row = (platform, team, person, wishes.language, wishes.tz, wishes.home, "\n".join(wishes.gpus) or None)
        await put(self._conn, t.wishes, [row])

    async def save_installation(self, platform: str, enterprise: str, team: str, sealed: bytes, at: int) -> None:
        """Keep the sealed tokens of a workspace in place of older ones."""
        await put(self._conn, t.installation, [(platform, enterprise, team, sealed, at)])

    async def forget_team(self, platform: str, enterprise: str, team: str) -> None:
        """Remove everything that is known of a workspace: it left."""
        w, i = t.wishes.c, t.installation.c
        await self._conn.execute(delete(t.wishes).where(w.platform == platform, w.team == team))
        here = (i.platform == platform, i.enterprise == enterprise, i.team == team)
        await self._conn.execute(delete(t.installation).where(*here))


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(text.split("\n")) if text else ()
