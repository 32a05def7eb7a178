"""The demo that runs beside: it leaves word of its database, and what only reads finds it where nothing is set up."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bot.config import Settings, state_folder

PATTERN = "demo-*.json"

FOLDER_PREFIX = "spotbot-demo-"
"""How the temporary folder of a demo's database is called."""

LONGEST = 1 << 16
"""Bytes of such a file that are read; a path has 4,096 at the most."""

OF_OTHERS = stat.S_IWGRP | stat.S_IWOTH
"""Permissions by which others could write."""


@contextmanager
def announced(url: str) -> Iterator[bool]:
    """Let others find this process's database meanwhile; gives whether they can.

    The file is locked as long as this process lives: one that nobody holds is a dead demo's.
    """
    mine = state_folder() / f"demo-{os.getpid()}.json"
    try:
        file = _leave_word(mine, url)
    except OSError:  # a home that cannot be written is no reason not to play
        yield False
        return
    try:
        yield True
    finally:
        mine.unlink(missing_ok=True)
        os.close(file)


def _leave_word(mine: Path, url: str) -> int:
    """Write the file, locked before others can see it; gives it open."""
    folder, new = mine.parent, mine.with_suffix(".new")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _ours_alone(folder):
        raise PermissionError(errno.EACCES, "others can write here", str(folder))
    _sweep(folder)
    new.unlink(missing_ok=True)
    file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(file, json.dumps({"pid": os.getpid(), "database_url": url}).encode())
        new.rename(mine)
    except OSError:
        os.close(file)
        new.unlink(missing_ok=True)
        raise
    return file


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
    found = [(began, url) for path in _files(folder) for began, url in _word_of_the_living(path)]
    return max(found)[1] if found else None


def _word_of_the_living(path: Path) -> Iterator[tuple[float, str]]:
    """When the demo left its word and what it says; nothing where it is dead. Looked at and read as one file."""
    with _opened(path) as file:
        if file is not None and _held(file) and (url := _url(file)) is not None:
            yield os.fstat(file).st_mtime, url


def _files(folder: Path) -> list[Path]:
    try:
        return list(folder.glob(PATTERN)) if _ours_alone(folder) else []
    except OSError:
        return []


def _ours_alone(folder: Path) -> bool:
    """Whether nobody else can put a file there: what lies in it decides what answers are read from."""
    about = folder.stat()
    return {about.st_uid, folder.lstat().st_uid} == {os.getuid()} and not about.st_mode & OF_OTHERS


@contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    """The file, open; none where it is a link, no plain file, or another could have written it."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        about = os.fstat(file)
        plain = stat.S_ISREG(about.st_mode) and about.st_uid == os.getuid() and not about.st_mode & OF_OTHERS
        yield file if plain else None
    finally:
        os.close(file)


def _held(file: int) -> bool:
    """Whether its demo lives, and so holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _sweep(folder: Path) -> None:
    """Remove what demos left that were killed: their word, and the folder of their database."""
    for path in _files(folder):
        with _opened(path) as file:
            if file is not None and not _held(file):
                shutil.rmtree(_folder_of(_url(file)), ignore_errors=True)
                path.unlink(missing_ok=True)


def _folder_of(url: str | None) -> Path:
    """The folder that a demo made for its database; one that is none's where it is not of such a name."""
    database = Path(unquote(urlsplit(url or "").path)[1:])
    return database.parent if database.parent.name.startswith(FOLDER_PREFIX) else Path(os.devnull)


def _url(file: int) -> str | None:
    """The database that a word names; none where it is not one."""
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        return str(json.loads(os.read(file, LONGEST))["database_url"])
    return None
