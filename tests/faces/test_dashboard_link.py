"""``dashboard link`` in chat: the whole address, for its asker alone, in their language; or what to set."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import pytest
from rich.console import Console

from bot.accounts import Asker
from bot.config import BadSettings, load_settings
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.reply import reply
from bot.faces.console.face import show
from bot.faces.console.sender import PERSON
from bot.store.browser_sessions import LINK_S
from tests.fakes.discord import EPHEMERAL
from tests.fakes.discord_house import Guild
from tests.fakes.endpoints import SITE
from tests.fakes.slack_house import Home

ADDRESS = re.compile(re.escape(f"{SITE}/sign-in/link?token=") + r"([0-9a-f]{64})(?![0-9a-f])")


async def _signs_in(dispatcher: Dispatcher, token: str) -> Asker | None:
    async with dispatcher.store.reader() as reader:
        return await reader.browser_sessions.link(token, dispatcher.clock())


async def test_slack_shows_the_address_to_its_asker(chat: Home) -> None:
    heard = await chat.hear("dashboard link", person="UP")
    [token] = set(ADDRESS.findall(json.dumps(heard.body)))
    assert (heard.only, heard.buttons) == ("UP", [])
    assert "Vale por 10 minutos, uma vez." in heard.text
    asker = await _signs_in(chat.dispatcher, token)
    assert asker is not None
    assert (asker.platform, asker.team, asker.person, asker.role) == ("slack", "T1", "UP", "admin")
    assert (asker.locale, asker.tz) == ("pt-BR", "America/Sao_Paulo")


async def test_discord_shows_the_address_to_its_asker(server: Guild) -> None:
    asked = await server.ask("dashboard link")
    assert asked.original is not None
    assert asked.original["flags"] & EPHEMERAL
    assert not asked.original.get("components")
    [token] = ADDRESS.findall(asked.original["embeds"][0]["description"])
    asker = await _signs_in(server.dispatcher, token)
    assert asker is not None
    assert asker.platform == "discord"


async def test_the_prompt_shows_the_address_on_one_line(slack_dispatcher: Dispatcher) -> None:
    found = await reply(slack_dispatcher, PERSON, "dashboard link", default="en")
    out = io.StringIO()
    show(found.card, Console(file=out, width=30))
    [token] = ADDRESS.findall(out.getvalue())
    assert await _signs_in(slack_dispatcher, token) == PERSON
    words = " ".join(out.getvalue().split())
    assert "Whoever has it signs in as you: do not pass it on." in words
    assert "Good for 10 minutes, once." in words
    assert LINK_S == 600
    assert found.line == ""  # nothing to share or to ask again


@pytest.mark.parametrize("site", [None, lambda: None])
async def test_without_an_address_it_is_said_what_to_set(slack_dispatcher: Dispatcher, site: object) -> None:
    slack_dispatcher.site = site  # type: ignore[assignment]
    for locale, told in (
        ("en", "set SPOTBOT_URL to the address of the web pages first"),
        ("pt-BR", "ponha em SPOTBOT_URL"),
    ):
        found = await reply(slack_dispatcher, replace(PERSON, locale=locale), "dashboard link", default="en")
        assert (found.ok, told in found.card.lead + " ".join(found.card.notes)) == (False, True)


def _url(text: str) -> str | None:
    return load_settings(SPOTBOT_URL=text, _env_file=None).url


def test_the_address_is_an_origin() -> None:
    assert _url(" https://spot.example.com/ ") == "https://spot.example.com"
    assert _url("http://127.0.0.1:8080") == "http://127.0.0.1:8080"
    assert _url("") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [("spot.example.com", "is no origin"), ("https://spot.example.com/sub", "write https://spot.example.com"),
     ("ftp://spot.example.com", "is no origin"), ("https://me:pw@spot.example.com", "is no origin")],
)  # fmt: skip
def test_what_is_no_origin_is_refused_at_the_start(text: str, told: str) -> None:
    with pytest.raises(BadSettings) as caught:
        _url(text)
    assert str(caught.value).startswith("SPOTBOT_URL: ")
    assert told in str(caught.value)
