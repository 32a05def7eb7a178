"""Start now or wait: the rule, what it would have brought in this model's own past, and the sentence that says it.

Rule: start now, unless the price is more than 12 % above its trailing 7-day median, the forecast for 24 h later is no
higher, and such waits have lately paid in this market; then wait, at most 24 hours, until the price is at or below a
reservation price that rises from the median to the price of now. Source: definitions, "Forecasts", recommendation; the
threshold (10 % there) and the end of the rise (90 %) are ours: with them at most 9 % of waits lost money on each data
set, where up to 12 % did.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from analytics.evidence import Note, Percent, Plural, Usd
from analytics.forecasting.grid import COLD_H, Grid
from analytics.market import MICRO, usd

DEAR = 1.12
"""A price above this multiple of its 7-day median is worth waiting out (ours: see above)."""

MEDIAN_H = 7 * 24
"""The window of the median (source: definitions, "Forecasts")."""

WEEK_KNOWN_H = 84
"""Fewer hours with a price than this are not called a 7-day median (ours: half of them)."""

DEADLINE_H = 24
"""How long to wait at most (source: definitions, "Forecasts")."""

LAST_CASES = 20
"""Waiting is not advised when the last so many advices lost money on average (source: definitions, "Forecasts")."""

MIN_CASES = 8
"""Fewer past cases give no probability, saving or verdict (ours: at 80 % a rate from 8 is good to ±23 points)."""

FLAT_H = 7 * 24
"""A price is called flat when it has not changed for so long (source: forecasting study, "Regimes")."""

RECORD_H = 30 * 24
"""The market's record of waits looks back so far (ours: as the record of forecasts)."""

MOST_WRONG = 0.2
"""Where a greater share of the market's waits lost money, none is advised (ours: twice what is promised)."""

LEAST_SAVED = 0.02
"""Nor where they saved less on average: a wait must be worth waiting for (ours)."""

PRIOR_CASES, PRIOR_WRONG, PRIOR_SAVED = 24, 0.1, 0.05
"""What a market without a record is taken to have: so many waits, this share wrong, this saving (ours: what seven data
sets had at least, so that a young market is not refused; a day of waits of its own weighs as much)."""

SHOWN_H = (1, 6, 12, 24)
"""After how many hours the reservation price is told (ours)."""


def reservation(median: float, price: float, hours: int) -> float:
    """What to start at after so many hours: from the median at once to today's price at the deadline."""
    return median + (price - median) * math.sqrt(hours / DEADLINE_H)


@dataclass(frozen=True, slots=True)
class Case:
    """One past hour. ``saved``/``best``: shares of the price then, by waiting if it was dear and with hindsight.

    ``hit_after``: hours until the price met the reservation price, None when it did not or was not dear.
    """

    hour: int
    dear: bool
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
    """share of past cases in which the price came down to the reservation price within 24 h"""
    typical_wait_hours: tuple[int, int] | None
    """quartiles of the hours until then"""
    cases: int
    saved_cases: int
    median_price_7d: float | None
    unchanged_days: float | None
    reservation_prices: Mapping[str, float | None] = field(default_factory=dict)
    """at or below what price to start after 1, 6, 12 and 24 hours; empty unless waiting is advised"""


def cases(series: Grid, *, dear_only: bool = False) -> Iterator[Case]:
    """Every observed hour whose 24 h are over, in order of time; each looks only at what was known then.

    ``dear_only``: only those in which the rule asks whether to wait, which are few.
    """
    for i, median in _medians(series):
        price = series.seen[i]
        if price is None or i + DEADLINE_H >= len(series.seen) or (dear_only and price <= DEAR * median):
            continue
        later = series.seen[i + 1 : i + 1 + DEADLINE_H]
        paid = [p for p in later if p is not None]
        if not paid:
            continue
        best = max(0.0, 1 - min(paid) / price)
        if price <= DEAR * median:
            yield Case(series.start + i, False, None, 0.0, best)
            continue
        met = (k for k, p in enumerate(later, 1) if p is not None and p <= reservation(median, price, k))
        hit = next(met, None)
        start = later[hit - 1] if hit else paid[-1]
        yield Case(series.start + i, True, hit, 1 - (start or 0) / price, best)


@dataclass(frozen=True, slots=True)
class WaitRecord:
    """Waits of all models whose deadline has passed: how many, how many lost money, and the sum of what they saved."""

    n: int = 0
    wrong: int = 0
    saved: float = 0.0

    @property
    def loses(self) -> bool:
        """Whether too many of them lost money."""
        return self.wrong + PRIOR_CASES * PRIOR_WRONG > MOST_WRONG * (self.n + PRIOR_CASES)

    @property
    def pays(self) -> bool:
        """Whether waits like these are worth advising."""
        saved = self.saved + PRIOR_CASES * PRIOR_SAVED
        return not self.loses and saved >= LEAST_SAVED * (self.n + PRIOR_CASES)


def wait_records(found: Iterable[Case], until: int) -> Callable[[int], WaitRecord]:
    """Hour -> the record of the 30 days before it, of the waits of any model that were over by then."""
    dear = [case for case in found if case.dear]
    start = min((case.hour for case in dear), default=until)
    sums = [(0, 0, 0.0)] * (until - start + 2)
    for case in dear:
        n, wrong, saved = sums[case.hour - start + 1]
        sums[case.hour - start + 1] = (n + 1, wrong + (case.saved < 0), saved + case.saved)
    running = list(accumulate(sums, lambda a, b: (a[0] + b[0], a[1] + b[1], a[2] + b[2])))

    def at(hour: int) -> WaitRecord:
        last, first = (max(0, min(edge - start, len(running) - 1)) for edge in (hour - DEADLINE_H + 1, hour - RECORD_H))
        (n, wrong, saved), (n0, wrong0, saved0) = running[last], running[min(first, last)]
        return WaitRecord(n - n0, wrong - wrong0, saved - saved0)

    return at


def advised(
    own: Iterable[Case], foretold: Callable[[int], float], record: Callable[[int], WaitRecord]
) -> Iterator[tuple[Case, bool]]:
    """Each case of one model with whether waiting was advised then; ``foretold``: hour -> served change over 24 h."""
    past: list[Case] = []
    waiting: list[Case] = []
    free_from = 0
    for case in own:
        while waiting and waiting[0].hour + DEADLINE_H <= case.hour:
            past.append(waiting.pop(0))
        wait = case.dear and foretold(case.hour) <= 0 and record(case.hour).pays and not _lost(past)
        yield case, wait
        if case.dear and case.hour >= free_from:
            waiting.append(case)
            free_from = case.hour + (case.hit_after or DEADLINE_H)


def _lost(past: Sequence[Case]) -> bool:
    """Whether the last advices lost money."""
    last = past[-LAST_CASES:]
    return len(last) >= MIN_CASES and statistics.fmean(case.saved for case in last) < 0


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


def advise(
    series: Grid | None, price: int | None, *, foretold: float = 0.0, record: WaitRecord | None = None
) -> tuple[Advice, Note]:
    """What to do at ``price`` (micro-dollars, now), given the hourly prices up to now; and the sentence saying it.

    ``foretold``: the change over 24 h that the served forecast tells, as a share; ``record``: of the market's waits.
    """
    hours = len(series.seen) - 1 if series else 0
    if series is None or price is None or hours < COLD_H:
        none = Advice(None, None, None, None, None, None, 0, 0, None, None)
        if price is None:
            return none, Note("No advice: nothing is on offer")
        return none, Note("No advice yet: {n} of 24 hours of history", {"n": hours})
    week = [p for p in series.seen[-MEDIAN_H:] if p is not None]
    median = statistics.median(week) if week else None
    flat = _unchanged(series, price)
    past = apart(list(cases(series, dear_only=True)))
    if median is None or price <= DEAR * median:
        return _now(median, flat, past), _why_now(price, median, len(week), flat)
    if why := _why_not_wait(past, foretold, record or WaitRecord()):
        return _now(median, flat, past), why
    return _wait(price, median, past)


def _why_not_wait(past: Sequence[Case], foretold: float, record: WaitRecord) -> Note | None:
    if _lost(past):
        text = Plural(
            "Start now: in the last {n} case like this, waiting lost money on average",
            "Start now: in the last {n} cases like this, waiting lost money on average",
        )
        return Note(text, {"n": len(past[-LAST_CASES:])})
    if foretold > 0:
        return Note("Start now: it is dear for its week, but the forecast for 24 h later is no lower")
    if record.loses:
        text = Plural(
            "Start now: waiting out a dear price has lately not paid in this market ({wrong} of {n} wait lost money)",
            "Start now: waiting out a dear price has lately not paid in this market ({wrong} of {n} waits lost money)",
        )
        return Note(text, {"wrong": record.wrong, "n": record.n})
    if not record.pays:
        text = Plural(
            "Start now: waiting out a dear price has lately saved too little in this market ({percent} in {n} wait)",
            "Start now: waiting out a dear price has lately saved too little in this market ({percent} in {n} waits)",
        )
        return Note(text, {"percent": Percent(round(100 * record.saved / record.n, 2), 1), "n": record.n})
    return None


def _unchanged(series: Grid, price: int) -> float | None:
    """Days since the hourly price was last another one, None when that is less than a week."""
    other = next((k for k, p in enumerate(reversed(series.seen)) if p is not None and p != price), len(series.seen))
    return round(other / 24, 1) if other >= FLAT_H else None


def _now(median: float | None, flat: float | None, past: Sequence[Case]) -> Advice:
    saved = sum(case.saved > 0 for case in past)
    return Advice("now", None, None, None, None, None, len(past), saved, usd(median), flat)


NOT_ABOVE_HOURS = Plural(
    "Start now: {price} is not above {median}, the median of {n} hour with a price",
    "Start now: {price} is not above {median}, the median of {n} hours with a price",
)
HARDLY_ABOVE_HOURS = Plural(
    "Start now: {price} is at most 12% above {median}, the median of {n} hour with a price",
    "Start now: {price} is at most 12% above {median}, the median of {n} hours with a price",
)
"""What is said instead of a 7-day median where little of the 7 days is known."""


def _why_now(price: int, median: float | None, hours: int, flat: float | None) -> Note:
    """``hours``: of the last 7 days with a price, whose median it is."""
    if flat is not None:
        return Note(
            Plural(
                "Start now: the price has not changed for {n} day", "Start now: the price has not changed for {n} days"
            ),
            {"n": int(flat)},
        )
    if median is None:
        return Note("Start now: no price of the last 7 days speaks for waiting")
    values = {"price": Usd(price / MICRO), "median": Usd(median / MICRO), "n": hours}
    if hours < WEEK_KNOWN_H:
        return Note(NOT_ABOVE_HOURS if price <= median else HARDLY_ABOVE_HOURS, values)
    if price <= median:
        return Note("Start now: {price} is not above the 7-day median of {median}", values)
    text = "Start now: {price} is at most 12% above the 7-day median of {median}; only a dearer price is waited out"
    return Note(text, values)


def _wait(price: int, median: float, past: Sequence[Case]) -> tuple[Advice, Note]:
    saved = sum(case.saved > 0 for case in past)
    enough = len(past) >= MIN_CASES
    hits = sorted(case.hit_after for case in past if case.hit_after)
    span = (hits[len(hits) // 4], hits[(3 * len(hits)) // 4]) if len(hits) >= MIN_CASES else None
    mean = 100 * statistics.fmean(case.saved for case in past) if enough else None
    advice = Advice(
        action="wait",
        target_price=usd(reservation(median, price, SHOWN_H[0])),
        deadline_hours=DEADLINE_H,
        expected_saving_percent=None if mean is None else round(mean, 2),
        p_target_24h=round(len(hits) / len(past), 3) if enough else None,
        typical_wait_hours=span,
        cases=len(past),
        saved_cases=saved,
        median_price_7d=usd(median),
        unchanged_days=None,
        reservation_prices={f"after_{h}h": usd(reservation(median, price, h)) for h in SHOWN_H},
    )
    return advice, _why_wait(advice)


def _why_wait(advice: Advice) -> Note:
    prices = [Usd(price) for price in advice.reservation_prices.values() if price is not None]
    values: dict[str, Any] = dict(zip(("first", "six", "twelve", "last"), prices, strict=True))
    head = Note("Wait for {first} or less, at most 24 h from now; after 6 h take {six}, after 12 h {twelve}", values)
    if advice.typical_wait_hours is not None:
        low, high = advice.typical_wait_hours
        values["span"] = f"{low}" if low == high else f"{low}-{high}"
        head = Note(
            "Wait for {first} or less, usually {span} h, at most 24 h from now; after 6 h take {six}, "
            "after 12 h {twelve}",
            values,
        )
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
