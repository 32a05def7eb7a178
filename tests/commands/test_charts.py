"""The charts of the answers on the stored market: what they show, in words too, and that they can be read."""

from __future__ import annotations

import io
import pickle
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from analytics.answers.windows import SafeWindows, Window
from analytics.evidence import seconds_of
from analytics.market import HOUR
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.presentation.card import Bars, Chart, Heat, Lines
from bot.presentation.chart import png
from bot.presentation.words import LOCALES, Words
from tests.fakes.pictures import faults, page_of

CHARTED = {"predict", "accuracy", "history", "reliability", "savings", "availability", "cost"}
"""Windows have a chart where hours matter, which they do not in this market."""


async def asked(dispatcher: Dispatcher, line: str, language: str = "en") -> tuple[Any, Any]:
    """The answer and its first chart."""
    command, answer = await dispatcher.ask_line(line)
    return answer, command.card(answer, Words(language, dispatcher.clock())).charts[0]


def names(chart: Chart) -> list[str]:
    """What the chart calls its parts."""
    if isinstance(chart, Lines):
        return [chart.title, chart.scale, *(part.label for part in (*chart.lines, *chart.bands))]
    if isinstance(chart, Bars):
        return [name for name in (chart.title, chart.value, chart.spread, chart.reference) if name]
    return [chart.title, chart.scale, chart.mark, *chart.rows]


def read(chart: Chart, language: str) -> None:
    """Fail unless the chart draws, in that language, with every text legible."""
    page = page_of(chart, language)
    assert faults(page) == []
    Image.open(io.BytesIO(page.png(chart.title, chart.alt))).load()


async def test_the_answers_that_are_better_looked_at_have_a_chart(dispatcher: Dispatcher) -> None:
    found = set()
    for command in COMMANDS:
        if command.path and command.shared:
            _, answer = await dispatcher.ask_line(command.examples[0])
            if command.card(answer, Words("en", dispatcher.clock())).charts:
                found.add(command.name)
    assert found == CHARTED


@pytest.mark.parametrize("line", [example for c in COMMANDS if c.name in CHARTED for example in c.examples[:2]])
async def test_each_chart_draws_and_says_in_both_languages_what_it_shows(dispatcher: Dispatcher, line: str) -> None:
    told, named = [], []
    for language in LOCALES:
        _, chart = await asked(dispatcher, line, language)
        assert pickle.loads(pickle.dumps(chart)) == chart
        assert len(chart.alt) > 30
        assert sum(c.isdigit() for c in chart.alt) > 4
        assert "{" not in chart.alt
        assert "None" not in chart.alt
        read(chart, language)
        told.append(chart.alt)
        named.append(names(chart))
    assert told[0] != told[1]
    assert [name for name, other in zip(*named, strict=True) if name == other and not name.startswith("p10")] == []


@pytest.mark.parametrize("line", [c.examples[0] for c in COMMANDS if c.name in CHARTED])
async def test_a_chart_does_not_change_while_its_answer_does_not(dispatcher: Dispatcher, line: str) -> None:
    command, answer = await dispatcher.ask_line(line)
    now, later = (command.card(answer, Words("en", dispatcher.clock() + n)).charts for n in (0, 600))
    assert (now, hash(now)) == (later, hash(later))


async def test_the_fan_goes_from_what_was_to_what_may_come(dispatcher: Dispatcher) -> None:
    answer, chart = await asked(dispatcher, "predict RTX 4090")
    assert isinstance(chart, Lines)
    past, forecast = chart.lines
    assert chart.now == seconds_of(answer.evidence.as_of) == past.xs[-1] == forecast.xs[0]
    assert forecast.ys == (answer.current_price, *(point.price for point in answer.predictions.values()))
    assert forecast.xs[-1] == seconds_of(answer.predictions["next_24h"].target_at)
    assert chart.bands[0].low[1:] == tuple(point.low_80 for point in answer.predictions.values())
    assert list(past.xs) == sorted(set(past.xs))
    assert f"${answer.predictions['next_24h'].price:.3f}" in chart.alt


async def test_a_fan_without_a_range_or_with_an_old_price_is_drawn(dispatcher: Dispatcher) -> None:
    command, answer = await dispatcher.ask_line("predict RTX 4090")
    points = {key: replace(point, low_80=None, high_80=None) for key, point in answer.predictions.items()}
    late = replace(answer.evidence, as_of=answer.predictions["next_1h"].target_at, stale=True)
    chart = command.card(replace(answer, predictions=points, evidence=late), Words("en", dispatcher.clock())).charts[0]
    assert isinstance(chart, Lines)
    assert chart.bands == ()
    assert chart.now is None
    assert list(chart.lines[1].xs) == sorted(set(chart.lines[1].xs))
    assert "not known" in chart.alt
    read(chart, "en")


async def test_hours_without_a_poll_are_gaps_in_the_history(dispatcher: Dispatcher) -> None:
    command, answer = await dispatcher.ask_line("history RTX 4090 days=7")
    holed = replace(answer, points=(*answer.points[:50], *answer.points[80:]))
    chart = command.card(holed, Words("en", dispatcher.clock())).charts[0]
    line = chart.lines[0]
    assert [b - a for a, b in zip(line.xs, line.xs[1:], strict=False)] == [HOUR] * (len(line.xs) - 1)
    assert [n for n, y in enumerate(line.ys) if y is None] == list(range(50, 80))
    assert [n for n, low in enumerate(chart.bands[0].low) if low is None] == list(range(50, 80))


async def test_bars_carry_the_answers_figures(dispatcher: Dispatcher) -> None:
    answer, chart = await asked(dispatcher, "savings RTX 4090 100h")
    assert isinstance(chart, Bars)
    assert [bar.value for bar in chart.bars] == [
        answer.cost_dumont,
        *(row.cost_same_work for row in answer.comparators),
    ]
    answer, chart = await asked(dispatcher, "availability RTX 4090")
    assert [(bar.label, bar.value) for bar in chart.bars] == [
        (row.region, row.available_count) for row in answer.regions[:10]
    ]
    assert chart.bars[0].reference == answer.regions[0].available_count - answer.regions[0].change_vs_yesterday
    answer, chart = await asked(dispatcher, "cost llama2-7b 50GB")
    best = answer.gpu_recommendations[0]
    assert (chart.bars[0].low, chart.bars[0].high) == (best.cost_low, best.cost_high)
    assert (chart.bars[-1].label, chart.bars[-1].value) == (
        f"AWS: {best.aws.gpus}× {best.aws.gpu_name}",
        best.cost_aws,
    )
    assert all(bar.reference is None for bar in chart.bars)
    assert f"${best.cost_dumont:,.2f}" in chart.alt


async def test_nothing_to_compare_is_no_chart(dispatcher: Dispatcher) -> None:
    for line, change in (
        ("savings RTX 4090", {"cost_dumont": None}),
        ("availability RTX 4090", {"total_available": 0, "regions": ()}),
        ("cost llama2-7b", {"gpu_recommendations": ()}),
        ("reliability RTX 4090", {"survival_curve": ()}),
        ("history RTX 4090", {"stats": None}),
    ):
        command, answer = await dispatcher.ask_line(line)
        assert command.card(replace(answer, **change), Words("en", dispatcher.clock())).charts == (), line


@pytest.fixture
async def weekly(dispatcher: Dispatcher) -> SafeWindows:
    """An answer where hours matter: Sundays from 20:00 are safe."""
    _, answer = await dispatcher.ask_line("windows RTX 4090")
    table = tuple(tuple(round(0.9 + (24 * d + h) / 2000, 4) for h in range(24)) for d in range(7))
    window = Window(
        day_of_week="Sunday",
        start_hour=20,
        end_hour=2,
        safety_score=0.9,
        avg_price=0.3,
        reasoning=answer.conclusion,
        end_day="Monday",
        duration_hours=6,
        base_score=0.8,
        next_start="2026-01-04T20:00:00+00:00",
        next_end="2026-01-05T02:00:00+00:00",
    )
    return replace(answer, hours_matter=True, safe_windows=(window,), safety_by_hour=table)


@pytest.mark.parametrize(
    ("language", "says"), [("en", "90.00% (Monday 00:00)"), ("pt-BR", "90,00% (segunda-feira 00:00)")]
)
async def test_the_week_frames_its_safe_hours(
    dispatcher: Dispatcher, weekly: SafeWindows, language: str, says: str
) -> None:
    chart = dispatcher.command("windows").card(weekly, Words(language, dispatcher.clock())).charts[0]
    assert isinstance(chart, Heat)
    assert chart.marked == {(6, 20), (6, 21), (6, 22), (6, 23), (0, 0), (0, 1)}
    assert chart.values == weekly.safety_by_hour
    assert says in chart.alt
    assert "20:00" in chart.alt
    read(chart, language)
    assert png(chart, language=language, theme="dark")
