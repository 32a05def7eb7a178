"""The console face: ``spotbot ask`` and ``spotbot chat``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analytics.errors import AskError, MarketDown, NotYet, Refused
from analytics.evidence import iso, to_json
from bot.commands.base import Command
from bot.commands.counter import Counter
from bot.show.card import Card, Spark, Table
from bot.show.words import Words

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table as RichTable

EXIT_CODES: dict[type[AskError], int] = {NotYet: 3, MarketDown: 4, Refused: 5, AskError: 2}
"""Exit code of ``spotbot ask`` by kind of error, first match wins."""

_BARS = "▁▂▃▄▅▆▇█"
_GAP = "·"


def sparkline(values: Sequence[float | None], width: int = 60) -> str:
    """Numbers as a line of block characters; missing ones are dots. Longer lines are cut to the newest ``width``."""
    shown = list(values)[-width:]
    known = [value for value in shown if value is not None]
    if not known:
        return _GAP * len(shown)
    low, span = min(known), max(known) - min(known)
    top = len(_BARS) - 1
    return "".join(_GAP if v is None else _BARS[round((v - low) / span * top) if span else top // 2] for v in shown)


def exit_code(error: AskError) -> int:
    """What ``spotbot ask`` exits with for this error."""
    return next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))


def error_lines(error: AskError, words: Words) -> list[str]:
    """An error as sentences: what is wrong, what is there, what is needed, when it will do, what to try."""
    lines = [words(error.note)]
    if isinstance(error, NotYet):
        lines += [words("There is: {have}", have=error.have), words("Needed: {need}", need=error.need)]
        if error.ready_at is not None:
            lines.append(words("It will do at {at} if polling goes on.", at=iso(error.ready_at)))
    if error.suggestions:
        shown = ", ".join(error.suggestions[:8])
        lines.append(words("Try: {suggestions}", suggestions=shown))
    return lines


async def answer(counter: Counter, line: str, *, language: str, as_json: bool, out: Console, err: Console) -> int:
    """Answer one line on a terminal; returns the exit code."""
    words = Words(language, counter.clock())
    try:
        if _wants_help(line):
            for text in help_lines(counter.commands, words, line):
                out.print(text, markup=False, highlight=False)
            return 0
        command, found = await counter.ask_line(line)
    except AskError as error:
        for text in error_lines(error, words):
            err.print(text, markup=False, highlight=False, style="red")
        return exit_code(error)
    if as_json:
        sys.stdout.write(to_json(found))
    else:
        show(command.card(found, words), out)
    return 0


def _wants_help(line: str) -> bool:
    words = line.lower().replace("/spot", "", 1).split()
    return not words or words[0] == "help" or words[-1] == "help"


def help_lines(commands: Sequence[Command], words: Words, line: str = "") -> list[str]:
    """Help on every command, or on the one that the line names."""
    named = [command for command in commands if command.name in line.lower().split()]
    if not named:
        width = max(len(command.name) for command in commands)
        rows = [f"  {command.name:<{width}}  {words(command.summary)}" for command in commands]
        return [words("Ask one of these; “help <verb>” explains it:"), *rows]
    command = named[0]
    lines = [f"{command.name}: {words(command.summary)}"]
    for param in command.params:
        mark = words(" (needed)") if param.required else ""
        choices = f" [{' | '.join(param.choices)}]" if param.choices else ""
        lines.append(f"  {param.name}{mark}: {words(param.help)}{choices}")
    return [*lines, *(words("  for example: {example}", example=example) for example in command.examples)]


def show(card: Card, out: Console) -> None:
    """Print a card. Everything in it is data, never markup."""
    from rich.text import Text

    out.print(Text(card.title, style="bold"))
    out.print(Text(card.lead))
    for table in card.tables:
        out.print(_table(table))
    for spark in card.sparks:
        out.print(_spark(spark, out.width))
    for note in card.notes:
        out.print(Text(f"• {note}", style="dim"))
    out.print(Text(card.footer, style="dim italic"))


def _table(table: Table) -> RichTable:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    rich = RichTable(title=Text(table.caption), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        rich.add_column(Text(column.title), justify=column.align)
    for row in table.rows:
        rich.add_row(*(Text(cell) for cell in row))
    return rich


def _spark(spark: Spark, width: int) -> RenderableType:
    from rich.text import Text

    return Text(f"{spark.label} {sparkline(spark.values, max(10, min(72, width - len(spark.label) - 1)))}")


async def chat(counter: Counter, *, language: str, out: Console) -> None:
    """A prompt with completion and history until ``exit`` or end of input."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter

    async with counter.desk() as desk:
        models = await desk.known()
    verbs = [command.name for command in counter.commands]
    completer = WordCompleter([*verbs, *models, "help", "exit"], ignore_case=True, sentence=False)
    session: PromptSession[str] = PromptSession(completer=completer)
    words = Words(language, counter.clock())
    out.print(words("Type a question such as {example}, “help”, or “exit”.", example=counter.commands[0].examples[0]))
    while True:
        try:
            line = (await session.prompt_async("/spot ")).strip()
        except (EOFError, KeyboardInterrupt):
            return
        if line in ("exit", "quit"):
            return
        if line:
            await answer(counter, line, language=language, as_json=False, out=out, err=out)
