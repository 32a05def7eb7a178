"""The prompt's keys, typed into prompt_toolkit's own input."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from bot.cli.stores import open_dispatcher
from bot.config import load_settings
from bot.faces.console.face import chat
from bot.faces.console.sender import PERSON

CTRL_C, CTRL_D = "\x03", "\x04"


async def typed(market_file: Path, keys: str, language: str = "en") -> str:
    """What was printed until the prompt was left."""
    out = Console(file=io.StringIO(), width=100)
    with create_pipe_input() as keyboard, create_app_session(input=keyboard, output=DummyOutput()):
        keyboard.send_text(keys)
        async with open_dispatcher(load_settings(database_url=str(market_file))) as dispatcher:
            await chat(dispatcher, PERSON, language=language, out=out, status=lambda: "filling")
    return out.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("end", [CTRL_D, "quit\r", "exit\r"])
async def test_ctrl_c_clears_the_line_and_says_how_to_leave_where_it_is_empty(market_file: Path, end: str) -> None:
    shown = await typed(market_file, f"nonsense{CTRL_C}{end}")
    assert "To leave" not in shown
    assert "nonsense" not in shown
    assert "To leave, type “exit” or press Ctrl-D." in await typed(market_file, f"{CTRL_C}{end}")
    assert "Para sair" in await typed(market_file, f"{CTRL_C}{end}", "pt-BR")


async def test_a_question_after_a_cleared_line_is_answered(market_file: Path) -> None:
    assert "RTX 4090" in await typed(market_file, f"predict{CTRL_C}history RTX 4090\rquit\r")
