"""A file of prices alone: what needs only prices is answered from it and says so; what needs offers is refused."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from analytics.errors import NotYet
from analytics.evidence import to_json
from analytics.market import DAY, HOUR, Offer, Poll, Quality
from bot.cli.import_export import import_files
from bot.commands import COMMANDS
from bot.config import load_settings
from bot.dispatch.dispatcher import Dispatcher
from bot.forecasts import refresh
from bot.polling.rounds import Collector
from bot.presentation.words import Words
from bot.store.engine import Store, open_store

NOW = 1_790_000_000 // HOUR * HOUR
DAYS = 35
GPU, OTHER = "RTX 4090", "RTX 3090"
AS_IMPORTED = "the price is as imported, without the offers behind it: RTX 4090"
ONLY_PRICES = "Of RTX 4090 only prices were imported. A file of offers would answer this, or polling."

Ask = Callable[..., Awaitable[dict[str, Any]]]


def price_at(hour: int) -> float:
    """Higher in the afternoon, and now and then by a cent."""
    return 0.30 + (0.04 if 12 <= hour % 24 < 18 else 0.0) + 0.01 * (hour * 7919 % 13 // 6)


def lines(hours: range) -> str:
    rows = (f"{dt.datetime.fromtimestamp(h * HOUR, dt.UTC).isoformat()},{GPU},,{price_at(h):.3f},0.45" for h in hours)
    return "\n".join(["ts_utc,gpu_name,region,price,on_demand_price", *rows])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with five weeks of imported prices up to now, and forecasts from them."""
    folder = tmp_path_factory.mktemp("recorded")
    source = folder / "prices.csv"
    source.write_text(lines(range(NOW // HOUR - DAYS * 24, NOW // HOUR + 1)))
    settings = load_settings(database_url=f"sqlite:///{folder / 'spotbot.db'}", _env_file=None)

    async def forecast(store: Store, at: int) -> None:
        await refresh(store, at, anew=True)

    assert asyncio.run(import_files(settings, [source], kind=None, clock=lambda: NOW, forecast=forecast)) == 0
    return folder / "spotbot.db"


@pytest.fixture
async def store(file: Path, tmp_path: Path) -> AsyncIterator[Store]:
    copy = shutil.copy(file, tmp_path / "spotbot.db")
    opened = await open_store(f"sqlite:///{copy}", writer=True)
    yield opened
    await opened.close()


@pytest.fixture
def ask(store: Store) -> Ask:
    async def asked(line: str, *, later: int = 60) -> dict[str, Any]:
        dispatcher = Dispatcher(store, COMMANDS, lambda: NOW + later)
        return dict(json.loads(to_json((await dispatcher.ask_line(line))[1])))

    return asked


async def test_the_monitor_tells_imported_prices_and_no_offers_that_nobody_counted(ask: Ask) -> None:
    (row,) = (await ask("monitor"))["price_trends"]
    assert row["gpu_name"] == GPU
    assert row["current_price"] == pytest.approx(price_at(NOW // HOUR))
    assert row["on_demand_price"] == 0.45
    assert (row["offers"], row["gpus_available"], row["machines"]) == (None, None, None)
    assert row["history_hours"] >= 24
    assert row["usual_high_percent"] is not None, "its usual changes are worked out from the imported hours"
    assert not row["stale"]


@pytest.mark.parametrize("line", ["monitor", "predict 4090", "history 4090", "savings 4090 100h", "accuracy 4090"])
async def test_what_needs_only_prices_is_answered_and_says_where_they_come_from(ask: Ask, line: str) -> None:
    answer = await ask(line)
    assert AS_IMPORTED in answer["evidence"]["caveats"]
    assert "offers_now" not in answer, "nobody knows what is on offer"
    assert answer["evidence"]["as_of"] == dt.datetime.fromtimestamp(NOW, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert answer["evidence"]["freshness"] == "fresh"


async def test_predict_forecasts_from_the_imported_price(ask: Ask) -> None:
    answer = await ask("predict 4090")
    assert answer["current_price"] == pytest.approx(price_at(NOW // HOUR))
    assert answer["predictions"]["next_24h"]["low_80"] < answer["predictions"]["next_24h"]["high_80"]


async def test_savings_do_not_say_that_the_price_rests_on_few_machines(ask: Ask) -> None:
    answer = await ask("savings 4090 100h")
    assert answer["cost_dumont"] == pytest.approx(100 * price_at(NOW // HOUR))
    assert not [note for note in answer["evidence"]["caveats"] if "fewer than" in note]


@pytest.mark.parametrize(
    "line", ["availability 4090", "reliability 4090", "windows 4090", "interruptions 4090", "cost llama2-7b gpu=4090"]
)
async def test_what_needs_offers_says_which_file_would_help(store: Store, ask: Ask, line: str) -> None:
    dispatcher = Dispatcher(store, COMMANDS, lambda: NOW + 60)
    with pytest.raises(NotYet) as refused:
        await dispatcher.ask_line(line)
    assert [str(remark) for remark in refused.value.remarks] == [ONLY_PRICES]
    assert "importados" in Words("pt-BR", NOW)(refused.value.remarks[0])


@pytest.mark.parametrize("line", ["llm 7b", "fleet 500", "interruptions", "cost llama2-7b"])
async def test_a_question_about_the_whole_market_says_it_too(store: Store, line: str) -> None:
    with pytest.raises(NotYet) as refused:
        await Dispatcher(store, COMMANDS, lambda: NOW + 60).ask_line(line)
    assert [str(remark) for remark in refused.value.remarks] == [
        "Only prices were imported. A file of offers would answer this, or polling."
    ]


async def test_an_old_file_is_stale_and_nothing_is_forecast_from_it(ask: Ask) -> None:
    answer = await ask("monitor", later=30 * DAY)
    assert answer["price_trends"][0]["stale"]
    assert answer["evidence"]["freshness"] == "late"
    with pytest.raises(NotYet, match="too old to forecast from") as refused:
        await ask("predict 4090", later=30 * DAY)
    assert [str(remark) for remark in refused.value.remarks] == [
        "The prices of RTX 4090 were imported. A file of newer ones would answer this, or polling."
    ]


async def test_a_complete_poll_goes_before_what_was_imported(store: Store, ask: Ask) -> None:
    offer = Offer(GPU, 1, 1, 900_000, 500_000)
    at = NOW + 30
    await Collector(store).record_many([(at, [Poll(GPU, at, Quality.COMPLETE, (offer,), 300)])])
    (row,) = (await ask("monitor"))["price_trends"]
    assert row["current_price"] == 0.5
    assert row["machines"] == 1
    assert AS_IMPORTED not in (await ask("savings 4090"))["evidence"]["caveats"]
    with pytest.raises(NotYet) as refused:
        await ask("reliability 4090")
    assert not refused.value.remarks


async def test_a_capped_poll_leaves_the_imported_price(store: Store, ask: Ask) -> None:
    at = NOW + 30
    await Collector(store).record_many([(at, [Poll(GPU, at, Quality.CAPPED, (), 300)])])
    assert (await ask("monitor"))["price_trends"][0]["current_price"] == pytest.approx(price_at(NOW // HOUR))
