"""The demo that runs beside: it leaves word of its database, and what only reads finds it where nothing is set up."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bot.config import Settings, state_folder

PATTERN = "demo-*.json"


@contextmanager
def announced(url: str) -> Iterator[bool]:
    """Let others find this process's database meanwhile; gives whether they can.

    The file is locked as long as this process lives: one that nobody holds is a dead demo's.
    """
    folder, mine = state_folder(), state_folder() / f"demo-{os.getpid()}.json"
    new = mine.with_suffix(".new")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(folder)
        new.unlink(missing_ok=True)
        file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError:  # a home that cannot be written is no reason not to play
        yield False
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(file, json.dumps({"pid": os.getpid(), "database_url": url}).encode())
        new.rename(mine)
        yield True
    finally:
        for path in (new, mine):
            path.unlink(missing_ok=True)
        os.close(file)


def for_reading(settings: Settings) -> Settings:
    """The settings, with the running demo's database where none is configured or stored; says so on standard error."""
    if not nothing_set_up(settings):
        return settings
    url = _running(state_folder())
    if url is None:
        return settings
    print("From the running demo: everything is simulated.", file=sys.stderr)  # noqa: T201
    return settings.model_copy(update={"database_url": url})


def nothing_set_up(settings: Settings) -> bool:
    """No database was named, and none is at the default place."""
    return "database_url" not in settings.model_fields_set and not Path(settings.database_url).exists()


def _running(folder: Path) -> str | None:
    """The database of the demo that began last, of those that live."""
    found = [(path.stat().st_mtime, path) for path in _files(folder) if _lives(path)]
    for _, path in sorted(found, reverse=True):
        with suppress(OSError, ValueError, KeyError, TypeError):
            return str(json.loads(path.read_text())["database_url"])
    return None


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.glob(PATTERN) if path.stat().st_uid == os.getuid()]
    except OSError:
        return []


def _lives(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _sweep(folder: Path) -> None:
    for path in _files(folder):
        if not _lives(path):
            path.unlink(missing_ok=True)
