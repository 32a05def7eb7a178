"""What a published model's name says besides the model: how its weights are stored, and how many tokens it reads."""

from __future__ import annotations

import re
from dataclasses import dataclass

from analytics.hardware.weights import FORMATS

KIBI, KILO = 1024, 1000
"""Context lengths are powers of two or round thousands (source: max_position_embeddings of the models in llms.csv)."""

LONGEST_K = 2**14
"""The largest thousand of names: 16M tokens (ours: beyond any published model)."""

_POWERS = tuple(KIBI * 2**n for n in range(LONGEST_K.bit_length()))

GGUF_DEFAULT = "q4_k_m"
"""What is taken of a GGUF repository that holds several sizes (source: the usual tag of ollama's library)."""

LONGEST_CONTEXT_M = 10
"""More millions than this are parameters (source: Llama 4 Scout reads 10M tokens, the most of llms.csv)."""

_DASH = r"[-_. ]?"
_NO_SIZE = r"(?!\d*[kmb](?![a-z0-9]))"
"""What follows bits is not the rest of a number of tokens or parameters, as in ``-32k``."""
_RULES: tuple[tuple[str, str], ...] = (
    (rf"gptq{_DASH}(?:int8|8bit)", "gptq-int8"),
    (rf"gptq(?:{_DASH}(?:int4|4bit|4b))?(?:{_DASH}128g)?(?!{_DASH}(?:int)?[235]{_NO_SIZE})", "gptq"),
    (rf"(?:int4{_DASH})?awq(?:{_DASH}(?:int4|4bit|w4a16))?(?!{_DASH}(?:int)?[23]{_NO_SIZE})", "awq"),
    (rf"(?:unsloth{_DASH})?bnb{_DASH}4bit|nf4", "bnb-4bit"),
    (rf"(?:unsloth{_DASH})?bnb{_DASH}8bit", "int8"),
    ("nvfp4", "nvfp4"),
    ("mxfp4", "mxfp4"),
    (rf"fp8(?:{_DASH}(?:dynamic|block|kv))?", "fp8"),
    ("w4a16", "w4a16"),
    ("w8a8|w8a16", "int8"),
    (rf"(?:ud{_DASH})?i?q[234568](?:_[a-z0-9]{{1,3}}){{1,2}}", "size"),
    (rf"int{_DASH}8|8{_DASH}bit", "int8"),
    (rf"int{_DASH}4|4{_DASH}bit", "int4"),
    ("gguf", "gguf"),
    ("bf16|bfloat16", "bf16"),
    ("f16|fp16", "fp16"),
    ("f32|fp32", "fp32"),
)
"""What names say about weights, the more telling first; ``size``: the words are a size of GGUF."""

_GGUF_NEAREST = {"2": "q2_k", "3": "q3_k_m", "4": GGUF_DEFAULT, "5": "q5_k_m", "6": "q6_k", "8": "q8_0"}
"""What stands for a size of so many bits that has no measured file (ours: the usual one of that width)."""

_WEIGHTS = tuple((re.compile(rf"(?<![a-z0-9])(?:{words})(?![a-z0-9])"), key) for words, key in _RULES)
_CONTEXT = re.compile(r"(?<=[-_: ])(\d{1,4})([km])(?![a-z0-9])")


@dataclass(frozen=True, slots=True)
class Spelling:
    """A name taken apart. ``model``: what is left; ``weights``: a key of ``FORMATS``; ``context`` in tokens."""

    model: str
    weights: str | None = None
    context: int | None = None
    guessed: bool = False
    """the name says GGUF, not which"""


def take_apart(text: str) -> Spelling:
    """``Qwen/Qwen2.5-72B-Instruct-AWQ`` -> the model, ``awq``; ``llama3.1:8b-128k`` -> the model, 131,072 tokens."""
    rest = text.lower().strip().rpartition("/")[2].removesuffix(".gguf")
    keys: list[str] = []
    for words, key in _WEIGHTS:
        for found in words.findall(rest):
            keys.append(_gguf(found) if key == "size" else key)
        rest = words.sub(" ", rest)
    sizes = [tokens for number, unit in _CONTEXT.findall(rest) if (tokens := _tokens(int(number), unit))]
    if sizes:
        rest = _CONTEXT.sub(lambda found: " " if _tokens(int(found[1]), found[2]) else found[0], rest)
    telling = [key for key in keys if key != "gguf"] or [GGUF_DEFAULT for _ in keys]
    return Spelling(
        rest.strip(" -_:"),
        weights=telling[0] if telling else None,
        context=sizes[0] if sizes else None,
        guessed=bool(keys) and set(keys) == {"gguf"},
    )


def _gguf(words: str) -> str:
    """``ud-q4_k_xl`` -> ``q4_k_m``: the size itself where its file was measured, else the usual one as wide."""
    size = re.sub(r"^ud[-_. ]?", "", words)
    return size if size in FORMATS else _GGUF_NEAREST[size.removeprefix("i")[1]]


def _tokens(number: int, unit: str) -> int | None:
    """``128k`` and ``131k`` -> 131,072, ``200k`` -> 200,000, ``1m`` -> 1,048,576; None where parameters are meant."""
    if unit == "m":
        return number * KIBI**2 if 1 <= number <= LONGEST_CONTEXT_M else None
    if number < 1:
        return None
    return next((power for power in _POWERS if number in (power // KIBI, power // KILO)), number * KILO)
