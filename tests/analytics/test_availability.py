"""What is free where."""

from __future__ import annotations

import json

from hypothesis import given

from analytics import regions
from analytics.answers.availability import Availability, availability
from analytics.evidence import Basis, to_json
from analytics.market import Offer
from tests.analytics.test_prices import books
from tests.fakes.markets import offer

NOW = 1_800_000_000
BASIS = Basis(NOW, NOW - 60, 300, NOW - 86_400 * 40, 9)


def look(book: list[Offer], **more: object) -> Availability:
    return availability("RTX 4090", book, BASIS, **more)  # type: ignore[arg-type]


def spread(region: str, n: int, bid: int, first: int) -> list[Offer]:
    place = {"US-East": "New York, US", "EU-West": "Paris, FR", "EU-North": "Stockholm, SE"}[region]
    return [offer(first + i, bid, region=region, geolocation=place) for i in range(n)]


BOOK = [*spread("US-East", 5, 400_000, 0), *spread("EU-West", 3, 350_000, 10), *spread("EU-North", 2, 200_000, 20)]


def test_regions_are_counted_most_first_and_add_up() -> None:
    found = look(BOOK)
    assert [(row.region, row.available_count) for row in found.regions] == [
        ("US-East", 5),
        ("EU-West", 3),
        ("EU-North", 2),
    ]
    assert (found.total_available, found.regions[1].avg_price, found.regions[1].countries) == (10, 0.35, {"FR": 3})


def test_the_best_region_is_the_cheapest_with_enough_machines() -> None:
    assert look(BOOK).best_region == "EU-West"
    thin = look(BOOK[-2:])
    assert thin.best_region is None
    assert "the cheapest median is EU-North at $0.2" in str(thin.evidence.caveats[0])


def test_only_machines_with_enough_gpus_count() -> None:
    box = [offer(50, 300_000, num_gpus=n, gpu_ids=tuple(range(i, i + n))) for n in (1, 2, 4) for i in range(0, 4, n)]
    found = look([*BOOK, *box], at_least=2)
    assert (found.total_available, found.gpus_per_machine, found.regions[0].offers) == (4, 2, 2)
    assert look([*BOOK, *box], at_least=5).total_available == 0
    assert look(box).total_available == 4


def test_changes_are_against_yesterday_and_a_region_that_emptied_is_shown() -> None:
    found = look(BOOK, yesterday={"US-East": 7, "Asia-East": 4})
    changes = {row.region: (row.available_count, row.change_vs_yesterday) for row in found.regions}
    assert changes == {"US-East": (5, -2), "EU-West": (3, 3), "EU-North": (2, 2), "Asia-East": (0, -4)}
    assert {row.change_vs_yesterday for row in look(BOOK).regions} == {None}
    assert {row.change_vs_yesterday for row in look(BOOK, yesterday={}, at_least=1).regions} == {5, 3, 2}


def test_changes_are_unknown_for_larger_machines() -> None:
    box = [offer(50, 300_000, num_gpus=4, gpu_ids=(0, 1, 2, 3))]
    [row] = look(box, yesterday={"EU-North": 9}, at_least=4).regions
    assert row.change_vs_yesterday is None


def test_latency_is_an_estimate_from_home_and_null_without_one() -> None:
    home = look(BOOK, home="Paris, FR")
    by_region = {row.region: row.latency_ms for row in home.regions}
    assert by_region == {region: regions.latency_ms("Paris, FR", region) for region in by_region}
    assert by_region["EU-West"] < by_region["US-East"]  # type: ignore[operator]
    assert {row.latency_ms for row in look(BOOK).regions} == {None}
    nowhere = look(BOOK, home="Atlantis")
    assert {row.latency_ms for row in nowhere.regions} == {None}
    assert any("not a place known" in str(note) for note in nowhere.evidence.caveats)


def test_an_empty_market_is_an_answer() -> None:
    found = look([])
    assert (found.total_available, found.regions, found.best_region) == (0, (), None)


@given(books())
def test_totals_add_up_over_regions_and_countries(book: list[Offer]) -> None:
    found = look(book)
    assert found.total_available == sum(row.available_count for row in found.regions)
    for row in found.regions:
        assert sum(row.countries.values()) == row.available_count
    best = next((row for row in found.regions if row.region == found.best_region), None)
    assert best is None or all(
        best.avg_price <= row.avg_price for row in found.regions if row.machines >= 3 and row.avg_price is not None
    )
    assert look(book, at_least=2).total_available <= found.total_available
    json.loads(to_json(found))
