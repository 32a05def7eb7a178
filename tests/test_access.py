from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.access import Quotas, bearer
from bot.store.api_keys import new_secret


@dataclass(frozen=True)
class Someone:
    id: int = 1
    per_minute: int = 120
    scopes: tuple[str, ...] = ("read",)


@dataclass
class Timer:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_key_is_found_whatever_the_case_of_its_scheme(scheme):
    secret = new_secret()
    assert bearer([f"{scheme} {secret}"]) == secret
    assert bearer([f"{scheme}   {secret}  "]) == secret


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [""],
        ["Bearer"],
        ["Bearer "],
        ["Basic c3BvdDpzcG90"],
        ["spot_without_a_scheme"],
        ["Bearer spot_a spot_b"],
        ["Bearer spot_schlüssel"],
        ["Bearer spot_\x00"],
        ["Bearer spot_a\r\nX-Admin: yes"],
        ["Bearer " + "x" * 10_000],
        ["Bearer spot_a", "Bearer spot_a"],
    ],
)
def test_anything_but_one_well_formed_key_is_no_key(headers):
    assert bearer(headers) is None


@given(st.lists(st.text(), max_size=3))
def test_no_header_breaks_the_search_for_a_key(headers):
    found = bearer(headers)
    assert found is None or (found.isascii() and found in headers[0])


def test_a_bucket_empties_refuses_and_fills_again():
    timer = Timer()
    quotas = Quotas(timer)
    left = [quotas.take(Someone(per_minute=3)) for _ in range(4)]
    assert [taken.remaining for taken in left] == [2, 1, 0, 0]
    assert [taken.wait for taken in left] == [0, 0, 0, 20]
    timer.now = 19.9
    assert quotas.take(Someone(per_minute=3)).wait == 1
    timer.now = 20.0
    assert quotas.take(Someone(per_minute=3)).wait == 0
    timer.now = 20.0 + 60
    assert quotas.take(Someone(per_minute=3)).remaining == 2


def test_each_key_has_its_own_bucket():
    quotas = Quotas(Timer())
    one, other = Someone(1, per_minute=1), Someone(2, per_minute=1)
    assert quotas.take(one).wait == 0
    assert quotas.take(one).wait > 0
    assert quotas.take(other).wait == 0


def test_the_headers_tell_limit_rest_and_reset_and_when_to_come_back():
    quotas = Quotas(Timer())
    first, second = quotas.take(Someone(per_minute=1)), quotas.take(Someone(per_minute=1))
    assert first.headers == {"RateLimit-Limit": "1", "RateLimit-Remaining": "0", "RateLimit-Reset": "60"}
    assert second.headers == {**first.headers, "Retry-After": "60"}


@given(st.integers(1, 1000), st.lists(st.floats(0, 30), min_size=1, max_size=200))
@example(2, [2.0050517320767822, 0.0, 0.0])  # 30 s later there were 0.9999999999999999 of a request
def test_never_more_than_the_bucket_and_what_flowed_in_is_given_and_waiting_as_told_helps(per_minute, pauses):
    timer = Timer()
    quotas, holder, granted = Quotas(timer), Someone(per_minute=per_minute), 0
    for pause in pauses:
        timer.now += pause
        taken = quotas.take(holder)
        granted += not taken.wait
        assert 0 <= taken.remaining <= per_minute - (not taken.wait)
        assert granted <= per_minute + timer.now * per_minute / 60 + 1e-6
    timer.now += taken.wait
    assert quotas.take(holder).wait == 0 or taken.wait == 0
