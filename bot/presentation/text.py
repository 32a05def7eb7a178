"""A card as plain text: monospaced tables, pages, and the whole as one text for notifications and screen readers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from bot.presentation.card import Card, Table

ROWS = 12
"""Rows of a table on one page of chat; more is scrolled past on a telephone."""


NOTHING = "–"
"""How a cell without a figure is written."""


def without_empty_columns(card: Card) -> Card:
    """A card whose tables lack the columns that say nothing in any row; the first names its row and stays."""
    return dataclasses.replace(card, tables=tuple(map(_telling, card.tables)))


def _telling(table: Table) -> Table:
    kept = [
        i
        for i in range(len(table.columns))
        if i == 0 or not table.rows or any(row[i] not in ("", NOTHING) for row in table.rows)
    ]
    rows = tuple(tuple(row[i] for i in kept) for row in table.rows)
    return dataclasses.replace(table, columns=tuple(table.columns[i] for i in kept), rows=rows)


def pages(card: Card, rows: int = ROWS) -> int:
    """How many pages a card has: as many as its longest table needs."""
    return max((-(-len(table.rows) // rows) for table in card.tables), default=1) or 1


def page(card: Card, number: int, rows: int = ROWS) -> Card:
    """One page of a card, from 0: of each table the rows of that page; pictures and commands only on the first."""
    if pages(card, rows) == 1:
        return card
    cut = (dataclasses.replace(t, rows=t.rows[number * rows : (number + 1) * rows]) for t in card.tables)
    tables = tuple(table for table in cut if table.rows)
    first = number == 0
    return dataclasses.replace(
        card, tables=tables, charts=card.charts if first else (), commands=card.commands if first else ()
    )


def monospaced(table: Table) -> str:
    """A table as lines of aligned columns, two blanks between them."""
    lines = [[column.title for column in table.columns], *[list(row) for row in table.rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.columns))]
    return "\n".join(_line(line, table, widths) for line in lines)


def _line(cells: Sequence[str], table: Table, widths: Sequence[int]) -> str:
    aligned = (
        cell.rjust(width) if column.align == "right" else cell.ljust(width)
        for cell, column, width in zip(cells, table.columns, widths, strict=True)
    )
    return "  ".join(aligned).rstrip()


def plain(card: Card) -> str:
    """The whole card as text."""
    parts = [card.title, card.lead]
    parts += [f"{table.caption}\n{monospaced(table)}" for table in card.tables]
    parts += card.commands
    parts += [chart.alt for chart in card.charts]
    parts += [f"• {note}" for note in card.notes]
    return "\n".join(part for part in (*parts, card.footer) if part)


_BARS = "▁▂▃▄▅▆▇█"
_GAP = "·"


def sparkline(values: Sequence[float | None], width: int = 60) -> str:
    """Numbers as a line of block characters; missing ones are dots. Longer lines are cut to the newest ``width``."""
    shown = list(values)[-width:]
    known = [value for value in shown if value is not None]
    if not known:
        return _GAP * len(shown)
    low, span = min(known), max(known) - min(known)
    top = len(_BARS) - 1
    return "".join(_GAP if v is None else _BARS[round((v - low) / span * top) if span else top // 2] for v in shown)
