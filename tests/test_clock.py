"""The steady clock against wall clocks that jump."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import BELIEVE_AFTER, TOLERANCE_SECONDS, SteadyClock, boot_seconds


class Hands:
    """A wall clock and a timer, both moved by hand."""

    def __init__(self, wall: float = 1_000_000.0) -> None:
        self.wall, self.timer = wall, 50.0

    def steady(self, floor: int = 0) -> SteadyClock:
        return SteadyClock(lambda: self.wall, lambda: self.timer, floor=floor)

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.timer += seconds


def test_it_tells_the_wall_clocks_time() -> None:
    hands = Hands()
    clock = hands.steady()
    hands.pass_(90)
    assert clock() == 1_000_090


def test_set_a_little_forward_it_follows_at_once() -> None:
    hands = Hands()
    clock = hands.steady()
    hands.wall += 59
    assert clock() == 1_000_059


def test_set_a_little_back_it_goes_on_slowly_and_meets_the_wall_clock_again() -> None:
    hands = Hands()
    clock = hands.steady()
    hands.wall -= 50
    hands.pass_(30)
    assert clock() == 1_000_020
    for _ in range(10):
        hands.pass_(30)
        clock()
    assert clock() == int(hands.wall)


@pytest.mark.parametrize("jump", [3600, 86_400, 400 * 86_400, -3600, -400 * 86_400])
def test_a_step_that_the_timer_does_not_confirm_is_not_believed_for_minutes(jump: int) -> None:
    hands = Hands()
    clock = hands.steady()
    hands.wall += jump
    for _ in range(12):
        hands.pass_(60)
        assert clock() == int(hands.wall) - jump
    hands.wall -= jump
    hands.pass_(10)
    assert clock() == int(hands.wall)


@pytest.mark.parametrize("jump", [7200, -7200])
def test_a_step_that_holds_is_believed_where_nobody_can_be_asked(jump: int) -> None:
    hands = Hands()
    clock = hands.steady()
    hands.wall += jump
    for _ in range(BELIEVE_AFTER // 60 + 1):
        hands.pass_(60)
        clock()
    assert clock() == int(hands.wall)


def test_a_step_that_changes_begins_anew() -> None:
    hands = Hands()
    clock = hands.steady()
    for n in range(40):
        hands.wall += 3600 if n % 10 == 0 else 0
        hands.pass_(60)
        assert clock() == int(1_000_000 + 60 * (n + 1))


def test_the_market_confirms_a_step_at_once() -> None:
    hands = Hands()
    clock = hands.steady()
    hands.wall += 7200
    assert not clock.witness(hands.wall + 2), "what was dated before is two hours old"
    assert clock() == int(hands.wall)
    assert clock.witness(hands.wall + 2)
    assert clock.confirmed


def test_a_step_that_the_market_contradicts_is_never_believed() -> None:
    hands = Hands()
    clock = hands.steady()
    hands.wall += 86_400
    for n in range(100):
        hands.pass_(60)
        assert clock() == int(hands.wall) - 86_400
        assert n % 10 or clock.witness(hands.wall - 86_400)


@pytest.mark.parametrize("wrong", [400 * 86_400, -86_400])
def test_a_start_under_a_wrong_clock_is_set_right_by_the_second_word_of_the_market(wrong: int) -> None:
    hands = Hands(1_800_000_000 + wrong)
    clock = hands.steady()
    assert not clock.witness(hands.wall - wrong)
    assert clock() == int(hands.wall), "one contradiction may be the market's mistake"
    hands.pass_(30)
    assert not clock.witness(hands.wall - wrong)
    for _ in range(50):
        hands.pass_(600)
        assert clock() == int(hands.wall) - wrong
        assert clock.witness(hands.wall - wrong)


def test_a_market_that_contradicts_itself_moves_nothing() -> None:
    hands = Hands(1_800_000_000)
    clock = hands.steady()
    for n in range(1, 9):
        hands.pass_(60)
        assert not clock.witness(1_800_000_000 + n * 100_000)
        assert clock() == int(hands.wall)


def test_a_moment_ahead_is_taken_from_what_is_stored_and_more_is_not() -> None:
    assert Hands().steady(floor=1_000_000 + TOLERANCE_SECONDS)() == 1_000_000 + TOLERANCE_SECONDS
    assert Hands().steady(floor=1_000_000 + TOLERANCE_SECONDS + 1)() == 1_000_000


def test_a_timer_that_counts_while_the_machine_sleeps_is_used_where_there_is_one() -> None:
    assert boot_seconds() <= boot_seconds()


@given(st.lists(st.tuples(st.floats(0, 440), st.integers(-1000, 1000)), max_size=30))
def test_however_often_the_wall_clock_is_set_time_passes_as_on_the_timer(moves: list[tuple[float, int]]) -> None:
    """Each time to something else, before the last step can be believed."""
    hands = Hands()
    clock = hands.steady()
    wrong = 0
    for seconds, step in moves:
        hands.timer += seconds
        wrong = 1000 * step if 1000 * step != wrong else 1000 * step + 500
        hands.wall = 1_000_000 + hands.timer - 50 + wrong
        assert abs(clock() - (1_000_000 + hands.timer - 50)) <= 1
