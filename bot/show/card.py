"""The neutral message: what every face renders in its own way. All texts are already in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Align = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Column:
    """A table column."""

    title: str
    align: Align = "left"


@dataclass(frozen=True, slots=True)
class Table:
    """A small table; cells are finished texts. ``caption`` names it for readers who cannot see it."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Spark:
    """A line of numbers to draw as a text sparkline; ``None`` is a gap and is drawn as one."""

    label: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """One answer: title, the conclusion in one line, tables, sparklines, notes, and the footer with age and sample."""

    title: str
    lead: str
    tables: tuple[Table, ...] = ()
    sparks: tuple[Spark, ...] = ()
    notes: tuple[str, ...] = ()
    footer: str = ""
