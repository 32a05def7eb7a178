"""Lines and bands over time, hours or shares: price history, forecast fan, survival curve, reliability diagram."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.markers import MarkerStyle

from bot.presentation.card import Band, Line, Lines, Role
from bot.presentation.chart_page import MARGIN, SAMPLE, TEXT, WIDTH, Key, Page, Pen, Style, known, points

PLOT = 330
"""Pixels below the head."""

HOUR, DAY = 3600, 86_400
TIME_STEPS = (*(HOUR * n for n in (1, 2, 3, 6, 12)), *(DAY * n for n in (1, 2, 4, 7, 14)))
MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120)
MOST_TIMES = 6
"""Labels that fit below the plot."""

DASHES: tuple[Any, ...] = ("solid", (0, (6, 2)), (0, (8, 2, 2, 2)), (0, (3, 1.5)))
"""Patterns of the first, second, ... line of one role."""

MARKERS = ("o", "s", "^")
"""Signs of the points of the first, second, ... line over shares: there each point is a figure of its own."""

STEADY = 0.05
"""Where a value never changes, the plot shows so much around it (as a share of it)."""


@dataclass(frozen=True, slots=True)
class _Look:
    """How a line or band is drawn."""

    colour: str
    dash: Any
    marker: str
    width: float = 4.0


def draw(chart: Lines, pen: Pen) -> Page:
    """The chart on a page of its own."""
    chart = replace(chart, lines=tuple(line for line in chart.lines if not line.aside))
    looks = _looks([line.role for line in chart.lines], pen)
    if chart.x == "share":
        signs = [("" if line.role == "reference" else MARKERS[n % len(MARKERS)]) for n, line in enumerate(chart.lines)]
        looks = [replace(look, marker=sign) for look, sign in zip(looks, signs, strict=True)]
    shades = _looks([band.role for band in chart.bands], pen)
    keys = [Key(line.label, _line_sample(look)) for line, look in zip(chart.lines, looks, strict=True)]
    keys += [Key(band.label, _band_sample(look)) for band, look in zip(chart.bands, shades, strict=True)]
    scale = " · ".join(part for part in (chart.scale, "UTC" if chart.x == "time" else "") if part)
    page = Page(pen, chart.title, scale, [key for key in keys if key.label], PLOT)
    ys = _figures(chart)
    if not ys:
        page.nothing()
        return page
    low, high = _range(chart, ys)
    ends = _ends(chart, pen)
    ticks = pen.ticks(low, high, chart.unit)
    left = MARGIN + min(pen.widest(list(ticks.values())), WIDTH / 4) + 14
    right = WIDTH - MARGIN - min(pen.widest([end.text for end in ends], bold=True), WIDTH / 4) - 18
    top = page.top + (22 if chart.now is None else 34)
    axes = page.axes(left, top, right, page.height - 60)
    axes.set_xlim(*_span(chart))
    axes.set_ylim(low, high)
    page.label(axes, "y", ticks)
    axes.grid(axis="y", color=page.palette.grid, linewidth=points(1.5))
    page.label(axes, "x", _x_ticks(chart, pen))
    for band, look in zip(chart.bands, shades, strict=True):
        _band(axes, band, look)
    for line, look in zip(chart.lines, looks, strict=True):
        _line(axes, line, look, pen)
    if chart.now is not None:
        _now(page, axes, chart.now, top)
    _write_ends(page, axes, ends, right + 14)
    return page


def _looks(roles: Sequence[Role], pen: Pen) -> list[_Look]:
    """A look for each line: by its role, and the second of one role by another colour and dash."""
    series, seen, looks = pen.palette.series, dict.fromkeys(roles, 0), []
    for role in roles:
        nth = seen[role]
        seen[role] += 1
        if role == "forecast":
            looks.append(_Look(series[(1 + nth) % len(series)], DASHES[1], "o"))
        elif role == "reference":
            looks.append(_Look(pen.palette.faint, (0, (1, 1.6)), "", width=3.0))
        else:
            colour = 0 if nth == 0 else 1 + nth % (len(series) - 1)
            looks.append(_Look(series[colour], DASHES[nth % len(DASHES)], ""))
    return looks


def _line_sample(look: _Look) -> Any:
    def sample(page: Page, x: float, y: float) -> None:
        middle = {"marker": look.marker, "markevery": [1], "markersize": points(11)} if look.marker else {}
        xs = (x, x + SAMPLE / 2, x + SAMPLE)
        page.line(xs, (y, y, y), color=look.colour, linewidth=points(look.width), linestyle=look.dash, **middle)

    return sample


def _band_sample(look: _Look) -> Any:
    def sample(page: Page, x: float, y: float) -> None:
        page.box(x, y - 10, SAMPLE, 20, facecolor=(look.colour, 0.3), edgecolor=look.colour, linewidth=points(1.5))

    return sample


def _figures(chart: Lines) -> list[float]:
    """Every number to be drawn."""
    ys = [known(y) for line in chart.lines for y in line.ys]
    ys += [known(y) for band in chart.bands for side in (band.low, band.high) for y in side]
    return [y for y in ys if not math.isnan(y)]


def _range(chart: Lines, ys: Sequence[float]) -> tuple[float, float]:
    """What the vertical axis spans: shares of a whole from nothing to all, other figures what there is, with air."""
    low, high = min(ys), max(ys)
    if chart.unit == "share" and low >= 0 and high <= 1:
        return 0.0, 1.0
    air = 0.08 * (high - low) or STEADY * abs(low) or 1.0
    return (0.0 if 0 <= low < air else low - air), high + air


def _span(chart: Lines) -> tuple[float, float]:
    """What the horizontal axis spans, gaps at the ends included."""
    xs = [x for line in chart.lines for x in line.xs] + [x for band in chart.bands for x in band.xs]
    xs += [] if chart.now is None else [chart.now]
    low, high = min(xs), max(xs)
    alone = HOUR if chart.x == "time" else 1.0
    return (low, high) if high > low else (low - alone, high + alone)


def _runs(known_at: Sequence[bool]) -> Iterator[range]:
    """Stretches without a gap."""
    start = None
    for index, there in enumerate([*known_at, False]):
        if there and start is None:
            start = index
        elif not there and start is not None:
            yield range(start, index)
            start = None


def _line(axes: Axes, line: Line, look: _Look, pen: Pen) -> None:
    ys = [known(y) for y in line.ys]
    style = "steps-post" if line.steps else "default"
    # a line that reaches the edge is not thinner there
    axes.plot(
        line.xs, ys, color=look.colour, linewidth=points(look.width), linestyle=look.dash, drawstyle=style,
        marker=look.marker or None, markersize=points(13), clip_on=False, solid_joinstyle="round",
        markeredgecolor=pen.palette.page, markeredgewidth=points(2),
    )  # fmt: skip
    alone = [run[0] for run in _runs([not math.isnan(y) for y in ys]) if len(run) == 1]
    if alone and not look.marker:  # a single point is no line: without a dot it could not be seen
        axes.plot(
            [line.xs[i] for i in alone], [ys[i] for i in alone],
            linestyle="none", marker=MarkerStyle("o"), markersize=points(9), color=look.colour, clip_on=False,
        )  # fmt: skip


def _band(axes: Axes, band: Band, look: _Look) -> None:
    low, high = [known(y) for y in band.low], [known(y) for y in band.high]
    for run in _runs([not math.isnan(a + b) for a, b in zip(low, high, strict=True)]):
        xs, lows, highs = ([values[i] for i in run] for values in (band.xs, low, high))
        if len(run) == 1:
            axes.vlines(xs, lows, highs, color=look.colour, alpha=0.5, linewidth=points(5))
            continue
        axes.fill_between(xs, lows, highs, color=look.colour, alpha=0.22, linewidth=0)
        for side in (lows, highs):
            axes.plot(xs, side, color=look.colour, linewidth=points(1.5), alpha=0.7, clip_on=False)


def _now(page: Page, axes: Axes, now: float, top: float) -> None:
    axes.axvline(now, color=page.palette.ink, linewidth=points(2))
    low, high = axes.get_xlim()
    box = axes.get_position()
    x = WIDTH * (box.x0 + box.width * (now - low) / (high - low))
    page.write(x, top - 14, page.pen.words("now"), Style(align="center"))


@dataclass(frozen=True, slots=True)
class _End:
    """A figure beside the plot's right edge."""

    y: float
    text: str
    bold: bool


def _ends(chart: Lines, pen: Pen) -> list[_End]:
    """What lines and bands come to at the right edge."""
    edge = _span(chart)[1]
    ends = [(line.xs[-1], line.ys[-1], True) for line in chart.lines if line.xs and line.role != "reference"]
    for band in chart.bands:
        if band.xs:
            ends += [(band.xs[-1], band.low[-1], False), (band.xs[-1], band.high[-1], False)]
    found: dict[str, tuple[float, bool]] = {}
    for x, y, bold in ends:
        if x == edge and y is not None and not math.isnan(known(y)):
            found.setdefault(pen.figure(y, chart.unit), (y, bold))
    return [_End(y, text, bold) for text, (y, bold) in found.items()]


def _write_ends(page: Page, axes: Axes, ends: Iterable[_End], x: float) -> None:
    """Write them from above to below, moved apart where they would touch."""
    box, (low, high) = axes.get_position(), axes.get_ylim()
    top, bottom = page.height * (1 - box.y1), page.height * (1 - box.y0)
    placed = [(bottom - (bottom - top) * (end.y - low) / (high - low), end) for end in ends]
    placed.sort(key=lambda pair: pair[0])
    ys = apart([y for y, _ in placed], TEXT + 4, top, bottom)
    for y, (_, end) in zip(ys, placed, strict=True):
        colour = page.palette.ink if end.bold else page.palette.faint
        page.write(x, y, end.text, Style(bold=end.bold, colour=colour, width=WIDTH / 4))


def apart(ys: Sequence[float], gap: float, top: float, bottom: float) -> list[float]:
    """Ascending places moved as little as it takes to lie ``gap`` apart, within bounds where there is room."""
    down: list[float] = []
    for y in ys:
        down.append(max(y, down[-1] + gap if down else top))
    up: list[float] = []
    for y in reversed(down):
        up.append(min(y, up[-1] - gap if up else bottom))
    return up[::-1]


def _x_ticks(chart: Lines, pen: Pen) -> dict[float, str]:
    low, high = _span(chart)
    return time_ticks(low, high, pen) if chart.x == "time" else pen.ticks(low, high, chart.x, most=7)


def time_ticks(low: float, high: float, pen: Pen) -> dict[float, str]:
    """Times at round places of the UTC clock and calendar."""
    step = next((step for step in TIME_STEPS if (high - low) / step <= MOST_TIMES), None)
    if step is None:
        return _months(low, high, pen)
    ticks = [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
    labels = {tick: _date(tick, pen) if tick % DAY == 0 else _clock(tick) for tick in ticks}
    if ticks and all(tick % DAY for tick in ticks):
        labels[ticks[0]] = f"{_date(ticks[0], pen)} {labels[ticks[0]]}"
    return {float(tick): label for tick, label in labels.items()}


def _months(low: float, high: float, pen: Pen) -> dict[float, str]:
    months = (high - low) / (365.25 * DAY / 12)
    step = next((step for step in MONTH_STEPS if months / step <= MOST_TIMES), MONTH_STEPS[-1])
    first = dt.datetime.fromtimestamp(low, dt.UTC)
    ticks = {}
    for n in range(-(-(12 * first.year + first.month - 1) // step) * step, 12 * 9999, step):
        start = dt.datetime(n // 12, n % 12 + 1, 1, tzinfo=dt.UTC)
        if start.timestamp() > high:
            break
        if start.timestamp() >= low:
            ticks[start.timestamp()] = _date(start.timestamp(), pen, "MMM yyyy")
    return ticks


def _clock(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%H:%M")


def _date(at: float, pen: Pen, form: str = "") -> str:
    from babel.dates import format_date

    words = pen.words
    form = form or ("MMM d" if words.language == "en" else "d MMM")
    return format_date(dt.datetime.fromtimestamp(at, dt.UTC).date(), form, locale=words.locale)
