"""A table of colours: the hours of the week."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from bot.presentation.card import Heat, Unit
from bot.presentation.chart_page import GAP, MARGIN, ROW, SAMPLE, TEXT, WIDTH, Key, Page, Pen, Style, known, points

Table = np.ndarray[tuple[int, int], np.dtype[np.float64]]

COLOURS = "cividis"
"""Rises evenly in lightness and is read alike with and without colour blindness (Nuñez, Anderton and Renslow 2018)."""

TALLEST, CELL = 760, 40
"""Pixels of the whole table at most, and of one row at most."""

MOST_DIGITS = 7
"""Decimals that a figure of the scale may have, less one."""

LABEL_WIDTH = 220
"""Pixels that row labels may take."""

BELOW = ROW + 66
"""Pixels for column labels and scale."""


def draw(chart: Heat, pen: Pen) -> Page:
    """The chart on a page of its own."""
    cells = _cells(chart)
    row = min(CELL, TALLEST / max(1, len(chart.rows)))
    page = Page(pen, chart.title, chart.scale, _keys(chart, cells, pen), max(3, len(chart.rows)) * row + BELOW)
    if not np.isfinite(cells).any():
        page.nothing()
        return page
    labels = [pen.fit(label, LABEL_WIDTH) for label in chart.rows]
    left, right, top = MARGIN + pen.widest(labels) + 14, WIDTH - MARGIN - 6, page.top
    bottom = top + row * len(chart.rows)
    axes = page.axes(left, top, right, bottom)
    _colour(axes, cells, page)
    _frame(axes, chart.marked, cells.shape)
    for n in range(0, len(labels), math.ceil((TEXT + 3) / row)):
        page.write(left - 12, top + (n + 0.5) * row, labels[n], Style(align="right"))
    column = (right - left) / len(chart.columns)
    _column_labels(page, chart, left, bottom + 22, column)
    _figures(page, chart, cells, (left, top, column, row))
    _scale(page, chart, cells, bottom + ROW + 32)
    return page


def _cells(chart: Heat) -> Table:
    """Figures as a table; NaN where unknown."""
    shape = len(chart.rows), len(chart.columns)
    return np.array([[known(value) for value in row] for row in chart.values], dtype=np.float64).reshape(shape)


def _limits(cells: Table) -> tuple[float, float]:
    return float(np.nanmin(cells)), float(np.nanmax(cells))


def _colour(axes: Axes, cells: Table, page: Page) -> None:
    """Colour what is known, hatch what is not."""
    rows, columns = cells.shape
    low, high = _limits(cells)
    shown = np.ma.masked_invalid(cells)
    # one value everywhere has the colour of the scale's middle
    limits = (low, high) if high > low else (low - 1, high + 1)
    extent = (0, columns, rows, 0)
    axes.imshow(
        shown, cmap=COLOURS, vmin=limits[0], vmax=limits[1], aspect="auto", interpolation="nearest", extent=extent
    )
    for y, x in zip(*np.nonzero(np.isnan(cells)), strict=True):
        axes.add_patch(Rectangle((x, y), 1, 1, **_unknown(page)))
    axes.set(xticks=[], yticks=[])
    axes.spines["bottom"].set_visible(False)
    lines = [((0, y), (columns, y)) for y in range(1, rows)] + [((x, 0), (x, rows)) for x in range(1, columns)]
    axes.add_collection(LineCollection(lines, colors=page.palette.page, linewidths=points(1.5)))


def _unknown(page: Page) -> dict[str, Any]:
    return {"facecolor": page.palette.page, "edgecolor": page.palette.faint, "hatch": "////", "linewidth": 0}


def _frame(axes: Axes, marked: frozenset[tuple[int, int]], shape: tuple[int, ...]) -> None:
    """Draw a line around each group of marked cells: dark with a light edge, to be seen on every colour."""
    inside = {(y, x) for y, x in marked if 0 <= y < shape[0] and 0 <= x < shape[1]}
    edges = []
    for y, x in sorted(inside):
        sides = {
            (y - 1, x): ((x, y), (x + 1, y)),
            (y + 1, x): ((x, y + 1), (x + 1, y + 1)),
            (y, x - 1): ((x, y), (x, y + 1)),
            (y, x + 1): ((x + 1, y), (x + 1, y + 1)),
        }
        edges += [edge for beside, edge in sides.items() if beside not in inside]
    for colour, width in (("white", 8), ("black", 4)):
        lines = LineCollection(edges, colors=colour, linewidths=points(width), capstyle="projecting", clip_on=False)
        axes.add_collection(lines)


def _column_labels(page: Page, chart: Heat, left: float, y: float, column: float) -> None:
    """Every column's label, or every second, third, ... where they would touch."""
    labels = [page.pen.fit(label, WIDTH / 4) for label in chart.columns]
    widest = page.pen.widest(labels) + GAP
    step = next((n for n in (1, 2, 3, 4, 6, 8, 12) if n * column >= widest), max(1, math.ceil(widest / column)))
    for n in range(0, len(labels), step):
        page.write(left + (n + 0.5) * column, y, labels[n], Style(align="center", colour=page.palette.faint))


def _figures(page: Page, chart: Heat, cells: Table, place: tuple[float, float, float, float]) -> None:
    """Write each figure into its cell, if all of them fit."""
    left, top, width, height = place
    texts = {(y, x): page.pen.figure(float(cells[y, x]), chart.unit) for y, x in np.argwhere(np.isfinite(cells))}
    if height < TEXT + 6 or page.pen.widest(list(texts.values())) > width - GAP:
        return
    low, high = _limits(cells)
    for (y, x), text in texts.items():
        shade = (cells[y, x] - low) / (high - low) if high > low else 0.5
        colour = "black" if _luminance(shade) > 0.18 else "white"
        page.write(left + (x + 0.5) * width, top + (y + 0.5) * height, text, Style(align="center", colour=colour))


def _luminance(shade: float) -> float:
    """Relative luminance (WCAG 2) of a colour of the scale: above 0.18 black is read better than white."""
    parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colormaps[COLOURS](shade))]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _scale(page: Page, chart: Heat, cells: Table, y: float) -> None:
    """The colours from the least to the most figure there is."""
    low, high = _limits(cells)
    texts = _ends(page.pen, chart.unit, low, high)
    left = MARGIN + page.pen.widest(texts) + GAP
    right = WIDTH - left
    shades = np.linspace(0, 1, 256)[np.newaxis, :] if high > low else np.array([[0.5]])
    bar = page.axes(left, y - 11, right, y + 11)
    bar.imshow(shades, cmap=COLOURS, vmin=0, vmax=1, aspect="auto")
    bar.set(xticks=[], yticks=[])
    for side in bar.spines.values():
        side.set(visible=True, color=page.palette.border)
    page.write(left - GAP, y, texts[0], Style(align="right"))
    page.write(right + GAP, y, texts[1])


def _ends(pen: Pen, unit: Unit, low: float, high: float) -> list[str]:
    """The least and the most figure, with as many decimals as it takes to tell them apart."""
    texts = [pen.figure(value, unit) for value in (low, high)]
    for digits in range(1, MOST_DIGITS if high > low else 1):
        if texts[0] != texts[1]:
            break
        texts = [pen.figure(value, unit, digits) for value in (low, high)]
    return texts


def _keys(chart: Heat, cells: Table, pen: Pen) -> list[Key]:
    """What frames and hatching mean."""
    keys = []
    if chart.marked and chart.mark:
        keys.append(Key(chart.mark, _frame_sample))
    if np.isnan(cells).any():
        keys.append(Key(pen.words("unknown"), _unknown_sample))
    return keys


def _frame_sample(page: Page, x: float, y: float) -> None:
    page.box(x + 8, y - 12, SAMPLE - 16, 24, facecolor=colormaps[COLOURS](0.9), edgecolor="white", linewidth=points(8))
    page.box(x + 8, y - 12, SAMPLE - 16, 24, facecolor="none", edgecolor="black", linewidth=points(4))


def _unknown_sample(page: Page, x: float, y: float) -> None:
    page.box(x + 8, y - 12, SAMPLE - 16, 24, **_unknown(page))
