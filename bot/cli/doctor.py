"""``spotbot doctor``: is everything set up, and if not, what to do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from analytics.catalog import load_catalog, resolve
from analytics.errors import AskError
from bot.cli.counted import counted
from bot.clock import SteadyClock
from bot.config import Settings
from bot.store.engine import StoreError, open_store


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``advice`` is empty where all is well."""

    what: str
    ok: bool
    advice: str = ""


async def doctor(settings: Settings) -> int:
    """Look at everything, print a line each; 1 when something needs mending."""
    checks: Sequence[Callable[[Settings], Awaitable[Finding]]] = (_database, _gpus, _home, _market)
    findings = [await check(settings) for check in checks]
    findings += await _chat(settings)
    for finding in findings:
        print(f"{'ok  ' if finding.ok else 'FIX '} {finding.what}{': ' + finding.advice if finding.advice else ''}")  # noqa: T201
    return 0 if all(finding.ok for finding in findings) else 1


async def _database(settings: Settings) -> Finding:
    try:
        store = await open_store(settings.database_url, writer=False)
    except StoreError as error:
        return Finding("database", ok=False, advice=str(error))
    try:
        wrong = await store.integrity()
    finally:
        await store.close()
    return Finding(f"database {store.where}", ok=not wrong, advice="; ".join(wrong[:3]))


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
        return Finding("SPOTBOT_HOME", ok=True, advice="not set, so answers give no latency; for example Berlin, DE")
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


async def _chat(settings: Settings) -> list[Finding]:
    from bot.faces.discord.face import check as check_discord
    from bot.faces.slack.check import check as check_slack

    found = [*await check_slack(settings), *await check_discord(settings)]
    return [Finding(what, ok=ok, advice=advice) for what, ok, advice in found]
