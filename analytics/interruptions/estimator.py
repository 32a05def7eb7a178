"""How often shadow tenants are interrupted: the estimator on which Q8, Q9 and Q10 stand, and Q9 itself."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from analytics.evidence import OMIT, Basis, Evidence, Note, Plural
from analytics.interruptions.resolution import NOTHING, TOO_COARSE, coarse_models, not_yet, unresolved
from analytics.interruptions.shadow_tenants import BID_FACTOR, PATIENCE_S
from analytics.market import DAY, HOUR, Cause, Exposure
from analytics.offer_now import OfferNow

TAILS = (0.025, 0.975)
"""The quantiles of a 95 % interval (source: definitions, "Interruptions")."""

SHRINK_BELOW = 10
"""With fewer interruptions a model's rate is shrunk to its class (source: definitions, "Interruptions")."""

JEFFREYS = 0.5
"""What the Jeffreys prior adds to a count, or to each side of a proportion (source: Jeffreys 1946)."""

MIN_EXPOSURE_H = 24.0
"""Less tenant-time than this says nothing about up-time or a region (ours: one tenant for the 24 h of Q8)."""

MIN_CLASS = 3
"""A class prior needs this many models: with two, their spread is one difference (ours)."""

PERIODS = {"24h": 24, "7d": 7 * 24, "30d": 30 * 24, "90d": 90 * 24}
"""What ``period`` may be, in hours (source: the guide and features 1, Q9: "period selector")."""

_CAUSES = tuple(cause.value for cause in Cause)
_CACHED = 4096
"""Quantiles kept in memory (source: our choice; a market of 60 models and nine regions has some 1,200)."""

_GEFORCE = re.compile(r"(?:RTX|GTX) (?:\d0|16)[5-9]0\b")

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


class Prior(NamedTuple):
    """A Gamma prior of a rate: as if ``events`` had been seen in ``hours``."""

    events: float
    hours: float


class Context(NamedTuple):
    """What is known besides an exposure: of the models of its kind, and of its own days."""

    prior: Prior | None = None
    overdispersion: float | None = None
    others: Sequence[float] | None = None
    """reliability scores of the other models on offer; None where this one is not on offer"""


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


def estimate(exposure: Exposure, *, prior: Prior | None = None, overdispersion: float | None = None) -> Rate:
    """Rate (per held tenant-hour), MTBI (hours) with its 95 % Gamma interval, mean duration and up-time.

    Interruptions shorter than a poll step are corrected for by the two-state Markov chain, rate = -ln(1-p-q) p /
    ((p+q) dt); the interval scales with it. The mean duration is MTBI x interrupted/held, so that
    held/(held+interrupted) = MTBI/(MTBI+duration) exactly. ``prior`` is used below 10 events. Never raises.
    ``overdispersion`` (:func:`analytics.interruptions.overdispersion.overdispersion`): so many events count as one
    independent one in the interval, a quasi-Poisson; None counts each. The MTBI stays.
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
    hours = _effective_hours(exposure)
    if hours is None:
        return plain.rate(notes=(TOO_COARSE,))
    return _measured(plain, hours, prior if events < SHRINK_BELOW else None, overdispersion)


def _measured(plain: _Sample, hours: float, prior: Prior | None, overdispersion: float | None) -> Rate:
    more = prior or Prior(0.0, 0.0)
    k, t = plain.events + more.events, hours + more.hours
    correction = plain.held_h / hours
    if unresolved(t / k, plain.step_s):
        return plain.rate(correction=correction, notes=(TOO_COARSE,))
    alone, hours_alone = k / (overdispersion or 1.0), t / (overdispersion or 1.0)
    low = hours_alone / _gamma(alone + (0 if prior else 1), TAILS[1])
    high = hours_alone / _gamma(alone, TAILS[0])
    notes = (SHRUNK,) if prior else ()
    return plain.rate(
        mtbi=t / k,
        interval=(low, high),
        correction=correction,
        shrunk=bool(prior),
        notes=notes,
        overdispersion=overdispersion,
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
        overdispersion: float | None = None,
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
            overdispersion=overdispersion,
        )


def _effective_hours(exposure: Exposure) -> float | None:
    """The exposure in which the events seen make the rate of the continuous chain; None when steps are too coarse."""
    held_h, k = exposure.held_s / HOUR, exposure.events
    if not k or not exposure.up_steps:
        return held_h
    step_h = (exposure.held_s + exposure.interrupted_s) / HOUR / (exposure.up_steps + exposure.down_steps)
    p = k / exposure.up_steps
    q = exposure.resumed / exposure.down_steps if exposure.down_steps else 0.0
    if p + q >= 1:
        # A small sample in which every tenant was back at the next poll does not say that one always is (Jeffreys).
        q = (exposure.resumed + JEFFREYS) / (exposure.down_steps + 2 * JEFFREYS)
    if p + q >= 1:
        return None
    return k * (p + q) * step_h / (-math.log1p(-p - q) * p)


@functools.lru_cache(maxsize=_CACHED)
def _gamma(shape: float, quantile: float) -> float:
    """The quantile of a standard Gamma variable: half of chi-square's with twice the shape as degrees of freedom."""
    from scipy.special import gammaincinv

    return float(gammaincinv(shape, quantile))


def kind(model: str) -> str:
    """The class a model's rate is shrunk to: people rent out GeForce cards, businesses the others."""
    return "geforce" if _GEFORCE.match(model) else "professional"


def class_prior(exposures: Mapping[str, Exposure]) -> Prior | None:
    """The Gamma prior that models of one kind make, by the method of moments; None from too few models or events.

    ``exposures``: model -> exposure. Where the models do not differ beyond chance it weighs as much as all of them.
    Source: definitions ("shrunk to its class by a Gamma prior"); empirical Bayes, DerSimonian-Laird moments.
    """
    sampled = [(e.events, hours) for e in exposures.values() if e.held_s and (hours := _effective_hours(e))]
    events, hours = sum(k for k, _ in sampled), math.fsum(t for _, t in sampled)
    if len(sampled) < MIN_CLASS or events < SHRINK_BELOW:
        return None
    mean = events / hours
    spread = math.fsum(t * (k / t - mean) ** 2 for k, t in sampled) - (len(sampled) - 1) * mean
    variance = spread / (hours - math.fsum(t * t for _, t in sampled) / hours)
    weight = min(hours, mean / variance) if variance > 0 else hours
    return Prior(mean * weight, weight)


def total(regions: Mapping[str, Exposure]) -> Exposure:
    """All regions together."""
    return sum(regions.values(), Exposure())


def priors(exposures: Mapping[str, Exposure]) -> dict[str, Prior | None]:
    """Model -> the prior of its kind."""
    kinds: dict[str, dict[str, Exposure]] = {}
    for model, exposure in exposures.items():
        kinds.setdefault(kind(model), {})[model] = exposure
    fitted = {name: class_prior(members) for name, members in kinds.items()}
    return {model: fitted[kind(model)] for model in exposures}


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
    overdispersion: Mapping[str, float | None] | None = None,
) -> InterruptionRates:
    """Q9: the interruptions of each model, the least interrupted first.

    ``exposures``: model -> region -> sums over the period (a key of ``PERIODS``), of every model that may serve as
    class for another; ``only``: those to show, all when empty, and of them the first ``limit``; ``overdispersion``:
    model -> how its daily counts scatter, for the intervals (:mod:`analytics.interruptions.overdispersion`).
    Raises NotYet when none was held.
    """
    summed = {model: total(regions) for model, regions in exposures.items()}
    shown = [model for model in summed if summed[model].held_s and (not only or model in only)]
    if not shown:
        raise not_yet(basis)
    prior = priors(summed)
    scatter = overdispersion or {}
    rates = (
        _model_rate(m, exposures[m], estimate(summed[m], prior=prior[m], overdispersion=scatter.get(m))) for m in shown
    )
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
        exposure_hours=round(rate.exposure_hours, 1),
        mean_time_between_interruptions_hours=shown.mtbi_hours,
        interval_95=shown.interval_95,
        uptime_percent=shown.uptime_percent,
        poll_interval_minutes=shown.poll_minutes,
        shrunk=rate.shrunk,
        notes=rate.notes,
        overdispersion=_round(rate.overdispersion, 2),
    )


def worst_region(regions: Mapping[str, Exposure], whole: Rate) -> str | None:
    """The region interrupted most often, if its whole 95 % interval is worse than the model's MTBI; else None."""
    worse = []
    for region, exposure in regions.items():
        rate = estimate(exposure, overdispersion=whole.overdispersion)
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
