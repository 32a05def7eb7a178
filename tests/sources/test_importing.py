from __future__ import annotations

import contextlib
import csv
import functools
import gzip
import io
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.market import Offer, Poll, Quality, Quote
from bot.sources import import_lines, importing
from bot.sources.import_lines import ImportFault
from bot.sources.import_rows import BadLine, OfferReader, json_cells, offer_row, price_row, time_of
from bot.sources.import_snapshots import SINGLE_POLL_INTERVAL
from bot.sources.importing import MOST_MESSAGES, MOST_MODELS, ImportFile
from tests.fakes.vast import offer_row as raw_row

T0 = 1_790_000_000
import_file = functools.partial(importing.import_file, now=T0 + 86_400)
GOOD: dict[str, Any] = {
    "ts_utc": T0,
    "gpu_name": "RTX 4090",
    "machine_id": 7,
    "num_gpus": 2,
    "geolocation": "Texas, US",
    "on_demand_per_gpu": 0.4,
    "min_bid_per_gpu": 0.3,
    "rentable": 1,
    "verified": 1,
    "reliability": 0.99,
    "gpu_ids": "21 20",
    "offer_id": 5,
    "host_id": 3,
    "gpu_ram_mb": 24564,
    "end_date": T0 + 86400,
    "complete": 1,
}
HEADER = tuple(GOOD)
PRICE: dict[str, Any] = {"ts_utc": T0, "gpu_name": "RTX 4090", "region": "EU-West", "price": 0.31}


def csv_text(rows: Iterable[dict[str, Any]], columns: Sequence[str] = HEADER) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def ndjson(rows: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(content: bytes, name: str = "some.file") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def polls_of(found: ImportFile) -> dict[tuple[int, str], Poll]:
    return {(at, poll.model): poll for at, polls in found.rounds() for poll in polls}


def test_a_line_becomes_an_offer_in_micro_dollars(file: Any) -> None:
    found = import_file(file(csv_text([GOOD])))
    assert (found.kind, found.interval) == ("offers", SINGLE_POLL_INTERVAL)
    [(at, [poll])] = list(found.rounds())
    assert (at, poll.model, poll.at, poll.quality) == (T0, "RTX 4090", T0, Quality.COMPLETE)
    assert poll.offers == (
        Offer(
            model="RTX 4090",
            machine_id=7,
            num_gpus=2,
            on_demand=400_000,
            min_bid=300_000,
            gpu_ids=(20, 21),
            geolocation="Texas, US",
            region=poll.offers[0].region,
            reliability=0.99,
            host_id=3,
            offer_id=5,
            gpu_ram_mb=24564,
            end_date=T0 + 86400,
        ),
    )
    assert poll.offers[0].region.startswith("US")
    assert found.report.rows == 1
    assert found.report.bad == 0


def test_every_time_is_a_poll_of_every_model_in_the_file(file: Any) -> None:
    rows = [
        GOOD,
        {**GOOD, "gpu_name": "H100 SXM", "gpu_ram_mb": 81559, "machine_id": 8},
        {**GOOD, "ts_utc": T0 + 900, "min_bid_per_gpu": 0.5},
        {**GOOD, "ts_utc": T0 + 1800, "gpu_name": "A100 SXM4", "gpu_ram_mb": 40960},
    ]
    found = import_file(file(csv_text(rows)))
    polls = polls_of(found)
    models = ("A100 SXM4 40GB", "H100 SXM", "RTX 4090")
    assert found.report.models == models
    assert (found.report.since, found.report.until, found.interval) == (T0, T0 + 1800, 900)
    assert set(polls) == {(at, model) for at in (T0, T0 + 900, T0 + 1800) for model in models}
    counts = [len(polls[at, model].offers) for at in (T0, T0 + 900, T0 + 1800) for model in models]
    assert counts == [0, 1, 1, 0, 0, 1, 1, 0, 0]
    assert {(poll.quality, poll.interval) for poll in polls.values()} == {(Quality.COMPLETE, 900)}


def test_forms_are_told_by_content_not_by_name(file: Any) -> None:
    rows = [{**GOOD, "ts_utc": T0 + n * 300, "machine_id": n % 3 + 1} for n in range(20)]
    forms = [csv_text(rows), ndjson(rows), b"\xef\xbb\xbf" + csv_text(rows), csv_text(rows).replace(b"\r\n", b"\n\n")]
    expected = None
    for content in [form for plain in forms for form in (plain, gzip.compress(plain))]:
        found = import_file(file(content))
        rounds = list(found.rounds())
        expected = expected or rounds
        assert rounds == expected
        assert (len(rounds), found.report.bad) == (20, 0)


def test_raw_rows_of_the_service_are_read(file: Any) -> None:
    rows = [
        {**raw_row(machine_id=n, gpu_name=name, gpu_ram=ram), "ts_utc": f"2026-03-0{n}T00:00:00Z"}
        for n, (name, ram) in enumerate([("RTX 4090", 24564), ("A100 PCIE", 81920)], 1)
    ]
    found = import_file(file(ndjson([*rows, {**rows[0], "dph_base": None}])))
    polls = list(polls_of(found).values())
    assert found.report.models == ("A100 PCIE 80GB", "RTX 4090")
    assert [len(poll.offers) for poll in polls] == [0, 1, 1, 0]
    assert polls[1].offers[0].egress_cost is not None
    assert found.report.messages == ["line 3: dph_base is missing or unusable"]


def test_unsorted_files_come_out_in_time_order(file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_lines, "SORT_LINES", 7)
    rows = [{**GOOD, "ts_utc": T0 + n * 300, "machine_id": m} for n in range(30) for m in (1, 2)]
    ordered = list(import_file(file(csv_text(rows))).rounds())
    random.Random(4).shuffle(rows)
    lines = csv_text(rows).splitlines(keepends=True)
    found = import_file(file(b"".join([*lines[:9], b"rubbish\n", *lines[9:]])))
    shuffled = list(found.rounds())
    assert [at for at, _ in shuffled] == [at for at, _ in ordered]
    assert found.report.messages == ["line 10: 1 cells under 16 columns"]
    for (_, [one]), (_, [other]) in zip(shuffled, ordered, strict=True):
        assert set(one.offers) == set(other.offers)


def test_bad_lines_are_skipped_counted_and_named(file: Any) -> None:
    lines = csv_text([{**GOOD, "ts_utc": T0 + n * 300} for n in range(40)]).splitlines(keepends=True)
    for n in range(5, 35):
        lines[n] = b'"\xff,,,\n'
    found = import_file(file(b"".join(lines)))
    assert sum(len(poll.offers) for poll in polls_of(found).values()) == found.report.rows == 10
    assert found.report.bad == 30
    assert len(found.report.messages) == MOST_MESSAGES
    assert found.report.messages[0].startswith("line 6: ")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ts_utc": "yesterday"}, "ts_utc is not a time: 'yesterday'"),
        ({"ts_utc": T0 * 1000}, "ts_utc is after 2099: '1790000000000'"),
        ({"ts_utc": T0 + 86_400 + 301}, f"ts_utc is in the future: '{T0 + 86_400 + 301}'"),
        ({"ts_utc": "1970-01-01"}, "ts_utc is before 2000: '1970-01-01'"),
        ({"end_date": 1}, "end_date is before 2000: '1'"),
        ({"gpu_name": " "}, "gpu_name is no name: ' '"),
        ({"machine_id": "x"}, "machine_id is not a whole number from 1: 'x'"),
        ({"num_gpus": 0}, "num_gpus is not a whole number from 1: '0'"),
        ({"on_demand_per_gpu": "nan"}, "on_demand_per_gpu is not a price: 'nan'"),
        ({"on_demand_per_gpu": 0}, "on_demand_per_gpu is not a price: '0'"),
        ({"on_demand_per_gpu": ""}, "on_demand_per_gpu is not a price: ''"),
        ({"min_bid_per_gpu": -1}, "min_bid_per_gpu is not a price: '-1'"),
        ({"min_bid_per_gpu": "1e999"}, "min_bid_per_gpu is not a price: '1e999'"),
        *(
            ({"min_bid_per_gpu": text}, f"min_bid_per_gpu is not a price: '{text}'")
            for text in ("0_35", "0,35", "1,500", "٠.٣٥", "0x1", "1.2.3")
        ),
        ({"num_gpus": "1_0"}, "num_gpus is not a whole number from 1: '1_0'"),
        ({"rentable": "perhaps"}, "rentable is not 1 or 0: 'perhaps'"),
        ({"verified": ""}, "verified is not 1 or 0: ''"),
        ({"reliability": 2}, "reliability is not between 0 and 1: '2'"),
        ({"gpu_ids": "1 2 3"}, "gpu_ids is not a list of at most 2 numbers: '1 2 3'"),
        ({"gpu_ids": "a"}, "gpu_ids is not a list of at most 2 numbers: 'a'"),
        ({"end_date": "soon"}, "end_date is not a time: 'soon'"),
        ({"complete": "2"}, "complete is not 1 or 0: '2'"),
    ],
)
def test_a_bad_cell_is_named(file: Any, change: dict[str, Any], reason: str) -> None:
    found = import_file(file(csv_text([GOOD, {**GOOD, **change}])))
    polls = list(polls_of(found).values())
    assert found.report.messages == [f"line 3: {reason}"]
    assert [len(poll.offers) for poll in polls] == [1]


def test_optional_cells_may_be_blank_or_absent(file: Any) -> None:
    blank = dict.fromkeys(["geolocation", "min_bid_per_gpu", "reliability", *HEADER[10:]], "")
    columns = HEADER[:10]
    short = {key: GOOD[key] for key in columns}
    for content in (csv_text([{**GOOD, **blank}]), csv_text([{**short, "min_bid_per_gpu": 0}], columns)):
        [(_, [poll])] = import_file(file(content)).rounds()
        offer = poll.offers[0]
        assert poll.quality is Quality.COMPLETE
        assert (offer.min_bid, offer.gpu_ids, offer.end_date, offer.offer_id) == (None, (), None, None)
        assert offer.slice_id == "7:x2"


def test_a_poll_with_missing_or_unreadable_rows_is_not_complete(file: Any) -> None:
    other = {**GOOD, "gpu_name": "H200", "gpu_ram_mb": 143771}
    rows = [
        *(GOOD, other),
        *({**GOOD, "ts_utc": T0 + 300, "complete": 0}, {**other, "ts_utc": T0 + 300}),
        *({**GOOD, "ts_utc": T0 + 600, "on_demand_per_gpu": "?"}, {**other, "ts_utc": T0 + 600}),
        *({**GOOD, "ts_utc": T0 + 900, "gpu_name": ""}, {**other, "ts_utc": T0 + 900}),
        {**GOOD, "ts_utc": T0 + 1200, "machine_id": "?"},
    ]
    found = import_file(file(csv_text(rows)))
    polls = polls_of(found)
    bad = {(at - T0, model) for (at, model), poll in polls.items() if poll.quality is Quality.CAPPED}
    assert bad == {(300, "RTX 4090"), (600, "RTX 4090"), (900, "RTX 4090"), (900, "H200")}
    assert {at for at, _ in polls} == {T0, T0 + 300, T0 + 600, T0 + 900}
    assert found.report.bad == 3


def test_rows_of_one_slice_count_once_the_cheaper(file: Any) -> None:
    rows = [{**GOOD, "on_demand_per_gpu": price, "offer_id": n} for n, price in enumerate((0.5, 0.4, 0.6), 1)]
    found = import_file(file(csv_text(rows)))
    [(_, [poll])] = found.rounds()
    assert [(offer.on_demand, offer.offer_id) for offer in poll.offers] == [(400_000, 2)]
    assert found.report.duplicates == 2


@pytest.mark.parametrize(
    "text",
    ["2026-09-21T14:13:20Z", "2026-09-21 16:13:20.999999+02:00", "2026-09-21T14:13:20", str(T0), f"{T0}.7", f" {T0} "],
)
def test_times_are_read_in_many_forms(text: str) -> None:
    assert time_of({"ts_utc": text}) == T0


@pytest.mark.parametrize(
    ("content", "kind", "says"),
    [
        (b"", None, "empty"),
        (b"\n\n", None, "empty"),
        (b"a,b\n1,2\n", None, "needs ts_utc, gpu_name, region, price"),
        (csv_text([PRICE], tuple(PRICE)), "offers", "a file of offers needs machine_id, num_gpus, geolocation"),
        (csv_text([GOOD]), "prices", "a file of prices needs region, price"),
        (b"{not json\n", None, "none of its first 1 lines is a JSON object"),
        (ndjson([{"ts_utc": T0, "gpu_name": "x"}]), None, "needs region, price. It has ts_utc, gpu_name"),
        (gzip.compress(csv_text([GOOD] * 99))[:-20], None, "damaged after line"),
        (b"\x1f\x8brubbish", None, "damaged after line 0"),
        (b"\x00" * (import_lines.LONGEST_LINE + 1), None, "not a header"),
        (b"ts_utc,gpu_name,region,price,Price\n1,a,b,1,2\n", None, "the header names a column more than once: price"),
    ],
)
def test_a_file_that_cannot_be_imported_says_why(file: Any, content: bytes, kind: Any, says: str) -> None:
    with pytest.raises(ImportFault, match=says.replace(".", r"\.")):
        import_file(file(content), kind)


def test_columns_of_another_tool_are_listed_as_missing(file: Any) -> None:
    content = b"ts_utc,gpu_name,machine_id,num_gpus,geolocation,dph_base,min_bid,rentable,verification,reliability\n"
    with pytest.raises(ImportFault, match="offers needs on_demand_per_gpu, min_bid_per_gpu, verified; "):
        import_file(file(content))


def test_progress_rises_to_the_whole_of_both_passes(file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_lines, "TELL_EVERY", 10)
    told: list[tuple[int, int]] = []
    content = csv_text([{**GOOD, "ts_utc": T0 + n} for n in range(300)])
    found = import_file(file(content), on_progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(content), 2 * len(content))
    list(found.rounds())
    assert told == sorted(told)
    assert told[-1] == (2 * len(content), 2 * len(content))
    assert len(told) > 20


def test_an_endless_line_is_a_bad_line(file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_lines, "LONGEST_LINE", 500)
    head, first = csv_text([GOOD]).splitlines(keepends=True)
    found = import_file(file(head + b"x" * 5000 + b"\n" + first))
    assert sum(len(poll.offers) for poll in polls_of(found).values()) == 1
    assert found.report.bad == 1
    assert found.report.messages[0].startswith("line 2: longer than")


def test_prices_become_quotes_in_time_order(file: Any) -> None:
    more = {"on_demand_price": 0.5, "p10": 0.2, "p90": 0.45, "offers": 12, "floor": 0.1, "gpus": 30}
    rows = [
        {**PRICE, **more, "ts_utc": "2026-09-21T15:00:00Z", "region": ""},
        {**PRICE, "ts_utc": "2026-09-21T14:00:00Z"},
        {**PRICE, "ts_utc": "2026-09-21T14:00:00Z", "region": "World", "price": ""},
        {**PRICE, "price": "dear"},
    ]
    found = import_file(file(csv_text(rows, (*PRICE, *more))))
    at = T0 - 13 * 60 - 20
    nothing = Quote(at, None, None, None, None, None, 0, 0, 0)
    assert list(found.prices()) == [
        ("RTX 4090", "EU-West", Quote(at, 310_000, None, None, None, None, 0, 0, 0)),
        ("RTX 4090", "", nothing),
        ("RTX 4090", "", Quote(at + 3600, 310_000, 100_000, 200_000, 450_000, 500_000, 12, 30, 0)),
    ]
    assert (found.kind, found.report.rows, found.report.since) == ("prices", 3, at)
    assert found.report.messages == ["line 5: price is not a price: 'dear'"]


def test_a_key_that_is_there_twice_is_refused_by_name(file: Any) -> None:
    good = json.dumps(PRICE)
    twice = good[:-1] + ', "price": 9.99}'
    odd = [json.dumps({**PRICE, "price": price}) for price in ("0_35", "0,35", "nan", "\uff10.35")]
    found = import_file(file("\n".join([good, twice, *odd, good.replace("0.31", "1e400")]).encode()))
    assert len(list(found.prices())) == 1
    assert found.report.messages[0] == "line 2: names 'price' more than once"
    assert found.report.bad == 6


def test_foreign_names_in_raw_rows_are_read_too(file: Any) -> None:
    row = {**raw_row(machine_id=1, gpu_name="H100_SXM", gpu_ram=81559), "ts_utc": T0}
    [poll] = polls_of(import_file(file(ndjson([row])))).values()
    assert (poll.model, [offer.model for offer in poll.offers]) == ("H100 SXM", ["H100 SXM"])


def test_lines_that_differ_in_more_than_time_are_told_apart() -> None:
    reader = OfferReader()
    first = reader.read(GOOD)
    assert reader.read({**GOOD, "ts_utc": T0 + 5}) is first
    assert reader.read({**GOOD, "min_bid_per_gpu": 0.31}).offer.min_bid == 310_000
    with_list = {**GOOD, "gpu_ids": [20, 21]}
    assert reader.read(with_list) == reader.read(with_list) == first


CELL = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.integers()))


@given(st.dictionaries(st.sampled_from([*HEADER, "dph_base", "gpu_ram", "price", "region"]), CELL))
def test_rubbish_cells_give_a_row_or_a_bad_line(change: dict[str, Any]) -> None:
    for read in (time_of, offer_row, price_row):
        with contextlib.suppress(BadLine):
            read({**GOOD, **PRICE, **change})


@given(st.one_of(st.binary(max_size=200), st.text(max_size=50).map(str.encode)))
def test_rubbish_is_json_cells_or_a_bad_line(line: bytes) -> None:
    with contextlib.suppress(BadLine):
        assert isinstance(json_cells(line), dict)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.binary(max_size=60), st.just(b"LINE")), max_size=12), st.booleans(), st.booleans())
def test_rubbish_lines_lose_no_good_line(file: Any, rubbish: list[bytes], as_json: bool, packed: bool) -> None:
    plain = ndjson if as_json else csv_text
    good = [{**GOOD, "ts_utc": T0 + n * 300, "machine_id": n + 1} for n in range(rubbish.count(b"LINE") + 1)]
    lines = plain(good).splitlines(keepends=True)
    start = [] if as_json else [lines.pop(0)]
    content = [*start, lines.pop(0)]
    for junk in rubbish:
        content.append(lines.pop(0) if junk == b"LINE" else junk.replace(b"\n", b"").replace(b"\r", b"") + b"\n")
    written = b"".join(content)
    found = import_file(file(gzip.compress(written) if packed else written))
    machines = [offer.machine_id for poll in polls_of(found).values() for offer in poll.offers]
    assert machines == list(range(1, len(good) + 1))
    assert found.report.bad == sum(1 for junk in rubbish if junk != b"LINE" and junk.strip())


offers = st.builds(
    lambda machine, gpus, price, ratio, flags, at: {
        **GOOD,
        "ts_utc": T0 + at * 600,
        "machine_id": machine,
        "num_gpus": gpus,
        "gpu_ids": "",
        "on_demand_per_gpu": price / 1e6,
        "min_bid_per_gpu": round(price * ratio / 100) / 1e6,
        "rentable": int(flags[0]),
        "verified": int(flags[1]),
    },
    st.integers(1, 6),
    st.sampled_from([1, 2, 4]),
    st.integers(1, 10**9),
    st.integers(0, 300),
    st.tuples(st.booleans(), st.booleans()),
    st.integers(0, 5),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(offers, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_order_and_form_of_a_file_change_nothing(file: Any, rows: list[dict[str, Any]], shuffle: random.Random) -> None:
    def market(content: bytes) -> list[tuple[int, set[tuple[str, int]]]]:
        rounds = import_file(file(content)).rounds()
        return [(at, {(o.slice_id, o.on_demand) for poll in polls for o in poll.offers}) for at, polls in rounds]

    unique = list({(row["ts_utc"], row["machine_id"], row["num_gpus"]): row for row in rows}.values())
    expected = market(csv_text(sorted(unique, key=lambda row: row["ts_utc"])))
    assert sum(len(slices) for _, slices in expected) == len(unique)
    assert [at for at, _ in expected] == sorted({row["ts_utc"] for row in unique})
    shuffle.shuffle(unique)
    assert market(csv_text(unique)) == market(gzip.compress(ndjson(unique))) == expected


def test_a_file_of_more_models_than_any_market_has_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    rows = [{**PRICE, "gpu_name": f"GPU {n}"} for n in range(MOST_MODELS + 1)]
    path.write_bytes(csv_text(rows[1:], tuple(PRICE)))
    assert len(import_file(path).report.models) == MOST_MODELS
    path.write_bytes(csv_text(rows, tuple(PRICE)))
    with pytest.raises(ImportFault, match="more than 5,000 different models; nothing was imported"):
        import_file(path)
