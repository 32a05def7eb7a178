"""How work on a language model runs on the machines on offer (Q2), and in which order they are worth renting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from analytics.evidence import Note
from analytics.hardware.decode import decode_rate
from analytics.hardware.machines import ENOUGH_MACHINES, Machine
from analytics.hardware.memory import USABLE_SHARE, Placement, Work, chance_to_fit, need
from analytics.hardware.speed import Rates, train_rate
from analytics.hardware.weights import FORMATS
from analytics.market import HOUR

NEARLY_EQUAL = 0.9
"""Machines that give this share of the best value count as equal, and fewer GPUs come first (source: our choice)."""

WITHOUT_BF16 = frozenset(("fp16", "fp32"))
"""What cards from before Ampere run as it is (source: CUDA's arithmetic instructions by compute capability)."""

MOST_AT_A_TIME = 64
"""Sequences at a time that are assumed at most when running a model (source: our choice; definitions, Q2, ask for a
stated batch that fits)."""


@dataclass(frozen=True, slots=True)
class Fit:
    """``work`` on a machine. ``bytes_each``: on each GPU, with all ``work.batch`` sequences; ``bytes_least`` with
    those that must fit; ``alone``: the rates of one sequence with nothing beside it."""

    machine: Machine
    work: Work
    placement: Placement
    bytes_each: float
    bytes_least: float
    rates: Rates | None
    alone: Rates | None

    @property
    def vram_bytes(self) -> float:
        """Memory of one GPU."""
        return self.machine.vram_bytes or 0.0

    @property
    def copies(self) -> int:
        """How many whole models run side by side."""
        return self.machine.gpus if self.placement == "copies" else 1

    @property
    def tokens_per_usd(self) -> float | None:
        """All sequences together; None where the GPU's speed is not known."""
        return None if self.rates is None else self.rates.tokens_per_s * HOUR / self.machine.usd_per_hour

    @property
    def chance(self) -> float:
        """That the memory is enough for what must fit: a server takes fewer sequences when it is not for all."""
        return chance_to_fit(self.bytes_least, self.vram_bytes)

    @property
    def worth(self) -> float:
        """Tokens per dollar, by the chance to get them."""
        return (self.tokens_per_usd or 0.0) * self.chance

    @property
    def too_old(self) -> bool:
        """The GPU has no bf16, in which all but fp16 and GGUF files are run and everything is trained."""
        gpu, stored = self.machine.gpu, FORMATS[self.work.precision]
        plain = stored.is_gguf or stored.precision in WITHOUT_BF16
        return gpu is not None and not gpu.has_bf16 and not (plain and self.work.mode == "inference")

    @property
    def thin(self) -> bool:
        """Too few machines for a price that one may count on."""
        return self.machine.machines < ENOUGH_MACHINES

    @property
    def standing(self) -> tuple[bool, bool, bool]:
        """Lower leads: what has bf16 where it is wanted, then what can be rated, then what is not thin."""
        return self.too_old, self.rates is None, self.thin


def fit_on(machine: Machine, work: Work, batch: int | None) -> Fit | Note:
    """How ``work`` runs best on a machine, or why it does not fit.

    ``batch``: sequences at a time in each copy as asked; None takes, when running a model, as many as fit.
    """
    vram = machine.vram_bytes
    if vram is None:
        return Note("its memory is not known")
    found = list(_runs(machine, work, vram, batch))
    if not found:
        return need(work).shortage(machine.gpus, vram)
    return max(found, key=lambda fit: fit.rates.tokens_per_s if fit.rates else 0.0)


def _runs(machine: Machine, work: Work, vram: float, batch: int | None) -> Iterator[Fit]:
    """One a placement that fits: training prefers copies, running tries both."""
    memory = need(work)
    first = memory.placement(machine.gpus, vram)
    if first is None:
        return
    if work.mode != "inference":
        size = memory.on_each(machine.gpus, first)
        yield Fit(machine, work, first, size, size, _rates(machine, work, first), None)
        return
    placements: tuple[Placement, ...] = (first, "sharded") if first == "copies" and machine.gpus > 1 else (first,)
    for placement in placements:
        least = memory.on_each(machine.gpus, placement)
        if least > USABLE_SHARE * vram:
            continue
        served = work if batch else replace(work, batch=_most_that_fit(machine, work, placement, vram))
        size = need(served).on_each(machine.gpus, placement)
        one = _rates(replace(machine, gpus=1) if placement == "copies" else machine, replace(work, batch=1), placement)
        yield Fit(machine, served, placement, size, least, _rates(machine, served, placement), one)


def _most_that_fit(machine: Machine, work: Work, placement: Placement, vram: float) -> int:
    """The largest power of two up to 64 of sequences whose cache fits beside the weights; one is known to fit."""
    batch = MOST_AT_A_TIME
    while batch > 1 and need(replace(work, batch=batch)).on_each(machine.gpus, placement) > USABLE_SHARE * vram:
        batch //= 2
    return batch


def _rates(machine: Machine, work: Work, placement: Placement) -> Rates | None:
    if machine.gpu is None or machine.mfu is None:
        return None
    rate = decode_rate if work.mode == "inference" else train_rate
    return rate(machine.gpu, machine.gpus, work, placement, machine.mfu.mid)


def best_of_each_model(fits: Sequence[Fit]) -> list[Fit]:
    """One machine of each GPU model: of those that stand best, the smallest near their best value."""
    groups: dict[str, list[Fit]] = {}
    for fit in fits:
        groups.setdefault(fit.machine.model, []).append(fit)
    return [_fewest_gpus(_leading(group)) for group in groups.values()]


def ranked(fits: Sequence[Fit]) -> list[Fit]:
    """The order of the answer: by standing, then by value; of nearly equal ones fewer GPUs first."""
    rest, order = list(fits), []
    while rest:
        chosen = _fewest_gpus(_leading(rest))
        rest.remove(chosen)
        order.append(chosen)
    return order


def best_value(fits: Sequence[Fit]) -> float:
    """Tokens per dollar of the best of those that may lead: what others' are compared with; 0 where none is rated."""
    return max((fit.tokens_per_usd or 0.0 for fit in _leading(fits)), default=0.0) if fits else 0.0


def _leading(fits: Sequence[Fit]) -> list[Fit]:
    best = min(fit.standing for fit in fits)
    return [fit for fit in fits if fit.standing == best]


def _fewest_gpus(fits: Sequence[Fit]) -> Fit:
    best = max(fit.worth for fit in fits)
    near = [fit for fit in fits if fit.worth >= NEARLY_EQUAL * best]
    return min(near, key=lambda fit: (fit.machine.gpus, -fit.worth, fit.machine.usd_per_hour, fit.machine.model))
