"""Horizontal bars with their ranges and what they are compared with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from matplotlib import patheffects
from matplotlib.axes import Axes

from bot.presentation.card import Bar, Bars, Unit
from bot.presentation.chart_page import GAP, MARGIN, SAMPLE, WIDTH, Key, Page, Pen, Style, known, points

MOST_BARS = 12
"""Bars of one picture; how many more there are is said below them."""

BAR, BELOW = 46, 62
"""Pixels for a bar and for the axis below all."""

FAR = 2.0
"""Comparisons this many times as large as all else stand as figures beside the bars, which they would flatten."""

LABEL_WIDTH = 330
"""Pixels that labels may take."""

THICK = 0.62
"""Thickness of a bar, as a share of its place."""


def draw(chart: Bars, pen: Pen) -> Page:
    """The chart on a page of its own."""
    bars = chart.bars[:MOST_BARS]
    more = len(chart.bars) - len(bars)
    page = Page(pen, chart.title, chart.value, _keys(chart), max(4, len(bars)) * BAR + BELOW + (36 if more else 0))
    beside = _far(bars)
    drawn = tuple(replace(bar, reference=None) for bar in bars) if beside else bars
    ends = _extent(drawn)
    if ends is None:
        page.nothing()
        return page
    left = _labels(page, bars)
    right = _figures(page, chart.unit, bars, beside=beside)
    axes = page.axes(left, page.top, right, page.top + len(bars) * BAR)
    axes.set_xlim(*ends)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.spines["bottom"].set_visible(False)
    axes.set_yticks([])
    page.label(axes, "x", pen.ticks(*ends, chart.unit, most=4))
    axes.grid(axis="x", color=page.palette.grid, linewidth=points(1.5))
    for place, bar in enumerate(drawn):
        _bar(axes, place, bar, page)
    if more:
        page.write(MARGIN, page.height - 28, pen.words("and {n} more", n=more), Style(colour=page.palette.faint))
    return page


def _middle(page: Page, place: int) -> float:
    return page.top + (place + 0.5) * BAR


def _labels(page: Page, bars: Sequence[Bar]) -> float:
    """Write the labels; returns where the plot begins."""
    labels = [page.pen.fit(bar.label, LABEL_WIDTH) for bar in bars]
    left = MARGIN + page.pen.widest(labels) + 14
    for place, label in enumerate(labels):
        page.write(left - 14, _middle(page, place), label, Style(align="right"))
    return left


def _figures(page: Page, unit: Unit, bars: Sequence[Bar], *, beside: bool) -> float:
    """Write the figures at the right edge, before them what they are compared with; returns where the plot ends."""
    values = _written(unit, [known(bar.value) for bar in bars], page.pen)
    right = float(WIDTH - MARGIN)
    for place, text in enumerate(values):
        page.write(right, _middle(page, place), text, Style(bold=True, align="right", width=WIDTH / 4))
    right -= min(page.pen.widest(values, bold=True), WIDTH / 4) + 18
    if not beside:
        return right
    others = _written(unit, [known(bar.reference) for bar in bars], page.pen)
    width = min(page.pen.widest(others), WIDTH / 5)
    for place, text in enumerate(others):
        page.write(right, _middle(page, place), text, Style(align="right", width=width))
        page.line((right - width - 18,), (_middle(page, place),), linestyle="none", **_diamond(page))
    return right - width - 44


def _far(bars: Sequence[Bar]) -> bool:
    """Whether comparisons would leave the bars no room."""
    references = [x for bar in bars if not math.isnan(x := known(bar.reference))]
    others = [x for bar in bars for value in (bar.value, bar.low, bar.high) if not math.isnan(x := known(value))]
    return bool(references and others) and max(references) > FAR * max(others) > 0


def _extent(bars: tuple[Bar, ...]) -> tuple[float, float] | None:
    """What the axis spans: always from nought, for the lengths of bars are compared. None without a figure."""
    values = [known(value) for bar in bars for value in (bar.value, bar.low, bar.high, bar.reference)]
    there = [value for value in values if not math.isnan(value)]
    if not there:
        return None
    low, high = min(0.0, *there), max(0.0, *there)
    air = 0.04 * (high - low) or 1.0
    return low - air * (low < 0), high + air


def _written(unit: Unit, values: list[float], pen: Pen) -> list[str]:
    """The figures beside the bars, money with as many decimals as the largest needs."""
    largest = max((abs(value) for value in values if not math.isnan(value)), default=0.0)
    digits = (3 if largest < 10 else 2 if largest < 1000 else 0) if unit == "money" else None
    return ["–" if math.isnan(value) else pen.figure(value, unit, digits) for value in values]


def _bar(axes: Axes, place: int, bar: Bar, page: Page) -> None:
    colours = page.palette
    value, low, high, reference = (known(x) for x in (bar.value, bar.low, bar.high, bar.reference))
    if not math.isnan(value):
        axes.barh(place, value, height=THICK, color=colours.series[0])
    halo = [patheffects.withStroke(linewidth=points(6), foreground=colours.page)]
    if not math.isnan(low + high):
        # one path, so that no part's halo lies on another part
        top, bottom = place - 0.18, place + 0.18
        xs, ys = (low, low, low, high, high, high), (top, bottom, place, place, top, bottom)
        axes.plot(xs, ys, color=colours.ink, linewidth=points(3), path_effects=halo, clip_on=False)
    if not math.isnan(reference):
        axes.plot([reference], [place], **_diamond(page), clip_on=False, linestyle="none")


def _diamond(page: Page) -> dict[str, Any]:
    return {
        "marker": "D",
        "markersize": points(15),
        "markerfacecolor": page.palette.page,
        "markeredgecolor": page.palette.ink,
        "markeredgewidth": points(3),
    }


def _keys(chart: Bars) -> list[Key]:
    """What ranges and marks are; bars alone need no legend."""
    keys = []
    if chart.spread and any(bar.low is not None and bar.high is not None for bar in chart.bars):
        keys.append(Key(chart.spread, _whisker_sample))
    if chart.reference and any(bar.reference is not None for bar in chart.bars):
        keys.append(Key(chart.reference, _diamond_sample))
    return keys


def _whisker_sample(page: Page, x: float, y: float) -> None:
    style = {"color": page.palette.ink, "linewidth": points(3)}
    page.line((x, x + SAMPLE), (y, y), **style)
    for end in (x, x + SAMPLE):
        page.line((end, end), (y - 8, y + 8), **style)


def _diamond_sample(page: Page, x: float, y: float) -> None:
    page.line((x + SAMPLE - GAP,), (y,), linestyle="none", **_diamond(page))
