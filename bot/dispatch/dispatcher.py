"""Where every face asks: one line or one set of named texts in, one answer from one snapshot of the store out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from analytics.catalog import Catalog, load_catalog
from analytics.errors import AskError, NotYet, Refused
from analytics.evidence import Note
from analytics.quantities import plain_numbers
from bot.accounts import Asker, Preferences, permits, raised
from bot.dispatch.command import SHOWN, Command, Param, QueryContext, Request
from bot.dispatch.forms import FilledForm, OpenForm, changed, open_form
from bot.dispatch.grammar import ReadLine, assign, line_for, read
from bot.dispatch.kinds import KINDS
from bot.dispatch.params import convert, gpu_test, takes_models
from bot.dispatch.usage import Usage
from bot.dispatch.verbs import IsGpu, called, find_command, instead_of
from bot.dispatch.why import behind_why
from bot.fair_queue import ANYBODY, FairQueue, Waiter
from bot.presentation.words import pick_language
from bot.store.accounts import NOTHING_SAID
from bot.store.team_settings import managers_of

if TYPE_CHECKING:
    from bot.store.engine import Store
    from bot.webhooks.endpoints import Endpoints

AT_ONCE = 2
"""Questions computed at a time. More would share the same processor, and keep acknowledgements waiting behind them."""

OFFERED_INSTEAD = 5
"""Questions that are offered where one cannot be answered: a row of buttons holds no more."""

Question = str | tuple[Command, Mapping[str, str]] | FilledForm
"""A line of text, a command with the texts of its parameters, or a sheet that was filled in."""

UNKNOWN_MODEL = "the model “{gpu}” of your settings is not known any more; it was left out"

OnSnapshot = Callable[[QueryContext], None]
"""Told the query of a question before it is answered."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The command that a question meant and the data that answer it.

    ``line``: what to type to ask the same again; empty for programs, and where that would act again.
    """

    command: Command
    answer: Any
    line: str = ""
    remarks: tuple[Note, ...] = ()
    """what of the asker's profile or stored preferences could not be followed"""
    why: bool = False
    """it is to be told what the answer rests on"""


@dataclass(slots=True)
class Dispatcher:
    """Asks commands of the stored market. ``clock``: UTC seconds; ``home``, ``language``: of the environment."""

    store: Store
    commands: Sequence[Command]
    clock: Callable[[], int]
    home: str | None = None
    language: str | None = None
    catalog: Catalog = field(default_factory=load_catalog)
    endpoints: Callable[[], Endpoints] | None = None
    site: Callable[[], str | None] | None = None
    turns: FairQueue = field(default_factory=lambda: FairQueue(AT_ONCE))
    usage: Usage = field(init=False)

    def __post_init__(self) -> None:
        self.usage = Usage(self.store, self.clock)

    @asynccontextmanager
    async def query_context(
        self, asker: Asker | None = None, request: Request | None = None, *, default: str | None = None
    ) -> AsyncIterator[QueryContext]:
        """A query on one snapshot of the store.

        ``default``: the language of a question that a person typed, where neither they nor their team say one; None
        where no person did, and numbers are written as programs write them.
        """
        async with self.store.reader() as reader:
            now = self.clock()  # after the snapshot was taken: nothing in it is of later
            said = NOTHING_SAID if asker is None else await reader.said_by(asker)
            own, team = said.own, said.team
            yield QueryContext(
                reader=reader,
                catalog=self.catalog,
                now=now,
                home=own.over(team).home or self.home,
                commands=self.commands,
                asker=None if asker is None else raised(asker.by_platform, managers_of(said.settings)),
                own=own,
                team=team,
                settings=said.settings,
                environment=Preferences(language=self.language, home=self.home),
                spent_until=await reader.spent_until(now),
                request=request,
                language=None if default is None else language_of(asker, own, team, default),
                write=partial(self.store.writer, beside=True),
                endpoints=self.endpoints,
                site=self.site,
            )

    async def answer(
        self,
        question: Question,
        asker: Asker | None = None,
        *,
        waiter: Waiter = ANYBODY,
        request: Request | None = None,
        default: str | None = "en",
        on_snapshot: OnSnapshot = lambda query: None,
    ) -> Answered:
        """The answer to a question, from one snapshot of the store; raises the tree of :mod:`analytics.errors`.

        In chat (``asker``) the role must permit it, and what was not said is taken from the asker's preferences.
        Elsewhere ``waiter`` says whose turn it takes. ``default``: as for ``query_context``. ``on_snapshot`` is told
        the query before any of these errors.
        """
        asked = behind_why(question, self.commands) if isinstance(question, str) else None
        question = question if asked is None else asked
        try:
            command, said = self._called(question)
        except AskError:  # who asked hears of it in a language that only the store knows
            async with self.query_context(asker, default=default) as query:
                on_snapshot(query)
            raise
        async with (
            self._turn(command, asker, waiter),
            self.query_context(asker, request, default=default) as query,
        ):
            on_snapshot(query)
            is_gpu = gpu_test(self.catalog, await query.known() if takes_models(command) else ())
            given = said if isinstance(said, Mapping) else self._assign(command, said, is_gpu)
            if isinstance(question, FilledForm):
                _check_permitted(command, query.asker)
                given = await changed(command, question, given, query)
            try:
                found = await self._ask(command, given, query, is_gpu)
            except AskError as error:
                error.instead = error.instead or self._instead(error, command, given, is_gpu, query)
                error.remarks = _each_once(query.remarks)
                raise
        line = "" if command.acts else self._line(command, given, is_gpu, question, query)
        return Answered(command, found, line, _each_once(query.remarks), asked is not None)

    async def open_form(
        self, line: str, asker: Asker, *, default: str = "en", on_snapshot: OnSnapshot = lambda query: None
    ) -> OpenForm:
        """The sheet on which a line's command can be asked, with what holds now; raises as ``answer`` does."""
        command, said = self._called_by(line)
        async with self.query_context(asker, default=default) as query:
            on_snapshot(query)
            _check_permitted(command, query.asker)
            is_gpu = gpu_test(self.catalog, await query.known() if takes_models(command) else ())
            return await open_form(command, line, assign(command, said, is_gpu), query)

    def _line(
        self,
        command: Command,
        given: Mapping[str, str],
        is_gpu: IsGpu,
        question: Question,
        query: QueryContext,
    ) -> str:
        """What asks the same again, in whatever language it is read: whoever presses a button may have another.

        Where nobody presses buttons, it is what was typed.
        """
        if query.asker is None:
            return question.strip() if isinstance(question, str) else ""
        texts = _plainly(command, given, query)
        typed = question.strip() if isinstance(question, str) and texts == given else None
        return line_for(command, texts, lambda text: read(text, self.commands, is_gpu), typed)

    def _assign(self, command: Command, words: Sequence[str], is_gpu: IsGpu) -> dict[str, str]:
        """Which word belongs to which parameter; where that is not understood, the words may ask something plainly."""
        try:
            return assign(command, words, is_gpu)
        except AskError as error:
            error.instead = error.instead or dict(instead_of([*command.name.split(), *words], self.commands, is_gpu))
            raise

    def _instead(
        self, error: AskError, command: Command, given: Mapping[str, str], is_gpu: IsGpu, query: QueryContext
    ) -> dict[str, str]:
        """The same question with each value that would do in place of the one that does not."""
        if error.about is None or query.asker is None or "," in given.get(error.about, ""):
            return {}
        texts = _plainly(command, given, query)

        def line(value: str) -> str:
            return line_for(command, {**texts, str(error.about): value}, lambda text: read(text, self.commands, is_gpu))

        return {value: line(value) for value in error.suggestions[:OFFERED_INSTEAD]}

    def _called(self, question: Question) -> tuple[Command, Sequence[str] | Mapping[str, str]]:
        if isinstance(question, FilledForm):
            return self._called_by(question.line)
        return self._called_by(question) if isinstance(question, str) else question

    def command_of(self, line: str) -> Command:
        """The command that a line calls, also behind "why"; raises AskError where it calls none."""
        return self._called_by(behind_why(line, self.commands) or line)[0]

    def _called_by(self, line: str) -> tuple[Command, Sequence[str]]:
        """The command of a line, before the store is asked: of models, those that are listed are known."""
        return called(line, self.commands, gpu_test(self.catalog, ()))

    def _turn(self, command: Command, asker: Asker | None, waiter: Waiter) -> AbstractAsyncContextManager[None]:
        """A turn for what is computed. What acts may wait for the database, and must not keep questions waiting."""
        if command.acts or not _permitted(command, asker):
            return nullcontext()
        return self.turns.turn(waiter if asker is None else asker.waiter)

    async def _ask(self, command: Command, given: Mapping[str, str], query: QueryContext, is_gpu: IsGpu) -> Any:
        _check_permitted(command, query.asker)
        values = await convert(command, with_preferences(command, given, query, is_gpu), query)
        self._remember(command, values)
        try:
            return await command.ask(query, **values)
        except NotYet:
            query.remarks.extend(await _what_would_do(command, values, query))
            raise

    async def ask(
        self,
        command: Command,
        given: Mapping[str, str],
        asker: Asker | None = None,
        *,
        waiter: Waiter = ANYBODY,
        request: Request | None = None,
    ) -> Any:
        """The answer to a program's question: a command, and its parameters as texts; as data alone."""
        return (await self.answer((command, given), asker, waiter=waiter, request=request, default=None)).answer

    async def ask_line(self, line: str, language: str = "en") -> tuple[Command, Any]:
        """The command that a line of text in this language calls, and its answer."""
        answered = await self.answer(line, default=language)
        return answered.command, answered.answer

    async def line_reader(self) -> ReadLine:
        """Reads lines with the models that are known now."""
        async with self.query_context() as query:
            is_gpu = gpu_test(self.catalog, await query.known())
        return lambda line: read(line, self.commands, is_gpu)

    async def read(self, line: str) -> tuple[Command, dict[str, str]]:
        """The command and the texts of its parameters in a line, not yet asked."""
        return (await self.line_reader())(line)

    def command(self, verb: str) -> Command:
        """The command of a verb."""
        return find_command(verb.split(), self.commands)[0]

    def _remember(self, command: Command, values: Mapping[str, Any]) -> None:
        self.usage.asked(_named(command, values))


def language_of(asker: Asker | None, own: Preferences, team: Preferences, default: str) -> str:
    """In which language somebody writes and reads: as they chose it where they ask, as they set it, as their platform
    says, as their team set it.
    """
    chosen, platform = (asker.chosen, asker.locale) if asker else (None, None)
    told = (chosen, own.language, platform, team.language)
    return next((tag for text in told if (tag := pick_language(text, ""))), default)


def _plainly(command: Command, given: Mapping[str, str], query: QueryContext) -> dict[str, str]:
    """Texts whose numbers every language reads alike."""
    params = {param.name: param for param in command.params}
    return {name: _plain(params[name], text, query) if name in params else text for name, text in given.items()}


def _plain(param: Param, text: str, query: QueryContext) -> str:
    return plain_numbers(text, query.numbers) if param.has_numbers else KINDS[param.kind].plain(text, query)


def _named(command: Command, values: Mapping[str, Any]) -> tuple[str, ...]:
    """The models that a question names."""
    found = [values[param.name] for param in command.params if KINDS[param.kind].names_models]
    return tuple(name for value in found if value for name in ((value,) if isinstance(value, str) else value))


OFFERS_WOULD_DO = "Of {models} only prices were imported. A file of offers would answer this, or polling."
NEWER_WOULD_DO = "The prices of {models} were imported. A file of newer ones would answer this, or polling."
ALL_ONLY_PRICES = "Only prices were imported. A file of offers would answer this, or polling."


async def _what_would_do(command: Command, values: Mapping[str, Any], query: QueryContext) -> list[Note]:
    """Where nothing but imported prices is known of the models that a question is about: which file would answer it."""
    named, rows = _named(command, values), await query.reader.models()
    alone = [row for row in rows if row.recorded_at is not None and (command.prices_do or row.last_good_at is None)]
    recorded = [row.name for row in alone if row.name in named]
    if recorded:
        return [Note(NEWER_WOULD_DO if command.prices_do else OFFERS_WOULD_DO, {"models": recorded})]
    nothing_else = bool(rows) and all(row.last_good_at is None for row in rows)
    if named or command.prices_do or not nothing_else or not any(row.recorded_at for row in rows):
        return []
    return [Note(ALL_ONLY_PRICES)]


def _each_once(notes: Sequence[Note]) -> tuple[Note, ...]:
    return tuple(note for n, note in enumerate(notes) if note not in notes[:n])


def _permitted(command: Command, asker: Asker | None) -> bool:
    return asker is None or permits(asker.role, command.role)


def _check_permitted(command: Command, asker: Asker | None) -> None:
    if not _permitted(command, asker):
        raise Refused(Note("{command} is for a {role} of this workspace", _who(command)))


def _who(command: Command) -> dict[str, Any]:
    return {"command": command.name, "role": Note(command.role or "nobody")}


def with_preferences(
    command: Command, given: Mapping[str, str], query: QueryContext, is_gpu: IsGpu
) -> Mapping[str, str]:
    """What was given, and where nothing was, the asker's preferences: models and the time zone.

    What was typed is refused where it is not known; what was not typed now is passed over, and that is said.
    """
    if query.asker is None or command.acts:
        return given
    filled = dict(given)
    for param in command.params:
        if filled.get(param.name, "").strip():
            continue
        if param.kind == "gpus" or (param.kind == "gpu" and param.required):
            gpus = _known_models(query, is_gpu)
            filled[param.name] = ",".join(gpus if param.kind == "gpus" else gpus[:1])
        elif param.name == "tz":
            filled[param.name] = query.zone()
    return filled


def _known_models(query: QueryContext, is_gpu: IsGpu) -> Sequence[str]:
    unknown = [name for name in query.preferences.gpus if not is_gpu(name)]
    query.remarks.extend(Note(UNKNOWN_MODEL, {"gpu": name[:SHOWN]}) for name in unknown)
    return [name for name in query.preferences.gpus if name not in unknown]
