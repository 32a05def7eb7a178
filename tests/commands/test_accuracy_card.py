"""``accuracy`` as people see it: an honest first line, both ends of the ranking, and the diagram with its twin."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analytics.answers.accuracy import Accuracy
from bot.dispatch.dispatcher import Dispatcher
from bot.presentation.card import Card, Lines
from bot.presentation.chart_page import PALETTES
from bot.presentation.text import plain
from bot.presentation.words import Words
from tests.fakes.pictures import faults, page_of, written
from tests.fakes.reports import YOUNG


async def found(dispatcher: Dispatcher, line: str = "accuracy") -> Accuracy:
    answer = (await dispatcher.ask_line(line))[1]
    assert isinstance(answer, Accuracy)
    return answer


def shown(dispatcher: Dispatcher, answer: Accuracy, language: str = "en") -> Card:
    return dispatcher.command("accuracy").card(answer, Words(language, dispatcher.clock()))


def with_headline(answer: Accuracy, **more: Any) -> Accuracy:
    return replace(answer, overall={**answer.overall, "6": replace(answer.overall["6"], **more)})


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "were 8% closer than “no change”; their 80% ranges held in 82% of 4,160 cases."),
        ({"n": 1}, "held in 82% of 1 case."),
        ({"ratio": 0.9951}, "were no better than “no change”;"),
        ({"ratio": 1.0}, "were no better than “no change”;"),
        ({"ratio": 1.031}, "were 3% further off than “no change”;"),
        ({"ratio": None}, "were as good as “no change”, since no price moved;"),
        ({"coverage_80": None}, "in 4,160 cases; their 80% ranges are not known yet."),
    ],
)
async def test_the_first_line_says_what_the_figures_say(
    dispatcher: Dispatcher, more: dict[str, Any], says: str
) -> None:
    answer = with_headline(await found(dispatcher), **more)
    lead = shown(dispatcher, answer).lead
    assert lead.startswith("In the last 30 days, forecasts of the price in 6 h were ")
    assert says in lead


async def test_the_first_line_about_a_model_is_of_its_series_and_names_a_backtest(dispatcher: Dispatcher) -> None:
    answer = await found(dispatcher, f"accuracy {YOUNG}")
    lead = shown(dispatcher, answer).lead
    assert lead.startswith(f"In a backtest over 35 days, forecasts of the price of {YOUNG} in 6 h were 1% further off")
    assert "780 cases" in lead
    assert "so far 20" in shown(dispatcher, answer).notes[0]
    assert "Em um backtest de 35 dias" in shown(dispatcher, answer, "pt-BR").lead


async def test_what_was_not_scored_yet_is_not_in_the_first_line(dispatcher: Dispatcher) -> None:
    answer = with_headline(await found(dispatcher), n=0, ratio=None, coverage_80=None, reliability=())
    whole = {**answer.overall, "24": replace(answer.overall["24"], n=0, ratio=None, coverage_80=None, reliability=())}
    lead = shown(dispatcher, replace(answer, overall=whole)).lead
    assert lead.startswith("In the last 30 days, forecasts of the price in 1 h were no better than “no change”")


async def test_a_forecast_of_a_price_that_never_moved_can_be_off(dispatcher: Dispatcher) -> None:
    answer = await found(dispatcher, "accuracy L40S")
    assert "were as good as “no change”, since no price moved" in shown(dispatcher, answer).lead
    off = replace(answer, series=tuple(replace(row, mae=0.02) for row in answer.series))
    assert "were further off than “no change”, since no price moved" in shown(dispatcher, off).lead
    assert "ficaram mais longe que “sem mudança”" in shown(dispatcher, off, "pt-BR").lead


async def test_of_many_series_both_ends_are_shown_and_the_rest_is_counted(dispatcher: Dispatcher) -> None:
    answer = await found(dispatcher)
    one = next(row for row in answer.series if row.horizon_hours == 6)
    many = [replace(one, gpu=f"GPU {n:02}", ratio=0.8 + n / 100) for n in range(30)]
    lucky, still = replace(one, gpu="lucky", ratio=0.1, n=3), replace(one, gpu="still", ratio=None)
    card = shown(dispatcher, replace(answer, series=(lucky, still, *reversed(many))))
    rows = [row[0] for row in card.tables[1].rows]
    assert rows == [f"GPU {n:02}" for n in (0, 1, 2, 3, 4, 25, 26, 27, 28, 29)]
    assert "series that are not shown here: 22" in card.notes
    few = shown(dispatcher, replace(answer, series=(lucky, still, *many[:3])))
    assert [row[0] for row in few.tables[1].rows] == ["GPU 00", "GPU 01", "GPU 02", "lucky", "still"]


async def test_the_diagram_is_said_against_met_and_its_table_has_each_point(dispatcher: Dispatcher) -> None:
    answer = await found(dispatcher)
    card = shown(dispatcher, answer)
    chart = card.charts[0]
    assert isinstance(chart, Lines)
    assert [line.label for line in chart.lines] == ["in 1 h", "in 6 h", "in 24 h", "as said"]
    for line, whole in zip(chart.lines, (answer.overall[h] for h in ("1", "6", "24")), strict=False):
        assert (line.xs, line.ys) == (
            tuple(one.said for one in whole.reliability),
            tuple(one.met for one in whole.reliability),
        )
    assert chart.lines[-1].xs == chart.lines[-1].ys == (0.0, 1.0)
    text = plain(card)
    for whole in answer.overall.values():
        assert all(f"{100 * one.met:.0f}% ({one.n:,})" in text for one in whole.reliability)
    for language in ("en", "pt-BR"):
        drawn = page_of(chart, language)
        assert faults(drawn) == []
        assert [one.text for one in written(drawn)].count("100%") == 2, "both axes are of shares"
    axes = drawn.drawing.axes[0]
    assert axes.get_xlim() == axes.get_ylim() == (0, 1)
    drawn_lines = [line for line in axes.lines if len(line.get_xdata()) > 1]
    signs = [(line.get_marker(), line.get_linestyle()) for line in drawn_lines]
    assert len(set(signs)) == len(signs) == 4
    assert PALETTES["light"].faint == drawn_lines[-1].get_color()


async def test_without_confidences_there_is_neither_diagram_nor_table(dispatcher: Dispatcher) -> None:
    answer = await found(dispatcher)
    bare = {hours: replace(whole, reliability=()) for hours, whole in answer.overall.items()}
    card = shown(dispatcher, replace(answer, overall=bare, experts={}, windows=None, advice=None))
    assert card.charts == ()
    assert [table.caption for table in card.tables] == [
        "All models, by hours ahead",
        "Series, the best against “no change” first; how often something beyond the last value was served",
    ]


async def test_a_handful_of_cases_draws_no_point_but_stays_in_the_table(dispatcher: Dispatcher) -> None:
    answer = await found(dispatcher)
    first = answer.overall["6"].reliability[0]
    few = replace(first, said=0.99, met=0.0, n=5)
    whole = replace(answer.overall["6"], reliability=(*answer.overall["6"].reliability, few))
    card = shown(dispatcher, replace(answer, overall={"6": whole}))
    assert 0.99 not in card.charts[0].lines[0].xs
    assert len(card.charts[0].lines[0].xs) == len(whole.reliability) - 1
    assert "0% (5)" in plain(card)
    alone = replace(whole, reliability=(few,))
    assert shown(dispatcher, replace(answer, overall={"6": alone})).charts == ()
