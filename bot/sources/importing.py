"""Market history from files: recorded offers become polls, recorded prices become quotes, both in time order.

A file is read twice and never held: the first pass finds its models and times, and whether it is damaged or unsorted;
the second hands on. Bad lines are skipped and reported by number.
"""

from __future__ import annotations

import contextlib
import itertools
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from analytics.market import Offer, Poll, Quality, Quote
from bot.sources.import_lines import ImportFault, Line, Lines, Progress
from bot.sources.import_rows import (
    REQUIRED,
    BadLine,
    Cells,
    Kind,
    OfferReader,
    OfferRow,
    csv_cells,
    csv_reader,
    json_cells,
    missing,
    model_of,
    offer_row,
    price_row,
    seen_at,
)

MOST_MESSAGES = 20
"""Bad lines that are reported in words; all are counted."""
SNIFFED_LINES = 20
"""Lines of an NDJSON file among which one must show what kind it is."""
SINGLE_POLL_INTERVAL = 300
"""Planned seconds between polls where a file has only one, and so cannot tell."""
SKEW_SECONDS = 300
"""By how much the clock of what recorded a file may be ahead of ours (ours: one planned poll)."""
MOST_SHOWN = 200
"""Characters of a file's own column names that an error repeats."""
MOST_MODELS = 5_000
"""Models of one file. A market has some hundreds; a file with more has something else in that column, and each name
would stay in the store and be offered to people."""
BAD_ROWS = "some rows of this poll were unreadable"
MARKED = "marked as incomplete in the file"


@dataclass(slots=True)
class ImportReport:
    """What came of a file so far; final once its iterator has ended."""

    path: Path
    kind: Kind
    models: tuple[str, ...] = ()
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

    Lines of a time after ``latest`` are bad.
    """

    def __init__(self, lines: Lines, form: Form, latest: int) -> None:
        self.kind: Kind = form.kind
        self._lines, self._read, self._header, self._latest = lines, form.read, form.header, latest
        self._models: set[str] = set()
        self._times: set[int] = set()
        self._sorted = True
        self._scan()
        self.report = ImportReport(
            lines.path,
            form.kind,
            models=tuple(sorted(self._models)),
            since=min(self._times, default=None),
            until=max(self._times, default=None),
        )

    @property
    def interval(self) -> int:
        """The planned seconds between its polls: the median spacing of its times."""
        gaps = [after - before for before, after in itertools.pairwise(sorted(self._times))]
        return round(statistics.median(gaps)) if gaps else SINGLE_POLL_INTERVAL

    def rounds(self) -> Iterator[tuple[int, list[Poll]]]:
        """One round for each time in the file, oldest first, with a poll of every model of the file.

        A model without rows at a time was polled and had nothing. A poll with unreadable rows is not complete: what
        they said is unknown, and must not look like slices that have gone.
        """
        interval, book, reader = self.interval, _Book(-1), OfferReader()
        for number, cells, at in self._readable():
            if at != book.at and at in self._times:
                yield from book.round(self.report.models, interval)
                book = _Book(at)
            try:
                row = reader.read(cells)
            except BadLine as error:
                self.report.complain(number, str(error))
                book.blame(at, cells)
            else:
                self.report.rows += 1
                self.report.duplicates += not book.add(row)
        yield from book.round(self.report.models, interval)

    def prices(self) -> Iterator[tuple[str, str, Quote]]:
        """(model, region, quote), oldest first; region "" stands for all regions together."""
        for number, cells, _ in self._readable():
            try:
                yield price_row(cells)
            except BadLine as error:
                self.report.complain(number, str(error))
            else:
                self.report.rows += 1

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
                if at not in self._times or model_of(cells) not in self._models:
                    self._models.add(offer_row(cells).offer.model if self.kind == "offers" else price_row(cells)[0])
                    self._times.add(at)
                    self._check_models()
            except BadLine:
                continue

    def _check_models(self) -> None:
        if len(self._models) > MOST_MODELS:
            raise ImportFault(
                f"{self._lines.path}: more than {MOST_MODELS:,} different models; nothing was imported. A market has "
                "some hundreds: see whether gpu_name holds the models' names, or split the file."
            )

    def _readable(self) -> Iterator[tuple[int, Cells, int]]:
        """The second pass: line number, cells and time, in time order; lines without a usable time are reported."""
        for number, content in self._lines.read() if self._sorted else self._lines.by_time(self._time):
            if number <= self._header:
                continue
            try:
                cells = self._read(content)
                yield number, cells, seen_at(cells, self._latest)
            except BadLine as error:
                self.report.complain(number, str(error))

    def _time(self, content: bytes) -> int:
        try:
            return seen_at(self._read(content), self._latest)
        except BadLine:
            return -1


class _Book:
    """The rows of one time."""

    def __init__(self, at: int) -> None:
        self.at = at
        self._offers: dict[str, dict[str, Offer]] = defaultdict(dict)
        self._notes: dict[str, str] = {}
        self._note = ""

    def add(self, row: OfferRow) -> bool:
        """Take in a row; False when its slice was there already, of which the cheaper one is kept."""
        slices = self._offers[row.offer.model]
        twin = slices.setdefault(row.offer.slice_id, row.offer)
        if twin is not row.offer:
            slices[twin.slice_id] = min(twin, row.offer, key=lambda o: (not o.rentable, o.on_demand, o.min_bid or 0))
        if not row.complete:
            self._notes[row.offer.model] = MARKED
        return twin is row.offer

    def blame(self, at: int, cells: Cells) -> None:
        """Note that a row of this time is unreadable: its model's poll is not complete, or none is if it names none."""
        if at != self.at:
            return
        try:
            self._notes[model_of(cells)] = BAD_ROWS
        except BadLine:
            self._note = BAD_ROWS

    def round(self, models: Sequence[str], interval: int) -> Iterator[tuple[int, list[Poll]]]:
        """The round that these rows make; nothing before the first."""
        if self.at >= 0:
            yield self.at, [self._poll(model, interval) for model in models]

    def _poll(self, model: str, interval: int) -> Poll:
        note = self._notes.get(model, self._note)
        quality = Quality.CAPPED if note else Quality.COMPLETE
        return Poll(model, self.at, quality, tuple(self._offers[model].values()), interval, note)


def import_file(path: Path, kind: Kind | None = None, *, now: int, on_progress: Progress | None = None) -> ImportFile:
    """Look through a file of offers or prices, CSV or NDJSON, gzipped or not; kind and form are found by its content.

    Lines later than ``now`` (UTC seconds, but for ``SKEW_SECONDS``) are bad lines: nobody can have recorded them.
    Raises ImportFault, which says what is wrong, before anything is handed on: empty, damaged, or columns missing.
    """
    with contextlib.closing(Lines(path).read()) as start:
        first = list(itertools.islice(start, SNIFFED_LINES))
    if not first:
        raise ImportFault(f"{path}: the file is empty")
    return ImportFile(Lines(path, on_progress=on_progress), _form(path, kind, first), now + SKEW_SECONDS)


@dataclass(frozen=True, slots=True)
class Form:
    """What a file holds and how its lines are read; ``header``: the number of the last line that is none of them."""

    kind: Kind
    read: Callable[[bytes], Cells]
    header: int


def _form(path: Path, kind: Kind | None, first: Sequence[Line]) -> Form:
    number, content = first[0]
    if content.removeprefix(b"\xef\xbb\xbf").startswith(b"{"):
        return Form(_kind(path, kind, _objects(path, first), raw=True), json_cells, header=0)
    try:
        header = [cell.strip().lower() for cell in csv_cells(content.removeprefix(b"\xef\xbb\xbf"))]
    except BadLine as error:
        raise ImportFault(f"{path}: the first line is not a header ({error})") from error
    repeated = dict.fromkeys(name for name in header if name and header.count(name) > 1)
    if repeated:
        raise ImportFault(f"{path}: the header names a column more than once: {', '.join(repeated)}")
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
