"""Which offers an answer ends with, what they cost all-in, and when they are called old."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.answers.offers_now import AS_ASKED, LEAST_BID, NO_DEARER, Seen, Wanted, offers_now
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
