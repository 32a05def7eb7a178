"""The demo that runs beside: it leaves word of its database, and what only reads finds it where nothing is set up."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from bot.config import Settings, state_folder

PATTERN = "demo-*.json"

FOLDER_PREFIX = "spotbot-demo-"
"""How the temporary folder of a demo's database is called."""

LONGEST = 1 << 16
"""Bytes of such a file that are read; a path has 4,096 at the most."""

OF_OTHERS = stat.S_IWGRP | stat.S_IWOTH
"""Permissions by which others could write."""


@dataclass(frozen=True, slots=True)
class Word:
    """What a running demo tells others of itself, in a file that it holds open."""

    file: int
    said: dict[str, object]

    def all_in(self) -> None:
        """From now on its history is all there; the text keeps its length, so it is written over."""
        os.pwrite(self.file, json.dumps({**self.said, "filling": 0}).encode(), 0)


class Heard(NamedTuple):
    """What a word says, and when the demo began that left it."""

    began: float
    url: str
    filling: bool


@contextmanager
def announced(url: str, *, filling: bool = False) -> Iterator[Word | None]:
    """Let others find this process's database meanwhile; gives what they read, or none where they cannot.

    ``filling``: whether its history is not all in yet.

    The file is locked as long as this process lives: one that nobody holds is a dead demo's.
    """
    mine = state_folder() / f"demo-{os.getpid()}.json"
    try:
        word = _leave_word(mine, {"began": time.time(), "filling": int(filling), "database_url": url})
    except OSError:  # a home that cannot be written is no reason not to play
        yield None
        return
    try:
        yield word
    finally:
        mine.unlink(missing_ok=True)
        os.close(word.file)


def _leave_word(mine: Path, said: dict[str, object]) -> Word:
    """Write the file, locked before others can see it; it stays open."""
    folder, new = mine.parent, mine.with_suffix(".new")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _ours_alone(folder):
        raise PermissionError(errno.EACCES, "others can write here", str(folder))
    _sweep(folder)
    new.unlink(missing_ok=True)
    file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(file, json.dumps(said).encode())
        new.rename(mine)
    except OSError:
        os.close(file)
        new.unlink(missing_ok=True)
        raise
    return Word(file, said)


def for_reading(settings: Settings) -> Settings:
    """The settings, with the running demo's database where none is configured or stored; says so on standard error."""
    if not nothing_set_up(settings):
        return settings
    heard = _running(state_folder())
    if heard is None:
        return settings
    more = " Its older days are still being filled in." if heard.filling else ""
    print(f"From the running demo: everything is simulated.{more}", file=sys.stderr)  # noqa: T201
    return settings.model_copy(update={"database_url": heard.url})


def nothing_set_up(settings: Settings) -> bool:
    """No database was named, and none is at the default place."""
    return "database_url" not in settings.model_fields_set and not Path(settings.database_url).exists()


def _running(folder: Path) -> Heard | None:
    """What the demo says that began last, of those that live."""
    return max((heard for path in _files(folder) if (heard := _word_of_the_living(path))), default=None)


def _word_of_the_living(path: Path) -> Heard | None:
    """What a demo says of itself; nothing where it is dead. Looked at and read as one file."""
    with _opened(path) as file:
        return _heard(file) if file is not None and _held(file) else None


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


def _heard(file: int) -> Heard | None:
    """What an open word says; nothing where it is not one."""
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        said = json.loads(os.pread(file, LONGEST, 0))
        return Heard(float(said["began"]), str(said["database_url"]), bool(said.get("filling")))
    return None


def _sweep(folder: Path) -> None:
    """Remove what demos left that were killed: their word, and the folder of their database."""
    for path in _files(folder):
        with _opened(path) as file:
            if file is not None and not _held(file):
                if heard := _heard(file):
                    shutil.rmtree(_folder_of(heard.url), ignore_errors=True)
                path.unlink(missing_ok=True)


def _folder_of(url: str) -> Path:
    """The folder that a demo made for its database; one that is none where the name is not of such a one."""
    database = Path(unquote(urlsplit(url).path)[1:])
    return database.parent if database.parent.name.startswith(FOLDER_PREFIX) else Path(os.devnull)
