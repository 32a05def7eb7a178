"""What is watched and when it fires: series, rules, and which rules are refused.

Many rules share one series, which is measured once a round. Each measure has one integer unit; a change is kept as
the price in parts per million of what it was (-10 % is 900,000), so that every value is positive and re-arming is the
same sum for all.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from analytics.market import DAY, HOUR, WORLD, Scope
from bot.alerts.quiet import Quiet

PPM = 1_000_000
"""Parts per million: what a percentage or a probability is counted in."""


class Kind(enum.StrEnum):
    """What a rule waits for."""

    BELOW = "below"
    ABOVE = "above"
    CROSSES = "crosses"
    DROPS = "drops"
    RISES = "rises"
    NEW_LOW = "new_low"
    AVAILABLE = "available"
    PREDICTED_BELOW = "predicted_below"
    RISK_ABOVE = "risk_above"
    OFFER = "offer"


class Metric(enum.StrEnum):
    """Which price of a market is meant."""

    CURRENT = "current"
    FLOOR = "floor"
    ON_DEMAND = "on_demand"


class Measure(enum.StrEnum):
    """What is computed of a market, once a round."""

    PRICE = "price"
    CHANGE = "change"
    """the price in ppm of the price ``window`` seconds earlier"""
    OVER_LOW = "over_low"
    """the price in ppm of the lowest price of the ``window`` seconds that ended with the last full hour"""
    GPUS = "gpus"
    PREDICTED = "predicted"
    """the lowest price that the served forecasts put the market at or below, with probability ``level`` (ppm) or more,
    at one of their hours within ``window`` seconds"""
    RISK = "risk"
    """the probability (ppm) that a tenant who starts now is interrupted within ``window`` seconds"""
    OFFER = "offer"
    """the lowest bid of a verified slice that can be rented"""


class Unit(enum.StrEnum):
    """What the integers of a measure count."""

    MICRO_DOLLARS = "micro-dollars per GPU-hour"
    GPUS = "GPUs"
    RATIO = "parts per million of an earlier price"
    PROBABILITY = "parts per million"


UNITS: Mapping[Measure, Unit] = {
    Measure.PRICE: Unit.MICRO_DOLLARS,
    Measure.CHANGE: Unit.RATIO,
    Measure.OVER_LOW: Unit.RATIO,
    Measure.GPUS: Unit.GPUS,
    Measure.PREDICTED: Unit.MICRO_DOLLARS,
    Measure.RISK: Unit.PROBABILITY,
    Measure.OFFER: Unit.MICRO_DOLLARS,
}
"""The one unit of each measure."""


class Direction(enum.StrEnum):
    """On which side of the threshold a rule fires."""

    BELOW = "below"
    ABOVE = "above"


@dataclass(frozen=True, slots=True)
class KindSpec:
    """What a kind measures, on which side it fires (None: either), and the bounds of threshold, window and level."""

    measure: Measure
    direction: Direction | None
    lowest: int = 1
    highest: int | None = None
    window: tuple[int, int, int] = (0, 0, 1)
    """least, most, and the seconds of the unit both are told in"""
    levelled: bool = False


_HOURS, _DAYS, _AHEAD = (HOUR, 168 * HOUR, HOUR), (DAY, 365 * DAY, DAY), (HOUR, 24 * HOUR, HOUR)
KINDS: Mapping[Kind, KindSpec] = {
    Kind.BELOW: KindSpec(Measure.PRICE, Direction.BELOW),
    Kind.ABOVE: KindSpec(Measure.PRICE, Direction.ABOVE),
    Kind.CROSSES: KindSpec(Measure.PRICE, None),
    Kind.DROPS: KindSpec(Measure.CHANGE, Direction.BELOW, 1, PPM - 1, _HOURS),
    Kind.RISES: KindSpec(Measure.CHANGE, Direction.ABOVE, PPM + 1, None, _HOURS),
    Kind.NEW_LOW: KindSpec(Measure.OVER_LOW, Direction.BELOW, PPM, PPM, _DAYS),
    Kind.AVAILABLE: KindSpec(Measure.GPUS, Direction.ABOVE),
    Kind.PREDICTED_BELOW: KindSpec(Measure.PREDICTED, Direction.BELOW, 1, None, _AHEAD, levelled=True),
    Kind.RISK_ABOVE: KindSpec(Measure.RISK, Direction.ABOVE, 1, PPM - 1, _AHEAD),
    Kind.OFFER: KindSpec(Measure.OFFER, Direction.BELOW),
}
"""What each kind is, in one row."""


@dataclass(frozen=True, slots=True)
class Series:
    """What is measured: shared by all rules that watch it."""

    model: str
    region: str = WORLD
    scope: Scope = Scope.VERIFIED
    measure: Measure = Measure.PRICE
    metric: Metric = Metric.CURRENT
    window: int = 0
    """seconds: how far back (change, low) or ahead (prediction, risk)"""
    level: int = 0
    """the probability of a prediction, in ppm"""

    @property
    def unit(self) -> Unit:
        """What its values count."""
        return UNITS[self.measure]


@dataclass(frozen=True, slots=True)
class OfferFilter:
    """What an offer must have besides its price."""

    gpus: int = 1
    """GPUs of the slice, at least"""
    reliability_ppm: int = 0
    """reliability of the host, at least"""
    disk_gb: int = 0
    """GB of disk that must be free; its price is part of the price"""


@dataclass(frozen=True, slots=True)
class Rule:
    """When to tell of a series. Exactly at the threshold is on neither side, except that ``available`` includes it."""

    kind: Kind
    series: Series
    threshold: int
    direction: Direction = Direction.BELOW
    rearm_ppm: int = 20_000
    """how far back beyond the threshold a value must be before the rule may fire again"""
    readings: int = 2
    """readings in a row that must meet the condition"""
    hold_seconds: int = 0
    """how long the condition must have been met"""
    repeat_seconds: int = 0
    """a reminder while it fires; 0: once until re-armed"""
    min_interval: int = 300
    """least seconds between two messages"""
    at_threshold: bool = False
    """whether exactly at the threshold fires too; ``available`` always includes it"""
    expires_at: int | None = None
    quiet: Quiet | None = None
    mention: str = ""
    """the id of a role or user group that its fires call"""
    created_at: int = 0
    offer: OfferFilter | None = None
    """of a rule on offers"""
    loud: bool = False
    """its maker wants no quiet hours, whatever the team's are"""

    @property
    def condition(self) -> tuple[Kind, Series, int, Direction, bool, OfferFilter]:
        """What it waits for, whatever its terms."""
        return self.kind, self.series, self.threshold, self.direction, self.at_threshold, self.wanted

    @property
    def follows_team(self) -> bool:
        """Whether the team's quiet hours are its own: its maker said nothing of any."""
        return not self.loud if self.quiet is None else self.quiet.of_team

    @property
    def wanted(self) -> OfferFilter:
        """What an offer must have; anything where nothing is said."""
        return self.offer or OfferFilter()

    @property
    def inclusive(self) -> bool:
        """Whether exactly at the threshold fires."""
        return self.at_threshold or self.kind is Kind.AVAILABLE

    @property
    def limit(self) -> int:
        """The threshold as one that must be passed strictly."""
        step = int(self.inclusive)
        return self.threshold + (step if self.direction is Direction.BELOW else -step)

    @property
    def clear(self) -> int:
        """The value from which it has re-armed."""
        margin = max(int(self.inclusive), -(-self.threshold * self.rearm_ppm // PPM))
        return self.threshold + (margin if self.direction is Direction.BELOW else -margin)

    def met(self, value: int) -> bool:
        """Whether a value is on the side that fires."""
        return value < self.limit if self.direction is Direction.BELOW else value > self.limit

    def cleared(self, value: int) -> bool:
        """Whether a value is far enough on the other side to re-arm."""
        return value >= self.clear if self.direction is Direction.BELOW else value <= self.clear
