"""API keys: 256 random bits shown once, stored only as their SHA-256."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from bot.accounts import Asker

MARK = "spot_"
"""Begins every key, so that people and secret scanners recognise one."""

_SHOWN = len(MARK) + 6

KEY_PERSON = "key:"
"""Begins the name of a key where people have theirs; no platform's ids hold a colon."""


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """The team for which a key acts, and the channel where its alerts are told."""

    platform: str
    team: str
    channel: str
    enterprise: str = ""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key. ``prefix`` is its first letters, enough to tell keys apart."""

    id: int
    prefix: str
    label: str
    scopes: tuple[str, ...]
    per_minute: int
    created_at: int
    revoked_at: int | None = None
    last_used_at: int | None = None
    owner: KeyOwner | None = None

    @property
    def asker(self) -> Asker | None:
        """Who acts when it is used to act; None where it has no owner."""
        if self.owner is None:
            return None
        person = f"{KEY_PERSON}{self.prefix}"
        to = self.owner
        return Asker(to.platform, to.team, person, to.channel, "manager", enterprise=to.enterprise)


def new_secret() -> str:
    """A fresh key to hand to its owner; it cannot be shown again."""
    return MARK + secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """What the store keeps instead of the key."""
    return hashlib.sha256(secret.encode()).digest()


def shown(secret: str) -> str:
    """The part of a key that may be listed."""
    return secret[:_SHOWN]
