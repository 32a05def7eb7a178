"""``spotbot keys``: API keys by hand, also beside a running spotbot."""

from __future__ import annotations

import sys

from analytics.evidence import iso
from bot.access import READ
from bot.cli.counted import counted
from bot.cli.stores import open_writer
from bot.clock import SteadyClock
from bot.config import Settings
from bot.store.engine import open_store

SCOPES = (READ,)
"""What a key may do."""

MAX_LABEL = 80
"""Longest name of a key; a longer one breaks the list of keys."""


async def create(settings: Settings, label: str, per_minute: int) -> int:
    """Make a key and show it once; 2 when its name could not be told apart in a list."""
    label = label.strip()
    if not 0 < len(label) <= MAX_LABEL or not label.isprintable():
        print(f"the name of a key has 1 to {MAX_LABEL} characters, none of them a control character", file=sys.stderr)  # noqa: T201
        return 2
    async with open_writer(settings, alone=False) as store, store.writer() as writer:
        secret, key = await writer.create_key(label, scopes=SCOPES, per_minute=per_minute, at=SteadyClock()())
    print(f"{secret}\nKeep it now: only its SHA-256 is stored. It may ask {counted(key.per_minute, 'time')} a minute.")  # noqa: T201
    return 0


async def list_all(settings: Settings) -> None:
    """One line a key."""
    store = await open_store(settings.database_url, writer=False)
    try:
        async with store.reader() as reader:
            keys = await reader.keys()
    finally:
        await store.close()
    for key in keys:
        state = f"revoked {iso(key.revoked_at)}" if key.revoked_at is not None else "in force"
        print(f"{key.prefix}…  {key.label}  {key.per_minute}/min  created {iso(key.created_at)}  {state}")  # noqa: T201
    if not keys:
        print("no keys yet: spotbot keys create NAME")  # noqa: T201


async def revoke(settings: Settings, prefix: str) -> int:
    """Make a key useless; 2 when none in force begins so."""
    async with open_writer(settings, alone=False) as store, store.writer() as writer:
        done = await writer.revoke_key(prefix.rstrip("…"), SteadyClock()())
    print("revoked" if done else f"no key in force has the prefix {prefix}")  # noqa: T201
    return 0 if done else 2


async def reseal(settings: Settings) -> int:
    """Encrypt other workspaces' tokens with the newest key; 2 when a token opens with none of the keys."""
    from bot.secret_box import CannotOpen, SecretBox

    if settings.secret_key is None:
        print("set SPOTBOT_SECRET_KEY: the new key, a comma, the old one")  # noqa: T201
        return 2
    vault = SecretBox(settings.secret_key.get_secret_value())
    try:
        async with open_writer(settings, alone=False) as store, store.writer() as writer:
            rows = await writer.read.installations()
            for platform, enterprise, team, sealed, at in rows:
                await writer.save_installation(platform, enterprise, team, vault.reseal(sealed), at)
    except CannotOpen as error:
        print(f"nothing was changed: {error}")  # noqa: T201
        return 2
    print(f"{len(rows)} sealed anew")  # noqa: T201
    return 0
