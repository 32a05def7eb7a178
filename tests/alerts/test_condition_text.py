"""What a form shows of a rule, read again, is the same condition: in both languages, for every kind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.quantities import ENGLISH, PORTUGUESE, NumberFormat
from bot.alerts.condition_text import condition_text
from bot.alerts.conditions import EXAMPLES, Condition, parse
from bot.alerts.rules import Kind
from bot.commands.alerts.options import rule_of
from tests.fakes.stored import NOW

AHEAD = ("risk >= 0.75% in 6h", "predicted <= 0.3 in 6h with 65.5%")


def again(condition: Condition, written: NumberFormat) -> Condition:
    return parse(condition_text(rule_of("RTX 4090", condition, NOW), written), written)


@pytest.mark.parametrize("written", [ENGLISH, PORTUGUESE])
@pytest.mark.parametrize(
    "text",
    [
        *EXAMPLES,
        "floor <= 0.3 in EU",
        "on-demand > 1",
        "crosses above 0.4",
        "new low 7d",
        *AHEAD,
        "offer <= 0.3",
        "offer < 1 reliability>=98.25% region=EU-North",
    ],
)
def test_each_example_is_written_as_it_is_read(text: str, written: NumberFormat) -> None:
    condition = parse(text)
    assert again(condition, written) == condition


def test_every_kind_that_can_be_typed_has_an_example_here() -> None:
    assert {parse(text).kind for text in EXAMPLES} == set(Kind)


@given(st.integers(1, 10**9), st.sampled_from(["<", "<=", ">", ">="]), st.sampled_from([ENGLISH, PORTUGUESE]))
def test_a_price_to_the_millionth_stays_the_same(micro: int, sign: str, written: NumberFormat) -> None:
    condition = parse(f"{sign} {micro / 10**6:.6f}")
    assert condition.threshold == micro
    assert again(condition, written) == condition


@given(st.integers(1, 999_999), st.sampled_from(["drops", "rises"]), st.integers(1, 9999), st.sampled_from("hd"))
def test_a_change_to_the_ten_thousandth_of_a_percent_stays_the_same(ppm: int, way: str, n: int, unit: str) -> None:
    condition = parse(f"{way} {ppm / 10**4:.4f}% in {n}{unit}")
    assert again(condition, ENGLISH) == condition
