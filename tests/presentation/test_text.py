"""Cards as text, and their pages."""

from __future__ import annotations

from bot.presentation.card import Card, Column, Table
from bot.presentation.text import monospaced, page, pages, plain

TABLE = Table("Prices", (Column("GPU"), Column("$/h", "right")), (("RTX 4090", "$0.35"), ("H100", "$12.00")))


def _long(rows: int) -> Card:
    return Card("t", "l", (Table("c", (Column("n"),), tuple((str(n),) for n in range(rows))), TABLE))


def test_columns_are_aligned() -> None:
    assert monospaced(TABLE).splitlines() == ["GPU          $/h", "RTX 4090   $0.35", "H100      $12.00"]


def test_every_row_is_on_exactly_one_page() -> None:
    for rows in (0, 1, 12, 13, 24, 25):
        card = _long(rows)
        shown = [row[0] for n in range(pages(card)) for table in page(card, n).tables[:1] for row in table.rows]
        if rows > 12:
            assert [text for text in shown if text.isdigit()] == [str(n) for n in range(rows)]
        assert pages(card) == max(1, -(-rows // 12))


def test_a_page_without_rows_of_a_table_leaves_the_table_out() -> None:
    assert [table.caption for table in page(_long(30), 2).tables] == ["c"]


def test_the_text_twin_holds_everything() -> None:
    text = plain(Card("Title", "Lead", (TABLE,), notes=("a note",), footer="3 offers"))
    for part in ("Title", "Lead", "Prices", "$12.00", "• a note", "3 offers"):
        assert part in text
