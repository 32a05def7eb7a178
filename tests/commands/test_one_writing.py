"""One way of writing: money, percentages and numbers on every card, no raw key, no empty column, no model unseen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from analytics.evidence import Note, Percent, Usd
from bot.accounts import Asker
from bot.commands import COMMANDS
from bot.commands.monitor import MOVING, card
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.reply import reply
from bot.presentation.card import Card, Column, Table
from bot.presentation.text import without_empty_columns
from bot.presentation.words import LOCALES, Words

ASKED = [example for command in COMMANDS if command.path and command.shared for example in command.examples]
MORE = (
    "llm 13B max_price=0.1", "llm 70B inference", "cost 70B 1GB full", "fleet training 400 reliability=high",
    "fleet inference 10 high", "availability RTX 4090 gpus=8", "savings RTX 3090 2000h", "monitor limit=2",
)  # fmt: skip

MONEY = {
    "en": re.compile(r"\$(\d{1,3}(,\d{3})*\.\d{2}|\d\.\d{3}|\d{1,3}(,\d{3})*)(?![\d]|[.,]\d)"),
    "pt-BR": re.compile(r"\$(\d{1,3}(\.\d{3})*,\d{2}|\d,\d{3}|\d{1,3}(\.\d{3})*)(?![\d]|[.,]\d)"),
}
"""Two decimals, or three below ten dollars, or whole dollars; thousands apart."""

PERCENT = {"en": re.compile(r"\d,\d{1,2}%| %|\{"), "pt-BR": re.compile(r"\d\.\d{1,2}%| %|\{")}
"""What no percentage looks like."""

RAW = re.compile(r"\b[a-z]+(?:_[a-z0-9]+)+\b(?!=)")
"""A key of the JSON, or of the program: only what a person types after it with ``=`` is one."""


def texts(shown: Card) -> Iterator[str]:
    """Everything that is to be read on a card."""
    yield from (shown.title, shown.lead, *shown.notes, shown.footer, *(spark.label for spark in shown.sparks))
    yield from (action.label for action in shown.actions)
    yield from (chart.alt for chart in shown.charts)
    for table in shown.tables:
        yield from (table.caption, *(column.title for column in table.columns))
        yield from (cell for row in table.rows for cell in row)


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("line", [*ASKED, *MORE])
async def test_figures_are_written_alike_and_keys_are_not_shown(
    dispatcher: Dispatcher, line: str, language: str
) -> None:
    person = Asker("slack", "T1", "U1", role="member")
    for asked in (line, f"why {line}"):
        got = await reply(dispatcher, person, asked, default=language)
        for text in texts(got.card):
            amounts = re.sub(r"\$[/ ]|\$$", "", text)
            for at in (match.start() for match in re.finditer(r"\$", amounts)):
                assert MONEY[language].match(amounts, at), text
            assert not PERCENT[language].search(text), text
            assert not RAW.search(text.replace("America/Sao_Paulo", "")), text
            # a cell of digits alone is the number of a machine or an offer
            assert text.isdigit() or not re.search(r"(?<![\d.,/-])\d{5,}(?![\d/-])", text), text
        for table in got.card.tables:
            for i, column in enumerate(table.columns[1:], 1):
                assert any(row[i] != "–" for row in table.rows), column.title


@pytest.mark.parametrize(
    ("value", "english", "portuguese"),
    [
        (Usd(0.4), "$0.400", "$0,400"),
        (Usd(1234.5), "$1,234.50", "$1.234,50"),
        (Usd(2.5, 2), "$2.50", "$2,50"),
        (Percent(12.34), "12%", "12%"),
        (Percent(1234.56, 1), "1,234.6%", "1.234,6%"),
        (1234.5, "1,234.5", "1.234,5"),
        (12345, "12,345", "12.345"),
        (1.0, "1", "1"),
    ],
)
def test_json_and_faces_write_a_value_alike(value: object, english: str, portuguese: str) -> None:
    note = Note("{value}", {"value": value})
    assert str(note) == Words("en", 0)(note) == english
    assert Words("pt-BR", 0)(note) == portuguese


async def test_why_the_data_are_old_comes_first_and_what_is_usual_last(dispatcher: Dispatcher) -> None:
    for line in ASKED:
        caveats = (await dispatcher.ask_line(line))[1].evidence.caveats
        assert [note.usual for note in caveats] == sorted(note.usual for note in caveats), line


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
async def test_the_headline_of_monitor_names_a_model_of_its_table(dispatcher: Dispatcher, limit: int) -> None:
    _, answer = await dispatcher.ask_line("monitor scope=all")
    calm = [trend for trend in answer.price_trends if trend.trend not in MOVING]
    moving = [trend for trend in answer.price_trends if trend.trend in MOVING]
    assert calm
    assert moving
    answer = replace(answer, price_trends=(*calm, *moving), limit=limit)
    shown = card(answer, Words("en", dispatcher.clock()))
    names = {row[0] for row in shown.tables[0].rows}
    assert len(names) == limit
    assert f"{len(moving) - sum(t.trend == 'decreasing' for t in moving)} rising" in shown.lead
    assert not [trend.gpu_name for trend in moving if trend.gpu_name in shown.lead and trend.gpu_name not in names]


def test_a_column_that_says_nothing_is_left_out_but_never_the_first() -> None:
    columns = (Column("a"), Column("b", "right"), Column("c"))
    table = Table("t", columns, (("–", "–", "1"), ("–", "–", "–")))
    [left] = without_empty_columns(Card("t", "l", (table,))).tables
    assert left.columns == (columns[0], columns[2])
    assert left.rows == (("–", "1"), ("–", "–"))
    empty = Table("t", columns, ())
    assert without_empty_columns(Card("t", "l", (empty,))).tables == (empty,)
