"""How soon rules notice a change of the market, measured from the probes and polls that were made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from analytics.market import DAY
from bot.alerts.rules import Direction, Measure, Metric, Rule
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


async def noticing(reader: Reader, now: int) -> Noticing:
    """As the store knows it, whichever process probes."""
    probes = await reader.probes.last()
    followed = {row.name for row in await reader.models() if row.followed}
    spaced = [seconds for name, seconds in (await _spacing(reader, now)).items() if name in followed]
    floor, stock, offer, current = (_longest(probes, kind, now) for kind in (FLOOR, STOCK, OFFER, CURRENT))
    return Noticing(floor, stock, offer, current, max(spaced, default=None))


async def notices_within(reader: Reader, rule: Rule, interval: int, now: int) -> int:
    """Seconds within which a rule notices, its confirming readings included.

    By the turns of the probes of its own model where it is probed for, else by the model's polls; ``interval``: the
    planned one, where two polls were not made yet.
    """
    model, kind = rule.series.model, _kind(rule)
    probes = [one for one in await reader.probes.last() if one.model == model]
    turn = None if kind is None else _longest(probes, kind, now)
    confirms = CONFIRM_SECONDS if turn is not None and kind != CURRENT else CONFIRM_POLL_SECONDS
    if turn is None:
        turn = (await _spacing(reader, now)).get(model, interval)
    return max(rule.hold_seconds, turn + confirms * (rule.readings - 1))


async def _spacing(reader: Reader, now: int) -> Mapping[str, int]:
    """Seconds between two polls of each model that has two."""
    polled = await reader.poll_spacing(now - DAY)
    return {name: max(mean, now - last) for name, (mean, last) in polled.items()}


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
