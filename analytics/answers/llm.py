"""Q2: which machines on offer hold a language model, and which of them give most tokens for the money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analytics.evidence import Basis, Evidence, Note, Plural
from analytics.hardware.decode import MBU, decode_rate
from analytics.hardware.llm_lookup import FoundLlm
from analytics.hardware.llm_work import from_name
from analytics.hardware.machines import Machine, nominal_gb, thin
from analytics.hardware.memory import (
    FORMULA_ERROR,
    LORA_RANK,
    USABLE_SHARE,
    Need,
    Placement,
    Work,
    chance_to_fit,
    gib,
    need,
)
from analytics.hardware.speed import Rates, train_rate
from analytics.hardware.weights import FORMATS
from analytics.market import HOUR, micro, usd

SMALL_ENOUGH = 0.9
"""Of one model the smallest machine is shown that gives this share of its best value (source: our choice)."""

MILLION = 1_000_000
"""Tokens are priced and counted by the million (source: usage of the API providers)."""

UNRATED = Note("memory fits; its speed is not in the catalogue, so its value cannot be rated")
METHOD = Note(
    "fit_score = tokens per dollar relative to the best machine on offer x the chance that the memory is enough; "
    "prices are medians over machines with that many free GPUs"
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked besides the model: limits on memory (GB of one GPU), price (USD/h of the machine), GPUs."""

    min_vram: float | None = None
    max_price: float | None = None
    max_gpus: int | None = None
    tokens: float | None = None
    """training tokens for which hours are wanted"""
    assumed: bool = False
    """``tokens`` were not given but assumed"""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One machine that fits. ``price_per_hour`` is that of all its GPUs, ``vram_gb`` the memory of one."""

    gpu_name: str
    vram_gb: int | None
    price_per_hour: float
    fit_score: float | None
    reasoning: Note
    estimated_training_time_hours: float | None
    gpus: int
    price_per_gpu_hour: float
    on_demand_price_per_hour: float
    memory_need_gib: float
    memory_gib: float
    sharded: bool
    tokens_per_second: float | None
    usd_per_million_tokens: float | None
    machines: int


@dataclass(frozen=True, slots=True)
class NotFitting:
    """A GPU model that cannot do it, with the size of the machine that the reason is about (0: none on offer)."""

    gpu_name: str
    gpus: int
    reason: Note


@dataclass(frozen=True, slots=True)
class LlmGpus:
    """Q2."""

    model_size: str
    recommendations: tuple[Recommendation, ...]
    model: str
    params: int
    mode: str
    precision: str
    context: int
    batch: int
    memory_need_gib: float
    training_tokens: int | None
    not_fitting: tuple[NotFitting, ...]
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class _Fit:
    machine: Machine
    placement: Placement
    bytes_each: float
    vram_bytes: float
    rates: Rates | None

    @property
    def tokens_per_usd(self) -> float | None:
        return None if self.rates is None else self.rates.tokens_per_s * HOUR / self.machine.usd_per_hour

    @property
    def chance(self) -> float:
        return chance_to_fit(self.bytes_each, self.vram_bytes)

    @property
    def worth(self) -> float:
        return (self.tokens_per_usd or 0.0) * self.chance


def llm_gpus(found: FoundLlm, work: Work, offered: Sequence[Machine], wish: Wish, basis: Basis) -> LlmGpus:
    """Q2: the best machine of each GPU model that holds ``work``, the best value first.

    Memory by :mod:`analytics.hardware.memory`, speed by :mod:`analytics.hardware.speed`; hours only
    where training tokens are wished for.
    ``fit_score`` in [0, 1] is None for GPUs whose speed is not listed. Source: definitions, "Q2 llm-gpus".
    """
    memory = need(work)
    fits, misses = _sort_out(offered, work, memory, wish)
    best = max((fit.tokens_per_usd or 0.0 for fit in fits), default=0.0)
    picked = sorted(map(_pick, _by_model(fits)), key=lambda fit: (-fit.worth, fit.machine.usd_per_hour))
    tokens = wish.tokens if work.mode != "inference" else None
    return LlmGpus(
        model_size=found.asked,
        recommendations=tuple(_recommend(fit, best, tokens) for fit in picked),
        model=found.llm.name,
        params=found.llm.params,
        mode=work.mode,
        precision=FORMATS[work.precision].precision,
        context=work.context,
        batch=work.batch,
        memory_need_gib=gib(memory.on_each(1, "copies")),
        training_tokens=None if tokens is None else round(tokens),
        not_fitting=misses,
        evidence=basis.evidence(
            METHOD,
            (*_caveats(found, work, tokens if wish.assumed else None), *_thin(picked)),
            assumptions=_assumptions(found, work),
        ),
    )


def _sort_out(
    offered: Sequence[Machine], work: Work, memory: Need, wish: Wish
) -> tuple[list[_Fit], tuple[NotFitting, ...]]:
    """What fits, and for each other model why its cheapest machine that holds the work is refused, or none holds it."""
    fits: list[_Fit] = []
    small: dict[str, NotFitting] = {}
    refused: dict[str, NotFitting] = {}
    for machine in sorted(offered, key=lambda m: (m.model, m.usd_per_hour)):
        fit = _fit_on(machine, work, memory)
        if isinstance(fit, Note):
            if machine.model not in small or machine.gpus > small[machine.model].gpus:
                small[machine.model] = NotFitting(machine.model, machine.gpus, fit)
        elif reason := _refused(machine, wish):
            refused.setdefault(machine.model, NotFitting(machine.model, machine.gpus, reason))
        else:
            fits.append(fit)
    held = {fit.machine.model for fit in fits}
    return fits, tuple(miss for model, miss in sorted({**small, **refused}.items()) if model not in held)


def _refused(machine: Machine, wish: Wish) -> Note | None:
    vram = nominal_gb(machine)
    if wish.max_gpus is not None and machine.gpus > wish.max_gpus:
        return Note(
            Plural("only machines with more than {n} GPU would do", "only machines with more than {n} GPUs would do"),
            {"n": wish.max_gpus},
        )
    if wish.min_vram is not None and (vram is None or vram < wish.min_vram):
        return Note("{have} GB a GPU, {want} GB asked", {"have": vram or "?", "want": wish.min_vram})
    if wish.max_price is not None and machine.usd_per_hour > wish.max_price:
        prices = {"price": round(machine.usd_per_hour, 4), "limit": wish.max_price}
        return Note("costs {price} USD per hour, limit {limit}", prices)
    return None


def _fit_on(machine: Machine, work: Work, memory: Need) -> _Fit | Note:
    """How ``work`` runs on a machine, or why it does not fit."""
    vram = machine.vram_bytes
    if vram is None:
        return Note("its memory is not known")
    placement = memory.placement(machine.gpus, vram)
    if placement is None:
        return memory.shortage(machine.gpus, vram)
    rates = None
    if machine.gpu and machine.mfu:
        rate = decode_rate if work.mode == "inference" else train_rate
        rates = rate(machine.gpu, machine.gpus, work, placement, machine.mfu.mid)
    return _Fit(machine, placement, memory.on_each(machine.gpus, placement), vram, rates)


def _by_model(fits: Sequence[_Fit]) -> list[list[_Fit]]:
    groups: dict[str, list[_Fit]] = {}
    for fit in fits:
        groups.setdefault(fit.machine.model, []).append(fit)
    return list(groups.values())


def _pick(fits: Sequence[_Fit]) -> _Fit:
    """The smallest machine of one model whose value is near its best."""
    best = max(fit.worth for fit in fits)
    return min((fit for fit in fits if fit.worth >= SMALL_ENOUGH * best), key=lambda fit: fit.machine.gpus)


def _recommend(fit: _Fit, best: float, tokens: float | None) -> Recommendation:
    machine, value = fit.machine, fit.tokens_per_usd
    rate = None if fit.rates is None else fit.rates.tokens_per_s
    return Recommendation(
        gpu_name=machine.model,
        vram_gb=nominal_gb(machine),
        price_per_hour=usd(micro(machine.usd_per_hour)) or 0.0,
        fit_score=None if value is None else round(value / best * fit.chance, 3),
        reasoning=_reasoning(fit, best),
        estimated_training_time_hours=None if tokens is None or rate is None else round(tokens / rate / HOUR, 2),
        gpus=machine.gpus,
        price_per_gpu_hour=usd(machine.price) or 0.0,
        on_demand_price_per_hour=usd(machine.on_demand * machine.gpus) or 0.0,
        memory_need_gib=gib(fit.bytes_each),
        memory_gib=gib(fit.vram_bytes),
        sharded=fit.placement == "sharded",
        tokens_per_second=None if rate is None else round(rate, 1),
        usd_per_million_tokens=None if value is None else round(MILLION / value, 4),
        machines=machine.machines,
    )


def _reasoning(fit: _Fit, best: float) -> Note:
    value = fit.tokens_per_usd
    if value is None:
        return UNRATED
    worth = Note("the most tokens per dollar on offer")
    if value < best:
        worth = Note("{percent}% of the best tokens per dollar", {"percent": round(100 * value / best)})
    values = {"want": gib(fit.bytes_each), "have": gib(fit.vram_bytes), "worth": worth}
    if fit.placement == "sharded":
        values["n"] = fit.machine.gpus
        return Note(
            Plural(
                "split over {n} GPU, needs {want} of {have} GiB each; {worth}",
                "split over {n} GPUs, needs {want} of {have} GiB each; {worth}",
            ),
            values,
        )
    return Note("needs {want} of {have} GiB; {worth}", values)


def _caveats(found: FoundLlm, work: Work, assumed: float | None) -> tuple[Note, ...]:
    caveats = [
        Note("the memory formulas are off by {percent}% on average", {"percent": round(100 * FORMULA_ERROR)}),
        Note("interruptions are not in these hours and prices; the cost question has them"),
    ]
    caveats[:0] = [*([found.assumption] if found.assumption else []), *found.notes]
    if assumed is not None:
        values = {"n": round(assumed / MILLION, 1)}
        caveats.append(
            Note(
                Plural(
                    "no amount of data was given: hours are for {n} million tokens",
                    "no amount of data was given: hours are for {n} million tokens",
                ),
                values,
            )
        )
    if work.context > found.llm.context:
        limit = {"name": found.llm.name, "n": found.llm.context}
        caveats.append(
            Note(
                Plural(
                    "{name} was made for at most {n} token of context",
                    "{name} was made for at most {n} tokens of context",
                ),
                limit,
            )
        )
    return tuple(caveats)


def _thin(picked: Sequence[_Fit]) -> tuple[Note, ...]:
    return thin((f"{fit.machine.gpus}× {fit.machine.model}", fit.machine.machines) for fit in picked)


def _assumptions(found: FoundLlm, work: Work) -> dict[str, Any]:
    common: dict[str, Any] = {"usable_memory_share": USABLE_SHARE, **from_name(found)}
    if work.mode == "inference":
        stored = FORMATS[work.precision]
        weights = {"weights": stored.name, "bits_per_weight": round(stored.bits, 3)}
        return {**common, **weights, "memory_bandwidth_share": MBU}
    return {
        **common,
        **({} if work.mode == "full" else {"lora_rank": LORA_RANK}),
        "mfu": "data/mfu.csv, middle of the range",
    }
