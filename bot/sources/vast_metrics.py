"""Vast's own market history as a back-fill: hourly counts and on-demand prices. Only for hosts with an active machine.

It knows no min_bid, so it can tell nothing about spot prices or interruptions: those fields stay empty.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from analytics.catalog import model_name
from analytics.errors import MarketDown, Refused
from analytics.evidence import Note
from analytics.market import HOUR, WORLD, HourPoint, micro
from bot.sources.vast_client import TIMEOUT_S, Broken, exchange, open_client
from bot.sources.vast_refusals import Reply
from bot.sources.vast_rows import number, whole

HISTORY_PATH = "/api/v0/metrics/gpu/history/"
Point = tuple[str, str, int, HourPoint]
"""model, region, hour, what was there"""


async def gpu_history(
    url: str, key: str, vast_names: Sequence[str], *, since_hour: int, until_hour: int
) -> list[Point]:
    """Hourly points of verified machines by model, ``until_hour`` exclusive. Raises Refused or MarketDown."""
    query: dict[str, str | int] = {
        "gpu_name": ",".join(vast_names),
        "verified": "yes",
        "hosting_type": "all",
        "num_gpus": "all",
        "start": since_hour * HOUR,
        "end": until_hour * HOUR,
        "step": HOUR,
    }
    async with open_client(url) as client:
        headers = {"Authorization": f"Bearer {key}"}
        request = client.build_request("GET", HISTORY_PATH, params=query, headers=headers)
        try:
            gpus = _gpus(await exchange(client, request, TIMEOUT_S))
        except Broken as error:
            raise MarketDown(Note("The market's history cannot be read: {why}.", {"why": str(error)})) from error
    points = [point for name, series in gpus.items() for point in _points(name, series)]
    return sorted((p for p in points if since_hour <= p[2] < until_hour), key=lambda p: (p[0], p[2]))


def _gpus(reply: Reply) -> dict[str, Any]:
    try:
        page = json.loads(reply.body)
    except (ValueError, RecursionError):
        page = None
    known: dict[str, Any] = page if isinstance(page, dict) else {}
    if reply.status in (401, 403) or known.get("needs_machine"):
        raise Refused(Note("The market shows its history only to hosts with an active machine; this key has none."))
    gpus = known.get("gpus")
    if reply.status != 200 or not isinstance(gpus, dict):
        raise MarketDown(Note("The market's history cannot be read: {why}.", {"why": f"HTTP {reply.status}"}))
    return gpus


def _points(vast_name: str, series: Any) -> list[Point]:
    """One name's series. An hour without a count is left out: no count is not a count of zero."""
    supply, pricing = (_columns(series, part) for part in ("supply_demand", "pricing"))
    prices = dict(zip(pricing["timestamps"], pricing["avail_median"], strict=False))
    model, points = model_name(vast_name, None), {}
    for stamp, count in zip(supply["timestamps"], supply["avail_verified"], strict=False):
        second, gpus, price = whole(stamp), whole(count, least=0), number(prices.get(stamp))
        if second is not None and gpus is not None:
            hour = second // HOUR
            on_demand = micro(price) if price is not None and 0 < price < 1e6 else None
            point = HourPoint(hour, None, None, None, None, on_demand, offers=0, gpus=gpus, polls=0)
            points[hour] = (model, WORLD, hour, point)
    return list(points.values())


def _columns(series: Any, part: str) -> dict[str, list[Any]]:
    table = series.get(part) if isinstance(series, dict) else None
    known = table if isinstance(table, dict) else {}
    names = ("timestamps", "avail_verified", "avail_median")
    return {name: known[name] if isinstance(known.get(name), list) else [] for name in names}
