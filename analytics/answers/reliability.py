"""Q8: how likely a tenant who starts now is still running after 24 hours, and what interruptions cost in up-time."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from analytics.evidence import OMIT, Basis, Evidence, Note, Plural
from analytics.interruptions.bids import BidTime, about_bids, mtbi_by_bid
from analytics.interruptions.estimator import (
    BUNCHED,
    LOWER_BOUND,
    MIN_EXPOSURE_H,
    WAVES,
    Context,
    Rate,
    assumptions,
    estimate,
    figures,
    implied,
    without_absent,
)
from analytics.interruptions.resolution import TOO_COARSE, not_yet, too_coarse
from analytics.interruptions.scales import Scale
from analytics.interruptions.survival import Chance, Curve, fit
from analytics.market import Exposure, LifeTable, Offer
from analytics.offer_now import OfferNow

PERIOD_DAYS = 30
"""What the figures look back on (source: the guide's key uptime_percent_30d)."""

SCORE_HOURS = 24.0
"""The horizon of reliability_score (source: definitions, "Interruptions")."""

SHORT_HOURS = (1.0, 6.0)
"""The other horizons shown (source: features 1, Q8: "P(survive 1/6/24 h)")."""

SEEN_TWICE = 2.0
"""A horizon is answered when history is this many times as long (ours: so that a tenancy that long could be seen)."""

LOW_RISK, MEDIUM_RISK = 0.90, 0.70
"""Least reliability_score of low and of medium risk (source: definitions, "Interruptions")."""

NOTHING_ELSE = Context()

TWO_TIMES = Note(
    "two different times: half of new tenants are interrupted within the first; the mean time between interruptions, "
    "with its interval, is of all tenants, those included that have long run",
    usual=True,
)

Risk = Literal["low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class Survival:
    """P(a tenant who starts now is still running after 1, 6, 24 h), and after how many hours half of them are not."""

    after_1h: float | None
    after_6h: float | None
    after_24h: float | None
    median_hours: float | None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """P(a tenant who starts now is still running after ``hours``), with its 95 % interval."""

    hours: float
    probability: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """Q8. ``host_reliability``: the median of Vast's own host scores on offer now, which is another thing."""

    gpu_name: str
    reliability_score: float | None
    uptime_percent_30d: float | None
    mean_time_between_interruptions_hours: float | None
    avg_interruption_duration_minutes: float | None
    risk_level: Risk | None
    risk_rank: int | None
    """1: the safest of the ``risk_of`` models on offer that have a score; None where this one is not among them"""
    risk_of: int | None
    mtbi_without_absent_hours: float | None
    """the mean time between interruptions by a renter or a higher bid: without machines that went missing"""
    mtbi_by_bid: tuple[BidTime, ...] | None
    """what paying more buys; None where other bids were not followed yet"""
    survival: Survival
    new_tenant_half_life_hours: float | None
    """half of the tenants who start now are interrupted within these hours; the mean time between is of all tenants"""
    survival_curve: tuple[CurvePoint, ...]
    """by the hour up to 24 h; empty as long as nothing is said about them"""
    total_interruptions: int
    host_reliability: float | None
    offers_now: tuple[OfferNow, ...] | None = field(default=None, kw_only=True, metadata=OMIT)
    """the best matching offers; left out where the answer names no model"""
    evidence: Evidence


def reliability(
    gpu: str,
    exposure: Exposure,
    life: LifeTable,
    book: Sequence[Offer],
    basis: Basis,
    *,
    context: Context = NOTHING_ELSE,
) -> Reliability:
    """Q8 for one model over the last 30 days.

    ``reliability_score``: P(a tenant who starts now on a free slice runs 24 h), from the survival curve of the life
    table, in which a new tenant's slice has been free as long as those that are (:func:`survival.fit`). ``exposure``,
    ``context``: as for Q9, with which every figure agrees. Raises NotYet when nothing was held, and as a whole where
    polls are too far apart for the interruptions.
    Source: definitions, "Interruptions".
    """
    scatter = context.overdispersion
    rate = estimate(exposure, prior=context.prior, overdispersion=scatter, thinning=context.thinning)
    if not rate.exposure_hours:
        raise not_yet(basis)
    if TOO_COARSE in rate.notes:
        raise too_coarse(rate.events, rate.exposure_hours, rate.step_s, PERIOD_DAYS, basis)
    curve = fit(life, correction=rate.markov_correction, overdispersion=scatter)
    seen_h = _seen_hours(rate, basis)
    chance = _chance(curve, seen_h)
    shown, other = figures(rate), without_absent(rate)
    bids = mtbi_by_bid(rate, Scale(scatter, context.thinning, context.lived))
    score = None if chance is None else round(chance.value, 4)
    survival, standing = _survival(curve, score, seen_h), place_among(score, context.others)
    return Reliability(
        gpu_name=gpu,
        reliability_score=score,
        uptime_percent_30d=shown.uptime_percent,
        mean_time_between_interruptions_hours=shown.mtbi_hours,
        avg_interruption_duration_minutes=shown.duration_minutes,
        risk_level=None if score is None else risk_level(score),
        risk_rank=standing[0],
        risk_of=standing[1],
        mtbi_without_absent_hours=None if other is None else round(other, 4),
        mtbi_by_bid=bids,
        survival=survival,
        new_tenant_half_life_hours=survival.median_hours,
        survival_curve=_curve(curve, seen_h),
        total_interruptions=rate.events,
        host_reliability=host_reliability(book),
        evidence=_evidence(rate, chance, seen_h, basis, about_bids(bids)),
    )


def _seen_hours(rate: Rate, basis: Basis) -> float:
    return (basis.history_days or 0.0) * 24 if rate.exposure_hours >= MIN_EXPOSURE_H else 0.0


def _chance(curve: Curve | None, seen_h: float) -> Chance | None:
    return curve.chance(SCORE_HOURS) if curve and seen_h >= SEEN_TWICE * SCORE_HOURS else None


def score_of(exposure: Exposure, life: LifeTable, basis: Basis, *, thinning: float | None = None) -> float | None:
    """The reliability_score alone, None where :func:`reliability` gives none."""
    rate = estimate(exposure, thinning=thinning)
    if not rate.exposure_hours or TOO_COARSE in rate.notes:
        return None
    chance = _chance(fit(life, correction=rate.markov_correction), _seen_hours(rate, basis))
    return None if chance is None else round(chance.value, 4)


def place_among(score: float | None, others: Sequence[float] | None) -> tuple[int | None, int | None]:
    """(rank, of how many) of a score among those of the other models on offer; None where there is nothing to rank."""
    if score is None or others is None:
        return None, None
    return 1 + sum(other > score for other in others), 1 + len(others)


def _survival(curve: Curve | None, score: float | None, seen_h: float) -> Survival:
    if curve is None or not seen_h:
        return Survival(None, None, None, None)
    short, longer = (round(curve.survival(h), 4) if seen_h >= SEEN_TWICE * h else None for h in SHORT_HOURS)
    median = curve.median(seen_h / SEEN_TWICE)
    return Survival(short, longer, score, None if median is None else round(median, 2))


def _curve(curve: Curve | None, seen_h: float) -> tuple[CurvePoint, ...]:
    """The curve as far as history bears it, at most to the score's horizon."""
    last = math.floor(min(SCORE_HOURS, seen_h / SEEN_TWICE))
    if curve is None or last < 1:
        return ()
    return tuple(_curve_point(curve, float(hours)) for hours in range(last + 1))


def _curve_point(curve: Curve, hours: float) -> CurvePoint:
    chance = curve.chance(hours)
    return CurvePoint(hours, round(chance.value, 4), round(chance.low_95, 4), round(chance.high_95, 4))


def risk_level(score: float) -> Risk:
    """What a reliability_score is called."""
    if score >= LOW_RISK:
        return "low"
    return "medium" if score >= MEDIUM_RISK else "high"


def host_reliability(book: Sequence[Offer]) -> float | None:
    """The median of Vast's host scores (0 to 1), each machine once; None when none is on offer."""
    scores = {offer.machine_id: offer.reliability for offer in book if offer.reliability is not None}
    return round(statistics.median(scores.values()), 4) if scores else None


def _evidence(rate: Rate, chance: Chance | None, seen_h: float, basis: Basis, more: tuple[Note, ...]) -> Evidence:
    shown = figures(rate)
    interval: dict[str, object] = {"mean_time_between_interruptions_hours": shown.interval_95}
    if chance is not None:
        interval["reliability_score"] = {"low": round(chance.low_95, 4), "high": round(chance.high_95, 4)}
    details = {
        "reliability_score_lower_5": None if chance is None else round(chance.lower_5, 4),
        "by_cause": rate.by_cause,
        "shrunk": rate.shrunk,
        "overdispersion": None if rate.overdispersion is None else round(rate.overdispersion, 2),
        "poll_interval_minutes": shown.poll_minutes,
    }
    return basis.evidence(
        implied(),
        (*_caveats(rate, chance, seen_h, basis), *more),
        exposure_hours=round(rate.exposure_hours, 1),
        interval_95=interval,
        assumptions=assumptions(),
        details=details,
    )


def _caveats(rate: Rate, chance: Chance | None, seen_h: float, basis: Basis) -> tuple[Note, ...]:
    notes = [TWO_TIMES, BUNCHED if rate.overdispersion is None else WAVES]
    notes += rate.notes
    if LOWER_BOUND in notes and rate.interval_95[0] is not None:
        least = Note(
            "the mean time between interruptions is at least {hours} h", {"hours": round(rate.interval_95[0], 1)}
        )
        notes.append(least)
    if rate.exposure_hours < MIN_EXPOSURE_H:
        values = {"have": round(rate.exposure_hours, 1), "need": MIN_EXPOSURE_H}
        notes.append(
            Note(
                Plural(
                    "{have} tenant-hour is too little for a score: it takes {need}",
                    "{have} tenant-hours are too few for a score: it takes {need}",
                    "have",
                ),
                values,
            )
        )
    elif chance is None:
        values = {"have": round(seen_h, 1), "need": SEEN_TWICE * SCORE_HOURS}
        notes.append(Note("the score needs {need} h of history; so far: {have} h", values))
    elif basis.history_days is not None and basis.history_days < PERIOD_DAYS:
        values = {"have": basis.history_days, "want": PERIOD_DAYS}
        notes.append(Note("days recorded: only {have} of {want}", values))
    return tuple(notes)
