"""The hourly forecast job: history out of the store, worked through in a process of its own, results back in."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

import structlog

from analytics.forecasting.ledger import Due, Entry
from analytics.forecasting.track_record import BACKTEST, RECORD_H
from analytics.interruptions.weekly_hazard import LOOK_BACK_HOURS, HazardProfile, Hours
from analytics.market import DAY, HOUR, HourPoint
from bot.apart import apart
from bot.extras import FORECASTS
from bot.store.engine import Store, open_store
from bot.store.reader import Reader

if TYPE_CHECKING:
    from analytics.forecasting.issuing import Run

log = structlog.get_logger()

LOOKBACK_HOURS = 60 * 24
"""History that a refresh walks: 30 days of record, 21 by which is served before them, and room for gaps."""

DUE_HOURS = 8 * 24
"""How far back unscored forecasts are looked for: a week of standing still is made up for."""

CHUNK = 500
"""Rows written at a time; other tasks get their turn in between."""

MODELS_AT_ONCE = 25
"""Models whose ledger is read at a time: its rows take as much memory again as what is made of them."""

Result = TypeVar("Result")

_turns: WeakKeyDictionary[Store, asyncio.Lock] = WeakKeyDictionary()
"""Whose turn it is to forecast from a store."""


@dataclass(frozen=True)
class Worked:
    """What the other process brings back; ``profiles``: None where none were to be fitted."""

    run: Run | None
    profiles: Mapping[str, HazardProfile] | None


async def refresh(store: Store, now: int, *, anew: bool = False) -> int:
    """Score what has come due, forecast every model from the stored history; returns how many forecasts were issued.

    Once a UTC day, and wherever ``anew``, the profiles of the week are fitted too. Without the packages that forecasts
    need, only they are. One at a time: the last word has who read last.
    """
    async with _turns.setdefault(store, asyncio.Lock()):
        return await _refresh_now(store, now, anew=anew)


async def _refresh_now(store: Store, now: int, *, anew: bool) -> int:
    fitting = anew or await _another_day(store, now)
    if not (fitting or FORECASTS.installed):
        return 0
    worked = await apart(_refresh, store.url, now, fitting)
    if worked.profiles is not None:
        async with store.writer() as writer:
            await writer.save_hazard_profiles(worked.profiles, now)
    if worked.run is None:
        return 0
    await _save(store, worked.run, now)
    found = worked.run
    log.info("forecasts", models=len(found.records), issued=len(found.forecasts), scored=len(found.outcomes))
    return len(found.forecasts)


async def _save(store: Store, found: Run, now: int) -> None:
    async with store.writer() as writer:
        for some in batched(found.outcomes, CHUNK):
            await writer.score_forecasts(some, now)
        for issued in batched(found.forecasts, CHUNK):
            await writer.save_forecasts(issued)
        for record in found.records:
            await writer.save_track_record(record)
        await writer.replace_accuracy(found.reports, now)


def batched(rows: Iterable[Result], size: int) -> Iterator[list[Result]]:
    """So many rows at a time."""
    left = iter(rows)
    while some := list(islice(left, size)):
        yield some


async def _another_day(store: Store, now: int) -> bool:
    async with store.reader() as reader:
        fitted_at = await reader.profiles_fitted_at()
    return fitted_at is None or fitted_at // DAY != now // DAY


def _refresh(url: str, now: int, fitting: bool) -> Worked:
    """In the other process: read the history there, so that this one never holds it."""
    # First, and let go of before prices are read: both histories at once take the memory of both.
    fitted = _fitted(url, now // HOUR) if fitting else None
    if not FORECASTS.installed:
        return Worked(None, None if fitted is None else fitted[1])
    from analytics.forecasting.issuing import run

    read = asyncio.run(_read(url, now // HOUR))
    windows = read.windows if fitted is None else fitted[0]
    found = run(read.hours, now // HOUR, read.due, read.scored) if read.hours else None
    if found is not None:
        found = replace(found, reports={kind: {**report, "windows": windows} for kind, report in found.reports.items()})
    return Worked(found, None if fitted is None else fitted[1])


def _fitted(url: str, now_hour: int) -> tuple[Mapping[str, Any], Mapping[str, HazardProfile]]:
    """What held-out weeks say of safe windows, and each model's profile."""
    from analytics.interruptions.fleet_profile import fit, window_report

    lived = asyncio.run(_exposures(url, now_hour))
    fitted = fit(lived)
    return window_report(fitted, len(lived)), fitted


@dataclass(frozen=True)
class _Read:
    hours: Mapping[str, Sequence[HourPoint]]
    due: Sequence[Due]
    scored: Sequence[Entry]
    windows: Mapping[str, Any] | None
    """what was last said of safe windows: they are fitted once a day"""


@asynccontextmanager
async def _reader(url: str) -> AsyncIterator[Reader]:
    """The store as the other process reads it."""
    store = await open_store(url, writer=False)
    try:
        async with store.reader() as reader:
            yield reader
    finally:
        await store.close()


async def _read(url: str, now_hour: int) -> _Read:
    async with _reader(url) as reader:
        hours = await reader.hours(None, now_hour - LOOKBACK_HOURS, now_hour + 1)
        due = await reader.due_forecasts(hours, (now_hour - DUE_HOURS) * HOUR, now_hour * HOUR)
        scored: list[Entry] = []
        for some in batched(hours, MODELS_AT_ONCE):
            scored += await reader.scored_forecasts(some, (now_hour - RECORD_H) * HOUR)
        _, last = (await reader.accuracy()).get(BACKTEST, (0, {}))
        return _Read(hours, due, scored, last.get("windows"))


async def _exposures(url: str, now_hour: int) -> Mapping[str, Hours]:
    async with _reader(url) as reader:
        return await reader.exposure_hours_of_all(now_hour - LOOK_BACK_HOURS, now_hour + 1)


def _report(url: str, models: Sequence[str] | None) -> dict[str, Any] | None:
    """In the other process too: the report on all stored hours; None where there are none.

    All models are walked, as they are when forecasts are issued, and those asked for are shown.
    """
    from analytics.forecasting.backtest import backtest

    hours = asyncio.run(_hours(url))
    until = max((points[-1].hour for points in hours.values() if points), default=0)
    found = backtest(hours, until)
    if found is None:
        return None
    report = found.report()
    report["series"] = [row for row in report["series"] if not models or row["gpu"] in models]
    return {**report, "windows": _fitted(url, until)[0]} if report["series"] else None


async def _hours(url: str) -> Mapping[str, Sequence[HourPoint]]:
    async with _reader(url) as reader:
        return await reader.hours(None, 0, None)


async def report(store: Store, models: Sequence[str] | None, *, as_json: bool) -> int:
    """Print how the forecaster would have fared on the stored history; 3 when there is none."""
    found = await apart(_report, store.url, models)
    if found is None:
        print("no history in which a forecast could come due: poll or import some first", file=sys.stderr)  # noqa: T201
        return 3
    print(json.dumps(found, indent=2) if as_json else table(found))  # noqa: T201
    return 0


def table(found: Mapping[str, Any]) -> str:
    """The report for people: a line a series and horizon, then all of them, the advice and the safe windows."""
    names = ("n", "MAE", "naive", "ratio", "cover", "width%", "Winkler", "said", "hit 5%", "moves%", "served")
    head = f"{'GPU':<22}{'h':>4}" + "".join(f"{name:>9}" for name in names)
    rows = [f"{row['gpu'][:21]:<22}{row['horizon_hours']:>4}{_cells(row)}" for row in found["series"]]
    whole = [f"{'all models':<22}{horizon:>4}{_cells(row)}" for horizon, row in found["overall"].items()]
    return "\n".join([head, *rows, *whole, *_below(found)])


_COLUMNS = (
    ("n", 0), ("mae", 4), ("mae_naive", 4), ("ratio", 3), ("coverage_80", 2), ("width_80_percent", 2), ("winkler", 2),
    ("confidence_mean", 2), ("hit_5_percent", 2), ("moves_percent", 1), ("served", 2),
)  # fmt: skip


def _cells(row: Mapping[str, Any]) -> str:
    return "".join(_f(row.get(name), 9, digits) for name, digits in _COLUMNS)


def _below(found: Mapping[str, Any]) -> list[str]:
    advice, windows = found["advice"], found["windows"]
    lines = [
        f"calibration error of the confidence, {h} h: {_f(row['ece'], 0, 3)}" for h, row in found["overall"].items()
    ]
    lines.append(
        f"advice: waited in {advice['waits']} of {advice['n']} hours, saved {_f(advice['saved_percent'], 0, 2)}% "
        f"of {_f(advice['oracle_percent'], 0, 2)}% at best; waits that lost money: "
        f"{_f(advice['wrong_waits_percent'], 0, 1)}%"
    )
    lines.append(
        f"safe windows: {windows['published']} of {windows['models']} models; risk of the safest quarter of the week, "
        f"claimed {_f(windows['claimed_risk'], 0, 2)}, met {_f(windows['met_risk'], 0, 2)} of the average hour's"
    )
    for horizon, experts in found["experts"].items():
        shown = ", ".join(f"{one['name']} {one['weight']:.2f}" for one in experts)
        lines.append(f"weights, {horizon} h: {shown}")
    return lines


def _f(value: float | None, width: int, digits: int) -> str:
    return f"{'–':>{width}}" if value is None else f"{value:>{width}.{digits}f}"
