"""Published training runs against what `cost` reckons: `python -m benchmarks.published_training` writes the page."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from analytics.catalog import load_catalog
from analytics.hardware.llm_lookup import find_llm
from analytics.hardware.memory import Mode, Work
from analytics.hardware.speed import mfu_of, run_of, train_rate
from analytics.market import HOUR

TABLE = Path(__file__).parent / "published" / "training_hours.csv"
PAGE = Path(__file__).parents[1] / "docs" / "training-hours.md"
MACHINE = 8
"""GPUs of the machines whose hours are added up where a publication gives only GPU-hours."""

HEAD = """# Training: published runs against `cost`

What `cost` reckons for training runs whose hours or speed were published: the lower end, the middle and the upper end
of its range (p10, p50 and p90 of the share of the peak rate that such runs reach, without prices and interruptions),
and how far the middle is off. The ranges of `analytics/data/mfu.csv` were set so that they hold these runs: the page
shows how wide they must be for that, it does not prove how well they foretell another run. GPU-hours of a pretraining
are what its authors counted, and hold more than its steps. `python -m benchmarks.published_training` writes this page.

| run | unit | published | ours: low | middle | high | middle off by | source |
|---|---|---:|---:|---:|---:|---:|---|
"""


@dataclass(frozen=True, slots=True)
class Compared:
    """One published figure and ours; in ``unit``, the ends of our range in the order of their size."""

    what: str
    unit: str
    published: float
    low: float
    middle: float
    high: float
    source: str

    @property
    def error_percent(self) -> float:
        """How far our middle is above what was published."""
        return 100 * (self.middle / self.published - 1)


def training_table() -> list[Compared]:
    """Each published run with what `cost` reckons for it."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return [training_run(row) for row in csv.DictReader(file)]


def training_run(row: dict[str, str]) -> Compared:
    """One row of the table with what `cost` reckons for it."""
    mode: Mode = "full" if row["mode"] == "full" else "lora" if row["mode"] == "lora" else "qlora"
    catalog = load_catalog()
    gpu, llm = catalog.gpu(row["gpu"]), find_llm(row["model"], catalog).llm
    if gpu is None:
        raise ValueError(row["gpu"])
    hours = row["unit"] == "GPU-hours"
    gpus = MACHINE if hours else int(row["gpus"])
    tokens = float(row["tokens"] or 0)
    share = mfu_of(gpu, catalog, mode, run_of(llm, mode, tokens))
    found = []
    for mfu in (share.low, share.mid, share.high):
        rates = train_rate(gpu, gpus, Work(llm, mode), "copies" if gpus == 1 else "sharded", mfu)
        if rates is None:
            raise ValueError(row["gpu"])
        found.append(tokens / rates.tokens_per_s / HOUR * gpus if hours else rates.tokens_per_s)
    low, middle, high = sorted(found)
    what = f"{row['model']} {row['mode']}, {f'{gpus}× ' if not hours else ''}{row['gpu']}"
    return Compared(what, row["unit"], float(row["published"]), low, middle, high, row["source"])


def page() -> str:
    """The page that shows the table."""
    lines = (
        f"| {each.what} | {each.unit} | {each.published:,.0f} "
        f"| {each.low:,.0f} | {each.middle:,.0f} | {each.high:,.0f} "
        f"| {each.error_percent:+.0f} % | {each.source} |\n"
        for each in training_table()
    )
    return HEAD + "".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
