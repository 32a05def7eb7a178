"""What paying more buys: the time between interruptions at several bids, on the scale of the figure shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analytics.evidence import Note
from analytics.interruptions.class_prior import SHRINK_BELOW
from analytics.interruptions.estimator import Rate, estimate, figures
from analytics.interruptions.scales import Scale
from analytics.interruptions.thinning import widened
from analytics.interruptions.variants import BID_FACTORS, Variant
from analytics.market import HOUR, Exposure

NOT_RECORDED = Note("the time between interruptions at other bids is not recorded yet", usual=True)
TOO_FEW = Note(
    "too few interruptions, or too far apart polls, for the time between them at a bid of {factors} × the lowest"
)


NO_ENDS: Mapping[str, float | None] = {"low": None, "high": None}


@dataclass(frozen=True, slots=True)
class BidTime:
    """At one bid, a multiple of the lowest; None where there are too few interruptions, or polls are too far apart."""

    bid_factor: float
    mean_time_between_interruptions_hours: float | None
    interval_95: Mapping[str, float | None]
    """of that time, in hours"""
    interruptions: int
    exposure_hours: float


def mtbi_by_bid(rate: Rate, scale: Scale) -> tuple[BidTime, ...] | None:
    """The MTBI (hours) at each of ``BID_FACTORS``, ascending; None where those bids were not followed.

    At another bid it is the MTBI shown times the plain MTBI at that bid over the plain one at 1.1, over the same polls:
    what polls hide at one bid they hide at the other. Its interval is of its own interruptions, with overdispersion
    and the doubt of thinning (:func:`analytics.interruptions.thinning.widened`). Source: definitions, "Interruptions".
    """
    lived = scale.lived or {}
    if Variant.PLAIN not in lived or not all(variant in lived for variant in BID_FACTORS):
        return None
    base = estimate(lived[Variant.PLAIN]).mtbi_hours
    factor = rate.mtbi_hours / base if rate.mtbi_hours and base else None
    rows = {variant: _at(variant, lived[variant], scale, factor) for variant in BID_FACTORS}
    shown = figures(rate)
    rows[Variant.PLAIN] = BidTime(
        BID_FACTORS[Variant.PLAIN], shown.mtbi_hours, shown.interval_95, rate.events, round(rate.exposure_hours, 1)
    )
    return tuple(rows.values())


def _at(variant: Variant, sums: Exposure, scale: Scale, factor: float | None) -> BidTime:
    own = estimate(sums, overdispersion=scale.overdispersion)
    low, high = own.interval_95
    hours, ends = None, NO_ENDS
    if factor and own.mtbi_hours and low and high and own.events >= SHRINK_BELOW:
        hours = round(factor * own.mtbi_hours, 4)
        least, most = widened(factor * own.mtbi_hours, factor * low, factor * high, scale.thinning)
        ends = {"low": round(least, 4), "high": round(most, 4)}
    return BidTime(BID_FACTORS[variant], hours, ends, sums.events, round(sums.held_s / HOUR, 1))


def about_bids(rows: Sequence[BidTime] | None) -> tuple[Note, ...]:
    """Why a time is missing."""
    if rows is None:
        return (NOT_RECORDED,)
    missing = [str(row.bid_factor) for row in rows if row.mean_time_between_interruptions_hours is None]
    return (Note(TOO_FEW.text, {"factors": ", ".join(missing)}, usual=True),) if missing else ()
