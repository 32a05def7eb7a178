"""``why``: a card has at most two notes, and the rest one press away."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.accounts import Asker
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.reply import Reply, reply
from bot.dispatch.why import SHOWN_NOTES, behind_why
from bot.store.engine import open_store
from tests.fakes.stored import NOW

PERSON = Asker("slack", "T1", "U1", role="member")
QUESTIONS = (
    "monitor", "monitor RTX 4090", "predict RTX 4090", "availability RTX 4090", "savings RTX 4090 100h",
    "reliability RTX 4090", "interruptions", "windows RTX 4090", "history RTX 4090", "llm 8B", "cost llama2-7b 1GB",
    "fleet training 400", "accuracy", "accuracy RTX A6000",
)  # fmt: skip


async def asked(dispatcher: Dispatcher, line: str) -> Reply:
    return await reply(dispatcher, PERSON, line, default="en")


@pytest.mark.parametrize("line", QUESTIONS)
async def test_a_card_has_at_most_two_notes_and_why_has_them_all(dispatcher: Dispatcher, line: str) -> None:
    short = await asked(dispatcher, line)
    if not short.ok:
        pytest.fail(short.card.lead)
    assert len(short.card.notes) <= SHOWN_NOTES
    [why] = [action for action in short.card.actions if action.label == "Why?"]
    long = await asked(dispatcher, why.line)
    assert long.ok
    whole = "\n".join(long.card.notes)
    assert all(note in whole for note in short.card.notes)
    assert len(set(long.card.notes)) == len(long.card.notes)
    assert any(note.startswith("How it is made: ") for note in long.card.notes)
    evidence = long.answer.evidence
    told = " ".join(long.card.notes)
    assert all(str(note)[:20] in told for note in evidence.caveats if "{" not in str(note))
    assert long.line == why.line


@pytest.mark.parametrize(
    ("line", "behind"),
    [
        ("why predict RTX 4090", "predict RTX 4090"),
        ("/spot why? predict “RTX 4090”", 'predict "RTX 4090"'),
        ("por que", None),
        ("porque prever 4090", "prever 4090"),
        ("why", None),
        ("why is the 4090 so expensive", None),
        ("why why predict 4090", None),
        ("predict why", None),
    ],
)
def test_why_is_asked_of_a_command(line: str, behind: str | None) -> None:
    assert behind_why(line, COMMANDS) == behind


@pytest.mark.parametrize("line", ["predict RTX 4090", "llm 8B", "cost llama2-7b 1GB", "savings RTX 4090 100h"])
async def test_every_answer_that_prices_spot_says_where_on_demand_costs_no_more(
    market_file: Path, tmp_path: Path, line: str
) -> None:
    cheap = Path(shutil.copy(market_file, tmp_path / "cheap.db"))
    with closing(sqlite3.connect(cheap)) as conn:
        names = [name for (name,) in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            if "on_demand" in [column[1] for column in conn.execute(f"PRAGMA table_info({name})")]:
                conn.execute(f"UPDATE {name} SET on_demand = 1000 WHERE on_demand IS NOT NULL")
        conn.commit()
    store = await open_store(f"sqlite:///{cheap}", writer=False)
    try:
        said = await asked(Dispatcher(store, COMMANDS, lambda: NOW + 60), line)
        assert "on demand costs no more than spot now" in " ".join(said.card.notes)
    finally:
        await store.close()
