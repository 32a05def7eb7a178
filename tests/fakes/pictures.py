"""For charts: what stands where on a page, and drawings that fail in every way (called in the gallery's process)."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.presentation.card import Bars, Chart, Lines

if TYPE_CHECKING:
    from bot.presentation.chart_page import Page


@dataclass(frozen=True)
class Written:
    """One text of a page; pixels from the top left."""

    text: str
    size: float
    left: float
    top: float
    right: float
    bottom: float

    def touches(self, other: Written) -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


def page_of(chart: Chart, language: str = "en") -> Page:
    """The chart as it is drawn, not yet a file."""
    from bot.presentation import chart_bars, chart_heat, chart_lines
    from bot.presentation.chart_page import PALETTES, Pen
    from bot.presentation.words import Words

    pen = Pen(Words(language, 0), PALETTES["light"])
    if isinstance(chart, Lines):
        return chart_lines.draw(chart, pen)
    return chart_bars.draw(chart, pen) if isinstance(chart, Bars) else chart_heat.draw(chart, pen)


def written(page: Page) -> list[Written]:
    """Every text that can be read on the page."""
    from bot.presentation.chart_page import DPI

    texts = list(page.drawing.texts)
    for axes in page.drawing.axes:
        texts += [label for label in (*axes.get_xticklabels(), *axes.get_yticklabels()) if label.get_visible()]
    found = []
    for text in texts:
        if text.get_text():
            box = text.get_window_extent()
            size = text.get_fontsize() * DPI / 72
            found.append(Written(text.get_text(), size, box.x0, page.height - box.y1, box.x1, page.height - box.y0))
    return found


def faults(page: Page) -> list[str]:
    """What cannot be read when the picture is shown 400 pixels wide: cut, overlapping or small texts."""
    from bot.presentation.chart_page import WIDTH

    texts = written(page)
    found = [f"small: {t.text}" for t in texts if t.size < 22]
    found += [f"cut: {t.text}" for t in texts if t.left < 0 or t.top < 0 or t.right > WIDTH or t.bottom > page.height]
    pairs = ((a, b) for n, a in enumerate(texts) for b in texts[n + 1 :])
    return found + [f"overlap: {a.text} and {b.text}" for a, b in pairs if a.touches(b)]


def counted(chart: Chart, *, language: str, theme: str) -> bytes:
    """Leaves a line in the file that the chart's alt names."""
    with Path(chart.alt).open("a", encoding="utf-8") as file:
        file.write(f"{chart.title} {language} {theme}\n")
    return f"{chart.title} {language} {theme}".encode()


def troubled(chart: Chart, *, language: str, theme: str) -> bytes:
    """Does what the chart's title says."""
    if chart.title == "fail":
        raise ValueError("cannot be drawn")
    if chart.title == "die":
        os._exit(1)
    if chart.title == "hang":
        time.sleep(600)
    return str(os.getpid()).encode()
