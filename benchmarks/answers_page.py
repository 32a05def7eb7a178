"""How answers changed, on one stored market: `python -m benchmarks.answers_page` asks anew and writes the page.

What was said before is kept in `published/answers_before.json`. It was recorded once, by this file run as a script
with an older checkout in front of the path, which makes the same market from the same seed:
`PYTHONPATH=OLD python benchmarks/answers_page.py --record benchmarks/published/answers_before.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from analytics.market import DAY, HOUR
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.console.face import answer
from bot.forecasts import refresh
from bot.polling.rounds import Collector
from bot.sources.simulated import SimulatedMarket
from bot.store.engine import open_store

BEFORE = Path(__file__).parent / "published" / "answers_before.json"
PAGE = Path(__file__).parents[1] / "docs" / "answers.md"
SEED, DAYS = 7, 35
NOW = 1_790_000_000 // HOUR * HOUR + 40 * 60
"""Time of the last poll: within an hour, where the price shown is not that of the last full hour."""
WIDTH = 150
"""Columns of the terminal that is asked."""


@dataclass(frozen=True, slots=True)
class Change:
    """What changed, the question that shows it, and which lines of the answer do (a pattern; all where empty)."""

    what: str
    question: str
    lines: str = ""
    most: int = 12


@dataclass(frozen=True, slots=True)
class Part:
    """Changes of one kind."""

    title: str
    changes: tuple[Change, ...]


NUMBERS = Part(
    "One set of numbers",
    (
        Change("A forecast starts from the price shown, and its hours count from now.", "predict RTX 5090", "", 8),
        Change(
            "Range and confidence come from one distribution: a range never narrows with the distance.",
            "predict RTX 4090",
            r"\d h\b.*%",
        ),
        Change(
            "A price is never outside its own 24 h range, and a trend stands beside the changes usual for its model.",
            "monitor gpu=4090,5090,H100NVL",
            "",
            9,
        ),
        Change(
            "The change over days is between the medians of the first and the last day, not between two hours.",
            "history RTX 5090 days=7",
            "",
            3,
        ),
        Change(
            "New tenants and all tenants are told apart, each interval says of what it is, and the label says where "
            "the model stands.",
            "reliability H100 SXM",
            r"new tenants run|[Hh]alf are|ime between|interval|risk",
        ),
        Change(
            "On demand that costs no more than spot is told wherever spot is priced, with both prices.",
            "availability RTX 4090",
            r"free|on demand|offers",
        ),
    ),
)
LLM = Part(
    "`llm`",
    (
        Change(
            "Cards without bf16 never come first for it, a thin offer does not lead, fewer GPUs come first at equal "
            "value; speed is told for one reader and in all, at a stated number of sequences; what is cut is told.",
            "llm 70B inference",
            r"^GPUs for|an hour|×|GPU  |^•|^Show",
            16,
        ),
        Change(
            "The speed of generating text counts latency: published for one stream on 8 H200 are 30 to 110 tokens/s.",
            "llm deepseek-r1 inference",
            r"×|tokens/s",
            6,
        ),
        Change(
            "The name sets precision and context, and the answer says what it took from it.",
            "llm Qwen2.5-72B-Instruct-AWQ inference",
            r"needs",
            3,
        ),
        Change(
            "The recipe of a training is a parameter and stated.",
            "llm llama3.1-8b lora recipe=torchtune",
            "",
            6,
        ),
        Change("Models that people ask for.", "llm gpt-oss-120b inference", "", 5),
    ),
)
FLEET = Part(
    "`fleet`",
    (
        Change(
            "Interrupted hours are not billed; a simple plan comes first, the best beside it; `hours=` is explained.",
            "fleet 500 training medium",
            "",
            22,
        ),
        Change("A small budget hears what less reliability would take.", "fleet 10 training medium", "", 4),
        Change("A large budget stays readable.", "fleet 50000 training medium", "", 11),
    ),
)
MONEY = Part(
    "`cost` and `savings`",
    (
        Change(
            "Costs are ranges that hold published runs (docs/training-hours.md), compared with one named AWS machine.",
            "cost llama2-7b 50GB",
            "",
            12,
        ),
        Change(
            "What our price list lacks is called that, the same chip in another edition is near, and the headline "
            "is the same work.",
            "savings RTX PRO 6000 WS 100h",
            r"^Savings|an hour|^ cloud|^ AWS|^ GCP|^ Azure|edition|^•",
            14,
        ),
    ),
)
ACT = Part(
    "Something to act on, and less noise",
    (
        Change(
            "An answer about a model ends with its best offers now and the line that rents one.", "predict H200", "", 30
        ),
        Change(
            "A card has at most two notes, the rest behind *Why*; raw keys and empty columns are not shown.",
            "cost llama2-7b 50GB",
            r"^•|Why",
            14,
        ),
    ),
)
PARTS = (NUMBERS, LLM, FLEET, MONEY, ACT)

HEAD = f"""# How answers changed

Questions to one stored market, and what `spotbot ask` printed for them before and prints now. The market is simulated
(seed {SEED}, {DAYS} days, every model that the simulator knows), so its prices are nobody's; both versions read the
same polls and made their own forecasts from them. Lines are as printed, cut at {WIDTH} columns; “…” stands for lines
left out. `python -m benchmarks.answers_page` asks again and writes this page.
"""


async def make_market(file: Path) -> None:
    """Store the polls and this version's forecasts."""
    store = await open_store(f"sqlite:///{file}", writer=True)
    try:
        market = SimulatedMarket(SEED, NOW - DAYS * DAY)
        await Collector(store, source="simulated").record_many(market.history(DAYS, NOW))
        await refresh(store, NOW)
    finally:
        await store.close()


async def asked(file: Path, questions: Iterable[str]) -> dict[str, list[str]]:
    """Question -> lines that the console prints, a minute after the last poll."""
    store = await open_store(f"sqlite:///{file}", writer=False)
    try:
        dispatcher = Dispatcher(store, COMMANDS, lambda: NOW + 60, home="Sao Paulo, BR")
        return {question: await printed(dispatcher, question) for question in questions}
    finally:
        await store.close()


async def printed(dispatcher: Dispatcher, question: str) -> list[str]:
    """The lines of one answer; a refusal is an answer too."""
    text = io.StringIO()
    out = Console(file=text, width=WIDTH, no_color=True, legacy_windows=False)
    await answer(dispatcher, question, language="en", as_json=False, out=out, err=out)
    return [line.rstrip() for line in text.getvalue().splitlines() if line.strip()]


def shown(lines: Iterable[str], change: Change) -> list[str]:
    """The lines that show the change, “…” where some were left out."""
    found: list[str] = []
    kept = 0
    for line in lines:
        if kept < change.most and re.search(change.lines, line):
            found.append(line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…")
            kept += 1
        elif found[-1:] != ["…"]:
            found.append("…")
    return found


def page(before: dict[str, list[str]], now: dict[str, list[str]]) -> str:
    """Markdown with both answers to each question."""
    blocks = [HEAD]
    for part in PARTS:
        blocks.append(f"## {part.title}\n")
        for change in part.changes:
            blocks.append(f"{change.what} `{change.question}`\n")
            blocks += [
                f"{name}:\n\n```text\n{chr(10).join(shown(lines[change.question], change))}\n```\n"
                for name, lines in (("Before", before), ("Now", now))
            ]
    return "\n".join(blocks)


def questions() -> list[str]:
    """Each once."""
    return list(dict.fromkeys(change.question for part in PARTS for change in part.changes))


async def answers(market: Path | None) -> dict[str, list[str]]:
    """Ask everything of this version, on a market of its own or on a copy of one made before."""
    with tempfile.TemporaryDirectory(prefix="spotbot-answers-") as folder:
        file = Path(folder) / "market.db"
        if market is None:
            await make_market(file)
        else:
            shutil.copy(market, file)
        return await asked(file, questions())


def main(arguments: list[str]) -> None:
    """Write the page, or record what this version says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--market", type=Path, help="a file made before, instead of simulating anew")
    parser.add_argument("--record", type=Path, help="write the answers as JSON there, and no page")
    given = parser.parse_args(arguments)
    found = asyncio.run(answers(given.market))
    if given.record:
        given.record.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        return
    before = json.loads(BEFORE.read_text(encoding="utf-8"))
    PAGE.write_text(page(before, found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
