"""What to type instead of a question in plain words: ``how much is a 4090`` is ``monitor 4090`` here.

Only what was said is put into a line. Where something is missing, or is not told without doubt, the command's help is
offered and no example: its figures would look like the asker's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from analytics.quantities import ENGLISH, PLAIN, PORTUGUESE, NumberFormat, read_decimal, rewritten, write_decimal
from analytics.units import foreign_currency
from bot.dispatch.command import Command

MOST = 3
"""Lines that are offered."""

LONGEST_MODEL = 4
"""Words that a model's name may have: "RTX PRO 6000 WS"."""

_WORDS = {
    "english": "the of for is are was my i it does if when what which how you to at please and with an be there will"
    " have has than from that",
    "portuguese": "de da das dos os um uma na em para por se quando qual quais quanto quantas quantos que meu minha"
    " meus minhas ou com esta estiver tenho ficar",
    "both": "a o e me do no in on can tell",
    "english in commands": "under below over above dollar dollars month monthly week train",
    "portuguese in commands": "abaixo acima dolar dolares mes mensal semana treinar criar alerta",
}
"""Words of sentences without accents, and words of one language that stand in commands too."""

_ENGLISH, _PORTUGUESE, _BOTH, *_IN_COMMANDS = (frozenset(words.split()) for words in _WORDS.values())
PROSE = _ENGLISH | _PORTUGUESE | _BOTH
"""Words that stand in sentences and hardly in commands."""

JOINS = frozenset(("e", "and", "a", "an", "de", "por", "at"))
"""Those that join models, or a quantity and its unit, in commands too: "4090 and h100", "100 horas de GPU"."""

CLAUSE = frozenset(("if", "when", "quando"))
"""Words that stand in no command."""

_OF_ENGLISH, _OF_PORTUGUESE = _ENGLISH | _IN_COMMANDS[0], _PORTUGUESE | _IN_COMMANDS[1]
"""Words of one of the languages only, which tell how the numbers beside them are written."""

_SIGNS: Mapping[str, str] = {
    "alert": r"tell me|let me know|notif\w+|wake|ping me|alerts?|avis(?:a|e|ar|o|ad[oa])|alertas?|alertar|me acorde",
    "settings": r"idioma|language|lingua|time ?zone|fuso(?: horario)?|settings|forget"
    r"|esquec\w+|configurac\w+|preferenc\w+",
    "webhook": r"webhooks?",
    "accuracy": r"accura\w+|acuracia|acert\w+|track record"
    r"|how (?:good|well|right|wrong) .*(?:forecast|predict)\w*"
    r"|(?:quao|como) .*(?:boas|bons|certas|precisas) .*previs\w+",
    "predict": r"will|tonight|tomorrow|forecast|going (?:to|up|down)|next (?:hour|day|week)|predict\w*"
    r"|amanha|hoje a noite|vai|previs\w+|prever",
    "windows": r"when|safe|safest|best time|quando|segur[oa]s?|melhor hora\w*|janelas?|windows?",
    "interruptions": r"interruptions?|interrupcoes|interrupcao",
    "reliability": r"interrupt(?:s|ed)?|reliab\w+|risk\w*|evict\w*|preempt\w*|interromp\w+|confia\w+|risco",
    "savings": r"sav(?:e|es|ing|ings)|aws|gcp|azure|versus|vs|compared?|econom\w+|poup\w+|comparad[oa]",
    "cost": r"train\w*|fine.?tun\w*|finetun\w*|trein\w+|ajust\w+",
    "llm": r"fits?|runs?|running|serve|inference|llama\S*|qwen\S*|mistral\S*|[\d.,]+b|model|roda\w*|cab\w+|modelo"
    r"|inferencia",
    "fleet": r"budget|(?:a|per) month|monthly|orcamento|(?:por|ao) mes|mensal|frota|fleet|spend|gast(?:o|ar)",
    "availability": r"availab\w+|free|stock|region|where|(?:are|is) there|tem|disponiv\w+|livres?|onde|regiao|estoque",
    "history": r"history|trend|last (?:week|month)|past|historico|tendencia|semana passada|mes passado",
    "monitor": r"how much|price\w*|cost\w*|cheap\w*|rent|quanto|preco\w*|cust\w+|barat\w+|alug\w+"
    r"|(?:list|show|which|quais|listar|mostrar) (?:as )?gpus",
    "help": r"help|ajuda|hi|hello|hey|ola|oi|bom dia|what can (?:you|i) (?:do|ask)|o que (?:voce|vc) (?:faz|sabe)"
    r"|how does (?:this|it) work|como (?:isso )?funciona",
}
"""What a question about each verb has in it, without accents; a verb earlier here is offered earlier."""

_DELETES = r"delete|remove|cancel|apag\w+|exclu\w+|remov\w+|cancel\w+"
_CHANGES = r"edit\w*|change|update|mud\w+|alter\w+|snooze|mute|silenc\w+|adiar"
_LISTS = r"list\w*|show|see|view|my|mostr\w+|ver|meus?|minhas?|quais"
"""What may be wanted of alerts that there are, by the words that say so."""

_ALERTS = r"alerts?|alerting|alertas?"
_STOP = r"stop|pare|parar"
_TELLS = rf"{_ALERTS}|alertar|notif\w+|avis\w+|messag\w+|mensage\w+"
_COMPARED = r"versus|vs|compar\w+"
_SIDES: Mapping[str, str] = {
    "<": r"[<≤]=?|(?<!\w)(?:below|under|less|lower|cheaper|drops?|falls?|dips?|abaixo|menos|menor|cair?|caia|baixar)"
    r"(?!\w)",
    ">": r"[>≥]=?|(?<!\w)(?:above|over|more|higher|rises?|exceeds?|climbs?|acima|mais|maior|sob[ea]|subir"
    r"|pass(?:ar|e|a)|ultrapass\w+)(?!\w)",
}
_SIGN_AS_TYPED = {"<=": "<=", ">=": ">=", "≤": "<=", "≥": ">="}
_OTHER_MEASURE = (
    r"availab\w*|free|disponiv\w+|livres?|risk|risco|predict\w*|forecast|previs\w+|on.?demand|floor|offers?|vram"
)
"""What else an alert can watch: a bare number is then no price."""

_MORE_TOLD = (
    r"not|don't|dont|doesn't|never|longer|stops?|nao|nunca|deix\w+"
    r"|(?:in|na|no|em) (?!the |price|usd|dollar|dolar|preco)[a-z]\w+|in the (?:eu|us|uk)"
)
"""What an alert of a model, a side and a price would leave out: a negation, a place."""

_DIGITS = r"[0-9](?:[0-9.,]*[0-9])?"
_NUMBER = re.compile(
    rf"(?<![\w.,$-])(?P<before>us\$ ?|usd ?|\$ ?)?(?P<digits>{_DIGITS})"
    r"(?P<after> ?(?:\$|usd\b|dollars?\b|dolar(?:es)?\b))?(?![\w:])(?![.,][0-9])(?! ?(?:mil|thousand|grand|million)\b)"
)
_MEASURED = re.compile(
    r" ?(?:%|¢|°|(?:percent|por cento|cents?|centavos?|[gtm]i?b|h|hrs?|hours?|horas?|d|days?|dias?|weeks?|semanas?"
    r"|months?|mes|meses|min\w*|gpus?|placas?|x|k|b|am|pm)(?!\w))"
)
"""What makes of a number something that is no amount of dollars."""

_DOLLAR_WORDS = frozenset(("$", "us$", "usd", "dollar", "dollars", "dolar", "dolares"))
_PER_HOUR = re.compile(r" ?(?:/|per |an? |por )(?:h|hr|hour|hora|gpu)")
_PER_MONTH = re.compile(r" ?(?:/|per |a |por |ao )(?:mo|month|mes)(?!\w)")
_BUDGET = re.compile(
    r"(?:budget|orcamento|fleet|frota|spend|gastar|have|tenho)(?: (?:of|is|de|e))?[:=]? ?(?:us\$|usd|\$)? ?$"
)
_LLM = re.compile(
    r"(?<![\w.,/-])(?:(?P<name>(?:[\w.-]+/)?(?:code)?(?:llama|qwen|mistral|mixtral|gemma|phi|deepseek)[\w.:-]*\d[\w.:-]*)"
    rf"|(?P<experts>(?:\d+x)?)(?P<digits>{_DIGITS}) ?(?:b|billion|bilhoes)(?!\w))"
)
_DATA = re.compile(rf"(?<![\w.,-])(?P<digits>{_DIGITS}) ?(?P<unit>[gtm]i?b)(?!\w)")
_LENGTH = re.compile(r"(?<![\w.,-])(?P<n>\d+) ?(?:(?P<days>d|days?|dias?)|(?P<hours>h|hrs?|hours?|horas?))(?!\w)")
_COUNT_BEFORE = re.compile(r"(?<![\w.,$])(\d{1,4}) ?x? $")
_COUNT = re.compile(r"(?<![\w.,$])(\d{1,4}) ?(?:gpus?|placas?)(?!\w)")


@dataclass(frozen=True)
class _Question:
    """What is said in a sentence; its words are in lower case, without accents."""

    words: Sequence[str]
    models: Sequence[tuple[int, int, str]]
    """where each begins and ends in the sentence, and its name"""

    @cached_property
    def said(self) -> str:
        return " ".join(self.words)

    @property
    def model(self) -> str | None:
        return self.models[0][2] if self.models else None

    def holds(self, signs: str) -> bool:
        return re.search(rf"(?<!\w)(?:{signs})(?!\w)", self.said) is not None

    @cached_property
    def written(self) -> NumberFormat | None:
        """How its numbers are written: as the language of its words has it, where they are of one."""
        said = {word.strip("?!.,;:") for word in self.words}
        english, portuguese = said & _OF_ENGLISH, said & _OF_PORTUGUESE
        if bool(english) == bool(portuguese):
            return None
        return ENGLISH if english else PORTUGUESE

    def number(self, digits: str) -> str | None:
        """Digits that every language reads as the number meant; None where that may be one of two."""
        return plain_number(digits, self.written)

    @cached_property
    def count(self) -> str:
        """How many GPUs; empty where it does not say."""
        before = _COUNT_BEFORE.search(self.said[: self.models[0][0]]) if self.models else None
        found = before or _COUNT.search(self.said)
        return found[1] if found else ""

    def amounts(self) -> Iterator[re.Match[str]]:
        """Numbers that may be amounts: no part of a model, no count of GPUs, nothing with another unit."""
        if foreign_currency(self.said):
            return
        for found in _NUMBER.finditer(self.said):
            of_model = any(start - 1 <= found.end() and found.start() < end for start, end, _ in self.models)
            dollars = found["before"] or found["after"]
            if not of_model and (dollars or not _MEASURED.match(self.said, found.end())):
                yield found


def plain_number(digits: str, written: NumberFormat | None = None) -> str | None:
    """The digits as every language reads them; None where they are no number, or may be one of two.

    ``written``: how numbers are written, where that is known.
    """
    options = rewritten(digits, PLAIN)
    number = read_decimal(digits, written) if written else None
    if len(options) != 1:
        return None if number is None else write_decimal(number)
    return digits if read_decimal(digits, PLAIN) is not None else options[0]


def asked_plainly(
    words: Sequence[str], commands: Sequence[Command], is_gpu: Callable[[str], object]
) -> tuple[str, ...]:
    """Lines that ask what these words, in lower case, seem to; empty where they seem to ask nothing we know.

    The words are without accents. Nothing that acts is among them but what was asked in so many words.
    """
    verbs = {command.name.split()[0] for command in commands}
    asked = _Question(words, tuple(_models(words, is_gpu)))
    managed = _of_alerts(asked, is_gpu) if "alert" in verbs else None
    if managed:
        return (managed,)
    meant = [verb for verb, signs in _SIGNS.items() if verb in verbs and asked.holds(signs)]
    if "cost" in verbs and next(iter(words), "") in ("cost", "custo") and _llm_size(asked):  # of training, not of a GPU
        meant = list(dict.fromkeys(["cost", *meant]))
    if "alert" in meant:  # the rest says of what, and when
        meant = ["alert"]
    compares = len(asked.models) > 1 and asked.holds(_COMPARED)
    if asked.model and (compares or not meant) and "monitor" in verbs:
        meant = ["monitor"]
    lines = [_line(verb, asked) for verb in meant]
    told = [line for line in lines if line and line not in ("monitor", "help")]
    rest = [line or f"help {verb}" for verb, line in zip(meant, lines, strict=True) if line not in told]
    if not told:  # all the others say less
        told = [line for line in rest if "help" in verbs or not line.startswith("help")]
    if len(told) > 1:
        told = [line for line in told if line != "help"]
    return tuple(dict.fromkeys(told))[:MOST]


def is_safe(line: str) -> bool:
    """Whether a line may stand on a button: what deletes is to be typed."""
    return re.match(r"\w+ (?:delete|forget)(?!\w)", line) is None


def _models(words: Sequence[str], is_gpu: Callable[[str], object]) -> Iterator[tuple[int, int, str]]:
    """Where words name models, the most of them that do."""
    start = 0
    while start < len(words):
        sizes = range(min(len(words), start + LONGEST_MODEL), start, -1)
        ends = (end for end in sizes if not _is_money(words, start, end) and _is_model(words[start:end], is_gpu))
        end = next(ends, None)
        if end is not None:
            at = len(" ".join([*words[:start], ""]))
            yield at, at + len(" ".join(words[start:end])), " ".join(words[start:end]).strip("?!.,;:")
        start = end or start + 1


def _is_money(words: Sequence[str], start: int, end: int) -> bool:
    """Whether dollars stand beside them: "4090 dollars" are none."""
    beside = (*words[max(0, start - 1) : start], *(word.strip("?!.,;:") for word in words[end : end + 1]))
    return not _DOLLAR_WORDS.isdisjoint(beside)


def _is_model(words: Sequence[str], is_gpu: Callable[[str], object]) -> bool:
    """Whether they name one, with digits, and none of them is a sign or belongs to the sentence."""
    bare = [word.strip("?!.,;:") for word in words]
    if bare[0] in PROSE or not all(re.fullmatch(r"\w[\w.,/-]*", word) for word in bare):
        return False
    if any(word != plain for word, plain in zip(words[:-1], bare[:-1], strict=True)):
        return False  # a comma ends a name
    return any(map(str.isdigit, "".join(bare))) and bool(is_gpu(" ".join(bare)))


def _of_alerts(asked: _Question, is_gpu: Callable[[str], object]) -> str | None:
    """What is wanted of alerts that there are; None where nothing is."""
    if asked.holds(_STOP) and (len(asked.words) == 1 or asked.holds(_TELLS)):
        return "alert list"
    if not asked.holds(_ALERTS):
        return None
    if asked.holds(_DELETES):
        named = _alert_id(asked, is_gpu)
        return f"alert delete {named}" if named else "alert list"
    lists = asked.holds(_LISTS) and not asked.models and not _priced(asked)
    return "alert list" if lists or asked.holds(_CHANGES) else None


def _alert_id(asked: _Question, is_gpu: Callable[[str], object]) -> str | None:
    """The one word that may be what an alert is called: with digits, or the last one, behind "alert"."""
    if _priced(asked):
        return None
    named = [word for word in asked.words if re.fullmatch(r"(?=\w*\d)[a-z0-9]{4,}", word) and not is_gpu(word)]
    last = asked.words[-1].strip("?!.,;:")
    behind = len(asked.words) > 1 and re.fullmatch(_ALERTS, asked.words[-2])
    if not named and behind and last not in PROSE | {"please"} and not is_gpu(last) and last.isalnum():
        named = [last]
    return named[0] if len(named) == 1 else None


def _priced(asked: _Question) -> list[tuple[str, str]]:
    """Each amount that has a side, with the side that is told nearest before it."""
    found = []
    for amount in asked.amounts():
        sides = [
            (match.start(), _SIGN_AS_TYPED.get(match[0], side))
            for side, words in _SIDES.items()
            for match in re.finditer(words, asked.said[: amount.start()])
        ]
        dollars = amount["before"] or amount["after"]
        bare_is_price = dollars or not asked.holds(_OTHER_MEASURE)
        if sides and bare_is_price and not _PER_MONTH.match(asked.said, amount.end()):
            found.append((max(sides)[1], amount["digits"]))
    return found


def _alert(asked: _Question) -> str | None:
    priced = _priced(asked)
    if len(asked.models) != 1 or len(priced) != 1 or asked.holds(_MORE_TOLD) or _LENGTH.search(asked.said):
        return None
    side, digits = priced[0]
    price = asked.number(digits)
    return price and f"alert {asked.model} {side} {price}"


def _fleet(asked: _Question) -> str | None:
    amounts = list(asked.amounts())
    only = len(amounts) == 1 and asked.words[0] in ("fleet", "frota")
    for amount in amounts:
        said_so = only or amount["before"] or amount["after"] or _BUDGET.search(asked.said[: amount.start()])
        if (said_so or _PER_MONTH.match(asked.said, amount.end())) and not _PER_HOUR.match(asked.said, amount.end()):
            number = asked.number(amount["digits"])
            return number and f"fleet {'$' if '$' in (amount['before'] or '') else ''}{number}"
    return None


def _llm_size(asked: _Question) -> str | None:
    found = _LLM.search(asked.said)
    if found is None:
        return None
    if found["name"]:
        return found["name"].rstrip(".:-")
    number = asked.number(found["digits"])
    return number and f"{found['experts']}{number}b"


def _llm(asked: _Question) -> str | None:
    size = _llm_size(asked)
    return size and f"llm {size}"


def _cost(asked: _Question) -> str | None:
    size = _llm_size(asked)
    data = next((each for each in _DATA.finditer(asked.said) if not _within(each.start(), asked.models)), None)
    number = asked.number(data["digits"]) if data else ""
    if size is None or number is None:
        return None
    return " ".join(filter(None, ["cost", size, data and f"{number}{data['unit'].upper()}", asked.model]))


def _within(at: int, models: Sequence[tuple[int, int, str]]) -> bool:
    return any(start <= at < end for start, end, _ in models)


def _interruptions(asked: _Question) -> str:
    found = _LENGTH.search(asked.said)
    period = f"{found['n']}d" if found and found["days"] and found["n"] in ("7", "30", "90") else ""
    return " ".join(filter(None, ["interruptions", period, asked.model]))


def _of_model(verb: str) -> Callable[[_Question], str | None]:
    """How a verb is asked that takes one model, and a length of time or a number of GPUs."""

    def line(asked: _Question) -> str | None:
        found = _LENGTH.search(asked.said)
        unit = {"history": "days", "savings": "hours", "windows": "hours"}.get(verb)
        length = f"{found['n']}{unit[0]}" if found and unit and found[unit] else ""
        count = asked.count if verb == "availability" else ""
        return asked.model and " ".join(filter(None, [verb, asked.model, length, count]))

    return line


_LINES: Mapping[str, Callable[[_Question], str | None]] = {
    "alert": _alert,
    "settings": lambda asked: None,
    "webhook": lambda asked: None,
    "fleet": _fleet,
    "llm": _llm,
    "cost": _cost,
    "interruptions": _interruptions,
    "accuracy": lambda asked: " ".join(filter(None, ["accuracy", asked.model])),
    "monitor": lambda asked: " ".join(["monitor", *dict.fromkeys(name for *_, name in asked.models)]),
    "help": lambda asked: "help",
}


def _line(verb: str, asked: _Question) -> str | None:
    """The command with what was said of it; None where that is too little."""
    return _LINES.get(verb, _of_model(verb))(asked)
