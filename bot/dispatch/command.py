"""What a command is. Every face (console, HTTP, Slack, Discord) is generated from these declarations."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from analytics.catalog import Catalog, resolve
from analytics.errors import Refused
from analytics.evidence import Basis, Note
from analytics.market import HOUR, Quality, Quote, Scope
from analytics.quantities import PLAIN, NumberFormat
from bot.access import READ
from bot.accounts import NO_PREFERENCES, Asker, Preferences, Role
from bot.presentation.card import Card
from bot.presentation.words import NUMBERS, Words
from bot.zones import UTC, find_zone

if TYPE_CHECKING:
    from bot.store.reader import ModelRow, Reader
    from bot.store.team_settings import TeamSetting
    from bot.store.writer import Writer
    from bot.webhooks.endpoints import Endpoints

Method = Literal["GET", "POST", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class Param:
    """One argument of a command. ``name`` is its name on every face and in the query string."""

    name: str
    kind: str
    """one of :data:`bot.dispatch.kinds.KINDS`"""
    help: str
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    suggest: tuple[str, ...] = ()
    """values worth offering where the face can complete (models are offered from the market)"""
    offers: Literal["gpus", "llms"] | None = None
    """what else is offered of a text: models of the market, several with commas; language models of the catalogue"""
    positional: bool = True
    """may be given without its name in free text"""
    aliases: tuple[str, ...] = ()
    """other names that people give it"""
    inner: tuple[str, ...] = ()
    """names whose ``name=value`` words are part of its text"""
    leads: tuple[str, ...] = ()
    """first words of its text that may come before the models"""
    has_numbers: bool = False
    """its text has numbers, written as the asker's language writes them"""
    joins: tuple[str, ...] = ()
    """words that belong to a number before them: ``7 B``"""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that may be sent twice: the name its sender gave it, and a digest of what it says."""

    name: str
    digest: str


UNKNOWN_ZONE = "the time zone “{tz}” of your settings or your profile is not known; times are in {used}"

SHOWN = 40
"""Characters that are repeated of what is not known."""


@dataclass(frozen=True, slots=True)
class QueryContext:
    """What a command may ask: the stored market at one instant, the catalogue, and who asks, from where."""

    reader: Reader
    catalog: Catalog
    now: int
    home: str | None = None
    commands: Sequence[Command] = ()
    asker: Asker | None = None
    """None outside of chat"""
    own: Preferences = NO_PREFERENCES
    """what the asker said"""
    team: Preferences = NO_PREFERENCES
    """what the asker's team said"""
    settings: Mapping[str, TeamSetting] = field(default_factory=dict)
    """what the asker's team set besides preferences, by name"""
    environment: Preferences = NO_PREFERENCES
    """what the environment says for all"""
    spent_until: int | None = None
    """when the market gives rows again, if none are left today"""
    request: Request | None = None
    """which request acts, where it may be sent twice"""
    write: Callable[[], AbstractAsyncContextManager[Writer]] | None = None
    """a transaction of its own, for commands that act"""
    remarks: list[Note] = field(default_factory=list)
    """what is to be said beside the answer: how the question was taken, what of a profile cannot be followed"""
    language: str | None = None
    """in which the question is written, one of :data:`bot.presentation.words.LOCALES`; None where nobody typed it"""
    endpoints: Callable[[], Endpoints] | None = None
    """what seals and checks endpoints of webhooks, in processes that may add some"""
    site: Callable[[], str | None] | None = None
    """the address of the web pages, without a slash at its end; None where nobody knows it"""

    def writing(self) -> AbstractAsyncContextManager[Writer]:
        """The transaction of a command that acts; raises Refused in a process that cannot write."""
        if self.write is None:
            raise Refused(Note("this process cannot write"))
        return self.write()

    @property
    def numbers(self) -> NumberFormat:
        """How the numbers of the question are written."""
        return NUMBERS[self.language] if self.language else PLAIN

    @property
    def preferences(self) -> Preferences:
        """The asker's, completed by the team's."""
        return self.own.over(self.team)

    def zone(self) -> str:
        """The first time zone that the asker, the team and the asker's profile name and that there is; else UTC."""
        named = [name for name in (self.own.tz, self.team.tz, self.asker.tz if self.asker else None) if name]
        used = next((name for name in named if find_zone(name) is not None), UTC)
        for name in itertools.takewhile(lambda name: name != used, named):
            self.remarks.append(Note(UNKNOWN_ZONE, {"tz": name[:SHOWN], "used": used}))
        return used

    async def basis(self, models: Sequence[str]) -> Basis:
        """The age and extent of the polls of these models: the oldest latest poll, the longest history."""
        rows = [row for row in await self.reader.models() if row.name in models]
        return self.basis_of(rows, offers=await self.offers_of(models))

    async def priced(self, models: Sequence[str]) -> tuple[dict[str, Quote], Basis]:
        """The :meth:`prices` of these models, and their basis."""
        rows = [row for row in await self.reader.models() if row.name in models]
        quotes = await self.prices(models)
        return quotes, self.basis_of_prices(rows, offers=sum(quote.offers for quote in quotes.values()))

    async def prices(self, models: Sequence[str], scope: Scope = Scope.VERIFIED) -> dict[str, Quote]:
        """The price of each of these models, of its latest complete poll or newer as imported."""
        return {**await self.reader.quotes(models, scope=scope), **await self.reader.recorded_quotes(models)}

    def basis_of_prices(self, rows: Sequence[ModelRow], *, offers: int = 0) -> Basis:
        """As :meth:`basis_of`, with imported prices that are newer than polls: for answers that need no offers."""
        known = [_as_polled(row) for row in rows]
        recorded = tuple(row.name for row in rows if row.recorded_at is not None)
        return replace(self.basis_of(known, offers=offers), recorded=recorded)

    async def offers_of(self, models: Sequence[str]) -> int:
        """Free verified minimal slices at the latest complete polls: as ``monitor`` shows them, in every answer."""
        return sum(quote.offers for quote in (await self.reader.quotes(models)).values())

    def basis_of(self, rows: Sequence[ModelRow], *, offers: int = 0) -> Basis:
        """The same from rows already read."""
        polled = [row for row in rows if row.last_good_at is not None]
        return Basis(
            now=self.now,
            as_of=min((row.last_good_at for row in polled if row.last_good_at is not None), default=None),
            interval=max((row.interval for row in polled), default=0),
            first_at=min((row.first_hour * 3600 for row in polled if row.first_hour is not None), default=None),
            offers=offers,
            failing=bool(polled) and all(row.last_quality is Quality.FAILED for row in polled),
            capped=bool(rows) and all(row.last_quality is Quality.CAPPED for row in rows),
            spent_until=self.spent_until,
        )

    async def seen_until(self, models: Sequence[str] | None = None) -> int:
        """The newest complete poll of these models, or of all, or else the newest price that was imported: "the last
        30 days" of a stored market end here.

        Now, where there is none. Asking "up to now" would find nothing in a market that was recorded last month.
        """
        rows = [row for row in await self.reader.models() if models is None or row.name in models]
        polled = [row.last_good_at for row in rows if row.last_good_at is not None]
        return max(polled or [row.recorded_at for row in rows if row.recorded_at is not None], default=self.now)

    async def known(self) -> tuple[str, ...]:
        """Every model that the store has seen, busiest first."""
        return tuple(row.name for row in await self.reader.models())

    async def with_prices(self, models: Sequence[str]) -> tuple[str, ...]:
        """Those of these models of which a complete poll, or else an imported price, is stored."""
        priced = {row.name for row in await self.reader.models() if row.priced_at is not None}
        return tuple(model for model in models if model in priced)

    async def resolve(self, text: str) -> tuple[str, ...]:
        """The models a typed name may mean, the store's own first; raises NotFound with suggestions."""
        return resolve(text, self.catalog, await self.known())


def _as_polled(row: ModelRow) -> ModelRow:
    """A model with imported prices that are newer than its polls, as if it had been polled each hour."""
    return row if row.recorded_at is None else replace(row, last_good_at=row.recorded_at, interval=HOUR)


@dataclass(frozen=True, slots=True)
class Form:
    """Some parameters of a command on a sheet with their present texts; what is sent back unchanged is not given."""

    labels: Mapping[str, str]
    """what each parameter is called there; at most five, of 45 letters: chats show no more"""
    current: Callable[[QueryContext, Mapping[str, str]], Awaitable[Mapping[str, str]]]
    """their texts now, of what the other parameters (``given``) name; raises AskError where there is no such thing"""
    cleared: Mapping[str, str]
    """what an emptied field says; a parameter that is not here must be filled"""
    is_new: bool = False
    """nothing holds yet: its texts are proposed, and given also where they are sent back unchanged"""


Ask = Callable[..., Awaitable[Any]]
"""``async ask(query, **params) -> answer``: a frozen dataclass whose fields are the JSON of the HTTP API."""


@dataclass(frozen=True, slots=True)
class Command:
    """A question, declared once."""

    name: str
    """the chat verb: ``/spot <name>``; two words make a group: ``/spot settings me``"""
    summary: str
    """one line, English; the translation key"""
    path: str | None
    """HTTP path; ``{name}`` places are params. None: only for people in chat"""
    params: tuple[Param, ...]
    ask: Ask
    card: Callable[[Any, Words], Card]
    examples: tuple[str, ...]
    """what to type after ``/spot``; each runs on the demo"""
    role: Role | None = None
    """who may use it in chat; None: nobody"""
    method: Method = "GET"
    """how HTTP calls it; anything but GET changes something"""
    scope: str = READ
    """what an API key must be good for"""
    idempotency: bool = False
    """whether HTTP's header Idempotency-Key makes of a request that is sent twice one act"""
    prices_do: bool = False
    """whether prices alone answer it, without the offers behind them: then those that were imported do too"""
    form: Form | None = None
    """how it can be asked on a sheet that shows what holds now"""
    group_default: bool = False
    """is meant where its group's name is followed by none of the group's verbs: ``alert 4090 < 0.35``"""

    @property
    def acts(self) -> bool:
        """Whether it changes something, so that a doubled request must be recognised as one."""
        return self.method != "GET"

    @property
    def shared(self) -> bool:
        """Whether its answer is the same for everybody."""
        return self.scope == READ and not self.acts
