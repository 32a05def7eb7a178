"""``spotbot doctor``: is everything set up, and if not, what to do."""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from analytics.catalog import load_catalog, resolve
from analytics.errors import AskError
from bot.cli.counted import counted
from bot.clock import SteadyClock
from bot.config import BadSettings, Settings, variable
from bot.extras import EXTRAS, Extra
from bot.store.engine import StoreEmpty, StoreError, open_store

MARKS = {"ok": "ok  ", "off": "off ", "fix": "FIX "}
"""How a line begins: all is well, not configured, to be mended."""

OFF = (
    ("SLACK_BOT_TOKEN", ("slack_bot_token", "slack_client_id"), "and no SLACK_CLIENT_ID, so Slack is off"),
    ("DISCORD_TOKEN", ("discord_token",), "so Discord is off"),
    ("VAST_API_KEY", ("vast_api_key",), "so the market is read without a key, which is optional"),
    ("SPOTBOT_SECRET_KEY", ("secret_key",), "so webhooks cannot be added; `spotbot keys secret` makes one"),
)
"""What need not be set: the variable, the settings any of which is enough, and what it means that none is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at, what it is, and what to do or to know."""

    what: str
    ok: bool
    advice: str = ""
    off: bool = False
    """not configured, which is no fault"""

    def line(self) -> str:
        """As it is printed."""
        mark: Literal["ok", "off", "fix"] = "off" if self.off else "ok" if self.ok else "fix"
        return f"{MARKS[mark]} {self.what}{f': {self.advice}' if self.advice else ''}"


async def doctor(settings: Settings) -> int:
    """Look at everything, print a line each; 1 when something needs mending. Makes and changes nothing."""
    checks: Sequence[Callable[[Settings], Awaitable[Finding]]] = (_database, _port, _gpus, _home, _market)
    misplaced = settings.misplaced()
    findings = [Finding(sentence, ok=False) for sentence in misplaced.values()]
    safe = _without(settings, misplaced)  # a secret is shown to nobody but whom it is for
    findings += [await check(safe) for check in checks]
    findings += await _chat(safe, misplaced)
    findings += _off(settings)
    findings += [_extra(some) for some in EXTRAS]
    for finding in findings:
        print(finding.line())  # noqa: T201
    return 0 if all(finding.ok for finding in findings) else 1


def bad_settings(error: BadSettings) -> int:
    """Print what cannot be used of the environment; gives the exit code. Nothing else can be looked at then."""
    for line in str(error).splitlines():
        print(f"{MARKS['fix']} {line}")  # noqa: T201
    return 1


def _without(settings: Settings, misplaced: dict[str, str]) -> Settings:
    hidden = {name: None for name in Settings.model_fields if variable(name) in misplaced}
    return settings.model_copy(update=hidden)


def _off(settings: Settings) -> list[Finding]:
    return [
        Finding(f"{name} is not set", ok=True, advice=meaning, off=True)
        for name, enough, meaning in OFF
        if all(getattr(settings, setting) is None for setting in enough)
    ]


def _extra(extra: Extra) -> Finding:
    if extra.installed:
        return Finding(f"extra “{extra.name}”", ok=True)
    meaning = f"so {extra.off}; {extra.how}"
    return Finding(f"extra “{extra.name}” ({extra.packages}) is not installed", ok=True, advice=meaning, off=True)


async def _database(settings: Settings) -> Finding:
    try:
        store = await open_store(settings.database_url, writer=False, create=False)
    except StoreEmpty as error:
        return _empty(error)
    except StoreError as error:
        return Finding("database", ok=False, advice=str(error))
    try:
        wrong = await store.integrity()
    finally:
        await store.close()
    return Finding(f"database {store.where}", ok=not wrong, advice="; ".join(wrong[:3]))


def _empty(error: StoreEmpty) -> Finding:
    """Nothing stored is no fault where something can be."""
    if "://" in error.where:
        return Finding("database", ok=True, advice=str(error), off=True)
    path = Path(error.where)
    there = next(some for some in (path, *path.parents) if some.exists())
    needed = os.W_OK if there == path else os.W_OK | os.X_OK
    if not os.access(there, needed) or (there != path and not there.is_dir()):
        return Finding("database", ok=False, advice=f"{path} cannot be made: {there} may not be written by this user")
    return Finding("database", ok=True, advice=str(error), off=True)


async def _port(settings: Settings) -> Finding:
    host, port = settings.host, settings.port
    what = f"SPOTBOT_HOST {host}, PORT {port}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with closing(socket.create_server((host, port), family=family)):
            return Finding(what, ok=True)
    except OSError as error:
        why = f"cannot be listened on ({error.strerror or error})"
        return Finding(what, ok=False, advice=f"{why}; set PORT to a free one, unless a spotbot of yours has it")


async def _gpus(settings: Settings) -> Finding:
    catalog = load_catalog()
    spelt = {gpu.vast_name for gpu in catalog.gpus}
    unknown = []
    for name in settings.gpus:
        try:
            if name not in spelt:
                resolve(name, catalog, ())
        except AskError as error:
            unknown.append(f"{error.note} Did you mean {', '.join(error.suggestions[:3])}?")
    shown = ", ".join(settings.gpus) or "the busiest that the budget allows"
    return Finding(f"SPOTBOT_GPUS {shown}", ok=not unknown, advice=" ".join(unknown))


async def _home(settings: Settings) -> Finding:
    from analytics.regions import place

    if settings.home is None:
        meaning = "so answers give no latency; for example Berlin, DE"
        return Finding("SPOTBOT_HOME is not set", ok=True, advice=meaning, off=True)
    known = place(settings.home) is not None
    return Finding(
        f"SPOTBOT_HOME {settings.home}", ok=known, advice="" if known else "not a place that is known; try 52.5,13.4"
    )


async def _market(settings: Settings) -> Finding:
    from bot.sources.vast import VastSource

    key = settings.vast_api_key.get_secret_value() if settings.vast_api_key else None
    source = VastSource(settings.vast_url, key=key)
    try:
        survey = await source.survey(at=SteadyClock()())
    finally:
        await source.aclose()
    rows = sum(survey.rows_by_name.values())
    models = counted(len(survey.rows_by_name), "model")
    seen = f"{counted(rows, 'offer')} of {models}{', sampled' if survey.sampled else ''}"
    note = survey.fetch.note or seen
    return Finding(f"VAST_URL {settings.vast_url}", ok=bool(rows), advice=note)


async def _chat(settings: Settings, misplaced: dict[str, str]) -> list[Finding]:
    from bot.faces.discord.face import check as check_discord
    from bot.faces.slack.check import check as check_slack

    found = []
    for platform, check in (("SLACK_", check_slack), ("DISCORD_", check_discord)):
        if not any(name.startswith(platform) for name in misplaced):
            found += await check(settings)
    return [Finding(what, ok=ok, advice=advice) for what, ok, advice in found]
