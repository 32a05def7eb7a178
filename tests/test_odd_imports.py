"""Odd files of prices, brought in by ``spotbot import``: what they do not say is not answered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from analytics.errors import NotYet
from analytics.evidence import to_json
from analytics.market import DAY, HOUR, WORLD
from bot.cli.import_export import import_files
from bot.commands import COMMANDS
from bot.config import load_settings
from bot.dispatch.dispatcher import Dispatcher
from bot.presentation.words import Words
from bot.store.engine import Store, open_store
from tests.test_import_export import NOW, OFFERS

GPU = "RTX 4090"
AS_IMPORTED = f"the price is as imported, without the offers behind it: {GPU}"
HEAD = "ts_utc,gpu_name,region,price"

Bring = Callable[[str], Awaitable[int]]


@pytest.fixture
def url(database_tables: str) -> str:
    return database_tables


@pytest.fixture
def bring(tmp_path: Path, url: str) -> Bring:
    async def forecast_nothing(store: Store, at: int) -> None:
        """None are needed."""

    async def run(text: str) -> int:
        file = tmp_path / "file.csv"
        file.write_text(text)
        settings = load_settings(database_url=url, _env_file=None)
        return await import_files(settings, [file], kind=None, clock=lambda: NOW, forecast=forecast_nothing)

    return run


@pytest.fixture
async def reading(url: str) -> AsyncIterator[Callable[[], Awaitable[Store]]]:
    opened: list[Store] = []

    async def store() -> Store:
        opened.append(await open_store(url, writer=False))
        return opened[-1]

    yield store
    for one in opened:
        await one.close()


async def _asked(store: Store, line: str) -> dict[str, Any]:
    return dict(json.loads(to_json((await Dispatcher(store, COMMANDS, lambda: NOW).ask_line(line))[1])))


def _prices(*cells: str, hours: int = 1) -> str:
    return "\n".join([HEAD, *(f"{NOW - h * HOUR},{GPU},{one}" for h in range(hours) for one in cells)])


def _polls(ago: int) -> str:
    row = "{at}," + GPU + ',{m},1,"Texas, US",0.4,0.3,1,1,0.99'
    return "\n".join([OFFERS, *(row.format(at=NOW - ago + 300 * n, m=m) for n in range(6) for m in (1, 2, 3))])


async def test_prices_newer_than_all_polls_are_the_price_of_now(
    bring: Bring, reading: Callable[[], Awaitable[Store]]
) -> None:
    await bring(_polls(2 * DAY))
    await bring(_prices(",0.9", hours=30))
    store = await reading()
    (row,) = (await _asked(store, "monitor"))["price_trends"]
    assert (row["current_price"], row["offers"], row["stale"]) == (0.9, None, False)
    for line in ("history 4090", "savings 4090 10h"):
        evidence = (await _asked(store, line))["evidence"]
        assert AS_IMPORTED in evidence["caveats"]
        assert (evidence["freshness"], evidence["offers"]) == ("fresh", 0)
    (every,) = (await _asked(store, "monitor scope=all"))["price_trends"]
    assert (every["min_price_24h"], every["change_percent"]) == (None, None)


async def test_what_needs_offers_is_answered_from_the_polls_there_are(
    bring: Bring, reading: Callable[[], Awaitable[Store]]
) -> None:
    await bring(_polls(2 * DAY))
    await bring(_prices(",0.9", hours=30))
    store = await reading()
    answer = await _asked(store, "availability 4090")
    assert answer["evidence"]["freshness"] == "late"
    assert all(offer["old"] for offer in answer["offers_now"])
    with pytest.raises(NotYet) as refused:
        await Dispatcher(store, COMMANDS, lambda: NOW).ask_line("windows 4090")
    assert not refused.value.remarks, "it is not true that of this model only prices were imported"


async def test_prices_older_than_polls_or_of_their_hour_are_not_the_price_of_now(
    bring: Bring, reading: Callable[[], Awaitable[Store]]
) -> None:
    await bring(_prices(",0.9", hours=30))
    await bring(_polls(1800))
    store = await reading()
    assert (await _asked(store, "monitor"))["price_trends"][0]["current_price"] == 0.3
    answer = await _asked(store, "history 4090")
    assert AS_IMPORTED not in answer["evidence"]["caveats"]
    assert [point["offers"] for point in answer["points"][-2:]] == [None, 3]


@pytest.mark.parametrize("price", ["0", "0.0000001", ""])
async def test_nothing_costs_nothing(
    bring: Bring, reading: Callable[[], Awaitable[Store]], capsys: pytest.CaptureFixture[str], price: str
) -> None:
    assert await bring(_prices(f",{price}")) == 2
    assert "good for: nothing" in capsys.readouterr().out
    with pytest.raises(NotYet):
        await _asked(await reading(), "monitor")


async def test_of_a_model_without_a_poll_it_is_not_said_what_was_rentable(
    bring: Bring, reading: Callable[[], Awaitable[Store]]
) -> None:
    await bring(_prices(","))
    command, answer = await Dispatcher(await reading(), COMMANDS, lambda: NOW).ask_line("history 4090")
    assert answer.offers_now is None
    assert not any("rentable" in note for note in command.card(answer, Words("en", NOW)).notes)


async def test_prices_of_regions_alone_are_said_to_answer_nothing_yet(
    bring: Bring, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await bring(_prices("EU-West,0.9")) == 0
    assert "good for: no question yet" in capsys.readouterr().out
    assert await bring(_prices(",0.8", "EU-North,0.9")) == 0
    assert "good for: monitor, predict" in capsys.readouterr().out


@pytest.mark.parametrize("region", ["r" * 400, "\x1b\x07", 5, {}, ["EU"], True])
async def test_a_region_that_cannot_be_read_is_not_the_world(
    bring: Bring, reading: Callable[[], Awaitable[Store]], capsys: pytest.CaptureFixture[str], region: object
) -> None:
    rows = [(None, 0.3), (region, 0.9)]
    assert (
        await bring("\n".join(json.dumps(dict(zip(HEAD.split(","), (NOW, GPU, *row), strict=True))) for row in rows))
        == 0
    )
    assert "line 2: region is not a name" in capsys.readouterr().err
    async with (await reading()).reader() as reader:
        assert [point.price for point in (await reader.hours(None, 0, region=WORLD))[GPU]] == [300_000]


async def test_models_polled_at_another_pace_are_not_interrupted(
    bring: Bring, reading: Callable[[], Awaitable[Store]], capsys: pytest.CaptureFixture[str]
) -> None:
    row = '{at},{model},{m},1,"Texas, US",0.4,0.3,1,1,0.99'
    fast = [row.format(at=NOW - n * 600, model=GPU, m=m) for n in range(24) for m in range(1, 9)]
    slow = [row.format(at=NOW - n * HOUR, model="H100 SXM", m=m) for n in range(4) for m in (21, 22)]
    assert await bring("\n".join([OFFERS, *fast, *slow])) == 0
    assert "unknown in between: H100 SXM every 60 minutes" in capsys.readouterr().out
    async with (await reading()).reader() as reader:
        assert await reader.interruptions("H100 SXM", 0) == []
        assert sum(lived.held_s for _, lived in await reader.exposure_hours("H100 SXM", 0)) == 2 * 3 * HOUR


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEAD.replace(",", ";").encode(), "separated by semicolons; save it with commas"),
        (HEAD.replace(",", "\t").encode(), "separated by tabs"),
        (HEAD.encode("utf-16"), "is UTF-16; save it as UTF-8"),
        (HEAD.encode("utf-16-be"), "columns are missing"),
    ],
)
async def test_a_file_as_spreadsheets_save_it_is_refused_with_what_to_do(
    tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    file = tmp_path / "file.csv"
    file.write_bytes(content + b"\n")
    settings = load_settings(database_url=url, _env_file=None)
    assert await import_files(settings, [file], kind=None, clock=lambda: NOW) == 2
    assert said in capsys.readouterr().err
