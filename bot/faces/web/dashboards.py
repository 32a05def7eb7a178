"""Pages of panels, sent piece by piece as the answers come.

Of a visitor's rate a page, or a panel that is asked for alone, takes one question, and none where all of it was made
for others already. What must be refused is refused before anything is sent; what fails later is a card in its place.
"""

from __future__ import annotations

import asyncio
import gzip
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import structlog
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response, StreamingResponse

from analytics.catalog import resolve
from analytics.errors import NotFound
from bot.dispatch.reply import Reply
from bot.faces.web.cards import model_address
from bot.faces.web.fields import FieldView, field_of, find_param
from bot.faces.web.pages import PAGES, Control, Page, Panel
from bot.faces.web.rendering import render
from bot.faces.web.seen import HEADERS, Handler, Route, Seen
from bot.presentation.error_cards import busy_card, fault_card
from bot.store.errors import StoreError

if TYPE_CHECKING:
    from bot.faces.web.site import Site

log = structlog.get_logger()

NEVER_POLLED = "{gpu} has never been polled here. These models were:"

NOTHING_STORED = "Nothing is stored yet; polling fills it."

HOW_TO_POLL = "Start {command}; the README says how, under “Running it on the real market”."


@dataclass(frozen=True, slots=True)
class Dashboards:
    """The pages of :mod:`bot.faces.web.pages`."""

    site: Site

    @property
    def routes(self) -> list[Route]:
        """Path, methods and handler of each."""
        return [(page.path, ["GET"], self._handler(page)) for page in PAGES]

    def _handler(self, page: Page) -> Handler:
        async def handler(seen: Seen) -> Response:
            for panel in page.panels:
                self.site.check(seen, self.site.dispatcher.command(panel.verb))
            other = self._nothing_stored(seen) or self._of_no_model(seen)
            return other or await self._shown(seen, page)

        return self.site.handler(handler, counts=False)

    async def _shown(self, seen: Seen, page: Page) -> Response:
        said = {**seen.said, **{name: str(text) for name, text in seen.request.path_params.items()}}
        said.setdefault("gpu", self._model(seen))
        if wanted := said.get("panel"):
            panel = next((one for one in page.panels if one.name == wanted), None)
            if panel is None:
                raise HTTPException(404, "there is no such part of this page")
            await self._charge(seen, [panel], said)
            return self._part(seen, panel, await self._filled(seen, panel, said))
        await self._charge(seen, page.panels, said)
        return StreamingResponse(self._pieces(seen, page, said), headers=HEADERS, media_type="text/html")

    async def _charge(self, seen: Seen, panels: Sequence[Panel], said: Mapping[str, str]) -> None:
        """Take one question of the visitor's rate where any of these is to be made anew."""
        if seen.visitor.bucket is None:
            return
        made = (
            self.site.is_made(seen, self.site.dispatcher.command(one.verb), one.texts(said), offers=one.offers)
            for one in panels
        )
        if not all(await asyncio.gather(*made)):
            self.site.charge(seen)

    def _part(self, seen: Seen, panel: Panel, html: str) -> Response:
        """A panel alone; packed where no secret of a visitor is beside what the address says (BREACH)."""
        headers = {**HEADERS, "Vary": f"{HEADERS['Vary']}, Accept-Encoding"}
        packs = "gzip" in seen.request.headers.get("accept-encoding", "")
        if not packs or not self.site.dispatcher.command(panel.verb).shared:
            return Response(html, headers=headers, media_type="text/html")
        body = gzip.compress(html.encode(), compresslevel=6, mtime=0)
        return Response(body, headers={**headers, "Content-Encoding": "gzip"}, media_type="text/html")

    def _model(self, seen: Seen) -> str:
        """The model of a page that names none: the visitor's first, else the busiest."""
        return next(iter((*seen.preferences.gpus, *seen.models)), "")

    async def _pieces(self, seen: Seen, page: Page, said: Mapping[str, str]) -> AsyncIterator[str]:
        words = seen.words
        title = said["gpu"] if page.path.endswith("{gpu}") else words(page.title)
        shown = {**page.defaults, **said}
        fields = [self._control(seen, control, shown.get(control.name, "")) for control in page.controls]
        mark = secrets.token_hex(16)  # nobody knows it, so that no text of the page holds it
        body = self.site.shell(
            "page.html", seen, words, title=title, summary=words(page.summary), fields=fields, panels=mark,
            refresh=page.seconds, settled=self._settled(seen, said),
        )  # fmt: skip
        head, _, tail = body.partition(mark)
        yield head
        for panel in page.panels:
            filled = await self._filled_or_trouble(seen, panel, said)
            yield render("panel.html", words=words, panel=panel, html=filled)
        yield tail

    def _settled(self, seen: Seen, said: Mapping[str, str]) -> str:
        """What this page settled and its address leaves open: its panels must not change models while it is open."""
        named = "gpu" in seen.said or "gpu" in seen.request.path_params
        return "" if named or not said["gpu"] else urlencode({"gpu": said["gpu"]})

    def _control(self, seen: Seen, control: Control, text: str) -> FieldView:
        found = find_param(self.site.dispatcher.commands, control.verb, control.param)
        return replace(field_of(found, text, seen.words, name=control.name), required=False)

    async def _filled(self, seen: Seen, panel: Panel, said: Mapping[str, str]) -> str:
        command = self.site.dispatcher.command(panel.verb)
        return await self.site.panel(seen, command, panel.texts(said), offers=panel.offers)

    async def _filled_or_trouble(self, seen: Seen, panel: Panel, said: Mapping[str, str]) -> str:
        """The panel, or a card that says what went wrong: half of the page is sent already."""
        try:
            return await self._filled(seen, panel, said)
        except StoreError as error:
            log.warning("store_unavailable", error=str(error))
            card = busy_card(seen.words)
        except Exception:  # the edge of a face: a person must hear something, and the log must hold it all
            identity = secrets.token_hex(4)
            log.exception("panel failed", id=identity, panel=panel.name)
            card = fault_card(identity, seen.words)
        return self.site.card(seen, Reply(card, seen.words, ok=False), own=False)

    # -- where there is nothing to show

    def _nothing_stored(self, seen: Seen) -> Response | None:
        """A page that says so once, in place of one error a panel."""
        if seen.polled:
            return None
        texts = (seen.words(NOTHING_STORED), seen.words(HOW_TO_POLL, command="spotbot run"))
        return self._told(seen, 200, seen.words("Nothing here yet"), texts)

    def _of_no_model(self, seen: Seen) -> Response | None:
        """Where the page of a model names none exactly, or one without polls: the way to those that are meant."""
        if "gpu" not in seen.request.path_params:
            return None
        words, text = seen.words, str(seen.request.path_params["gpu"])
        try:
            models = self._meant(seen, text)
        except NotFound as error:
            near = [name for name in error.suggestions if name in (*seen.models, *self.site.names)]
            return self._told(seen, 404, words("There is no such model"), (words(error.note),), near or seen.polled)
        if models == (text,):
            told = () if text in seen.polled else (words(NEVER_POLLED, gpu=text),)
            return self._told(seen, 200, text, told, seen.polled) if told else None
        if len(models) == 1:
            query = seen.request.scope["query_string"].decode("latin-1")
            return RedirectResponse(f"{model_address(models[0])}{f'?{query}' if query else ''}", 303, HEADERS)
        return self._told(seen, 300, words("Which model?"), (words("“{gpu}” may mean:", gpu=text),), models)

    def _meant(self, seen: Seen, text: str) -> tuple[str, ...]:
        """The models that a name may mean, also as the beginning of theirs; raises NotFound."""
        catalog = self.site.dispatcher.catalog
        try:
            return resolve(text, catalog, seen.models)
        except NotFound:
            known = dict.fromkeys((*seen.models, *(gpu.name for gpu in catalog.gpus)))
            begun = tuple(name for name in known if name.lower().startswith(text.lower()))
            if not begun:
                raise
            return begun

    def _told(self, seen: Seen, status: int, title: str, texts: Sequence[str], models: Iterable[str] = ()) -> Response:
        links = [(name, model_address(name)) for name in models]
        body = self.site.shell("told.html", seen, seen.words, title=title, texts=texts, links=links)
        return Response(body, status, HEADERS, "text/html")
