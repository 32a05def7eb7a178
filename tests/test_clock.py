"""The steady clock against wall clocks that jump."""

from hypothesis import given
from hypothesis import strategies as st

from bot.clock import SteadyClock


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


def test_set_forward_it_follows_at_once() -> None:
    hands = Hands()
    clock = hands.steady()
    hands.wall += 3600
    assert clock() == 1_003_600


def test_set_back_an_hour_it_goes_on_slowly_and_meets_the_wall_clock_again() -> None:
    hands = Hands()
    clock = hands.steady()
    hands.wall -= 3600
    hands.pass_(450)
    assert clock() == 1_000_300
    for _ in range(40):
        hands.pass_(300)
        clock()
    assert clock() == int(hands.wall)


def test_what_is_stored_never_lies_ahead_of_it() -> None:
    clock = Hands().steady(floor=1_000_500)
    assert clock() == 1_000_500
    clock.not_before(1_000_700)
    assert clock() == 1_000_700


@given(st.lists(st.tuples(st.floats(0, 10_000), st.floats(-100_000, 100_000)), max_size=30))
def test_whatever_happens_it_never_runs_back_nor_stands_still(moves: list[tuple[float, float]]) -> None:
    hands = Hands()
    clock = hands.steady()
    last = clock()
    for seconds, jump in moves:
        hands.pass_(seconds)
        hands.wall += jump
        now = clock()
        assert now >= last + int(seconds * 2 / 3) - 1
        last = now
