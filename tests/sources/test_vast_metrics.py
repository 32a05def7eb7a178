from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from analytics.errors import MarketDown, Refused
from analytics.market import WORLD, HourPoint
from bot.sources.vast_metrics import gpu_history
from tests.fakes.vast import FakeVast

HOUR = 500_000


@pytest.fixture
async def market() -> AsyncIterator[FakeVast]:
    async with FakeVast() as fake:
        yield fake


def says(market: FakeVast, body: Any, status: int = 200) -> list[web.Request]:
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        text = {"text": body} if isinstance(body, str) else {}
        return web.Response(status=status, **text) if text else web.json_response(body, status=status)

    market.metrics = answer
    return seen


async def history(market: FakeVast, *names: str) -> list[Any]:
    return await gpu_history(market.url, "host-key", names, since_hour=HOUR, until_hour=HOUR + 3)


def series(counts: list[Any], prices: list[Any]) -> dict[str, Any]:
    stamps = [(HOUR + n) * 3600 + 5 for n in range(len(counts))]
    return {
        "supply_demand": {"timestamps": stamps, "avail_verified": counts, "total": [9] * len(counts)},
        "pricing": {"timestamps": stamps, "avail_median": prices, "rented_median": prices},
        "stats": {},
    }


def point(hour: int, on_demand: int | None, gpus: int) -> HourPoint:
    return HourPoint(hour, None, None, None, None, on_demand, offers=0, gpus=gpus, polls=0)


async def test_hours_become_points_without_spot_prices(market: FakeVast) -> None:
    gpus = {"RTX 4090": series([4, 0, 7, 8], [0.3, None, 0.31, 0.4]), "H100 SXM": series([2], [1.9])}
    seen = says(market, {"success": True, "gpus": gpus})
    assert await history(market, "RTX 4090", "H100 SXM") == [
        ("H100 SXM", WORLD, HOUR, point(HOUR, 1_900_000, 2)),
        ("RTX 4090", WORLD, HOUR, point(HOUR, 300_000, 4)),
        ("RTX 4090", WORLD, HOUR + 1, point(HOUR + 1, None, 0)),
        ("RTX 4090", WORLD, HOUR + 2, point(HOUR + 2, 310_000, 7)),
    ]
    assert dict(seen[0].query) == {
        "gpu_name": "RTX 4090,H100 SXM",
        "verified": "yes",
        "hosting_type": "all",
        "num_gpus": "all",
        "start": str(HOUR * 3600),
        "end": str((HOUR + 3) * 3600),
        "step": "3600",
    }
    assert seen[0].headers["Authorization"] == "Bearer host-key"


async def test_an_hour_without_a_count_is_left_out(market: FakeVast) -> None:
    says(market, {"gpus": {"RTX 4090": series([None, "x", 3], ["NaN", -1, 0])}})
    assert await history(market, "RTX 4090") == [("RTX 4090", WORLD, HOUR + 2, point(HOUR + 2, None, 3))]


@pytest.mark.parametrize("odd", [None, [], {"supply_demand": None}, {"supply_demand": {"timestamps": 3}}])
async def test_odd_series_are_no_points(market: FakeVast, odd: Any) -> None:
    says(market, {"gpus": {"RTX 4090": odd}})
    assert await history(market, "RTX 4090") == []


@pytest.mark.parametrize(
    ("status", "body"), [(401, {"error": "auth_error"}), (403, ""), (200, {"success": False, "needs_machine": True})]
)
async def test_a_key_without_a_machine_is_told_so(market: FakeVast, status: int, body: Any) -> None:
    says(market, body, status)
    with pytest.raises(Refused, match="only to hosts with an active machine"):
        await history(market, "RTX 4090")


@pytest.mark.parametrize(("status", "body"), [(500, ""), (200, "<html>"), (200, []), (200, {"gpus": []})])
async def test_no_history_is_the_market_being_down(market: FakeVast, status: int, body: Any) -> None:
    says(market, body, status)
    with pytest.raises(MarketDown, match=f"HTTP {status}"):
        await history(market, "RTX 4090")


async def test_nobody_there_is_the_market_being_down() -> None:
    with pytest.raises(MarketDown, match="ConnectError"):
        await gpu_history("http://127.0.0.1:1", "key", ["RTX 4090"], since_hour=HOUR, until_hour=HOUR + 1)
