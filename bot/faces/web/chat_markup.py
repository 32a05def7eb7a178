"""Slack's mrkdwn and Discord's Markdown, as far as our messages use them, as plain pieces of text with their marks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Mark = Literal["strong", "em", "del", "code", "block"]
Marks = tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text, how it looks, and where it leads."""

    text: str
    marks: Marks = ()
    href: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a Discord message: ``code`` is a whole block of them."""

    kind: Literal["text", "small", "code"]
    spans: tuple[Span, ...]


_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}
_ENTITY = re.compile("|".join(_ENTITIES))

_MRKDWN = re.compile(
    r"```\n*(?P<block>.*?[^\n])\n*```"
    r"|`(?P<code>[^`\n]+)`"
    r"|<(?P<href>https?://[^|<>\s]+)(?:\|(?P<label>[^<>]+))?>"
    r"|(?<![\w*])\*(?P<strong>[^\s*](?:[^*\n]*[^\s*])?)\*(?![\w*])"
    r"|(?<!\w)_(?P<em>[^\s_](?:[^\n]*?[^\s_])?)_(?!\w)"
    r"|(?<![\w~])~(?P<del>[^\s~](?:[^~\n]*[^\s~])?)~(?![\w~])",
    re.DOTALL | re.IGNORECASE,
)
_MARKDOWN = re.compile(
    r"\\(?P<escaped>[^0-9A-Za-z\s])|`(?P<code>[^`]+)`|\*\*(?P<strong>(?:\\.|[^\\])+?)\*\*(?!\*)", re.DOTALL
)
_FENCED = re.compile(r"```(?:[\w+.#-]+\n)?\n*(?P<code>[^\n].*?)\n*```", re.DOTALL)
_SMALL = "-# "


def mrkdwn(text: str, marks: Marks = ()) -> tuple[Span, ...]:
    """What Slack shows of a text that it parses; links lead only to the web, and anything else in ``<>`` is letters."""
    return tuple(_pieces(_MRKDWN, text, marks, _of_slack, _unescaped))


def markdown(text: str, marks: Marks = ()) -> tuple[Span, ...]:
    """What Discord shows of a line."""
    return tuple(_pieces(_MARKDOWN, text, marks, _of_discord, str))


def markdown_lines(text: str) -> tuple[Line, ...]:
    """What Discord shows of a text of several lines with blocks of code between them."""
    found: list[Line] = []
    last = 0
    for fenced in _FENCED.finditer(text):
        found += _lines(text[last : fenced.start()])
        found.append(Line("code", (Span(fenced["code"]),)))
        last = fenced.end()
    return (*found, *_lines(text[last:]))


def _lines(text: str) -> Iterator[Line]:
    shown = text.removeprefix("\n").removesuffix("\n")
    for line in shown.split("\n") if shown else ():
        small = line.startswith(_SMALL)
        yield Line("small" if small else "text", markdown(line.removeprefix(_SMALL) if small else line))


def _pieces(
    pattern: re.Pattern[str],
    text: str,
    marks: Marks,
    marked: Callable[[re.Match[str], Marks], Iterator[Span]],
    plain: Callable[[str], str],
) -> Iterator[Span]:
    last = 0
    for found in pattern.finditer(text):
        if found.start() > last:
            yield Span(plain(text[last : found.start()]), marks)
        yield from marked(found, marks)
        last = found.end()
    if last < len(text):
        yield Span(plain(text[last:]), marks)


def _of_slack(found: re.Match[str], marks: Marks) -> Iterator[Span]:
    if href := found["href"]:
        yield Span(_unescaped(found["label"] or href), marks, _unescaped(href))
    for verbatim in (mark for mark in _VERBATIM if found[mark]):
        yield Span(_unescaped(found[verbatim]), (*marks, verbatim))
    for mark in (mark for mark in _NESTED if found[mark]):
        yield from mrkdwn(found[mark], (*marks, mark))


def _of_discord(found: re.Match[str], marks: Marks) -> Iterator[Span]:
    if found["escaped"]:
        yield Span(found["escaped"], marks)
    elif found["code"]:
        yield Span(found["code"], (*marks, "code"))
    else:
        yield from markdown(found["strong"], (*marks, "strong"))


_VERBATIM: Marks = ("block", "code")
_NESTED: Marks = ("strong", "em", "del")


def _unescaped(text: str) -> str:
    """Text whose three entities are letters again, each once."""
    return _ENTITY.sub(lambda found: _ENTITIES[found[0]], text)
