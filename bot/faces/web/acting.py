"""The pages on which alerts and webhooks are made, changed and deleted: forms in front of the commands of all faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from analytics.evidence import plain
from bot.accounts import permits
from bot.dispatch.command import Command, Request
from bot.dispatch.dispatcher import Question
from bot.dispatch.forms import FilledForm
from bot.dispatch.reply import Reply, form
from bot.faces.web.cards import acts
from bot.faces.web.fields import FieldView, field_of, fields_of
from bot.faces.web.once import request_of
from bot.faces.web.seen import HEADERS, Route, Seen
from bot.faces.web.things import THINGS, Act, Things

if TYPE_CHECKING:
    from bot.faces.web.site import Site

LONGEST_NAME = 20
"""Letters that the name of a thing may have; those that are made have six."""

NOTHING_TYPED: Mapping[str, str] = MappingProxyType({})

LAST = "last"
"""Means the newest in chat; an address must name the same thing tomorrow."""

KEPT_BY_NOBODY = {**HEADERS, "Cache-Control": "no-store"}
"""Headers of what a form came to: it may hold a secret, and is not true a second time."""


@dataclass(frozen=True, slots=True)
class ActView:
    """An act on one thing: a link to a page of its own, or else a form of ``fields`` and a button."""

    label: str
    href: str
    style: str
    is_link: bool
    fields: tuple[FieldView, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A thing in the list."""

    href: str
    name: str
    cells: tuple[str, ...]
    acts: tuple[ActView, ...]


def acting_routes(site: Site) -> list[Route]:
    """The routes of all things."""
    return [route for things in THINGS for route in ActingPages(site, things).routes]


def acting_menu(site: Site, seen: Seen) -> list[tuple[str, str]]:
    """Titles and paths of the lists that a visitor may use."""
    usable = (things for things in THINGS if seen.may(site.dispatcher.command(f"{things.group} list")))
    return [(seen.words(things.title), things.path) for things in usable]


@dataclass(frozen=True, slots=True)
class ActingPages:
    """The list, the form for a new one, and what can be done with each."""

    site: Site
    things: Things

    @property
    def routes(self) -> list[Route]:
        """Path, methods and handler of each page."""
        path, handler = self.things.path, self.site.handler
        before = [
            (f"{path}/{self.things.tries}", ["GET"], handler(self._back)),
            (f"{path}/{self.things.tries}", ["POST"], handler(self._try)),
        ]
        return [
            (path, ["GET"], handler(self._list)),
            (path, ["POST"], handler(self._add)),
            *(before if self.things.tries else ()),
            (f"{path}/{{id}}", ["GET"], handler(self._show)),
            (f"{path}/{{id}}/{{act}}", ["GET"], handler(self._ask)),
            (f"{path}/{{id}}/{{act}}", ["POST"], handler(self._do)),
        ]

    # -- what they share

    def _command(self, verb: str) -> Command:
        return self.site.dispatcher.command(f"{self.things.group} {verb}")

    async def _answer(self, seen: Seen, command: Command, question: Question, request: Request | None = None) -> Reply:
        """The reply for who may ask; raises 403 for others."""
        self._admit(seen, command)
        return await self.site.reply(seen, question, request)

    def _admit(self, seen: Seen, command: Command) -> None:
        self.site.check(seen, command)
        if not permits(seen.visitor.asker.role, command.role):
            raise HTTPException(403, "your role here is not enough for this")

    def _page(self, seen: Seen, template: str, headers: Mapping[str, str] = HEADERS, **values: Any) -> Response:
        body = self.site.shell(template, seen, seen.words, things=self.things, here=self.things.path, **values)
        return Response(body, headers=headers, media_type="text/html")

    def _html(self, seen: Seen, shown: Reply) -> str:
        """A card whose acts are the page's own; links to what it rests on stay."""
        links = tuple(one for one in shown.card.actions if not acts(one.line, self.site.dispatcher))
        return self.site.card(seen, replace(shown, card=replace(shown.card, actions=links)), own=True)

    # -- the list and a new one

    async def _list(self, seen: Seen) -> Response:
        return await self._listed(seen, {})

    async def _back(self, seen: Seen) -> Response:
        """What only answers a form has no address of its own."""
        return RedirectResponse(self.things.path, 303)

    async def _listed(
        self, seen: Seen, said: Mapping[str, str], html: str = "", headers: Mapping[str, str] = HEADERS
    ) -> Response:
        """The list, and the form as it was sent, below what it came to."""
        command = self._command("list")
        listed = await self._answer(seen, command, (command, {}))
        fields = fields_of(self._command("add"), said, seen.words)
        often = [field for field in fields if field.name in self.things.often]
        seldom = [field for field in fields if field.name not in self.things.often]
        return self._page(
            seen, "things.html", headers, title=seen.words(self.things.title), listed=listed.card, html=html,
            rows=self._rows(seen, listed), often=often, seldom=seldom, unfolded=any(field.text for field in seldom),
        )  # fmt: skip

    def _rows(self, seen: Seen, listed: Reply) -> list[Row]:
        """A row of the card's table for each thing in the answer, whose order it has."""
        found = plain(listed.answer)[self.things.rows] if listed.ok else []
        cells = listed.card.tables[0].rows if found else ()
        return [self._row(seen, thing, row) for thing, row in zip(found, cells, strict=True)]

    def _row(self, seen: Seen, thing: Mapping[str, Any], cells: Sequence[str]) -> Row:
        return Row(
            f"{self.things.path}/{thing['id']}", thing["id"], tuple(cells[1:]), self._acts(seen, thing, on_page=False)
        )

    async def _try(self, seen: Seen) -> Response:
        """What a new one would tell, before it is saved."""
        command = self._command(self.things.tries)
        texts = texts_of(command, await seen.sent())
        shown = await self._answer(seen, command, (command, texts))
        return await self._listed(seen, texts, self._html(seen, shown), KEPT_BY_NOBODY)

    async def _add(self, seen: Seen) -> Response:
        said, command = await seen.sent(), self._command("add")
        texts = texts_of(command, said)
        request = request_of(said, texts) if command.idempotency else None
        shown = await self.site.kept.reply(seen, said, lambda: self._answer(seen, command, (command, texts), request))
        if not shown.ok:
            return await self._listed(seen, texts, self._html(seen, shown), KEPT_BY_NOBODY)
        return self._done(seen, shown, plain(shown.answer)["id"])

    def _done(self, seen: Seen, shown: Reply, name: str) -> Response:
        """What came of it, and the ways back; ``name``: of the thing that can be looked at."""
        html = self.site.card(seen, replace(shown, card=replace(shown.card, actions=())), own=True)
        return self._page(seen, "done.html", KEPT_BY_NOBODY, title=shown.card.title, html=html, name=name)

    # -- one thing

    async def _show(self, seen: Seen) -> Response:
        shown = await self._shown(seen, name_in(seen))
        if not shown.ok:
            raise HTTPException(404, "there is no such thing here")
        views = self._acts(seen, self._thing(shown), on_page=True)
        return self._page(seen, "thing.html", title=shown.card.title, html=self._html(seen, shown), acts=views)

    async def _shown(self, seen: Seen, name: str) -> Reply:
        command = self._command(self.things.detail)
        return await self._answer(seen, command, (command, {"id": name}))

    def _thing(self, shown: Reply) -> Mapping[str, Any]:
        """The thing of an answer that holds it, or is it."""
        answer: dict[str, Any] = plain(shown.answer)
        held: dict[str, Any] | None = answer.get(self.things.group)
        return answer if held is None else held

    def _acts(self, seen: Seen, thing: Mapping[str, Any], *, on_page: bool) -> tuple[ActView, ...]:
        """What this visitor may do with it."""
        asker = seen.visitor.asker
        may_all = thing["by"] == asker.person or permits(asker.role, "manager")
        usable = [act for act in self.things.acts if may_all or not act.makers]
        return tuple(
            self._act_view(seen, act, thing["id"], act.takes + act.more if on_page else act.takes)
            for act in usable
            if seen.may(self._command(act.verb))
        )

    def _act_view(self, seen: Seen, act: Act, name: str, takes: Sequence[str]) -> ActView:
        params = {param.name: param for param in self._command(act.verb).params}
        return ActView(
            label=seen.words(act.label),
            href=f"{self.things.path}/{name}/{act.verb}",
            style=act.style,
            is_link=act.way != "at once",
            fields=tuple(choice_of(field_of(params[one], "", seen.words)) for one in takes),
        )

    def _act_in(self, seen: Seen) -> Act:
        """The act that an address names, for who may do it."""
        verb = seen.request.path_params["act"]
        act = next((one for one in self.things.acts if one.verb == verb), None)
        if act is None:
            raise HTTPException(404, "there is no such page")
        self._admit(seen, self._command(act.verb))
        return act

    async def _ask(self, seen: Seen) -> Response:
        """The sheet of an act, or whether to do it; what its button does at once has no address to look at."""
        act, name = self._act_in(seen), name_in(seen)
        if act.way == "sheet":
            return await self._sheet(seen, act, name)
        if act.way == "at once":
            return RedirectResponse(f"{self.things.path}/{name}", 303)
        shown = await self._shown(seen, name)
        if not shown.ok:
            raise HTTPException(404, "there is no such thing here")
        view = self._act_view(seen, act, name, ())
        return self._page(seen, "sure.html", title=view.label, act=view, html=self._html(seen, shown), name=name)

    async def _sheet(
        self, seen: Seen, act: Act, name: str, typed: Mapping[str, str] = NOTHING_TYPED, html: str = ""
    ) -> Response:
        """A sheet with what holds now, or with what was ``typed`` on it where that came to trouble: ``html`` tells."""
        asker, default = seen.visitor.asker, seen.words.language
        opened = await form(self.site.dispatcher, asker, self._line(act, name), default=default)
        if isinstance(opened, Reply):
            return self._done(seen, opened, name)
        sheet, words = opened
        back = f"{self.things.path}/{name}"
        title = f"{words(sheet.command.summary)}: {name}"
        return self._page(
            seen, "form.html", KEPT_BY_NOBODY if html else HEADERS, title=title, sheet=sheet, typed=typed, html=html,
            href=f"{back}/{act.verb}", back=back,
        )  # fmt: skip

    def _line(self, act: Act, name: str) -> str:
        return f"{self.things.group} {act.verb} {name}"

    async def _do(self, seen: Seen) -> Response:
        said, act, name = await seen.sent(), self._act_in(seen), name_in(seen)
        command = self._command(act.verb)
        question: Question = (command, {**texts_of(command, said), "id": name})
        if act.way == "sheet":
            question = FilledForm(self._line(act, name), said.get("version", ""), said)
        shown = await self.site.kept.reply(seen, said, lambda: self._answer(seen, command, question))
        if act.way == "sheet" and not shown.ok:
            return await self._sheet(seen, act, name, said, self._html(seen, shown))
        return self._done(seen, shown, "" if act.ends and shown.ok else name)


def name_in(seen: Seen) -> str:
    """The name in an address; raises 404 for what cannot be one, which would be read as more than a name."""
    name = str(seen.request.path_params["id"])
    if not (name.isascii() and name.isalnum() and len(name) <= LONGEST_NAME) or name == LAST:
        raise HTTPException(404, "there is no such page")
    return name


def texts_of(command: Command, said: Mapping[str, str]) -> dict[str, str]:
    """What a form says of a command's parameters; an empty field says nothing."""
    return {param.name: said[param.name] for param in command.params if said.get(param.name, "").strip()}


def choice_of(field: FieldView) -> FieldView:
    """A field beside a button: what is worth offering is to be chosen, for there is no room to explain."""
    if len(field.suggest) < 2:
        return field
    return replace(field, look="choice", choices=field.suggest, text=field.text or field.suggest[0])
