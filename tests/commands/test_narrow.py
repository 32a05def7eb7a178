"""Every command's card on narrow terminals: tables give way, figures do not."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.console.face import show
from bot.presentation.card import Card, Column, Table
from bot.presentation.words import LOCALES, Words

EXAMPLES = [example for command in COMMANDS if command.path and command.shared for example in command.examples]
WIDTHS = (120, 80, 60, 40, 24)


def _printed(card: Card, width: int) -> str:
    out = io.StringIO()
    show(card, Console(file=out, width=width))
    return out.getvalue()


def _whole(text: str, printed: str) -> bool:
    return re.search(rf"(?<!\S){re.escape(text)}(?!\S)", printed) is not None


def _check(card: Card, width: int) -> None:
    printed = _printed(card, width)
    for table in card.tables:
        for row in table.rows:
            for cell, column in zip(row, table.columns, strict=True):
                assert column.align == "left" or _whole(cell, printed), f"{cell!r} is torn apart:\n{printed}"
                assert all(_whole(word, printed) for word in cell.split()), f"{cell!r} is cut:\n{printed}"
    assert "…" not in printed
    lines = printed.splitlines()
    assert set(card.commands) <= set(lines), "a command is torn apart, and cannot be copied"
    assert max(len(line) for line in lines if line not in card.commands) <= width


@pytest.mark.parametrize("example", EXAMPLES)
async def test_no_figure_is_cut_however_narrow_the_terminal(dispatcher: Dispatcher, example: str) -> None:
    command, answer = await dispatcher.ask_line(example)
    for language in LOCALES:
        for width in WIDTHS:
            _check(command.card(answer, Words(language, dispatcher.clock())), width)


def test_a_table_that_fits_no_way_becomes_a_list() -> None:
    columns = (Column("GPU"), *(Column(f"price of {n}", "right") for n in range(9)))
    rows = (("RTX 4090", *(f"${n}.123–${n}.456" for n in range(9))), ("L40S", *("–" for n in range(9))))
    card = Card("t", "l", (Table("Prices", columns, rows),))
    _check(card, 40)
    lines = [line.rstrip() for line in _printed(card, 40).splitlines()]
    assert lines[lines.index("RTX 4090") + 1] == "  price of 0: $0.123–$0.456"
