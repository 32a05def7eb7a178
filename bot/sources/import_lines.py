"""The physical side of an import file: its lines, plain or gzipped, sorted when needed, in bounded memory."""

from __future__ import annotations

import contextlib
import gzip
import heapq
import operator
import tempfile
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import BinaryIO

GZIP_MAGIC = b"\x1f\x8b"
LONGEST_LINE = 1 << 20
"""Bytes; a longer line is no row of ours (the longest raw row has some 4 kB), and is not kept in memory."""
SORT_LINES = 200_000
"""Lines sorted in memory at a time, some 60 MB; the rest waits in temporary files."""
TELL_EVERY = 2_000
"""Lines between two reports of progress."""

Line = tuple[int, bytes]
"""Number in the file, from 1, and content without its end; content ``TOO_LONG`` for a line over the limit."""
TOO_LONG = b"\x00too long"
Progress = Callable[[int, int], None]
"""Called with bytes read so far and bytes to read in all."""


class ImportFault(Exception):
    """A file that cannot be imported at all; says why."""


class Lines:
    """The lines of a file. Each ``read`` is one pass; ``passes`` of them make the progress complete."""

    def __init__(self, path: Path, *, passes: int = 2, on_progress: Progress | None = None) -> None:
        self.path = path
        self._size = path.stat().st_size
        self._passes, self._done = passes, 0
        self._on_progress = on_progress

    def read(self) -> Generator[Line, None, None]:
        """All lines that are not blank. Raises ImportFault when the file is damaged."""
        number = 0
        try:
            with self.path.open("rb") as raw, _unpacked(raw) as stream:
                while line := stream.readline(LONGEST_LINE):
                    number += 1
                    if number % TELL_EVERY == 0:
                        self._tell(raw.tell())
                    if len(line) == LONGEST_LINE and _skip_rest(stream, line):
                        line = TOO_LONG
                    if content := line.strip():
                        yield number, content
        except (EOFError, OSError, zlib.error) as error:
            raise ImportFault(f"{self.path}: damaged after line {number} ({error})") from error
        self._done += 1
        self._tell(0)

    def by_time(self, time_of: Callable[[bytes], int]) -> Iterator[Line]:
        """All lines, lowest ``time_of`` first, in file order within one time."""
        with tempfile.TemporaryDirectory(prefix="spotbot-import-") as folder, contextlib.ExitStack() as files:
            parts = [files.enter_context(part.open("rb")) for part in self._sorted_parts(time_of, Path(folder))]
            for _, number, content in heapq.merge(*map(_keyed, parts)):
                yield number, content

    def _sorted_parts(self, time_of: Callable[[bytes], int], folder: Path) -> Iterator[Path]:
        rows: list[tuple[int, int, bytes]] = []
        for number, content in self.read():
            rows.append((time_of(content), number, content))
            if len(rows) == SORT_LINES:
                yield _write_part(rows, folder)
                rows = []
        if rows:
            yield _write_part(rows, folder)

    def _tell(self, position: int) -> None:
        if self._on_progress is not None:
            total = self._passes * self._size
            self._on_progress(min(self._done * self._size + position, total), total)


def _unpacked(raw: BinaryIO) -> gzip.GzipFile | BinaryIO:
    packed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    raw.seek(0)
    return gzip.open(raw) if packed else raw


def _skip_rest(stream: gzip.GzipFile | BinaryIO, line: bytes) -> bool:
    """Whether the line goes on; what is left of it is read and forgotten."""
    longer = not line.endswith(b"\n")
    while line and not line.endswith(b"\n"):
        line = stream.readline(LONGEST_LINE)
    return longer


def _write_part(rows: list[tuple[int, int, bytes]], folder: Path) -> Path:
    rows.sort(key=operator.itemgetter(0, 1))
    part = folder / str(rows[0][1])
    with part.open("wb") as file:
        file.writelines(b"%d %d %s\n" % row for row in rows)
    return part


def _keyed(part: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    for row in part:
        time, number, content = row.rstrip(b"\n").split(b" ", 2)
        yield int(time), int(number), content
