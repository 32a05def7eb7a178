"""Tables on a terminal of any width: text wraps, figures stay whole; where even that is too wide, a list a row."""

from __future__ import annotations

from rich import box
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from bot.presentation.card import Table

AIRY, DENSE = 3, 2
"""Blanks between two columns, where there is room and where there is not."""

EDGES = 2
"""Blanks of an airy table's two sides."""


def table_for(table: Table, width: int) -> RenderableType:
    """The table as it fits into ``width`` characters."""
    best = [_best(table, n) for n in range(len(table.columns))]
    gaps = len(best) - 1
    if sum(best) + AIRY * gaps + EDGES <= width:
        return _grid(table, best, airy=True)
    widths = _shared(table, best, width - DENSE * gaps)
    return _grid(table, widths, airy=False) if widths else _list(table, width)


def _texts(table: Table, n: int) -> list[str]:
    return [row[n] for row in table.rows]


def _best(table: Table, n: int) -> int:
    """The width at which nothing of a column wraps."""
    return max(map(cell_len, [table.columns[n].title, *_texts(table, n)]))


def _least(table: Table, n: int) -> int:
    """The width below which a column's figures, or the words of its texts and of its title, would be cut."""
    words = table.columns[n].title.split()
    for text in _texts(table, n):
        words += [text] if table.columns[n].align == "right" else text.split()
    return max(map(cell_len, words), default=1)


def _shared(table: Table, best: list[int], room: int) -> list[int]:
    """Widths that together take no more than ``room``, the first columns served first; none where it cannot be."""
    widths = [_least(table, n) for n in range(len(best))]
    spare = room - sum(widths)
    if spare < 0:
        return []
    for n, wish in enumerate(best):
        more = min(spare, wish - widths[n])
        widths[n] += more
        spare -= more
    return widths


def _grid(table: Table, widths: list[int], *, airy: bool) -> RichTable:
    rich = RichTable(
        title=Text(table.caption),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=airy,
        padding=(0, 1) if airy else (0, 1, 0, 0),
    )
    for column, width in zip(table.columns, widths, strict=True):
        rich.add_column(Text(column.title), justify=column.align, width=width)
    for row in table.rows:
        rich.add_row(*(Text(cell) for cell in row))
    return rich


def _list(table: Table, width: int) -> Group:
    """Each row under its first cell, a line a figure."""
    lines = [Text(table.caption, style="italic")]
    for first, *rest in table.rows:
        lines.append(Text(first, style="bold"))
        lines += [_item(column.title, cell, width) for column, cell in zip(table.columns[1:], rest, strict=True)]
    return Group(*lines)


def _item(title: str, cell: str, width: int) -> Text:
    line = f"  {title}: {cell}"
    return Text(line if cell_len(line) <= width else f"  {title}:\n    {cell}")
