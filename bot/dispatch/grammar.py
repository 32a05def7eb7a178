"""Free text to a command and named texts: ``predict rtx 4090``, ``cost llama2-7b 50GB gpu=a100``.

Rules, in this order: ``name=value`` is taken as said; a word that is one of a parameter's choices goes there; a number
with a unit goes to the parameter of that unit; what is left fills the remaining parameters in the order of their
declaration, a GPU name taking as many words as still make a name.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence

from rapidfuzz import fuzz, process

from analytics.errors import AskError
from analytics.evidence import Note, Plural
from bot.dispatch.command import Command, Param
from bot.dispatch.kinds import KINDS, is_quantity, shorten
from bot.dispatch.params import own_name

MAX_LINE = 1000
NEAR_ENOUGH = 50
"""Least similarity (0-100) of a verb worth suggesting."""
HELP = "help"
HELP_WORDS = frozenset((HELP, "--help", "-h", "?", "ajuda"))
SHOWS = ("list", "show")
"""Members of a group that its name alone calls."""
ReadLine = Callable[[str], tuple[Command, dict[str, str]]]
"""Reads a line as a command and the texts of its parameters."""
_QUOTES = str.maketrans("“”„‟«»‘’‚", '""""""\'\'\'')
_ENTITY = re.compile(r"&(lt|gt|amp);")
_COMPARISON = re.compile(r"([<>≤≥]=?)(?=(?:us)?\$?[.,]?\d)", re.IGNORECASE)
_TOKEN = re.compile(r"""(?:[^\s"'=]+=)?(?:"[^"]*"|'[^']*')|[^\s]+""")


def tokens(line: str) -> list[str]:
    """Words of a line; quoted words stay together, quotes (also typographic ones) are taken off."""
    if len(line) > MAX_LINE:
        raise AskError(
            Note(
                Plural(
                    "that is {n} character long; at most {limit} can be read",
                    "that is {n} characters long; at most {limit} can be read",
                ),
                {"n": len(line), "limit": MAX_LINE},
            )
        )
    found = _TOKEN.findall(_ENTITY.sub(_entity, line).translate(_QUOTES))
    apart = [part for token in found for part in _comparisons_apart(token)]
    return [re.sub(r"""(^|=)(["'])(.*)\2$""", r"\1\3", token) for token in apart]


def _entity(match: re.Match[str]) -> str:
    """Chat platforms send these signs so."""
    return {"lt": "<", "gt": ">", "amp": "&"}[match[1]]


def _comparisons_apart(token: str) -> list[str]:
    """``4090<0.35`` as three words; what is quoted or named stays whole."""
    if '"' in token or "'" in token or re.match(r"\w+=", token):
        return [token]
    return [part for part in _COMPARISON.split(token) if part]


def find_command(words: Sequence[str], commands: Sequence[Command]) -> tuple[Command, Sequence[str]]:
    """The command that a line's first one or two words name, and the words left.

    A group alone ("settings") means what lists or shows it; followed by none of its verbs, its default. Raises
    AskError with the nearest verbs when there is none.
    """
    by_name = {command.name: command for command in commands}
    lower = [word.lower() for word in words]
    verb = lower[0].lstrip("/")
    for length in (2, 1):
        name = " ".join([verb, *lower[1:length]])
        if len(words) >= length and name in by_name:
            return by_name[name], words[length:]
    group = [name for name in by_name if name.split()[0] == verb]
    shown = next((name for member in SHOWS for name in group if name.split()[1] == member), None)
    if shown and len(words) == 1:
        return by_name[shown], ()
    default = next((name for name in group if by_name[name].group_default), None)
    if default:
        return by_name[default], words[1:]
    if group:
        given = {"given": shorten(" ".join(words[:2]))}
        raise AskError(Note("there is no command “{given}”", given), suggestions=group)
    verbs = list(dict.fromkeys(name.split()[0] for name in by_name))
    ranked = process.extract(verb[:40], verbs, scorer=fuzz.ratio, limit=3)
    near = tuple(name for name, score, _ in ranked if score >= NEAR_ENOUGH)
    raise AskError(Note("there is no command “{given}”", {"given": shorten(words[0])}), suggestions=near or verbs)


def called(line: str, commands: Sequence[Command]) -> tuple[Command, Sequence[str]]:
    """The command that a line calls and the words left for its parameters: all that can be read without models.

    Nothing, and ``help`` behind a verb, call the command ``help`` where there is one.
    """
    words = tokens(line)
    if words and words[0].lower() in {"/spot", "spot", "spotbot"}:
        words = words[1:]
    helper = next((command for command in commands if command.name == HELP), None)
    if helper and (not words or (len(words) > 1 and words[-1].lower() in HELP_WORDS)):
        words = [HELP, *words[:-1]]
    elif helper and words[0].lower() in HELP_WORDS:
        words = [HELP, *words[1:]]
    if not words:
        raise AskError(Note("say what you want to know"), suggestions=tuple(command.name for command in commands))
    return find_command(words, commands)


def read(line: str, commands: Sequence[Command], is_gpu: Callable[[str], bool]) -> tuple[Command, dict[str, str]]:
    """The command that a line calls and the text of each parameter it gives; ``is_gpu``: do these words name a GPU."""
    command, rest = called(line, commands)
    return command, assign(command, rest, is_gpu)


def line_for(command: Command, given: Mapping[str, str], read_again: ReadLine, question: str | None = None) -> str:
    """What to type to ask this: as people would, where that is read back as the same, else with every name.

    ``question``: the line that was read as this command and these texts, if one was; it need not be read again.
    """
    texts = {param.name: given[param.name] for param in command.params if given.get(param.name, "").strip()}
    candidates = (
        " ".join([command.name, *texts.values()]),
        " ".join([command.name, *map(shlex.quote, texts.values())]),
    )
    for line in dict.fromkeys(candidates):
        if line == question and texts == given:
            return line
        try:
            if read_again(line) == (command, texts):
                return line
        except AskError:
            pass
    return " ".join([command.name, *(f'{name}="{text.replace(chr(34), "")}"' for name, text in texts.items())])


def assign(command: Command, words: Sequence[str], is_gpu: Callable[[str], bool]) -> dict[str, str]:
    """Which word belongs to which parameter."""
    given: dict[str, str] = {}
    rest = [word for word in words if not _named(command, word, given)]
    free = [param for param in command.params if param.positional and param.name not in given]
    rest = [word for word in rest if not _by_look(free, word, given)]
    for param in free:
        if rest and param.name not in given:
            lead = _leads(param, free, rest)
            taken = _take(param, rest[lead:], is_gpu, last=param is free[-1])
            if taken:
                given[param.name] = " ".join(rest[lead : lead + taken])
                rest = rest[:lead] + rest[lead + taken :]
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
    if any(name in param.inner for param in command.params):
        return False
    name = own_name(command, name)
    if name in given:
        raise AskError(Note("{name} was given twice", {"name": shorten(name)}))
    given[name] = value
    return True


def _leads(param: Param, free: Sequence[Param], rest: Sequence[str]) -> int:
    """How many words before a model belong to another parameter."""
    first = KINDS[param.kind].names_models and len(rest) > 1 and rest[0].lower()
    return int(any(first in other.leads for other in free))


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
    kind = KINDS[param.kind]
    measured = bool(kind.units) and not word[-1:].isdigit() and is_quantity(kind, word)
    return measured or bool(kind.signs and word.startswith(kind.signs))


def _take(param: Param, rest: Sequence[str], is_gpu: Callable[[str], bool], *, last: bool) -> int:
    """How many of the remaining words go to this parameter."""
    kind = KINDS[param.kind]
    if kind.names_models:
        named = next((n for n, word in enumerate(rest) if not any(map(str.isalnum, word))), len(rest))
        for n in range(named, 0, -1):  # a sign alone is no part of a name
            if is_gpu(" ".join(rest[:n])):
                return n
        return len(rest) if last or param.required else 0
    if kind.is_number:
        return int(is_quantity(kind, rest[0]))
    if kind.is_free_text:
        return len(rest) if last else 1
    return int(param.required)
