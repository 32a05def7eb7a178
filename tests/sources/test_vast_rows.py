from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.market import Offer
from bot.sources.vast_rows import BadPage, CollectedOffers, clean, number, read_rows, to_offer, whole
from tests.fakes.vast import offer_row

INT64 = 2**63 - 1


def offer(**changes: Any) -> Offer:
    made = to_offer(offer_row(**changes))
    assert isinstance(made, Offer), made
    return made


def test_a_row_becomes_an_offer_in_micro_dollars_per_gpu() -> None:
    row = offer_row(num_gpus=4, gpu_ids=[9, 7, 8, 6], dph_base=1.2, min_bid=0.8, geolocation="Texas, US")
    assert to_offer(row) == Offer(
        model="RTX 4090",
        machine_id=1000,
        num_gpus=4,
        on_demand=300_000,
        min_bid=200_000,
        rentable=True,
        verified=True,
        gpu_ids=(6, 7, 8, 9),
        geolocation="Texas, US",
        region=offer(geolocation="Texas, US").region,
        reliability=0.99,
        host_id=500,
        offer_id=21_000_000,
        gpu_ram_mb=24564,
        end_date=1_800_000_000,
        datacenter=False,
        storage_cost=150_000,
        egress_cost=2_000,
        disk_gb=512,
    )
    assert [offer(disk_space=said).disk_gb for said in ("80.7", None, -1, "much", 1e30)] == [80, None, None, None, None]
    assert offer().region not in ("", "Unknown")


def test_memory_tells_models_of_one_name_apart() -> None:
    models = {offer(gpu_name="A100 SXM4", gpu_ram=ram).model for ram in (40960, 81920, 81559)}
    assert models == {"A100 SXM4 40GB", "A100 SXM4 80GB"}


def test_an_unlisted_gpu_keeps_its_raw_name() -> None:
    assert offer(gpu_name="Imaginary RTX 9999").model == "Imaginary RTX 9999"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"machine_id": None}, "machine_id"),
        ({"machine_id": math.nan}, "machine_id"),
        ({"machine_id": 1.5}, "machine_id"),
        ({"machine_id": 10**400}, "machine_id"),
        ({"machine_id": True}, "machine_id"),
        ({"num_gpus": 0}, "num_gpus"),
        ({"num_gpus": "many"}, "num_gpus"),
        ({"gpu_name": None}, "gpu_name"),
        ({"gpu_name": "\u202e\x00"}, "gpu_name"),
        ({"gpu_name": "x" * 10_000}, "gpu_name"),
        ({"dph_base": None}, "dph_base"),
        ({"dph_base": 0}, "dph_base"),
        ({"dph_base": -0.3}, "dph_base"),
        ({"dph_base": math.inf}, "dph_base"),
        ({"dph_base": 1e308}, "dph_base"),
        ({"dph_base": 1e-9}, "dph_base"),
        ({"dph_base": [0.3]}, "dph_base"),
    ],
)
def test_a_row_without_an_essential_field_is_dropped_by_its_name(change: dict[str, Any], reason: str) -> None:
    assert to_offer(offer_row(**change)) == reason


@pytest.mark.parametrize("row", [None, 3, "row", [offer_row()]])
def test_what_is_not_a_row_is_dropped(row: Any) -> None:
    assert to_offer(row) == "not an object"


@pytest.mark.parametrize("none", [None, 0, 0.0, "0"])
def test_a_slice_without_a_bid_is_kept_without_one(none: Any) -> None:
    assert offer(min_bid=none).min_bid is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("min_bid", value) for value in (math.nan, -1, "free", 1e308, {}, False)),
        *(("rentable", value) for value in ("maybe", 2, [], "")),
        *(("verification", value) for value in ("perhaps", "", 1, [])),
    ],
)
def test_a_row_is_unknown_when_a_field_that_decides_cannot_be_read(field: str, value: Any) -> None:
    assert to_offer(offer_row(**{field: value})) == field
    found = collected(offer_row(**{field: value}), offer_row(1))
    assert (found.dropped, found.unknown) == ({field: 1}, {1000})


def test_one_false_answer_of_several_is_doubtful() -> None:
    found = collected(*(offer_row(n) for n in range(100)))
    assert found.add([offer_row(n, rentable=False) for n in range(100, 120)])
    assert found.doubt() == "20 of 20 rows are not rentable, and only rentable ones were asked for"


def test_an_answer_of_rows_that_were_not_asked_for_is_doubtful() -> None:
    rows = [offer_row(n, rentable=n > 2) for n in range(9)]
    assert collected(*rows).doubt() == ""
    rows[3]["rentable"] = False
    assert collected(*rows).doubt() == "4 of 9 rows are not rentable, and only rentable ones were asked for"


def test_a_bid_above_the_on_demand_price_is_kept() -> None:
    assert offer(min_bid=0.5).min_bid == 500_000


def test_numbers_written_as_text_are_numbers() -> None:
    keys = ("machine_id", "num_gpus", "dph_base", "min_bid", "gpu_ram", "end_date", "reliability2", "host_id")
    assert offer(**{key: str(offer_row()[key]) for key in keys}) == offer()


def test_unknown_and_missing_fields_do_not_matter() -> None:
    essential = {key: offer_row()[key] for key in ("machine_id", "num_gpus", "gpu_name", "dph_base")}
    bare = to_offer({**essential, "new_in_2027": {"nested": [1, None]}})
    assert isinstance(bare, Offer)
    assert (bare.min_bid, bare.region, bare.verified, bare.rentable, bare.gpu_ids) == (None, "Unknown", False, True, ())


def test_a_place_of_no_country_is_unknown() -> None:
    assert offer(geolocation=None).region == "Unknown"
    assert offer(geolocation="\x00\u202e").geolocation is None


@pytest.mark.parametrize(
    ("change", "verified"),
    [
        ({"verification": "verified"}, True),
        ({"verification": "unverified", "verified": True}, False),
        ({"verification": "deverified"}, False),
        ({"verification": None, "verified": True}, True),
        ({"verification": None, "verified": None}, False),
    ],
)
def test_verified_is_what_verification_says(change: dict[str, Any], verified: bool) -> None:
    assert offer(**change).verified is verified


@pytest.mark.parametrize("value", [False, "false", 0])
def test_a_taken_slice_is_not_rentable(value: Any) -> None:
    assert offer(rentable=value).rentable is False


@pytest.mark.parametrize("ids", [None, "7", [1, None], [1.5], [1, 2, 3], ["x"]])
def test_unreadable_gpu_ids_are_none(ids: Any) -> None:
    assert offer(num_gpus=2, gpu_ids=ids).gpu_ids == ()


def test_names_lose_what_cannot_be_seen() -> None:
    assert offer(gpu_name="RTX\t\u202e 40\u200b90\x00\ud800").model == "RTX 4090"
    assert len(clean("ab" * 10_000, cut=True)) <= 80


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (b'{"offers": []}', 0),
        (b'{"success": true, "offers": [{}, 3]}', 2),
        (b'{"offers": {"machine_id": 1}}', 1),
        (b'{"offers": [{"dph_base": NaN, "min_bid": Infinity}]}', 1),
        (b'\xef\xbb\xbf{"offers": [{}]}', 1),
    ],
)
def test_a_page_is_read(body: bytes, count: int) -> None:
    assert len(read_rows(body)) == count


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!DOCTYPE html><title>Just a moment...</title>",
        b'{"offers": [{"machine_id": 1}, {"mach',
        b"[]",
        b'{"success": true}',
        b'{"offers": null}',
        b'{"offers": "none"}',
        b'{"success": false, "offers": []}',
        b"[" * 1_000_000,
        b'{"offers": ' + b"[" * 100_000,
        b'{"offers": [' + b"9" * 10_000 + b"]}",
        b'{"offers": ["\xff\xfe"]}',
    ],
)
def test_a_bad_page_is_never_an_empty_market(body: bytes) -> None:
    with pytest.raises(BadPage):
        read_rows(body)


def collected(*rows: Any) -> CollectedOffers:
    made = CollectedOffers("RTX 4090")
    made.add(rows)
    return made


def test_twins_on_one_page_are_one_slice_at_the_lower_price() -> None:
    twins = offer_row(dph_base=0.4), offer_row(dph_base=0.3, id=5)
    for rows in (twins, twins[::-1]):
        found = collected(*rows, offer_row(1))
        assert found.dropped == {"duplicate": 1}
        assert [o.on_demand for o in found.offers.values()] == [300_000, 300_000]


def test_a_slice_met_on_a_second_page_is_replaced_not_counted() -> None:
    found = collected(offer_row(dph_base=0.4))
    assert found.add([offer_row(dph_base=0.3)])
    assert [o.on_demand for o in found.offers.values()] == [300_000]
    assert (found.dropped.total(), found.rows) == (0, 2)


def test_rows_of_another_gpu_are_not_ours() -> None:
    assert collected(offer_row(), offer_row(1, gpu_name="RTX 3090")).dropped == {"another gpu_name": 1}


def test_a_page_on_which_nothing_is_usable_says_so() -> None:
    assert CollectedOffers("RTX 4090").add([offer_row(machine_id=None)]) is False
    assert CollectedOffers("RTX 4090").add([]) is True


@pytest.mark.parametrize(("bad", "doubtful"), [(0, False), (3, False), (4, True), (9, True)])
def test_more_than_a_third_unusable_is_doubtful(bad: int, doubtful: bool) -> None:
    rows = [offer_row(n, **({"dph_base": None} if n < bad else {})) for n in range(10)]
    assert bool(collected(*rows).doubt()) is doubtful


@pytest.mark.parametrize("field", ["gpu_ids", "gpu_ram", "verification", "min_bid"])
@pytest.mark.parametrize("value", [math.nan, "garbage?", "missing"])
def test_a_field_that_became_unreadable_everywhere_is_doubtful(field: str, value: Any) -> None:
    rows = [offer_row(n) for n in range(6)]
    assert collected(*rows).doubt() == ""
    for row in rows:
        row.pop(field) if value == "missing" else row.update({field: value})
    decides = field in ("verification", "min_bid") and value != "missing"
    expected = f"6 of 6 rows unusable: {field} 6" if decides else f"unreadable in many of 6 rows: {field} 6"
    assert collected(*rows).doubt() == expected


def test_a_market_without_bids_is_not_doubtful() -> None:
    assert collected(*(offer_row(n, min_bid=None) for n in range(6))).doubt() == ""


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.lists(st.integers(), max_size=5),
    st.dictionaries(st.text(), st.integers(), max_size=2),
    st.sampled_from(
        [math.nan, -math.inf, 1e308, -1, 0, 10**400, "NaN", "0.3", "1e400", "\u202e\u0000", "\ud800", "x" * 9999]
    ),
)
MUTATIONS = st.lists(st.tuples(st.sampled_from([*offer_row(), "new_field"]), JUNK, st.booleans()), max_size=6)


def mutated(mutations: list[tuple[str, Any, bool]]) -> dict[str, Any]:
    row = offer_row()
    for key, value, delete in mutations:
        row.pop(key, None) if delete else row.update({key: value})
    return row


@given(MUTATIONS)
def test_a_damaged_row_is_an_offer_the_store_can_hold_or_a_reason(mutations: list[tuple[str, Any, bool]]) -> None:
    made = to_offer(mutated(mutations))
    if isinstance(made, str):
        essential = ("machine_id", "num_gpus", "gpu_name", "dph_base")
        assert made in (*essential, "min_bid", "rentable", "verification")
        return
    assert 0 < made.on_demand <= INT64
    assert made.min_bid is None or 0 < made.min_bid <= INT64
    assert 0 < made.num_gpus <= INT64
    assert 0 < made.machine_id <= INT64
    for optional in (made.host_id, made.offer_id, made.end_date, made.storage_cost, made.egress_cost, made.gpu_ram_mb):
        assert optional is None or 0 <= optional <= INT64
    assert made.reliability is None or 0 <= made.reliability <= 1
    for text in (made.model, made.geolocation or "", made.region, made.slice_id):
        assert text.encode("utf-8").decode().isprintable()
    assert made.model


@given(st.lists(MUTATIONS, min_size=1, max_size=8))
def test_every_row_of_a_damaged_page_is_kept_or_counted(pages: list[list[tuple[str, Any, bool]]]) -> None:
    rows = read_rows(json.dumps({"offers": [mutated(mutations) for mutations in pages]}).encode())
    found = CollectedOffers("RTX 4090")
    assert found.add(rows) is bool(found.offers)
    assert len(found.offers) + found.dropped.total() == found.rows == len(rows)


@given(st.one_of(st.binary(), st.text().map(str.encode), JUNK.map(lambda junk: json.dumps(junk, default=str).encode())))
def test_any_bytes_are_rows_or_a_bad_page(body: bytes) -> None:
    with contextlib.suppress(BadPage):
        assert isinstance(read_rows(body), list)


@given(JUNK)
def test_numbers_are_finite_and_wholes_fit(value: Any) -> None:
    exact, integer = number(value), whole(value)
    assert exact is None or math.isfinite(exact)
    assert integer is None or 1 <= integer <= INT64
