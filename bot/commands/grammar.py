"""Free text to a command and named texts: ``predict rtx 4090``, ``cost llama2-7b 50GB gpu=a100``.

Rules, in this order: ``name=value`` is taken as said; a word that is one of a parameter's choices goes there; a number
with a unit goes to the parameter of that unit; what is left fills the remaining parameters in the order of their
declaration, a GPU name taking as many words as still make a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rapidfuzz import fuzz, process

from analytics.errors import AskError
from analytics.evidence import Note
from bot.commands.base import Command, Param
from bot.commands.params import HOUR_UNITS, MONEY_UNITS, SIZE_UNITS, quantity, shorten

MAX_LINE = 1000
NEAR_ENOUGH = 50
"""Least similarity (0-100) of a verb worth suggesting."""
_QUOTES = str.maketrans("“”„‟«»‘’‚", '""""""\'\'\'')
_TOKEN = re.compile(r"""(?:[^\s"'=]+=)?(?:"[^"]*"|'[^']*')|[^\s]+""")
_NUMERIC = {"int", "number", "percent", "money", "hours", "gigabytes"}
_UNITS = {"gigabytes": SIZE_UNITS, "hours": HOUR_UNITS, "money": MONEY_UNITS}


def tokens(line: str) -> list[str]:
    """Words of a line; quoted words stay together, quotes (also typographic ones) are taken off."""
    if len(line) > MAX_LINE:
        raise AskError(
            Note("that is {n} characters long; at most {limit} can be read", {"n": len(line), "limit": MAX_LINE})
        )
    found = _TOKEN.findall(line.translate(_QUOTES))
    return [re.sub(r"""(^|=)(["'])(.*)\2$""", r"\1\3", token) for token in found]


def find_command(word: str, commands: Sequence[Command]) -> Command:
    """The command of a verb; raises AskError with the nearest verbs when there is none."""
    by_name = {command.name: command for command in commands}
    verb = word.lower().lstrip("/")
    if verb in by_name:
        return by_name[verb]
    ranked = process.extract(verb[:40], list(by_name), scorer=fuzz.ratio, limit=3)
    near = tuple(name for name, score, _ in ranked if score >= NEAR_ENOUGH)
    raise AskError(Note("there is no command “{given}”", {"given": shorten(word)}), suggestions=near or tuple(by_name))


def read(line: str, commands: Sequence[Command], is_gpu: Callable[[str], bool]) -> tuple[Command, dict[str, str]]:
    """The command that a line calls and the text of each parameter it gives; ``is_gpu``: do these words name a GPU."""
    words = tokens(line)
    if words and words[0].lower() in {"/spot", "spot", "spotbot"}:
        words = words[1:]
    if not words:
        raise AskError(Note("say what you want to know"), suggestions=tuple(command.name for command in commands))
    command = find_command(words[0], commands)
    return command, assign(command, words[1:], is_gpu)


def assign(command: Command, words: Sequence[str], is_gpu: Callable[[str], bool]) -> dict[str, str]:
    """Which word belongs to which parameter."""
    given: dict[str, str] = {}
    rest = [word for word in words if not _named(command, word, given)]
    free = [param for param in command.params if param.positional and param.name not in given]
    rest = [word for word in rest if not _by_look(free, word, given)]
    for param in free:
        if rest and param.name not in given:
            taken = _take(param, rest, is_gpu, last=param is free[-1])
            if taken:
                given[param.name] = " ".join(rest[:taken])
                rest = rest[taken:]
    if rest:
        note = Note(
            "{command}: “{given}” was not understood", {"command": command.name, "given": shorten(" ".join(rest))}
        )
        raise AskError(note, suggestions=command.examples)
    return given


def _named(command: Command, word: str, given: dict[str, str]) -> bool:
    name, equals, value = word.partition("=")
    name = name.lower().replace("-", "_")
    if not equals or not name.isidentifier():
        return False
    if name in given:
        raise AskError(Note("{name} was given twice", {"name": shorten(name)}))
    given[name] = value
    return True


def _by_look(free: Sequence[Param], word: str, given: dict[str, str]) -> bool:
    for param in free:
        if param.name in given:
            continue
        chosen = param.kind == "choice" and word.lower() in {choice.lower() for choice in param.choices}
        if chosen or _has_unit(param, word):
            given[param.name] = word
            return True
    return False


def _has_unit(param: Param, word: str) -> bool:
    units = _UNITS.get(param.kind)
    return (units is not None and not word[-1:].isdigit() and quantity(word, units) is not None) or (
        param.kind == "money" and word.startswith("$")
    )


def _take(param: Param, rest: Sequence[str], is_gpu: Callable[[str], bool], *, last: bool) -> int:
    """How many of the remaining words go to this parameter."""
    if param.kind in ("gpu", "gpus"):
        for n in range(len(rest), 0, -1):
            if is_gpu(" ".join(rest[:n])):
                return n
        return len(rest) if last or param.required else 0
    if param.kind in _NUMERIC:
        return int(quantity(rest[0], _UNITS.get(param.kind, {"": 1.0, "%": 1.0, "x": 1.0})) is not None)
    if param.kind == "text":
        return len(rest) if last else 1
    return int(param.required)
