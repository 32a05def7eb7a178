"""What an answer says of the age of its data."""

from __future__ import annotations

import pytest

from analytics.evidence import AHEAD_SECONDS, CAUSES, Basis, Freshness, Note

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
    assert (CAUSES[Freshness.MISDATED] in evidence.caveats) is (as_of > NOW + AHEAD_SECONDS)


def test_nothing_polled_is_stale_and_not_misdated() -> None:
    evidence = Basis(NOW, None, 300, None, 0).evidence(METHOD)
    assert (evidence.stale, evidence.caveats) == (True, ())


@pytest.mark.parametrize(
    ("basis", "freshness"),
    [
        (Basis(NOW, NOW - 900, 300, None, 0, failing=True, spent_until=NOW + 60), Freshness.FRESH),
        (Basis(NOW, NOW - 901, 300, None, 0), Freshness.LATE),
        (Basis(NOW, NOW - 901, 300, None, 0, failing=True), Freshness.MARKET_DOWN),
        (Basis(NOW, NOW - 901, 300, None, 0, failing=True, spent_until=NOW + 60), Freshness.QUOTA_SPENT),
        (Basis(NOW, NOW - 901, 300, None, 0, spent_until=NOW), Freshness.LATE),
        (Basis(NOW, NOW + 301, 300, None, 0), Freshness.MISDATED),
        (Basis(NOW, None, 300, None, 0, failing=True), Freshness.NEVER_POLLED),
    ],
)
def test_why_data_are_old_is_told_apart(basis: Basis, freshness: Freshness) -> None:
    assert basis.freshness is freshness
    assert basis.stale is (freshness is not Freshness.FRESH)
    told = [str(note) for note in basis.evidence(METHOD).caveats]
    assert len(told) == (freshness in (Freshness.MARKET_DOWN, Freshness.QUOTA_SPENT, Freshness.MISDATED))


def test_a_spent_quota_says_when_polling_goes_on() -> None:
    midnight = NOW // 86_400 * 86_400 + 86_400
    [note] = Basis(NOW, NOW - 9_000, 300, None, 0, spent_until=midnight).evidence(METHOD).caveats
    assert "00:00 UTC" in str(note)
