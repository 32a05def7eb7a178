"""Pictures: legible, the same each time, and unmoved by whatever stands in a label."""

from __future__ import annotations

import io
import itertools
import math
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from bot.presentation.card import Band, Bar, Bars, Chart, Heat, Line, Lines
from bot.presentation.chart import Theme, png
from bot.presentation.chart_lines import apart, time_ticks
from bot.presentation.chart_page import ABSURD, PALETTES, WIDTH, Pen, clean
from bot.presentation.words import Words
from tests.fakes.pictures import faults, page_of, written

HOUR, DAY = 3600, 86_400
NOON = 1_789_992_000
"""2026-09-21 12:00 UTC"""

XS = tuple(float(NOON - HOUR * n) for n in range(72, -1, -1))
YS = tuple(0.3 + 0.02 * math.sin(n / 7) for n in range(73))
AHEAD = (float(NOON), NOON + HOUR, NOON + 6 * HOUR, NOON + DAY)
FAN = Lines(
    title="Price forecast: RTX 4090",
    alt="RTX 4090 from $0.28 to $0.32, then $0.30",
    lines=(Line("hourly price", XS, YS, "past"), Line("forecast", AHEAD, (0.29, 0.3, 0.3, 0.3), "forecast")),
    bands=(Band("80% range", AHEAD, (0.29, 0.28, 0.27, 0.26), (0.29, 0.31, 0.32, 0.34), "forecast"),),
    scale="USD per GPU-hour",
    now=NOON,
)
CURVE = Lines(
    title="Reliability",
    alt="28% after 24 h",
    lines=(Line("still running", tuple(range(25)), tuple(math.exp(-n / 19) for n in range(25))),),
    x="hours",
    unit="share",
)
COST = Bars(
    title="Training llama2-7b",
    alt="RTX 3090 $3.20",
    bars=tuple(Bar(f"{n}× RTX {n}090", 3.2 * n, 2.9 * n, 4.0 * n, 5.5 * n) for n in range(1, 9)),
    value="USD",
    spread="p10–p90",
    reference="AWS",
)
WEEK = Heat(
    title="Safe windows",
    alt="Monday 1:00 to 3:00",
    rows=("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    columns=tuple(map(str, range(24))),
    values=tuple(tuple(None if (d, h) == (2, 5) else 0.97 + (d + h) / 1000 for h in range(24)) for d in range(7)),
    marked=frozenset({(0, 1), (0, 2), (1, 1)}),
    scale="chance of no interruption",
    mark="safe window",
)
ALL = {"fan": FAN, "curve": CURVE, "cost": COST, "week": WEEK}


def pixels(chart: Chart, **options: Any) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png(chart, **options))).convert("RGB")).astype(int)


def near(picture: np.ndarray, colour: str, tolerance: int = 40) -> np.ndarray:
    """Where the picture has about this colour."""
    wanted = [round(255 * part) for part in to_rgb(colour)]
    return (np.abs(picture - wanted) < tolerance).all(axis=2)


def texts(chart: Chart, language: str = "en") -> list[str]:
    return [found.text for found in written(page_of(chart, language))]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ALL)
def test_each_kind_is_a_picture_of_800_pixels_with_its_description(name: str, theme: Theme) -> None:
    chart = ALL[name]
    picture = Image.open(io.BytesIO(png(chart, theme=theme)))
    picture.load()
    assert picture.size[0] == WIDTH
    assert 300 < picture.size[1] < 700
    assert picture.info.keys() - {"dpi"} == {"Title", "Description"}
    assert picture.info["Description"] == chart.alt
    assert picture.convert("RGB").getpixel((WIDTH - 8, 8)) == tuple(
        round(255 * part) for part in to_rgb(PALETTES[theme].page)
    )


@pytest.mark.parametrize("name", ALL)
def test_equal_charts_give_equal_bytes_and_travel_between_processes(name: str) -> None:
    chart = ALL[name]
    again = pickle.loads(pickle.dumps(chart))
    assert (again, hash(again)) == (chart, hash(chart))
    assert png(again) == png(chart)
    assert len({png(chart), png(chart, theme="dark"), png(chart, language="pt-BR")}) >= 2


@pytest.mark.parametrize("language", ["en", "pt-BR"])
@pytest.mark.parametrize("name", ALL)
def test_every_text_can_be_read_on_a_telephone(name: str, language: str) -> None:
    assert faults(page_of(ALL[name], language)) == []


def luminance(colour: str) -> float:
    parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(a: str, b: str) -> float:
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", PALETTES)
def test_lines_and_letters_stand_out(theme: str) -> None:
    palette = PALETTES[theme]
    assert all(contrast(colour, palette.page) >= 3 for colour in (*palette.series, palette.border))
    assert contrast(palette.ink, palette.page) >= 7
    assert contrast(palette.faint, palette.page) >= 4.5


def test_no_two_lines_are_told_apart_by_colour_alone() -> None:
    roles = ("past", "forecast", "reference", "main", "main")
    lines = tuple(Line(str(n), XS, YS, role) for n, role in enumerate(roles))
    axes = page_of(replace(FAN, lines=lines, bands=())).drawing.axes[0]
    drawn = [line for line in axes.get_lines() if len(line.get_xdata()) == len(XS)]
    looks = {repr((line.get_marker(), line._unscaled_dash_pattern)) for line in drawn}
    assert len(drawn) == len(roles)
    assert len(looks) >= len(roles) - 1  # what was, and the first of what is, never meet in one chart


def columns_of_line(ys: tuple[float | None, ...], **more: Any) -> list[int]:
    chart = Lines("t", "", (Line("", XS, ys),), **more)
    return [int(x) for x in np.flatnonzero(near(pixels(chart), PALETTES["light"].series[0])[60:].any(axis=0))]


def test_a_gap_is_drawn_as_a_gap() -> None:
    whole = columns_of_line(YS)
    assert max(b - a for a, b in itertools.pairwise(whole)) == 1
    broken = columns_of_line((*YS[:30], *[None] * 14, *YS[44:]))
    wide = whole[-1] - whole[0]
    gaps = [(a, b) for a, b in itertools.pairwise(broken) if b - a > 1]
    assert len(gaps) == 1
    start, end = ((x - whole[0]) / wide for x in gaps[0])
    assert start == pytest.approx(29 / 72, abs=0.02)
    assert end == pytest.approx(44 / 72, abs=0.02)


def test_a_gap_at_the_start_stays_open() -> None:
    assert columns_of_line((*[None] * 36, *YS[36:]))[0] > columns_of_line(YS)[0] + 200


def test_a_gap_in_a_band_is_drawn_as_a_gap() -> None:
    low = tuple(None if 20 < n < 50 else 0.2 for n in range(73))
    band = Band("", XS, low, tuple(0.4 for _ in XS))
    picture = pixels(Lines("t", "", (), (band,)))
    empty = (picture[140:-90, 110:660] > 250).all(axis=2).mean(axis=0) > 0.8  # all but the lines across the plot
    assert empty.mean() == pytest.approx(30 / 72, abs=0.03)


@pytest.mark.parametrize(
    "ys",
    [
        (None, None, 0.3, None, None),
        (0.3, None, 0.3, None, 0.3),
        (0.3,) * 5,
        (0.0,) * 5,
        (math.nan, math.inf, 0.3, -math.inf, 10 * ABSURD),
        (-0.1, -0.2, 0.1, 0.0, 1e-9),
    ],
)
def test_odd_lines_are_still_drawn(ys: tuple[float | None, ...]) -> None:
    chart = replace(FAN, lines=(Line("price", XS[:5], ys),), bands=(Band("", XS[:5], ys, ys),), now=None)
    assert near(pixels(chart), PALETTES["light"].series[0])[130:].any()
    assert faults(page_of(chart)) == []


def test_a_single_point_can_be_seen() -> None:
    chart = Lines("t", "", (Line("", (float(NOON),), (0.3,)),))
    assert near(pixels(chart), PALETTES["light"].series[0])[60:].sum() > 30


@pytest.mark.parametrize(
    "chart",
    [
        Lines("t", "", ()),
        Lines("t", "", (Line("price", (), ()),)),
        Lines("t", "", (Line("price", XS, (None,) * 73),), (Band("b", XS, (None,) * 73, YS),), now=NOON),
        Bars("t", "", ()),
        Bars("t", "", (Bar("a", None), Bar("b", math.nan))),
        Heat("t", "", (), (), ()),
        Heat("t", "", ("a",), ("b", "c"), ((None, math.inf),)),
    ],
)
@pytest.mark.parametrize(("language", "words"), [("en", "no data"), ("pt-BR", "sem dados")])
def test_an_empty_chart_says_so(chart: Chart, language: str, words: str) -> None:
    if isinstance(chart, Lines) and chart.bands:
        chart = replace(chart, bands=(replace(chart.bands[0], high=(None,) * 73),))
    assert words in texts(chart, language)
    assert png(chart, language=language)


def test_of_sixty_bars_the_first_twelve_stand_there_and_the_rest_is_said() -> None:
    many = replace(COST, bars=COST.bars * 8)
    assert "and 52 more" in texts(many)
    assert "and 0 more" not in texts(COST)
    assert faults(page_of(many)) == []
    assert Image.open(io.BytesIO(png(many))).size[1] < 900


def test_bars_without_figures_ranges_or_differences_are_drawn() -> None:
    for bars in (
        (Bar("a", None), Bar("b", 3.0)),
        (Bar("a", 0.0),),
        (Bar("a", 5.0), Bar("b", 5.0)),
        (Bar("a", -1.0), Bar("b", 2.0, 1.0, None)),
    ):
        assert faults(page_of(replace(COST, bars=bars))) == []
    assert "–" in texts(replace(COST, bars=(Bar("a", None), Bar("b", 3.0))))


def test_comparisons_that_would_flatten_the_bars_stand_beside_them() -> None:
    far = replace(COST, bars=tuple(replace(bar, reference=1500.0) for bar in COST.bars))
    assert texts(far).count("$1,500") == len(COST.bars)
    assert faults(page_of(far, "pt-BR")) == []
    widths = [near(pixels(chart), PALETTES["light"].series[0]).any(axis=0).sum() for chart in (COST, far)]
    assert min(widths) > 100


def test_unknown_cells_are_hatched_and_a_small_table_shows_its_figures() -> None:
    small = Heat("t", "", ("a", "b"), ("x", "y"), ((0.5, None), (0.25, 1.0)), frozenset({(1, 1)}), mark="safe")
    assert {"50.0%", "25.0%", "100.0%", "unknown", "safe"} <= set(texts(small))
    assert faults(page_of(small)) == []
    assert "unknown" in texts(WEEK)
    assert "unknown" not in texts(replace(WEEK, values=tuple((0.9,) * 24 for _ in range(7))))


def test_nearly_equal_cells_have_a_scale_that_tells_them_apart() -> None:
    values = tuple(tuple(0.9991 + (d + h) / 1e6 for h in range(24)) for d in range(7))
    assert {"99.910%", "99.913%"} <= set(texts(replace(WEEK, values=values)))


def test_figures_and_dates_are_the_readers() -> None:
    assert {"$0.30", "$0.300", "Sep 20", "now"} <= set(texts(FAN))
    assert {"$0,30", "$0,300", "20 set.", "agora"} <= set(texts(FAN, "pt-BR"))
    assert "USD per GPU-hour · UTC" in texts(FAN)


@pytest.mark.parametrize(
    ("hours", "labels"),
    [
        (5, ["Sep 21 07:00", "08:00", "09:00", "10:00", "11:00", "12:00"]),
        (30, ["06:00", "12:00", "18:00", "Sep 21", "06:00", "12:00"]),
        (72, ["12:00", "Sep 19", "12:00", "Sep 20", "12:00", "Sep 21", "12:00"]),
        (30 * 24, ["Aug 27", "Sep 3", "Sep 10", "Sep 17"]),
        (200 * 24, ["May 2026", "Jul 2026", "Sep 2026"]),
        (396 * 24, ["Oct 2025", "Jan 2026", "Apr 2026", "Jul 2026"]),
    ],
)
def test_times_are_round_and_in_utc(hours: int, labels: list[str]) -> None:
    pen = Pen(Words("en", 0), PALETTES["light"])
    assert list(time_ticks(NOON - HOUR * hours, NOON, pen).values()) == labels


@pytest.mark.parametrize(
    ("ys", "moved"),
    [([], []), ([10], [10]), ([10, 100], [10, 100]), ([50, 52, 54], [50, 60, 70]), ([98, 99], [90, 100])],
)
def test_labels_at_the_edge_make_room_for_each_other(ys: list[float], moved: list[float]) -> None:
    assert apart(ys, 10, 0, 100) == moved


HOSTILE = [
    "$a_b$ \\frac{",
    "$",
    r"\$x\$ $y",
    "😀👩‍👩‍👧 emoji",
    "مرحبا بالعالم",
    "\u202egnp.exe\u2066",
    "\x00\x1b[31mred\n\r\t\x07",
    "x" * 10_000,
    "long words " * 1_000,
    "_hidden",
    "日本語の名前",
    "\ud800 half a pair",
    "{name} %s %(a)s",
    "",
    " ",
    "e\u0301\u0301\u0301\u0301",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_labels_are_data(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a label was read as mathematics")

    monkeypatch.setattr("matplotlib.mathtext.MathTextParser.parse", refuse)
    charts: list[Chart] = [
        Lines(text, text, (Line(text, XS, YS),), (Band(text, XS, YS, YS),), scale=text, now=NOON),
        Bars(text, text, (Bar(text, 3.0, 2.0, 4.0, 5.0),) * 3, value=text, spread=text, reference=text),
        Heat(text, text, (text,) * 7, (text,) * 24, WEEK.values, WEEK.marked, scale=text, mark=text),
    ]
    for chart in charts:
        page = page_of(chart)
        assert faults(page) == []
        picture = Image.open(io.BytesIO(page.png(chart.title, chart.alt)))
        assert picture.size[0] == WIDTH
        assert picture.size[1] < 800


def test_texts_are_cleaned_but_not_lost() -> None:
    assert clean("RTX 4090 $0.30 – São Paulo") == "RTX 4090 $0.30 – São Paulo"
    assert clean("a\x00b\nc\u202ed") == "a b cd"
    assert clean("日本") == "□□"


def test_a_long_label_ends_with_an_ellipsis_and_keeps_its_beginning() -> None:
    pen = Pen(Words("en", 0), PALETTES["light"])
    cut = pen.fit("RTX 4090 " * 50, 200)
    assert cut.startswith("RTX 4090")
    assert cut.endswith("…")
    assert pen.width(cut) <= 200
    assert pen.fit("RTX 4090", 200) == "RTX 4090"
    assert pen.fit("RTX 4090", 0) == "…"
