"""How soon rules notice a change of the market, measured from the probes and polls that were made."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from analytics.market import Quality
from bot.alerts.rules import Direction, Measure, Metric, Rule
from bot.store.market_reads import PollSpan
from bot.store.probes import StoredProbe
from bot.store.reader import Reader

CONFIRM_SECONDS = 10
"""Seconds until a probe is repeated to confirm what it met with (ours: beyond the service's least spacing of six)."""

CONFIRM_POLL_SECONDS = 60
"""Seconds after which a full poll is repeated where only a poll can confirm what it met with (ours)."""

FLOOR, STOCK, OFFER, CURRENT = "floor", "stock", "offer", "current"
"""What is probed for, as the store names it."""


@dataclass(frozen=True, slots=True)
class Noticing:
    """Seconds between two looks, the longest of any model; None where nothing of the sort was measured."""

    floor_seconds: int | None
    available_seconds: int | None
    offer_seconds: int | None
    current_price_seconds: int | None
    """of probes; the poll that they cause comes at once"""
    polls_seconds: int | None
    """the mean of the last 24 h, or since the last complete poll if that is longer"""


def noticing(
    probes: Sequence[StoredProbe], polls: Mapping[tuple[str, Quality], PollSpan], followed: Collection[str], now: int
) -> Noticing:
    """Of the last probe of each part of the market, and the polls of a day, of the models that are followed."""
    complete = {name: span for (name, quality), span in polls.items() if quality is Quality.COMPLETE}
    spaced = [
        max(span.spacing, now - span.last) for name, span in complete.items() if name in followed and span.spacing
    ]
    floor, stock, offer, current = (_longest(probes, kind, now) for kind in (FLOOR, STOCK, OFFER, CURRENT))
    return Noticing(floor, stock, offer, current, max(spaced, default=None))


async def notices_within(reader: Reader, rule: Rule, interval: int, now: int) -> int:
    """Seconds within which a rule notices, its confirming readings included.

    By the turns of the probes of its own model where it is probed for, else by its polls; ``interval``: between two.
    """
    model, kind = rule.series.model, _kind(rule)
    probes = [] if kind is None else [one for one in await reader.probes.last() if one.model == model]
    turn = _longest(probes, kind or "", now)
    confirms = CONFIRM_SECONDS if turn is not None and kind not in (CURRENT, STOCK) else CONFIRM_POLL_SECONDS
    return max(rule.hold_seconds, (interval if turn is None else turn) + confirms * (rule.readings - 1))


def _longest(probes: Iterable[StoredProbe], kind: str, now: int) -> int | None:
    some = (one for one in probes if one.kind == kind)
    return max((max(one.turn_s, now - one.asked_at) for one in some if one.turn_s is not None), default=None)


def _kind(rule: Rule) -> str | None:
    series = rule.series
    if series.measure in _PROBED:
        return _PROBED[series.measure]
    if series.measure is not Measure.PRICE or rule.direction is not Direction.BELOW:
        return None
    return {Metric.FLOOR: FLOOR, Metric.CURRENT: CURRENT}.get(series.metric)


_PROBED = {Measure.GPUS: STOCK, Measure.OFFER: OFFER}
