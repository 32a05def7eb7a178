"""Quotes of a poll, points of an hour, the band of changes, and the monitor."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.errors import NotYet
from analytics.evidence import Basis, to_json
from analytics.market import HOUR, WORLD, ChangeBand, HourPoint, Offer, Quote, Scope
from analytics.prices import (
    BAND_MIN_HOURS,
    DAY_HOURS,
    Listing,
    PriceTrend,
    change_band,
    hour_point,
    monitor,
    quantile,
    quotes,
)
from tests.fakes.markets import offer

AT = 1_800_000_000 // HOUR * HOUR + 1200
NOW_HOUR = AT // HOUR
VERIFIED, ALL = (WORLD, Scope.VERIFIED), (WORLD, Scope.ALL)


def hour(at: int, price: int | None) -> HourPoint:
    return HourPoint(at, price, price, price, price, price, 3, 3, 12)


def series(prices: dict[int, int | None]) -> list[HourPoint]:
    return [hour(at, price) for at, price in sorted(prices.items())]


@st.composite
def books(draw: st.DrawFn) -> list[Offer]:
    """Machines with their GPUs sold whole, in halves or one by one, or without naming them."""
    book: list[Offer] = []
    for machine in range(draw(st.integers(0, 12))):
        size = draw(st.sampled_from([1, 2, 4, 8]))
        named = draw(st.booleans())
        common = {
            "verified": draw(st.booleans()),
            "region": draw(st.sampled_from(["US-East", "EU-West", "Asia-East"])),
        }
        for cut in draw(st.sets(st.sampled_from([1, 2, 4, 8]), min_size=1)):
            for first in range(0, size - cut + 1, cut):
                ids = tuple(range(first, first + cut)) if named else ()
                bid = draw(st.none() | st.integers(10_000, 900_000))
                rentable = draw(st.booleans())
                book.append(offer(machine, bid, num_gpus=cut, gpu_ids=ids, rentable=rentable, **common))  # type: ignore[arg-type]
    return book


def test_current_price_is_the_median_weighted_by_gpus() -> None:
    book = [
        offer(1, 200_000),
        offer(2, 300_000),
        offer(3, 400_000, num_gpus=4, gpu_ids=(1, 2, 3, 4), on_demand=800_000),
    ]
    quote = quotes(book, AT)[VERIFIED]
    assert (quote.price, quote.floor, quote.p10, quote.p90) == (400_000, 200_000, 200_000, 400_000)
    assert (quote.offers, quote.gpus, quote.machines, quote.on_demand) == (3, 6, 3, 800_000)


def test_an_eight_gpu_box_counts_once_however_it_is_cut() -> None:
    ids = tuple(range(8))
    cuts = [offer(1, 500_000, num_gpus=n, gpu_ids=ids[i : i + n]) for n in (1, 2, 4, 8) for i in range(0, 8, n)]
    quote = quotes(cuts, AT)[VERIFIED]
    assert (quote.offers, quote.gpus, quote.machines) == (8, 8, 1)


def test_gpus_are_counted_by_name_where_slices_overlap_or_are_small() -> None:
    pairs = [offer(1, 500_000, num_gpus=2, gpu_ids=ids) for ids in ((0, 1), (1, 2))]
    singles = [offer(2, 500_000, gpu_ids=(gpu,)) for gpu in range(8)]
    assert quotes([*pairs, *singles], AT)[VERIFIED].gpus == 3 + 8


def test_gpus_without_names_are_those_of_the_largest_slice() -> None:
    book = [offer(1, 500_000, num_gpus=n, gpu_ids=()) for n in (1, 2, 4)]
    quote = quotes(book, AT)[VERIFIED]
    assert (quote.offers, quote.gpus) == (1, 4)


def test_a_slice_without_a_bid_counts_for_everything_but_the_spot_price() -> None:
    quote = quotes([offer(1, None), offer(2, 100_000)], AT)[VERIFIED]  # type: ignore[arg-type]
    assert (quote.price, quote.offers, quote.on_demand) == (100_000, 2, 400_000)
    bare = quotes([offer(1, None)], AT)[VERIFIED]  # type: ignore[arg-type]
    assert (bare.price, bare.floor, bare.p10, bare.on_demand) == (None, None, None, 400_000)


def test_unverified_and_rented_slices_stay_out() -> None:
    book = [offer(1, 100_000, verified=False), offer(2, 300_000), offer(3, 1_000, rentable=False)]
    found = quotes(book, AT)
    assert (found[VERIFIED].price, found[VERIFIED].offers) == (300_000, 1)
    assert (found[ALL].floor, found[ALL].offers) == (100_000, 2)
    assert found["EU-North", Scope.VERIFIED] == found[VERIFIED]


def test_an_empty_market_is_quoted_as_empty() -> None:
    found = quotes([], AT)
    assert set(found) == {VERIFIED, ALL}
    assert found[VERIFIED] == Quote(AT, None, None, None, None, None, 0, 0, 0)


@given(books())
def test_quotes_are_ordered_and_regions_add_up(book: list[Offer]) -> None:
    found = quotes(book, AT)
    for quote in found.values():
        if quote.price is not None:
            assert quote.floor <= quote.p10 <= quote.price <= quote.p90
        assert quote.machines <= quote.offers
        assert quote.machines <= quote.gpus
    regional = [quote for (region, _), quote in found.items() if region != WORLD]
    world = found[VERIFIED]
    for name in ("offers", "gpus", "machines"):
        assert sum(getattr(quote, name) for quote in regional) == getattr(world, name) <= getattr(found[ALL], name)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 9)), min_size=1), st.sampled_from([0.1, 0.5, 0.9]))
def test_a_weighted_quantile_is_that_of_the_repeated_values(pairs: list[tuple[int, int]], q: float) -> None:
    flat = sorted(value for value, weight in pairs for _ in range(weight))
    rank = round(q * 10) * len(flat)
    expected = flat[math.ceil(rank / 10) - 1]
    if rank % 10 == 0:
        expected = (expected + flat[min(rank // 10, len(flat) - 1)]) // 2
    assert quantile(sorted(pairs), q) == expected


def at(second: int, price: int | None, gpus: int = 1) -> Quote:
    return Quote(NOW_HOUR * HOUR + second, price, price, price, price, price, gpus, gpus, gpus)


def test_an_hour_is_the_median_over_time_not_over_polls() -> None:
    polls = [at(0, 100), at(60, 500), at(120, 500), at(180, 100)]
    point = hour_point(NOW_HOUR, polls)
    assert (point.hour, point.price, point.polls) == (NOW_HOUR, 100, 4)


def test_an_hour_in_which_nothing_was_priced_has_no_price_but_its_polls() -> None:
    point = hour_point(NOW_HOUR, [at(0, None, 0), at(600, None, 4)])
    assert (point.price, point.gpus, point.polls) == (None, 4, 2)
    assert hour_point(NOW_HOUR, []).polls == 0


@given(st.lists(st.tuples(st.integers(0, 3599), st.none() | st.integers(1, 900)), min_size=1, max_size=20))
def test_an_hours_price_lies_within_its_polls(polls: list[tuple[int, int | None]]) -> None:
    point = hour_point(NOW_HOUR, [at(second, price) for second, price in sorted(polls, key=lambda poll: poll[0])])
    prices = [price for _, price in polls if price is not None]
    assert (point.price is None) == (not prices)
    assert not prices or min(prices) <= point.price <= max(prices)


def test_a_flat_price_has_a_band_of_nothing() -> None:
    band = change_band(series(dict.fromkeys(range(300), 400_000)))
    assert band == ChangeBand(0.0, 0.0, 300 - DAY_HOURS)


def test_the_band_is_the_middle_of_the_changes() -> None:
    prices: dict[int, int | None] = dict.fromkeys(range(24 * 60), 400000)
    prices |= dict.fromkeys(range(24 * 45, 24 * 60, 24), 440000)
    band = change_band(series(prices))
    assert band is not None
    assert band.n == 24 * 30
    assert -0.01 < band.low < 0 <= band.high < 0.01
    often = change_band(series({h: 400_000 if h % 4 else 480_000 for h in range(24 * 60)}))
    assert often is not None
    assert often.high == pytest.approx(480 / 420 - 1)


def test_too_few_changes_give_no_band() -> None:
    hours = series(dict.fromkeys(range(BAND_MIN_HOURS + DAY_HOURS), 400_000))
    assert change_band(hours) is not None
    assert change_band(hours[:-1]) is None
    assert change_band([]) is None


def test_an_hour_long_ago_does_not_stand_for_a_whole_day() -> None:
    sparse = series(dict.fromkeys(range(0, 24 * 60, 20), 400000))
    assert change_band(sparse) is None
    polled_every_six = series(dict.fromkeys(range(0, 24 * 60, 6), 400000))
    assert change_band(polled_every_six) == ChangeBand(0.0, 0.0, 120)


BASIS = Basis(AT + 60, AT, 300, AT - 90 * 86_400, 3)
BAND = ChangeBand(-0.05, 0.05, 700)
DAY = series(dict.fromkeys(range(NOW_HOUR - 24, NOW_HOUR), 400_000))


def listing(price: int | None = 400_000, **more: object) -> Listing:
    quote = Quote(AT, price, price, price, price, 500_000, 3, 5, 2)
    values: dict[str, object] = {
        "model": "RTX 4090",
        "quote": quote,
        "hours": DAY,
        "band": BAND,
        "first_hour": NOW_HOUR - 2000,
        "stale": False,
    }
    return Listing(**{**values, **more})  # type: ignore[arg-type]


def look(*listings: Listing, **more: object):
    return monitor(listings, BASIS, scope=Scope.VERIFIED, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("price", "trend"),
    [(400_000, "stable"), (419_000, "stable"), (421_000, "increasing"), (381_000, "stable"), (379_000, "decreasing")],
)
def test_a_trend_is_a_change_outside_the_models_own_band(price: int, trend: str) -> None:
    [found] = look(listing(price)).price_trends
    assert (found.trend, found.why) == (trend, None)
    assert found.change_percent == pytest.approx((price / 400_000 - 1) * 100, abs=0.01)


def usual(found: PriceTrend) -> tuple[float | None, float | None]:
    return found.usual_low_percent, found.usual_high_percent


def test_a_trend_stands_beside_the_changes_that_are_usual_for_its_model() -> None:
    [found] = look(listing(337_200, band=ChangeBand(-0.18, 0.21, 700))).price_trends
    assert (found.trend, found.change_percent, usual(found)) == ("stable", -15.7, (-18.0, 21.0))
    [bare] = look(listing(337_200, band=None)).price_trends
    assert (bare.trend, bare.change_percent, usual(bare)) == (None, -15.7, (None, None))


def test_a_band_on_one_side_of_zero_makes_no_fall_of_a_rise() -> None:
    [found] = look(listing(404_000, band=ChangeBand(0.02, 0.05, 700))).price_trends
    assert (found.trend, usual(found)) == ("stable", (0.0, 5.0))
    [found] = look(listing(396_000, band=ChangeBand(-0.05, -0.02, 700))).price_trends
    assert (found.trend, usual(found)) == ("stable", (-5.0, 0.0))


@given(st.integers(100_000, 900_000), st.floats(-0.9, 2.0), st.floats(-0.9, 2.0))
def test_stable_is_what_lies_within_the_usual_changes_shown(price: int, one: float, other: float) -> None:
    [found] = look(listing(price, band=ChangeBand(min(one, other), max(one, other), 700))).price_trends
    low, high = usual(found)
    rounding = 0.01
    if found.trend == "stable":
        assert low - rounding <= found.change_percent <= high + rounding
    else:
        assert found.change_percent >= high - rounding or found.change_percent <= low + rounding


@pytest.mark.parametrize(("price", "span"), [(300_000, (0.3, 0.4)), (400_000, (0.4, 0.4)), (500_000, (0.4, 0.5))])
def test_the_price_now_belongs_to_its_day(price: int, span: tuple[float, float]) -> None:
    [found] = look(listing(price)).price_trends
    assert (found.min_price_24h, found.max_price_24h) == span
    assert found.avg_price_24h == 0.4


@pytest.mark.parametrize(
    ("more", "missing"),
    [
        ({"band": None}, {"trend"}),
        ({"first_hour": NOW_HOUR - 23}, {"trend", "avg_price_24h", "min_price_24h", "max_price_24h", "change_percent"}),
        ({"hours": DAY[:5]}, {"trend", "avg_price_24h", "min_price_24h", "max_price_24h", "change_percent"}),
    ],
)
def test_what_the_data_do_not_carry_is_null_and_says_why(more: dict[str, object], missing: set[str]) -> None:
    [found] = look(listing(**more)).price_trends
    keys = ("current_price", "avg_price_24h", "min_price_24h", "max_price_24h", "trend", "change_percent")
    assert {key for key in keys if getattr(found, key) is None} == missing
    assert found.why is not None


def test_a_model_with_nothing_on_offer_or_never_polled_is_still_listed() -> None:
    found = look(listing(None), listing(quote=None, model="H200", hours=()), listing(model="A100"))
    assert found.total_gpus_tracked == 3
    assert [trend.gpu_name for trend in found.price_trends] == ["A100", "RTX 4090", "H200"]
    assert [trend.current_price for trend in found.price_trends] == [0.4, None, None]
    assert found.price_trends[1].avg_price_24h == 0.4
    assert found.price_trends[2].as_of is None
    assert all(trend.why for trend in found.price_trends[1:])


def test_gaps_are_counted_from_the_first_poll_on_and_not_filled() -> None:
    [whole] = look(listing()).price_trends
    [holed] = look(listing(hours=DAY[:10] + DAY[14:])).price_trends
    [young] = look(listing(hours=DAY[-3:], first_hour=NOW_HOUR - 3)).price_trends
    assert (whole.gaps_24h, holed.gaps_24h, young.gaps_24h) == (0, 4, 0)
    assert (young.history_hours, holed.avg_price_24h) == (3, 0.4)


def test_the_first_of_24_hours_may_be_a_gap() -> None:
    [found] = look(listing(hours=DAY[1:])).price_trends
    assert (found.avg_price_24h, found.gaps_24h) == (0.4, 1)


def test_the_limit_cuts_the_list_but_not_the_count() -> None:
    found = look(listing(), listing(model="H200"), limit=1)
    assert (found.total_gpus_tracked, len(found.price_trends)) == (2, 1)


def test_nothing_polled_is_no_answer() -> None:
    with pytest.raises(NotYet):
        look(listing(quote=None))
    with pytest.raises(NotYet):
        look()


@given(
    st.dictionaries(st.integers(NOW_HOUR - 24, NOW_HOUR - 1), st.none() | st.integers(100_000, 9_000_000)),
    st.none() | st.integers(100_000, 9_000_000),
)
def test_the_figures_of_a_day_agree(prices: dict[int, int | None], now: int | None) -> None:
    [found] = look(listing(now, hours=series(prices))).price_trends
    if found.avg_price_24h is not None:
        assert found.min_price_24h <= found.avg_price_24h + 1e-9
        assert found.avg_price_24h <= found.max_price_24h + 1e-9
        if now is not None:
            assert found.min_price_24h <= found.current_price <= found.max_price_24h
            exact = 100 * (now / 1e6 / found.avg_price_24h - 1)
            assert found.change_percent == pytest.approx(exact, rel=2e-3, abs=0.1)
    else:
        assert found.trend is None
    to_json(look(listing(now, hours=series(prices))))


def test_scope_is_said() -> None:
    everyone = monitor([listing()], BASIS, scope=Scope.ALL)
    assert "all hosts" in str(everyone.evidence.method)
    assert "verified hosts" in str(look(replace(listing())).evidence.method)


def test_models_whose_spot_price_saves_nothing_are_named() -> None:
    quote = listing().quote
    assert quote is not None
    cheap = listing(quote=replace(quote, on_demand=quote.price + 1_000))  # type: ignore[operator]
    dear = listing(model="H200", quote=replace(quote, on_demand=quote.price - 1_000))  # type: ignore[operator]
    bare = listing(model="L4", quote=replace(quote, on_demand=None))
    told = "on demand costs no more than spot now, and is not interrupted: H200 ($0.399 against $0.400)"
    assert told in map(str, look(cheap, dear, bare).evidence.caveats)
    assert not any("costs no more" in str(note) for note in look(cheap, bare).evidence.caveats)
