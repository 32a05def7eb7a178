"""Those who ask in chat: who they are, what they may, and what they wish."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

from bot.fair_queue import Waiter

Role = Literal["member", "manager", "admin"]
ROLES: tuple[Role, ...] = ("member", "manager", "admin")
"""Who may do what, each also what those before it may."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody in chat: where, who, and what the platform says of them."""

    platform: str
    """``slack`` or ``discord``"""
    team: str
    """the workspace or server; for direct messages outside of any, the person again, or ``dm:`` and the person"""
    person: str
    channel: str = ""
    role: Role = "member"
    locale: str | None = None
    """the platform's language tag"""
    tz: str | None = None
    """an IANA name, where the platform tells it"""
    enterprise: str = ""
    """Slack's Enterprise Grid organisation, where there is one"""
    mentionable: tuple[str, ...] | None = ()
    """ids of the roles and user groups that they may call; None: any"""
    chosen: str | None = None
    """the language that they chose where they ask now; what they set for everywhere stays as it is"""
    groups: tuple[str, ...] = ()
    """ids of the roles that they have, where the platform tells them"""
    is_raised: bool = False
    """a manager because their team counts them among its managers: the platform does not say so"""

    @property
    def is_alone(self) -> bool:
        """Whether they write directly, outside of any team."""
        return self.team in (self.person, f"dm:{self.person}")

    @property
    def by_platform(self) -> Asker:
        """The same with the role that the platform gives them."""
        return replace(self, role="member", is_raised=False) if self.is_raised else self

    @property
    def waiter(self) -> Waiter:
        """Whose turn it is when they ask."""
        return Waiter(f"{self.platform} {self.team}", self.person)


@dataclass(frozen=True, slots=True)
class Preferences:
    """What somebody, or a team, set once so as not to say it every time. None and () are: not said."""

    language: str | None = None
    tz: str | None = None
    home: str | None = None
    gpus: tuple[str, ...] = ()

    def over(self, other: Preferences) -> Preferences:
        """These, and the other's where these say nothing."""
        return Preferences(
            self.language or other.language, self.tz or other.tz, self.home or other.home, self.gpus or other.gpus
        )


NO_PREFERENCES = Preferences()


def raised(asker: Asker, managers: Collection[str]) -> Asker:
    """The asker as a manager where their team names them, or a role of theirs, among its managers; never as more."""
    if asker.role != "member" or not {asker.person, *asker.groups}.intersection(managers):
        return asker
    return replace(asker, role="manager", is_raised=True)


def permits(role: str, needed: str | None) -> bool:
    """Whether a role may do what needs another. Deny by default: what names no known role is nobody's."""
    return role in ROLES and needed in ROLES and ROLES.index(role) >= ROLES.index(needed)
