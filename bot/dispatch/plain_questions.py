"""What to type instead of a question in plain words: ``how much is a 4090`` is ``monitor RTX 4090`` here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from bot.dispatch.command import Command
from bot.dispatch.kinds import KINDS

MOST = 3
"""Lines that are offered."""

LONGEST_MODEL = 4
"""Words that a model's name may have: "RTX PRO 6000 WS"."""

_SIGNS: Mapping[str, str] = {
    "alert": r"tell me|let me know|notify|wake|ping me|alert|avis[ae]|alerta|me acorde|notifi\w+",
    "predict": r"will|tonight|tomorrow|forecast|going to|next (?:hour|day|week)|predict\w*"
    r"|amanha|hoje a noite|vai|previs\w+|prever",
    "windows": r"when|safe|safest|best time|quando|segur[oa]s?|melhor hora\w*|janelas?",
    "reliability": r"interrupt\w*|reliab\w+|risk\w*|evict\w*|preempt\w*|interromp\w+|interrup\w+|confia\w+|risco",
    "savings": r"sav(?:e|es|ing|ings)|aws|gcp|azure|versus|vs|compared?|econom\w+|poup\w+|comparad[oa]",
    "cost": r"train\w*|fine.?tun\w*|finetun\w*|trein\w+|ajust\w+",
    "llm": r"fits?|run|serve|inference|llama\S*|qwen\S*|mistral\S*|\d+b|model|roda\w*|cab\w+|modelo|inferencia",
    "fleet": r"budget|a month|per month|monthly|orcamento|por mes|mensal|frota",
    "availability": r"available|stock|region|where|disponiv\w+|onde|regiao|estoque",
    "history": r"history|trend|last (?:week|month)|past|historico|tendencia|semana passada|mes passado",
    "monitor": r"how much|price\w*|cost\w*|cheap\w*|rent|quanto|preco\w*|cust\w+|barat\w+|alug\w+",
}
"""What a question about each verb has in it, without accents; a verb earlier here is offered earlier."""


_BELOW = r"below|under|less|drops?|falls?|abaixo|menos|cair?|caia"
_ABOVE = r"above|over|more|rises?|acima|mais|sob[ea]|subir"
_PRICE = re.compile(r"\$ ?[0-9][0-9.,]*")
_SIZE = re.compile(r"\d+(?:x\d+)?b|(?:llama|qwen|mistral|mixtral|gemma|phi|deepseek)[\w.-]*\d[\w.-]*")


def asked_plainly(
    words: Sequence[str], commands: Sequence[Command], is_gpu: Callable[[str], object]
) -> tuple[str, ...]:
    """Lines that ask what these words, in lower case, seem to; empty where they seem to ask nothing we know."""
    verbs = {command.name.split()[0]: command for command in reversed(commands)}
    said = " ".join(words)
    model = _model_in(words, is_gpu)
    meant = [verb for verb, signs in _SIGNS.items() if verb in verbs and _holds(said, signs)]
    if len(words) < 2 or (not meant and model is None):
        return ()
    return tuple(_line(verb, verbs[verb], said, model) for verb in (meant or ["monitor"])[:MOST] if verb in verbs)


def _holds(said: str, signs: str) -> bool:
    return re.search(rf"(?<!\w)(?:{signs})(?!\w)", said) is not None


def _model_in(words: Sequence[str], is_gpu: Callable[[str], object]) -> str | None:
    """The first words that name a model, the most of them that do."""
    for start in range(len(words)):
        for end in range(min(len(words), start + LONGEST_MODEL), start, -1):
            named = " ".join(words[start:end]).strip("?!.,;:")
            if any(map(str.isdigit, named)) and is_gpu(named):
                return named
    return None


def _line(verb: str, command: Command, said: str, model: str | None) -> str:
    """The command with what was said of it, as far as that can be told; else its first example."""
    price, size = _PRICE.search(said), _SIZE.search(said)
    if verb == "alert" and model and price and (_holds(said, _BELOW) or _holds(said, _ABOVE)):
        return f"{verb} {model} {'<' if _holds(said, _BELOW) else '>'} {price[0].strip('.,')}"
    if verb == "fleet" and price:
        return f"{verb} {price[0].strip('.,')}"
    if verb in ("llm", "cost") and size:
        return f"{verb} {size[0]}"
    takes = any(KINDS[param.kind].names_models for param in command.params[:1])
    return f"{verb} {model}" if takes and model and verb != "alert" else command.examples[0]
