"""``spotbot import`` on a real file and a real store: what is refused, what is said where, and the exit code."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path

import pytest

from analytics.market import DAY, HOUR, Quality
from bot.cli.import_export import import_files
from bot.commands import COMMANDS
from bot.config import Settings, load_settings
from bot.dispatch.dispatcher import Dispatcher
from bot.forecasts import refresh
from bot.sources.importing import SKEW_SECONDS
from bot.store.engine import Store, open_store

NOW = 1_790_000_000 // HOUR * HOUR - 60
"""A minute before the hour, so that what a fast clock recorded may lie in the next one."""
OFFERS = (
    "ts_utc,gpu_name,machine_id,num_gpus,geolocation,on_demand_per_gpu,min_bid_per_gpu,rentable,verified,reliability"
)

Import = Callable[..., int]


def iso(at: int) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat()


def prices(*times: int) -> str:
    return "\n".join(["ts_utc,gpu_name,region,price", *(f"{iso(at)},RTX 4090,,0.3" for at in times)])


def offers(*times: int) -> str:
    return "\n".join([OFFERS, *(f'{iso(at)},RTX 4090,1,1,"Texas, US",0.4,0.3,1,1,0.99' for at in times)])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(database_url=f"sqlite:///{tmp_path / 'spotbot.db'}", _env_file=None)


@pytest.fixture
def bring(tmp_path: Path, settings: Settings) -> Callable[..., object]:
    """Import files of these texts, at NOW."""

    async def forecast_nothing(store: Store, at: int) -> None:
        """Most tests need no forecasts: they are made in a process of their own, which takes seconds to start."""

    async def run(*texts: str, forecast: Callable[..., Awaitable[object]] = forecast_nothing) -> int:
        files = [tmp_path / f"{n}.csv" for n in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text)
        return await import_files(settings, files, kind=None, clock=lambda: NOW, forecast=forecast)

    return run


@pytest.fixture
async def reading(settings: Settings) -> AsyncIterator[Callable[[], object]]:
    opened: list[Store] = []

    async def store() -> Store:
        opened.append(await open_store(settings.database_url, writer=False))
        return opened[-1]

    yield store
    for one in opened:
        await one.close()


async def hours(store: Store) -> list[int]:
    async with store.reader() as reader:
        return [point.hour for points in (await reader.hours(None, 0)).values() for point in points]


def past(n: int = 30) -> Iterable[int]:
    return range(NOW - n * HOUR, NOW + 1, HOUR)


@pytest.mark.parametrize("text", [prices, offers])
async def test_lines_from_the_future_are_refused_by_number(
    bring: Import, reading: Callable[[], object], text: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = await bring(text(*past(), NOW + SKEW_SECONDS + 1, NOW + 2 * DAY))
    assert code == 0
    said = capsys.readouterr().err
    assert f"line 33: ts_utc is in the future: '{iso(NOW + SKEW_SECONDS + 1)}'" in said
    assert "line 34: ts_utc is in the future" in said
    assert max(await hours(await reading())) == NOW // HOUR


@pytest.mark.parametrize("text", [prices, offers])
async def test_a_clock_that_is_a_little_ahead_is_no_reason_to_refuse(
    bring: Import, text: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await bring(text(NOW - 900, NOW + SKEW_SECONDS)) == 0
    out, err = capsys.readouterr()
    assert "2 rows" in out
    assert "line" not in err


async def test_no_forecast_is_issued_from_a_time_that_has_not_come(
    bring: Import, reading: Callable[[], object]
) -> None:
    await bring(offers(*past(60), NOW + 120), forecast=refresh)
    store = await reading()
    async with store.reader() as reader:
        found = await reader.forecasts("RTX 4090")
    assert found
    assert max(forecast.issued_at for forecast in found) <= NOW


async def test_older_history_brought_in_later_does_not_turn_the_clock_back(bring: Import) -> None:
    at: list[int] = []

    async def told(_: Store, now: int) -> None:
        at.append(now)

    await bring(prices(NOW - DAY, NOW - HOUR), forecast=told)
    await bring(prices(NOW - 9 * DAY, NOW - 8 * DAY), forecast=told)
    assert [one // HOUR for one in at] == [(NOW - HOUR) // HOUR] * 2


async def test_an_offer_may_end_in_the_future(bring: Import, capsys: pytest.CaptureFixture[str]) -> None:
    text = offers(NOW - 900).replace("reliability\n", "reliability,end_date\n") + f",{iso(NOW + 90 * DAY)}"
    assert await bring(text) == 0
    assert "skipped" not in capsys.readouterr().err


async def test_skipped_lines_are_counted_and_named_on_standard_error(
    bring: Import, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await bring(prices(NOW - HOUR) + "\nyesterday,RTX 4090,,0.3\n1970-01-02T00:00:00Z,RTX 4090,,0.3") == 0
    out, err = capsys.readouterr()
    assert "0.csv: 1 row of 1 model, 1 hour stored\n" in out
    assert [line for line in err.splitlines() if line.startswith(("0.csv", "  line"))] == [
        "0.csv: 2 lines skipped",
        "  line 3: ts_utc is not a time: 'yesterday'",
        "  line 4: ts_utc is before 2000: '1970-01-02T00:00:00Z'",
    ]


async def test_a_file_without_a_single_usable_line_is_a_failure(
    bring: Import, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await bring(prices(NOW + DAY)) == 2
    assert "1 line skipped" in capsys.readouterr().err
    assert await bring(prices()) == 2
    assert await bring(prices(NOW - HOUR), prices(NOW + DAY)) == 2


async def test_what_is_there_already_is_no_failure(bring: Import, capsys: pytest.CaptureFixture[str]) -> None:
    assert await bring(offers(*past(3))) == 0
    assert await bring(offers(*past(3))) == 0
    assert "already covered" in capsys.readouterr().out


async def test_imported_prices_have_a_history_that_ends_where_they_end(
    bring: Import, reading: Callable[[], object]
) -> None:
    """Nothing was polled, so nothing says "now" but the hours themselves."""
    await bring(prices(*(NOW - 60 * DAY + n * HOUR for n in range(48) if n not in (5, 6))))
    dispatcher = Dispatcher(await reading(), COMMANDS, lambda: NOW)
    _, found = await dispatcher.ask_line("history RTX 4090 days=30")
    assert len(found.points) == 46
    assert [gap.hours for gap in found.gaps] == [2]
    assert found.evidence.stale


async def test_an_imported_poll_that_cannot_be_true_counts_nothing(
    bring: Import, reading: Callable[[], Awaitable[Store]]
) -> None:
    times = [NOW - n * 900 for n in range(6, 0, -1)]
    lines = [
        f'{iso(at)},RTX 4090,{machine},1,"Texas, US",{0.4 * factor},{0.3 * factor},1,1,0.99'
        for at, factor in zip(times, (1, 1, 1, 1000, 1, 1), strict=True)
        for machine in range(1, 11)
    ]
    assert await bring("\n".join([OFFERS, *lines])) == 0
    async with (await reading()).reader() as reader:
        assert await reader.interruptions("RTX 4090", 0) == []
        assert [quality for _, quality in await reader.poll_times("RTX 4090", 0, NOW)].index(Quality.SUSPECT) == 3
        assert {quote.price for quote in await reader.points("RTX 4090", 0)} == {300_000}


LISTED = {
    "H100_80GB_SXM5": "H100 SXM",
    "a100-sxm-80gb": "A100 SXM4 80GB",
    "RTX_4090": "RTX 4090",
    "NVIDIA GeForce RTX 4090": "RTX 4090",
    "Tesla-V100-SXM2-16GB": "Tesla V100 16GB",
    "h100_sxm": "H100 SXM",
    "1x A100 80GB PCIe": "A100 PCIE 80GB",
    "B200 SXM": "B200",
    "NVIDIA H200": "H200",
}
OPEN = ("A100", "A100 80GB", "A100 PCIE", "H100", "NVIDIA H100 80GB HBM3", "RTX PRO 6000")
OWN = ("us-east-1a", "8x A100 80GB PCIe", "RTX 4090 Laptop GPU", "H100 SXM5 94GB", "Zone 3 - big")


def named(*names: str, region: str = "World") -> str:
    return "\n".join(["ts_utc,gpu_name,region,price", *(f"{NOW - HOUR},{name},{region},0.3" for name in names)])


async def test_models_are_read_as_others_spell_them_and_said(
    bring: Import, reading: Callable[[], Awaitable[Store]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await bring(named(*LISTED, *OPEN, *OWN, "RTX 4090")) == 0
    async with (await reading()).reader() as reader:
        assert {row.name for row in await reader.models()} == {*LISTED.values(), *OPEN, *OWN}
    said = " ".join(capsys.readouterr().out.split())
    for spelt, model in LISTED.items():
        assert f"{spelt} as {model}" in said
    assert "A100 80GB (A100 SXM4 80GB or A100 PCIE 80GB)" in said
    assert "RTX 4090 as" not in said.replace("GeForce RTX 4090 as", "")
    assert f"not in the catalogue, kept as written: {', '.join(sorted(OWN))}" in said


@pytest.mark.parametrize("region", ["", "World", "ALL", "all", "world", "Global", "*"])
async def test_names_of_the_world_are_the_world(
    bring: Import, reading: Callable[[], Awaitable[Store]], region: str
) -> None:
    await bring(named("RTX 4090", region=region))
    assert await hours(await reading()) == [(NOW - HOUR) // HOUR]


@pytest.mark.parametrize("name", [*OWN, "p2.16xlarge (spot)"])
@pytest.mark.parametrize("line", ["history {name}", 'history "{name}"', "history {name} days=30"])
async def test_a_stored_model_is_asked_by_its_exact_name(
    bring: Import, reading: Callable[[], Awaitable[Store]], name: str, line: str
) -> None:
    await bring(named(name, "RTX 4090"))
    _, found = await Dispatcher(await reading(), COMMANDS, lambda: NOW).ask_line(line.format(name=name))
    assert found.gpu_name == name


async def test_one_unreadable_row_costs_no_poll_and_is_no_interruption(
    bring: Import, reading: Callable[[], Awaitable[Store]], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        f'{at},RTX 4090,{m},1,"Texas, US",0.4,0.3,1,1,0.99'
        for at in range(NOW - 3600, NOW, 600)
        for m in (1, 2, 3, 4, 5)
    ]
    lines[12] = lines[12].replace("0.4", "n/a")
    lines[18] = lines[18][:20]
    assert await bring("\n".join([OFFERS, *lines])) == 0
    assert "polls: 6 complete, 0 cut off, 0 void, 0 doubtful, 10 minutes apart" in capsys.readouterr().out
    async with (await reading()).reader() as reader:
        assert await reader.interruptions("RTX 4090", 0) == []


@pytest.mark.parametrize(("bad", "code", "says"), [(1, 0, "1 complete"), (3, 2, "0 complete, 0 cut off, 1 void")])
async def test_an_import_of_which_no_poll_counts_fails(
    bring: Import, capsys: pytest.CaptureFixture[str], bad: int, code: int, says: str
) -> None:
    prices_ = ["n/a"] * bad + ["0.4"] * (5 - bad)
    lines = [f'{NOW - 60},RTX 4090,{m},1,"Texas, US",{price},0.3,1,1,0.99' for m, price in enumerate(prices_, 1)]
    assert await bring("\n".join([OFFERS, *lines])) == code
    said = capsys.readouterr().out
    assert says in said
    assert ("good for: nothing" in said) is bool(code)


@pytest.mark.parametrize(
    ("ago", "says", "silent"),
    [
        ((30, 2), "", "old"),
        ((30, 10), "newest: 10 days old", "days kept"),
        ((400, 10), "is older than the 396 days kept", "all of it"),
        ((420, 400), "all of it is older than the 396 days kept", "monitor"),
    ],
)
async def test_what_is_too_old_is_said(
    bring: Import, capsys: pytest.CaptureFixture[str], ago: tuple[int, int], says: str, silent: str
) -> None:
    first, last = (NOW - days * DAY for days in ago)
    await bring(prices(first, NOW - HOUR if ago[1] == 2 else last))
    said = " ".join(capsys.readouterr().out.split())
    assert says in said
    assert silent not in said


async def test_no_line_is_wider_than_a_terminal(bring: Import, capsys: pytest.CaptureFixture[str]) -> None:
    await bring(named(*LISTED, *OPEN, *OWN))
    assert all(len(line) <= 80 for line in capsys.readouterr().out.splitlines())
