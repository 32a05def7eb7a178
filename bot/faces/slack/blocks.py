"""Cards as Slack shows them: Block Kit within its limits. Every text is data: nothing in it is markup or a mention."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.dispatch.command import Command
from bot.dispatch.reply import actions
from bot.presentation.card import Action, Card, Place, Spark, Table
from bot.presentation.text import monospaced, page, pages, plain, sparkline
from bot.presentation.words import Words

Block = dict[str, Any]

HEADER, SECTION, CONTEXT, ALT, LABEL, VALUE, TEXT = 150, 3000, 2000, 2000, 75, 2000, 4000
"""Longest texts in characters: of a header, section, line of context, alt text, button, button's value, message."""

TABLE_ROWS, TABLE_COLUMNS, TABLE_TEXT = 100, 20, 10_000
"""What a table block may hold: rows with the head, columns, characters in all."""

CODE = 3000
"""Characters of a preformatted block; a message as a whole is limited too."""

MOST_BLOCKS = 50
SPARK_WIDTH = 60

SHARE, REFRESH, PAGE, RUN, FORM = "spot_share", "spot_refresh", "spot_page", "spot_run", "spot_form"
"""What action ids begin with; those of one message must differ: ``spot_page_previous``, ``spot_run_0``."""

MOST_BUTTONS = 25

_OWN: dict[Place, str] = {"here": PAGE, "everybody": SHARE, "asker": RUN, "form": FORM}
_DIRECTION = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A file that was uploaded to the workspace, and what it shows in words."""

    file: str
    alt: str
    fresh: bool = False
    """uploaded a moment ago: Slack may not have looked at it yet"""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page of an answer: what is on it, which of how many it is, and the line that asks the same again."""

    card: Card
    words: Words
    line: str = ""
    number: int = 0
    count: int = 1
    by: str = ""
    """who shared it; empty where it is for the asker alone"""


def sheet(card: Card, words: Words, *, line: str = "", number: int = 0, by: str = "") -> Sheet:
    """A page of a card; a number beyond its pages means the last one."""
    count = pages(card)
    number = max(0, min(number, count - 1))
    return Sheet(page(card, number), words, line, number, count, by)


def clean(text: str) -> str:
    """Text without control characters and without those that turn the direction of what follows."""
    return "".join(c for c in text if c == "\n" or (c not in _DIRECTION and (c.isprintable() or c.isspace())))


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def escape(text: str, limit: int = TEXT) -> str:
    """Text for a field that Slack parses, at most ``limit`` characters long and never cut within an entity."""
    parts = [_ESCAPED.get(c, c) for c in clean(text[: 4 * limit])]
    if sum(map(len, parts)) <= limit:
        return "".join(parts)
    room = limit - 1
    for n, part in enumerate(parts):
        room -= len(part)
        if room < 0:
            return "".join(parts[:n]) + "…"
    return "".join(parts)


def message(found: Sheet, *, pictures: Sequence[Picture] = (), plainly: bool = False) -> dict[str, Any]:
    """What is posted: blocks, and the same as text for notifications and screen readers.

    ``plainly``: only blocks that Slack has always known, for when it refused the better ones.
    """
    titled = dataclasses.replace(found.card, title=_title(found))
    return {
        "text": escape(plain(titled)) or "–",
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": blocks(found, pictures=pictures, plainly=plainly),
    }


def blocks(found: Sheet, *, pictures: Sequence[Picture] = (), plainly: bool = False) -> list[Block]:
    """A page as blocks: title, conclusion, table, pictures or sparklines, notes, footer, buttons."""
    card = found.card
    last = [*_context(_by(found)), *_context(card.footer), *_buttons(found)]
    body = [*_header(_title(found)), *_section(card.lead), *_tables(card.title, card.tables, plainly=plainly)]
    body += _code("\n".join(" ".join(clean(line).split()) for line in card.commands))
    body += [] if plainly else [_image(picture) for picture in pictures]
    if card.sparks and (plainly or not pictures):
        body += _code(_sparks(card.sparks))
    body += _context("\n".join(f"• {note}" for note in card.notes))
    return [*body[: MOST_BLOCKS - len(last)], *last]


def home(
    words: Words, commands: Sequence[Command], card: Card, line: str, *, told: Card | None = None
) -> dict[str, Any]:
    """The App Home: the reader's own screen, which ``line`` asks for, and what can be asked.

    ``told``: what came of a button, where nothing else could say it.
    """
    shown = [] if told is None else [*_header(told.title), *_section(told.lead)]
    asked = dataclasses.replace(card, actions=(Action(words("Refresh"), line, place="here"), *card.actions))
    shown += blocks(Sheet(asked, words), plainly=True)
    shown += _header(words("What you can ask"))
    shown += [_verbs(words, commands), *_context(words("Type one of these in any channel; answers are for you alone."))]
    return {"type": "home", "blocks": shown}


def asked_again(value: str) -> tuple[int, str]:
    """The page and the line that a button carries."""
    number, _, line = value.partition(" ")
    return (int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 0), line


def _title(found: Sheet) -> str:
    if found.count == 1:
        return found.card.title
    return f"{found.card.title} · {found.words('page {n}/{m}', n=found.number + 1, m=found.count)}"


def _by(found: Sheet) -> str:
    return found.words("shared by {who}", who=found.by) if found.by else ""


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}


def _header(text: str) -> list[Block]:
    shown = cut(" ".join(clean(text).split()), HEADER)
    return [{"type": "header", "text": _plain(shown)}] if shown else []


def _section(text: str) -> list[Block]:
    shown = cut(clean(text).strip(), SECTION)
    return [{"type": "section", "text": _plain(shown)}] if shown else []


def _context(text: str) -> list[Block]:
    shown = cut(clean(text).strip(), CONTEXT)
    return [{"type": "context", "elements": [_plain(shown)]}] if shown else []


def _tables(title: str, tables: Sequence[Table], *, plainly: bool) -> list[Block]:
    found: list[Block] = []
    for n, table in enumerate(tables):
        if table.caption != title:  # it often says what the figures are
            found += _context(table.caption)
        native = not plainly and n == 0 and _fits(table)  # a message may have one
        found += [_table(table)] if native else _code(monospaced(_clean_table(table)))
    return found


def _fits(table: Table) -> bool:
    cells = [cell for row in table.rows for cell in row]
    return (
        len(table.rows) < TABLE_ROWS
        and 0 < len(table.columns) <= TABLE_COLUMNS
        and sum(map(len, cells)) + sum(len(column.title) for column in table.columns) <= TABLE_TEXT
    )


def _table(table: Table) -> Block:
    rows = [tuple(column.title for column in table.columns), *table.rows]
    return {
        "type": "table",
        "column_settings": [{"align": column.align, "is_wrapped": column.align == "left"} for column in table.columns],
        "rows": [[{"type": "raw_text", "text": clean(cell).strip() or "–"} for cell in row] for row in rows],
    }


def _clean_table(table: Table) -> Table:
    rows = tuple(tuple(" ".join(clean(cell).split()) for cell in row) for row in table.rows)
    return dataclasses.replace(table, rows=rows)


def _code(text: str) -> list[Block]:
    shown = cut(clean(text).strip("\n"), CODE)
    element = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": shown}]}
    return [{"type": "rich_text", "elements": [element]}] if shown else []


def _sparks(sparks: Sequence[Spark]) -> str:
    widest = max(len(spark.label) for spark in sparks)
    return "\n".join(f"{spark.label:<{widest}} {sparkline(spark.values, SPARK_WIDTH)}" for spark in sparks)


def _image(picture: Picture) -> Block:
    return {"type": "image", "slack_file": {"id": picture.file}, "alt_text": cut(clean(picture.alt), ALT) or "–"}


def _buttons(found: Sheet) -> list[Block]:
    every = () if found.by else actions(found.words, found.line, number=found.number, count=found.count)
    buttons = [_button(_common_id(action, found.number), action) for action in every]
    buttons += [_button(f"{_OWN[action.place]}_{n}", action) for n, action in enumerate(found.card.actions)]
    shown = [button for button in buttons if len(button["value"]) <= VALUE][:MOST_BUTTONS]
    if not shown:
        return []
    # each showing has an id of its own, so that a second click on the same one can be told from a click on a new one
    return [{"type": "actions", "block_id": f"spot_{secrets.token_hex(6)}", "elements": shown}]


def _common_id(action: Action, here: int) -> str:
    if action.place == "everybody":
        return SHARE
    turned = {-1: f"{PAGE}_previous", 0: REFRESH, 1: f"{PAGE}_next"}
    return turned[action.page - here]


def _button(name: str, action: Action) -> Block:
    shown = {"type": "button", "action_id": name, "text": _plain(cut(clean(action.label), LABEL))}
    style = {} if action.style == "plain" else {"style": action.style}
    return {**shown, **style, "value": f"{action.page} {action.line}"}


def _verbs(words: Words, commands: Sequence[Command]) -> Block:
    lines = [
        {
            "type": "rich_text_section",
            "elements": [
                {"type": "text", "text": f"/spot {command.examples[0]}", "style": {"code": True}},
                {"type": "text", "text": f"  {words(command.summary)}"},
            ],
        }
        for command in commands
        if command.role is not None and command.examples
    ]
    return {"type": "rich_text", "elements": [{"type": "rich_text_list", "style": "bullet", "elements": lines}]}
