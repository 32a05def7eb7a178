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


Unit = Literal["money", "percent", "share", "hours", "number"]
"""What an axis counts: USD, percent, a fraction shown as percent, hours, or things."""

Role = Literal["main", "past", "forecast", "reference"]
"""What a line stands for: forecasts are dashed with markers, references dotted; it is never told by colour alone."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a chart: ``ys`` over ``xs``; a None breaks the line, because a gap is drawn as a gap."""

    label: str
    xs: tuple[float, ...]
    ys: tuple[float | None, ...]
    role: Role = "main"
    steps: bool = False
    aside: Literal["", "on", "off"] = ""
    """only charts whose lines can be switched have it: shown at first, or not; pictures leave it out"""


@dataclass(frozen=True, slots=True)
class Band:
    """A shaded range between two lines."""

    label: str
    xs: tuple[float, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    role: Role = "main"


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines and bands over time (``xs`` are UTC seconds), hours or shares of a whole. ``alt`` tells what is to be seen.

    ``scale``: what the numbers are; ``now`` is marked by a thin line.
    """

    title: str
    alt: str
    lines: tuple[Line, ...]
    bands: tuple[Band, ...] = ()
    x: Literal["time", "hours", "share"] = "time"
    unit: Unit = "money"
    scale: str = ""
    now: float | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar with its range, and beside it what it is compared with."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    reference: float | None = None


@dataclass(frozen=True, slots=True)
class Bars:
    """Horizontal bars, the first on top. ``value``, ``spread``, ``reference``: what figures, ranges and marks are."""

    title: str
    alt: str
    bars: tuple[Bar, ...]
    unit: Unit = "money"
    value: str = ""
    spread: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Heat:
    """A table of colours, with its figures where they fit: rows × columns. None is unknown; ``marked`` are framed.

    ``scale``: what the numbers are; ``mark``: what a frame means.
    """

    title: str
    alt: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    marked: frozenset[tuple[int, int]] = frozenset()
    unit: Unit = "share"
    scale: str = ""
    mark: str = ""


Chart = Lines | Bars | Heat
"""What a picture shows. Its text twin is the card's tables and sparklines; ``alt`` is read to who cannot see it."""


Style = Literal["plain", "primary", "danger"]
Place = Literal["here", "everybody", "asker", "form"]


@dataclass(frozen=True, slots=True)
class Action:
    """A button: a command line, run with the role of whoever presses it.

    ``place``: whether its answer takes the place of the card, is posted for everybody, or is for who pressed it alone;
    ``form``: first a sheet with what the command's form shows, then its answer for who filled it in.
    """

    label: str
    line: str
    style: Style = "plain"
    place: Place = "asker"
    page: int = 0
    """the page of the answer to show"""
    continues: bool = False
    """``line`` is what to add to the line that asked, which a card does not know"""


@dataclass(frozen=True, slots=True)
class Card:
    """One answer: title, the conclusion in one line, tables, sparklines, notes, the footer with age and sample.

    ``actions``: what can be done next; ``commands``: lines to copy into a shell, the same in every language.
    """

    title: str
    lead: str
    tables: tuple[Table, ...] = ()
    sparks: tuple[Spark, ...] = ()
    notes: tuple[str, ...] = ()
    footer: str = ""
    charts: tuple[Chart, ...] = ()
    actions: tuple[Action, ...] = ()
    commands: tuple[str, ...] = ()
