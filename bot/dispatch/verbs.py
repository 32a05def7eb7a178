"""Which command a line calls: by its name, or by another that people have for it, in English or Portuguese."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence

from rapidfuzz import fuzz, process

from analytics.errors import AskError
from analytics.evidence import Note, Plural
from analytics.typed_text import plain_text
from analytics.units import foreign_currency
from bot.dispatch.command import Command
from bot.dispatch.kinds import KINDS, shorten
from bot.dispatch.plain_questions import CLAUSE, JOINS, PROSE, asked_plainly, is_safe, plain_number

MAX_LINE = 1000
NEAR_ENOUGH = 70
"""Least similarity (0-100) of a verb worth suggesting."""
NEAR_IN_A_SENTENCE = 80
"""The same where the line has more words than ``SHORT``: it is then likelier to be a sentence."""
SHORT = 3
NEAR_MEMBER = 75
"""Least similarity (0-100) of a group's member worth suggesting."""
HELP = "help"
HELP_WORDS = frozenset((HELP, "--help", "-h", "?", "ajuda"))
CALLS = frozenset(("/spot", "spot", "spotbot", "@spotbot"))
"""Words before a question that only say whom it is for."""
SHOWS = ("list", "show")
"""Members of a group that its name alone calls."""
OTHER_NAMES = {
    other: own
    for own, others in {
        "monitor": "monitorar preco precos price prices",
        "llm": "modelo modelos model models",
        "fleet": "frota",
        "predict": "prever previsao forecast prediction",
        "accuracy": "acuracia acerto acertos",
        "availability": "disponibilidade disponivel",
        "cost": "custo custos",
        "savings": "economia poupanca",
        "reliability": "confiabilidade risco risk",
        "interruptions": "interrupcoes interrupcao",
        "windows": "janelas janela window",
        "history": "historico",
        "status": "estado",
        "home": "inicio",
        "alert": "alerta alertas alerts",
        "webhook": "webhooks",
        "digest": "resumo",
        "now": "agora",
        "settings": "configuracoes configuracao ajustes preferencias preferences",
        "add": "criar adicionar create new novo",
        "list": "listar lista",
        "show": "mostrar ver",
        "edit": "editar mudar change",
        "snooze": "adiar silenciar mute",
        "delete": "apagar excluir remover remove",
        "test": "testar teste",
        "me": "eu",
        "team": "equipe time",
        "forget": "esquecer",
    }.items()
    for other in others.split()
}
"""What else people call the words of commands, without accents."""

IsGpu = Callable[[str], Collection[str]]
"""Which models words name; none if they name no GPU."""

_COMPARISON = re.compile(r"([<>≤≥]=?)(?=(?:(?:us|r)?\$|€|£)?[.,]?\d)", re.IGNORECASE)
_NUMBER_IN_WORD = re.compile(
    r"(?P<before>(?:[\w-]+=)?[^\w\s.,]*(?:us\$|usd|r\$)?[-+]?)(?P<digits>[.,]?[0-9](?:[0-9.,]*[0-9])?)(?P<after>(?![0-9]).*)",
    re.IGNORECASE | re.DOTALL,
)
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
    found = _TOKEN.findall(plain_text(line))
    apart = [part for token in found for part in _comparisons_apart(token)]
    return [re.sub(r"""(^|=)(["'])(.*)\2$""", r"\1\3", token) for token in apart]


def _comparisons_apart(token: str) -> list[str]:
    """``4090<0.35`` as three words; what is quoted or named stays whole."""
    if '"' in token or "'" in token or re.match(r"\w+=", token):
        return [token]
    return [part for part in _COMPARISON.split(token) if part]


def without_accents(text: str) -> str:
    """``Previsão`` as ``previsao``."""
    apart = unicodedata.normalize("NFD", text.lower())
    return "".join(char for char in apart if unicodedata.category(char) != "Mn")


def find_command(
    words: Sequence[str], commands: Sequence[Command], is_gpu: IsGpu = lambda text: ()
) -> tuple[Command, Sequence[str]]:
    """The command that a line's first one or two words name, and the words left.

    A group alone ("settings") means what lists or shows it; followed by none of its verbs nor what looks like one, its
    default. Raises AskError with the nearest verbs when there is none.
    """
    by_name = {command.name: command for command in commands}
    own = {word for name in by_name for word in name.split()}
    plain = [without_accents(word) for word in words[:2]]
    lower = [word if word in own else OTHER_NAMES.get(word, word) for word in plain]
    verb = lower[0].lstrip("/")
    for length in (2, 1):
        name = " ".join([verb, *lower[1:length]])
        if len(words) >= length and name in by_name:
            return by_name[name], words[length:]
    group = [name for name in by_name if name.split()[0] == verb]
    shown = next((name for member in SHOWS for name in group if name.split()[-1] == member), None)
    if shown and len(words) == 1:
        return by_name[shown], ()
    near = _near_members(plain[1], group) if len(plain) > 1 and not is_gpu(words[1]) else ()
    if any(map(is_gpu, words[2:])):
        near = [name for name in near if any(KINDS[param.kind].names_models for param in by_name[name].params)]
    default = next((name for name in group if by_name[name].group_default), None)
    if default and not near:
        return by_name[default], words[1:]
    if group:
        note = Note("there is no command “{given}”", {"given": shorten(" ".join(words[:2]))})
        lines = _lines(near, words[2:], is_gpu)
        raise AskError(note, suggestions=lines or near or group, instead=_buttons(lines))
    raise UnknownVerb(words, _near(plain[0].lstrip("/"), by_name, len(words)), by_name, is_gpu)


class UnknownVerb(AskError):
    """No command is called so. ``near``: the verbs that look like it; where there are none, all are suggested."""

    def __init__(
        self, words: Sequence[str], near: Sequence[str], names: Collection[str], is_gpu: IsGpu = lambda text: ()
    ) -> None:
        known = dict.fromkeys(name.split()[0] for name in names)
        note = Note("there is no command “{given}”", {"given": shorten(words[0])})
        super().__init__(note, suggestions=near or list(known), instead=_buttons(_lines(near, words[1:], is_gpu)))
        self.near = near


def _near(verb: str, names: Collection[str], length: int) -> Sequence[str]:
    """Verbs that look like the first word of a line so long, or have another name that does."""
    verbs = dict.fromkeys(name.split()[0] for name in names)
    return _alike(verb, verbs, NEAR_ENOUGH if length <= SHORT else NEAR_IN_A_SENTENCE)


def _near_members(word: str, group: Collection[str]) -> Sequence[str]:
    """Commands of a group whose own word looks like this one, or has another name that does."""
    members = {name.split()[-1]: name for name in group if " " in name}
    return [members[member] for member in _alike(word, members, NEAR_MEMBER)]


def _alike(word: str, own: Collection[str], enough: int) -> Sequence[str]:
    by_look = {name: name for name in own} | {other: name for other, name in OTHER_NAMES.items() if name in own}
    alike = process.extract(word[:40], list(by_look), scorer=fuzz.ratio, limit=8, score_cutoff=enough)
    return list(dict.fromkeys(by_look[name] for name, *_ in alike))[:3]


def _buttons(lines: Sequence[str]) -> dict[str, str]:
    return {line: line for line in lines if is_safe(line)}


def _lines(names: Sequence[str], rest: Sequence[str], is_gpu: IsGpu) -> Sequence[str]:
    """These commands with the rest of a line; none where one of its numbers may be two.

    Whoever presses a button may have another language than who typed the line.
    """
    written = [_plainly(word, is_gpu) for word in rest]
    if None in written or foreign_currency(" ".join(rest)):
        return ()
    return [" ".join([name, *map(_quoted, filter(None, written))]) for name in names]


def _plainly(word: str, is_gpu: IsGpu) -> str | None:
    """A word with numbers that every language reads alike; None where there is no such way to write it."""
    if is_gpu(word):
        return word  # "4090,3090" are two models
    found = _NUMBER_IN_WORD.fullmatch(word)
    number = plain_number(found["digits"]) if found else None
    if found is None or number is None:
        return None if found else word
    return f"{found['before']}{number}{found['after']}"


def _quoted(word: str) -> str:
    """A word as ``tokens`` reads it whole."""
    if word and not re.search(r"\s", word):
        return word
    name, value = re.fullmatch(r"(?s)([\w-]+=)?(.*)", word).groups(default="")  # type: ignore[union-attr]
    sign = "'" if '"' in value else '"'
    return f"{name}{sign}{value.replace(sign, '')}{sign}"


def without_call(words: Sequence[str]) -> Sequence[str]:
    """The words but those at the beginning that only say whom they are for."""
    while words and (words[0].lower() in CALLS or re.fullmatch(r"<@[!&]?\w+>", words[0])):
        words = words[1:]
    return words


def called(line: str, commands: Sequence[Command], is_gpu: IsGpu) -> tuple[Command, Sequence[str]]:
    """The command that a line calls and the words left for its parameters.

    Nothing, and ``help`` behind a verb, call the command ``help`` where there is one. A line that calls none but asks
    something in plain words is answered by what to type instead; ``is_gpu`` may know listed models only.
    """
    words = without_call(tokens(line))
    helper = next((command for command in commands if command.name == HELP), None)
    words = _help_first(words, commands) if helper else words
    if not words:
        raise AskError(Note("say what you want to know"), suggestions=tuple(command.name for command in commands))
    plain = [without_accents(word) for word in words]
    try:
        command, rest = find_command(words, commands, is_gpu)
    except UnknownVerb as unknown:
        instead = asked_plainly(plain, commands, is_gpu)
        called_so = {line: line for line in unknown.instead if _calls(line, commands, is_gpu)}
        unread = bool(unknown.instead) and not called_so
        unknown.instead = called_so
        if instead and (not unknown.near or unread or not PROSE.isdisjoint(plain[1:])):
            raise _question(instead) from None
        raise
    if command is not helper and _is_prose(command, rest):
        instead = asked_plainly(plain, commands, is_gpu)
        if instead:
            raise _question(instead)
    return command, rest


def _is_prose(command: Command, rest: Sequence[str]) -> bool:
    """Whether a sentence follows the verb: begins there, or where only models are named, has a word there."""
    plain = [without_accents(word) for word in rest]
    first = next((KINDS[param.kind] for param in command.params), None)
    takes_words = command.acts or any(param.kind == "text" and param.required for param in command.params)
    only_models = not takes_words and first is not None and first.names_models
    within = PROSE - JOINS if only_models else CLAUSE
    return not (PROSE.isdisjoint(plain[:1]) and within.isdisjoint(plain) and CLAUSE.isdisjoint(plain))


def _calls(line: str, commands: Sequence[Command], is_gpu: IsGpu) -> bool:
    """Whether it begins with a command."""
    try:
        return bool(find_command(tokens(line), commands, is_gpu))
    except AskError:
        return False


def instead_of(words: Sequence[str], commands: Sequence[Command], is_gpu: IsGpu) -> Mapping[str, str]:
    """Lines for buttons in place of a verb with words that it does not take; the words have the verb among them."""
    lines = asked_plainly([without_accents(word) for word in words], commands, is_gpu)
    return {label: line for label, line in _buttons(lines).items() if line.split()[0] != HELP}


def _question(lines: Sequence[str]) -> AskError:
    note = Note("that is a question, not a command; this is how to ask it")
    return AskError(note, suggestions=lines, instead=_buttons(lines))


def _help_first(words: Sequence[str], commands: Sequence[Command]) -> Sequence[str]:
    """The words of a line that asks for help as the command ``help`` takes them; all others as they are."""
    if not words:
        return [HELP]
    leads, ends = words[0].lower() in HELP_WORDS, words[-1].lower() in HELP_WORDS
    named = words[1:] if leads else words[:-1]
    if (leads or ends) and any(command.name.split() == list(map(without_accents, named)) for command in commands):
        return [HELP, *named]  # "me" is prose, and a member of "settings"
    if words[0].lower() in HELP_WORDS:
        about = [word for word in words[1:] if without_accents(word) not in PROSE and word != "?"]
        is_question = len(about) < len(words) - 1 and about and not _is_group(about[0], commands)
        return words[1:] if is_question else [HELP, *about]
    if len(words) == 1 or words[-1].lower() not in HELP_WORDS:
        return words
    if words[-1] == "?" and not _is_command(words[:-1], commands):
        return words[:-1]  # a question mark behind a blank
    return [HELP, *words[:-1]] if PROSE.isdisjoint(map(without_accents, words[:-1])) else [HELP]


def _is_group(word: str, commands: Sequence[Command]) -> bool:
    """Whether it is a verb, or another name of one."""
    plain = without_accents(word)
    return OTHER_NAMES.get(plain, plain) in {command.name.split()[0] for command in commands}


def _is_command(words: Sequence[str], commands: Sequence[Command]) -> bool:
    """Whether these words name a command, or a group, and nothing else."""
    try:
        return not find_command(words, commands)[1]
    except AskError:
        return False
