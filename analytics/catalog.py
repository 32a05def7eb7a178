"""What is known beforehand: GPUs, language models and cloud prices, each row with its source and date (``data/*.csv``).

A GPU's canonical name is Vast's ``gpu_name``, followed by its memory where one ``gpu_name`` has several sizes.
"""

from __future__ import annotations

import csv
import functools
import importlib.resources
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType

from analytics import names
from analytics.errors import AskError, NotFound

VRAM_TOLERANCE = 0.07
"""How far a driver's memory figure may be from the catalogue's: ECC hides up to 6.3 % (source: 23028 MiB reported by
24 GB cards and 46068 MiB by 48 GB ones in recorded Vast offers; gpuhunt's ``correct_gpu_memory_gib`` uses 7 %)."""

_CACHED = 4096
"""Names kept in memory: Vast has about 150 models (source: its vocabulary), people type a few hundred spellings."""

MIB_PER_GIB = 1024
"""Vast's ``gpu_ram`` is in MiB (source: 24564 for a 24 GB RTX 4090 in recorded offers)."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU model with one memory size. TFLOPS are dense tensor rates, fp32 accumulation; None where there are none.

    ``nvlink``: the GPUs of one machine are linked by NVLink as sold (SXM boards); optional bridges do not count.
    """

    name: str
    vast_name: str
    vram_gb: int
    bf16_tflops: float | None
    fp16_tflops: float | None
    mem_bw_gbs: float
    nvlink: bool
    tdp_w: int
    source: str
    date: str

    @property
    def tflops(self) -> float | None:
        """The 16-bit rate that training uses: bf16 where the GPU has it, else fp16."""
        return self.bf16_tflops if self.bf16_tflops is not None else self.fp16_tflops

    @property
    def has_bf16(self) -> bool:
        """bf16 in its tensor cores: compute capability 8.0, Ampere, or newer (source: CUDA C++ Programming Guide)."""
        return self.bf16_tflops is not None


@dataclass(frozen=True, slots=True)
class Llm:
    """One language model's published shape. ``kv_width``: values cached per token and layer (keys and values together).

    ``typical``: stands for "a model of that size" when a size is asked instead of a name. ``expert_params``: those of
    all routed experts together. ``windowed_layers``: layers that look back over ``window`` tokens only. ``published``:
    how its own files store the weights, a key of :data:`analytics.hardware.weights.FORMATS`.
    """

    name: str
    params: int
    active_params: int
    layers: int
    hidden: int
    ffn: int
    heads: int
    kv_heads: int
    head_dim: int
    kv_width: int
    vocab: int
    context: int
    tied: bool
    typical: bool
    source: str
    date: str
    expert_params: int = 0
    window: int = 0
    windowed_layers: int = 0
    published: str = "bf16"

    @property
    def embedding_params(self) -> int:
        """Parameters of the embedding and, unless tied to it, the output layer."""
        return self.vocab * self.hidden * (1 if self.tied else 2)

    @property
    def moe(self) -> bool:
        """Only some of the parameters work on each token."""
        return self.active_params < self.params


@dataclass(frozen=True, slots=True)
class CloudPrice:
    """What a big cloud asks per GPU-hour. ``kind``: on_demand or spot; ``gpu`` is a canonical name."""

    cloud: str
    gpu: str
    instance: str
    usd_per_gpu_hour: float
    region: str
    kind: str
    date: str
    source: str
    note: str

    @property
    def sold_together(self) -> int:
        """GPUs of the machine that is sold: an instance written ``name/8`` is an eighth of one, any other has one."""
        _, _, gpus = self.instance.rpartition("/")
        return int(gpus) if gpus.isdecimal() else 1

    @property
    def machine(self) -> str:
        """The name of the whole machine."""
        return self.instance.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Mfu:
    """Which share of the peak rate training really uses on GPUs whose name matches one of ``gpus`` (shell patterns).

    ``modes``: what is trained (``full``, ``lora``, ``qlora``), ``run``: ``pretraining``; ``*`` stands for any.
    """

    name: str
    gpus: tuple[str, ...]
    modes: tuple[str, ...]
    run: str
    low: float
    mid: float
    high: float
    source: str
    date: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything known beforehand."""

    gpus: tuple[Gpu, ...]
    llms: tuple[Llm, ...]
    cloud_prices: tuple[CloudPrice, ...]
    mfu: tuple[Mfu, ...] = ()
    _by_name: MappingProxyType[str, Gpu] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", MappingProxyType({gpu.name: gpu for gpu in self.gpus}))

    def gpu(self, name: str) -> Gpu | None:
        """The GPU of that canonical name, None when it is not listed."""
        return self._by_name.get(name)


def rows(file: str) -> Iterator[dict[str, str]]:
    """The rows of one of the CSV files in ``data/``."""
    text = importlib.resources.files("analytics").joinpath("data", file).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())


@functools.cache
def load_catalog() -> Catalog:
    """The catalogue that is shipped; read once."""
    return Catalog(gpus=_gpus(), llms=_llms(), cloud_prices=_cloud_prices(), mfu=_mfu())


def _number(text: str) -> float | None:
    return float(text) if text else None


def _gpus() -> tuple[Gpu, ...]:
    table = list(rows("gpus.csv"))
    sizes = [row["vast_name"] for row in table]
    return tuple(
        Gpu(
            name=f"{row['vast_name']} {row['vram_gb']}GB" if sizes.count(row["vast_name"]) > 1 else row["vast_name"],
            vast_name=row["vast_name"],
            vram_gb=int(row["vram_gb"]),
            bf16_tflops=_number(row["bf16_tflops"]),
            fp16_tflops=_number(row["fp16_tflops"]),
            mem_bw_gbs=float(row["mem_bw_gbs"]),
            nvlink=row["nvlink"] == "yes",
            tdp_w=int(row["tdp_w"]),
            source=row["source"],
            date=row["date"],
        )
        for row in table
    )


_LLM_COUNTS = tuple(f.name for f in fields(Llm) if f.type == "int")


def _llms() -> tuple[Llm, ...]:
    return tuple(
        Llm(
            name=row["name"],
            tied=row["tied"] == "yes",
            typical=row["typical"] == "yes",
            published=row["published"],
            source=row["source"],
            date=row["date"],
            **{key: int(row[key]) for key in _LLM_COUNTS},
        )
        for row in rows("llms.csv")
    )


def _cloud_prices() -> tuple[CloudPrice, ...]:
    return tuple(
        CloudPrice(**{**row, "usd_per_gpu_hour": float(row["usd_per_gpu_hour"])})  # type: ignore[arg-type]
        for row in rows("cloud_prices.csv")
    )


def _mfu() -> tuple[Mfu, ...]:
    return tuple(
        Mfu(
            name=row["name"],
            gpus=tuple(row["gpus"].split("|")),
            modes=tuple(row["modes"].split("|")),
            run=row["run"],
            low=float(row["low"]),
            mid=float(row["mid"]),
            high=float(row["high"]),
            source=row["source"],
            date=row["date"],
        )
        for row in rows("mfu.csv")
    )


@functools.cache
def _models_by_vast_name() -> dict[str, tuple[Gpu, ...]]:
    found: dict[str, tuple[Gpu, ...]] = {}
    for gpu in load_catalog().gpus:
        found[gpu.vast_name] = (*found.get(gpu.vast_name, ()), gpu)
    return found


@functools.lru_cache(maxsize=_CACHED)
def model_name(vast_name: str, gpu_ram_mb: float | None) -> str:
    """The canonical model of an offer: Vast's name, with the memory where that tells two models apart.

    A GPU that is not listed keeps its raw name; a listed one with another memory (a rebuilt RTX 4090 with 48 GB) gets
    that memory appended, and one of several sizes whose memory is unknown keeps the raw name.
    """
    models = _models_by_vast_name().get(vast_name, ())
    if not models or gpu_ram_mb is None or gpu_ram_mb <= 0:
        return models[0].name if len(models) == 1 else vast_name
    gib = gpu_ram_mb / MIB_PER_GIB
    nearest = min(models, key=lambda gpu: abs(gib / gpu.vram_gb - 1))
    if abs(gib / nearest.vram_gb - 1) <= VRAM_TOLERANCE:
        return nearest.name
    return f"{vast_name} {round(gib)}GB"


def models_of(vast_name: str) -> tuple[str, ...]:
    """The canonical models that share one Vast name; the name itself when it is not listed."""
    return tuple(gpu.name for gpu in _models_by_vast_name().get(vast_name, ())) or (vast_name,)


def resolve(text: str, catalog: Catalog, known: Sequence[str]) -> tuple[str, ...]:
    """The models that a typed name may mean, the store's own (``known``) first, in their order.

    ``4090``, ``rtx4090``, ``a100 80gb``, ``RTX_3090`` and the like; an exact model name gives exactly that model, a
    family such as ``h100`` gives all its models, and so do spellings of other clouds (``H100_80GB_SXM5``). Raises
    NotFound with what was perhaps meant.
    """
    candidates = [*dict.fromkeys([*known, *(gpu.name for gpu in catalog.gpus)])]
    try:
        return names.resolve(text, candidates, _vram_of)
    except NotFound:
        elsewhere = names.meant_elsewhere(text, candidates, _vram_of)
        if not elsewhere:
            raise
        return elsewhere


def listed(text: str) -> tuple[Gpu, ...]:
    """The listed GPUs that a name may mean, also as other clouds and tools spell it; none where it means none."""
    catalog = load_catalog()
    found = names.meant_elsewhere(text, [gpu.name for gpu in catalog.gpus], _vram_of)
    return tuple(gpu for gpu in catalog.gpus if gpu.name in found)


@functools.lru_cache(maxsize=_CACHED)
def _vram_of(name: str) -> int | None:
    """Memory of a model in GB: the catalogue's, else what its own name says."""
    gpu = load_catalog().gpu(name)
    return gpu.vram_gb if gpu else names.memory_in(name)


def vast_names(typed: Sequence[str]) -> tuple[str, ...]:
    """The market's own names of models that a person typed; an unknown one is taken as it is spelt."""
    catalog = load_catalog()
    spelt = {gpu.vast_name for gpu in catalog.gpus}
    named: dict[str, None] = {}
    for text in typed:
        try:
            models = (text,) if text in spelt else resolve(text, catalog, ())
        except AskError:
            models = (text,)
        for model in models:
            gpu = catalog.gpu(model)
            named[gpu.vast_name if gpu else model] = None
    return tuple(named)
