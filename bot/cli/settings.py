"""``spotbot settings``: what the environment makes hold, and where each value comes from."""

from __future__ import annotations

import re

from bot.config import SECRETS, Settings, variable

ACCOUNT = re.compile(r"(//[^/@:]*):.*@")
"""The password in a URL."""

PASSWORDS = re.compile(r"((?:ssl)?password=)[^&]*")
"""Passwords among a URL's parameters."""


def show(settings: Settings) -> None:
    """A line a variable: its name, what holds, and its source. Of secrets only whether they are set."""
    sources = settings.sources()
    rows = [(variable(name), _shown(settings, name), sources[variable(name)]) for name in Settings.model_fields]
    wide = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, source in rows:
        print(f"{name:<{wide[0]}}  {value:<{wide[1]}}  {source}")  # noqa: T201


def _shown(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    if name in SECRETS:
        return "not set" if value is None else "set"
    text = ", ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
    if name.endswith("_url"):
        text = PASSWORDS.sub(r"\1***", ACCOUNT.sub(r"\1:***@", text))
    return text or "not set"
