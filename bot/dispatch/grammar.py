"""Free text to a command and named texts: ``predict rtx 4090``, ``cost llama2-7b 50GB gpu=a100``.

Rules, in this order: ``name=value`` and ``--name value`` are taken as said; a word that is one of a parameter's choices
goes there; a number with a unit, also one word away, goes to the parameter of that unit; what is left fills the
remaining parameters in the order of their declaration, a GPU name taking as many words as still make a name.

Nothing here reads a number: what looks like one goes to its parameter, and whether it is one is for its reader to say.
"""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Callable, Mapping, Sequence

from rapidfuzz import fuzz, process

from analytics.catalog import listed
from analytics.errors import AskError
from analytics.evidence import Note
from analytics.names import BRANDS, memory_in
from analytics.units import GPUS
from bot.dispatch.command import Command, Param
from bot.dispatch.kinds import KINDS, Kind, shorten
from bot.dispatch.params import own_name, takes_models, unknown_name
from bot.dispatch.verbs import IsGpu, called

MOST_WORDS = 8
"""Words that the name of a stored model may have: an import keeps names as others wrote them."""
LONGEST_UNIT = 3
"""Words that a unit may have: "USD a month"."""
NEAR_ENOUGH = 70
"""Least similarity (0-100) of a word worth suggesting for another."""
ReadLine = Callable[[str], tuple[Command, dict[str, str]]]
"""Reads a line as a command and the texts of its parameters."""
_NUMBER = re.compile(r"[0-9][0-9.,]*")
_OPTION = re.compile(r"--[a-z]", re.IGNORECASE)
_MEMORY = re.compile(r"[0-9]{1,3}(?:gb|gib|g)?", re.IGNORECASE)
_SIZE = re.compile(r"(?:[0-9]+x)?[0-9.,]+[kmbt]", re.IGNORECASE)
_SIZE_AT_END = re.compile(r"[0-9][bm]$", re.IGNORECASE)
_DIGIT = re.compile(r"[0-9]")
_HEAD = re.compile(r"\$?[0-9]{1,3}")
_GROUP = re.compile(r"[0-9]{3}(?:[.,][0-9]+)?")
_WORD = re.compile(r"[a-z]", re.IGNORECASE)
_READ_TWICE = re.compile(r"[0-9][.,][0-9]")
"""A number that two languages may read as two numbers: it goes on no button as it is."""
_AND = frozenset((",", ";", "and", "or", "e", "ou", "&", "+", "/", "vs"))
"""What may stand between two models."""


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
    rest = _without_options(command, _with_whole_names(words, is_gpu) if takes_models(command) else words, given)
    rest = _without_named(command, rest, given, is_gpu)
    measured = [param for param in command.params if _may_be_measured(param) and param.name not in given]
    rest = _joined(measured, rest, is_gpu)
    _refuse_apart(measured, rest, is_gpu)
    rest = _without_measured(measured, rest, given, is_gpu)
    free = [param for param in command.params if param.positional and param.name not in given]
    for param in free:
        if rest and param.name not in given:
            lead = _leads(param, free, rest, is_gpu)
            texts, left = _take(param, rest[lead:], is_gpu, last=param is free[-1], beside_models=takes_models(command))
            if texts:
                given[param.name] = ",".join(texts)
                rest = [*rest[:lead], *left]
    if rest and (is_gpu(" ".join(rest)) or not _is_unknown_model(command, rest, given)):
        raise _not_understood(command, words, rest, given, is_gpu)
    return given


def _with_whole_names(words: Sequence[str], is_gpu: IsGpu) -> list[str]:
    """The words, those that are exactly the name of a stored model that is not listed made one, as if quoted."""
    whole: list[str] = []
    at = 0
    while at < len(words):
        most = min(MOST_WORDS, len(words) - at)
        size = next((n for n in range(most, 1, -1) if _is_own_name(" ".join(words[at : at + n]), is_gpu)), 1)
        whole.append(" ".join(words[at : at + size]))
        at += size
    return whole


def _is_own_name(text: str, is_gpu: IsGpu) -> bool:
    names = is_gpu(text)
    return len(names) == 1 and all(name.lower() == text.lower() and not listed(name) for name in names)


def _may_be_measured(param: Param) -> bool:
    return param.positional or KINDS[param.kind].says_itself


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


def _without_named(command: Command, words: Sequence[str], given: dict[str, str], is_gpu: IsGpu) -> list[str]:
    """The words but those of ``name=value``; of a value also the unit, or the rest of the model, behind a blank."""
    params = {param.name: param for param in command.params}
    rest: list[str] = []
    at = 0
    while at < len(words):
        said, more = named_in(command, words[at]), 0
        if said is None:
            rest.append(words[at])
        else:
            name, value = said
            value, more = _whole_value(params.get(name), value, words[at + 1 : at + 1 + LONGEST_UNIT], is_gpu)
            _give(name, value, given)
        at += 1 + more
    return rest


def _whole_value(param: Param | None, value: str, after: Sequence[str], is_gpu: IsGpu) -> tuple[str, int]:
    """A value with the words behind it that belong to it, and how many those are: ``gpu=RTX 4090``, ``hold=2 h``."""
    for more in range(len(after), 0, -1) if param and value else ():
        text = " ".join([value, *after[:more]])
        kind = KINDS[param.kind] if param else None
        if kind and kind.names_models and is_gpu(text) and not is_gpu(value):
            return text, more
        if kind and kind.is_number and kind.is_measured(text) and not kind.is_measured(value):
            return text, more
    return value, 0


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
    return any(KINDS[param.kind].names_models for param in free) and bool(is_gpu(text))


def _leads(param: Param, free: Sequence[Param], rest: Sequence[str], is_gpu: IsGpu) -> int:
    """How many words before a model belong to another parameter."""
    if not KINDS[param.kind].names_models or len(rest) < 2:
        return 0
    if any(rest[0].lower() in other.leads for other in free):
        return 1
    counted = any(KINDS[other.kind].is_number for other in free)
    return int(counted and _NUMBER.fullmatch(rest[0]) is not None and not is_gpu(rest[0]) and bool(is_gpu(rest[1])))


def _without_measured(free: Sequence[Param], words: Sequence[str], given: dict[str, str], is_gpu: IsGpu) -> list[str]:
    """The words but those that say by themselves where they go: choices, and numbers with a unit."""
    rest = []
    for at, word in enumerate(words):
        taker = next((param for param in free if param.name not in given and _goes_to(param, word)), None)
        if taker is None or (KINDS[taker.kind].units is not None and _in_a_model(taker, free, words, at, is_gpu)):
            rest.append(word)
        else:
            given[taker.name] = word
    return rest


def _goes_to(param: Param, word: str) -> bool:
    kind = KINDS[param.kind]
    if kind.is_choice:
        short = {choice.lower().removesuffix("d") for choice in param.choices} if kind.units else set()
        return word.lower() in {choice.lower() for choice in param.choices} | short or kind.is_measured(word)
    return kind.is_measured(word)


def _in_a_model(taker: Param, free: Sequence[Param], words: Sequence[str], at: int, is_gpu: IsGpu) -> bool:
    """Whether a word is a model's name, or the end of one: ``4090D``, ``a100 80GB``.

    Raises AskError where it may as well be the parameter's: the memory that the only model of that name has.
    """
    for start in range(max(0, at - LONGEST_UNIT), at + 1):
        named = words[start : at + 1]
        if _is_model(free, " ".join(named), is_gpu):
            if _names(named, is_gpu):
                return True
            either = {"given": words[at], "model": " ".join(named[:-1]), "name": taker.name}
            note = "“{given}” may be the memory of {model} or {name}: write {name}={given}, or leave it out"
            raise AskError(Note(note, either))
    return False


def _names(words: Sequence[str], is_gpu: IsGpu) -> bool:
    """Whether these words name models, and a size at their end is part of the name: it tells two models apart.

    ``a100 80`` does, ``4090 24`` does not: the number says something else, and so it does in ``3060 8``.
    """
    named = set(is_gpu(" ".join(words)))
    if not named or len(words) == 1 or not _MEMORY.fullmatch(words[-1]):
        return bool(named)
    family = set(is_gpu(" ".join(words[:-1])))
    rebuilt = all(memory_in(name) is not None and name.rpartition(" ")[0] in family for name in named)
    return not family or named < family or rebuilt


def _take(
    param: Param, rest: Sequence[str], is_gpu: IsGpu, *, last: bool, beside_models: bool
) -> tuple[list[str], Sequence[str]]:
    """The texts of this parameter among the remaining words, and the words that are left.

    ``beside_models``: the command takes models too, so that a number that names one is none.
    """
    kind = KINDS[param.kind]
    if kind.names_models:
        return _take_models(kind, rest, is_gpu, all_left=last or param.required)
    if kind.is_number:
        taken = int(kind.resembles(rest[0]) and not (_NUMBER.fullmatch(rest[0]) and beside_models and is_gpu(rest[0])))
    elif kind.is_free_text:
        taken = len(rest) if last else _words_of_llm(rest, is_gpu) if kind.names_llm else 1
    else:
        taken = int(param.required)
    return [" ".join(rest[:taken])] if taken else [], rest[taken:]


def _take_models(kind: Kind, rest: Sequence[str], is_gpu: IsGpu, *, all_left: bool) -> tuple[list[str], Sequence[str]]:
    """The models that the next words name, each with as many words as still name one; several where the kind is so."""
    models: list[str] = []
    while rest and (kind.several or not models):
        signs = next((n for n, word in enumerate(rest) if not any(map(str.isalnum, word))), len(rest))
        words = next((n for n in range(signs, 0, -1) if _names(rest[:n], is_gpu)), 0)
        if not words:  # a sign alone is no part of a name
            break
        models.append(" ".join(rest[:words]))
        rest = rest[words:]
        if kind.several and len(rest) > 1 and rest[0].lower() in _AND and is_gpu(rest[1]):
            rest = rest[1:]
    if not models and all_left:
        apart = (n for n in range(1, len(rest)) if not _WORD.search(rest[n]) and rest[n - 1].lower() not in BRANDS)
        unknown = next(apart, len(rest))
        return [" ".join(rest[:unknown])], rest[unknown:]
    return models, rest


def _words_of_llm(rest: Sequence[str], is_gpu: IsGpu) -> int:
    """How many words name a language model: those up to a GPU or a bare number that no word of it follows."""
    if _SIZE.fullmatch(rest[0]):
        return 1
    gpus = (
        n for n in range(1, len(rest)) if any(is_gpu(" ".join(rest[n : n + k])) for k in range(1, LONGEST_UNIT + 1))
    )
    end = next(gpus, len(rest))
    sized = next((n for n, word in enumerate(rest) if _SIZE_AT_END.search(word)), len(rest))
    more = (n for n in range(sized + 1, end) if _DIGIT.search(rest[n]) and not _SIZE_AT_END.search(rest[n]))
    end = next(more, end)
    while end > 1 and _NUMBER.fullmatch(rest[end - 1]):
        end -= 1
    return end


def _is_unknown_model(command: Command, rest: Sequence[str], given: dict[str, str]) -> bool:
    """Whether what is left looks like a model's name; then it is given as one, for its reader to say what is near."""
    looks = all(any(map(str.isdigit, word)) and any(map(str.isalpha, word)) for word in rest)
    for param in command.params if looks else ():
        if KINDS[param.kind].names_models and (param.name not in given or KINDS[param.kind].several):
            given[param.name] = ",".join(filter(None, (given.get(param.name), " ".join(rest))))
            return True
    return False


def _refuse_apart(free: Sequence[Param], rest: Sequence[str], is_gpu: IsGpu) -> None:
    """``1 500`` may be one number or two: raise AskError where both could be meant."""
    if not any(KINDS[param.kind].is_number for param in free):
        return
    for first, second in itertools.pairwise(rest):
        if _HEAD.fullmatch(first) and _GROUP.fullmatch(second) and not is_gpu(first) and not is_gpu(second):
            given = {"given": f"{first} {second}", "number": first + second}
            raise AskError(Note("“{given}” may be one number or two: write {number}, or say name=value", given))


def _not_understood(
    command: Command, words: Sequence[str], rest: Sequence[str], given: Mapping[str, str], is_gpu: IsGpu
) -> AskError:
    """What to say of words that are left: the nearest thing that could be meant, else how the command is used."""
    free = (param for param in command.params if param.positional and param.name not in given)
    number = next((param.name for param in free if KINDS[param.kind].is_number), None)
    if number and len(rest) == 1 and _NUMBER.fullmatch(rest[0]) and is_gpu(rest[0]):
        either = {"given": rest[0], "name": number}
        return AskError(Note("“{given}” may be another GPU or a number: for the number, write {name}={given}", either))
    known = [choice for param in command.params for choice in param.choices]
    known += [f"{param.name}=" for param in command.params]
    near = {
        word: found[0]
        for word in rest
        if (found := process.extractOne(word.lower()[:40], known, scorer=fuzz.ratio, score_cutoff=NEAR_ENOUGH))
    }
    left = {"command": command.name, "given": shorten(" ".join(rest))}
    meant = [near.get(word, word) for word in words]
    whole = near and not any(text.endswith("=") for text in near.values()) and not any(map(_READ_TWICE.search, words))
    line = " ".join([command.name, *(shlex.quote(word) if " " in word else word for word in meant)])
    return AskError(
        Note("{command}: “{given}” was not understood", left),
        suggestions=tuple(dict.fromkeys(near.values())) or command.examples,
        instead=dict.fromkeys(list(near.values())[:1], line) if whole else None,
    )
