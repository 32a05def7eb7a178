"""Market history from files: recorded offers become polls, recorded prices become quotes, both in time order.

A file is read twice and never held: the first pass finds its models and snapshots, and whether it is damaged or
unsorted; the second hands on. Bad lines are skipped and reported by number.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analytics.market import Poll, Quote
from bot.sources.import_book import Book
from bot.sources.import_lines import ImportFault, Line, Lines, Progress
from bot.sources.import_models import NameRead
from bot.sources.import_rows import (
    REQUIRED,
    BadLine,
    Cells,
    Kind,
    NotYetLine,
    OfferReader,
    csv_cells,
    csv_reader,
    json_cells,
    missing,
    name_of,
    offer_row,
    price_row,
    seen_at,
)
from bot.sources.import_samples import SampleTest
from bot.sources.import_snapshots import PAUSE_OF_ONE, Sightings, Snapshots, slower, snapshots, spacing

MOST_MESSAGES = 20
"""Bad lines that are reported in words; all are counted."""
SNIFFED_LINES = 20
"""Lines of an NDJSON file among which one must show what kind it is."""
SKEW_SECONDS = 300
"""By how much the clock of what recorded a file may be ahead of ours (ours: one planned poll)."""
UTF16 = (b"\xff\xfe", b"\xfe\xff")
"""How a file begins that a spreadsheet saved as “Unicode text”."""
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
"""What stands between columns where a comma is a decimal point."""
MOST_SHOWN = 200
"""Characters of a file's own column names that an error repeats."""
MOST_MODELS = 5_000
"""Models of one file. A market has some hundreds; a file with more has something else in that column, and each name
would stay in the store and be offered to people."""
PART = "a part of the market: "
SAID_PART = "said to be incomplete when it was imported"
SLICE = ("gpu_name", "gpu_ram_mb", "gpu_ram", "machine_id", "num_gpus", "gpu_ids")
"""The cells that tell one slice from another."""


@dataclass(slots=True)
class ImportReport:
    """What came of a file so far; final once its iterator has ended."""

    path: Path
    kind: Kind
    models: tuple[str, ...] = ()
    names: tuple[NameRead, ...] = ()
    """how the models' names were read, each spelling once"""
    sample: str = ""
    """why an offers file seems to hold parts of the market only; empty where nothing says so"""
    slower: Mapping[str, int] = field(default_factory=dict)
    """models of an offers file that were polled less often than others, and the seconds between their polls"""
    interval: int = 0
    """planned seconds between the polls of an offers file"""
    last_round: int = 0
    """UTC seconds of the last snapshot of an offers file"""
    since: int | None = None
    until: int | None = None
    rows: int = 0
    bad: int = 0
    duplicates: int = 0
    messages: list[str] = field(default_factory=list)
    """the first bad lines, by number and reason"""

    def complain(self, number: int, reason: str) -> None:
        """Count a bad line."""
        self.bad += 1
        if len(self.messages) < MOST_MESSAGES:
            self.messages.append(f"line {number}: {reason}")


class ImportFile:
    """A file that has been looked through once. Iterate ``rounds`` (kind offers) or ``prices`` (kind prices), once.

    Lines of a time after ``latest`` are bad. ``complete``: whether its polls are all of the market; by default it is
    found out.
    """

    def __init__(self, lines: Lines, form: Form, latest: int, complete: bool | None = None) -> None:
        self.kind: Kind = form.kind
        self._lines, self._read, self._header, self._latest = lines, form.read, form.header, latest
        self._complete = complete
        self._sorted = True
        self._scanned = _Scan(form.kind)
        self._scan()
        scanned = self._scanned
        self._check_models()
        self._snapshots, sample = scanned.snapshots()
        self.report = ImportReport(
            lines.path,
            form.kind,
            models=tuple(sorted({read.model for read in scanned.names.values()})),
            names=tuple(sorted(set(scanned.names.values()), key=lambda read: read.spelt)),
            since=scanned.since,
            until=scanned.until,
            sample=sample,
            slower=scanned.slower,
            interval=self._snapshots.interval,
            last_round=max(self._snapshots.starts, default=0),
        )

    @property
    def interval(self) -> int:
        """The planned seconds between its polls."""
        return self.report.interval

    @property
    def part(self) -> str:
        """Why its polls are taken as parts of the market; empty where they are whole but for what rows say."""
        if self._complete is False:
            return SAID_PART
        return PART + self.report.sample if self.report.sample and self._complete is None else ""

    def rounds(self) -> Iterator[tuple[int, list[Poll]]]:
        """One round for each snapshot of the file, oldest first, with a poll of every model of the file.

        A model without rows in a snapshot was polled and had nothing, unless it is one of those that were polled less
        often. What unreadable rows said is unknown, and must not look like slices that have gone; a poll with too
        many of them is not complete.
        """
        models, interval, part, less = self.report.models, self.interval, self.part, self.report.slower
        book, reader, torn = Book(-1), OfferReader(), 0
        for number, cells, at in self._readable():
            if at is None:  # torn: of the snapshot around it, which may also be the next one
                book.blame({})
                torn += 1
                continue
            start = self._snapshots.of(at)
            if start is not None and start != book.at:
                yield from book.round(models, interval, part, less)
                book = Book(start)
                for _ in range(torn):
                    book.blame({})
            torn = 0
            try:
                row = reader.read(cells)
            except BadLine as error:
                self.report.complain(number, str(error))
                if start is not None:
                    book.blame(cells)
            else:
                self.report.rows += 1
                self.report.duplicates += not book.add(at, row)
        yield from book.round(models, interval, part, less)

    def prices(self) -> Iterator[tuple[str, str, Quote]]:
        """(model, region, quote), oldest first; region "" stands for all regions together."""
        for number, cells, at in self._readable():
            try:
                if at is not None:
                    yield price_row(cells)
                    self.report.rows += 1
            except BadLine as error:
                self.report.complain(number, str(error))

    def _scan(self) -> None:
        """The first pass. Only what a wholly valid line says counts: one damaged time would empty every market once."""
        latest = 0
        for number, content in self._lines.read():
            if number <= self._header:
                continue
            try:
                cells = self._read(content)
                at = seen_at(cells, self._latest)
                self._sorted = self._sorted and at >= latest
                latest = max(latest, at)
                self._scanned.take(at, cells)
            except BadLine:
                continue
            if len(self._scanned.names) > MOST_MODELS:
                self._check_models()

    def _check_models(self) -> None:
        if len({read.model for read in self._scanned.names.values()}) > MOST_MODELS:
            raise ImportFault(
                f"{self._lines.path}: more than {MOST_MODELS:,} different models; nothing was imported. A market has "
                "some hundreds: see whether gpu_name holds the models' names, or split the file."
            )

    def _readable(self) -> Iterator[tuple[int, Cells, int | None]]:
        """The second pass: line number, cells and time, in time order. Lines that cannot be used are reported.

        Those without a usable time have None for it, and stand where they stand in the file; those that are of no
        time that has come are left out.
        """
        for number, content in self._lines.read() if self._sorted else self._lines.by_time(self._time()):
            if number <= self._header:
                continue
            try:
                cells = self._read(content)
                yield number, cells, seen_at(cells, self._latest)
            except NotYetLine as error:
                self.report.complain(number, str(error))
            except BadLine as error:
                self.report.complain(number, str(error))
                yield number, {}, None

    def _time(self) -> Callable[[bytes], int]:
        """What tells the time of each line in turn; one that cannot be read has that of the line before."""
        last = -1

        def time(content: bytes) -> int:
            nonlocal last
            with contextlib.suppress(BadLine):
                last = seen_at(self._read(content), self._latest)
            return last

        return time


class _Scan:
    """What the first pass learns from the valid lines of a file."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self.names: dict[tuple[Any, Any], NameRead] = {}
        self.since: int | None = None
        self.until: int | None = None
        self.slower: Mapping[str, int] = {}
        self._slices: dict[int, int] = {}
        self._models: list[str] = []
        self._sightings = Sightings()

    def take(self, at: int, cells: Cells) -> None:
        """Take in a line. Raises BadLine."""
        if self._kind == "offers":
            self._sight(at, cells)
        elif _named(cells) not in self.names or not (self.since or 0) <= at <= (self.until or 0):
            price_row(cells)
            self._learn(at, cells)

    def snapshots(self) -> tuple[Snapshots, str]:
        """The snapshots of an offers file, and why they seem to be parts of the market; what they came of is let go."""
        sightings, self._sightings = self._sightings, Sightings()
        if sightings.times:
            self.since, self.until = min(sightings.times), max(sightings.times)
        every, test, found = spacing(sightings), SampleTest(), []
        for snapshot in snapshots(sightings, every):
            test.look(snapshot)
            found.append((snapshot.start, snapshot.end))
        whole = Snapshots(found, every / PAUSE_OF_ONE)
        self.slower = slower(sightings, self._models, whole)
        return whole, test.verdict()

    def _sight(self, at: int, cells: Cells) -> None:
        key = _slice_key(cells)
        slice_ = self._slices.get(key)
        if slice_ is None:
            offer = offer_row(cells).offer
            slice_ = self._slices[key] = len(self._slices)
            self._sightings.names.append(name_of(cells).spelt)
            self._models.append(name_of(cells).model)
            self._sightings.machines.append(offer.machine_id)
            self._learn(at, cells)
        self._sightings.add(at, slice_)

    def _learn(self, at: int, cells: Cells) -> None:
        self.since = at if self.since is None else min(self.since, at)
        self.until = at if self.until is None else max(self.until, at)
        name = _named(cells)
        if name not in self.names:
            self.names[name] = name_of(cells)


def _slice_key(cells: Cells) -> int:
    said = tuple(map(cells.get, SLICE))
    try:
        return hash(said)
    except TypeError:  # an NDJSON line with a list in it
        return hash(repr(said))


def _named(cells: Cells) -> tuple[Any, Any]:
    name, ram = cells.get("gpu_name"), cells.get("gpu_ram_mb", cells.get("gpu_ram"))
    return name if isinstance(name, str) else None, ram if isinstance(ram, (str, int, float)) else None


def import_file(
    path: Path,
    kind: Kind | None = None,
    *,
    now: int,
    complete: bool | None = None,
    on_progress: Progress | None = None,
) -> ImportFile:
    """Look through a file of offers or prices, CSV or NDJSON, gzipped or not; kind and form are found by its content.

    Lines later than ``now`` (UTC seconds, but for ``SKEW_SECONDS``) are bad lines: nobody can have recorded them.
    ``complete``: whether its polls are all of the market; None: unless they look like parts of it.
    Raises ImportFault, which says what is wrong, before anything is handed on: empty, damaged, or columns missing.
    """
    with contextlib.closing(Lines(path).read()) as start:
        first = list(itertools.islice(start, SNIFFED_LINES))
    if not first:
        raise ImportFault(f"{path}: the file is empty")
    return ImportFile(Lines(path, on_progress=on_progress), _form(path, kind, first), now + SKEW_SECONDS, complete)


@dataclass(frozen=True, slots=True)
class Form:
    """What a file holds and how its lines are read; ``header``: the number of the last line that is none of them."""

    kind: Kind
    read: Callable[[bytes], Cells]
    header: int


def _form(path: Path, kind: Kind | None, first: Sequence[Line]) -> Form:
    number, content = first[0]
    if content.startswith(UTF16):
        raise ImportFault(f"{path}: the file is UTF-16; save it as UTF-8")
    if content.removeprefix(b"\xef\xbb\xbf").startswith(b"{"):
        return Form(_kind(path, kind, _objects(path, first), raw=True), json_cells, header=0)
    try:
        header = [cell.strip().lower() for cell in csv_cells(content.removeprefix(b"\xef\xbb\xbf"))]
    except BadLine as error:
        raise ImportFault(f"{path}: the first line is not a header ({error})") from error
    repeated = dict.fromkeys(name for name in header if name and header.count(name) > 1)
    if repeated:
        raise ImportFault(f"{path}: the header names a column more than once: {', '.join(repeated)}")
    if len(header) == 1 and (other := next((one for one in SEPARATORS if one in header[0]), None)):
        raise ImportFault(
            f"{path}: its columns are separated by {SEPARATORS[other]}; save it with commas between them, "
            "and with points in numbers"
        )
    return Form(_kind(path, kind, [header]), csv_reader(header), header=number)


def _objects(path: Path, lines: Sequence[Line]) -> list[Sequence[str]]:
    found: list[Sequence[str]] = []
    for _, content in lines:
        with contextlib.suppress(BadLine):
            found.append(tuple(json_cells(content)))
    if not found:
        raise ImportFault(f"{path}: looks like NDJSON, but none of its first {len(lines)} lines is a JSON object")
    return found


def _kind(path: Path, kind: Kind | None, columns: Sequence[Sequence[str]], *, raw: bool = False) -> Kind:
    """The kind whose columns are all there."""
    wanted: Sequence[Kind] = (kind,) if kind else tuple(REQUIRED)
    for one in wanted:
        if any(not missing(one, some, raw=raw) for some in columns):
            return one
    lacks = "; ".join(f"a file of {one} needs {', '.join(missing(one, columns[0], raw=raw))}" for one in wanted)
    raise ImportFault(f"{path}: columns are missing: {lacks}. It has {_shown(columns[0])}")


def _shown(columns: Sequence[str]) -> str:
    """Column names as they may be repeated on a terminal: what a binary file holds instead is not."""
    text = "".join(c for c in ", ".join(columns)[:MOST_SHOWN] if c.isprintable() and c != "\N{REPLACEMENT CHARACTER}")
    return text or "nothing readable"
