"""What is news: more than what prices do on most days."""

from __future__ import annotations

import random

import pytest

from analytics.answers.digest_news import BY_CHANCE, RARE, enough, is_news
from analytics.answers.digest_prices import Cheap, Judged, Moved, Priced, Span, judged

UNTIL = 500_000
DAY = Span(UNTIL - 24, UNTIL)


def moved(change: float) -> Moved:
    return Moved("A", 1.0, 1.0, change, -5.0, 5.0, 30, 30)


def cheap(*, new: bool) -> Cheap:
    return Cheap("A", 1.0, 2.0, 3.0, 720, 30, new)


@pytest.mark.parametrize(
    ("changes", "low", "fired", "news"),
    [
        ((), (), 0, False),
        ((), (), 1, True),
        ((6.0,), (), 0, False),  # one of twenty beyond its range is what chance does
        ((6.0, -6.0, 7.0), (), 0, False),
        ((6.0, -6.0, 7.0, 5.5), (), 0, True),
        ((10.0,), (), 0, True),  # twice the usual
        ((-10.0,), (), 0, True),
        ((), (False,) * 20, 0, False),  # cheap for days is no news
        ((), (True,) * 3, 0, False),
        ((), (True,) * 4, 0, True),
    ],
)
def test_news_of_twenty_models(changes: tuple[float, ...], low: tuple[bool, ...], fired: int, *, news: bool) -> None:
    prices = Judged(tuple(map(moved, changes)), tuple(cheap(new=new) for new in low), 20, 20, ())
    assert is_news(prices, fired) is news


def test_one_model_alone_is_news_when_it_moves_or_becomes_cheap() -> None:
    assert is_news(Judged((moved(6.0),), (), 1, 0, ()), 0)
    assert is_news(Judged((), (cheap(new=True),), 0, 1, ()), 0)
    assert not is_news(Judged((), (cheap(new=False),), 0, 1, ()), 0)


@pytest.mark.parametrize("models", [1, 2, 3, 5, 10, 20, 60])
def test_chance_alone_is_news_on_few_days(models: int) -> None:
    draw = random.Random(models)
    days = [sum(draw.random() < BY_CHANCE for _ in range(models)) for _ in range(4000)]
    assert sum(day >= enough(models) for day in days) / len(days) < RARE + 0.02
    assert enough(models) == 1 or sum(day >= enough(models) - 1 for day in days) / len(days) > RARE - 0.02


def test_a_price_becomes_cheap_once() -> None:
    hours = {UNTIL - ago: 100_000 + 1_000 * (ago % 5) for ago in range(1, 60 * 24)}
    fell_now = judged([Priced("A", 90_000, False, hours)], DAY)
    assert [one.new for one in fell_now.cheap] == [True]
    fell_before = {hour: 90_000 if hour > UNTIL - 40 else price for hour, price in hours.items()}
    assert [one.new for one in judged([Priced("A", 90_000, False, fell_before)], DAY).cheap] == [False]
    young = {hour: price for hour, price in hours.items() if hour > UNTIL - 21 * 24}
    assert [one.new for one in judged([Priced("A", 90_000, False, young)], DAY).cheap] == [True]
    too_young = {hour: price for hour, price in hours.items() if hour > UNTIL - 20 * 24}
    assert [one.new for one in judged([Priced("A", 90_000, False, too_young)], DAY).cheap] == [False]
