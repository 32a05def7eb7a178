"""``why``: a card has at most two notes, and the rest one press away."""

from __future__ import annotations

import pytest

from bot.accounts import Asker
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.reply import Reply, reply
from bot.dispatch.why import SHOWN_NOTES, behind_why

PERSON = Asker("slack", "T1", "U1", role="member")
QUESTIONS = (
    "monitor", "monitor RTX 4090", "predict RTX 4090", "availability RTX 4090", "savings RTX 4090 100h",
    "reliability RTX 4090", "interruptions", "windows RTX 4090", "history RTX 4090", "llm 8B", "cost llama2-7b 1GB",
    "fleet training 400",
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
