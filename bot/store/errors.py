"""What can go wrong with the store, in sentences for its owner.

StoreError      the store cannot be used; says why
├── StoreBusy   somebody else is writing; nothing is broken
└── StoreEmpty  nothing was ever stored there; says what to run
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError


class StoreError(Exception):
    """The store cannot be used."""


class StoreBusy(StoreError):
    """Another process is writing."""


class StoreEmpty(StoreError):
    """Nothing was ever stored there, and nothing was made."""

    def __init__(self, where: str) -> None:
        self.where = where
        super().__init__(
            f"Nothing is stored yet in {where}. `spotbot run` polls the market and stores it, `spotbot import FILE` "
            "reads history from files, and `spotbot demo` plays on a market of its own."
        )


_SENTENCES: tuple[tuple[str, type[StoreError], str], ...] = (
    ("is locked", StoreBusy, "The database is locked by another program. Nothing of this write was kept."),
    ("lock timeout", StoreBusy, "Another spotbot keeps the database locked. Stop it, or try again in a moment."),
    ("is full", StoreError, "The disk is full. Nothing of this write was kept."),
    ("disk I/O error", StoreError, "The disk cannot be written. Nothing of this write was kept."),
    ("readonly database", StoreError, "The database file may not be written by this user."),
    (
        "unable to open",
        StoreError,
        "The database file cannot be opened or made. Name a file in a folder that this user may write.",
    ),
    ("malformed", StoreError, "The database file is damaged. Restore a backup."),
    ("not a database", StoreError, "The file is not a database."),
)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Failures of the database become StoreErrors; faults of ours (bad SQL, bad values) stay what they are."""
    try:
        yield
    except (IntegrityError, ProgrammingError, DataError):
        raise
    except DBAPIError as error:
        raise explain(str(error.orig)) from error


def explain(message: str) -> StoreError:
    """The error that a database driver's message stands for."""
    for mark, kind, sentence in _SENTENCES:
        if mark in message:
            return kind(sentence)
    return StoreError(f"The database failed: {message}")
