from __future__ import annotations

import asyncio
import csv
import gzip
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.evidence import iso
from analytics.market import DAY, HOUR, WORLD, HourPoint, Quality
from analytics.prices import hour_point
from analytics.regions import region_names
from bot.polling.rounds import Collector
from bot.sources.exporting import COLUMNS, ExportFault, ExportKind, Row, export_rows, guarded, write_export
from bot.sources.import_rows import csv_cells, csv_reader
from bot.sources.importing import import_file
from bot.sources.sim_calibration import DEFAULT
from bot.sources.simulated import SimulatedMarket
from bot.store.engine import Store, open_store

NOW = 1_790_000_000 // HOUR * HOUR
DAYS = 3
MODELS = [spec for spec in DEFAULT if spec.vast_name in ("RTX 4090", "A100 SXM4")]
NAMES = ["RTX 4090", "A100 SXM4 40GB", "A100 SXM4 80GB"]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with three days of three simulated models."""
    folder = tmp_path_factory.mktemp("filled")

    async def fill() -> None:
        store = await open_store(f"sqlite:///{folder}/market.db", writer=True)
        market = SimulatedMarket(7, NOW - DAYS * DAY, MODELS)
        await Collector(store, source="simulated").record_many(market.history(DAYS, NOW))
        await store.close()

    asyncio.run(fill())
    return folder


@pytest.fixture
async def store(filled: Path, tmp_path: Path) -> AsyncIterator[Store]:
    """A copy of that database, open for writing."""
    shutil.copytree(filled, tmp_path / "database")
    opened = await open_store(f"sqlite:///{tmp_path}/database/market.db", writer=True)
    yield opened
    await opened.close()


async def exported(store: Store, path: Path, kind: ExportKind, since: int = 0, until: int = NOW + 1) -> int:
    async with store.reader() as reader:
        return await write_export(path, COLUMNS[kind], export_rows(reader, kind, since, until))


async def rows_of(*rows: Row) -> AsyncIterator[Row]:
    for row in rows:
        yield row


def bare(point: HourPoint) -> tuple[Any, ...]:
    """An hour point without the number of polls behind it, which a file does not carry."""
    return (point.hour, point.price, point.floor, point.p10, point.p90, point.on_demand, point.offers, point.gpus)


@pytest.mark.parametrize("name", ["prices.csv", "prices.csv.gz", "prices.ndjson", "prices.jsonl.gz"])
async def test_exported_prices_come_back_hour_by_hour(store: Store, tmp_path: Path, name: str) -> None:
    count = await exported(store, tmp_path / name, "prices")
    file = import_file(tmp_path / name, now=NOW)
    found: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for model, region, quote in file.prices():
        found.setdefault((model, region), []).append(bare(hour_point(quote.at // HOUR, [quote])))
    assert (file.kind, file.report.bad, file.report.rows) == ("prices", 0, count)
    assert set(NAMES) == {model for model, _ in found}
    stored = 0
    async with store.reader() as reader:
        for region in (WORLD, "Unknown", *region_names()):
            for model, points in (await reader.hours(None, 0, region=region)).items():
                assert found[model, region] == [bare(point) for point in points]
                stored += len(points)
    assert stored == count > len(NAMES) * DAYS * 24


async def test_exported_offers_come_back_as_one_complete_poll(store: Store, tmp_path: Path) -> None:
    await exported(store, tmp_path / "offers.csv", "offers")
    [(at, polls)] = import_file(tmp_path / "offers.csv", now=NOW).rounds()
    assert at == NOW
    assert {poll.quality for poll in polls} == {Quality.COMPLETE}
    async with store.reader() as reader:
        for poll in polls:
            kept = {(o.slice_id, o.on_demand, o.min_bid, o.verified, o.region) for o in await reader.book([poll.model])}
            assert {(o.slice_id, o.on_demand, o.min_bid, o.verified, o.region) for o in poll.offers} == kept
    assert sorted(poll.model for poll in polls) == sorted(NAMES)


async def test_the_book_is_left_out_where_it_is_of_another_time(store: Store, tmp_path: Path) -> None:
    assert await exported(store, tmp_path / "offers.csv", "offers", until=NOW) == 0
    assert await exported(store, tmp_path / "later.csv", "offers", since=NOW + 1, until=NOW + 9) == 0
    market = SimulatedMarket(7, NOW + DAY, MODELS[:1])
    await Collector(store).record_many(market.history(0, NOW + DAY))
    await exported(store, tmp_path / "mixed.csv", "offers", until=NOW + 2 * DAY)
    assert import_file(tmp_path / "mixed.csv", now=NOW + DAY).report.models == (MODELS[0].name,)


async def test_a_span_and_some_models_can_be_chosen(store: Store) -> None:
    async with store.reader() as reader:
        rows = [row async for row in export_rows(reader, "prices", NOW - DAY + 1, NOW, ["RTX 4090"])]
    assert {row[1] for row in rows} == {"RTX 4090"}
    assert len([row for row in rows if row[2] == "World"]) == 23
    assert min(row[0] for row in rows) == "2026-09-20T15:00:00Z"


async def test_interruptions_are_listed_oldest_first(store: Store, tmp_path: Path) -> None:
    count = await exported(store, tmp_path / "lost.ndjson", "interruptions", NOW - DAY)
    rows = [json.loads(line) for line in (tmp_path / "lost.ndjson").read_text().splitlines()]
    assert len(rows) == count > 10
    assert tuple(rows[0]) == COLUMNS["interruptions"]
    for model in NAMES:
        seen = [row["seen_at"] for row in rows if row["gpu_name"] == model]
        assert seen == sorted(seen)
    assert {row["cause"] for row in rows} <= {"outbid", "absent", "taken_or_down"}
    assert min(row["seen_at"] for row in rows) >= "2026-09-20"
    newest = max(row["seen_at"] for row in rows)
    until = NOW - DAY // 2
    assert 0 < await exported(store, tmp_path / "fewer.csv", "interruptions", NOW - DAY, until) < count
    assert iso(until) < newest
    assert max(line.split('"')[9] for line in (tmp_path / "fewer.csv").read_text().splitlines()[1:]) < iso(until)


async def test_texts_are_quoted_and_disarmed_and_numbers_are_plain(tmp_path: Path) -> None:
    rows = rows_of(["=cmd()", -1.5, None], ["a,b", 0.1, "@x"], ["-7", 3, "'=1"])
    assert await write_export(tmp_path / "x.csv", ("a", "b", "c"), rows) == 3
    lines = (tmp_path / "x.csv").read_text().splitlines()
    assert lines[0] == '"a","b","c"'
    assert lines[2:] == ['"a,b",0.1,"\'@x"', '"\'-7",3,"\'\'=1"']
    assert next(csv.reader([lines[1]])) == ["'=cmd()", "-1.5", ""]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\x00")), min_size=1))
def test_disarmed_cells_come_back_as_they_were(cells: list[str]) -> None:
    line = ",".join('"' + guarded(cell).replace('"', '""') + '"' for cell in cells).encode()
    header = [str(index) for index in range(len(cells))]
    assert list(csv_reader(header)(line).values()) == cells
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in csv_cells(line))


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[Row]:
        yield ["one"]
        raise RuntimeError("the store has gone")

    path = tmp_path / "x.csv"
    path.write_text("what was there")
    with pytest.raises(RuntimeError, match="gone"):
        asyncio.run(write_export(path, ("a",), broken()))
    assert path.read_text() == "what was there"
    assert [file.name for file in tmp_path.iterdir()] == ["x.csv"]


@pytest.mark.parametrize("name", ["x.txt", "x.gz", "x", "x.csv.zip"])
async def test_a_name_that_says_no_form_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ExportFault, match=r"must end in \.csv, \.ndjson, \.jsonl"):
        await write_export(tmp_path / name, ("a",), rows_of())


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportFault, match="No such file"):
        await write_export(tmp_path / "nowhere" / "x.csv", ("a",), rows_of())


async def test_gzip_is_by_the_last_ending(tmp_path: Path) -> None:
    await write_export(tmp_path / "x.ndjson.gz", ("a", "b"), rows_of([1, "é"]))
    assert gzip.decompress((tmp_path / "x.ndjson.gz").read_bytes()).decode() == '{"a": 1, "b": "é"}\n'
