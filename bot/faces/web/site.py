"""The pages for browsers: dashboards, models, forms and single answers, all from the commands that every face asks.

A page is sent panel by panel as the answers come. What belongs to nobody in particular is made once for all who read
the same; what acts is a form that carries its visitor's secret.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from analytics.errors import AskError
from analytics.evidence import to_json
from bot.access import Quotas
from bot.dispatch.command import Command
from bot.dispatch.command import Request as RepeatableRequest
from bot.dispatch.dispatcher import Dispatcher, Question, language_of
from bot.dispatch.forms import FilledForm
from bot.dispatch.reply import Reply, form, reply
from bot.dispatch.shared_answers import SharedAnswers
from bot.faces.web.acting import acting_menu, acting_routes
from bot.faces.web.assets import asset, assets
from bot.faces.web.cards import acts, card_view, without_offers
from bot.faces.web.dashboards import Dashboards
from bot.faces.web.fields import fields_of
from bot.faces.web.live import LiveEvents
from bot.faces.web.once import KEY_FIELD, KeptReplies, request_of
from bot.faces.web.pages import PAGES
from bot.faces.web.posted import own_path
from bot.faces.web.rendering import render
from bot.faces.web.seen import HEADERS, Handler, Route, Seen, address_of, bodiless, to_sign_in
from bot.faces.web.tables import table_csv
from bot.faces.web.visitors import CSRF_FIELD, LANGUAGE_COOKIE, Visitors, language_tag
from bot.presentation.problem_documents import of_question
from bot.presentation.words import LOCALES, Words, pick_language
from bot.store.errors import StoreError

log = structlog.get_logger()

YEAR = 31_536_000

NOT_BY_THIS_KEY = "the key that you signed in with is not good for this"

NOT_ON_PAGES = "this is asked in chat, not on a page"


@dataclass(slots=True)
class Site:
    """Serves the pages over a dispatcher's commands. ``more``: entries of the menu that are somebody else's pages."""

    dispatcher: Dispatcher
    visitors: Visitors
    more: Sequence[tuple[str, str]] = ()
    """title and path"""
    signs_in: bool = True
    """visitors sign in and out; else everybody here is the same person"""
    home: str = "/dash/market"
    """where one who comes without an address is led"""
    quotas: Quotas = field(default_factory=lambda: Quotas(time.monotonic))
    """how often each visitor may ask; a key has one bucket for these pages and the API"""
    extra: list[Route] = field(default_factory=list)
    """pages of others within this frame"""
    shared: SharedAnswers = field(init=False)
    events: LiveEvents = field(init=False)
    kept: KeptReplies = field(init=False)
    names: frozenset[str] = field(init=False)
    """the models of the catalogue"""

    def __post_init__(self) -> None:
        self.events = LiveEvents(self.dispatcher.store)
        self.names = frozenset(gpu.name for gpu in self.dispatcher.catalog.gpus)
        self.shared = SharedAnswers(self.dispatcher)
        self.kept = KeptReplies(self.dispatcher.clock)

    @property
    def routes(self) -> Sequence[Route]:
        """Path, methods and handler of each page."""
        return [
            ("/assets/{mark}/{name}", ["GET"], self.guarded(asset)),
            ("/", ["GET"], self.handler(self._home, counts=False)),
            *Dashboards(self).routes,
            ("/questions", ["GET"], self.handler(self._questions, counts=False)),
            ("/questions/{verb}", ["GET"], self.handler(self._question, counts=False)),
            ("/ask", ["GET"], self.handler(self._ask)),
            ("/ask", ["POST"], self.handler(self._act)),
            ("/ask.json", ["GET"], self.handler(self._json)),
            ("/ask.csv", ["GET"], self.handler(self._csv)),
            ("/form", ["GET"], self.handler(self._form)),
            ("/form", ["POST"], self.handler(self._filled)),
            ("/events", ["GET"], self.handler(self._events, counts=False)),
            ("/language", ["GET"], self.guarded(self._language)),
            *acting_routes(self),
            *self.extra,
        ]

    # -- around every page

    def handler(self, handler: Callable[[Seen], Awaitable[Response]], *, counts: bool = True) -> Handler:
        """A page for who signed in, with what a browser is told where it cannot be shown.

        ``counts``: each request is a question of the visitor's rate; else ``handler`` says what is one.
        """

        async def seeing(request: Request) -> Response:
            seen = await self.see(request)
            if seen is None:
                return to_sign_in(request)
            if counts:
                self.charge(seen)
            return await handler(seen)

        return self.guarded(seeing)

    def charge(self, seen: Seen) -> None:
        """Take one question of a visitor's rate; raises 429 where none is left."""
        if seen.visitor.bucket is None:
            return
        allowance = self.quotas.take(seen.visitor.bucket)
        if allowance.wait:
            raise HTTPException(429, "this is more than you may ask in a minute; try again soon", allowance.headers)

    async def see(self, request: Request) -> Seen | None:
        """Who asks and what every page needs to know; None where nobody signed in."""
        visitor = await self.visitors.of(request)
        if visitor is None:
            return None
        async with self.dispatcher.query_context(visitor.asker) as query:
            language = language_of(visitor.asker, query.own, query.team, self.dispatcher.language or "en")
            rows = await query.reader.models()
            models = tuple(row.name for row in rows)
            polled = tuple(row.name for row in rows if row.priced_at is not None)
            visitor = replace(visitor, asker=query.asker or visitor.asker)
            return Seen(request, visitor, Words(language, query.now), models, polled, query.preferences, query.zone())

    def guarded(self, handler: Handler) -> Handler:
        """What a browser is told where a page cannot be shown."""

        async def guarded(request: Request) -> Response:
            try:
                got = await handler(request)
                return bodiless(got) if request.method == "HEAD" else got
            except HTTPException as error:
                return self.refusal(request, error)
            except StoreError as error:
                log.warning("store_unavailable", error=str(error))
                return self.refusal(request, HTTPException(503, "The database is busy", {"Retry-After": "5"}))

        return guarded

    def refusal(self, request: Request, error: HTTPException) -> Response:
        """A page that says why there is no other, with a way back."""
        words = Words(pick_language(language_tag(request)), self.dispatcher.clock())
        body = self.shell("refused.html", None, words, title=words(error.detail), address=address_of(request))
        return Response(body, error.status_code, {**HEADERS, **(error.headers or {})}, "text/html")

    def shell(self, template: str, seen: Seen | None, words: Words, **values: Any) -> str:
        """A whole page: a template within the frame of all pages."""
        menu = [(words(page.title), page.path) for page in PAGES if page.in_menu]
        menu += [(words("Questions"), "/questions"), *(acting_menu(self, seen) if seen else ())]
        menu += [(words(title), path) for title, path in self.more]
        path = seen.request.scope["path"] if seen else ""
        address = (
            address_of(seen.request) if seen and seen.request.method != "POST" else values.get("here", path or "/")
        )
        return render(
            template,
            words=words,
            menu=menu,
            assets=assets(),
            languages=tuple(LOCALES),
            kiosk=seen is not None and seen.said.get("kiosk") == "1",
            csrf=seen.visitor.csrf if seen else "",
            models=seen.models if seen else (),
            llms=self._llms() if seen else (),
            signed_in=self.signs_in and seen is not None,
            **{"refresh": 0, "live": False, "here": path, "address": address, "settled": "", **values},
        )

    def _llms(self) -> tuple[str, ...]:
        return tuple(llm.name for llm in self.dispatcher.catalog.llms)

    # -- answers

    async def reply(self, seen: Seen, question: Question, request: RepeatableRequest | None = None) -> Reply:
        """The reply to a visitor's question. Whether the way in which they signed in is good for it: see ``check``."""
        asker, default = seen.visitor.asker, seen.words.language
        return await reply(self.dispatcher, asker, question, default=default, request=request)

    def check(self, seen: Seen, command: Command) -> None:
        """Raise 403 where the way in which a visitor signed in is not good for a command."""
        if not seen.visitor.may(command):
            raise HTTPException(403, NOT_ON_PAGES if seen.visitor.in_person else NOT_BY_THIS_KEY)

    def card(self, seen: Seen, shown: Reply, *, own: bool) -> str:
        """A reply as HTML. ``own``: it is this visitor's alone, so that what acts may be a form of theirs."""
        return self.card_html(shown, seen.visitor.csrf if own else "")

    def card_html(self, shown: Reply, csrf: str = "") -> str:
        """The same; ``csrf``: the secret of who sees it, where nobody else does."""
        return render("card.html", words=shown.words, card=card_view(shown, self.dispatcher, self.names), csrf=csrf)

    async def panel(self, seen: Seen, command: Command, texts: Mapping[str, str], *, offers: bool = True) -> str:
        """An answer as HTML; that to a question which all ask alike is made once."""
        self.check(seen, command)

        async def compute() -> bytes:
            shown = await self.reply(seen, (command, texts))
            return self.card(seen, shown if offers else without_offers(shown), own=not command.shared).encode()

        if not command.shared:
            return (await compute()).decode()
        return (await self.shared.get(_shared_key(seen, command, texts, offers=offers), compute)).decode()

    async def is_made(self, seen: Seen, command: Command, texts: Mapping[str, str], *, offers: bool = True) -> bool:
        """Whether a panel was made for all, or is being made, so that it costs nothing."""
        return command.shared and await self.shared.holds(_shared_key(seen, command, texts, offers=offers))

    async def _events(self, seen: Seen) -> Response:
        return self.events.response()

    async def _home(self, seen: Seen) -> Response:
        return RedirectResponse(self.home, 303)

    # -- single questions

    async def _questions(self, seen: Seen) -> Response:
        asked = [command for command in self.dispatcher.commands if command.path and command.shared]
        items = [(command.name, seen.words(command.summary), command.examples) for command in asked]
        return self._html(seen, "questions.html", title=seen.words("Questions"), items=items)

    async def _question(self, seen: Seen) -> Response:
        """A command as a form, with its answer where enough is said; the address of the result can be passed on."""
        name = seen.request.path_params["verb"].replace("-", " ")
        command = next((one for one in self.dispatcher.commands if one.name == name and not one.acts), None)
        if command is None:
            raise HTTPException(404, "there is no such question")
        said = {param.name: seen.said[param.name] for param in command.params if param.name in seen.said}
        enough = all(param.name in said for param in command.params if param.required)
        if enough and not await self.is_made(seen, command, said):
            self.charge(seen)
        html = await self.panel(seen, command, said) if enough else ""
        if seen.said.get("panel"):
            return Response(html, headers=HEADERS, media_type="text/html")
        fields = fields_of(command, said, seen.words)
        title = seen.words(command.summary)
        return self._html(seen, "question.html", title=title, fields=fields, html=html)

    async def _ask(self, seen: Seen) -> Response:
        """The answer to a line; a line that acts is shown with a button, for a link must not act."""
        line = seen.said.get("line", "")
        if acts(line, self.dispatcher):
            return self._html(seen, "confirm.html", title=seen.words("Do this?"), line=line)
        return await self._shown(seen, line)

    async def _act(self, seen: Seen) -> Response:
        """The answer to a line that was sent by a form."""
        said = await seen.sent()
        return await self._shown(seen, said.get("line", ""), said)

    async def _shown(self, seen: Seen, line: str, sent: Mapping[str, str] | None = None) -> Response:
        """The answer; ``sent``: a form, of which the same is done once."""
        self.check_line(seen, line)
        request = request_of(sent or {}, {"line": line})
        shown = await self.kept.reply(seen, sent or {}, lambda: self.reply(seen, line, request))
        html = self.card(seen, shown, own=True)
        return self._html(seen, "answer.html", title=shown.card.title, html=html, line=line)

    def check_line(self, seen: Seen, line: str) -> None:
        """Raise 403 where a line's command is not for this visitor; a line that calls none is answered as in chat."""
        try:
            command = self.dispatcher.command_of(line)
        except AskError:
            return
        self.check(seen, command)

    async def _json(self, seen: Seen) -> Response:
        try:
            answer = await self._data(seen)
        except AskError as error:
            return _problem(error)
        return Response(to_json(answer), headers=HEADERS, media_type="application/json")

    async def _csv(self, seen: Seen) -> Response:
        try:
            text = table_csv(await self._data(seen), seen.said.get("table", ""))
        except AskError as error:
            return _problem(error)
        if text is None:
            raise HTTPException(404, "this answer has no such table")
        name = f"attachment; filename*=UTF-8''{quote(seen.said['table'])}.csv"
        return Response(text, headers={**HEADERS, "Content-Disposition": name}, media_type="text/csv; charset=utf-8")

    async def _data(self, seen: Seen) -> Any:
        line = seen.said.get("line", "")
        if acts(line, self.dispatcher):
            raise HTTPException(405, "a link must not change anything", {"Allow": "POST"})
        self.check_line(seen, line)
        asked = await self.dispatcher.answer(line, seen.visitor.asker, default=seen.words.language)
        return asked.answer

    # -- sheets

    async def _form(self, seen: Seen) -> Response:
        """A command's sheet, with what holds now."""
        line = seen.said.get("line", "")
        self.check_line(seen, line)
        opened = await form(self.dispatcher, seen.visitor.asker, line, default=seen.words.language)
        if isinstance(opened, Reply):
            html = self.card(seen, opened, own=True)
            return self._html(seen, "answer.html", title=opened.card.title, html=html, line=line)
        sheet, words = opened
        title = words(sheet.command.summary)
        return self._html(seen, "form.html", title=title, sheet=sheet, typed={}, html="", href="/form", back="")

    async def _filled(self, seen: Seen) -> Response:
        sent = await seen.sent()
        hidden = {CSRF_FIELD, KEY_FIELD, "line", "version"}
        line, texts = sent.get("line", ""), {name: text for name, text in sent.items() if name not in hidden}
        self.check_line(seen, line)
        filled = FilledForm(line, sent.get("version", ""), texts)
        shown = await self.kept.reply(seen, sent, lambda: self.reply(seen, filled))
        html = self.card(seen, shown, own=True)
        return self._html(seen, "answer.html", title=shown.card.title, html=html, line="")

    def _html(self, seen: Seen, template: str, **values: Any) -> Response:
        return Response(self.shell(template, seen, seen.words, **values), headers=HEADERS, media_type="text/html")

    async def _language(self, request: Request) -> Response:
        """Remember a language and go back to the page that it was chosen on."""
        chosen = pick_language(request.query_params.get("to"))
        back = RedirectResponse(own_path(request.query_params.get("next", "")), 303, HEADERS)
        back.set_cookie(LANGUAGE_COOKIE, chosen, max_age=YEAR, httponly=True, samesite="lax")
        return back


def _problem(error: AskError) -> Response:
    """What a program that asks for a file is told."""
    problem = of_question(error)
    return Response(problem.text(), problem.status, HEADERS, "application/problem+json")


def _shared_key(seen: Seen, command: Command, texts: Mapping[str, str], *, offers: bool) -> Hashable:
    """All that a panel which is made for all depends on, besides the stored market."""
    asked = ("web", command.name, offers, tuple(sorted(texts.items())))
    return asked, (seen.words.language, seen.preferences, seen.zone)
