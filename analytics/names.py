"""What people type for a GPU, and the models it may mean. Knows spelling only; the models are the caller's."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Sequence

from analytics.errors import NotFound
from analytics.evidence import Note
from analytics.typed_text import plain_text

LONGEST_NAME = 64
"""Longer texts are refused unread: the longest listed GPU name has 19 characters (source: data/gpus.csv)."""

SHOWN = 40
"""At most this much of a refused text is repeated to its sender (source: contract of the faces)."""

SUGGESTIONS = 5
"""How many near names an error offers (source: our choice, what fits in one line of a chat)."""

LIKENESS = 60
"""Similarity in percent from which a name is offered as "did you mean" (source: our choice, tried on typing errors)."""

_CACHED = 4096
"""Names kept in memory (source: our choice; Vast has about 150 models)."""

BRANDS = frozenset(
    ("nvidia", "geforce", "amd", "radeon", "instinct", "tesla", "quadro", "rtx", "gtx", "rx", "q", "gpu")
)
"""Words that may be left out in front of a model's own name."""

SPELLINGS = {
    "4070tis": "4070sti",
    "4070tisuper": "4070sti",
    "6000pro": "pro6000",
    "6000blackwell": "pro6000",
    "pro6000workstation": "pro6000ws",
    "pro6000server": "pro6000s",
    "h200sxm": "h200",
}
"""Other ways to write a model's core name (source: names used by vendors and other clouds)."""

ALSO = {
    "6000": ("Q RTX 6000", "RTX 6000Ada"),
    "5000": ("Q RTX 5000", "RTX 5000Ada"),
    "4000": ("Q RTX 4000", "RTX 4000Ada"),
}
"""NVIDIA sold two generations under one number: both are meant until the asker says which."""

_MEMORY = re.compile(r"(?:[\s_-](\d{1,3})|(?<=[a-z])(\d{1,3})(?=\s*g))\s*(?:gb|gib|g)?$")
_OWN_MEMORY = re.compile(r" (\d{1,3})GB$")
MEMORY_SIZES = frozenset((4, 6, 8, 10, 11, 12, 16, 20, 22, 24, 32, 40, 48, 64, 80, 94, 96, 128, 141, 180, 192, 288))
"""A bare number at the end is a memory size only when memory comes in that size (source: data/gpus.csv)."""


def memory_in(name: str) -> int | None:
    """The memory in GB that a model's name ends with."""
    found = _OWN_MEMORY.search(name)
    return int(found[1]) if found else None


def shown(text: str) -> str:
    """A refused text, safe to repeat: printable, on one line, at most 40 characters."""
    clean = "".join(char if char.isprintable() else " " for char in text[: 2 * SHOWN])
    clean = " ".join(clean.split())
    return clean if len(clean) <= SHOWN and len(text) <= 2 * SHOWN else clean[: SHOWN - 1] + "…"


def _words(text: str) -> list[str]:
    flat = unicodedata.normalize("NFKC", text).lower().replace("super", "s")
    return re.findall(r"[a-z0-9]+", re.sub(r"sxm[2-5]\b", "sxm", flat))


def _without_brands(words: list[str]) -> list[str]:
    kept = list(words)
    while len(kept) > 1 and kept[0] in BRANDS:
        kept.pop(0)
    first = re.sub(r"^(?:nvidia|geforce|rtx|gtx|rx|instinct|tesla|quadro)(?=.*\d)", "", kept[0]) if kept else ""
    return [first, *kept[1:]] if first else kept


@functools.lru_cache(maxsize=_CACHED)
def _core(name: str) -> tuple[str, tuple[str, ...]]:
    """A model name without brand and memory, and the beginnings of it that end with one of its words."""
    words = _without_brands(_words(_OWN_MEMORY.sub("", name)))
    heads = tuple("".join(words[:end]) for end in range(1, len(words)))
    return "".join(words), heads


def _split_memory(text: str) -> tuple[str, int | None]:
    """``a100 80gb``, ``v100 32``, ``4060ti16gb`` and ``a10080gb`` -> the name and the memory in GB."""
    if found := _MEMORY.search(text):
        size = int(found[1] or found[2])
        if size in MEMORY_SIZES or not found[0][-1].isdigit():
            return text[: found.start()], size
    glued = re.sub(r"(?<=\d)(?:gb|gib)$", "", text)
    for size in sorted(MEMORY_SIZES, reverse=True) if glued != text else ():
        if glued.endswith(str(size)):
            return glued.removesuffix(str(size)), size
    return text, None


def _spelt(text: str) -> str:
    core = "".join(_without_brands(_words(text)))
    return SPELLINGS.get(core, core)


def _matches(text: str, candidates: Sequence[str], vram_of: Callable[[str], int | None]) -> list[str]:
    """The best level at which anything matches: whole name, core name, alternatives, family."""
    flat = " ".join(text.replace("_", " ").split()).lower()
    whole = [name for name in candidates if name.lower() == flat]
    if whole:
        return whole[:1]
    head, memory = _split_memory(flat)
    core = _spelt(head)
    also = ALSO.get(core, ()) if memory is None else ()
    if also:
        return [name for name in candidates if name in also]
    fitting = [name for name in candidates if memory is None or vram_of(name) == memory]
    same = [name for name in fitting if _core(name)[0] == core]
    # "4090" means the model as sold, not also the rebuilt one whose name carries another memory
    plain = [name for name in same if memory_in(name) is None] if memory is None else []
    return plain or same or [name for name in fitting if core in _core(name)[1]]


_LOOK_ALIKE = (("o", "0"), ("oli", "011"))
"""Letters that are typed for digits; the fewer first, for ``L4O`` is an L40."""


_ONE = re.compile(r"^1\s*x\s+", re.IGNORECASE)
"""One GPU, as clouds write it. Of ``8x`` it is open whether its price is that of one or of eight: not read."""
_JOINTS = re.compile(r"[_/():,-]+")
_SIZE = re.compile(r"(?<![A-Za-z0-9])(\d{1,3})\s?(?:GB|GiB|G)(?![A-Za-z0-9])", re.IGNORECASE)
_MEMORY_KINDS = re.compile(r"(?<![A-Za-z0-9])(?:HBM\de?|GDDR\dX?)(?![A-Za-z0-9])", re.IGNORECASE)
_FORM = re.compile(r"(?<![A-Za-z0-9])(?:SXM\d?|PCI-?E|NVL|OAM)(?![A-Za-z0-9])", re.IGNORECASE)
"""How a GPU is built in: part of a model's name only where the GPU is sold in more than one form."""


def _nearest(text: str, candidates: Sequence[str], vram_of: Callable[[str], int | None]) -> tuple[str, ...]:
    from rapidfuzz import fuzz, process

    for letters in _LOOK_ALIKE:
        meant = _matches(text.lower().translate(str.maketrans(*letters)), candidates, vram_of)
        if meant:
            return tuple(meant[:SUGGESTIONS])
    core = _spelt(_split_memory(text.lower())[0])
    cores = {name: _core(name)[0] for name in candidates}
    found = process.extract(core, cores, scorer=fuzz.ratio, limit=SUGGESTIONS, score_cutoff=LIKENESS)
    return tuple(str(key) for _, _, key in found)


@functools.lru_cache(maxsize=_CACHED)
def _all_words(name: str) -> tuple[str, ...]:
    return tuple(_words(name))


def begun(text: str, candidates: Sequence[str]) -> tuple[str, ...]:
    """Those ``candidates`` that ``text`` may be the beginning of, or a part.

    First those whose name without brand begins so (``40``), then those of whose words each typed one is the beginning
    of another (``a100 8``), then those that hold it; each in their order.
    """
    words = _words(re.sub(r"\bsu(?:pe?)?$", "s", plain_text(text)[:LONGEST_NAME].lower()))  # "4080 super", half typed
    core = "".join(_without_brands(words))
    if not core:
        return ()
    tests: tuple[Callable[[str], bool], ...] = (
        lambda name: _core(name)[0].startswith(core) or _core(name)[0].startswith(SPELLINGS.get(core, core)),
        lambda name: _begin_words(words, _all_words(name)),
        lambda name: "".join(words) in "".join(_all_words(name)),
    )
    return tuple(dict.fromkeys(name for test in tests for name in candidates if test(name)))


def _begin_words(typed: Sequence[str], words: Sequence[str]) -> bool:
    """Whether each typed word begins one of the words, in their order."""
    left = iter(words)
    return all(any(word.startswith(start) for word in left) for start in typed)


def meant_elsewhere(text: str, candidates: Sequence[str], vram_of: Callable[[str], int | None]) -> tuple[str, ...]:
    """Those ``candidates`` that a name of another cloud or tool may mean, such as ``H100_80GB_SXM5``."""
    if len(text) > LONGEST_NAME:
        return ()
    text = _MEMORY_KINDS.sub(" ", " ".join(_JOINTS.sub(" ", _ONE.sub("", text)).split()))
    sizes = _SIZE.findall(text)
    if len(sizes) > 1:
        return ()
    size = "".join(f" {gb}GB" for gb in sizes)
    bare = " ".join(_SIZE.sub(" ", text).split())
    found = meant(bare + size, candidates, vram_of)
    formless = " ".join(_FORM.sub(" ", bare).split())
    if found or formless == bare or any(_FORM.search(name) for name in meant(formless, candidates, vram_of)):
        return found
    return meant(formless + size, candidates, vram_of)


def meant(text: str, candidates: Sequence[str], vram_of: Callable[[str], int | None]) -> tuple[str, ...]:
    """Those ``candidates`` that ``text`` may mean, in their order; none where it means none of them."""
    known = len(text) <= LONGEST_NAME and _words(text)
    return tuple(_matches(text, candidates, vram_of)) if known else ()


def resolve(text: str, candidates: Sequence[str], vram_of: Callable[[str], int | None]) -> tuple[str, ...]:
    """Those ``candidates`` that ``text`` may mean, in their order; raises NotFound with near names."""
    text = plain_text(text)
    if len(text) > LONGEST_NAME or not _words(text):
        raise NotFound(Note("“{text}” is not a GPU name.", {"text": shown(text)}))
    found = _matches(text, candidates, vram_of)
    if not found:
        note = Note("No GPU model called “{text}” is known here.", {"text": shown(text)})
        raise NotFound(note, suggestions=_nearest(text, candidates, vram_of))
    return tuple(found)
