"""Messages at fixed times in words: each is made of answers to questions when it is sent, so it is never old news."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from cachetools import FIFOCache

from analytics.answers.digest import Market
from analytics.errors import AskError
from analytics.market import HOUR
from bot.accounts import NO_PREFERENCES, Asker, Preferences
from bot.alerts.messages import AlertMessages
from bot.commands.digests.card import card as digest_card
from bot.commands.digests.now import PERIODS, digest, market
from bot.commands.schedules import dashboard_cards
from bot.commands.schedules.dashboard_cards import Found
from bot.dispatch.command import QueryContext
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.why import shortened
from bot.fair_queue import Waiter
from bot.outbox.drafts import Draft, Rendered
from bot.outbox.sender import Address
from bot.presentation.card import Card, Chart
from bot.presentation.error_cards import error_card
from bot.presentation.words import Words, pick_language
from bot.schedules.descriptions import VIEWS, asked_now, local_clock, wall_clock
from bot.schedules.producing import DASHBOARD, DIGEST, REMOVED
from bot.schedules.specs import DashboardSpec, DigestSpec, Spec, View, load
from bot.store.schedules import ScheduleRow

TURNED_OFF = "it was turned off"
NOTHING_HAPPENED = "nothing happened"
ANEW = "A new message, because the chat took no more edits of the last one; this comes once a day at most."

MARKETS_KEPT, MINUTE = 16, 60
"""Parts of digests that are told to more than one team, and for how many seconds (ours)."""

CHARTS_KEPT = 256
"""Pictures that are shown again within their hour: each new one is a file more in a workspace, 288 a day at most,
and a chart of a week shows no more after five minutes."""

Reach = Literal["all", "first", "each"]
"""Whether an answer is about all models at once, the first of them, or one after the other."""


@dataclass(frozen=True, slots=True)
class Panel:
    """An answer on a dashboard, and by which parameter it is told its models."""

    verb: str
    param: str
    reach: Reach
    zoned: bool = False
    """its times are those of a zone"""


VIEW_PANELS: Mapping[View, tuple[Panel, ...]] = {
    "market": (Panel("monitor", "gpu", "all"), Panel("history", "gpu_name", "first")),
    "reliability": (
        Panel("interruptions", "gpu", "all"),
        Panel("windows", "gpu_name", "first", zoned=True),
        Panel("reliability", "gpu", "first"),
    ),
    "cost": (Panel("predict", "gpu_name", "each"), Panel("savings", "gpu", "each")),
}
"""The same answers as on the pages of these names, as many as one message has room for."""


@dataclass(slots=True)
class Messages:
    """Renders whatever the outbox holds: what alerts say, and what comes at fixed times."""

    dispatcher: Dispatcher
    language: str
    """where neither the person nor the team says one"""
    _markets: FIFOCache[Hashable, Market] = field(default_factory=lambda: FIFOCache(MARKETS_KEPT))
    _charts: FIFOCache[Hashable, tuple[Chart, ...]] = field(default_factory=lambda: FIFOCache(CHARTS_KEPT))

    async def render(self, draft: Draft) -> Rendered:
        """The message of a draft."""
        kind = draft.events[0].kind
        if kind == REMOVED:
            return Rendered(Card("", ""))
        if kind in (DASHBOARD, DIGEST):
            return await self._scheduled(draft)
        return await AlertMessages(self.dispatcher.store, self.dispatcher.clock, self.language).render(draft)

    async def _scheduled(self, draft: Draft) -> Rendered:
        payload = draft.events[0].payload
        async with self.dispatcher.store.reader() as reader:
            row = await reader.schedules.by_id(payload["schedule"])
            team = await reader.preferences(_reader_of(draft.address))
        if row is None:
            return Rendered(None, withheld=TURNED_OFF)
        spec = load(row)
        words = Words(_language(spec, draft.address, team, self.language), self.dispatcher.clock())
        if isinstance(spec, DigestSpec):
            return await self._digest(draft, row, spec, payload, words)
        card = await self._dashboard(row, spec, words)
        if payload.get("anew"):
            card = replace(card, notes=(words(ANEW), *card.notes))
        return Rendered(replace(card, charts=() if draft.plain else card.charts), words.language, pin=True)

    async def _digest(
        self, draft: Draft, row: ScheduleRow, spec: DigestSpec, payload: Mapping[str, Any], words: Words
    ) -> Rendered:
        async with self.dispatcher.query_context(_asker(row)) as query:
            query = _in_zone(query, spec.zone)
            try:
                part = await self._market(query, spec, payload["since"])
                found = await digest(query, spec.gpus or None, spec.period, since=payload["since"], found=part)
                happened, card = found.happened, shortened(digest_card(found, words), found, asked_now(spec), words)
            except AskError as error:  # who waits for it hears why there is none
                happened, card = False, error_card(error, words)
        if spec.news_only and not happened:
            return Rendered(None, withheld=NOTHING_HAPPENED)
        late = (
            (words("Delayed: this was due at {at}.", at=local_clock(payload["at"], spec.zone)),) if draft.late else ()
        )
        return Rendered(
            replace(card, notes=(*late, *card.notes), charts=() if draft.plain else card.charts), words.language
        )

    async def _market(self, query: QueryContext, spec: DigestSpec, since: int | None) -> Market:
        """What digests of the same models and period share, of at most a minute ago: many come at nine."""
        minute = spec.gpus, spec.period, since, query.now // MINUTE
        if minute not in self._markets:
            begin = query.now - PERIODS[spec.period] * HOUR if since is None else since
            self._markets[minute] = await market(query, spec.gpus or None, begin)
        return self._markets[minute]

    async def _dashboard(self, row: ScheduleRow, spec: DashboardSpec, words: Words) -> Card:
        models = await self._models(spec)
        answers = {
            panel.verb: [await self._answer(row, panel, text, spec.zone) for text in _asked(panel, spec, models)]
            for panel in VIEW_PANELS[spec.view]
        }
        card = dashboard_cards.card(spec.view, Found(answers, models, spec.zone), words)
        title = words(VIEWS[spec.view])
        of_hour = spec.view, models[:1], spec.zone, words.language, words.now // HOUR
        return replace(
            card,
            charts=self._charts.setdefault(of_hour, card.charts) if card.charts else (),
            title=f"{title}: {spec.gpus[0]}" if len(spec.gpus) == 1 else title,
            footer="\n".join((card.footer, _rhythm(row, spec, words))),
        )

    async def _models(self, spec: DashboardSpec) -> tuple[str, ...]:
        """The models of answers about one: those that were named, else the busiest."""
        if spec.gpus:
            return spec.gpus[: dashboard_cards.SHOWN]
        async with self.dispatcher.query_context() as query:
            return tuple(await query.with_prices(await query.known()))[: dashboard_cards.SHOWN]

    async def _answer(self, row: ScheduleRow, panel: Panel, models: str, zone: str) -> Any | AskError:
        """An answer, or why there is none."""
        command = self.dispatcher.command(panel.verb)
        texts = {panel.param: models, **({"tz": zone} if panel.zoned else {})}
        try:
            waiter = Waiter(f"{row.owner.platform} {row.owner.team}", row.owner.person)
            return await self.dispatcher.ask(command, texts, waiter=waiter)
        except AskError as error:
            return error


def _asked(panel: Panel, spec: DashboardSpec, models: Sequence[str]) -> Sequence[str]:
    """The models of each question of a panel."""
    if panel.reach == "all":
        return (",".join(spec.gpus),)
    return models[:1] if panel.reach == "first" else models


def _rhythm(row: ScheduleRow, spec: DashboardSpec, words: Words) -> str:
    """When this was made, when it is made again, and how that ends."""
    due = spec.next_after(words.now, row.created_at)
    return words(
        "Updated {at}, next {next} ({zone}) · to end it: {line}",
        at=wall_clock(words.now, spec.zone, since=words.now),
        next=wall_clock(due, spec.zone, since=words.now),
        zone=spec.zone,
        line=f"dashboard off {row.public_id}",
    )


def _reader_of(address: Address) -> Asker:
    return Asker(address.platform, address.team, address.person)


def _language(spec: Spec, to: Address, said: tuple[Preferences, Preferences], default: str) -> str:
    mine, team = said
    found = spec.language or (mine.language if to.person else None) or team.language or default
    return pick_language(found, default)


def _asker(row: ScheduleRow) -> Asker:
    to = row.destination
    return Asker(to.platform, to.team, row.owner.person, to.channel, enterprise=to.enterprise)


def _in_zone(query: QueryContext, zone: str) -> QueryContext:
    """What is asked, in the time zone of a schedule whatever its maker has set since."""
    return replace(query, own=Preferences(tz=zone), team=NO_PREFERENCES)
