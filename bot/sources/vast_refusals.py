"""What Vast's refusals mean: one pure function from an answer to what to do about it."""

from __future__ import annotations

import datetime as dt
import email.utils
import enum
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analytics.market import DAY
from bot.sources.vast_rows import clean, number, whole

LONGEST_WAIT_S = 900.0
"""No stated wait but the day's quota is honoured beyond 15 minutes. A choice."""
RESET_MARGIN_S = 5.0
"""Waited beyond a stated reset: it is told in whole seconds, and the service's clock is not ours. A choice."""
QUOTA_ERROR = "search_quota_exceeded"
_THRESHOLD = re.compile(r"threshold\s*=\s*(\d+(?:\.\d+)?)")
_KEY_TROUBLE = ("invalid user key", "session expired")


class Act(enum.Enum):
    """What to do about a refusal."""

    RETRY = "retry"
    """trouble on the way: again after a backoff, a few times"""
    SLOWER = "slower"
    """asked too often: again, and later ones further apart"""
    QUOTA = "quota"
    """the day's rows are spent: nothing until ``wait`` has passed"""
    KEY = "key"
    """the key is not accepted: on without it"""
    STOP = "stop"
    """asking again cannot help"""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer without a market in it."""

    act: Act
    note: str
    wait: float | None = None
    """seconds to stay away"""
    spacing: float | None = None
    """least seconds between two requests, as learned"""
    limit: int | None = None
    """rows a day, as learned"""


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def judge(reply: Reply, now: int) -> Refusal | None:
    """What a reply refuses and what follows from it; None when it has status 200. ``now`` is UTC seconds."""
    status, said = reply.status, _message(reply.body)
    if status == 200:
        return None
    wait = _retry_after(reply.headers, now)
    wait = None if wait is None else min(wait, LONGEST_WAIT_S)
    if status == 429:
        return _too_many(reply, said, wait, now)
    if status == 401 or (status == 404 and any(words in said.lower() for words in _KEY_TROUBLE)):
        return Refusal(Act.KEY, f"the market wants a valid key (HTTP {status}: {said})")
    if status == 400:
        return Refusal(
            Act.STOP, f"the market does not understand our query, which is a bug of spotbot (HTTP 400: {said})"
        )
    if status == 410:
        return Refusal(Act.STOP, f"the market has closed this endpoint; spotbot needs an update (HTTP 410: {said})")
    if status < 400:
        return Refusal(Act.RETRY, f"the market points elsewhere or says nothing (HTTP {status})", wait)
    if status >= 500:
        return Refusal(Act.RETRY, f"the market is in trouble (HTTP {status})", wait)
    return Refusal(Act.STOP, f"the market refuses (HTTP {status}: {said})", wait)


def _too_many(reply: Reply, said: str, wait: float | None, now: int) -> Refusal:
    page = _object(reply.body)
    if QUOTA_ERROR in f"{page.get('error')} {said}":
        limit = whole(page.get("limit")) or whole(reply.headers.get("X-RateLimit-Limit"))
        return Refusal(Act.QUOTA, "the rows of this day are spent", _until_reset(reply, page, now), limit=limit)
    found = _THRESHOLD.search(said)
    spacing = min(float(found[1]), LONGEST_WAIT_S) if found else None
    return Refusal(Act.SLOWER, f"asked too often (HTTP 429: {said})", wait, spacing)


def _until_reset(reply: Reply, page: Mapping[str, Any], now: int) -> float:
    """Seconds until the quota is surely new. Relative statements first: they survive a wrong clock."""
    reset = number(reply.headers.get("X-RateLimit-Reset"))
    stated = (number(page.get("retry_after")), _retry_after(reply.headers, now), None if reset is None else reset - now)
    left = next((wait for wait in stated if wait is not None and 0 < wait <= DAY), DAY - now % DAY)
    return left + RESET_MARGIN_S


def _retry_after(headers: Mapping[str, str], now: int) -> float | None:
    """The header's seconds, or seconds until its HTTP date; None when there is none or it cannot be read."""
    text = headers.get("Retry-After")
    if text is None:
        return None
    seconds = number(text)
    if seconds is None:
        try:
            date = email.utils.parsedate_to_datetime(text)
            seconds = (date if date.tzinfo else date.replace(tzinfo=dt.UTC)).timestamp() - now
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
    return max(0.0, seconds)


def _object(body: bytes) -> dict[str, Any]:
    try:
        page = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return page if isinstance(page, dict) else {}


def _message(body: bytes) -> str:
    """What a refusal says for itself, in whichever of its shapes, short and printable."""
    page = _object(body)
    said = next((page[key] for key in ("msg", "message", "detail", "error") if isinstance(page.get(key), str)), None)
    return clean(said if said is not None else body[:1000].decode("utf-8", "replace"), cut=True)
