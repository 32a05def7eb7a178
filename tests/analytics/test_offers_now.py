"""Which offers an answer ends with, what they cost all-in, and when they are called old."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.answers.offers_now import AS_ASKED, LEAST_BID, NO_DEARER, Seen, Wanted, offers_now
from analytics.evidence import plain
from analytics.market import WORLD, Offer, Scope, usd
from analytics.prices import quotes

AT, STEP = 1_790_000_000, 300
PAIR = Offer(
    "RTX 4090", 7, 2, 600_000, 200_000, gpu_ids=(0, 1), region="EU-North", geolocation="Sweden, SE", reliability=0.98,
    offer_id=70, end_date=AT + 9000, storage_cost=144_000, disk_gb=100,
)  # fmt: skip
WANTED = Wanted("RTX 4090")


def seen(*offers: Offer, name: str = "RTX 4090") -> Seen:
    return Seen(name, AT, STEP, offers)


def test_an_offer_is_told_with_its_price_and_how_to_rent_it() -> None:
    (found,) = offers_now(seen(PAIR), WANTED, AT + 60)
    assert (found.machine_id, found.offer_id, found.num_gpus, found.region) == (7, 70, 2, "EU-North")
    assert (found.spot_price, found.price_per_hour, found.market, found.why) == (0.2, 0.4, "spot", LEAST_BID)
    assert found.all_in_per_hour == 0.41  # 0.144 USD x 50 GB / 720 h = 0.01
    assert (found.disk_gb, found.old, found.as_of) == (50, False, "2026-09-21T14:13:20Z")
    assert found.create_command == "vastai create instance 70 --image IMAGE --disk 50 --bid_price 0.4000"
    assert shlex.split(found.search_command)[3].startswith("gpu_name=RTX_4090 num_gpus=2 ")


@pytest.mark.parametrize(
    ("lacks", "wanted"),
    [
        ({"rentable": False}, WANTED),
        ({"verified": False}, WANTED),
        ({"min_bid": None}, WANTED),
        ({"min_bid": 0}, WANTED),
        ({"end_date": AT + 60}, WANTED),
        ({}, replace(WANTED, gpus=1)),
        ({}, replace(WANTED, at_least=3)),
        ({}, replace(WANTED, region="US-East")),
        ({"disk_gb": 99}, replace(WANTED, disk_gb=99.5)),
    ],
    ids=str,
)
def test_what_does_not_fit_is_never_proposed(lacks: dict[str, Any], wanted: Wanted) -> None:
    assert offers_now(seen(replace(PAIR, **lacks)), wanted, AT + 60) == ()


def test_what_is_not_known_is_not_told() -> None:
    bare = replace(PAIR, storage_cost=None, offer_id=None, reliability=None, end_date=None, geolocation=None)
    (found,) = offers_now(seen(bare), WANTED, AT)
    assert (found.all_in_per_hour, found.create_command, found.reliability, found.until) == (None,) * 4
    assert found.search_command


def test_the_disk_is_the_one_asked_for_else_what_there_is() -> None:
    def disks(offer: Offer, wanted: Wanted) -> tuple[int, bool]:
        (found,) = offers_now(seen(offer), wanted, AT)
        return found.disk_gb, f"--disk {found.disk_gb} " in f"{found.create_command} "

    assert disks(PAIR, replace(WANTED, disk_gb=64.2)) == (65, True)
    assert disks(replace(PAIR, disk_gb=None), replace(WANTED, disk_gb=64.2)) == (65, True)
    assert disks(replace(PAIR, disk_gb=20), WANTED) == (20, True)


@pytest.mark.parametrize("demand", [200_000, 150_000])
def test_where_on_demand_costs_no_more_nobody_is_told_to_bid(demand: int) -> None:
    (found,) = offers_now(seen(replace(PAIR, on_demand=demand)), WANTED, AT)
    assert (found.market, found.why, found.spot_price) == ("on-demand", NO_DEARER, 0.2)
    assert found.price_per_hour == 2 * demand / 1e6
    assert found.create_command == "vastai create instance 70 --image IMAGE --disk 50"
    assert " -t on-demand " in found.search_command


def test_a_line_of_a_fleet_on_demand_needs_no_bid() -> None:
    (found,) = offers_now(seen(replace(PAIR, min_bid=None)), replace(WANTED, on_demand=True), AT)
    assert (found.market, found.why, found.spot_price, found.price_per_hour) == ("on-demand", AS_ASKED, None, 1.2)


@pytest.mark.parametrize(
    ("age", "old"), [(0, False), (2 * STEP, False), (2 * STEP + 1, True), (-300, False), (-301, True)]
)
def test_offers_older_than_two_polls_are_marked(age: int, old: bool) -> None:
    (found,) = offers_now(seen(replace(PAIR, end_date=None)), WANTED, AT + age)
    assert found.old is old
    assert (found.create_command is None) is old  # its offer may be gone: search first
    assert found.search_command


def test_each_offer_is_searched_for_as_it_is() -> None:
    one = replace(PAIR, machine_id=8, num_gpus=1, gpu_ids=(0,), min_bid=250_000)
    four = replace(PAIR, machine_id=9, num_gpus=4, gpu_ids=(0, 1, 2, 3), min_bid=300_000, on_demand=300_000)
    found = offers_now(seen(PAIR, one, four), replace(WANTED, region="EU-North"), AT)
    told = [shlex.split(offer.search_command) for offer in found]
    assert [line[3].split()[1] for line in told] == ["num_gpus=2", "num_gpus=1", "num_gpus=4"]
    assert [line[5] for line in told] == ["bid", "bid", "on-demand"]
    assert all("geolocation in [" in line[3] for line in told)


@pytest.mark.parametrize(
    ("hours", "machines", "short"),
    [
        (None, [7, 8, 9], [None, None, None]),
        (2.5, [7, 8, 9], [None, None, None]),  # 9000 s: the end is no end before
        (3.0, [8, 9, 7], [None, None, 3.0]),
        (6.0, [9, 7, 8], [None, 6.0, 6.0]),
    ],
)
def test_what_ends_before_the_work_is_done_comes_last(
    hours: float | None, machines: list[int], short: list[float | None]
) -> None:
    longer = replace(PAIR, machine_id=8, min_bid=300_000, end_date=AT + 5 * 3600)
    open_ended = replace(PAIR, machine_id=9, min_bid=400_000, end_date=None)
    found = offers_now(seen(PAIR, longer, open_ended), replace(WANTED, hours=hours), AT)
    assert [one.machine_id for one in found] == machines
    assert [one.ends_before_hours for one in found] == short
    assert [("ends_before_hours" in plain(one)) for one in found] == [one is not None for one in short]


def test_of_each_machine_there_is_one_and_the_cheapest_come_first() -> None:
    others = [
        replace(PAIR, machine_id=n, min_bid=bid, gpu_ids=()) for n, bid in ((8, 190_000), (9, 250_000), (5, 400_000))
    ]
    twice = replace(PAIR, gpu_ids=(2, 3), min_bid=210_000)
    found = offers_now(seen(PAIR, twice, *others), WANTED, AT)
    assert [(one.machine_id, one.spot_price) for one in found] == [(8, 0.19), (7, 0.2), (9, 0.25)]


def test_a_size_in_a_name_of_ours_is_no_part_of_the_markets_name() -> None:
    big = replace(PAIR, model="A100 SXM4 80GB")
    for name in ("A100 SXM4", "A100 SXM4 80GB"):
        (found,) = offers_now(seen(big, name=name), Wanted("A100 SXM4 80GB"), AT)
        query = shlex.split(found.search_command)[3]
        assert query.startswith("gpu_name=A100_SXM4 num_gpus=2 ")
        assert "gpu_ram>=76.2 gpu_ram<=87.7" in query


SLICES = st.builds(
    Offer,
    model=st.just("RTX 4090"),
    machine_id=st.integers(1, 5),
    num_gpus=st.sampled_from((1, 2, 4)),
    on_demand=st.integers(0, 900_000),
    min_bid=st.none() | st.integers(0, 900_000),
    offer_id=st.integers(1, 99),
)


@given(st.lists(SLICES, max_size=12))
def test_the_first_costs_what_the_floor_is(book: list[Offer]) -> None:
    floor = quotes(book, AT)[WORLD, Scope.VERIFIED].floor
    priced = offers_now(seen(*book), WANTED, AT)
    assert (priced[0].spot_price if priced else None) == usd(floor)
    prices = [one.spot_price for one in priced]
    assert prices == sorted(prices)
    assert len({one.machine_id for one in priced}) == len(priced) <= 3
    for one in priced:
        query = shlex.split(one.search_command)
        assert f"num_gpus={one.num_gpus}" in query[3].split()
        assert query[5] == ("bid" if one.market == "spot" else "on-demand")
        assert ("--bid_price" in str(one.create_command)) is (one.market == "spot")


ENDING = st.builds(replace, SLICES, end_date=st.none() | st.integers(AT + 1, AT + 20 * 3600))


@given(st.lists(ENDING, max_size=12), st.floats(0, 24))
def test_of_those_that_last_the_cheapest_comes_first(book: list[Offer], hours: float) -> None:
    found = offers_now(seen(*book), replace(WANTED, hours=hours), AT)
    order = [(one.ends_before_hours is not None, one.spot_price) for one in found]
    assert order == sorted(order)
    assert len(found) == len(offers_now(seen(*book), WANTED, AT))
