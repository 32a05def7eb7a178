"""Numbers and quantities are read as their writer meant them, or not at all."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import units
from analytics.quantities import (
    ENGLISH,
    PLAIN,
    PORTUGUESE,
    NumberFormat,
    plain_quantity,
    quantity,
    read_decimal,
    rewritten,
    write_decimal,
)
from analytics.units import DOLLARS, Units, foreign_currency
from bot.presentation.words import NUMBERS, Words

FORMATS = (ENGLISH, PORTUGUESE, PLAIN)
any_format = st.sampled_from(FORMATS)
language = st.sampled_from(sorted(NUMBERS))


@pytest.mark.parametrize(
    ("text", "english", "portuguese", "plain"),
    [
        ("0.35", "0.35", "0.35", "0.35"),
        ("0,35", None, "0.35", None),
        ("99,90", None, "99.9", None),
        (".35", "0.35", "0.35", None),
        (",35", None, "0.35", None),
        ("12", "12", "12", "12"),
        ("007", "7", "7", None),
        ("0", "0", "0", "0"),
        ("1,500", "1500", "1.5", None),
        ("1.500", "1.5", "1500", "1.5"),
        ("0.500", "0.5", "0.5", "0.5"),
        ("12.345", "12.345", "12345", "12.345"),
        ("1234.5", "1234.5", "1234.5", "1234.5"),
        ("1234.567", "1234.567", "1234.567", "1234.567"),
        ("1,234,567.8", "1234567.8", None, None),
        ("1.234.567,8", None, "1234567.8", None),
        ("1,234.56", "1234.56", None, None),
        ("1.234,56", None, "1234.56", None),
        *(
            (bad, None, None, None)
            for bad in (
                "",
                ".",
                ",",
                "1.",
                "1,5,0",
                "1.5.0",
                "1,2,3",
                "1.2.3",
                "1,23.4",
                "1.2,3.4",
                "01,500.0",
                "1 500",
            )
        ),
        *(
            (bad, None, None, None)
            for bad in ("-1", "1e3", "٣", "१,५००", "1٬500", "½", "²", "nan", "inf", "1_5", "0x1")
        ),
    ],
)
def test_a_number_is_read_as_its_language_writes_it(
    text: str, english: str | None, portuguese: str | None, plain: str | None
) -> None:
    wanted = [None if value is None else Decimal(value) for value in (english, portuguese, plain)]
    assert [read_decimal(text, written) for written in FORMATS] == wanted


@given(st.integers(0, 10**9), st.integers(0, 4), language)
def test_a_printed_number_reads_back_as_itself(whole: int, digits: int, tag: str) -> None:
    value = Decimal(whole).scaleb(-digits)
    printed = Words(tag, 0).number(float(value), digits)
    assert read_decimal(printed, NUMBERS[tag]) == value, printed
    assert read_decimal(Words(tag, 0).number(float(value)), NUMBERS[tag]) == value


@given(st.text("0123456789.,", max_size=12) | st.text(max_size=8), any_format)
def test_what_is_read_is_what_is_written(text: str, written: NumberFormat) -> None:
    value = read_decimal(text, written)
    if value is None:
        return
    own = _meant(text.strip(), written.group or "_", written.decimal)
    assert value == (_meant(text.strip(), "_", ".") if own is None else own)


def _meant(text: str, group: str, decimal: str) -> Decimal | None:
    """The value if it is written so, by another way of looking: groups put back must give the same text."""
    whole, _, fraction = text.partition(decimal)
    digits = whole.replace(group, "")
    if not re.fullmatch("[0-9]*", digits) or not re.fullmatch("[0-9]*", fraction) or not digits + fraction:
        return None
    if whole not in (digits, f"{int(digits or 0):,}".replace(",", group)):
        return None
    return Decimal(f"{digits or 0}.{fraction or 0}")


@given(st.integers(0, 10**12), st.integers(0, 9), any_format)
def test_what_we_write_for_everybody_is_the_same_number_to_everybody(
    whole: int, digits: int, written: NumberFormat
) -> None:
    value = Decimal(whole).scaleb(-digits)
    assert read_decimal(write_decimal(value), written) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.125, "1.1250"), (0.125, "0.125"), (1500.0, "1500"), (99.9, "99.9"), (1e21, "1000000000000000000000")],
)
def test_three_digits_behind_the_point_are_not_left_to_look_like_a_group(value: float, text: str) -> None:
    assert write_decimal(value) == text


@pytest.mark.parametrize(
    ("text", "written", "options"),
    [
        ("1,5", ENGLISH, ("1.5",)),
        ("12,50", ENGLISH, ("12.5",)),
        ("1,234.56", PORTUGUESE, ("1234,56",)),
        ("1,500", PLAIN, ("1500", "1.5")),
        ("1.500,5", PLAIN, ("1500.5",)),
        ("1,2,3", ENGLISH, ()),
        ("1_5", PLAIN, ()),
    ],
)
def test_a_refused_number_is_offered_as_it_should_be_written(
    text: str, written: NumberFormat, options: tuple[str, ...]
) -> None:
    assert rewritten(text, written) == options


@pytest.mark.parametrize(
    ("text", "known", "value"),
    [
        ("100 h", units.HOURS, 100.0),
        ("90 min", units.HOURS, 1.5),
        ("3 days", units.HOURS, 72.0),
        ("2 semanas", units.HOURS, 336.0),
        ("30 days", units.DAYS, 30.0),
        ("48h", units.DAYS, 2.0),
        ("50 GB", units.GIGABYTES, 50.0),
        ("1.5 TB", units.GIGABYTES, 1500.0),
        ("400 USD", units.USD_PER_MONTH, 400.0),
        ("US$ 400", units.USD_PER_MONTH, 400.0),
        ("$ 400", units.USD_PER_MONTH, 400.0),
        ("400$", units.USD_PER_MONTH, 400.0),
        ("USD 400", units.USD_PER_MONTH, 400.0),
        ("400 dollars a month", units.USD_PER_MONTH, 400.0),
        ("$400/mês", units.USD_PER_MONTH, 400.0),
        ("-$3.20", units.USD_PER_HOUR, -3.2),
        ("$0.35/h", units.USD_PER_HOUR, 0.35),
        ("0.35 USD / GPU-h", units.USD_PER_HOUR, 0.35),
        ("8x", units.GPUS, 8.0),
        ("2.5 %", units.PERCENT, 2.5),
        ("1e9", units.NO_UNITS, 1e9),
        ("$500/h", units.USD_PER_MONTH, None),
        ("$300 a month", units.USD_PER_HOUR, None),
        ("5 bananas", units.GIGABYTES, None),
        ("--5", units.NO_UNITS, None),
        ("$$5", units.USD_PER_HOUR, None),
        ("1e999", units.NO_UNITS, None),
        ("h", units.HOURS, None),
        ("", units.HOURS, None),
    ],
)
def test_a_quantity_is_a_number_and_its_unit(text: str, known: Units, value: float | None) -> None:
    before = DOLLARS if known in (units.USD_PER_HOUR, units.USD_PER_MONTH) else ()
    assert quantity(text, known, ENGLISH, before) == pytest.approx(value)


@given(st.floats(0, 1e9), language, st.sampled_from(["money", "hours", "percent", "gigabytes", "number"]))
def test_each_quantity_that_an_answer_prints_is_read_back_as_the_same(value: float, tag: str, kind: str) -> None:
    words, written = Words(tag, 0), NUMBERS[tag]
    printed, known, before, shown = {
        "money": (words.money(value), units.USD_PER_HOUR, DOLLARS, round(value, 3 if value < 10 else 2)),
        "hours": (words.hours(value), units.HOURS, (), _as_hours(value)),
        "percent": (words.percent(value, signed=True), units.PERCENT, (), round(value, 1)),
        "gigabytes": (f"{words.number(value, 1)} GB", units.GIGABYTES, (), round(value, 1)),
        "number": (words.number(value), units.NO_UNITS, (), round(value, 4 if value >= 1e-4 else 10)),
    }[kind]
    assert quantity(printed, known, written, before) == pytest.approx(shown), printed
    for other in NUMBERS.values():
        assert quantity(plain_quantity(printed, known, written, before), known, other, before) == pytest.approx(shown)


def _as_hours(value: float) -> float:
    """What is left of hours in the unit they are printed in."""
    if value < 1:
        return round(value * 60) / 60
    return round(value, 1) if value < 72 else round(value / 24, 1) * 24


@pytest.mark.parametrize(
    ("text", "written", "plain"),
    [
        ("1.500 h", PORTUGUESE, "1500 h"),
        ("$99,90", PORTUGUESE, "$99.9"),
        ("1,500h", ENGLISH, "1500h"),
        ("1.125h", ENGLISH, "1.1250h"),
        ("100h", ENGLISH, "100h"),
        ("1,5h", ENGLISH, "1,5h"),
        ("nonsense", ENGLISH, "nonsense"),
    ],
)
def test_a_quantity_is_rewritten_for_every_language(text: str, written: NumberFormat, plain: str) -> None:
    known = units.USD if text.startswith("$") else units.HOURS
    assert plain_quantity(text, known, written, DOLLARS) == plain


@given(st.text(max_size=20), any_format)
def test_no_text_makes_reading_crash(text: str, written: NumberFormat) -> None:
    value = quantity(text, units.USD_PER_HOUR, written, DOLLARS)
    assert value is None or abs(value) < float("inf")
    rewritten(text, written)


@given(st.floats(min_value=0, max_value=1e12, allow_nan=False))
def test_what_programs_write_is_read_without_a_language(value: float) -> None:
    assert quantity(repr(value), units.NO_UNITS, PLAIN) == value


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("€400", "EUR"),
        ("400 €", "EUR"),
        ("R$400", "BRL"),
        ("R$ 1.500,00", "BRL"),
        ("400 reais", "BRL"),
        ("GBP 400", "GBP"),
        ("< £0.30", "GBP"),
        ("$400", None),
        ("US$ 400", None),
        ("400 USD", None),
        ("400", None),
        ("eur", None),
        ("RTX 4090", None),
    ],
)
def test_a_foreign_currency_is_named(text: str, code: str | None) -> None:
    assert foreign_currency(text) == code
