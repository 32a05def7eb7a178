"""What may be meant by the beginning of a value: models of the market, language models, choices; the best first."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rapidfuzz import fuzz, process

from analytics.catalog import Catalog, resolve
from analytics.errors import AskError
from analytics.hardware.llm_lookup import find_llm
from analytics.names import begun
from bot.dispatch.command import Param
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.kinds import KINDS

MOST = 25
"""As many are offered at most; Discord takes no more."""

ALIKE = 60
"""Least similarity (0-100) of a model worth offering."""

KEPT_SECONDS = 30
"""How long the list of models is kept: people type faster than the market changes."""

LONGEST = 64
"""Characters of what is typed that are looked at: no model's name is longer."""

_OTHER = re.compile(r"[^a-z0-9]+")


class KnownModels:
    """The models of the market, busiest first, as read a moment ago."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._read_at: int | None = None
        self.models: tuple[str, ...] = ()

    async def read(self) -> tuple[str, ...]:
        """Those, from the store where they were not read lately; raises StoreError."""
        now = self._dispatcher.clock()
        if self._read_at is None or not 0 <= now - self._read_at < KEPT_SECONDS:
            async with self._dispatcher.query_context() as query:
                self.models = await query.known()
            self._read_at = now
        return self.models


def takes_models(param: Param) -> bool:
    """Whether models of the market are offered for it."""
    return KINDS[param.kind].names_models or param.offers == "gpus"


def takes_several(param: Param) -> bool:
    """Whether it takes several models, with commas."""
    return KINDS[param.kind].several or param.offers == "gpus"


def matching(typed: str, known: Sequence[str], catalog: Catalog) -> list[str]:
    """Models that a typed text may mean: by name, then as the beginning or a part of one, then those that look like it.

    At each of these the busiest first, and those that nobody has seen on the market after those of it.
    """
    found = [*beginning(typed, known, catalog), *_leading(typed, known, catalog)]
    text = typed.strip()[:LONGEST].lower()
    alike = process.extract(text, known, scorer=fuzz.WRatio, processor=str.lower, limit=MOST, score_cutoff=ALIKE)
    return list(dict.fromkeys([*found, *(name for name, *_ in alike)]))


def beginning(typed: str, known: Sequence[str], catalog: Catalog) -> list[str]:
    """Those of them that a typed text names, begins or is a part of."""
    listed = [gpu.name for gpu in catalog.gpus]
    return list(dict.fromkeys([*meant(typed, known, catalog), *begun(typed, known), *begun(typed, listed)]))


def meant(typed: str, known: Sequence[str], catalog: Catalog) -> Sequence[str]:
    """The models that it names; empty where it names none."""
    try:
        return resolve(typed, catalog, known)
    except AskError:
        return ()


def _leading(typed: str, known: Sequence[str], catalog: Catalog) -> Sequence[str]:
    """What all typed words but the last ones name, and what they were perhaps to name: ``4090 ti``, ``4O9O``."""
    words = typed[:LONGEST].split()
    heads = (" ".join(words[:end]) for end in range(len(words) - 1, 0, -1))
    found = next((models for head in heads if (models := meant(head, known, catalog))), ())
    try:
        return [*found, *resolve(typed, catalog, known)]
    except AskError as error:
        return [*found, *error.suggestions]


def model_list(typed: str, known: Sequence[str], catalog: Catalog, first: Sequence[str] = ()) -> list[str]:
    """Lists of models, the last of which a typed list has begun; where nothing is, ``first`` come before all others."""
    head, comma, last = typed.rpartition(",")
    taken = said(head, known, catalog)
    found = matching(last, known, catalog) if last.strip() else dict.fromkeys((*first, *known))
    return [f"{head}{comma}{name}" for name in found if name not in taken]


def said(typed: str, known: Sequence[str], catalog: Catalog) -> set[str]:
    """The models that a typed list has already, as far as each of its names means one only."""
    found = [(name.strip(), meant(name, known, catalog)) for name in typed.split(",")]
    return {model for name, models in found for model in (name, *(models if len(models) == 1 else ()))}


def values(param: Param, typed: str, catalog: Catalog) -> list[str]:
    """What else is offered for a parameter: choices, suggestions and language models that hold what is typed.

    Those that are it, then those that begin so, that hold it, that hold its words, and language models that look so.
    """
    texts = values_of(param, catalog)
    found = ranked(typed, texts)
    if not found and param.offers == "llms":
        alike = process.extract(typed[:LONGEST].lower(), texts, scorer=fuzz.ratio, limit=MOST, score_cutoff=ALIKE)
        found = [name for name, *_ in alike]
    return found


def values_of(param: Param, catalog: Catalog) -> list[str]:
    """All that is offered for a parameter but models of the market."""
    named = [llm.name for llm in catalog.llms] if param.offers == "llms" else ()
    flags = ("yes", "no") if KINDS[param.kind].primitive == "boolean" else ()
    return list(dict.fromkeys((*param.suggest, *param.choices, *flags, *named)))


def ranked(typed: str, texts: Sequence[str], *, parts: bool = True) -> list[str]:
    """The texts that are what is typed, that begin so, and with ``parts`` that hold it, a word's beginning first."""
    text = typed.strip().lower()
    letters = _OTHER.sub("", text)
    words = [word for word in _OTHER.split(text) if word]
    levels: list[Callable[[str], object]] = [
        lambda low: low == text,
        lambda low: low.startswith(text),
        lambda low: letters and _OTHER.sub("", low).startswith(letters),
    ]
    if parts:
        levels += [
            lambda low: any(part.startswith(text) for part in re.split(r"[\s-]", low)),
            lambda low: text in low or (words and all(word in low for word in words)),
        ]
    return list(dict.fromkeys(one for level in levels for one in texts if level(one.lower())))


def is_value(param: Param, typed: str, catalog: Catalog) -> bool:
    """Whether what is typed can stand as it is: it is no choice, or one; no language model, or a known one."""
    if param.offers == "llms":
        try:
            return bool(find_llm(typed, catalog))
        except AskError:
            return False
    return not param.choices or any(typed.strip().lower() == choice.lower() for choice in param.choices)
