"""Start now or wait: the rule, what it would have brought in this model's own past, and the sentence that says it.

Rule: start now, unless the price is more than 10 % above its trailing 7-day median; then wait until it is at that
median, at most 24 hours. Source: definitions, "Forecasts", recommendation.
"""

from __future__ import annotations

import statistics
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.evidence import Note, Percent, Plural, Usd
from analytics.forecasting.backtest import COLD_H, Grid
from analytics.market import MICRO, usd

DEAR = 1.1
"""A price above this multiple of its 7-day median is worth waiting out (source: definitions, "Forecasts")."""

MEDIAN_H = 7 * 24
"""The window of the median (source: definitions, "Forecasts")."""

DEADLINE_H = 24
"""How long to wait at most (source: definitions, "Forecasts")."""

LAST_CASES = 20
"""Waiting is not advised when the last so many advices lost money on average (source: definitions, "Forecasts")."""

MIN_CASES = 8
"""Fewer past cases give no probability, saving or verdict (ours: at 80 % a rate from 8 is good to ±23 points)."""

FLAT_H = 7 * 24
"""A price is called flat when it has not changed for so long (source: forecasting study, "Regimes")."""


@dataclass(frozen=True, slots=True)
class Case:
    """The rule at one past hour. ``saved``/``best``: shares of the price then, by following it and with hindsight.

    ``hit_after``: hours until the price was at the median, None when it was not within the deadline or not waited for.
    """

    hour: int
    waited: bool
    hit_after: int | None
    saved: float
    best: float


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do now. Figures about waiting are None unless waiting is the question and there are enough past cases."""

    action: str | None
    """``now`` or ``wait``; None with less than a day of history or no price"""
    target_price: float | None
    deadline_hours: int | None
    expected_saving_percent: float | None
    p_target_24h: float | None
    """share of past cases in which the price came down to its median within 24 h"""
    typical_wait_hours: tuple[int, int] | None
    """quartiles of the hours until then"""
    cases: int
    saved_cases: int
    median_price_7d: float | None
    unchanged_days: float | None


def cases(series: Grid) -> Iterator[Case]:
    """The rule at every observed hour whose 24 h are over, in order of time; it looks only at what was known then."""
    for i, median in _medians(series):
        price = series.seen[i]
        later = series.seen[i + 1 : i + 1 + DEADLINE_H]
        paid = [p for p in later if p is not None]
        if price is None or i + DEADLINE_H >= len(series.seen) or not paid:
            continue
        best = max(0.0, 1 - min(paid) / price)
        if price <= DEAR * median:
            yield Case(series.start + i, False, None, 0.0, best)
            continue
        hit = next((k for k, p in enumerate(later, 1) if p is not None and p <= median), None)
        start = later[hit - 1] if hit else paid[-1]
        yield Case(series.start + i, True, hit, 1 - (start or 0) / price, best)


def _medians(series: Grid) -> Iterator[tuple[int, float]]:
    """(index, median of the 7 days up to it) of every observed hour with a day of history behind it."""
    ordered: list[int] = []
    for i, price in enumerate(series.seen):
        gone = series.seen[i - MEDIAN_H] if i >= MEDIAN_H else None
        if gone is not None:
            del ordered[bisect_left(ordered, gone)]
        if price is not None:
            insort(ordered, price)
            if i >= COLD_H:
                n = len(ordered)
                yield i, (ordered[(n - 1) // 2] + ordered[n // 2]) / 2


def apart(waits: Sequence[Case]) -> list[Case]:
    """The cases that do not overlap: each begins after the one before it had ended."""
    kept: list[Case] = []
    free_from = 0
    for case in waits:
        if case.hour >= free_from:
            kept.append(case)
            free_from = case.hour + (case.hit_after or DEADLINE_H)
    return kept


def advise(series: Grid | None, price: int | None) -> tuple[Advice, Note]:
    """What to do at ``price`` (micro-dollars, now), given the hourly prices up to now; and the sentence saying it."""
    hours = len(series.seen) - 1 if series else 0
    if series is None or price is None or hours < COLD_H:
        none = Advice(None, None, None, None, None, None, 0, 0, None, None)
        if price is None:
            return none, Note("No advice: nothing is on offer")
        return none, Note("No advice yet: {n} of 24 hours of history", {"n": hours})
    week = [p for p in series.seen[-MEDIAN_H:] if p is not None]
    median = statistics.median(week) if week else None
    flat = _unchanged(series, price)
    past = apart([case for case in cases(series) if case.waited])
    if median is None or price <= DEAR * median:
        return _now(median, flat, past), _why_now(price, median, flat)
    last = past[-LAST_CASES:]
    if len(last) >= MIN_CASES and statistics.fmean(case.saved for case in last) < 0:
        note = Note(
            Plural(
                "Start now: in the last {n} case like this, waiting lost money on average",
                "Start now: in the last {n} cases like this, waiting lost money on average",
            ),
            {"n": len(last)},
        )
        return _now(median, flat, past), note
    return _wait(median, past)


def _unchanged(series: Grid, price: int) -> float | None:
    """Days since the hourly price was last another one, None when that is less than a week."""
    other = next((k for k, p in enumerate(reversed(series.seen)) if p is not None and p != price), len(series.seen))
    return round(other / 24, 1) if other >= FLAT_H else None


def _now(median: float | None, flat: float | None, past: Sequence[Case]) -> Advice:
    saved = sum(case.saved > 0 for case in past)
    return Advice("now", None, None, None, None, None, len(past), saved, usd(median), flat)


def _why_now(price: int, median: float | None, flat: float | None) -> Note:
    if flat is not None:
        return Note(
            Plural(
                "Start now: the price has not changed for {n} day", "Start now: the price has not changed for {n} days"
            ),
            {"n": int(flat)},
        )
    if median is None:
        return Note("Start now: no price of the last 7 days speaks for waiting")
    values = {"price": Usd(price / MICRO), "median": Usd(median / MICRO)}
    if price <= median:
        return Note("Start now: {price} is not above the 7-day median of {median}", values)
    return Note("Start now: {price} is at most 10% above the 7-day median of {median}: no reason to wait", values)


def _wait(median: float, past: Sequence[Case]) -> tuple[Advice, Note]:
    saved = sum(case.saved > 0 for case in past)
    enough = len(past) >= MIN_CASES
    hits = sorted(case.hit_after for case in past if case.hit_after)
    span = (hits[len(hits) // 4], hits[(3 * len(hits)) // 4]) if len(hits) >= MIN_CASES else None
    mean = 100 * statistics.fmean(case.saved for case in past) if enough else None
    advice = Advice(
        action="wait",
        target_price=usd(median),
        deadline_hours=DEADLINE_H,
        expected_saving_percent=None if mean is None else round(mean, 2),
        p_target_24h=round(len(hits) / len(past), 3) if enough else None,
        typical_wait_hours=span,
        cases=len(past),
        saved_cases=saved,
        median_price_7d=usd(median),
        unchanged_days=None,
    )
    return advice, _why_wait(advice)


def _why_wait(advice: Advice) -> Note:
    target = {"target": None if advice.target_price is None else Usd(advice.target_price)}
    head = Note("Wait until {target} (the 7-day median), at most 24 h", target)
    if advice.typical_wait_hours is not None:
        low, high = advice.typical_wait_hours
        span = f"{low}" if low == high else f"{low}-{high}"
        head = Note("Wait until {target} (the 7-day median), usually {span} h, at most 24 h", {**target, "span": span})
    if advice.expected_saving_percent is None:
        return Note(
            Plural(
                "{advice}; only {n} case like this so far, too few for odds",
                "{advice}; only {n} cases like this so far, too few for odds",
            ),
            {"advice": head, "n": advice.cases},
        )
    record: dict[str, Any] = {
        "advice": head,
        "n": advice.cases,
        "saved": advice.saved_cases,
        "percent": Percent(advice.expected_saving_percent, 1),
    }
    return Note(
        Plural(
            "{advice}; waiting saved money in {saved} of {n} such case, {percent} on average",
            "{advice}; waiting saved money in {saved} of {n} such cases, {percent} on average",
        ),
        record,
    )
