"""``spotbot keys``: API keys by hand, also beside a running spotbot."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

from analytics.evidence import iso
from bot.access import ALERTS, READ, WEBHOOKS
from bot.cli.counted import counted
from bot.cli.stores import open_reader, open_writer
from bot.clock import SteadyClock
from bot.config import Settings
from bot.store.api_keys import KeyOwner
from bot.store.engine import StoreEmpty

SCOPES = (READ, ALERTS, WEBHOOKS)
"""What a key may do."""

OWNERS = {
    "slack": (re.compile(r"(?:E[A-Z0-9]+:)?T[A-Z0-9]+:[CG][A-Z0-9]+"), "slack:T0123ABC:C0456DEF"),
    "discord": (re.compile(r"\d{1,20}:\d{1,20}"), "discord:GUILD:CHANNEL"),
}
"""Who may own a key, by platform: a form, and what to write. Direct messages are none: a program reads no messages."""

MAX_LABEL = 80
"""Longest name of a key; a longer one breaks the list of keys."""


class CannotMake(ValueError):
    """What was said makes no key, and what would."""


async def create(
    settings: Settings, label: str, per_minute: int, scopes: Sequence[str] = (READ,), owner: str | None = None
) -> int:
    """Make a key and show it once; 2 when its name, its scopes or its owner are not as they must be."""
    try:
        label, owned_by = named(label), owned(scopes, owner)
    except CannotMake as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    wanted = tuple(dict.fromkeys(scopes))
    async with open_writer(settings, alone=False) as store, store.writer() as writer:
        secret, key = await writer.create_key(
            label, scopes=wanted, per_minute=per_minute, at=SteadyClock()(), owner=owned_by
        )
    print(f"{secret}\nKeep it now: only its SHA-256 is stored. It may ask {counted(key.per_minute, 'time')} a minute.")  # noqa: T201
    return 0


def named(label: str) -> str:
    """A key's name as it is stored; one that could not be told apart in a list is refused."""
    label = label.strip()
    if not 0 < len(label) <= MAX_LABEL or not label.isprintable():
        raise CannotMake(f"the name of a key has 1 to {MAX_LABEL} characters, none of them a control character")
    return label


def owned(scopes: Sequence[str], owner: str | None) -> KeyOwner | None:
    """For whom a key with these scopes acts; alerts and webhooks need an owner, and nothing else takes one."""
    examples = " or ".join(f"--owner {example}" for _, example in OWNERS.values())
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise CannotMake(f"there is no scope “{unknown[0]}”; choose of {', '.join(SCOPES)}")
    acts = next((scope for scope in scopes if scope in (ALERTS, WEBHOOKS)), None)
    if (owner is not None) != (acts is not None):
        if owner is None:
            raise CannotMake(f"the scope “{acts}” needs an owner, for whom it acts: --scope {acts} {examples}")
        raise CannotMake(f"the scope “{ALERTS}” or “{WEBHOOKS}” goes with --owner: --scope {ALERTS} {examples}")
    if owner is None:
        return None
    platform, _, address = owner.partition(":")
    form = OWNERS.get(platform)
    if form is None or not form[0].fullmatch(address):
        raise CannotMake(f"an owner is a team and the channel where its alerts are told: {examples}")
    *_, team, channel = address.split(":")  # an organisation before them says nothing more: the team is the identity
    return KeyOwner(platform, team, channel)


async def list_all(settings: Settings) -> None:
    """One line a key."""
    try:
        async with open_reader(settings) as store, store.reader() as reader:
            keys = await reader.keys()
    except StoreEmpty:
        keys = []
    for key in keys:
        state = f"revoked {iso(key.revoked_at)}" if key.revoked_at is not None else "in force"
        to = key.owner
        acts = f"  {' '.join(key.scopes)}" + (f" for {to.platform}:{to.team}:{to.channel}" if to else "")
        print(f"{key.prefix}…  {key.label}  {key.per_minute}/min  created {iso(key.created_at)}  {state}{acts}")  # noqa: T201
    if not keys:
        print("no keys yet: spotbot keys create NAME")  # noqa: T201


async def revoke(settings: Settings, prefix: str) -> int:
    """Make a key useless; 2 when none in force begins so."""
    async with open_writer(settings, alone=False, create=False) as store, store.writer() as writer:
        done = await writer.revoke_key(prefix.rstrip("…"), SteadyClock()())
    print("revoked" if done else f"no key in force has the prefix {prefix}")  # noqa: T201
    return 0 if done else 2


async def reseal(settings: Settings) -> int:
    """Encrypt tokens and secrets of webhooks with the newest key; 2 when one of them opens with none of the keys."""
    from bot.secret_box import CannotOpen, SecretBox

    if settings.secret_key is None:
        print("set SPOTBOT_SECRET_KEY: the new key, a comma, the old one")  # noqa: T201
        return 2
    vault = SecretBox(settings.secret_key.get_secret_value())
    try:
        async with open_writer(settings, alone=False, create=False) as store, store.writer() as writer:
            rows = await writer.read.installations()
            for platform, team, sealed, at in rows:
                await writer.save_installation(platform, team, vault.reseal(sealed), at)
            endpoints = await writer.webhooks.sealed()
            for id_, sealed in endpoints:
                await writer.webhooks.change(id_, SteadyClock()(), sealed=vault.reseal(sealed))
    except CannotOpen as error:
        print(f"nothing was changed: {error}")  # noqa: T201
        return 2
    print(f"{len(rows) + len(endpoints)} sealed anew")  # noqa: T201
    return 0
