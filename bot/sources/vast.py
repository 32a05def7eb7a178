"""Vast.ai's search as a source. With its ``vast_*`` parts the only code that knows the service's JSON.

A full answer is a random sample of what matches, so it is never believed: its question is split until each part fits.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from analytics.market import Offer, Poll, Quality
from bot.sources.base import PROBE_ROWS, Fetch, ProbeAnswer, ProbeQuery, Reserve, Survey
from bot.sources.vast_client import TIMEOUT_S, Client, FetchContext, Timing
from bot.sources.vast_refusals import Act, Refusal
from bot.sources.vast_rows import CollectedOffers, clean, number

DEFAULT_URL = "https://console.vast.ai"
ROW_LIMIT = 512
"""Rows of one answer at most, whatever is asked for (observed 2026-10; without a limit it is 64)."""
DISK_GB = 8
"""What the search reckons disk for: fixed, or dph_total would shift between versions of the service's defaults."""
GPU_PARTS: tuple[tuple[int, int | None], ...] = ((1, 1), (2, 2), (3, 4), (5, None))
"""How a full question is split first; whatever a machine holds, it is in exactly one part."""
PRICE_PARTS = 4
"""Into how many price ranges a part is split that is still full, at the quantiles of the sample it gave."""
MOST_REQUESTS = 32
"""Searches for one name in one fetch; enough for some 5,000 offers, twice the whole rentable market of 2026-10."""
_REAL = Timing()


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of one name's market: slices of some sizes within ``low <= dph_total < high``."""

    gpus: tuple[int, int | None] | None = None
    low: float | None = None
    high: float | None = None

    def filters(self) -> dict[str, dict[str, float]]:
        """The piece in the service's query language."""
        least, most = self.gpus or (None, None)
        bounds: dict[str, dict[str, float | None]] = {
            "num_gpus": {"gte": least, "lte": most},
            "dph_total": {"gte": self.low, "lt": self.high},
        }
        known = {key: {op: v for op, v in limits.items() if v is not None} for key, limits in bounds.items()}
        return {key: limits for key, limits in known.items() if limits}

    def split(self, rows: Sequence[Any]) -> list[Part]:
        """Smaller pieces that make up this one, cut where the sampled rows lie; none when it cannot be cut."""
        if self.gpus is None:
            return [Part(gpus) for gpus in GPU_PARTS]
        prices = [
            price for row in rows if isinstance(row, dict) and (price := number(row.get("dph_total"))) is not None
        ]
        if len(prices) < PRICE_PARTS:
            return []
        cuts = {cut for cut in statistics.quantiles(prices, n=PRICE_PARTS) if min(prices) < cut <= max(prices)}
        edges = [self.low, *sorted(cuts), self.high]
        return [replace(self, low=low, high=high) for low, high in itertools.pairwise(edges)] if cuts else []


class VastSource:
    """Asks Vast's search, or anything that answers like it. ``spacing`` None: 6 s at the real service, else 0.

    ``permit`` is called before each request and raises where nothing may be asked any more: a fetch may be long.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        key: str | None = None,
        spacing: float | None = None,
        timeout: float = TIMEOUT_S,
        timing: Timing = _REAL,
        permit: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = Client(url, key, spacing, timeout, timing, permit)
        self._lock = asyncio.Lock()
        self._parts: dict[str, list[Part]] = {}

    async def fetch(
        self,
        vast_name: str,
        *,
        at: int,
        interval: int,
        models: Sequence[str],
        max_rows: int | None = None,
        reserve: Reserve | None = None,
    ) -> Fetch:
        """All rentable offers of one gpu_name, verified and not; ``models`` are those known to share the name."""
        async with self._lock:
            collected, context = CollectedOffers(vast_name), self._client.context(at, max_rows, reserve)
            refusal = self._client.closed(context)
            if refusal is None:
                refusal = self._client.settle(await self._census(collected, context), context)
        fetch = _account(vast_name, context, collected, refusal)
        unknown = frozenset(collected.unknown)
        groups: dict[str, list[Offer]] = defaultdict(list, {model: [] for model in models})
        if fetch.quality is not Quality.FAILED:
            for offer in collected.offers.values():
                groups[offer.model].append(offer)
        polls = (
            Poll(model, at, fetch.quality, tuple(sorted(offers, key=_slice_id)), interval, fetch.note, unknown)
            for model, offers in sorted(groups.items())
        )
        return replace(fetch, polls=tuple(polls))

    async def survey(self, *, at: int, max_rows: int = ROW_LIMIT, reserve: Reserve | None = None) -> Survey:
        """What the market is made of, from one search over all names, to choose what to follow."""
        limit = min(ROW_LIMIT, max_rows)
        async with self._lock:
            collected, context = CollectedOffers(""), self._client.context(at, max_rows, reserve)
            rows, refusal = await self._ask_once(_query({}, limit), context)
        names = Counter(clean(row.get("gpu_name")) for row in rows if isinstance(row, dict))
        del names[""]
        return Survey(dict(names), len(rows) >= limit, _account("", context, collected, refusal))

    async def probe(
        self, query: ProbeQuery, *, at: int, max_rows: int = PROBE_ROWS, reserve: Reserve | None = None
    ) -> ProbeAnswer:
        """The slices that a query asks for, from one search of few rows; those that it did not ask for are counted."""
        limit = min(PROBE_ROWS, max_rows)
        async with self._lock:
            collected, context = CollectedOffers(query.vast_name), self._client.context(at, max_rows, reserve)
            rows, refusal = await self._ask_once(_query(query.filters(), limit), context)
        collected.add(rows)
        offers = tuple(offer for offer in collected.offers.values() if query.meets(offer))
        ignored = len(collected.offers) - len(offers) + collected.dropped["another gpu_name"]
        return ProbeAnswer(offers, len(rows) >= limit, ignored, _account(query.vast_name, context, collected, refusal))

    async def aclose(self) -> None:
        """Close the connection to the service."""
        await self._client.aclose()

    async def _ask_once(self, query: dict[str, Any], context: FetchContext) -> tuple[list[Any], Refusal | None]:
        """The rows of one search, or what kept it from answering."""
        answer = self._client.closed(context) or await self._client.ask(query, context)
        refusal = answer if isinstance(answer, Refusal) else None
        if context.requests:
            refusal = self._client.settle(refusal, context)
        return answer if isinstance(answer, list) else [], refusal

    async def _census(self, collected: CollectedOffers, context: FetchContext) -> Refusal | None:
        """Fill the haul with every part of the name's market; what kept it from that, if something did."""
        todo, whole = list(self._parts.get(collected.vast_name, [Part()])), []
        while todo:
            part = todo.pop(0)
            if context.requests >= MOST_REQUESTS or not context.affords(1):
                limit = "requests for one fetch" if context.affords(1) else "rows left today"
                collected.capped = f"more offers than the {limit} allow"
                break
            limit_rows = ROW_LIMIT if context.max_rows is None else min(ROW_LIMIT, context.max_rows - context.rows)
            rows = await self._client.ask(
                _query({"gpu_name": {"eq": collected.vast_name}, **part.filters()}, limit_rows), context
            )
            if isinstance(rows, Refusal):
                return rows
            if not collected.add(rows):
                return Refusal(Act.STOP, collected.doubt())
            if len(rows) < limit_rows:
                whole.append(part)
                continue
            pieces = part.split(rows)
            collected.capped = collected.capped or ("" if pieces else "more offers at one price than one answer holds")
            todo += pieces
        self._remember(collected, whole)
        return None

    def _remember(self, collected: CollectedOffers, whole: list[Part]) -> None:
        """Begin the next census with the parts that fitted: the whole question first would waste a full answer."""
        if len(collected.offers) < ROW_LIMIT // 2:
            self._parts.pop(collected.vast_name, None)
        elif not collected.capped:
            self._parts[collected.vast_name] = whole


def _slice_id(offer: Offer) -> str:
    return offer.slice_id


def _query(filters: dict[str, dict[str, Any]], limit: int) -> dict[str, Any]:
    """The search's body. Every filter is said: the documents contradict each other on what is assumed otherwise."""
    return {
        "rentable": {"eq": True},
        "verified": {"eq": "any"},
        **filters,
        "type": "on-demand",
        "limit": limit,
        "allocated_storage": DISK_GB,
    }


def _account(vast_name: str, context: FetchContext, collected: CollectedOffers, refusal: Refusal | None) -> Fetch:
    """A Fetch without its polls: what it cost, how good it is and why."""
    doubt = "" if refusal else collected.doubt()
    quality = Quality.SUSPECT if doubt else Quality.COMPLETE
    if refusal or collected.capped:
        quality = Quality.FAILED if refusal else Quality.CAPPED
    wait = context.elapsed + refusal.wait if refusal and refusal.wait else None
    quota = refusal if refusal and refusal.act is Act.QUOTA else None
    return Fetch(
        vast_name=vast_name,
        at=context.at,
        polls=(),
        quality=quality,
        rows=context.rows,
        requests=context.requests,
        dropped=dict(collected.dropped),
        note="; ".join(filter(None, [*context.notes, refusal.note if refusal else "", collected.capped, doubt])),
        retry_after=wait,
        learned_limit=quota.limit if quota else None,
        quota_reset_at=context.at + math.ceil(wait) if quota and wait else None,
        clock_skew=context.clock_skew,
    )
