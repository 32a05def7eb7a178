"""The vocabulary of the market: frozen values that every other module speaks.

Money is an integer number of micro-dollars per GPU-hour (1 USD = 1,000,000), time is integer UTC seconds since 1970,
an hour is ``seconds // 3600``. ``region`` is a name of :mod:`analytics.regions`; ``WORLD`` means all regions together.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

MICRO = 1_000_000
HOUR = 3600
DAY = 86_400
WORLD = ""

STORAGE_MONTH_HOURS = 720
"""Hours of the month for which storage is priced (source: definitions, Market)."""

DEFAULT_INTERVAL = 300
"""Wished seconds between two polls of a model (source: design, SPOTBOT_POLL_SECONDS)."""

EPOCH_HOUR_OF_WEEK = 72
"""1970-01-01 00:00 UTC was a Thursday: the 72nd hour of a week that begins on Monday (source: the calendar)."""


class Scope(enum.StrEnum):
    """Whose offers a figure counts."""

    VERIFIED = "verified"
    ALL = "all"


class Quality(enum.StrEnum):
    """What a poll may be used for: only ``complete`` ones feed exposure and interruptions."""

    COMPLETE = "complete"
    CAPPED = "capped"
    SUSPECT = "suspect"
    FAILED = "failed"


class Cause(enum.StrEnum):
    """Why a shadow tenant lost its slice."""

    TAKEN_OR_DOWN = "taken_or_down"
    OUTBID = "outbid"
    ABSENT = "absent"


MAX_GAP_INTERVALS = 3
"""A longer gap between complete polls, in planned intervals, censors all (source: definitions, "Interruptions")."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One slice (some GPUs of one machine) as one poll saw it; prices are per GPU, without disk."""

    model: str
    machine_id: int
    num_gpus: int
    on_demand: int
    min_bid: int | None
    rentable: bool = True
    verified: bool = True
    gpu_ids: tuple[int, ...] = ()
    geolocation: str | None = None
    region: str = "Unknown"
    reliability: float | None = None
    host_id: int | None = None
    offer_id: int | None = None
    gpu_ram_mb: int | None = None
    end_date: int | None = None
    datacenter: bool = False
    storage_cost: int | None = None
    """micro-dollars per GB and month"""
    egress_cost: int | None = None
    """micro-dollars per GB sent"""
    disk_gb: int | None = None
    """whole GB of disk that a tenant of the slice may take"""
    slice_id: str = field(init=False, repr=False, compare=False)
    """what stays the same while offer ids change: the machine and its GPUs (or their number)"""

    def __post_init__(self) -> None:
        gpus = ",".join(map(str, self.gpu_ids)) if self.gpu_ids else f"x{self.num_gpus}"
        object.__setattr__(self, "slice_id", f"{self.machine_id}:{gpus}")


ANY_MACHINE = 0
"""Among a poll's unknown machines: a row could not be read that may be any machine's (source: ids begin at 1)."""


@dataclass(frozen=True, slots=True)
class Poll:
    """What one poll of one model said. No ``offers`` in a complete poll is an empty market, in a failed one unknown."""

    model: str
    at: int
    quality: Quality
    offers: tuple[Offer, ...] = ()
    interval: int = DEFAULT_INTERVAL
    """planned seconds between two polls of this model"""
    note: str = ""
    unknown: frozenset[int] = frozenset()
    """machines with rows that could not be read: a slice of theirs that is missing may be there; see ``ANY_MACHINE``"""


@dataclass(frozen=True, slots=True)
class Quote:
    """The market of one model in one region at one poll; prices are ``None`` when nothing priced was on offer."""

    at: int
    price: int | None
    floor: int | None
    p10: int | None
    p90: int | None
    on_demand: int | None
    offers: int
    gpus: int
    machines: int


@dataclass(frozen=True, slots=True)
class HourPoint:
    """One hour of one model in one region: the time-weighted median of ``current_price`` and its neighbours."""

    hour: int
    price: int | None
    floor: int | None
    p10: int | None
    p90: int | None
    on_demand: int | None
    offers: int
    gpus: int
    polls: int

    def as_quote(self) -> Quote:
        """The same as one quote at the beginning of the hour; hours do not tell machines."""
        known = (self.price, self.floor, self.p10, self.p90, self.on_demand)
        return Quote(self.hour * HOUR, *known, self.offers, self.gpus, machines=0)


@dataclass(frozen=True, slots=True)
class ChangeBand:
    """The middle 80 % of a model's own 24 h price changes (fractions) over the last 30 days, and their number."""

    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Exposure:
    """What shadow tenants lived through, as sums that add up over hours, regions and models.

    ``up_steps``/``down_steps`` count poll-to-poll steps that began held/interrupted; together they took
    ``held_s + interrupted_s`` seconds. ``resumed`` counts interruptions that ended.
    """

    held_s: int = 0
    interrupted_s: int = 0
    up_steps: int = 0
    down_steps: int = 0
    outbid: int = 0
    taken_or_down: int = 0
    absent: int = 0
    resumed: int = 0

    @property
    def events(self) -> int:
        """Interruptions of all causes."""
        return self.outbid + self.taken_or_down + self.absent

    def __add__(self, other: Exposure) -> Exposure:
        # spelt out because a round adds thousands
        return Exposure(
            self.held_s + other.held_s,
            self.interrupted_s + other.interrupted_s,
            self.up_steps + other.up_steps,
            self.down_steps + other.down_steps,
            self.outbid + other.outbid,
            self.taken_or_down + other.taken_or_down,
            self.absent + other.absent,
            self.resumed + other.resumed,
        )


AGE_BINS_H = (0.25, 0.5, 1.0, 2.0, 3.0, 6.0, 12.0, 18.0, 24.0, 48.0, 96.0, 168.0)
"""Upper edges (hours) of the life table's age bins; a last bin holds everything older (ours: finer where most up-times
end, and with edges at the horizons 1, 6 and 24 h that are asked about)."""


@dataclass(frozen=True, slots=True)
class LifeTable:
    """Seconds at risk and interruptions by age of the tenancy: one number a bin of ``AGE_BINS_H`` and the open one."""

    at_risk_s: tuple[int, ...] = (0,) * (len(AGE_BINS_H) + 1)
    events: tuple[int, ...] = (0,) * (len(AGE_BINS_H) + 1)

    def __add__(self, other: LifeTable) -> LifeTable:
        return LifeTable(
            tuple(a + b for a, b in zip(self.at_risk_s, other.at_risk_s, strict=True)),
            tuple(a + b for a, b in zip(self.events, other.events, strict=True)),
        )


@dataclass(frozen=True, slots=True)
class Tenant:
    """A shadow tenant: holds one minimal slice at ``bid`` since ``since``, or waits for it since ``down_since``."""

    slice_id: str
    model: str
    region: str
    machine_id: int
    num_gpus: int
    bid: int
    since: int
    verified: bool = True
    host_id: int | None = None
    end_date: int | None = None
    down_since: int | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Interruption:
    """One market-implied interruption in (``held_at``, ``seen_at``]; ``back_at`` is set when the tenant resumed."""

    model: str
    region: str
    slice_id: str
    machine_id: int
    host_id: int | None
    num_gpus: int
    cause: Cause
    bid: int
    held_at: int
    seen_at: int
    back_at: int | None = None


@dataclass(frozen=True, slots=True)
class HourOfWeek:
    """One of the 168 hours of the week, Monday 00:00 UTC first."""

    index: int

    @staticmethod
    def of(hour: int) -> HourOfWeek:
        """The hour of the week of an hour since 1970 (which began on a Thursday)."""
        return HourOfWeek(HourOfWeek.index_of(hour))

    @staticmethod
    def index_of(hour: int) -> int:
        """Its index alone, for those who ask by the thousand."""
        return (hour + EPOCH_HOUR_OF_WEEK) % 168


@dataclass(frozen=True, slots=True)
class Shadow:
    """What one step of the shadow tenants brought: everything a round adds to the books about interruptions."""

    tenants: tuple[Tenant, ...] = ()
    """all tenants of the model after the step; replaces what was there"""
    started: tuple[Interruption, ...] = ()
    ended: tuple[Interruption, ...] = ()
    """interruptions that ended at this poll, ``back_at`` set"""
    exposure: Mapping[tuple[str, int], Exposure] | None = None
    """(region, hour) -> what to add"""
    life: LifeTable | None = None


def usd(micro: int | float | None) -> float | None:
    """Micro-dollars as USD to a hundredth of a cent, ``None`` kept."""
    return None if micro is None else round(micro / MICRO, 4)


def micro(dollars: float) -> int:
    """USD as integer micro-dollars."""
    return round(dollars * MICRO)


@dataclass(frozen=True, slots=True)
class Round:
    """What a round brought."""

    at: int
    polls: tuple[Poll, ...]
    """those that were new, as they were judged"""
    quotes: Mapping[tuple[str, str, Scope], Quote]
    """(model, region, scope) -> its market, of complete polls only: nothing else may be believed"""
    interruptions: tuple[Interruption, ...]
