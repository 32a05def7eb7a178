"""What a poll says is believed when it can be true of its model, or when it goes on saying it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from analytics.market import DAY, HOUR, Offer, Poll, Quality
from analytics.poll_quality import History, Reading, judge
from analytics.prices import quotes
from tests.fakes.markets import offer, poll

T0 = 1_800_000_000 // HOUR * HOUR
STEP = 300
COMPLETE, SUSPECT = Quality.COMPLETE, Quality.SUSPECT


def book(n: int, bid: int = 300_000, **more: object) -> list[Offer]:
    return [offer(machine, bid + machine, **more) for machine in range(1, n + 1)]


def read(one: Poll) -> Reading:
    return Reading.of(one.at, len(one.offers), quotes(one.offers, one.at))


def judged(polls: Iterable[Poll], *, history: History | None = None) -> tuple[list[Poll], History]:
    """The polls of one model, judged one after the other, and the history after them."""
    told, history = [], history or History()
    for one in polls:
        [verdict] = judge([one], {one.model: history}, {one.model: read(one)})
        after = history.with_complete(read(one), one.offers)
        history = after if verdict.quality is COMPLETE else history.with_suspect(read(one))
        told.append(verdict)
    return told, history


def every(books: Iterable[Sequence[Offer]], since: int = T0, step: int = STEP) -> list[Poll]:
    return [poll(since + n * step, *offers, every=step) for n, offers in enumerate(books)]


def after(*books: Sequence[Offer], usual: Sequence[Offer], step: int = STEP) -> list[Quality]:
    """Qualities of polls that follow on six polls of the usual book."""
    told, _ = judged(every([usual] * 6 + list(books), step=step))
    assert {one.quality for one in told[:6]} <= {COMPLETE}
    return [one.quality for one in told[6:]]


FALSE = {
    "sold out": [],
    "four of ten are too few": book(3),
    "taken": book(10, rentable=False),
    "other machines": [replace(one, machine_id=one.machine_id + 500) for one in book(10)],
    "other GPUs": [replace(one, gpu_ids=()) for one in book(10)],
    "dear": [replace(one, min_bid=1000 * (one.min_bid or 0)) for one in book(10)],
    "cheap": [replace(one, min_bid=(one.min_bid or 0) // 10) for one in book(10)],
    "dear on demand": [replace(one, on_demand=10 * one.on_demand) for one in book(10)],
    "no bids": [replace(one, min_bid=None) for one in book(10)],
    "most bids gone": [replace(one, min_bid=None) if n < 6 else one for n, one in enumerate(book(10))],
    "unverified": book(10, verified=False),
}


@pytest.mark.parametrize("fault", FALSE)
def test_what_cannot_be_true_is_suspect_and_the_next_poll_is_not(fault: str) -> None:
    assert after(FALSE[fault], book(10), FALSE[fault], FALSE[fault], book(10), usual=book(10)) == [
        SUSPECT, COMPLETE, SUSPECT, SUSPECT, COMPLETE,
    ]  # fmt: skip


@pytest.mark.parametrize("fault", FALSE)
def test_a_doubt_says_why(fault: str) -> None:
    told, _ = judged(every([book(10)] * 6 + [FALSE[fault]]))
    assert told[-1].note


TRUE = {
    "halved": [replace(one, min_bid=(one.min_bid or 0) // 2, on_demand=one.on_demand // 2) for one in book(10)],
    "doubled": [replace(one, min_bid=2 * (one.min_bid or 0)) for one in book(10)],
    "40 % leave": book(6),
    "three repriced out of reach": [offer(n, 300_000 * (50 if n % 3 == 0 else 1)) for n in range(1, 11)],
    "more": book(20),
    "some unverified": [replace(one, verified=one.machine_id > 3) for one in book(10)],
}


@pytest.mark.parametrize("move", TRUE)
def test_what_a_market_does_is_complete_at_once(move: str) -> None:
    assert after(TRUE[move], TRUE[move], book(10), usual=book(10)) == [COMPLETE] * 3


def test_one_false_answer_of_several_is_suspect_for_half_an_hour() -> None:
    dear = [offer(n, 300_000 * (1000 if n % 5 == 0 else 1)) for n in range(1, 41)]
    assert after(*[dear] * 8, usual=book(40)) == [SUSPECT] * 6 + [COMPLETE] * 2


def test_the_cheapest_of_a_small_book_may_be_taken() -> None:
    rest = [offer(2, 1_500_000), offer(3, 2_000_000)]
    assert after(rest, rest, usual=[offer(1, 100_000), *rest]) == [COMPLETE, COMPLETE]


def test_one_host_may_ask_five_times_as_much() -> None:
    assert after([offer(1, 1_500_000)], usual=[offer(1)]) == [COMPLETE]
    assert after([offer(1, 300_000_000)], usual=[offer(1)]) == [SUSPECT]


def test_a_market_that_stays_sold_out_is_so_after_half_an_hour() -> None:
    assert after(*[[]] * 8, usual=book(10)) == [SUSPECT] * 6 + [COMPLETE] * 2
    assert after(*[book(2)] * 8, usual=book(10)) == [SUSPECT] * 6 + [COMPLETE] * 2
    assert after(*[[]] * 5, usual=book(10), step=HOUR) == [SUSPECT] * 3 + [COMPLETE] * 2


def test_polls_that_contradict_each_other_are_not_believed() -> None:
    dear = [replace(one, min_bid=1000 * (one.min_bid or 0)) for one in book(10)]
    assert after(*[[], dear] * 20, usual=book(10)) == [SUSPECT] * 40


def test_new_prices_of_everything_take_a_day_to_be_believed() -> None:
    dear = [replace(one, min_bid=1000 * (one.min_bid or 0)) for one in book(10)]
    told = after(*[dear] * (DAY // STEP + 3), usual=book(10))
    assert told == [SUSPECT] * (DAY // STEP) + [COMPLETE] * 3


def test_a_model_that_began_with_false_prices_is_put_right_by_the_second_true_poll() -> None:
    dear = [replace(one, min_bid=1000 * (one.min_bid or 0)) for one in book(10)]
    told, _ = judged(every([dear, *[book(10)] * 8]))
    assert [one.quality for one in told] == [COMPLETE, SUSPECT] + [COMPLETE] * 7


def test_a_small_book_that_empties_needs_a_second_poll() -> None:
    assert after([], [], [], book(4), usual=book(4)) == [SUSPECT, COMPLETE, COMPLETE, COMPLETE]
    assert after([], book(4), [], usual=book(4)) == [SUSPECT, COMPLETE, SUSPECT]


def test_small_books_are_judged_by_their_round() -> None:
    names = ("A", "B", "C")
    before = {name: judged([poll(T0, *book(2), model=name)])[1] for name in names}
    large = {"L": judged([poll(T0, *book(10), model="L")])[1]}

    def told(*polls: Poll) -> list[Quality]:
        return [one.quality for one in judge(polls, before | large, {one.model: read(one) for one in polls})]

    at = T0 + STEP
    assert told(*(poll(at, model=name) for name in names)) == [SUSPECT] * 3
    assert told(poll(at, model="A"), poll(at, *book(10), model="L")) == [COMPLETE] * 2
    assert told(poll(at, model="A")) == [SUSPECT]


def test_offers_that_appear_for_one_poll_and_go_are_not_all_interruptions() -> None:
    assert after(book(100), book(10), usual=book(10)) == [COMPLETE, SUSPECT]


def test_the_first_polls_of_a_model_have_nothing_to_be_judged_by() -> None:
    assert judged([poll(T0)])[0][0].quality is COMPLETE


def test_slices_that_moved_on_while_nobody_looked_are_no_fault() -> None:
    told, history = judged(every([book(10)] * 6))
    others = [replace(one, machine_id=one.machine_id + 500) for one in book(10)]
    late = poll(told[-1].at + 4 * STEP, *others)
    assert judged([late], history=history)[0][0].quality is COMPLETE
