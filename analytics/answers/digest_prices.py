"""What a digest says of prices: which moved beyond their own usual range, and which are low against their month."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from analytics.evidence import Note, iso
from analytics.market import HOUR, usd
from analytics.prices import DAY_HOURS, HOLD_HOURS

USUAL_SHARE = 0.95
"""The usual range holds this share of the past changes, as many left out above as below (ours: an hour's slip does not
widen it, and of steady models one in twenty lies outside by chance)."""

LOOK_BACK_DAYS = 30
"""How far back changes over a day are looked at (source: definitions, "Q1 monitor", whose band they are like)."""

WEEKLY_LOOK_BACK_DAYS = 140
"""The same of longer changes (ours: twenty weeks, for a month holds four changes over a week that do not overlap)."""

HOURLY_UP_TO = 2 * DAY_HOURS
"""Changes over up to so many hours are looked at by the hour and for 30 days, longer ones once a day (ours: hours of
the day matter to the first, and hourly weeks would be the same week many times)."""

MIN_SPANS = 10
"""Fewer spans that do not overlap give no usual range (ours: of ten alike and one more, the one more is the highest or
the lowest in two cases of eleven; overlapping ones between them make that rarer: on a simulated market of 20 models 9 %
of a day's changes lie outside after 12 days, 7 % after 35)."""

LEAST_CHANGE = 0.01
"""A price that changed less has not moved, and one less below its usual is not low (ours: nobody acts on 1 %)."""

MONTH_DAYS = 30
"""The month against which a price is low (ours)."""

MONTH_MIN_DAYS = 20
"""Fewer days of it with a price say nothing of the month (ours: two thirds, so that most weekdays were seen thrice)."""

LOW_SHARE = 0.10
"""A price is low where at most this share of the month's hours had one as low (ours: three days of thirty)."""

CHANGE, MONTH = "change", "month"
"""What of a model could not be judged."""

NO_PRICE = Note("nothing on offer now")
NOT_FRESH = Note("no new price for a while")
NO_START = Note("no price known from when the period began")
FEW_SPANS = Note("too little history: changes over {hours} h seen: {n}, it takes {need}")
FEW_DAYS = Note("too little history: days of the month with a price: {n}, it takes {need}")


@dataclass(frozen=True, slots=True)
class Priced:
    """What is stored of a model: its price now (None: nothing on offer) and those of past hours (hour since 1970 ->
    price), in micro-dollars per GPU-hour."""

    model: str
    price: int | None
    stale: bool
    hours: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Span:
    """A period in whole hours since 1970: from the hour in which it begins to the one in which it ends, now."""

    since: int
    until: int

    @property
    def hours(self) -> int:
        """How long it is."""
        return self.until - self.since

    @property
    def look_back(self) -> int:
        """Hours before it in which past changes end."""
        return DAY_HOURS * (LOOK_BACK_DAYS if self.hours <= HOURLY_UP_TO else WEEKLY_LOOK_BACK_DAYS)

    @property
    def step(self) -> int:
        """Hours from one past change to the next."""
        return 1 if self.hours <= HOURLY_UP_TO else DAY_HOURS

    @property
    def ends(self) -> range:
        """The hours in which past changes end, newest first; none overlaps the period itself."""
        return range(self.since, self.since - self.look_back, -self.step)

    def needed(self) -> list[int]:
        """The hours whose prices :func:`judged` looks at."""
        month = range(self.since - MONTH_DAYS * DAY_HOURS, self.until)
        sides = (hour - before for end in self.ends for hour in (end, end - self.hours) for before in range(HOLD_HOURS))
        return sorted({*month, *sides})


@dataclass(frozen=True, slots=True)
class Moved:
    """A model whose price changed beyond its usual range; USD per GPU-hour, changes in percent.

    ``usual_*``: where the middle 95 % of its past changes over as long lay, stretched to hold no change; ``days``: how
    many days those were of, ``spans``: how many of them do not overlap.
    """

    gpu_name: str
    price: float | None
    price_before: float | None
    change_percent: float
    usual_low_percent: float
    usual_high_percent: float
    days: int
    spans: int


@dataclass(frozen=True, slots=True)
class Cheap:
    """A model whose price is low against its month; USD per GPU-hour.

    ``usual_price``: the median of the month's hours; ``share_percent``: of ``hours``, those with a price as low;
    ``new``: it is known not to have been so when the period began.
    """

    gpu_name: str
    price: float | None
    usual_price: float | None
    share_percent: float
    hours: int
    days: int
    new: bool


@dataclass(frozen=True, slots=True)
class NotJudged:
    """A model of which something could not be told: ``what`` (its ``change``, or its ``month``), why, and when."""

    gpu_name: str
    what: str
    why: Note
    ready_at: str | None


@dataclass(frozen=True, slots=True)
class Judged:
    """All models: what moved and what is cheap, the furthest first; ``changes``, ``months``: how many were judged."""

    moved: tuple[Moved, ...]
    cheap: tuple[Cheap, ...]
    changes: int
    months: int
    not_judged: tuple[NotJudged, ...]


def judged(models: Sequence[Priced], span: Span) -> Judged:
    """Each model's change over the span, and its price now, against its own past.

    A change is the price now over that of the hour in which the span began, held up to six hours. It moved where it
    lies outside the middle 95 % of its changes over as long that ended in the 30 days before (140 where longer than two
    days), and is 1 % or more. Cheap: at most 10 % of the hours of 30 days had a price as low, and it is 1 % or more
    below their median. (ours: definitions, "Q1 monitor" has the same idea with the middle 80 %.)
    """
    changes = [_change(one, span) for one in models]
    months = [_month(one, span) for one in models]
    missing = [one for one in changes if isinstance(one, NotJudged)]
    # what is not fresh, or not on offer, is said once
    missing += [one for one in months if isinstance(one, NotJudged) and one.what == MONTH]
    moved = sorted((one for one in changes if isinstance(one, Moved)), key=_distance, reverse=True)
    cheap = sorted((one for one in months if isinstance(one, Cheap)), key=lambda one: (one.share_percent, one.gpu_name))
    return Judged(
        tuple(moved),
        tuple(cheap),
        sum(not isinstance(one, NotJudged) for one in changes),
        sum(not isinstance(one, NotJudged) for one in months),
        tuple(missing),
    )


def _distance(moved: Moved) -> float:
    """How far beyond its usual range, in percentage points."""
    return max(moved.change_percent - moved.usual_high_percent, moved.usual_low_percent - moved.change_percent)


def _unusable(one: Priced) -> NotJudged | None:
    if one.price is not None and not one.stale:
        return None
    return NotJudged(one.model, CHANGE, NOT_FRESH if one.stale else NO_PRICE, None)


def _change(one: Priced, span: Span) -> Moved | NotJudged | None:
    """None: within its usual range."""
    if (unusable := _unusable(one)) or one.price is None:
        return unusable
    before = _held(one.hours, span.since)
    if before is None:
        return NotJudged(one.model, CHANGE, NO_START, None)
    past = list(_past(one.hours, span))
    length = span.hours
    spans = _apart([end for end, _ in past], length)
    if spans < MIN_SPANS:
        why = Note(FEW_SPANS.text, {"hours": length, "n": spans, "need": MIN_SPANS})
        return NotJudged(one.model, CHANGE, why, iso((span.until + (MIN_SPANS - spans) * length) * HOUR))
    change = one.price / before - 1
    low, high = _usual(change for _, change in past)
    if low <= change <= high or abs(change) < LEAST_CHANGE:
        return None
    days = len(past) * span.step // DAY_HOURS
    change, low, high = (round(100 * share, 2) for share in (change, low, high))
    return Moved(one.model, usd(one.price), usd(before), change, low, high, days, spans)


def _past(hours: Mapping[int, int], span: Span) -> Iterable[tuple[int, float]]:
    """The hours in which changes over as long ended before the span, and those changes."""
    length = span.hours
    for end in span.ends:
        last, first = _held(hours, end), _held(hours, end - length)
        if last is not None and first is not None:
            yield end, last / first - 1


def _apart(ends: Sequence[int], length: int) -> int:
    """How many spans of this length, of those that end in these hours (newest first), do not overlap."""
    count, free = 0, ends[0] if ends else 0
    for end in ends:
        if end <= free:
            count, free = count + 1, end - length
    return count


def _held(hours: Mapping[int, int], hour: int) -> int | None:
    """The price of an hour, or of the last before it for at most as long as the rarest polls are apart."""
    found = hours.get(hour)
    if found is not None:
        return found
    return next((price for n in range(1, HOLD_HOURS) if (price := hours.get(hour - n)) is not None), None)


def _usual(changes: Iterable[float]) -> tuple[float, float]:
    """The middle of some changes, stretched to hold none: a rise is no fall because this model mostly rises more."""
    ordered = sorted(changes)
    left_out = int((1 - USUAL_SHARE) / 2 * len(ordered))
    return min(ordered[left_out], 0.0), max(ordered[-1 - left_out], 0.0)


def _month(one: Priced, span: Span) -> Cheap | NotJudged | None:
    """None: not low."""
    if (unusable := _unusable(one)) or one.price is None:
        return unusable
    month = _hours_of_month(one, span.until)
    days = _days(month, span.until)
    if days < MONTH_MIN_DAYS:
        why = Note(FEW_DAYS.text, {"n": days, "need": MONTH_MIN_DAYS})
        return NotJudged(one.model, MONTH, why, iso((span.until + (MONTH_MIN_DAYS - days) * DAY_HOURS) * HOUR))
    prices = list(month.values())
    if not _is_low(one.price, prices):
        return None
    share = round(100 * _share_as_low(one.price, prices), 1)
    new = _was_dear(one, span.since)
    return Cheap(one.model, usd(one.price), usd(median(prices)), share, len(prices), days, new)


def _hours_of_month(one: Priced, until: int) -> dict[int, int]:
    hours = range(until - MONTH_DAYS * DAY_HOURS, until)
    return {hour: price for hour in hours if (price := one.hours.get(hour)) is not None}


def _days(hours: Iterable[int], until: int) -> int:
    return len({(until - 1 - hour) // DAY_HOURS for hour in hours})


def _share_as_low(price: int, prices: Sequence[int]) -> float:
    return sum(one <= price for one in prices) / len(prices)


def _is_low(price: int, prices: Sequence[int]) -> bool:
    return _share_as_low(price, prices) <= LOW_SHARE and price <= (1 - LEAST_CHANGE) * median(prices)


def _was_dear(one: Priced, at: int) -> bool:
    """Whether its price then is known, and was not low against the month before that."""
    price, month = _held(one.hours, at), _hours_of_month(one, at)
    if price is None or _days(month, at) < MONTH_MIN_DAYS:
        return False
    return not _is_low(price, list(month.values()))
