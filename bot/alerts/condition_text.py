"""A rule's condition as somebody would type it: read again, it is the same condition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from analytics.market import DAY, HOUR, MICRO, WORLD
from analytics.quantities import PLAIN, NumberFormat
from bot.alerts.places import ALL
from bot.alerts.rules import PPM, Direction, Kind, Metric, Rule

_METRICS: Mapping[Metric, str] = {Metric.CURRENT: "", Metric.FLOOR: "floor ", Metric.ON_DEMAND: "on-demand "}


def condition_text(rule: Rule, written: NumberFormat = PLAIN) -> str:
    """The condition, such as ``floor < 0.35 in EU``, with numbers as the reader's language writes them."""
    text = _WRITERS[rule.kind](rule)
    return text.replace(".", written.decimal)


def is_writable(rule: Rule) -> bool:
    """Whether its condition can be written."""
    return rule.kind in _WRITERS


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _metric(rule: Rule) -> str:
    return _METRICS[rule.series.metric]


def _place(rule: Rule) -> str:
    return "" if rule.series.region == WORLD else f" in {rule.series.region.removesuffix(ALL)}"


def _span(seconds: int) -> str:
    return f"{seconds // DAY}d" if seconds % DAY == 0 else f"{seconds // HOUR}h"


def _sign(rule: Rule) -> str:
    return {Direction.BELOW: "<", Direction.ABOVE: ">"}[rule.direction] + ("=" if rule.at_threshold else "")


def _percent(ppm: int) -> str:
    return f"{_plain(Decimal(ppm) * 100 / PPM)}%"


def _price(rule: Rule) -> str:
    return f"{_metric(rule)}{_sign(rule)} {_plain(Decimal(rule.threshold) / MICRO)}{_place(rule)}"


def _crosses(rule: Rule) -> str:
    return f"{_metric(rule)}crosses {rule.direction} {_plain(Decimal(rule.threshold) / MICRO)}{_place(rule)}"


def _moves(rule: Rule) -> str:
    percent = _plain(abs(Decimal(rule.threshold) - PPM) * 100 / PPM)
    return f"{_metric(rule)}{rule.kind} {percent}% in {_span(rule.series.window)}"


def _new_low(rule: Rule) -> str:
    return f"{_metric(rule)}new low {_span(rule.series.window)}"


def _available(rule: Rule) -> str:
    return f"available >= {rule.threshold}{_place(rule)}"


def _predicted(rule: Rule) -> str:
    price, ahead = _plain(Decimal(rule.threshold) / MICRO), _span(rule.series.window)
    return f"predicted {_sign(rule)} {price} in {ahead} with {_percent(rule.series.level)}"


def _risk(rule: Rule) -> str:
    return f"risk {_sign(rule)} {_percent(rule.threshold)} in {_span(rule.series.window)}"


def _offer(rule: Rule) -> str:
    wanted, region = rule.wanted, rule.series.region.removesuffix(ALL)
    share = _plain(Decimal(wanted.reliability_ppm) * 100 / PPM)
    said = {
        f"gpus>={wanted.gpus}": wanted.gpus > 1,
        f"region={region}": region != WORLD,
        f"reliability>={share}%": wanted.reliability_ppm,
        f"disk={wanted.disk_gb}GB": wanted.disk_gb,
    }
    sign = "<=" if rule.at_threshold else "<"
    return " ".join([f"offer {sign} {_plain(Decimal(rule.threshold) / MICRO)}", *(text for text in said if said[text])])


_WRITERS: Mapping[Kind, Callable[[Rule], str]] = {
    Kind.BELOW: _price,
    Kind.ABOVE: _price,
    Kind.CROSSES: _crosses,
    Kind.DROPS: _moves,
    Kind.RISES: _moves,
    Kind.NEW_LOW: _new_low,
    Kind.AVAILABLE: _available,
    Kind.PREDICTED_BELOW: _predicted,
    Kind.RISK_ABOVE: _risk,
    Kind.OFFER: _offer,
}
"""What each kind is written as; a condition of one line, without options."""
