"""Counted nouns: every template whose noun follows a number has both its forms, in both languages, and they agree."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po

from analytics.evidence import Note, Plural
from bot.presentation.words import Words

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(file for folder in ("analytics", "bot") for file in (ROOT / folder).rglob("*.py"))
LOCALES = ROOT / "bot/presentation/locales"

SINGULAR = {"en": (1,), "pt-BR": (0, 1)}
"""Which of the numbers asked for take the singular (CLDR)."""

AGREEING = {
    "en": """dashboard/dashboards digest/digests
        GPU/GPUs GPU-hour/GPU-hours case/cases character/characters day/days hour/hours interruption/interruptions
        line/lines machine/machines minute/minutes model/models offer/offers row/rows sequence/sequences
        tenant-hour/tenant-hours time/times token/tokens wait/waits week/weeks costs/cost is/are little/few""",
    "pt-BR": """painel/painéis resumo/resumos
        GPU/GPUs acompanhado/acompanhados caractere/caracteres caso/casos dia/dias gasta/gastas hora/horas
        interrupção/interrupções linha/linhas livre/livres milhão/milhões minuto/minutos modelo/modelos
        mostrado/mostrados         máquina/máquinas oferta/ofertas sequência/sequências
        semana/semanas token/tokens vez/vezes último/últimos
        custa/custam deu/deram espera/esperas
        na/nas da/das última/últimas no/nos é/são pouca/poucas pouco/poucos pouco/poucas
        supõe/supõem""",
}
"""Words that differ between the forms: singular/plural."""

LABELS = frozenset(
    (
        *("advice", "cloud", "command", "date", "fleet", "gpu", "gpus", "kind", "leader", "model", "models", "name"),
        *("text", "percent", "share", "high"),
    )
)
"""Places that hold a name, a sentence or a percentage, so that a word after them counts nothing."""

COUNTED = re.compile(r"\{(\w+)\}(?: [^\W\d_]+)?? ([^\W\d_][\w-]*s)\b")
"""A place and a word in the plural after it, or after one word more."""

UNCOUNTED = frozenset(("após", "atrás", "depois", "has", "is", "its", "less", "mais", "menos", "mês", "this", "was"))
"""Words that end like plurals."""


def _counted(text: str) -> set[str]:
    """The places that a noun in the plural follows."""
    return {place for place, word in COUNTED.findall(text) if place not in LABELS and word not in UNCOUNTED}


def _is_plural(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Plural"


def _plurals() -> list[Plural]:
    """Every Plural that the sources make; one whose texts are not literals fails here."""
    trees = (ast.parse(file.read_text(encoding="utf-8")) for file in SOURCES)
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_plural(node)]
    return [Plural(*(ast.literal_eval(argument) for argument in call.args)) for call in calls]


@functools.cache
def _messages() -> list[Message]:
    messages = []
    for path in sorted(LOCALES.rglob("*.po")):
        with path.open("rb") as file:
            messages += [message for message in read_po(file, locale="pt_BR") if message.id]
    return messages


PLURALS = _plurals()


def _places(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def _values(plural: Plural, n: int) -> dict[str, int | str]:
    return dict.fromkeys(_places(plural.one), "…") | {plural.count: n}


def _forms(plural: Plural, language: str) -> tuple[str, str]:
    """The singular and the plural form as templates."""
    if language == "en":
        return plural.one, plural.other
    (message,) = (m for m in _messages() if isinstance(m.id, tuple) and m.id[0] == plural.one)
    return message.string[0], message.string[1]


def _words(text: str) -> list[str]:
    return text.replace("-se ", " ").translate(dict.fromkeys(map(ord, ",:;()."))).split()


def test_the_sources_hold_many_counted_nouns() -> None:
    assert len(PLURALS) > 50


@pytest.mark.parametrize("language", ["en", "pt-BR"])
@pytest.mark.parametrize("plural", PLURALS, ids=lambda plural: plural.other)
def test_the_forms_differ_in_their_number_alone(plural: Plural, language: str) -> None:
    one, other = _forms(plural, language)
    pairs = {tuple(pair.split("/")) for pair in AGREEING[language].split()}
    assert _places(one) == _places(other) == _places(plural.other)
    changed = [pair for pair in zip(_words(one), _words(other), strict=True) if pair[0] != pair[1]]
    assert set(changed) <= pairs


@pytest.mark.parametrize("language", ["en", "pt-BR"])
@pytest.mark.parametrize("plural", PLURALS, ids=lambda plural: plural.other)
def test_no_noun_of_a_singular_is_in_the_plural(plural: Plural, language: str) -> None:
    """Only English has words that stay as they are: "free", "d", and the tokens of "1 million tokens"."""
    one, other = _forms(plural, language)
    assert not _counted(one.replace(" million tokens", ""))
    assert one != other or language == "en"


@pytest.mark.parametrize("n", [0, 1, 2, 5])
@pytest.mark.parametrize("language", ["en", "pt-BR"])
@pytest.mark.parametrize("plural", PLURALS, ids=lambda plural: plural.other)
def test_a_noun_agrees_with_its_number(plural: Plural, language: str, n: int) -> None:
    values = _values(plural, n)
    wanted = _forms(plural, language)[0 if n in SINGULAR[language] else 1].format(**values)
    assert Words(language, 0)(plural, **values) == wanted
    assert Words(language, 0)(Note("{note}", {"note": Note(plural, values)})) == wanted
    if language == "en":
        assert str(Note(plural, values)) == wanted


def test_the_translations_have_the_plurals_of_the_sources_and_no_others() -> None:
    theirs = {message.id for message in _messages() if isinstance(message.id, tuple)}
    assert theirs == {(plural.one, plural.other) for plural in PLURALS}
    plain = {message.id for message in _messages() if isinstance(message.id, str)}
    assert not plain & {text for pair in theirs for text in pair}


def test_every_counted_noun_has_its_plural() -> None:
    """Neither a text of the sources nor a translation has a number before a noun that is always in the plural."""
    lacking = []
    for file in SOURCES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        inside = {id(argument) for node in ast.walk(tree) if _is_plural(node) for argument in ast.walk(node)}
        strings = (n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))
        lacking += [(file.name, n.value) for n in strings if id(n) not in inside and _counted(n.value)]
    lacking += [("pt_BR", m.string) for m in _messages() if isinstance(m.string, str) and _counted(m.string)]
    assert lacking == []
