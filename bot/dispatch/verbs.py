"""Which command a line calls: by its name, or by another that people have for it, in English or Portuguese."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Callable, Collection, Sequence

from rapidfuzz import fuzz, process

from analytics.errors import AskError
from analytics.evidence import Note, Plural
from analytics.typed_text import plain_text
from bot.dispatch.command import Command
from bot.dispatch.kinds import shorten
from bot.dispatch.plain_questions import asked_plainly

MAX_LINE = 1000
NEAR_ENOUGH = 65
"""Least similarity (0-100) of a verb worth suggesting."""
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
        "availability": "disponibilidade disponivel",
        "cost": "custo custos",
        "savings": "economia poupanca",
        "reliability": "confiabilidade risco risk",
        "interruptions": "interrupcoes interrupcao",
        "windows": "janelas janela window",
        "history": "historico",
        "status": "estado",
        "alert": "alerta alertas alerts",
        "webhook": "webhooks",
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


def find_command(words: Sequence[str], commands: Sequence[Command]) -> tuple[Command, Sequence[str]]:
    """The command that a line's first one or two words name, and the words left.

    A group alone ("settings") means what lists or shows it; followed by none of its verbs, its default. Raises
    AskError with the nearest verbs when there is none.
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
    default = next((name for name in group if by_name[name].group_default), None)
    if default:
        return by_name[default], words[1:]
    if group:
        given = {"given": shorten(" ".join(words[:2]))}
        raise AskError(Note("there is no command “{given}”", given), suggestions=group)
    raise UnknownVerb(words, _near(verb, by_name), by_name)


class UnknownVerb(AskError):
    """No command is called so. ``near``: the verbs that look like it; where there are none, all are suggested."""

    def __init__(self, words: Sequence[str], near: Sequence[str], names: Collection[str]) -> None:
        known = dict.fromkeys(name.split()[0] for name in names)
        note = Note("there is no command “{given}”", {"given": shorten(words[0])})
        lines = [shlex.join([verb, *words[1:]]) for verb in near]
        super().__init__(note, suggestions=near or list(known), instead={line: line for line in lines})
        self.near = near


def _near(verb: str, names: Collection[str]) -> Sequence[str]:
    """Verbs that look like it, or have another name that does."""
    verbs = dict.fromkeys(name.split()[0] for name in names)
    by_look = {name: name for name in verbs} | {other: own for other, own in OTHER_NAMES.items() if own in verbs}
    alike = process.extract(verb[:40], list(by_look), scorer=fuzz.ratio, limit=8, score_cutoff=NEAR_ENOUGH)
    return list(dict.fromkeys(by_look[name] for name, *_ in alike))[:3]


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
    if helper and (not words or (len(words) > 1 and words[-1].lower() in HELP_WORDS)):
        words = [HELP, *words[:-1]]
    elif helper and words[0].lower() in HELP_WORDS:
        words = [HELP, *words[1:]]
    if not words:
        raise AskError(Note("say what you want to know"), suggestions=tuple(command.name for command in commands))
    try:
        return find_command(words, commands)
    except UnknownVerb as unknown:
        instead = asked_plainly([without_accents(word) for word in words], commands, is_gpu)
        if instead and not unknown.near:
            note = Note("that is a question, not a command; this is how to ask it")
            raise AskError(note, suggestions=instead, instead={line: line for line in instead}) from None
        raise
