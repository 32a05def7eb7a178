"""Stored history to files: CSV or NDJSON by the file's name, gzipped when it ends in .gz."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from analytics.evidence import STALE_AFTER_INTERVALS, iso
from analytics.market import HOUR, WORLD, HourPoint, Interruption, Offer, Quote
from analytics.regions import UNKNOWN, region_names
from bot.sources.import_rows import GUARDED, WORLD_NAME

ExportKind = Literal["offers", "prices", "interruptions"]
Row = list[Any]

COLUMNS: Mapping[ExportKind, tuple[str, ...]] = {
    "offers": (
        *("ts_utc", "gpu_name", "machine_id", "num_gpus", "geolocation", "on_demand_per_gpu", "min_bid_per_gpu"),
        *("rentable", "verified", "reliability", "gpu_ids", "offer_id", "host_id", "gpu_ram_mb", "end_date"),
        "complete",
    ),
    "prices": ("ts_utc", "gpu_name", "region", "price", "on_demand_price", "p10", "p90", "offers", "floor", "gpus"),
    "interruptions": (
        *("gpu_name", "region", "cause", "held_at", "seen_at", "back_at", "machine_id", "host_id", "num_gpus"),
        *("slice", "bid_per_gpu"),
    ),
}
MOST_INTERRUPTIONS = 1_000_000
"""Of one model; more than a year of the busiest."""
FORMS = (".csv", ".ndjson", ".jsonl")


class ExportFault(Exception):
    """A file that cannot be written; says why."""


class ModelState(Protocol):
    """What an export needs to know of a model."""

    @property
    def name(self) -> str:
        """The canonical model."""

    @property
    def interval(self) -> int:
        """Planned seconds between polls."""

    @property
    def last_good_at(self) -> int | None:
        """The latest complete poll."""


class History(Protocol):
    """What an export reads: the part of the store's reader that it needs."""

    async def models(self) -> Sequence[ModelState]:
        """All models."""

    async def book(self, models: Iterable[str] | None = None) -> Sequence[Offer]:
        """Rentable slices of the latest complete polls."""

    async def regional_quotes(self, model: str) -> Mapping[str, Quote]:
        """The latest quotes by region."""

    async def hours(
        self, models: Iterable[str] | None, since_hour: int, until_hour: int | None = None, *, region: str = WORLD
    ) -> Mapping[str, Sequence[HourPoint]]:
        """Hour points of verified machines."""

    async def interruptions(self, model: str, since: int, limit: int = 100) -> Sequence[Interruption]:
        """Newest first."""


async def export_rows(
    reader: History, kind: ExportKind, since: int, until: int, models: Sequence[str] | None = None
) -> AsyncIterator[Row]:
    """Rows under ``COLUMNS[kind]`` from UTC second ``since`` to before ``until``, of some models or of all.

    Offers are kept only as long as they are current, so of those there is one poll at most.
    """
    known = [state for state in await reader.models() if models is None or state.name in models]
    if kind == "offers":
        rows = _offers(reader, known, since, until)
    elif kind == "prices":
        rows = _prices(reader, known, since, until)
    else:
        rows = _interruptions(reader, known, since, until)
    async for row in rows:
        yield row


async def _offers(reader: History, known: Sequence[ModelState], since: int, until: int) -> AsyncIterator[Row]:
    """The current book as one poll: in an import each further time would say that all other models had nothing then."""
    at = max((state.last_good_at or 0 for state in known), default=0)
    fresh = [
        state.name
        for state in known
        if state.last_good_at is not None and at - state.last_good_at <= STALE_AFTER_INTERVALS * state.interval
    ]
    if since <= at < until:
        for offer in await reader.book(fresh):
            yield _offer(at, offer)


def _offer(at: int, offer: Offer) -> Row:
    return [
        *(iso(at), offer.model, offer.machine_id, offer.num_gpus, offer.geolocation),
        *(_dollars(offer.on_demand), _dollars(offer.min_bid), int(offer.rentable), int(offer.verified)),
        *(offer.reliability, " ".join(map(str, offer.gpu_ids)), offer.offer_id, offer.host_id, offer.gpu_ram_mb),
        *(offer.end_date, 1),
    ]


async def _prices(reader: History, known: Sequence[ModelState], since: int, until: int) -> AsyncIterator[Row]:
    first, last = -(-since // HOUR), -(-until // HOUR)
    for state in known:
        now = await reader.regional_quotes(state.name)
        for region in dict.fromkeys([WORLD, *region_names(), UNKNOWN, *now]):
            found = await reader.hours([state.name], first, last, region=region)
            for point in found.get(state.name, ()):
                yield [
                    *(iso(point.hour * HOUR), state.name, WORLD_NAME if region == WORLD else region),
                    *map(_dollars, (point.price, point.on_demand, point.p10, point.p90)),
                    *(point.offers, _dollars(point.floor), point.gpus),
                ]


async def _interruptions(reader: History, known: Sequence[ModelState], since: int, until: int) -> AsyncIterator[Row]:
    for state in known:
        for lost in reversed(await reader.interruptions(state.name, since, MOST_INTERRUPTIONS)):
            if lost.seen_at < until:
                yield [
                    *(lost.model, lost.region, lost.cause.value, iso(lost.held_at), iso(lost.seen_at)),
                    *(None if lost.back_at is None else iso(lost.back_at), lost.machine_id, lost.host_id),
                    *(lost.num_gpus, lost.slice_id, _dollars(lost.bid)),
                ]


def _dollars(micro: int | None) -> float | None:
    """Exact: a double holds any price in micro-dollars."""
    return None if micro is None else micro / 1e6


async def write_export(path: Path, columns: Sequence[str], rows: AsyncIterator[Row]) -> int:
    """Write rows to a file whose name says its form, and return how many. The file appears whole or not at all.

    Raises ExportFault for another ending, or when the file cannot be written.
    """
    form = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if form not in FORMS:
        raise ExportFault(f"{path}: the name must end in {', '.join(FORMS)}, or one of them and .gz")
    part = path.with_name(f".{path.name}.part")
    count = 0
    try:
        with _opened(part, packed=path.suffix == ".gz") as file:
            write = _csv_writer(file, columns) if form == ".csv" else _json_writer(file, columns)
            async for row in rows:
                write(row)
                count += 1
        os.replace(part, path)
    except OSError as error:
        raise ExportFault(f"{path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    return count


def _opened(path: Path, *, packed: bool) -> io.TextIOWrapper:
    stream = gzip.GzipFile(path, "wb") if packed else path.open("wb")
    return io.TextIOWrapper(stream, encoding="utf-8", newline="")


def _csv_writer(file: io.TextIOBase, columns: Sequence[str]) -> Callable[[Row], Any]:
    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(columns)
    return lambda row: writer.writerow([guarded(cell) if isinstance(cell, str) else cell for cell in row])


def _json_writer(file: io.TextIOBase, columns: Sequence[str]) -> Callable[[Row], Any]:
    return lambda row: file.write(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) + "\n")


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula; apostrophes already there are kept apart from the one added."""
    return f"'{text}" if text.lstrip("'").startswith(GUARDED) else text
