"""What an installation may lack: the optional parts of the program, and whether their packages are there."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from analytics.errors import NotYet
from analytics.evidence import Note

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Extra:
    """An extra of pyproject.toml: the modules it brings, the packages that hold them, and what is off without it."""

    name: str
    modules: tuple[str, ...]
    packages: str
    off: str

    @property
    def installed(self) -> bool:
        """Whether all of its modules can be found; none is imported."""
        return all(importlib.util.find_spec(module) is not None for module in self.modules)

    @property
    def advice(self) -> str:
        """What turns it on, where it was not named before."""
        return f"the extra “{self.name}” ({self.packages}) is not installed; {self.how}"

    @property
    def how(self) -> str:
        """The command that turns it on."""
        return f"to turn it on: pip install '.[{self.name}]' in spotbot's folder"


EXIT_MISSING = 2
"""Exit code where a command needs what is not installed."""

CHARTS = Extra("charts", ("matplotlib",), "matplotlib", "charts are not drawn as pictures")
FORECASTS = Extra(
    "forecasts", ("pandas", "sklearn"), "pandas, scikit-learn", "forecasts are not made and backtests not run"
)
EXTRAS = (CHARTS, FORECASTS)


def tell_if_missing(extra: Extra) -> None:
    """Log what is off, once at a start, and how to turn it on."""
    if not extra.installed:
        log.warning(f"{extra.name}_off", missing=extra.packages, so=extra.off, advice=extra.how)


@contextmanager
def told_where_forecasts_are_off() -> Iterator[None]:
    """Where forecasts are missing and this installation cannot make them, let the answer say so."""
    try:
        yield
    except NotYet as error:
        if FORECASTS.installed:
            raise
        need = Note(
            "{need}; and what makes forecasts, which is missing here: {packages} (spotbot’s extra “{extra}”)",
            {"need": error.need, "packages": FORECASTS.packages, "extra": FORECASTS.name},
        )
        raise NotYet(error.note, have=error.have, need=need) from None
