"""Charts for a page: lines as data for the chart library with a table as their twin, bars and heat maps as tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bot.presentation.card import Band, Bar, Bars, Chart, Heat, Line, Lines, Unit
from bot.presentation.words import Words

TWIN_ROWS = 96
"""Most rows of the table beside a line chart: of longer ones every n-th, and the files have all."""

SHADES = 8
"""Steps of a heat map's colours."""


@dataclass(frozen=True, slots=True)
class BarView:
    """One row of a bar chart; lengths in thousandths of the axis."""

    label: str
    text: str
    spread: str
    reference: str
    length: int | None
    low: int | None
    high: int | None
    mark: int | None


@dataclass(frozen=True, slots=True)
class CellView:
    """One field of a heat map: its figure, its shade from 0, and whether it is framed."""

    text: str
    shade: int | None
    marked: bool


@dataclass(frozen=True, slots=True)
class ChartView:
    """What a template needs of a chart: ``kind`` says which of the others is filled."""

    kind: str
    title: str
    alt: str
    scale: str
    data: dict[str, Any] | None = None
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    every: int = 1
    """only every n-th point is in ``rows``"""
    bars: tuple[BarView, ...] = ()
    heat: tuple[tuple[str, tuple[CellView, ...]], ...] = ()
    legend: tuple[str, ...] = ()


def view(chart: Chart, words: Words) -> ChartView:
    """A chart as a template draws it."""
    if isinstance(chart, Lines):
        return _lines(chart, words)
    return _bars(chart, words) if isinstance(chart, Bars) else _heat(chart, words)


def figure(unit: Unit, words: Words) -> Callable[[float | None], str]:
    """How the numbers of an axis are written."""
    writers: dict[Unit, Callable[[float | None], str]] = {
        "money": words.money,
        "percent": words.percent,
        "share": words.share,
        "hours": words.hours,
        "number": words.number,
    }
    return writers[unit]


def _lines(chart: Lines, words: Words) -> ChartView:
    series = [*map(_line, chart.lines), *map(_band, chart.bands)]
    data = {"x": chart.x, "unit": chart.unit, "now": chart.now, "series": series}
    columns, rows, every = _twin(chart, words)
    return ChartView("lines", chart.title, chart.alt, chart.scale, data, columns, rows, every)


def _line(line: Line) -> dict[str, Any]:
    off = line.aside == "off"
    return {"label": line.label, "role": line.role, "steps": line.steps, "off": off, "xs": line.xs, "ys": line.ys}


def _band(band: Band) -> dict[str, Any]:
    return {"label": band.label, "role": band.role, "xs": band.xs, "low": band.low, "high": band.high}


def _twin(chart: Lines, words: Words) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], int]:
    """The points as a table, newest first where they are times."""
    write = figure(chart.unit, words)
    named: list[tuple[str, dict[float, str]]] = []
    for line in chart.lines:
        named.append((line.label, {x: write(y) for x, y in zip(line.xs, line.ys, strict=True)}))
    for band in chart.bands:
        ranges = zip(band.xs, band.low, band.high, strict=True)
        named.append((band.label, {x: f"{write(low)}–{write(high)}" for x, low, high in ranges}))
    xs = sorted({x for _, texts in named for x in texts}, reverse=chart.x == "time")
    every = max(1, -(-len(xs) // TWIN_ROWS))
    place = _moment if chart.x == "time" else figure(chart.x, words)
    rows = tuple((place(x), *(texts.get(x, "") for _, texts in named)) for x in xs[::every])
    head = words({"time": "time (UTC)", "hours": "in", "share": "said"}[chart.x])
    return (head, *(label for label, _ in named)), rows, every


def _moment(second: float) -> str:
    return dt.datetime.fromtimestamp(second, dt.UTC).strftime("%Y-%m-%d %H:%M")


def _bars(chart: Bars, words: Words) -> ChartView:
    figures = [
        abs(one) for bar in chart.bars for one in (bar.value, bar.low, bar.high, bar.reference) if one is not None
    ]
    top = max(figures, default=0) or 1
    bars = tuple(_bar(bar, top, figure(chart.unit, words)) for bar in chart.bars)
    legend = tuple(text for text in (chart.value, chart.spread, chart.reference))
    return ChartView("bars", chart.title, chart.alt, "", bars=bars, legend=legend)


def _bar(bar: Bar, top: float, write: Callable[[float | None], str]) -> BarView:
    def length(value: float | None) -> int | None:
        return None if value is None else round(1000 * max(0.0, value) / top)

    spread = f"{write(bar.low)}–{write(bar.high)}" if bar.low is not None and bar.high is not None else ""
    reference = write(bar.reference) if bar.reference is not None else ""
    lengths = (length(bar.value), length(bar.low), length(bar.high), length(bar.reference))
    return BarView(bar.label, write(bar.value), spread, reference, *lengths)


def _heat(chart: Heat, words: Words) -> ChartView:
    write = figure(chart.unit, words)
    known = [value for row in chart.values for value in row if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)

    def cell(value: float | None, *, marked: bool) -> CellView:
        shade = None if value is None else round((value - low) / ((high - low) or 1) * (SHADES - 1))
        return CellView(write(value), shade, marked)

    heat = tuple(
        (name, tuple(cell(value, marked=(i, j) in chart.marked) for j, value in enumerate(values)))
        for i, (name, values) in enumerate(zip(chart.rows, chart.values, strict=True))
    )
    legend = (chart.mark,) if chart.mark else ()
    return ChartView(
        "heat", chart.title, chart.alt, chart.scale, columns=("", *chart.columns), heat=heat, legend=legend
    )
