"""How often shadow tenants are interrupted: the estimator on which Q8, Q9 and Q10 stand, and Q9 itself."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from analytics.evidence import OMIT, Basis, Evidence, Note, Plural
from analytics.interruptions.class_prior import SHRINK_BELOW, Prior, priors
from analytics.interruptions.resolution import NOTHING, TOO_COARSE, coarse_models, not_yet, unresolved
from analytics.interruptions.scales import NO_SCALE, Scale, factors
from analytics.interruptions.shadow_tenants import BID_FACTOR, PATIENCE_S
from analytics.interruptions.thinning import effective_hours, widened
from analytics.interruptions.variants import Variant
from analytics.market import DAY, HOUR, Cause, Exposure
from analytics.offer_now import OfferNow

TAILS = (0.025, 0.975)
"""The quantiles of a 95 % interval (source: definitions, "Interruptions")."""

MIN_EXPOSURE_H = 24.0
"""Less tenant-time than this says nothing about up-time or a region (ours: one tenant for the 24 h of Q8)."""

PERIODS = {"24h": 24, "7d": 7 * 24, "30d": 30 * 24, "90d": 90 * 24}
"""What ``period`` may be, in hours (source: the guide and features 1, Q9: "period selector")."""

_CAUSES = tuple(cause.value for cause in Cause)
_CACHED = 4096
"""Quantiles kept in memory (source: our choice; a market of 60 models and nine regions has some 1,200)."""

SHRUNK = Note(
    Plural(
        "fewer than {n} interruption: the rate leans on models of the same kind",
        "fewer than {n} interruptions: the rate leans on models of the same kind",
    ),
    {"n": SHRINK_BELOW},
)
LOWER_BOUND = Note("no interruption seen yet: only a lower bound can be given")
IMPLIED = Note(
    "market-implied: nobody's contract is public; a shadow tenant bids {factor} × the lowest bid on every free slice"
)
WAVES = Note(
    "interruptions come in waves: the intervals of the time between them are widened by how much daily counts scatter",
    usual=True,
)
BUNCHED = Note("interruptions of one machine come together, so the intervals are if anything too narrow", usual=True)


class Context(NamedTuple):
    """What is known besides an exposure: of the models of its kind, and of its own days."""

    prior: Prior | None = None
    overdispersion: float | None = None
    others: Sequence[float] | None = None
    """reliability scores of the other models on offer; None where this one is not on offer"""
    thinning: float | None = None
    """its factor of poll thinning"""

    lived: Mapping[Variant, Exposure] | None = None
    """what the variants of its tenants lived through"""


@dataclass(frozen=True, slots=True)
class Rate:
    """What an exposure says, hours being tenant-hours. None where the data do not carry a number: ``notes`` say why."""

    exposure_hours: float
    events: int
    per_hour: float | None
    mtbi_hours: float | None
    interval_95: tuple[float | None, float | None]
    """of the MTBI; the upper end is None when no interruption was seen"""
    duration_hours: float | None
    uptime: float | None
    """fraction of the time that was held"""
    by_cause: Mapping[str, int]
    shrunk: bool
    step_s: float | None
    """mean seconds between the polls that were compared"""
    correction: float
    """corrected over plain rate: what short interruptions between polls add"""
    notes: tuple[Note, ...] = ()
    overdispersion: float | None = None
    """how many interruptions count as one in the interval; None: each was counted"""
    thinning: float | None = None
    """by what polling half as often changed the MTBI: it is multiplied by it; None: not known"""

    @property
    def markov_correction(self) -> float:
        """The correction without poll thinning, for the survival of new tenants.

        Against censuses of six simulated markets S(24 h) is off by .009, .014 and .019 with it (polls of 15, 30 and 60
        minutes), and by .028, .043 and .055 with thinning.
        """
        return self.correction * (self.thinning or 1.0)


def estimate(
    exposure: Exposure,
    *,
    prior: Prior | None = None,
    overdispersion: float | None = None,
    thinning: float | None = None,
) -> Rate:
    """Rate (per held tenant-hour), MTBI (hours) with its 95 % Gamma interval, mean duration and up-time.

    Interruptions shorter than a poll step are corrected for by the two-state Markov chain, rate = -ln(1-p-q) p /
    ((p+q) dt); the interval scales with it. The mean duration is MTBI x interrupted/held, so that
    held/(held+interrupted) = MTBI/(MTBI+duration) exactly. ``prior`` is used below 10 events. Never raises.
    ``overdispersion`` (:func:`analytics.interruptions.overdispersion.overdispersion`): so many events count as one
    independent one in the interval, a quasi-Poisson; None counts each. The MTBI stays. ``thinning``
    (:func:`analytics.interruptions.thinning.thinning`): the MTBI is multiplied by it, and the interval widened.
    Source: definitions, "Interruptions: the shadow tenant"; features 4.4.
    """
    held_h, events = exposure.held_s / HOUR, exposure.events
    steps = exposure.up_steps + exposure.down_steps
    step_s = (exposure.held_s + exposure.interrupted_s) / steps if steps else None
    plain = _Sample(held_h, events, step_s, exposure)
    if not held_h:
        return plain.rate(notes=(NOTHING,))
    if not events:
        least = held_h / _gamma(1, TAILS[1])
        if held_h >= MIN_EXPOSURE_H and unresolved(least, step_s):
            return plain.rate(notes=(TOO_COARSE,))
        return plain.rate(interval=(least, None), notes=(LOWER_BOUND,))
    hours = effective_hours(exposure)
    if hours is None:
        return plain.rate(notes=(TOO_COARSE,))
    hours *= thinning or 1.0
    return _measured(plain, hours, prior if events < SHRINK_BELOW else None, Scale(overdispersion, thinning))


def _measured(plain: _Sample, hours: float, prior: Prior | None, scale: Scale) -> Rate:
    overdispersion = scale.overdispersion
    more = prior or Prior(0.0, 0.0)
    k, t = plain.events + more.events, hours + more.hours
    correction = plain.held_h / hours
    if unresolved(t / k, plain.step_s):
        return plain.rate(correction=correction, notes=(TOO_COARSE,))
    alone, hours_alone = k / (overdispersion or 1.0), t / (overdispersion or 1.0)
    low = hours_alone / _gamma(alone + (0 if prior else 1), TAILS[1])
    high = hours_alone / _gamma(alone, TAILS[0])
    return plain.rate(
        mtbi=t / k,
        interval=widened(t / k, low, high, scale.thinning),
        correction=correction,
        shrunk=bool(prior),
        notes=(SHRUNK,) if prior else (),
        scale=scale,
    )


class _Sample(NamedTuple):
    held_h: float
    events: int
    step_s: float | None
    exposure: Exposure

    def rate(
        self,
        *,
        mtbi: float | None = None,
        interval: tuple[float | None, float | None] = (None, None),
        correction: float = 1.0,
        shrunk: bool = False,
        notes: tuple[Note, ...] = (),
        scale: Scale = NO_SCALE,
    ) -> Rate:
        held, lost = self.exposure.held_s, self.exposure.interrupted_s
        return Rate(
            exposure_hours=self.held_h,
            events=self.events,
            per_hour=None if mtbi is None else 1 / mtbi,
            mtbi_hours=mtbi,
            interval_95=interval,
            duration_hours=None if mtbi is None else mtbi * lost / held,
            uptime=held / (held + lost) if self.held_h >= MIN_EXPOSURE_H and TOO_COARSE not in notes else None,
            by_cause={cause: getattr(self.exposure, cause) for cause in _CAUSES},
            shrunk=shrunk,
            step_s=self.step_s,
            correction=correction,
            notes=notes,
            overdispersion=scale.overdispersion,
            thinning=scale.thinning,
        )


@functools.lru_cache(maxsize=_CACHED)
def _gamma(shape: float, quantile: float) -> float:
    """The quantile of a standard Gamma variable: half of chi-square's with twice the shape as degrees of freedom."""
    from scipy.special import gammaincinv

    return float(gammaincinv(shape, quantile))


def total(regions: Mapping[str, Exposure]) -> Exposure:
    """All regions together."""
    return sum(regions.values(), Exposure())


class Figures(NamedTuple):
    """A rate as answers show it: the same digits in every answer, so that they agree with each other."""

    per_day: float | None
    mtbi_hours: float | None
    interval_95: Mapping[str, float | None]
    duration_minutes: float | None
    uptime_percent: float | None
    poll_minutes: float | None


def figures(rate: Rate) -> Figures:
    """Per day of running, hours, minutes, percent."""
    low, high = rate.interval_95
    return Figures(
        per_day=_round(rate.per_hour, 4, times=DAY / HOUR),
        mtbi_hours=_round(rate.mtbi_hours, 4),
        interval_95={"low": _round(low, 4), "high": _round(high, 4)},
        duration_minutes=_round(rate.duration_hours, 2, times=HOUR / 60),
        uptime_percent=_round(rate.uptime, 3, times=100),
        poll_minutes=_round(rate.step_s, 1, times=1 / 60),
    )


def _round(value: float | None, digits: int, *, times: float = 1) -> float | None:
    return None if value is None else round(value * times, digits)


@dataclass(frozen=True, slots=True)
class ModelRate:
    """One model's interruptions; ``interruption_rate_per_day`` is per day of running, 24 / MTBI."""

    gpu_name: str
    total_interruptions: int
    interruption_rate_per_day: float | None
    avg_duration_minutes: float | None
    worst_region: str | None
    by_cause: Mapping[str, int]
    mtbi_without_absent_hours: float | None
    """the time between interruptions by a renter or a higher bid: without machines that went missing"""
    exposure_hours: float
    mean_time_between_interruptions_hours: float | None
    interval_95: Mapping[str, float | None]
    """of the mean time between interruptions, in hours"""
    uptime_percent: float | None
    poll_interval_minutes: float | None
    shrunk: bool
    notes: tuple[Note, ...]
    overdispersion: float | None
    """how much daily counts scatter beyond chance (1): the interval is widened by its root; None: not known yet"""


@dataclass(frozen=True, slots=True)
class InterruptionRates:
    """Q9."""

    period: str
    gpus: tuple[ModelRate, ...]
    offers_now: tuple[OfferNow, ...] | None = field(default=None, kw_only=True, metadata=OMIT)
    """the best matching offers; left out where the answer names no model"""
    evidence: Evidence
    limit: int | None = field(default=None, metadata=OMIT)
    """how many models were asked for, where somebody said so"""


def interruption_rates(
    exposures: Mapping[str, Mapping[str, Exposure]],
    period: str,
    basis: Basis,
    *,
    only: tuple[str, ...] = (),
    limit: int | None = None,
    scale: Mapping[str, Scale] | None = None,
) -> InterruptionRates:
    """Q9: the interruptions of each model, the least interrupted first.

    ``exposures``: model -> region -> sums over the period (a key of ``PERIODS``), of every model that may serve as
    class for another; ``only``: those to show, all when empty, and of them the first ``limit``; ``scale``: model ->
    what its own days say of its figures (:mod:`analytics.interruptions.scales`). Raises NotYet when none was held.
    """
    summed = {model: total(regions) for model, regions in exposures.items()}
    shown = [model for model in summed if summed[model].held_s and (not only or model in only)]
    if not shown:
        raise not_yet(basis)
    scale = scale or {}
    prior = priors(summed, factors(scale))
    rates = (_model_rate(m, exposures[m], _scaled(summed[m], prior[m], scale.get(m, NO_SCALE))) for m in shown)
    found = tuple(sorted(rates, key=_by_rate))[:limit]
    caveats = [
        *coarse_models([row.gpu_name for row in found if TOO_COARSE in row.notes]),
        *_short_history(PERIODS[period] / 24, basis),
        *about_overdispersion([row.overdispersion for row in found]),
    ]
    if any(row.shrunk for row in found):
        caveats.append(SHRUNK)
    evidence = basis.evidence(
        implied(),
        tuple(caveats),
        exposure_hours=round(sum(row.exposure_hours for row in found), 1),
        assumptions=assumptions(),
    )
    return InterruptionRates(period, found, evidence, limit)


def _scaled(exposure: Exposure, prior: Prior | None, scale: Scale) -> Rate:
    return estimate(exposure, prior=prior, overdispersion=scale.overdispersion, thinning=scale.thinning)


def about_overdispersion(scatter: Sequence[float | None]) -> tuple[Note, ...]:
    """What an interval knows of interruptions that come together: of each model its ``overdispersion``."""
    known = (WAVES,) if any(one is not None for one in scatter) else ()
    return known if all(one is not None for one in scatter) else (*known, BUNCHED)


def _by_rate(row: ModelRate) -> tuple[bool, float, str]:
    rate = row.interruption_rate_per_day
    return rate is None, rate or 0.0, row.gpu_name


def _model_rate(model: str, regions: Mapping[str, Exposure], rate: Rate) -> ModelRate:
    shown = figures(rate)
    return ModelRate(
        gpu_name=model,
        total_interruptions=rate.events,
        interruption_rate_per_day=shown.per_day,
        avg_duration_minutes=shown.duration_minutes,
        worst_region=worst_region(regions, rate),
        by_cause=rate.by_cause,
        mtbi_without_absent_hours=_round(without_absent(rate), 4),
        exposure_hours=round(rate.exposure_hours, 1),
        mean_time_between_interruptions_hours=shown.mtbi_hours,
        interval_95=shown.interval_95,
        uptime_percent=shown.uptime_percent,
        poll_interval_minutes=shown.poll_minutes,
        shrunk=rate.shrunk,
        notes=rate.notes,
        overdispersion=_round(rate.overdispersion, 2),
    )


def without_absent(rate: Rate) -> float | None:
    """The MTBI (hours) of all causes but ``absent``; None where there is no MTBI of its own, or nothing but those.

    Causes compete for the same exposure, so that each has its share of the rate (source: cause-specific hazards,
    Prentice et al. 1978).
    """
    others = rate.events - rate.by_cause[Cause.ABSENT.value]
    return None if rate.mtbi_hours is None or rate.shrunk or not others else rate.mtbi_hours * rate.events / others


def worst_region(regions: Mapping[str, Exposure], whole: Rate) -> str | None:
    """The region interrupted most often, if its whole 95 % interval is worse than the model's MTBI; else None."""
    worse = []
    for region, exposure in regions.items():
        rate = estimate(exposure, overdispersion=whole.overdispersion, thinning=whole.thinning)
        high = rate.interval_95[1]
        enough = rate.events >= SHRINK_BELOW and rate.exposure_hours >= MIN_EXPOSURE_H
        if enough and rate.mtbi_hours and whole.mtbi_hours and high and high < whole.mtbi_hours:
            worse.append((rate.mtbi_hours, region))
    return min(worse)[1] if worse else None


def implied() -> Note:
    """The method of every figure about interruptions."""
    return Note(IMPLIED.text, {"factor": BID_FACTOR}, usual=True)


def assumptions() -> dict[str, float]:
    """What the shadow tenants do, for the evidence."""
    return {"bid_factor": BID_FACTOR, "patience_hours": PATIENCE_S / HOUR}


def _short_history(days: float, basis: Basis) -> list[Note]:
    if basis.history_days is None or basis.history_days >= days:
        return []
    return [Note("days recorded: only {have} of {want}", {"have": basis.history_days, "want": round(days)})]
