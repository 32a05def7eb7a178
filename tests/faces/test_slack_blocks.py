"""What Slack is sent: blocks within their limits, data that is never markup; and the app's manifest."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from bot.commands import COMMANDS
from bot.faces.slack.blocks import (
    TEXT,
    Picture,
    asked_again,
    blocks,
    clean,
    escape,
    home,
    message,
    sheet,
)
from bot.faces.slack.face import EVENTS, EVENTS_PATH
from bot.faces.slack.installations import REDIRECT, SCOPES
from bot.presentation.card import Card, Column, Spark, Table
from bot.presentation.words import Words
from tests.fakes.slack import wrong_with

ROOT = Path(__file__).resolve().parents[2]
WORDS = Words("en", 0)
EVIL = '<!channel> <@U1> <https://evil|ok> & *b* `c` \u202e ``` :tada: "'


def table(rows: int = 2, columns: int = 2, cell: str = "x") -> Table:
    heads = tuple(Column(f"c{n}", "right" if n else "left") for n in range(columns))
    return Table("caption", heads, tuple(tuple(cell for _ in heads) for _ in range(rows)))


def kinds(found: list[dict[str, Any]]) -> list[str]:
    return [block["type"] for block in found]


def test_a_card_reads_from_its_title_to_its_buttons() -> None:
    card = Card("caption", "lead", (table(),), (Spark("s", (1.0, 2.0)),), ("note", "another"), "footer")
    found = blocks(sheet(card, WORDS, line="monitor"))
    assert kinds(found) == ["header", "section", "table", "rich_text", "context", "context", "actions"]
    assert found[4]["elements"][0]["text"] == "• note\n• another"
    shown = blocks(sheet(card, WORDS, line="monitor"), pictures=[Picture("F1", "alt")])
    assert kinds(shown) == ["header", "section", "table", "image", "context", "context", "actions"]
    assert shown[3] == {"type": "image", "slack_file": {"id": "F1"}, "alt_text": "alt"}


def test_a_table_keeps_its_columns_sides() -> None:
    (found,) = [b for b in blocks(sheet(Card("t", "l", (table(),)), WORDS)) if b["type"] == "table"]
    assert [settings["align"] for settings in found["column_settings"]] == ["left", "right"]
    assert [[cell["text"] for cell in row] for row in found["rows"]] == [["c0", "c1"], ["x", "x"], ["x", "x"]]


def test_one_table_is_native_and_further_ones_are_preformatted_all_under_their_captions() -> None:
    assert kinds(blocks(sheet(Card("t", "l", (table(),)), WORDS))) == ["header", "section", "context", "table"]
    found = blocks(sheet(Card("t", "l", (table(), table())), WORDS))
    assert kinds(found) == ["header", "section", "context", "table", "context", "rich_text"]
    assert found[2]["elements"][0]["text"] == "caption"
    plainly = blocks(sheet(Card("t", "l", (table(), table())), WORDS), plainly=True)
    assert "table" not in kinds(plainly)


@pytest.mark.parametrize("big", [table(2, 21), table(2, 2, "x" * 3000), table(0, 0)])
def test_a_table_that_does_not_fit_a_block_is_preformatted(big: Table) -> None:
    found = blocks(sheet(Card("t", "l", (big,)), WORDS))
    assert "table" not in kinds(found)
    assert wrong_with(found, 50) == ""


def test_pages_say_which_they_are_and_a_number_beyond_the_last_means_the_last() -> None:
    card = Card("Title", "lead", (table(30),))
    for asked, page, names in ((0, "1/3", ["next"]), (1, "2/3", ["previous", "next"]), (9, "3/3", ["previous"])):
        found = blocks(sheet(card, WORDS, line="monitor 4090", number=asked))
        assert found[0]["text"]["text"] == f"Title · page {page}"
        buttons = found[-1]["elements"][2:]
        assert [button["action_id"] for button in buttons] == [f"spot_page_{name}" for name in names]
        assert all(asked_again(button["value"])[1] == "monitor 4090" for button in buttons)


def test_buttons_need_a_line_that_fits_and_a_reader_of_their_own() -> None:
    card = Card("t", "l")
    assert kinds(blocks(sheet(card, WORDS, line=""))) == ["header", "section"]
    assert "actions" not in kinds(blocks(sheet(card, WORDS, line="x" * 2000)))
    assert "actions" not in kinds(blocks(sheet(card, WORDS, line="monitor", by="Ada")))
    assert (
        blocks(sheet(card, WORDS, line="monitor"))[-1]["block_id"]
        != (blocks(sheet(card, WORDS, line="monitor"))[-1]["block_id"])
    )


def test_an_enormous_card_stays_within_every_limit_and_keeps_its_buttons() -> None:
    tables = tuple(table(12, 20, "x" * 500) for _ in range(60))
    card = Card("t" * 500, "l" * 9000, tables, (), tuple("n" * 500 for _ in range(99)), "f" * 9000)
    for plainly in (False, True):
        body = message(sheet(card, WORDS, line="monitor"), plainly=plainly)
        assert wrong_with(body["blocks"], 50) == ""
        assert len(body["text"]) <= TEXT
        assert body["blocks"][-1]["type"] == "actions"


@given(st.text(max_size=60), st.text(max_size=300), st.lists(st.text(max_size=20), min_size=2, max_size=2))
def test_whatever_the_texts_are_slack_takes_them_and_parses_nothing(title: str, lead: str, cells: list[str]) -> None:
    grid = Table(title, (Column(title), Column(lead[:20])), (tuple(cells),))
    card = Card(title, lead, (grid, grid), (), (lead,), title)
    for plainly in (False, True):
        body = message(sheet(card, WORDS, line="monitor", by=""), plainly=plainly)
        assert wrong_with(body["blocks"], 50) == ""
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", body["text"])
        json.dumps(body).encode()


def test_what_would_be_markup_is_shown_as_it_was_typed() -> None:
    body = message(sheet(Card(EVIL, EVIL, (table(1, 2, EVIL),), (), (EVIL,), EVIL), WORDS))
    assert "&lt;!channel&gt;" in body["text"]
    assert "<!channel> <@U1>" in body["blocks"][1]["text"]["text"]
    assert "mrkdwn" not in json.dumps(body["blocks"])
    assert "\u202e" not in json.dumps(body, ensure_ascii=False)


def test_a_cut_never_falls_within_an_entity() -> None:
    for length in range(1, 40):
        text = escape("<&>" * 20, length)
        assert len(text) <= length
        assert not re.search(r"&(?!amp;|lt;|gt;)", text)
    assert escape("a" * 5, 5) == "aaaaa"
    assert clean("a\x00\ud800\nb\u2066") == "a\nb"


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("2 monitor 4090", (2, "monitor 4090")),
        ("monitor", (0, "")),
        ("", (0, "")),
        ("² x", (0, "x")),
        ("-1 x", (0, "x")),
    ],
)
def test_a_button_carries_its_page_and_line(value: str, meant: tuple[int, str]) -> None:
    assert asked_again(value) == meant


def test_the_home_fits_and_names_every_verb() -> None:
    card = Card("Status", "all is well", (table(30),), (), (), "footer")
    for language in ("en", "pt-BR"):
        view = home(Words(language, 0), COMMANDS, card, "home", told=card)
        assert view["type"] == "home"
        assert wrong_with(view["blocks"], 100) == ""
        assert "table" not in kinds(view["blocks"])
        shown = json.dumps(view)
        assert all(json.dumps(f"/spot {command.examples[0]}")[1:-1] in shown for command in COMMANDS)


def test_every_text_of_the_face_is_translated() -> None:
    folder = ROOT / "bot/presentation/locales/pt_BR/LC_MESSAGES"
    said = set()
    for file in (*(ROOT / "bot/faces/slack").glob("*.py"), ROOT / "bot/dispatch/reply.py"):
        source = file.read_text(encoding="utf-8")
        said |= {text for _, text in re.findall(r"""words\(\s*(['"])(.+?)\1""", source, re.DOTALL)}
    assert {"Share to channel", "page {n}/{m}", "shared by {who}", "What you can ask"} <= said
    known = set()
    for file in folder.glob("*.po"):
        with file.open("rb") as text:
            known |= {str(entry.id) for entry in read_po(text, locale="pt_BR") if entry.string}
    assert said <= known


# the manifest


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    return found


def test_the_manifest_asks_for_what_the_face_uses_and_no_more(manifest: dict[str, Any]) -> None:
    assert manifest["oauth_config"]["scopes"] == {"bot": list(SCOPES)}
    assert tuple(manifest["settings"]["event_subscriptions"]["bot_events"]) == EVENTS
    assert manifest["settings"]["interactivity"]["is_enabled"] is True
    assert manifest["settings"]["socket_mode_enabled"] is True
    assert manifest["settings"]["token_rotation_enabled"] is False
    assert manifest["features"]["app_home"]["home_tab_enabled"] is True
    (command,) = manifest["features"]["slash_commands"]
    assert (command["command"], command["should_escape"]) == ("/spot", False)
    verbs = {entry.name.split()[0] for entry in COMMANDS}
    assert {hint.split()[0] for hint in command["usage_hint"].split("|")} <= verbs


def test_the_manifest_keeps_slacks_limits(manifest: dict[str, Any]) -> None:
    shown = manifest["display_information"]
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
    assert 175 <= len(shown["long_description"]) <= 4000
    (command,) = manifest["features"]["slash_commands"]
    assert len(command["description"]) <= 2000
    assert len(command["usage_hint"]) <= 1000


def test_the_manifest_becomes_that_of_http_mode_by_taking_the_marks_off() -> None:
    text = (ROOT / "manifest.yml").read_text(encoding="utf-8")
    mode = re.sub(r"^( +)# (?=(?:url|request_url|redirect_urls): *|  - https)", r"\1", text, flags=re.MULTILINE)
    there = yaml.safe_load(mode.replace("socket_mode_enabled: true", "socket_mode_enabled: false"))
    address = f"https://spotbot.example.com{EVENTS_PATH}"
    assert there["features"]["slash_commands"][0]["url"] == address
    assert there["settings"]["interactivity"]["request_url"] == address
    assert there["settings"]["event_subscriptions"]["request_url"] == address
    assert there["oauth_config"]["redirect_urls"] == [f"https://spotbot.example.com{REDIRECT}"]
