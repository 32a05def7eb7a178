"""Cards as Discord shows them: an embed within its limits, tables in code blocks, pictures as attachments."""

from __future__ import annotations

import dataclasses
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import discord

from bot.presentation.card import Card, Table
from bot.presentation.text import monospaced, sparkline
from bot.presentation.words import Words

TITLE, AUTHOR, DESCRIPTION, FOOTER, ALT = 256, 256, 4096, 1000, 1024
"""Longest texts in characters. Discord takes 2048 in a footer, but 6000 in all."""

LEAD = 1000
COLUMNS = 56
"""Characters that a line of a code block in an embed has room for; longer ones wrap and are a table no more."""

GREY = 0x99AAB5
PROMPT = "/spot "
"""Begins the line above an answer; what follows asks the same again."""

_MARKDOWN = re.compile(r"([\\*_`~|\[\]<])")
_LINE_START = re.compile(r"^(\s*)([#>+-]|\d+\.)")


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG and what it shows, in words."""

    png: bytes
    alt: str


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: embeds, and the pictures that they show."""

    embeds: list[discord.Embed]
    pictures: Sequence[Picture] = field(default=())
    plain: Message | None = None
    """the same without pictures, where there are some"""

    def files(self) -> list[discord.File]:
        """The pictures as attachments; to be called for each sending, because sending reads them up."""
        return [
            discord.File(io.BytesIO(picture.png), filename=_file(n), description=picture.alt[:ALT])
            for n, picture in enumerate(self.pictures)
        ]


def clean(text: str) -> str:
    """Text on one line without control characters and without those that turn the direction of others around."""
    return "".join(c for c in " ".join(text.split()) if unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def escape(text: str) -> str:
    """Text that shows as it is where Discord would read markdown, mentions, timestamps or links."""
    marked = _MARKDOWN.sub(r"\\\1", clean(text)).replace("@", "@\u200b").replace("://", ":\u200b//")
    return _LINE_START.sub(r"\1\\\2", marked)


def code(lines: Sequence[str], limit: int) -> str:
    """Lines in a code block of at most ``limit`` characters; the last ones give way."""
    shown, room = [], limit - len("```\n\n```")
    for line in lines:
        safe = "".join(c for c in line if unicodedata.category(c) not in ("Cc", "Cf", "Cs")).replace(
            "``", "`\u200b`\u200b"
        )
        room -= len(safe) + 1
        if room < 0:
            break
        shown.append(safe)
    return "```\n" + "\n".join(shown) + "\n```" if shown else ""


def strips(table: Table, width: int = COLUMNS) -> Iterator[Table]:
    """A table too wide for a line as several below each other, each beginning with the first column."""
    start = 1
    while True:
        end = start + 1
        while end < len(table.columns) and _width(_strip(table, start, end + 1)) <= width:
            end += 1
        if start == 1 and end >= len(table.columns):
            yield table
            return
        yield _strip(table, start, end)
        start = end
        if start >= len(table.columns):
            return


def _strip(table: Table, start: int, end: int) -> Table:
    rows = tuple((row[0], *row[start:end]) for row in table.rows)
    return dataclasses.replace(table, columns=(table.columns[0], *table.columns[start:end]), rows=rows)


def _width(table: Table) -> int:
    return max(len(line) for line in monospaced(table).split("\n"))


def message(
    card: Card, words: Words, *, line: str = "", number: int = 0, count: int = 1, pictures: Sequence[Picture] = ()
) -> Message:
    """A page of an answer. ``line`` asks it again and is shown above it, unless it is empty or does not fit."""
    title = f"{card.title} · {words('page {n}/{m}', n=number + 1, m=count)}" if count > 1 else card.title
    embed = discord.Embed(title=cut(escape(title), TITLE), description=_description(card, pictures), colour=GREY)
    if can_ask_again(line):
        embed.set_author(name=PROMPT + line)
    if card.footer:
        embed.set_footer(text=cut(clean(card.footer), FOOTER))
    embeds = [embed]
    for n in range(len(pictures)):
        if n:
            embeds.append(discord.Embed(colour=GREY))
        embeds[n].set_image(url=f"attachment://{_file(n)}")
    bare = message(card, words, line=line, number=number, count=count) if pictures else None
    return Message(embeds, pictures, bare)


def can_ask_again(line: str) -> bool:
    """Whether a message with this line can be refreshed and shared: it is all that buttons know."""
    return bool(line) and len(PROMPT + line) <= AUTHOR and line == clean(line)


def line_of(found: discord.Message | None) -> str:
    """The line that a message answers, or nothing."""
    name = found.embeds[0].author.name if found and found.embeds else None
    return name.removeprefix(PROMPT) if name and name.startswith(PROMPT) else ""


def _file(n: int) -> str:
    return f"chart{n + 1 if n else ''}.png"


def _description(card: Card, pictures: Sequence[Picture]) -> str:
    lead = escape(cut(clean(card.lead), LEAD))
    text = f"**{lead}**" if lead else ""
    for block in _blocks(card, pictures):
        room = DESCRIPTION - len(text) - 1
        shown = code(block, room) if isinstance(block, list) else block
        if shown and len(shown) <= room:
            text = f"{text}\n{shown}" if text else shown
    return text


def _blocks(card: Card, pictures: Sequence[Picture]) -> Iterator[str | list[str]]:
    """What follows the lead: lists are lines of a code block, texts are ready."""
    for table in card.tables:
        if table.caption not in ("", card.title):
            yield escape(table.caption)
        if len(table.columns) == 2 and _width(table) > COLUMNS:  # a word and a sentence: sentences may wrap
            yield from (f"**{escape(first)}** {escape(second)}" for first, second in table.rows)
            continue
        for strip in strips(table):
            yield monospaced(strip).split("\n")
    if card.commands:
        yield list(card.commands)
    if card.sparks and not pictures:
        widest = max(len(spark.label) for spark in card.sparks)
        yield [f"{s.label:<{widest}} {sparkline(s.values, max(10, COLUMNS - widest - 1))}" for s in card.sparks]
    for note in card.notes:
        yield f"-# • {escape(note)}"
