"""What an answer says of the age of its data."""

from __future__ import annotations

import pytest

from analytics.evidence import AHEAD_SECONDS, MISDATED, Basis, Note

NOW = 1_800_000_000
METHOD = Note("counted")


@pytest.mark.parametrize(
    ("as_of", "stale"),
    [
        (NOW, False),
        (NOW - 900, False),
        (NOW - 901, True),
        (NOW + AHEAD_SECONDS, False),
        (NOW + AHEAD_SECONDS + 1, True),
    ],
)
def test_data_are_stale_after_three_intervals_and_when_they_are_dated_ahead(as_of: int, stale: bool) -> None:
    evidence = Basis(NOW, as_of, 300, None, 0).evidence(METHOD)
    assert evidence.stale is stale
    assert (MISDATED in evidence.caveats) is (as_of > NOW + AHEAD_SECONDS)


def test_nothing_polled_is_stale_and_not_misdated() -> None:
    evidence = Basis(NOW, None, 300, None, 0).evidence(METHOD)
    assert (evidence.stale, evidence.caveats) == (True, ())
