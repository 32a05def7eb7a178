"""Charts as PNG pictures, for faces that can show them. matplotlib is slow to import: only a drawing loads it."""

from __future__ import annotations

from typing import Literal

from bot.presentation.card import Bars, Chart, Lines
from bot.presentation.words import Words

Theme = Literal["light", "dark"]


def png(chart: Chart, *, language: str = "en", theme: Theme = "light") -> bytes:
    """The picture of a chart, 800 pixels wide to be shown at 400; equal charts give equal bytes.

    Slow (a second with the import, then a tenth of one): :class:`bot.presentation.gallery.Gallery` does it elsewhere.
    """
    from bot.presentation import chart_bars, chart_heat, chart_lines
    from bot.presentation.chart_page import PALETTES, Pen

    pen = Pen(Words(language, 0), PALETTES[theme])
    if isinstance(chart, Lines):
        page = chart_lines.draw(chart, pen)
    elif isinstance(chart, Bars):
        page = chart_bars.draw(chart, pen)
    else:
        page = chart_heat.draw(chart, pen)
    return page.png(chart.title, chart.alt)
