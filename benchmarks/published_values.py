"""Published measurements beside what our formulas say for them: one table a quantity, errors in percent.

``python -m benchmarks.published_values`` prints them all (``make bench-truth``).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from analytics.catalog import Llm, load_catalog
from analytics.hardware.decode import FLOPS_FORWARD, decode_step
from analytics.hardware.memory import GIB, Mode, Work, need
from analytics.hardware.recipes import ADAM_HALF_BYTES, PEFT, RECIPES, Activations, Targets
from analytics.hardware.speed import TERA, mfu_of
from benchmarks.published_training import training_run

FOLDER = Path(__file__).with_name("published")
PERCENT = 100
WIDTH = 66

RECIPES_HERE = {**RECIPES, "litgpt": replace(PEFT, name="litgpt", state_bytes=ADAM_HALF_BYTES)}
"""The recipes of the published runs; litgpt trains in ``bf16-true`` with the loss at once."""

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Quantity:
    """One table of published values: its file, the column with them, their unit, and our value for a row."""

    title: str
    file: str
    column: str
    unit: str
    ours: Callable[[Row], float]
    describe: Callable[[Row], str]


@dataclass(frozen=True, slots=True)
class Compared:
    """One published value and ours for it."""

    what: str
    published: float
    ours: float
    row: Row

    @property
    def error(self) -> float:
        """Ours over the published value, less one."""
        return self.ours / self.published - 1


def _llm(row: Row) -> Llm:
    return next(llm for llm in load_catalog().llms if llm.name == row["model"])


def decode_speed(row: Row) -> float:
    """Generated tokens a second in all; where a prompt was part of the measured time, its arithmetic is too."""
    catalog = load_catalog()
    gpu = catalog.gpu(row["gpu"])
    llm = _llm(row)
    if gpu is None or gpu.tflops is None:
        raise LookupError(row["gpu"])
    gpus, mfu = int(row["gpus"]), mfu_of(gpu, catalog).mid
    work = Work(llm, "inference", row["precision"], int(row["context"]), int(row["batch"]))
    step = decode_step(gpu, gpus, work, mfu)
    if step is None:
        raise LookupError(row["gpu"])
    prompt, generated = int(row["prompt"] or 0), int(row["generated"] or 1)
    prefill = FLOPS_FORWARD * llm.active_params * prompt * work.batch / (gpus * gpu.tflops * TERA * mfu)
    return work.batch * generated / (generated * step.seconds + prefill)


def _decode_name(row: Row) -> str:
    batch, context = row["batch"], row["context"]
    return f"{row['model']} {row['precision']}, {row['gpus']}x {row['gpu']}, batch {batch}, context {context}"


def memory(row: Row) -> float:
    """GiB that the trainer allocates at most, as it reports them: without CUDA's context."""
    recipe = replace(RECIPES_HERE[row["recipe"]], activations=cast(Activations, row["activations"]))
    if row["rank"]:
        recipe = replace(recipe, rank=int(row["rank"]), targets=cast(Targets, row["targets"]))
    work = Work(_llm(row), cast(Mode, row["mode"]), "bf16", int(row["context"]), int(row["batch"]), recipe)
    return (need(work).on_each(1, "copies") - recipe.overhead) / GIB


def _memory_name(row: Row) -> str:
    rank = f" rank {row['rank']} on {row['targets']}," if row["rank"] else ""
    return f"{row['model']} {row['mode']} {row['recipe']},{rank} {row['batch']}x {row['context']}, {row['activations']}"


def training(row: Row) -> float:
    """GPU-hours or tokens a second: the middle of the range that ``cost`` reckons."""
    return training_run(row).middle


def _training_name(row: Row) -> str:
    return f"{training_run(row).what}, {row['unit']}"


QUANTITIES = (
    Quantity("Memory of training", "memory.csv", "gib", "GiB", memory, _memory_name),
    Quantity("Decode speed", "decode_speed.csv", "tokens_per_s_total", "tokens/s", decode_speed, _decode_name),
    Quantity("Training", "training_hours.csv", "published", "GPU-hours or tokens/s", training, _training_name),
)
"""One line a table; all its file needs besides is a ``source`` column."""


def compared(quantity: Quantity) -> Iterator[Compared]:
    """Each row of the quantity's table with our value for it."""
    with (FOLDER / quantity.file).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Compared(quantity.describe(row), float(row[quantity.column]), quantity.ours(row), row)


def main() -> None:
    """Print every table with the mean and the largest error."""
    for quantity in QUANTITIES:
        found = list(compared(quantity))
        print(f"\n{quantity.title} ({quantity.unit})")
        print(f"{'':{WIDTH}} {'published':>10} {'ours':>10} {'error':>7}  source")
        for one in found:
            figures = f"{one.published:10,.1f} {one.ours:10,.1f} {PERCENT * one.error:+6.0f}%"
            print(f"{one.what[:WIDTH]:{WIDTH}} {figures}  {one.row['source']}")
        errors = [PERCENT * abs(one.error) for one in found]
        print(f"{len(found)} rows: {sum(errors) / len(errors):.0f}% on average, {max(errors):.0f}% at worst")


if __name__ == "__main__":
    main()
