"""`make pictures`: the README's pictures, from the demo's market: what the console answers, and the charts of chat."""

from __future__ import annotations

import asyncio
import io
import re
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console

from analytics.market import DAY, HOUR
from benchmarks.processes import ROOT
from bot.cli.demo import fill
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.console.face import answer
from bot.forecasts import refresh
from bot.polling.rounds import Collector
from bot.presentation.chart import png
from bot.presentation.words import Words
from bot.sources.sim_demo import DEMO, SEED
from bot.sources.simulated import SimulatedMarket
from bot.store.engine import open_store

NOW = 1_795_000_000 // HOUR * HOUR
DAYS, WIDTH = 90, 96
SHOWN = ("predict rtx 4090", "savings 4090 100h", "reliability h100 sxm")
CHARTS = (
    "predict rtx 4090",
    "history rtx 4090",
    "reliability rtx 4090",
    "savings a100 pcie 80gb 100h",
    "availability rtx 4090",
    "cost llama2-7b 50GB",
    "windows rtx 4090",
)


@asynccontextmanager
async def stored(market: SimulatedMarket) -> AsyncIterator[Dispatcher]:
    """A counter on a market's history; everything in it is the same each time."""
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(f"sqlite:///{folder}/demo.db", writer=True)
        try:
            await fill(market, Collector(store), days=DAYS, until=NOW, out=Console(stderr=True))
            await refresh(store, NOW)
            yield Dispatcher(store, COMMANDS, lambda: NOW + 60)
        finally:
            await store.close()


async def draw_console(dispatcher: Dispatcher, file: Path) -> None:
    out = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for line in SHOWN:
        out.print(f"[bold green]/spot[/] {line}")
        await answer(dispatcher, line, language="en", as_json=False, out=out, err=out)
        out.print()
    svg = out.export_svg(title="spotbot demo (simulated market)")
    # the template loads its fonts from elsewhere; any monospaced one will do
    svg = re.sub(r"@font-face \{.*?\}\n", "", svg, flags=re.DOTALL)
    file.write_text(re.sub(r"^[ \t]+$", "", svg, flags=re.MULTILINE), encoding="utf-8")


async def draw_charts(dispatcher: Dispatcher, lines: Iterable[str], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for line in lines:
        command, found = await dispatcher.ask_line(line)
        chart = command.card(found, Words("en", dispatcher.clock())).charts[0]
        (folder / f"{command.name}.png").write_bytes(png(chart))
        print(f"{command.name}: {chart.alt}")


async def draw(folder: Path) -> None:
    async with stored(SimulatedMarket(SEED, NOW - DAYS * DAY, DEMO)) as dispatcher:
        await draw_console(dispatcher, folder / "demo.svg")
        await draw_charts(dispatcher, CHARTS, folder / "charts")


if __name__ == "__main__":
    asyncio.run(draw(ROOT / "docs"))
