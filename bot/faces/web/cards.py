"""A card for a page: tables with links to models, charts, and actions as links or as forms of who may act."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode

from analytics.errors import AskError
from analytics.evidence import Evidence, seconds_of
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.reply import Reply
from bot.faces.web.charts import ChartView, view
from bot.faces.web.tables import table_names
from bot.presentation.card import Action, Align, Card, Table
from bot.presentation.text import sparkline

SPARK_WIDTH = 60


@dataclass(frozen=True, slots=True)
class Cell:
    """A field of a table; ``href`` leads to the model that it names."""

    text: str
    align: Align
    href: str = ""


@dataclass(frozen=True, slots=True)
class TableView:
    """A table of a page."""

    caption: str
    columns: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class ActionView:
    """Something to do next: a link, or where ``posts``, a form that is sent by who was shown it."""

    label: str
    line: str
    href: str
    style: str
    posts: bool


@dataclass(frozen=True, slots=True)
class CardView:
    """What a template needs of a card."""

    title: str
    lead: str
    ok: bool
    stale: bool
    """the data are older than they should be; the texts say so too"""
    as_of: int | None
    """UTC second of the data, so that a page can count on"""
    tables: tuple[TableView, ...]
    charts: tuple[ChartView, ...]
    sparks: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]
    notes: tuple[str, ...]
    footer: str
    actions: tuple[ActionView, ...]
    line: str = ""
    links: tuple[tuple[str, str], ...] = field(default=())
    """the answer itself, its JSON, and each of its tables as CSV"""


def model_address(model: str) -> str:
    """A model's own page."""
    return f"/gpu/{quote(model, safe='')}"


def line_address(line: str, path: str = "/ask", **more: str) -> str:
    """Where a line is asked."""
    return f"{path}?{urlencode({'line': line, **more}, quote_via=quote)}"


def card_view(reply: Reply, dispatcher: Dispatcher, models: Collection[str]) -> CardView:
    """A reply's card; cells that are one of ``models`` lead to it. Nothing in it is of who asks."""
    card, words, evidence = reply.card, reply.words, _evidence(reply.answer)
    return CardView(
        title=card.title,
        lead=card.lead,
        ok=reply.ok,
        stale=evidence is not None and evidence.stale,
        as_of=seconds_of(evidence.as_of) if evidence is not None and evidence.as_of else None,
        tables=tuple(_table(table, models) for table in card.tables),
        charts=tuple(view(chart, words) for chart in card.charts),
        sparks=() if card.charts else _sparks(card),
        commands=card.commands,
        notes=card.notes,
        footer=card.footer,
        actions=tuple(_action(action, dispatcher) for action in card.actions),
        line=reply.line,
        links=_links(reply.line, reply.answer) if reply.ok and reply.line else (),
    )


def _evidence(answer: Any) -> Evidence | None:
    found = getattr(answer, "evidence", None)
    return found if isinstance(found, Evidence) else None


def without_offers(shown: Reply) -> Reply:
    """A reply less what can be rented, which commands put last: a page says it once."""
    if not getattr(shown.answer, "offers_now", None):
        return shown
    return replace(shown, card=replace(shown.card, tables=shown.card.tables[:-1], commands=()))


def _links(line: str, answer: Any) -> tuple[tuple[str, str], ...]:
    files = [("JSON", line_address(line, "/ask.json"))]
    files += [(f"CSV: {name}", line_address(line, "/ask.csv", table=name)) for name in table_names(answer)]
    return tuple(files)


def _sparks(card: Card) -> tuple[tuple[str, str], ...]:
    return tuple((spark.label, sparkline(spark.values, SPARK_WIDTH)) for spark in card.sparks)


def _table(table: Table, models: Collection[str]) -> TableView:
    columns = tuple(Cell(column.title, column.align) for column in table.columns)
    rows = tuple(
        tuple(
            Cell(text, column.align, model_address(text) if text in models else "")
            for text, column in zip(row, table.columns, strict=True)
        )
        for row in table.rows
    )
    return TableView(table.caption, columns, rows)


def _action(action: Action, dispatcher: Dispatcher) -> ActionView:
    posts = acts(action.line, dispatcher)
    path = "/form" if action.place == "form" else "/ask"
    return ActionView(
        action.label, action.line, line_address(action.line, path), action.style, posts and path == "/ask"
    )


def acts(line: str, dispatcher: Dispatcher) -> bool:
    """Whether a line changes something, so that a link must not run it."""
    try:
        return dispatcher.command_of(line).acts
    except AskError:
        return False
