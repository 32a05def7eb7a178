"""Percentages as they are written."""

from __future__ import annotations

import pytest

from bot.presentation.words import Words


@pytest.mark.parametrize(
    ("value", "english", "portuguese"),
    [
        (-18.0, "-18.0%", "-18,0%"),
        (21.04, "+21.0%", "+21,0%"),
        (0.06, "+0.1%", "+0,1%"),
        (0.04, "0.0%", "0,0%"),
        (0.0, "0.0%", "0,0%"),
        (-0.0, "0.0%", "0,0%"),
        (-0.04, "0.0%", "0,0%"),
    ],
)
def test_what_rounds_to_nothing_has_no_sign(value: float, english: str, portuguese: str) -> None:
    assert Words("en", 0).percent(value, signed=True) == english
    assert Words("pt-BR", 0).percent(value, signed=True) == portuguese
