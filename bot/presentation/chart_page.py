"""The page that charts are drawn on: its colours, its letters, and places in pixels from the top left.

All texts are data: no mathtext, no control characters, no character that the font lacks, no width without bound.
"""

from __future__ import annotations

import functools
import io
import math
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Affine2D, Transform

from bot.presentation.card import Unit
from bot.presentation.words import Words

WIDTH, DPI, MARGIN = 800, 100, 22
"""Pixels; shown at 400, so everything is twice as large as it will look."""

TEXT, TITLE = 23, 29
"""Heights of letters in pixels: 11.5 and 14.5 when shown at half the width."""

ROW = 33
"""Pixels from one line of text to the next."""

LONGEST_TEXT, LONGEST_ALT = 300, 2000
"""Characters of a label that are looked at, and of the description inside the file."""

ABSURD = 1e15
"""Numbers beyond this are drawn as unknown: they would flatten everything else."""


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of a theme. ``series``: of Okabe and Ito's eight, which the colour-blind tell apart (Color Universal
    Design, 2008), those with a contrast of 3:1 or more against ``page``.
    """

    page: str
    border: str
    ink: str
    faint: str
    grid: str
    series: tuple[str, ...]


PALETTES = {
    "light": Palette(
        "#FFFFFF", "#767D87", "#16191D", "#565D66", "#DDE1E6", ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000")
    ),
    "dark": Palette(
        "#1E2126", "#8A9099", "#F2F4F7", "#B4BBC4", "#3A4049", ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442")
    ),
}

_FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def known(value: float | None) -> float:
    """A number to draw: NaN where it is unknown or absurd."""
    return value if value is not None and math.isfinite(value) and abs(value) < ABSURD else math.nan


def points(pixels: float) -> float:
    """Pixels as matplotlib's points."""
    return pixels * 72 / DPI


@functools.cache
def _face(bold: bool) -> FontProperties:
    # by file: the system's fonts must not change the picture
    return FontProperties(fname=str(_FONTS / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")))


@functools.cache
def _letters() -> frozenset[int]:
    return frozenset(FT2Font(str(_FONTS / "DejaVuSans.ttf")).get_charmap())


def clean(text: str) -> str:
    """One line without control characters; what the font lacks (emoji, most scripts of Asia) becomes a box."""
    whole = unicodedata.normalize("NFC", text[:LONGEST_TEXT])
    spaced = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in whole)
    # format characters turn or hide text, surrogates cannot be written, and marks can be piled up without end
    shown = (c for c in spaced if unicodedata.category(c) not in ("Cf", "Cs", "Mn", "Me"))
    return " ".join("".join(c if ord(c) in _letters() else "□" for c in shown).split())


class Pen:
    """Measures and cuts texts, and writes figures in the reader's language."""

    def __init__(self, words: Words, palette: Palette) -> None:
        self.words, self.palette = words, palette
        self._renderer: Any = RendererAgg(1, 1, DPI)  # type: ignore[no-untyped-call]

    def font(self, size: float = TEXT, *, bold: bool = False) -> FontProperties:
        """A font of so many pixels."""
        font = _face(bold).copy()
        font.set_size(points(size))
        return font

    def width(self, text: str, size: float = TEXT, *, bold: bool = False) -> float:
        """Pixels that a cleaned text takes."""
        return float(self._renderer.get_text_width_height_descent(text, self.font(size, bold=bold), False)[0])

    def widest(self, texts: Sequence[str], *, bold: bool = False) -> float:
        """Pixels that the widest of some texts takes, 0 for none."""
        return max((self.width(text, bold=bold) for text in texts), default=0.0)

    def fit(self, text: str, width: float, size: float = TEXT, *, bold: bool = False) -> str:
        """The text cleaned, and cut with an ellipsis where it is wider than ``width`` pixels."""
        whole = clean(text)
        if len(text) <= LONGEST_TEXT and self.width(whole, size, bold=bold) <= width:
            return whole
        low, high = 0, len(whole)
        while low < high:
            middle = (low + high + 1) // 2
            fits = self.width(whole[:middle].rstrip() + "…", size, bold=bold) <= width
            low, high = (middle, high) if fits else (low, middle - 1)
        return whole[:low].rstrip() + "…"

    def figure(self, value: float, unit: Unit, digits: int | None = None) -> str:
        """A number with its unit; without ``digits`` as the answers' tables write it."""
        words = self.words
        if unit == "money":
            return words.money(value, 0 if digits is None and abs(value) >= 1000 else digits)
        if unit == "share":
            return words.share(value, 1 if digits is None else digits)
        if unit == "percent":
            return words.percent(value, 1 if digits is None else digits)
        if unit == "hours":
            return f"{words.number(value, digits)} h"
        return words.number(value, digits)

    def ticks(self, low: float, high: float, unit: Unit, most: int = 5) -> dict[float, str]:
        """Round numbers in a range with their labels, at most about ``most``."""
        found = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        inside = [float(tick) for tick in found if low - 1e-9 <= tick <= high + 1e-9]
        scale = 100 if unit == "share" else 1
        digits = _digits((found[1] - found[0]) * scale if len(found) > 1 else abs(low) * scale)
        digits = 2 if unit == "money" and digits == 1 else digits
        # minus nought is nought
        return {tick: self.figure(tick or 0.0, unit, digits) for tick in inside}


def _digits(step: float) -> int:
    """Decimals that tell such steps apart."""
    return next((n for n in range(9) if abs(round(step, n) - step) <= abs(step) * 1e-6), 9)


@dataclass(frozen=True, slots=True)
class Style:
    """How a text is written: its height and most width in pixels, its colour (None: ink)."""

    size: float = TEXT
    bold: bool = False
    colour: str | None = None
    width: float = WIDTH
    align: Literal["left", "center", "right"] = "left"


PLAIN = Style()


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of a legend: ``sample(page, x, y)`` draws a sign of ``SAMPLE`` pixels' width from x on, around y."""

    label: str
    sample: Callable[[Page, float, float], None]


SAMPLE, GAP = 46, 12


class Page:
    """A picture to be: title, what the numbers are, and legend, below which ``top`` begins the plot."""

    def __init__(self, pen: Pen, title: str, scale: str, keys: Sequence[Key], height: float) -> None:
        """``height``: of what follows below the head, in pixels."""
        self.pen, self.palette = pen, pen.palette
        rows = _rows(pen, keys)
        self.top = 62 + ROW * (bool(scale) + len(rows))
        self.height = math.ceil(self.top + height)
        self.drawing = Figure(figsize=(WIDTH / DPI, self.height / DPI), dpi=DPI, facecolor=self.palette.page)
        self._canvas: Any = FigureCanvasAgg(self.drawing)
        self.pixels: Transform = (
            Affine2D().scale(1 / WIDTH, -1 / self.height).translate(0, 1) + self.drawing.transFigure
        )
        self.box(1, 1, WIDTH - 2, self.height - 2, facecolor="none", edgecolor=self.palette.border, linewidth=points(2))
        self.write(MARGIN, 36, title, Style(size=TITLE, bold=True, width=WIDTH - 2 * MARGIN))
        y = 36.0 + ROW
        if scale:
            self.write(MARGIN, y, scale, Style(colour=self.palette.faint, width=WIDTH - 2 * MARGIN))
            y += ROW
        for row in rows:
            self._legend(row, y)
            y += ROW

    def _legend(self, row: Sequence[tuple[float, Key]], y: float) -> None:
        for x, key in row:
            key.sample(self, x, y)
            self.write(x + SAMPLE + GAP, y, key.label, Style(width=_label_room(x)))

    def write(self, x: float, y: float, text: str, style: Style = PLAIN) -> None:
        """A text whose middle is ``y``."""
        self.drawing.text(
            x, y, self.pen.fit(text, style.width, style.size, bold=style.bold),
            transform=self.pixels, ha=style.align, va="center_baseline", parse_math=False,
            fontproperties=self.pen.font(style.size, bold=style.bold), color=style.colour or self.palette.ink,
        )  # fmt: skip

    def box(self, x: float, y: float, width: float, height: float, **style: Any) -> None:
        """A rectangle."""
        self.drawing.add_artist(Rectangle((x, y), width, height, transform=self.pixels, **style))

    def line(self, xs: Sequence[float], ys: Sequence[float], **style: Any) -> None:
        """A line through pixels."""
        self.drawing.add_artist(Line2D(xs, ys, transform=self.pixels, **style))

    def axes(self, left: float, top: float, right: float, bottom: float) -> Axes:
        """A bare plot between these pixels."""
        place = (left / WIDTH, 1 - bottom / self.height, (right - left) / WIDTH, (bottom - top) / self.height)
        axes = self.drawing.add_axes(place, facecolor="none")
        axes.tick_params(axis="x", length=0, pad=points(15))
        axes.tick_params(axis="y", length=0, pad=points(8))
        for side, spine in axes.spines.items():
            spine.set_visible(side == "bottom")
            spine.set(color=self.palette.faint, linewidth=points(1.5))
        axes.set_axisbelow(True)
        return axes

    def label(self, axes: Axes, axis: str, ticks: dict[float, str]) -> None:
        """Put ticks with their labels on the ``x`` or ``y`` axis, with lines across the plot on the one of figures."""
        put = axes.set_xticks if axis == "x" else axes.set_yticks
        put(
            list(ticks), [self.pen.fit(text, WIDTH / 4) for text in ticks.values()],
            parse_math=False, fontproperties=self.pen.font(), color=self.palette.faint,
        )  # fmt: skip

    def nothing(self) -> None:
        """Say in the middle of the plot that there is nothing to see."""
        text, middle = self.pen.words("no data"), (self.top + self.height) / 2
        self.write(WIDTH / 2, middle, text, Style(size=TITLE, colour=self.palette.faint, align="center"))

    def png(self, title: str, alt: str) -> bytes:
        """The file. It carries its description, and neither a time nor the version of the program that drew it."""
        file = io.BytesIO()
        about = {"Title": clean(title), "Description": _readable(alt), "Software": None}
        self._canvas.print_png(file, metadata=about)
        return file.getvalue()


def _readable(text: str) -> str:
    kept = "".join(" " if c in "\r\n\t" else c for c in text[:LONGEST_ALT])
    return "".join(c for c in kept if unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def _label_room(x: float) -> float:
    return WIDTH - MARGIN - x - SAMPLE - GAP


def _rows(pen: Pen, keys: Sequence[Key]) -> list[list[tuple[float, Key]]]:
    """The legend in lines: entries with where they begin."""
    rows: list[list[tuple[float, Key]]] = []
    x = float(WIDTH)
    for key in keys:
        width = SAMPLE + GAP + pen.width(pen.fit(key.label, _label_room(MARGIN)))
        if not rows or x + width > WIDTH - MARGIN:
            rows.append([])
            x = MARGIN
        rows[-1].append((x, key))
        x += width + 2 * GAP
    return rows
