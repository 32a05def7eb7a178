"""The dialogues on Slack, over the socket and over HTTP; one answer on all faces; and a command that no face knows."""

from __future__ import annotations

import io
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from rich.console import Console

from analytics.evidence import to_json
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Answered, Dispatcher
from bot.dispatch.reply import Reply, card_of
from bot.faces.console import face as console
from bot.faces.http.api import build_api, stored_keys
from bot.faces.http.metrics import market_health
from bot.faces.slack import responder
from bot.presentation.card import Card
from bot.presentation.words import Words
from tests.dialogues import DIALOGUES, Turn
from tests.faces.conftest import PRICE, Price
from tests.fakes.slack import FakeSlack, until
from tests.fakes.slack_house import Home, house

SAID = {
    ("en", False): "UE",
    ("pt-BR", False): "UB",
    ("en", True): "UC",
}
"""Who says it: by language, and whether they are an admin."""

TEN = (
    "monitor",
    "llm",
    "fleet",
    "predict",
    "availability",
    "cost",
    "savings",
    "reliability",
    "interruptions",
    "windows",
)
"""The ten questions."""


@pytest.fixture(params=["socket", "http"])
async def either(slack: FakeSlack, slack_dispatcher: Dispatcher, request: pytest.FixtureRequest) -> AsyncIterator[Home]:
    """A face over a socket, then one that Slack posts to; with people of both languages and an admin."""
    slack.people["UE"] = {"locale": "en-US"}
    slack.people["UB"] = {"locale": "pt-BR"}
    slack.people["UC"] = {"locale": "en-US", "is_admin": True}
    async with house(slack, slack_dispatcher, http=request.param == "http") as home:
        yield home
    assert slack.refused == []


async def hear(home: Home, turn: Turn) -> str:
    """All pages of the answer to a turn."""
    person = SAID[turn.language, turn.boss]
    answer = await home.hear(turn.says, person=person)
    pages = [answer.text]
    while "spot_page_next" in answer.buttons:
        edits = answer.edits
        await home.slack.click(answer, "spot_page_next", person=person)
        await until(lambda edits=edits: answer.edits > edits)
        pages.append(answer.text)
    return "\n".join(pages)


@pytest.mark.parametrize("only", ["", "typed", "chat"])
async def test_the_dialogues_on_slack(either: Home, only: str) -> None:
    turns = [turn for turn in DIALOGUES if turn.only == only]
    assert turns
    for turn in turns:
        text = await hear(either, turn)
        for part in turn.hears:
            assert part in text, turn.says


def test_the_dialogues_are_at_least_sixty_and_in_both_languages() -> None:
    assert len({(turn.says, turn.language) for turn in DIALOGUES}) >= 60
    assert {turn.language for turn in DIALOGUES} == {"en", "pt-BR"}


# one answer


@asynccontextmanager
async def api_of(dispatcher: Dispatcher) -> AsyncIterator[httpx.AsyncClient]:
    """The same questions over HTTP, without a key."""

    async def health() -> Any:
        return await market_health(dispatcher, polling=True, row_budget=20_000)

    api = build_api(dispatcher, keys=stored_keys(dispatcher), health=health, require_key=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://spotbot") as client:
        yield client


async def address(dispatcher: Dispatcher, line: str) -> str:
    """Path and query of the question that a line asks."""
    command, given = await dispatcher.read(line)
    assert command.path is not None
    path = command.path
    for name in re.findall(r"{(\w+)}", path):
        path = path.replace(f"{{{name}}}", quote(given.pop(name)))
    return f"{path}?{urlencode(given)}"


async def asked(dispatcher: Dispatcher, line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What the console prints with --json."""
    capsys.readouterr()
    err = Console(file=io.StringIO())
    assert await console.answer(dispatcher, line, language="en", as_json=True, out=err, err=err) == 0
    return capsys.readouterr().out


@pytest.fixture
def replies(monkeypatch: pytest.MonkeyPatch) -> list[Reply]:
    """The replies that the Slack face shows."""
    found: list[Reply] = []
    reply = responder.reply

    async def kept(*given: Any, **how: Any) -> Reply:
        found.append(await reply(*given, **how))
        return found[-1]

    monkeypatch.setattr(responder, "reply", kept)
    return found


@pytest.mark.parametrize("person", ["UE", "UB"])
async def test_the_data_behind_a_card_are_those_of_console_and_http(
    either: Home, replies: list[Reply], capsys: pytest.CaptureFixture[str], person: str
) -> None:
    async with api_of(either.dispatcher) as api:
        for line in (either.dispatcher.command(verb).examples[0] for verb in TEN):
            message = await either.hear(line, person=person)
            shown = replies[-1]
            assert shown.command is not None
            assert shown.card == card_of(Answered(shown.command, shown.answer, shown.line), shown.words)
            for part in (shown.card.title, shown.card.lead, shown.card.footer):
                assert part in message.text
            answered = await api.get(await address(either.dispatcher, line))
            printed = await asked(either.dispatcher, line, capsys)
            assert to_json(shown.answer).encode() == answered.content == printed.encode(), line


# one declaration


def _ransom(answer: Price, words: Words) -> Card:
    return Card(f"Ransom for {answer.gpu_name}", f"{answer.rates[0].usd} USD")


RANSOM = replace(
    PRICE, name="ransom", path="/api/spot/ransom/{gpu_name}", examples=("ransom rtx 4090",), role="member", card=_ransom
)
"""A command that no face knows."""


async def test_a_new_command_is_answered_everywhere_without_touching_a_face(
    slack: FakeSlack, slack_dispatcher: Dispatcher, capsys: pytest.CaptureFixture[str]
) -> None:
    slack_dispatcher.commands = (*COMMANDS, RANSOM)
    async with house(slack, slack_dispatcher) as home, api_of(slack_dispatcher) as api:
        answer = await home.hear("ransom 4090")
        assert answer.text.startswith("Ransom for RTX 4090")
        assert answer.buttons == ["spot_share", "spot_refresh", "spot_run_0"]
        assert "ransom  What a <while>" in await hear(home, Turn("help", ()))
        assert "disk" in (await home.hear("help ransom")).text
        assert "Try: ransom" in (await home.hear("ransm 4090")).text
        await slack.event("app_home_opened", user="UE", tab="home")
        await until(lambda: slack.homes)
        assert "/spot ransom rtx 4090" in json.dumps(slack.homes["UE"])
        answered = await api.get(await address(slack_dispatcher, "ransom 4090"))
        assert answered.json()["gpu_name"] == "RTX 4090"
        assert await asked(slack_dispatcher, "ransom 4090", capsys) == answered.text
        assert "/api/spot/ransom/{gpu_name}" in (await api.get("/openapi.json")).json()["paths"]
    assert slack.refused == []
