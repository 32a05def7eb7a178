"""What pages show of Slack's and Discord's messages: what the faces send, all that is in it, and no more than texts."""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bot.accounts import Asker
from bot.cli.previews import discord_payload, slack_payload
from bot.commands import COMMANDS
from bot.dispatch.command import Command
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.reply import actions, reply
from bot.faces.web.chat_markup import Span, markdown, markdown_lines, mrkdwn
from bot.faces.web.chat_views import chat_html, discord_html, slack_html
from bot.presentation.card import Action, Bar, Bars, Card, Column, Table
from bot.presentation.text import page
from bot.presentation.words import LOCALES, Words
from bot.store.engine import open_store
from tests.fakes.discord_house import Guild, plain
from tests.fakes.endpoints import public_endpoints
from tests.fakes.slack_blocks import texts
from tests.fakes.slack_house import Home
from tests.fakes.stored import NOW

PERSON = Asker("console", "local", "you", channel="prompt", role="admin")
WORDS = Words("en", NOW)
PAYLOADS = {"Slack": slack_payload, "Discord": discord_payload}
SENT_BY_FACES = ("monitor", "predict RTX 4090", "llm 7B", "history RTX 4090", "cost llama2-7b 50GB", "help")

HOSTILE = (
    "<script>alert(1)</script>", "&lt;b&gt;", "&amp;lt;", "<!channel>", "<@U1>", "<https://evil.example|ok>",
    "<javascript:alert(1)|x>", "[a](javascript:alert(1))", "javascript:alert(1)", "*b* _i_ ~s~ `c`", "**b** ***",
    "```x```", "-# small", "# big", "> quote", "\\*", '"onload="x', "{{ 7*7 }}", "http://evil.example",
)  # fmt: skip


class Shown(HTMLParser):
    """What a browser makes of HTML: texts, alternative texts, and where links and pictures lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.alts: list[str] = []
        self.tags: set[str] = set()
        self.links: dict[str, str] = {}
        self.pictures: list[str] = []
        self._link: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        assert not [name for name in said if name == "style" or name.startswith("on")], "the policy forbids them"
        self.tags.add(tag)
        self._link = said.get("href") if tag == "a" else None
        if tag == "img":
            self.pictures.append(said["src"])
            self.alts.append(said["alt"])

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._link is not None:
            self.links[data] = self._link
            self._link = None

    @property
    def all(self) -> str:
        return "".join((*self.texts, *self.alts)).replace("\u200b", "")


def said_by_slack(payload: Mapping[str, Any]) -> Iterator[str]:
    for text in texts(payload["blocks"]):
        yield from text.split("  ")


def said_by_discord(payload: Mapping[str, Any]) -> Iterator[str]:
    yield from plain({"content": "", **payload}).split("\n")
    yield from (button["label"] for row in payload["components"] for button in row["components"])


SAID: dict[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {"Slack": said_by_slack, "Discord": said_by_discord}


@pytest.fixture
async def dispatcher(market_file: Path, tmp_path: Path) -> AsyncIterator[Dispatcher]:
    file = shutil.copy(market_file, tmp_path / "market.db")
    store = await open_store(f"sqlite:///{file}", writer=True)
    endpoints = public_endpoints()
    yield Dispatcher(store, COMMANDS, lambda: NOW + 60, endpoints=lambda: endpoints)
    await store.close()


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
async def test_every_example_is_shown_with_all_that_is_sent(
    dispatcher: Dispatcher, command: Command, language: str
) -> None:
    for line in command.examples:
        found = await reply(dispatcher, PERSON, line, default=language)
        for platform, payload_of in PAYLOADS.items():
            payload = payload_of(found.card, found.words, found.line)
            shown = Shown(chat_html(platform, payload, {}))
            said = [text for text in SAID[platform](payload) if text]
            assert len(said) > 1
            assert [text for text in said if text not in shown.all] == [], (platform, line)
            first = page(found.card, 0).tables[:1]
            cells = [cell for table in first for row in table.rows for cell in row if cell]
            held = [cell for cell in cells if any(cell in text for text in said)]
            assert len(held) >= len(cells) / 2
            assert [cell for cell in held if cell not in shown.all] == [], (platform, line)


def unnamed(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A message to Slack without the names that differ each time; files by their order."""
    found = copy.deepcopy(dict(payload))
    pictures = [block for block in found["blocks"] if block["type"] == "image"]
    for n, block in enumerate(pictures, 1):
        block["slack_file"]["id"] = f"chart{n}"
    for block in found["blocks"]:
        block.pop("block_id", None)
    return found


@pytest.mark.parametrize("line", SENT_BY_FACES)
async def test_slack_is_sent_the_same_by_its_face(chat: Home, line: str) -> None:
    heard = await chat.hear(line)
    found = await reply(chat.dispatcher, PERSON, line, default="en")
    payload = slack_payload(found.card, found.words, found.line)
    addressed = {"response_type": "ephemeral", "replace_original": False}
    assert unnamed(heard.body) == {**unnamed(payload), **addressed}
    assert [block["slack_file"]["id"] for block in payload["blocks"] if block["type"] == "image"] == [
        f"chart{n}" for n, _ in enumerate(found.card.charts, 1)
    ]


@pytest.mark.parametrize("line", SENT_BY_FACES)
async def test_discord_is_sent_the_same_by_its_face(server: Guild, line: str) -> None:
    asked = await server.ask(line)
    assert asked.answered
    sent = next(call for call in reversed(server.discord.calls) if call.path.endswith("/messages/@original"))
    found = await reply(server.dispatcher, PERSON, asked_line(sent.body), default="en")
    payload = discord_payload(found.card, found.words, found.line)
    assert payload == sent.body
    assert len(payload["attachments"]) == len(found.card.charts)


def asked_line(payload: Mapping[str, Any]) -> str:
    return str(payload["embeds"][0]["author"]["name"].removeprefix("/spot "))


@pytest.mark.parametrize("platform", PAYLOADS)
async def test_hostile_texts_stay_texts(platform: str) -> None:
    for text in HOSTILE:
        table = Table(f"of {text}", (Column(text), Column("n", "right")), ((text, "1"), ("b", text)))
        chart = Bars(text, text, (Bar("a", 1.0),))
        card = Card(text, text, (table, table), notes=(text,), footer=text, charts=(chart,), commands=(text,))
        card = replace(card, actions=(Action(text, text),))
        payload = PAYLOADS[platform](card, WORDS, text)
        shown = Shown(chat_html(platform, payload, {"chart1": "/1.png", "chart.png": "/1.png"}))
        assert shown.tags <= ALLOWED
        # title, lead, captions, three cells a table, command, note, footer, button, picture; and Discord's line above
        assert shown.all.count(text) == {"Slack": 15, "Discord": 16}[platform], (text, shown.all)
        assert {link.split("?")[0] for link in shown.links.values()} == {"/ask"}
        assert shown.pictures == ["/1.png"]
        assert shown.alts == [text]


ALLOWED = {"div", "p", "span", "strong", "table", "tr", "th", "td", "pre", "img", "svg", "rect", "a"}


@pytest.mark.parametrize("platform", PAYLOADS)
async def test_buttons_are_links_to_what_they_ask(platform: str) -> None:
    own = (Action("Now", "alert test x & y", "primary"), Action("Edit", "alert edit x", "danger", place="form"))
    payload = PAYLOADS[platform](Card("Title", "lead", actions=own), WORDS, "monitor scope=all")
    html = chat_html(platform, payload, {})
    assert Shown(html).links == {
        "Share to channel": "/ask?line=monitor%20scope%3Dall",
        "Refresh": "/ask?line=monitor%20scope%3Dall",
        "Now": "/ask?line=alert%20test%20x%20%26%20y",
        "Edit": "/form?line=alert%20edit%20x",
    }
    assert re.findall(r'class="press (\w+)"', html)[-2:] == ["primary", "danger"]


@pytest.mark.parametrize("platform", PAYLOADS)
async def test_common_buttons_are_there_once(platform: str) -> None:
    twice = Card("Title", "lead", actions=actions(WORDS, "monitor"))
    links = Shown(chat_html(platform, PAYLOADS[platform](twice, WORDS, "monitor"), {})).texts
    assert links.count("Refresh") == 1
    assert Shown(chat_html(platform, PAYLOADS[platform](Card("Title", "lead"), WORDS, ""), {})).links == {}


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("a *b* c", [Span("a "), Span("b", ("strong",)), Span(" c")]),
        ("*a _b_*", [Span("a ", ("strong",)), Span("b", ("strong", "em"))]),
        ("2*3*4 snake_case_name * x *", [Span("2*3*4 snake_case_name * x *")]),
        ("`*a* &lt;` ~b~", [Span("*a* <", ("code",)), Span(" "), Span("b", ("del",))]),
        ("```\na\n b\n```", [Span("a\n b", ("block",))]),
        ("&amp;lt; &lt;b&gt; &quot;", [Span("&lt; <b> &quot;")]),
        ("<https://a.example/?x=1&amp;y=2|see>", [Span("see", (), "https://a.example/?x=1&y=2")]),
        ("<http://a.example>", [Span("http://a.example", (), "http://a.example")]),
        ("<javascript:alert(1)|x> <!channel> <@U1>", [Span("<javascript:alert(1)|x> <!channel> <@U1>")]),
    ],
)
def test_mrkdwn(text: str, spans: list[Span]) -> None:
    assert list(mrkdwn(text)) == spans


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("a **b** c", [Span("a "), Span("b", ("strong",)), Span(" c")]),
        (r"**a \* b**", [Span("a ", ("strong",)), Span("*", ("strong",)), Span(" b", ("strong",))]),
        (r"\*\*a\*\*", [Span("*"), Span("*"), Span("a"), Span("*"), Span("*")]),
        (r"`a \*` \n &lt;", [Span(r"a \*", ("code",)), Span(r" \n &lt;")]),
        ("[a](javascript:b)", [Span("[a](javascript:b)")]),
    ],
)  # fmt: skip
def test_markdown(text: str, spans: list[Span]) -> None:
    assert list(markdown(text)) == spans


def test_lines_of_markdown_stay_apart_and_code_is_verbatim() -> None:
    lines = markdown_lines("**a**\n```\nx  **1**\n\ny  \\2\n```\n-# b\n\\-# c\n\nd")
    assert [(line.kind, "".join(span.text for span in line.spans)) for line in lines] == [
        ("text", "a"), ("code", "x  **1**\n\ny  \\2"), ("small", "b"), ("text", "-# c"), ("text", ""), ("text", "d"),
    ]  # fmt: skip


def test_other_blocks_of_slack() -> None:
    bad = "<script>alert(1)</script>"
    blocks = [
        {"type": "divider"},
        {"type": "section", "text": {"type": "mrkdwn", "text": f"*a* {bad} <javascript:x|y> <https://a.example|b>"}},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "_c_"}, {"type": "plain_text", "text": "*d*"}]},
        {"type": "rich_text", "elements": [{"type": "rich_text_list", "style": "bullet", "elements": [
            {"type": "rich_text_section", "elements": [{"type": "text", "text": bad, "style": {"code": True}}]}]}]},
        {"type": "image", "slack_file": {"id": "F1"}, "alt_text": "a picture that is gone"},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "usergroup"}]}]},
        {"type": "video"},
    ]  # fmt: skip
    shown = Shown(slack_html({"blocks": blocks}, {}))
    assert shown.tags <= {*ALLOWED, "hr", "ul", "li"}
    assert "hr" in shown.tags
    assert shown.all.count(bad) == 2
    assert shown.links == {"b": "https://a.example"}
    for text in ("a", "c", "*d*", "a picture that is gone", "usergroup", "video"):
        assert text in shown.texts


def test_other_parts_of_discord() -> None:
    fields = [{"name": "**n**", "value": "`v`\n-# s", "inline": True}]
    picture = {"url": "attachment://chart.png"}
    button = {"type": 2, "style": 3, "label": "off", "custom_id": "spot:run:x", "disabled": True}
    payload = {
        "content": "-# shared by <b>",
        "embeds": [{"color": 0x123456, "fields": fields, "image": picture}, {"image": picture}],
        "attachments": [{"id": 0, "filename": "chart.png", "description": "a \"picture\""}],
        "components": [{"type": 1, "components": [button]}],
    }  # fmt: skip
    html = discord_html(payload, {"chart.png": "/1.png"})
    shown = Shown(html)
    assert 'fill="#123456"' in html
    assert shown.pictures == ["/1.png", "/1.png"]
    assert shown.alts == ['a "picture"'] * 2
    assert shown.links == {}
    for text in ("n", "v", "s", "shared by <b>", "off"):
        assert text in shown.texts
