"""Q2: which machines on offer hold a language model, and which of them give most tokens for the money."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from analytics.answers.llm_fits import MOST_AT_A_TIME, Fit, best_of_each_model, best_value, fit_on, ranked
from analytics.evidence import OMIT, Basis, Evidence, Note, Percent, Plural, Usd
from analytics.hardware.decode import MBU
from analytics.hardware.llm_lookup import FoundLlm
from analytics.hardware.llm_work import from_name
from analytics.hardware.machines import Machine, no_dearer_on_demand, nominal_gb, thin
from analytics.hardware.memory import FORMULA_ERROR, USABLE_SHARE, Work, gib, need
from analytics.hardware.recipe_notes import recipe_assumptions, recipe_note
from analytics.hardware.speed import Rates
from analytics.hardware.weights import FORMATS
from analytics.market import HOUR, micro, usd
from analytics.offer_now import OfferNow

MILLION = 1_000_000
"""Tokens are priced and counted by the million (source: usage of the API providers)."""

UNRATED = Note("memory fits; its speed is not in the catalogue, so its value cannot be rated")
METHOD = Note(
    "score = tokens per dollar relative to the best machine that may lead, at most 1, x the chance that the memory "
    "is enough; "
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
    batch: int | None = None
    """sequences at a time; None, when running a model: as many as fit, up to 64"""
    limit: int | None = None
    """how many machines are recommended; None: all"""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One machine that fits. ``price_per_hour`` is that of all its GPUs, ``vram_gb`` the memory of one.

    ``tokens_per_second``: training: of the whole machine; running: what one reader gets who is alone.
    ``tokens_per_second_total``: of the whole machine with ``batch`` sequences at a time in each of ``copies`` models;
    ``usd_per_million_tokens`` is that of these. ``precision``: what it computes with; ``thin``: fewer than 3 machines.
    """

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
    tokens_per_second_total: float | None
    batch: int
    copies: int
    usd_per_million_tokens: float | None
    machines: int
    thin: bool
    precision: str


@dataclass(frozen=True, slots=True)
class NotFitting:
    """A GPU model that cannot do it, with the size of the machine that the reason is about (0: none on offer)."""

    gpu_name: str
    gpus: int
    reason: Note
    ruled_out: bool = False
    """it holds the work, and a limit of the question rules it out"""


@dataclass(frozen=True, slots=True)
class LlmGpus:
    """Q2. ``batch``: sequences at a time as asked; None where each machine takes what fits (its own ``batch``)."""

    model_size: str
    recommendations: tuple[Recommendation, ...]
    model: str
    params: int
    mode: str
    precision: str
    context: int
    batch: int | None
    memory_need_gib: float
    training_tokens: int | None
    limit: int | None
    fitting: int
    """GPU models with a machine that fits, those beyond ``limit`` too"""
    not_fitting: tuple[NotFitting, ...]
    offers_now: tuple[OfferNow, ...] | None = field(default=None, kw_only=True, metadata=OMIT)
    """the best matching offers; left out where the answer names no model"""
    evidence: Evidence


def llm_gpus(found: FoundLlm, work: Work, offered: Sequence[Machine], wish: Wish, basis: Basis) -> LlmGpus:
    """Q2: the best machine of each GPU model that holds ``work``, the best value first.

    Memory by :mod:`analytics.hardware.memory`, speed by :mod:`analytics.hardware.speed`; hours only
    where training tokens are wished for.
    ``fit_score`` in [0, 1] is None for GPUs whose speed is not listed. Source: definitions, "Q2 llm-gpus".
    """
    fits, misses = _sort_out(offered, work, wish)
    picked = ranked(best_of_each_model(fits))
    best = best_value(picked)
    tokens = wish.tokens if work.mode != "inference" else None
    return LlmGpus(
        model_size=found.asked,
        recommendations=tuple(_recommend(fit, best, tokens) for fit in picked[: wish.limit]),
        model=found.llm.name,
        params=found.llm.params,
        mode=work.mode,
        precision=FORMATS[work.precision].precision,
        context=work.context,
        batch=wish.batch if work.mode == "inference" else work.batch,
        memory_need_gib=gib(need(work).on_each(1, "copies")),
        training_tokens=None if tokens is None else round(tokens),
        limit=wish.limit,
        fitting=len(picked),
        not_fitting=misses,
        evidence=basis.evidence(
            METHOD,
            (*no_dearer_on_demand(fit.machine for fit in picked), *_thin(picked), *_caveats(found, work, wish)),
            assumptions=_assumptions(found, work, wish),
        ),
    )


def _sort_out(offered: Sequence[Machine], work: Work, wish: Wish) -> tuple[list[Fit], tuple[NotFitting, ...]]:
    """What fits, and for each other model why its cheapest machine that holds the work is refused, or none holds it."""
    fits: list[Fit] = []
    small: dict[str, NotFitting] = {}
    refused: dict[str, NotFitting] = {}
    for machine in sorted(offered, key=lambda m: (m.model, m.usd_per_hour)):
        fit = fit_on(machine, work, wish.batch)
        if isinstance(fit, Note):
            if machine.model not in small or machine.gpus > small[machine.model].gpus:
                small[machine.model] = NotFitting(machine.model, machine.gpus, fit)
        elif reason := _refused(machine, wish):
            refused.setdefault(machine.model, NotFitting(machine.model, machine.gpus, reason, ruled_out=True))
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
        prices = {"price": Usd(machine.usd_per_hour), "limit": Usd(wish.max_price)}
        return Note("costs {price} an hour, limit {limit}", prices)
    return None


def _recommend(fit: Fit, best: float, tokens: float | None) -> Recommendation:
    machine, value = fit.machine, fit.tokens_per_usd
    rate = None if fit.rates is None else fit.rates.tokens_per_s
    return Recommendation(
        gpu_name=machine.model,
        vram_gb=nominal_gb(machine),
        price_per_hour=usd(micro(machine.usd_per_hour)) or 0.0,
        fit_score=None if value is None else round(_relative(value, best) * fit.chance, 3),
        reasoning=_reasoning(fit, best),
        estimated_training_time_hours=None if tokens is None or rate is None else round(tokens / rate / HOUR, 2),
        gpus=machine.gpus,
        price_per_gpu_hour=usd(machine.price) or 0.0,
        on_demand_price_per_hour=usd(machine.on_demand * machine.gpus) or 0.0,
        memory_need_gib=gib(fit.bytes_each),
        memory_gib=gib(fit.vram_bytes),
        sharded=fit.placement == "sharded",
        tokens_per_second=_per_second(fit.alone or fit.rates),
        tokens_per_second_total=_per_second(fit.rates),
        batch=fit.work.batch,
        copies=fit.copies,
        usd_per_million_tokens=None if value is None else round(MILLION / value, 4),
        machines=machine.machines,
        thin=fit.thin,
        precision="fp16" if fit.too_old and fit.work.precision == "bf16" else FORMATS[fit.work.precision].precision,
    )


def _relative(value: float, best: float) -> float:
    """At most 1: what is too old, or too thin to lead, may give more than the best that may lead."""
    return min(1.0, value / best) if best else 1.0


def _per_second(rates: Rates | None) -> float | None:
    return None if rates is None else round(rates.tokens_per_s, 1)


def _reasoning(fit: Fit, best: float) -> Note:
    """Why it stands where it does: memory, value, and what keeps it from leading."""
    why = _value(fit, best)
    if fit.too_old:
        why = Note("{why}; runs fp16: bf16 needs compute capability 8.0 (Ampere) or newer", {"why": why})
    if fit.thin:
        few = Plural("{why}; only {n} machine on offer", "{why}; only {n} machines on offer")
        why = Note(few, {"why": why, "n": fit.machine.machines})
    return why


def _value(fit: Fit, best: float) -> Note:
    value = fit.tokens_per_usd
    if value is None:
        return UNRATED
    worth = Note("the most tokens per dollar of these")
    if value != best and best:
        worth = Note("{percent} of the best tokens per dollar", {"percent": Percent(100 * value / best)})
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


FORMULAS = Note(
    "the memory formulas are off by {percent} on average", {"percent": Percent(100 * FORMULA_ERROR)}, usual=True
)
ASSUMED_TOKENS = Plural(
    "no amount of data was given: hours are for {n} million tokens",
    "no amount of data was given: hours are for {n} million tokens",
)
NOT_INTERRUPTED = Note("interruptions are not in these hours and prices; the cost question has them", usual=True)


def _caveats(found: FoundLlm, work: Work, wish: Wish) -> tuple[Note, ...]:
    caveats = list(_beyond(found, work))
    if work.mode != "inference" and wish.assumed and wish.tokens is not None:
        values = {"n": round(wish.tokens / MILLION, 1)}
        caveats.append(Note(ASSUMED_TOKENS, values))
    caveats += [*([found.assumption] if found.assumption else []), *found.notes]
    how = _served(wish.batch) if work.mode == "inference" else recipe_note(work)
    return (*caveats, replace(how, usual=True), NOT_INTERRUPTED, FORMULAS)


def _beyond(found: FoundLlm, work: Work) -> Iterator[Note]:
    """That more text is asked of a model than it was made for."""
    if work.context > found.llm.context:
        limit = {"name": found.llm.name, "n": found.llm.context}
        yield Note(
            Plural(
                "{name} was made for at most {n} token of context",
                "{name} was made for at most {n} tokens of context",
            ),
            limit,
        )


def _served(batch: int | None) -> Note:
    """For how many sequences at a time the tokens in all and their price are."""
    if batch is None:
        return Note(
            "tokens in all and their price are for as many sequences at a time as fit, a power of two up to {n}; "
            "batch= says otherwise",
            {"n": MOST_AT_A_TIME},
        )
    return Note(
        Plural(
            "tokens in all and their price are for {n} sequence at a time in each copy",
            "tokens in all and their price are for {n} sequences at a time in each copy",
        ),
        {"n": batch},
    )


def _thin(picked: Sequence[Fit]) -> tuple[Note, ...]:
    return thin((f"{fit.machine.gpus}× {fit.machine.model}", fit.machine.machines) for fit in picked)


def _assumptions(found: FoundLlm, work: Work, wish: Wish) -> dict[str, Any]:
    common: dict[str, Any] = {"usable_memory_share": USABLE_SHARE, **from_name(found)}
    if work.mode == "inference":
        stored = FORMATS[work.precision]
        weights = {"weights": stored.name, "bits_per_weight": round(stored.bits, 3)}
        batch = wish.batch or f"what fits, a power of two up to {MOST_AT_A_TIME}"
        return {**common, **weights, "memory_bandwidth_share": MBU, "batch": batch}
    return {
        **common,
        **recipe_assumptions(work),
        "mfu": "data/mfu.csv, middle of the range",
    }
