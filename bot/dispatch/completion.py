"""How a line may go on where somebody types it: verbs, then values and names that its command still takes.

Nothing is read here: what a value would be is asked of the grammar, by reading the line with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from analytics.catalog import Catalog
from analytics.errors import AskError
from analytics.typed_text import plain_text
from bot.dispatch.command import Command, Param
from bot.dispatch.grammar import assign, named_in, option_name
from bot.dispatch.kinds import KINDS
from bot.dispatch.offers import (
    MOST,
    beginning,
    is_value,
    matching,
    meant,
    model_list,
    ranked,
    said,
    takes_models,
    takes_several,
    values,
    values_of,
)
from bot.dispatch.params import gpu_test
from bot.dispatch.verbs import (
    HELP_WORDS,
    MAX_LINE,
    OTHER_NAMES,
    IsGpu,
    UnknownVerb,
    find_command,
    tokens,
    without_accents,
    without_call,
)

UNTYPED_MODELS = 8
"""Models that are offered before any is begun: the other values and the names must find room too."""

LONGEST_VALUE = 6
"""Words of a value that may have been typed already."""

_WORD = re.compile(r"""(?:[^\s"'=]+=)?(?:"[^"]*(?:"|$)|'[^']*(?:'|$))|\S+""")


@dataclass(frozen=True, slots=True)
class Offer:
    """What may stand in a line instead of all from ``start`` to its end."""

    text: str
    start: int


@dataclass(frozen=True, slots=True)
class _Place:
    """The last words of a line, of which one value may consist, and the words behind the verb before them."""

    start: int
    typed: str
    before: Sequence[str]
    finished: bool
    """whether a blank follows"""


@dataclass(slots=True)
class Completion:
    """What may be typed next. ``known``: models of the market, busiest first."""

    commands: Sequence[Command]
    catalog: Catalog
    known: Sequence[str]
    _is_gpu: IsGpu = field(init=False)

    def __post_init__(self) -> None:
        self._is_gpu = gpu_test(self.catalog, self.known)

    def offers(self, line: str) -> list[Offer]:
        """How a line may go on, the best first; each replaces the words that it completes."""
        if len(line) > MAX_LINE:
            return []
        start, typed = _current(line)
        words = without_call(tokens(line[:start]))
        if words and words[0].lower() in HELP_WORDS:
            return self._verbs(words[1:], typed, start)
        found = self._verbs(words, typed, start)
        called = self._called(line[:start])
        if called:
            found += self._behind_verb(*called, line, begun=bool(found))
        return list(dict.fromkeys(found))[:MOST]

    # -- verbs

    def _verbs(self, words: Sequence[str], typed: str, start: int) -> list[Offer]:
        """Verbs, or behind a group its members; what else they are called only to whom begins so."""
        if len(words) > 1:
            return []
        verb = [self._own_word(word) for word in words]
        paths = [name for command in self.commands if (name := command.name.split())[: len(verb)] == verb]
        own = dict.fromkeys(path[len(verb)] for path in paths if len(path) > len(verb))
        begun = without_accents(typed).lstrip("/")
        found = [word for word in own if word.startswith(begun)]
        found = found or [other for other, meant in OTHER_NAMES.items() if meant in own and other.startswith(begun)]
        return [Offer(word, start) for word in found or (() if words else self._near(begun))]

    def _near(self, typed: str) -> Sequence[str]:
        try:
            find_command([typed], self.commands)
        except UnknownVerb as unknown:
            return unknown.near
        except AskError:
            pass
        return ()

    def _own_word(self, word: str) -> str:
        plain = without_accents(word).lstrip("/")
        own = {name for command in self.commands for name in command.name.split()}
        return plain if plain in own else OTHER_NAMES.get(plain, plain)

    def _called(self, head: str) -> tuple[Command, Sequence[str]] | None:
        """The command that the beginning of a line calls, and its words; a group alone may yet be its default."""
        words = without_call(tokens(head))
        if len(words) == 1 and not any(command.name == self._own_word(words[0]) for command in self.commands):
            group = [command for command in self.commands if command.name.split()[0] == self._own_word(words[0])]
            return next(((command, ()) for command in group if command.group_default), None)
        try:
            return find_command(words, self.commands) if words else None
        except AskError:
            return None

    # -- behind the verb

    def _behind_verb(self, command: Command, words: Sequence[str], line: str, *, begun: bool) -> list[Offer]:
        start, typed = _current(line)
        given = self._given(command, words)
        named = self._named(command, words, line, given)
        if named is not None:
            return named
        places = list(self._places(command, line))
        found = next((offers for place in places if (offers := self._values_at(command, place))), [])
        name = typed.lstrip("-").lower().replace("-", "_")
        free = [param for param in command.params if param.name not in given]
        fits = [param for param in free if any(one.startswith(name) for one in (param.name, *param.aliases))]
        found = [*found, *(Offer(f"{param.name}=", start) for param in fits)]
        if found or begun or not typed:
            return found
        try:
            if self._is_understood(assign(command, [*words, *tokens(typed)], self._is_gpu), command):
                return []
        except AskError as error:
            known = {*(f"{param.name}=" for param in free), *(one for param in free for one in param.choices)}
            found = [Offer(text, start) for text in error.suggestions if text in known]
        return found or next((offers for place in places if (offers := self._alike_at(command, place))), [])

    def _given(self, command: Command, words: Sequence[str]) -> dict[str, str]:
        """What the words give; of words that cannot be read, what is named."""
        try:
            return assign(command, words, self._is_gpu)
        except AskError:
            return dict(pair for word in words if (pair := named_in(command, word.lstrip("-"))))

    def _named(self, command: Command, words: Sequence[str], line: str, given: dict[str, str]) -> list[Offer] | None:
        """Values behind ``name=`` or ``--name``; None where no name is before them."""
        start, _ = _current(line)
        raw = line[start:]
        option = option_name(command, words[-1]) if words else None
        pair = (option, raw) if option else named_in(command, plain_text(raw).lstrip("-"))
        if pair is None:
            return None
        name, text = pair
        param = next((param for param in command.params if param.name == name), None)
        if param is None or (name in given and not option):
            return []
        found = self._texts(param, plain_text(text).strip("\"'"))
        lead = "" if option else f"{name}="
        return [Offer(lead + _quoted(value), start) for value in found]

    def _texts(self, param: Param, typed: str) -> list[str]:
        """Values of one parameter, whole."""
        if takes_models(param):
            several = takes_several(param)
            found = model_list(typed if several else typed.replace(",", " "), self.known, self.catalog)
            return list(dict.fromkeys([*found, *values(param, typed, self.catalog)]))[:MOST]
        return values(param, typed, self.catalog)[:MOST]

    def _places(self, command: Command, line: str) -> Iterator[_Place]:
        """Where the value that is typed may begin, the farthest back first, and last at the cursor."""
        current, _ = _current(line)
        starts = [word.start() for word in _WORD.finditer(line)][-LONGEST_VALUE:]
        settled = False
        for start in dict.fromkeys([*starts, current]):
            if settled and start < current:  # inside a model's name
                continue
            called = self._called(line[:start])
            if called and called[0] is command:
                typed, finished = plain_text(line[start:]).strip(" \"'"), start < current == len(line)
                settled = finished and bool(self._is_gpu(typed))
                head, _, last = typed.rpartition(",")
                if head and "," in line[start:] and self._is_gpu(head):
                    at = start + line[start:].rindex(",") + 1
                    yield _Place(at, last.strip(), [*called[1], *head.split()], finished and bool(last.strip()))
                else:
                    yield _Place(start, typed, called[1], finished)

    def _values_at(self, command: Command, place: _Place) -> list[Offer]:
        """Values that may stand there and are begun by what is typed there."""
        given = self._given(command, place.before)
        found: list[str] = []
        unseen: list[str] = []
        for param in command.params:
            if not param.positional or self._is_full(param, given):
                continue
            if takes_models(param):
                taken = said(given.get(param.name, ""), self.known, self.catalog)
                models = [name for name in self._models_at(param, place) if name not in taken]
                models = models if models and self._is_read(command, place, param, models[0]) else []
                seen = max((n for n, name in enumerate(models, start=1) if name in self.known), default=0)
                found, unseen = [*found, *models[:seen]], [*unseen, *models[seen:]]
            found += [text for text in self._begun(param, place) if self._is_read(command, place, param, text)]
        return [Offer(text, place.start) for text in dict.fromkeys([*found, *unseen])]

    def _is_full(self, param: Param, given: Mapping[str, str]) -> bool:
        """Whether it is given, and no word more is taken for it; what names no model may be of another parameter."""
        if takes_models(param) and not takes_several(param):
            return bool(self._is_gpu(given.get(param.name, "")))
        return param.name in given and not takes_several(param)

    def _models_at(self, param: Param, place: _Place) -> list[str]:
        if not place.typed:
            return list(self.known[:UNTYPED_MODELS])
        if KINDS[param.kind].is_measured(place.typed):
            return []
        if place.finished and self._is_gpu(place.typed):  # said already; a family may still become one model
            found = () if takes_several(param) else meant(place.typed, self.known, self.catalog)
            return list(found) if len(found) > 1 else []
        return beginning(place.typed, self.known, self.catalog)

    def _begun(self, param: Param, place: _Place) -> list[str]:
        """Choices and suggestions that begin so; language models also that hold it, where it is one word."""
        texts = values_of(param, self.catalog)
        if place.finished and any(text.lower() == place.typed.lower() for text in texts):
            return []
        parts = param.offers == "llms" and not place.finished and " " not in place.typed
        return ranked(place.typed, texts, parts=parts)[:MOST]

    def _is_read(self, command: Command, place: _Place, param: Param, text: str) -> bool:
        """Whether the grammar takes the text as a value of this parameter where it would stand."""
        words = tokens(text)
        try:
            given = assign(command, [*place.before, *words], self._is_gpu).get(param.name, "")
        except AskError:
            return False
        return (given.rpartition(",")[2] if takes_several(param) else given) == " ".join(words)

    # -- what is not understood

    def _is_understood(self, given: Mapping[str, str], command: Command) -> bool:
        """Whether what a line gives can stand as it is."""
        return all(
            self._is_gpu(given[param.name]) if takes_models(param) else is_value(param, given[param.name], self.catalog)
            for param in command.params
            if param.name in given
        )

    def _alike_at(self, command: Command, place: _Place) -> list[Offer]:
        """Values that look like what is typed there; a model is not offered instead of it and a word of another."""
        head, _, last = place.typed.rpartition(" ")
        found: list[str] = []
        for param in () if self._is_gpu(head) and not beginning(last, self.known, self.catalog) else command.params:
            models = matching(place.typed, self.known, self.catalog) if takes_models(param) else []
            texts = [*models[:MOST], *(values(param, place.typed, self.catalog) if param.offers == "llms" else ())]
            found += texts if texts and param.positional and self._is_read(command, place, param, texts[0]) else []
        return [Offer(text, place.start) for text in dict.fromkeys(found)]


def _current(line: str) -> tuple[int, str]:
    """Where the word begins that is being typed, and what there is of it."""
    words = list(_WORD.finditer(line))
    start = words[-1].start() if words and words[-1].end() == len(line) else len(line)
    return start, plain_text(line[start:]).strip(" \"'")


def _quoted(value: str) -> str:
    return f'"{value}"' if re.search(r"[\s'=<>]", value) else value
