"""`make pictures`: the README's picture, from the demo's market: questions and the answers that the console gives."""

from __future__ import annotations

import asyncio
import io
import re
import tempfile
from pathlib import Path

from rich.console import Console

from analytics.market import DAY, HOUR
from benchmarks.processes import ROOT
from bot.collect import Collector
from bot.commands import COMMANDS
from bot.commands.counter import Counter
from bot.demo import fill
from bot.faces.console import answer
from bot.forecasts import refresh
from bot.sources.simulated import SimulatedMarket
from bot.store.engine import open_store

NOW = 1_795_000_000 // HOUR * HOUR
DAYS, SEED, WIDTH = 90, 7, 96
SHOWN = ("predict rtx 4090", "savings 4090 100h", "reliability h100 sxm")


async def draw(file: Path) -> None:
    out = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(f"sqlite:///{folder}/demo.db", writer=True)
        try:
            market = SimulatedMarket(SEED, NOW - DAYS * DAY)
            await fill(market, Collector(store), days=DAYS, until=NOW, out=Console(stderr=True))
            await refresh(store, NOW)
            counter = Counter(store, COMMANDS, lambda: NOW + 60)
            for line in SHOWN:
                out.print(f"[bold green]/spot[/] {line}")
                await answer(counter, line, language="en", as_json=False, out=out, err=out)
                out.print()
        finally:
            await store.close()
    svg = out.export_svg(title="spotbot demo (simulated market)")
    # the template loads its fonts from elsewhere; any monospaced one will do
    svg = re.sub(r"@font-face \{.*?\}\n", "", svg, flags=re.DOTALL)
    file.write_text(re.sub(r"^[ \t]+$", "", svg, flags=re.MULTILINE), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(draw(ROOT / "docs" / "demo.svg"))
