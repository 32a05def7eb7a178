"""Which model a name in a file means, as other programs and clouds spell it: only where it can mean but one."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from analytics.catalog import MIB_PER_GIB, VRAM_TOLERANCE, Gpu, listed, load_catalog, model_name, models_of
from analytics.names import memory_in

_CACHED = 8192
"""Spellings kept in memory, more than a file may have models."""


@dataclass(frozen=True, slots=True)
class NameRead:
    """A name as it stands in a file, the model it was read as, and the listed models that it may mean."""

    spelt: str
    model: str
    meant: tuple[str, ...]

    @property
    def otherwise(self) -> bool:
        """Whether it was read as a model whose name is spelt differently."""
        return self.meant == (self.model,) and _plain(self.spelt) not in (self.model, *_vast_names())


@functools.lru_cache(maxsize=_CACHED)
def read_name(spelt: str, gpu_ram_mb: float | None) -> NameRead:
    """The model that a name means, with the memory that stands beside it; its own name where it may mean several."""
    model = model_name(spelt, gpu_ram_mb)
    if load_catalog().gpu(model) is not None:
        return NameRead(spelt, model, (model,))
    if spelt in _vast_names():
        rebuilt = memory_in(model) is not None
        return NameRead(spelt, model, (model,) if rebuilt else models_of(spelt))
    gpus = tuple(gpu for gpu in listed(spelt) if _fits(gpu, gpu_ram_mb))
    meant = tuple(gpu.name for gpu in gpus)
    return NameRead(spelt, meant[0] if len(meant) == 1 else model, meant)


@functools.cache
def _vast_names() -> frozenset[str]:
    return frozenset(gpu.vast_name for gpu in load_catalog().gpus)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _fits(gpu: Gpu, ram_mb: float | None) -> bool:
    if ram_mb is None or ram_mb <= 0:
        return True
    return abs(ram_mb / MIB_PER_GIB / gpu.vram_gb - 1) <= VRAM_TOLERANCE
