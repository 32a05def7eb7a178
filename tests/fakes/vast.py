"""A small market that answers like Vast's search, on loopback: honest service, and a script of faults to go first."""

from __future__ import annotations

import asyncio
import json
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bot.sources.vast_client import Timing

CAP = 512
OPS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: b == "any" or a == b,
    "gte": lambda a, b: a >= b,
    "lte": lambda a, b: a <= b,
    "lt": lambda a, b: a < b,
    "gt": lambda a, b: a > b,
    "notin": lambda a, b: a not in b,
}
NOT_FILTERS = {"type", "limit", "allocated_storage", "verified"}


def offer_row(n: int = 0, **changes: Any) -> dict[str, Any]:
    """A raw row as the service writes it, of machine ``1000 + n``: fields we read, a few we do not, and changes."""
    return {
        "id": 21_000_000 + n, "ask_contract_id": 21_000_000 + n, "bundle_id": 9, "machine_id": 1000 + n,
        "host_id": 500 + n, "gpu_name": "RTX 4090", "gpu_ram": 24564, "gpu_ids": [7000 + n], "num_gpus": 1,
        "dph_base": 0.3, "dph_total": 0.3 + n / 10_000, "min_bid": 0.2, "storage_cost": 0.15, "inet_up_cost": 0.002,
        "disk_space": 512.5,
        "verification": "verified", "vericode": 1, "rentable": True, "rented": False, "reliability2": 0.99,
        "reliability": 0.99, "geolocation": "Texas, US", "hosting_type": 0, "end_date": 1_800_000_000.0,
        "start_date": None, "cpu_cores": None, "gpu_frac": 1, "search": {"totalHour": 0.31}, **changes,
    }  # fmt: skip


@dataclass(slots=True)
class Say:
    """One answer out of turn."""

    status: int = 200
    body: Any = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: bool = False
    cut_off: bool = False
    """announce more bytes than come, then close the connection"""

    def bytes(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


@dataclass(slots=True)
class Time:
    """A clock that only sleeping moves; ``naps`` are the sleeps asked for."""

    now: float = 1000.0
    naps: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    def timing(self, jitter: float = 1.0) -> Timing:
        return Timing(self.sleep, lambda: self.now, lambda: jitter)


class FakeVast:
    """``async with FakeVast(rows) as market``: ``market.script`` is answered first, then what the rows say."""

    def __init__(self, rows: list[dict[str, Any]] | None = None) -> None:
        self.rows = rows or []
        self.ignored_filters: set[str] = set()
        self.tells_time = True
        self.script: deque[Say] = deque()
        self.queries: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.times: list[float] = []
        self.clock: Callable[[], float] = lambda: 0.0
        self.open_now = self.most_open = self.sent = 0
        self.url = ""
        self._released = asyncio.Event()
        self._random = random.Random(7)

    async def __aenter__(self) -> FakeVast:
        app = web.Application(client_max_size=2**20)
        app.router.add_post("/api/v0/bundles/", self._search)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._released.set()
        await self._runner.cleanup()

    async def _search(self, request: web.Request) -> web.StreamResponse:
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            query = json.loads(await request.text())
            self.queries.append(query)
            self.headers.append(request.headers.copy())
            self.times.append(self.clock())
            if self.script:
                return await self._say(self.script.popleft(), request)
            found = self._found(query)
            self.sent += len(found)
            headers = {} if self.tells_time else {"Date": ""}
            return web.json_response({"success": True, "offers": found}, headers=headers)
        finally:
            self.open_now -= 1

    def _found(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        passed = NOT_FILTERS | self.ignored_filters
        tests = [(key, op, v) for key, c in query.items() if key not in passed for op, v in c.items()]
        if query["verified"] == {"eq": True}:
            tests.append(("verification", "eq", "verified"))
        found = [row for row in self.rows if all(OPS[op](row[key], v) for key, op, v in tests)]
        return self._random.sample(found, min(len(found), query["limit"], CAP))

    async def _say(self, say: Say, request: web.Request) -> web.StreamResponse:
        if say.hang:
            await self._released.wait()
        if not say.cut_off:
            return web.Response(status=say.status, body=say.bytes(), headers=say.headers)
        response = web.StreamResponse(headers=say.headers)
        response.content_length = len(say.bytes()) + 1000
        await response.prepare(request)
        await response.write(say.bytes())
        assert request.transport is not None
        request.transport.close()
        return response


def page(*rows: Any, **more: Any) -> dict[str, Any]:
    return {"success": True, "offers": list(rows), **more}
