"""The demo's chat: questions and alerts as they would stand in a channel, with what each platform would be sent.

One person at this machine uses it, so what is said is kept here for all open pages, as a channel keeps it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from analytics.market import Quote, usd
from bot.dispatch.completion import Completion
from bot.dispatch.offers import KnownModels
from bot.dispatch.reply import Reply, actions
from bot.dispatch.verbs import MAX_LINE
from bot.faces.web.chat_views import Preview, chat_html
from bot.faces.web.rendering import render
from bot.faces.web.seen import HEADERS, Route, Seen
from bot.faces.web.site import Site
from bot.outbox.sender import Delivered, Delivery, Message, Receipt
from bot.presentation.card import Card, Chart
from bot.presentation.chart import Theme
from bot.presentation.words import Words

if TYPE_CHECKING:
    from bot.presentation.gallery import Gallery

KEPT = 60
"""Messages that stay; older ones scroll out."""

CHANGES = 24
"""Changes of the market that are listed."""

PATH = "/play"

LINE_ID = re.compile("[0-9]{1,15}")
PAGE_NUMBER = re.compile("[0-9]{1,4}")

FIRST = ("monitor", "predict {gpu}")
"""What is asked for who comes first: the market, and its busiest model with a chart."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message: who wrote it, and its card as a page and as each platform would show it."""

    id: int
    by: str
    """``you``, ``spotbot``, or ``alert``"""
    line: str
    card: str = ""
    """HTML"""
    previews: tuple[tuple[str, str, str], ...] = ()
    """platform, HTML as it would look there, and the JSON that it would be sent"""


@dataclass(frozen=True, slots=True)
class Change:
    """A figure that a round moved; texts."""

    at: str
    model: str
    what: str
    before: str
    after: str


@dataclass(slots=True)
class Playground:
    """The chat page. It is also a :class:`bot.outbox.sender.Sender`: what nobody asked for arrives here too."""

    site: Site
    previews: Mapping[str, Preview]
    gallery: Gallery
    said: deque[Said] = field(default_factory=lambda: deque(maxlen=KEPT))
    changes: deque[Change] = field(default_factory=lambda: deque(maxlen=CHANGES))
    _quotes: Mapping[str, Quote] = field(default_factory=dict)
    _charts: dict[str, tuple[Chart, str]] = field(default_factory=dict)
    _count: int = 0
    _drawn: int = 0
    _known: KnownModels = field(init=False)
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _answering: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._known = KnownModels(self.site.dispatcher)
        self._count = self.site.dispatcher.clock()  # so that a page from before a restart sees what comes after it

    @property
    def routes(self) -> list[Route]:
        """Path, methods and handler of each page."""
        handlers = (
            (PATH, "GET", self._page),
            (f"{PATH}/say", "POST", self._say),
            (f"{PATH}/messages", "GET", self._messages),
            (f"{PATH}/changes", "GET", self._changed),
            (f"{PATH}/complete", "GET", self._complete),
            (f"{PATH}/pictures/{{name}}", "GET", self._picture),
        )
        return [(path, [method], self.site.handler(handler)) for path, method, handler in handlers]

    # -- what is said

    async def send(self, message: Message) -> Delivery:
        """Show a message that nobody asked for, such as an alert. Edits and removals are made where it stands."""
        words = Words(message.language, self.site.dispatcher.clock())
        earlier = message.remove or message.edit
        there = None if earlier is None else next((one for one in self.said if str(one.id) == earlier.message), None)
        if message.remove is not None:
            if there is not None:
                self.said.remove(there)
                self.site.events.publish("edited", str(there.id))
            return Delivered(message.remove)
        if there is not None and message.edit is not None:
            self.said[self.said.index(there)] = self._made(there.id, "alert", Reply(message.card, words), message.card)
            self.site.events.publish("edited", str(there.id))
            return Delivered(message.edit)
        self._add("alert", Reply(message.card, words), message.card)
        return Delivered(Receipt("playground", str(self._count)))

    async def _say(self, seen: Seen) -> Response:
        texts = await seen.sent()
        line = texts.get("line", "").strip()[: MAX_LINE + 1].removeprefix("/spot ")
        first = self._count
        if line:
            number = texts.get("page", "0")
            async with self._answering:
                first = await self._answer(seen, line, int(number) if PAGE_NUMBER.fullmatch(number) else 0)
        if seen.request.headers.get("x-requested-with") == "fetch":
            return Response(status_code=204, headers=HEADERS)
        return RedirectResponse(f"{PATH}#m{first}", 303)

    async def _answer(self, seen: Seen, line: str, number: int = 0) -> int:
        """Say a line and its answer; gives the id of the first."""
        self._count += 1
        said = Said(self._count, "you", line)
        self.said.append(said)
        shown = await self.site.reply(seen, line)
        chat = replace(shown.card, actions=(*shown.card.actions, *actions(shown.words, shown.line)))
        self._add("spotbot", shown, chat, number, csrf=seen)
        return said.id

    def _add(self, by: str, shown: Reply, chat: Card, number: int = 0, *, csrf: Seen | None = None) -> None:
        """Keep a message; ``chat``: its card as chats show it, page by page, with the buttons of every answer."""
        self._count += 1
        self.said.append(self._made(self._count, by, shown, chat, number, csrf=csrf))
        self.site.events.publish("message", str(self._count))

    def _made(self, id_: int, by: str, shown: Reply, chat: Card, number: int = 0, *, csrf: Seen | None = None) -> Said:
        pictures = self._pictures(chat, shown.words)
        previews = []
        for name, preview in self.previews.items():
            payload = preview(chat, shown.words, shown.line, number)
            text = json.dumps(payload, indent=2, ensure_ascii=False)
            previews.append((name, chat_html(name, payload, pictures), text))
        card = self.site.card_html(shown, csrf.visitor.csrf if csrf else "")
        return Said(id_, by, shown.line, card, tuple(previews))

    def _pictures(self, card: Card, words: Words) -> dict[str, str]:
        """Addresses of a card's charts by the names that payloads give them."""
        found: dict[str, str] = {}
        for n, chart in enumerate(card.charts, 1):
            self._drawn += 1  # what is edited has a new picture
            name = f"{self._count}-{self._drawn}"
            self._charts[name] = (chart, words.language)
            address = f"{PATH}/pictures/{name}.png"
            found |= {f"chart{n}": address, f"chart{n if n > 1 else ''}.png": address}
        while len(self._charts) > 2 * KEPT:
            del self._charts[next(iter(self._charts))]
        return found

    async def _messages(self, seen: Seen) -> Response:
        """The messages after the one that a page has last, or the one that was edited."""
        after, only = seen.said.get("after", "0"), seen.said.get("only", "")
        last = int(after) if LINE_ID.fullmatch(after) else 0
        wanted = [one for one in self.said if (str(one.id) == only if only else one.id > last)]
        return self._fragment("messages.html", seen, said=wanted)

    # -- the market beside it

    async def _changed(self, seen: Seen) -> Response:
        async with self._looking:
            await self._look(seen.words)
        return self._fragment("changes.html", seen, changes=list(self.changes))

    async def _look(self, words: Words) -> None:
        """Note what moved since the last look."""
        async with self.site.dispatcher.query_context() as query:
            quotes = await query.reader.quotes(await query.known())
        at = dt.datetime.fromtimestamp(query.now, dt.UTC).strftime("%H:%M:%S")
        for model, quote in quotes.items():
            before = self._quotes.get(model, quote)
            for what, write, then, now in (
                ("price", words.money, usd(before.price), usd(quote.price)),
                ("floor", words.money, usd(before.floor), usd(quote.floor)),
                ("offers", words.number, before.offers, quote.offers),
            ):
                if then != now:
                    self.changes.appendleft(Change(at, model, what, write(then), write(now)))
        self._quotes = quotes

    # -- the page

    async def _page(self, seen: Seen) -> Response:
        async with self._looking:
            await self._look(seen.words)
        async with self._answering:
            if not self.said:  # who comes first sees what there is to see
                for line in FIRST:
                    await self._answer(seen, line.format(gpu=next(iter(seen.models), "")).rstrip())
        html = self.site.shell(
            "playground.html",
            seen,
            seen.words,
            title=seen.words("Playground"),
            live=True,
            said=list(self.said),
            changes=list(self.changes),
            platforms=list(self.previews),
            examples=[command.examples[0] for command in self.site.dispatcher.commands if command.path][:8],
        )
        return Response(html, headers=HEADERS, media_type="text/html")

    async def _complete(self, seen: Seen) -> Response:
        """How a line may go on: whole lines, as a browser's list of suggestions takes them."""
        dispatcher, line = self.site.dispatcher, seen.request.query_params.get("line", "")
        completion = Completion(dispatcher.commands, dispatcher.catalog, await self._known.read())
        lines = [line[: offer.start] + offer.text for offer in completion.offers(line)]
        return Response(json.dumps(lines), headers=HEADERS, media_type="application/json")

    async def _picture(self, seen: Seen) -> Response:
        name = seen.request.path_params["name"].removesuffix(".png")
        if name not in self._charts:
            raise HTTPException(404, "this picture is gone")
        chart, language = self._charts[name]
        theme: Theme = "dark" if seen.said.get("theme") == "dark" else "light"
        png = await self.gallery.png(chart, language=language, theme=theme)
        if png is None:
            raise HTTPException(503, "this picture cannot be drawn")
        return Response(png, headers={**HEADERS, "Cache-Control": "private, max-age=3600"}, media_type="image/png")

    def _fragment(self, template: str, seen: Seen, **values: Any) -> Response:
        html = render(template, words=seen.words, csrf=seen.visitor.csrf, **values)
        return Response(html, headers=HEADERS, media_type="text/html")
