from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.quantities import read_decimal
from bot.presentation.words import Words

WORDS = {False: Words("en", 0), True: Words("pt-BR", 0)}


@pytest.mark.parametrize(
    ("text", "english", "portuguese"),
    [
        ("0.35", "0.35", "0.35"),
        ("0,35", "0.35", "0.35"),
        (".35", "0.35", "0.35"),
        ("12", "12", "12"),
        ("1,500", "1500", "1.5"),
        ("1.500", "1.5", "1500"),
        ("0.500", "0.5", "0.5"),
        ("1,234,567.8", "1234567.8", "1234567.8"),
        ("1.234.567,8", "1234567.8", "1234567.8"),
        ("12.345", "12.345", "12345"),
        ("1234.5", "1234.5", "1234.5"),
        *(
            (bad, None, None)
            for bad in ("", ".", ",", "1.", "1,5,0", "1.5.0", "1,23.4", "1.2,3.4", "01,500.0", "1 500")
        ),
        *((bad, None, None) for bad in ("-1", "1e3", "٣", "१,५००", "1٬500", "½", "²", "nan", "inf", "1_000", "0x1")),
    ],
)
def test_a_number_is_read_in_the_readers_language(text: str, english: str | None, portuguese: str | None) -> None:
    wanted = [None if value is None else Decimal(value) for value in (english, portuguese)]
    assert [read_decimal(text, decimal_comma=comma) for comma in (False, True)] == wanted


@given(st.integers(0, 10**9), st.integers(0, 4), st.booleans())
def test_a_printed_number_reads_back_as_itself(whole: int, digits: int, comma: bool) -> None:
    value = Decimal(whole).scaleb(-digits)
    printed = WORDS[comma].number(float(value), digits)
    assert read_decimal(printed, decimal_comma=comma) == value, printed
    assert read_decimal(WORDS[comma].number(float(value)), decimal_comma=comma) == value


@given(st.text("0123456789.,", max_size=12) | st.text(max_size=8), st.booleans())
def test_what_is_read_is_what_is_written(text: str, comma: bool) -> None:
    value = read_decimal(text, decimal_comma=comma)
    if value is None:
        return
    written = text.strip()
    assert value in {_meant(written, *ways) for ways in ((",", "."), (".", ","))}
    own = _meant(written, *((".", ",") if comma else (",", ".")))
    assert own is None or value == own


def _meant(text: str, group: str, decimal: str) -> Decimal | None:
    """The value if it is written so, by another way of looking: groups put back must give the same text."""
    whole, _, fraction = text.partition(decimal)
    digits = whole.replace(group, "")
    if not re.fullmatch("[0-9]*", digits) or not re.fullmatch("[0-9]*", fraction) or not digits + fraction:
        return None
    if whole not in (digits, f"{int(digits or 0):,}".replace(",", group)):
        return None
    return Decimal(f"{digits or 0}.{fraction or 0}")
