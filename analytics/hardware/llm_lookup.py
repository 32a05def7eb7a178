"""What people type for a language model: a name (``llama2-7b``, ``Qwen/Qwen2.5-7B-Instruct``) or a size (``8x7B``)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from analytics.catalog import Catalog, Llm
from analytics.errors import AskError, NotFound
from analytics.evidence import Note
from analytics.hardware.llm_names import Spelling, take_apart
from analytics.names import LIKENESS, LONGEST_NAME, SUGGESTIONS, shown

SMALLEST, LARGEST = 1e7, 1e13
"""Parameters of the smallest and largest model that can be asked (source: our choice, beyond any published one)."""

UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "": 1e9, "t": 1e12}
"""What the letter behind a size multiplies; a bare number means billions (source: usage of model names)."""

LONG_ENOUGH, WITHIN = 5, 90
"""Letters of a name, and the likeness, from which a listed model is looked for inside it (ours: below, chance)."""

_SIZE = re.compile(r"(?:([0-9]{1,3})x)?([0-9]{1,5}(?:\.[0-9]{1,4})?)\s*([kmbt]?)")
_ENDINGS = re.compile(r"hf|instruct|chat|base|it|qat|latest|v0\.[0-9]|preview|thinking|quantized\.?|[0-9]{4}")
_SPECIALISED = frozenset({"coder", "math"})
"""Words for further training that left the shape as it was."""

SYNONYMS = {
    "mistral": "mistral-7b",
    "mistralsmallinstruct2409": "mistral-small-22b",
    "mistralsmall2409": "mistral-small-22b",
    "deepseekr17b": "deepseek-r1-distill-qwen-7b",
    "deepseekr114b": "deepseek-r1-distill-qwen-14b",
    "deepseekr132b": "deepseek-r1-distill-qwen-32b",
    "deepseekr170b": "deepseek-r1-distill-llama-70b",
    "deepseekr1671b": "deepseek-r1",
    "deepseekv3671b": "deepseek-v3",
    "phi414b": "phi-4",
    "phi4mini3.8b": "phi-4-mini",
    "llama4scout17b16e": "llama4-scout",
    "llama4maverick17b128e": "llama4-maverick",
    "llama416x17b": "llama4-scout",
    "llama4128x17b": "llama4-maverick",
}
"""Other names of listed models, ollama's tags among them (source: ollama.com/library, huggingface.co)."""

LIKENED = {
    "mistralsmall": "mistral-small-3.2-24b",
    "mistralsmall24b": "mistral-small-24b",
    "mistralsmall3": "mistral-small-24b",
    "mistralsmall3.1": "mistral-small-3.2-24b",
    "mistralsmall3.124b": "mistral-small-3.2-24b",
    "mistralsmall3.2": "mistral-small-3.2-24b",
    "qwq32b": "qwen2.5-32b",
    "qwq": "qwen2.5-32b",
}
"""Names that mean one of several versions, or a model with the shape of another; the answer says so."""


@dataclass(frozen=True, slots=True)
class FoundLlm:
    """A model, the text that asked for it, and what had to be assumed to know its shape (None for a named model).

    ``spelling``: what the name says besides the model; ``notes``: what the answer says about it.
    """

    asked: str
    llm: Llm
    assumption: Note | None = None
    spelling: Spelling | None = None
    notes: tuple[Note, ...] = ()


def _joined(text: str) -> str:
    """A name without its owner and punctuation."""
    return "".join(re.findall(r"[a-z0-9.]+", text.lower().rpartition("/")[2]))


def _words(text: str) -> list[str]:
    """The words of a name without its owner and endings such as ``-Instruct-v0.1``."""
    words = re.findall(r"[a-z0-9.]+", text.lower().rpartition("/")[2])
    while len(words) > 1 and _ENDINGS.fullmatch(words[-1]):
        words.pop()
    return words


def _key(text: str) -> str:
    return "".join(_words(text)).removeprefix("meta")


def find_llm(text: str, catalog: Catalog) -> FoundLlm:
    """The model that ``text`` names, or a typical one of the size that it gives, and what the name says besides.

    Raises NotFound for an unknown name, AskError for an ambiguous one or a size that no model has.
    """
    if len(text) > LONGEST_NAME or not any(char.isalnum() for char in text):
        raise NotFound(Note("“{text}” is not a language model.", {"text": shown(text)}))
    spelling = take_apart(text)
    found = replace(_find(spelling.model, text, catalog), asked=text.strip(), spelling=spelling)
    if spelling.context and spelling.context > found.llm.context:
        return replace(found, llm=replace(found.llm, context=spelling.context))
    return found


def _find(name: str, text: str, catalog: Catalog) -> FoundLlm:
    size = _SIZE.fullmatch(name.lower())
    if size:
        return _of_size(name, size, catalog)
    key = _key(name)
    synonym = SYNONYMS.get(_joined(name)) or SYNONYMS.get(key, "")
    if found := _named(key, catalog) or _named(synonym, catalog):
        return FoundLlm(name, found)
    if found := _named(LIKENED.get(key, ""), catalog) or _named(_unspecialised(name), catalog):
        return FoundLlm(
            name, found, Note("“{text}” is taken to be shaped like {name}", {"text": shown(text), "name": found.name})
        )
    family = [llm.name for llm in catalog.llms if key and _key(llm.name).startswith(key)]
    if len(family) == 1:
        return _find(family[0], text, catalog)
    if family:
        raise AskError(Note("“{text}” may mean several models; say which", {"text": shown(text)}), suggestions=family)
    raise NotFound(
        Note("No language model called “{text}” is known here; a size such as 7B works too.", {"text": shown(text)}),
        suggestions=_nearest(key, catalog),
    )


def _named(name: str, catalog: Catalog) -> Llm | None:
    key = _key(name)
    return next((llm for llm in catalog.llms if key and _key(llm.name) == key), None)


def _unspecialised(name: str) -> str:
    """``qwen2.5-coder-32b`` -> ``qwen2.5 32b``; empty where there is nothing to leave out."""
    words = _words(name)
    rest = [word for word in words if word not in _SPECIALISED]
    return " ".join(rest) if rest != words else ""


def _nearest(key: str, catalog: Catalog) -> tuple[str, ...]:
    from rapidfuzz import fuzz, process

    keys = {llm.name: _key(llm.name) for llm in catalog.llms}
    found = process.extract(key, keys, scorer=fuzz.ratio, limit=SUGGESTIONS, score_cutoff=LIKENESS)
    if not found and len(key) >= LONG_ENOUGH:
        found = process.extract(key, keys, scorer=fuzz.partial_ratio, limit=SUGGESTIONS, score_cutoff=WITHIN)
    return tuple(str(name) for _, _, name in found)


def _of_size(text: str, size: re.Match[str], catalog: Catalog) -> FoundLlm:
    experts, each = int(size[1] or 1), float(size[2]) * UNITS[size[3]]
    if not SMALLEST <= experts * each <= LARGEST:
        raise AskError(Note("{text} is no size of a language model; try 7B, 70B or 8x7B", {"text": shown(text)}))
    if experts > 1:
        named = [llm for llm in catalog.llms if llm.moe and _key(llm.name).endswith(text.lower())]
        return FoundLlm(text, named[0]) if named else _scaled(text, *_mixture(experts * each, catalog))
    pattern = min((m for m in catalog.llms if m.typical), key=lambda llm: abs(math.log(each / llm.params)))
    return _scaled(text, pattern, each)


def _mixture(nominal: float, catalog: Catalog) -> tuple[Llm, float]:
    """Mixtral as the pattern of a mixture of experts, and the parameters of one with this nominal size.

    Experts share their attention, so N x M comes to fewer parameters; Mixtral's own figures say how many.
    """
    pattern = next(llm for llm in catalog.llms if llm.moe)
    own = _SIZE.search(pattern.name.partition("-")[2])
    named = int(own[1]) * float(own[2]) * UNITS[own[3]] if own else float(pattern.params)
    return pattern, nominal * pattern.params / named


def _scaled(text: str, pattern: Llm, params: float) -> FoundLlm:
    """``pattern`` grown to ``params``: layers and widths by the cube root, as parameters go with layers x width^2."""
    ratio = params / pattern.params
    factor = math.cbrt(ratio)
    llm = replace(
        pattern,
        name=_size_name(text),
        params=round(params),
        active_params=round(pattern.active_params * ratio),
        layers=max(1, round(pattern.layers * factor)),
        hidden=max(1, round(pattern.hidden * factor)),
        ffn=max(1, round(pattern.ffn * factor)),
        kv_width=max(1, round(pattern.kv_width * factor)),
    )
    return FoundLlm(
        text, llm, Note("a model of {size} is taken to be shaped like {name}", {"size": llm.name, "name": pattern.name})
    )


def _size_name(text: str) -> str:
    """``7b`` -> ``7B``, ``4X7b`` -> ``4x7B``, ``70`` -> ``70B``."""
    upper = text.upper().replace("X", "x").replace(" ", "")
    return upper if upper[-1].isalpha() else f"{upper}B"
