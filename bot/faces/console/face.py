"""The console face: ``spotbot ask`` and ``spotbot chat``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from analytics.errors import AskError, MarketDown, NotYet, Refused
from analytics.evidence import to_json
from bot.accounts import Asker
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.reply import card_of, reply
from bot.presentation.card import Card, Spark
from bot.presentation.error_cards import error_lines
from bot.presentation.problem_documents import of_question
from bot.presentation.text import sparkline
from bot.presentation.words import Words

if TYPE_CHECKING:
    from collections.abc import Callable

    from prompt_toolkit import PromptSession
    from rich.console import Console, RenderableType

EXIT_CODES: dict[type[AskError], int] = {NotYet: 3, MarketDown: 4, Refused: 5, AskError: 2}
"""Exit code of ``spotbot ask`` by kind of error, first match wins."""

EXITS = ("exit", "quit")
"""What ends a chat."""

FOOT_SECONDS = 1.0
"""How often the foot of the prompt is written anew."""


def exit_code(error: AskError) -> int:
    """What ``spotbot ask`` exits with for this error."""
    return next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))


async def answer(dispatcher: Dispatcher, line: str, *, language: str, as_json: bool, out: Console, err: Console) -> int:
    """Answer one line on a terminal; returns the exit code. JSON goes to stdout, also that of a problem."""
    words = Words(language, dispatcher.clock())
    try:
        answered = await dispatcher.answer(line, default=language)
    except AskError as error:
        for text in error_lines(error, words):
            err.print(text, markup=False, highlight=False, style="red")
        if as_json:
            write_json(of_question(error).text())
        return exit_code(error)
    if as_json:
        write_json(to_json(answered.answer))
    else:
        show(card_of(answered, words), out)
    return 0


def write_json(text: str) -> None:
    """JSON to standard output; what its encoding lacks is escaped, so that the value stays the same."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # outside of strings JSON is ASCII, so a character may be escaped wherever it stands
        text = "".join(some if some.isascii() else json.dumps(some)[1:-1] for some in text)
    sys.stdout.write(text)


def show(card: Card, out: Console) -> None:
    """Print a card. Everything in it is data, never markup."""
    from rich.text import Text

    from bot.faces.console.tables import table_for

    out.print(Text(card.title, style="bold"))
    out.print(Text(card.lead))
    for table in card.tables:
        out.print(table_for(table, out.width))
    for line in card.commands:
        out.print(Text(line), soft_wrap=True)  # whole, to be copied
    for spark in card.sparks:
        out.print(_spark(spark, out.width))
    for note in card.notes:
        out.print(Text(f"• {note}", style="dim"))
    for action in card.actions:
        more = " …" if action.place == "form" else ""
        out.print(Text(f"{action.label}: {action.line}{more}"))
    out.print(Text(card.footer, style="dim italic"))


def _spark(spark: Spark, width: int) -> RenderableType:
    from rich.text import Text

    return Text(f"{spark.label} {sparkline(spark.values, max(10, min(72, width - len(spark.label) - 1)))}")


async def chat(
    dispatcher: Dispatcher, asker: Asker, *, language: str, out: Console, status: Callable[[], str] | None = None
) -> None:
    """A prompt with completion and history until ``exit`` or end of input. Alerts are printed above it.

    ``status``: what stands at the foot of the prompt, as long as it is anything.
    """
    from prompt_toolkit import PromptSession as Session
    from prompt_toolkit.patch_stdout import patch_stdout

    from bot.faces.console.completer import LineCompleter

    session: PromptSession[str] = Session(completer=LineCompleter(dispatcher))
    if status is not None:
        _show_at_the_foot(session, status)
    words = Words(language, dispatcher.clock())
    out.print(
        words("Type a question such as {example}, “help”, or “exit”.", example=dispatcher.commands[0].examples[0])
    )
    while True:
        try:
            with patch_stdout(raw=True):
                line = (await session.prompt_async("/spot ")).strip()
        except EOFError:
            return
        except KeyboardInterrupt:
            if not session.default_buffer.text:
                out.print(words("To leave, type “exit” or press Ctrl-D."))
            continue
        if line in EXITS:
            return
        if line:
            show((await reply(dispatcher, asker, line, default=language)).card, out)


def _show_at_the_foot(session: PromptSession[str], status: Callable[[], str]) -> None:
    def text() -> str:
        shown = status()
        if not shown:
            session.bottom_toolbar = None
            session.refresh_interval = 0
        return shown

    if status():
        session.bottom_toolbar, session.refresh_interval = text, FOOT_SECONDS
