"""The pages for browsers: dashboards, models, forms and single answers, all from the commands that every face asks.

A page is sent panel by panel as the answers come. What belongs to nobody in particular is made once for all who read
the same; what acts is a form that carries its visitor's secret.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from analytics.errors import AskError
from analytics.evidence import to_json
from bot.dispatch.command import Command
from bot.dispatch.dispatcher import Dispatcher, language_of
from bot.dispatch.forms import FilledForm
from bot.dispatch.reply import Reply, form, reply
from bot.dispatch.shared_answers import SharedAnswers
from bot.faces.web.acting import acting_menu, acting_routes
from bot.faces.web.assets import asset, assets
from bot.faces.web.cards import acts, card_view, without_offers
from bot.faces.web.fields import FieldView, field_of, fields_of, find_param
from bot.faces.web.live import LiveEvents
from bot.faces.web.pages import PAGES, Control, Page, Panel
from bot.faces.web.posted import form_texts, own_path
from bot.faces.web.rendering import render
from bot.faces.web.seen import HEADERS, Handler, Route, Seen, to_sign_in
from bot.faces.web.tables import table_csv
from bot.faces.web.visitors import CSRF_FIELD, LANGUAGE_COOKIE, Visitors, refuse_forged
from bot.presentation.problem_documents import of_question
from bot.presentation.words import LOCALES, Words, pick_language
from bot.store.errors import StoreError

log = structlog.get_logger()

YEAR = 31_536_000


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
    extra: list[Route] = field(default_factory=list)
    """pages of others within this frame"""
    shared: SharedAnswers = field(init=False)
    events: LiveEvents = field(init=False)
    _names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.events = LiveEvents(self.dispatcher.store)
        self._names = frozenset(gpu.name for gpu in self.dispatcher.catalog.gpus)
        self.shared = SharedAnswers(self.dispatcher)

    @property
    def routes(self) -> Sequence[Route]:
        """Path, methods and handler of each page."""
        pages = [(page.path, ["GET"], self.guarded(self._page(page))) for page in PAGES]
        return [
            ("/assets/{mark}/{name}", ["GET"], self.guarded(asset)),
            ("/", ["GET"], self.handler(self._home)),
            *pages,
            ("/questions", ["GET"], self.handler(self._questions)),
            ("/questions/{verb}", ["GET"], self.handler(self._question)),
            ("/ask", ["GET"], self.handler(self._ask)),
            ("/ask", ["POST"], self.handler(self._act)),
            ("/ask.json", ["GET"], self.handler(self._json)),
            ("/ask.csv", ["GET"], self.handler(self._csv)),
            ("/form", ["GET"], self.handler(self._form)),
            ("/form", ["POST"], self.handler(self._filled)),
            ("/events", ["GET"], self.handler(self._events)),
            ("/language", ["GET"], self.guarded(self._language)),
            *acting_routes(self),
            *self.extra,
        ]

    # -- around every page

    def handler(self, handler: Callable[[Seen], Awaitable[Response]]) -> Handler:
        """A page for who signed in, with what a browser is told where it cannot be shown."""
        return self.guarded(self._seeing(handler))

    def _seeing(self, handler: Callable[[Seen], Awaitable[Response]]) -> Handler:
        async def seeing(request: Request) -> Response:
            seen = await self.see(request)
            return to_sign_in(request) if seen is None else await handler(seen)

        return seeing

    async def see(self, request: Request) -> Seen | None:
        """Who asks and what every page needs to know; None where nobody signed in."""
        visitor = await self.visitors.of(request)
        if visitor is None:
            return None
        async with self.dispatcher.query_context(visitor.asker) as query:
            language = language_of(visitor.asker, query.own, query.team, self.dispatcher.language or "en")
            models = await query.known()
            return Seen(request, visitor, Words(language, query.now), models, query.preferences, query.zone())

    def guarded(self, handler: Handler) -> Handler:
        """What a browser is told where a page cannot be shown."""

        async def guarded(request: Request) -> Response:
            try:
                return await handler(request)
            except HTTPException as error:
                return self._refusal(request, error.status_code, error.detail, error.headers)
            except StoreError as error:
                log.warning("store_unavailable", error=str(error))
                return self._refusal(request, 503, "The database is busy", {"Retry-After": "5"})

        return guarded

    def _refusal(self, request: Request, status: int, text: str, headers: Mapping[str, str] | None) -> Response:
        words = Words(pick_language(request.headers.get("accept-language")), self.dispatcher.clock())
        body = self.shell("refused.html", None, words, title=words(text))
        return Response(body, status, {**HEADERS, **(headers or {})}, "text/html")

    def shell(self, template: str, seen: Seen | None, words: Words, **values: Any) -> str:
        """A whole page: a template within the frame of all pages."""
        menu = [(words(page.title), page.path) for page in PAGES if page.in_menu]
        menu += [(words("Questions"), "/questions"), *(acting_menu(self, seen) if seen else ())]
        menu += [(words(title), path) for title, path in self.more]
        path = seen.request.url.path if seen else ""
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
            **{"refresh": 0, "live": False, "here": path, **values},
        )

    def _llms(self) -> tuple[str, ...]:
        return tuple(llm.name for llm in self.dispatcher.catalog.llms)

    # -- answers

    async def answer(self, seen: Seen, command: Command, texts: Mapping[str, str]) -> Reply:
        """The reply to a command, for who may ask it."""
        self.check(seen, command)
        return await reply(self.dispatcher, seen.visitor.asker, (command, texts), default=seen.words.language)

    def check(self, seen: Seen, command: Command) -> None:
        """Raise 403 where the way in which a visitor signed in is not good for a command."""
        if not seen.visitor.may(command):
            raise HTTPException(403, "the key that you signed in with is not good for this")

    def card(self, seen: Seen, shown: Reply, *, own: bool) -> str:
        """A reply as HTML. ``own``: it is this visitor's alone, so that what acts may be a form of theirs."""
        return self.card_html(shown, seen.visitor.csrf if own else "")

    def card_html(self, shown: Reply, csrf: str = "") -> str:
        """The same; ``csrf``: the secret of who sees it, where nobody else does."""
        return render("card.html", words=shown.words, card=card_view(shown, self.dispatcher, self._names), csrf=csrf)

    async def panel(self, seen: Seen, command: Command, texts: Mapping[str, str], *, offers: bool = True) -> str:
        """An answer as HTML; that to a question which all ask alike is made once."""
        self.check(seen, command)

        async def compute() -> bytes:
            shown = await self.answer(seen, command, texts)
            return self.card(seen, shown if offers else without_offers(shown), own=not command.shared).encode()

        if not command.shared:
            return (await compute()).decode()
        asked = ("web", command.name, offers, tuple(sorted(texts.items())))
        by = (seen.words.language, seen.preferences, seen.zone)
        return (await self.shared.get((asked, by), compute)).decode()

    # -- pages of panels

    def _page(self, page: Page) -> Handler:
        async def handler(seen: Seen) -> Response:
            said = {**seen.said, **{name: str(text) for name, text in seen.request.path_params.items()}}
            said.setdefault("gpu", self._model(seen))
            if wanted := said.get("panel"):
                panel = next((one for one in page.panels if one.name == wanted), None)
                if panel is None:
                    raise HTTPException(404, "there is no such part of this page")
                return Response(await self._filled_panel(seen, panel, said), headers=HEADERS, media_type="text/html")
            return StreamingResponse(self._pieces(seen, page, said), headers=HEADERS, media_type="text/html")

        return self._seeing(handler)

    def _model(self, seen: Seen) -> str:
        """The model of a page that names none: the visitor's first, else the busiest."""
        return next(iter((*seen.preferences.gpus, *seen.models)), "")

    async def _pieces(self, seen: Seen, page: Page, said: Mapping[str, str]) -> AsyncIterator[str]:
        words = seen.words
        title = said["gpu"] if page.path.endswith("{gpu}") else words(page.title)
        shown = {**page.defaults, **said}
        fields = [self._control(seen, control, shown.get(control.name, "")) for control in page.controls]
        mark = "\x00"
        body = self.shell(
            "page.html", seen, words, title=title, summary=words(page.summary), fields=fields, panels=mark,
            refresh=page.seconds,
        )  # fmt: skip
        head, tail = body.split(mark)
        yield head
        for panel in page.panels:
            filled = await self._filled_panel(seen, panel, said)
            yield render("panel.html", words=words, panel=panel, html=filled)
        yield tail

    def _control(self, seen: Seen, control: Control, text: str) -> FieldView:
        found = find_param(self.dispatcher.commands, control.verb, control.param)
        return replace(field_of(found, text, seen.words, name=control.name), required=False)

    async def _filled_panel(self, seen: Seen, panel: Panel, said: Mapping[str, str]) -> str:
        return await self.panel(seen, self.dispatcher.command(panel.verb), panel.texts(said), offers=panel.offers)

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
        said = await form_texts(seen.request)
        refuse_forged(seen.request, seen.visitor, said)
        return await self._shown(seen, said.get("line", ""))

    async def _shown(self, seen: Seen, line: str) -> Response:
        self.check_line(seen, line)
        shown = await reply(self.dispatcher, seen.visitor.asker, line, default=seen.words.language)
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
            problem = of_question(error)
            return Response(problem.text(), problem.status, HEADERS, "application/problem+json")
        return Response(to_json(answer), headers=HEADERS, media_type="application/json")

    async def _csv(self, seen: Seen) -> Response:
        try:
            text = table_csv(await self._data(seen), seen.said.get("table", ""))
        except AskError as error:
            problem = of_question(error)
            return Response(problem.text(), problem.status, HEADERS, "application/problem+json")
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
        return self._html(seen, "form.html", title=title, sheet=sheet, href="/form", back="")

    async def _filled(self, seen: Seen) -> Response:
        said = await form_texts(seen.request)
        refuse_forged(seen.request, seen.visitor, said)
        line, version = said.pop("line", ""), said.pop("version", "")
        said.pop(CSRF_FIELD, None)
        self.check_line(seen, line)
        question = FilledForm(line, version, said)
        shown = await reply(self.dispatcher, seen.visitor.asker, question, default=seen.words.language)
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
