"""Free text to a command and named texts: ``predict rtx 4090``, ``cost llama2-7b 50GB gpu=a100``.

Rules, in this order: ``name=value`` and ``--name value`` are taken as said; a word that is one of a parameter's choices
goes there; a number with a unit, also one word away, goes to the parameter of that unit; what is left fills the
remaining parameters in the order of their declaration, a GPU name taking as many words as still make a name.

Nothing here reads a number: what looks like one goes to its parameter, and whether it is one is for its reader to say.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence

from rapidfuzz import fuzz, process

from analytics.errors import AskError
from analytics.evidence import Note
from analytics.units import GPUS
from bot.dispatch.command import Command, Param
from bot.dispatch.kinds import KINDS, Kind, shorten
from bot.dispatch.params import own_name, unknown_name
from bot.dispatch.verbs import IsGpu, called

LONGEST_UNIT = 3
"""Words that a unit may have: "USD a month"."""
NEAR_ENOUGH = 70
"""Least similarity (0-100) of a word worth suggesting for another."""
ReadLine = Callable[[str], tuple[Command, dict[str, str]]]
"""Reads a line as a command and the texts of its parameters."""
_NUMBER = re.compile(r"[0-9][0-9.,]*")
_OPTION = re.compile(r"--[a-z]", re.IGNORECASE)


def read(line: str, commands: Sequence[Command], is_gpu: IsGpu) -> tuple[Command, dict[str, str]]:
    """The command that a line calls and the text of each parameter it gives; ``is_gpu``: do these words name a GPU."""
    command, rest = called(line, commands, is_gpu)
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


def assign(command: Command, words: Sequence[str], is_gpu: IsGpu) -> dict[str, str]:
    """Which word belongs to which parameter."""
    given: dict[str, str] = {}
    rest = _without_options(command, words, given)
    rest = [word for word in rest if not _named(command, word, given)]
    free = [param for param in command.params if param.positional and param.name not in given]
    rest = _joined(free, rest, is_gpu)
    rest = _without_measured(free, rest, given, is_gpu)
    for param in free:
        if rest and param.name not in given:
            lead = _leads(param, free, rest)
            texts, left = _take(param, rest[lead:], is_gpu, last=param is free[-1])
            if texts:
                given[param.name] = ",".join(texts)
                rest = [*rest[:lead], *left]
    if rest:
        raise _not_understood(command, rest)
    return given


def _without_options(command: Command, words: Sequence[str], given: dict[str, str]) -> list[str]:
    """The words but those of ``--name value``, which are taken as said."""
    rest: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if not _OPTION.match(word):
            rest.append(word)
        elif "=" in word:
            rest.append(word.lstrip("-"))
        else:
            name = _name(command, word)
            if name not in {param.name for param in command.params}:
                raise unknown_name(command, name)
            _give(name, left.pop(0) if left else "", given)
    return rest


def _named(command: Command, word: str, given: dict[str, str]) -> bool:
    said = named_in(command, word)
    if said is not None:
        _give(*said, given)
    return said is not None


def named_in(command: Command, word: str) -> tuple[str, str] | None:
    """The name and the text of a word such as ``name=value``; None where it is none, or part of a parameter's text."""
    name, equals, value = word.partition("=")
    if not equals or not name.replace("-", "_").isidentifier():
        return None
    name = name.lower().replace("-", "_")
    if any(name in param.inner for param in command.params):
        return None
    return own_name(command, name), value


def option_name(command: Command, word: str) -> str | None:
    """The name in a word such as ``--name``, whose value is the next word; None where it is no such word."""
    return _name(command, word) if _OPTION.match(word) and "=" not in word else None


def _name(command: Command, option: str) -> str:
    return own_name(command, option.lstrip("-").lower().replace("-", "_"))


def _give(name: str, value: str, given: dict[str, str]) -> None:
    if name in given:
        raise AskError(Note("{name} was given twice", {"name": shorten(name)}))
    given[name] = value


def _joined(free: Sequence[Param], words: Sequence[str], is_gpu: IsGpu) -> list[str]:
    """The words, a number and the unit behind it, or the sign before it, made one: ``100 h``, ``US$ 400``, ``7 B``."""
    joined: list[str] = []
    at = 0
    while at < len(words):
        most = min(LONGEST_UNIT + 1, len(words) - at)
        size = next((n for n in range(most, 1, -1) if _belong(free, words[at : at + n], is_gpu)), 1)
        joined.append(("" if size == 2 else " ").join(words[at : at + size]))
        at += size
    return joined


def _belong(free: Sequence[Param], words: Sequence[str], is_gpu: IsGpu) -> bool:
    """Whether these words are one quantity of a parameter."""
    first, second = words[0], words[1].lower()
    if len(words) == 2 and _NUMBER.fullmatch(first) and any(second in param.joins for param in free):
        return True
    text = " ".join(words)
    kinds = [KINDS[param.kind] for param in free if KINDS[param.kind].is_measured(text)]
    if not kinds or any(_is_model(free, name, is_gpu) for name in (text, "".join(words))):
        return False  # "4090 D" is a GPU, not so many days
    return not (second in GPUS and _is_model(free, first, is_gpu))


def _is_model(free: Sequence[Param], text: str, is_gpu: IsGpu) -> bool:
    return any(KINDS[param.kind].names_models for param in free) and is_gpu(text)


def _leads(param: Param, free: Sequence[Param], rest: Sequence[str]) -> int:
    """How many words before a model belong to another parameter."""
    first = KINDS[param.kind].names_models and len(rest) > 1 and rest[0].lower()
    return int(any(first in other.leads for other in free))


def _without_measured(free: Sequence[Param], words: Sequence[str], given: dict[str, str], is_gpu: IsGpu) -> list[str]:
    """The words but those that say by themselves where they go: choices, and numbers with a unit."""
    rest = []
    for at, word in enumerate(words):
        taker = next((param for param in free if param.name not in given and _goes_to(param, word)), None)
        if taker is None or (KINDS[taker.kind].is_number and _in_a_model(free, words, at, is_gpu)):
            rest.append(word)
        else:
            given[taker.name] = word
    return rest


def _goes_to(param: Param, word: str) -> bool:
    kind = KINDS[param.kind]
    return kind.is_measured(word) or (kind.is_choice and word.lower() in {choice.lower() for choice in param.choices})


def _in_a_model(free: Sequence[Param], words: Sequence[str], at: int, is_gpu: IsGpu) -> bool:
    """Whether a word is a model's name, or the end of one: ``4090D``, ``a100 80GB``."""
    return any(_is_model(free, " ".join(words[start : at + 1]), is_gpu) for start in range(max(0, at - 3), at + 1))


def _take(param: Param, rest: Sequence[str], is_gpu: IsGpu, *, last: bool) -> tuple[list[str], Sequence[str]]:
    """The texts of this parameter among the remaining words, and the words that are left."""
    kind = KINDS[param.kind]
    if kind.names_models:
        return _take_models(kind, rest, is_gpu, all_left=last or param.required)
    if kind.is_number:
        taken = int(kind.resembles(rest[0]))
    elif kind.is_free_text:
        taken = len(rest) if last else 1
    else:
        taken = int(param.required)
    return [" ".join(rest[:taken])] if taken else [], rest[taken:]


def _take_models(kind: Kind, rest: Sequence[str], is_gpu: IsGpu, *, all_left: bool) -> tuple[list[str], Sequence[str]]:
    """The models that the next words name, each with as many words as still name one; several where the kind is so."""
    models: list[str] = []
    while rest and (kind.several or not models):
        signs = next((n for n, word in enumerate(rest) if not any(map(str.isalnum, word))), len(rest))
        words = next((n for n in range(signs, 0, -1) if is_gpu(" ".join(rest[:n]))), 0)
        if not words:  # a sign alone is no part of a name
            break
        models.append(" ".join(rest[:words]))
        rest = rest[words:]
    if not models and all_left:
        return [" ".join(rest)], ()
    return models, rest


def _not_understood(command: Command, rest: Sequence[str]) -> AskError:
    """What to say of words that are left: the nearest thing that could be meant, else how the command is used."""
    known = [choice for param in command.params for choice in param.choices]
    known += [f"{param.name}=" for param in command.params]
    near = [
        found[0]
        for word in rest
        if (found := process.extractOne(word.lower()[:40], known, scorer=fuzz.ratio, score_cutoff=NEAR_ENOUGH))
    ]
    given = {"command": command.name, "given": shorten(" ".join(rest))}
    return AskError(Note("{command}: “{given}” was not understood", given), suggestions=near or command.examples)
