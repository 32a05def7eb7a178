"""``spotbot import`` and ``spotbot export``: history from files and to files."""

from __future__ import annotations

import itertools
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from analytics.errors import AskError
from analytics.market import DAY, HOUR, WORLD, HourPoint, Quote, Scope
from analytics.prices import hour_point
from bot.cli.counted import counted
from bot.cli.import_said import Stored, kind_of, said, skipped_lines
from bot.cli.stores import open_dispatcher, open_writer
from bot.clock import SteadyClock
from bot.config import Settings
from bot.forecasts import refresh
from bot.polling.back_fill import back_fill, covered_time
from bot.polling.rounds import Collector
from bot.sources.exporting import COLUMNS, ExportFault, ExportKind, export_rows, write_export
from bot.sources.import_lines import ImportFault
from bot.sources.import_rows import Kind
from bot.sources.importing import ImportFile, ImportReport, import_file
from bot.store.engine import Store

ROUNDS_A_COMMIT = 96
"""Rounds stored together; each is stored whole or not at all."""

HOURS_A_COMMIT = 5_000

EXIT_UNUSABLE = 2
"""What ``import`` exits with when a file gave nothing."""


async def import_files(
    settings: Settings,
    files: Sequence[Path],
    *,
    kind: Kind | None,
    complete: bool | None = None,
    clock: Callable[[], int] | None = None,
    forecast: Callable[[Store, int], Awaitable[object]] | None = None,
) -> int:
    """Import each file. Lines that cannot be used are skipped, counted and named on standard error.

    Returns 0, also when lines were skipped or everything was stored before; 2 when of a file nothing counts: no usable
    line, or no poll of offers that is whole. ``complete``: as :func:`bot.sources.importing.import_file` takes it.
    ``clock`` tells UTC seconds: what was recorded later than now is not believed, and nothing is forecast from then.
    ``forecast``, by default that of everything anew, is called with the store and the time when everything is in.
    """
    now = (clock or SteadyClock())()
    code = 0
    async with open_writer(settings) as store:
        newest = 0
        for path in files:
            try:
                report, stored = await _import_one(store, path, kind, complete, now)
                newest = max(newest, report.until or 0)
                code = code if stored.counts else EXIT_UNUSABLE
            except ImportFault as error:
                print(error, file=sys.stderr)  # noqa: T201
                code = EXIT_UNUSABLE
        if newest:
            at = await _newest(store, newest, now)
            await (forecast(store, at) if forecast else refresh(store, at, anew=True))
    return code


async def _newest(store: Store, imported: int, now: int) -> int:
    """UTC seconds to forecast from: the newest price, which may have been there before; reports are of all models."""
    async with store.reader() as reader:
        hours = [await reader.last_hour(row.name, now // HOUR) for row in await reader.models()]
    return min(now, max([imported, *(hour * HOUR for hour in hours if hour is not None)]))


async def _import_one(
    store: Store, path: Path, kind: Kind | None, complete: bool | None, now: int
) -> tuple[ImportReport, Stored]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(path.name, total=None)
        file = import_file(
            path,
            kind,
            now=now,
            complete=complete,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
        stored = await (import_offers(store, file) if file.kind == "offers" else import_prices(store, file))
    print(said(file.report, stored, file.part, now))  # noqa: T201
    if file.report.bad:
        print(skipped_lines(file.report), file=sys.stderr)  # noqa: T201
    return file.report, stored


async def import_offers(store: Store, file: ImportFile) -> Stored:
    """Back-fill polls; those in time that is accounted for already are left out, so that nothing counts twice."""
    report = file.report
    covered = await covered_time(store, report.models, report.since or 0, report.until or 0, file.interval)
    rounds, collector = file.rounds(), Collector(store, source="import")
    stored = Stored()
    async for done in back_fill(rounds, covered, collector, together=ROUNDS_A_COMMIT, until=report.last_round):
        stored.polls.update(map(kind_of, done.polls))
        stored.skipped += done.skipped
    return stored


async def import_prices(store: Store, file: ImportFile) -> Stored:
    """Back-fill hourly prices; hours that are stored already are kept as they are."""
    stored = Stored()
    hours = _hours(file)
    while batch := list(itertools.islice(hours, HOURS_A_COMMIT)):
        fresh = await _not_stored(store, batch)
        by_model: dict[str, dict[tuple[str, Scope], list[HourPoint]]] = defaultdict(lambda: defaultdict(list))
        for model, region, point in fresh:
            by_model[model][region, Scope.VERIFIED].append(point)
        async with store.writer() as writer:
            for model, points in by_model.items():
                await writer.bulk_hours(model, points)
        priced = [region for _, region, point in batch if point.price is not None]
        stored.priced += len(priced)
        stored.world += priced.count(WORLD)
        stored.hours += len(fresh)
        stored.skipped += len(batch) - len(fresh)
    return stored


def _hours(file: ImportFile) -> Iterator[tuple[str, str, HourPoint]]:
    """(model, region, hour point) from quotes in time order."""
    open_hour, quotes = -1, defaultdict[tuple[str, str], list[Quote]](list)
    for model, region, quote in file.prices():
        hour = quote.at // HOUR
        if hour != open_hour:
            yield from _close(open_hour, quotes)
            open_hour = hour
            quotes.clear()
        quotes[model, region].append(quote)
    yield from _close(open_hour, quotes)


def _close(hour: int, quotes: Mapping[tuple[str, str], Sequence[Quote]]) -> Iterator[tuple[str, str, HourPoint]]:
    for (model, region), some in quotes.items():
        yield model, region, hour_point(hour, some)


async def _not_stored(store: Store, batch: Sequence[tuple[str, str, HourPoint]]) -> list[tuple[str, str, HourPoint]]:
    first, last = min(p.hour for _, _, p in batch), max(p.hour for _, _, p in batch)
    models = {model for model, _, _ in batch}
    known: set[tuple[str, str, int]] = set()
    async with store.reader() as reader:
        for region in {region for _, region, _ in batch}:
            for model, points in (await reader.hours(models, first, last + 1, region=region)).items():
                known.update((model, region, point.hour) for point in points)
    return [(model, region, p) for model, region, p in batch if (model, region, p.hour) not in known]


async def export_file(settings: Settings, file: Path, *, kind: ExportKind, days: int, names: Sequence[str]) -> int:
    """Write the last days of history to a file; prices and offers are what ``import`` reads."""
    async with open_dispatcher(settings) as dispatcher:
        try:
            async with dispatcher.query_context() as query:
                models = [model for name in names for model in await query.resolve(name)] or None
                rows = export_rows(query.reader, kind, query.now - days * DAY, query.now + 1, models)
                count = await write_export(file, COLUMNS[kind], rows)
        except (AskError, ExportFault) as error:
            print(error, file=sys.stderr)  # noqa: T201
            return 2
    print(f"{file}: {counted(count, 'row')}")  # noqa: T201
    return 0
