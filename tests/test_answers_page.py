"""The page of answers before and now: each question has both, and the page is of them."""

from __future__ import annotations

import json

from benchmarks.answers_page import BEFORE, PAGE, PARTS, WIDTH, Change, page, questions, shown
from bot.commands import COMMANDS

RECORDED: dict[str, list[str]] = json.loads(BEFORE.read_text(encoding="utf-8"))


def test_each_question_was_asked_before() -> None:
    assert list(RECORDED) == questions()
    assert all(RECORDED.values())
    assert {question.split()[0] for question in RECORDED} <= {command.name for command in COMMANDS}


def test_the_page_has_each_change_with_both_answers() -> None:
    written = PAGE.read_text(encoding="utf-8")
    for part in PARTS:
        assert f"## {part.title}" in written
        for change in part.changes:
            assert f"{change.what} `{change.question}`" in written
            assert "\n".join(shown(RECORDED[change.question], change)) in written
    changes = sum(len(part.changes) for part in PARTS)
    assert written.count("\nBefore:\n") == written.count("\nNow:\n") == changes
    again = page(RECORDED, RECORDED)
    assert again.split("Before:")[0] == written.split("Before:")[0]


def test_left_out_lines_are_marked_once_and_long_ones_are_cut() -> None:
    lines = ["a", "b", "c 1", "x" * 200, "c 2", "c 3", "d"]
    assert shown(lines, Change("", "", "c", 2)) == ["…", "c 1", "…", "c 2", "…"]
    [cut] = shown(["x" * 200], Change("", ""))
    assert len(cut) == WIDTH
    assert cut.endswith("…")
