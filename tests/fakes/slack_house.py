"""A Slack face to test with: on a store of its own, at the fake Slack, with one-pixel pictures and no real pauses."""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from bot.commands import COMMANDS
from bot.config import Settings
from bot.dispatch.command import Command
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.slack.face import SlackFace, build_slack
from bot.fair_queue import ANYBODY, Waiter
from bot.presentation.card import Action, Card, Chart
from bot.secret_box import SecretBox, new_key
from bot.store.engine import open_store
from tests.fakes.endpoints import SITE, public_endpoints
from tests.fakes.slack import APP, BOT, CLIENT_ID, CLIENT_SECRET, SECRET, FakeSlack, Message, until
from tests.fakes.stored import NOW

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
KEY = new_key()
ONE = {"slack_bot_token": BOT}
MANY = {"slack_client_id": CLIENT_ID, "slack_client_secret": CLIENT_SECRET}


@dataclass
class Gallery:
    """Draws one pixel of everything."""

    drawn: list[Chart] = field(default_factory=list)

    async def png(self, chart: Chart, *, language: str = "en", waiter: Waiter = ANYBODY) -> bytes | None:
        self.drawn.append(chart)
        return PIXEL


@dataclass
class Naps:
    """Pauses asked for; none is long."""

    taken: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        await asyncio.sleep(0.002)


@dataclass
class Home:
    """A running face and the Slack it serves."""

    slack: FakeSlack
    dispatcher: Dispatcher
    face: SlackFace
    gallery: Gallery
    naps: Naps
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    running: asyncio.Task[None] | None = None
    web: httpx.AsyncClient | None = None

    async def hear(self, text: str, **who: Any) -> Message:
        """Ask, and wait for the answer."""
        seen = len(self.slack.messages)
        await self.slack.say(text, **who)
        await until(lambda: len(self.slack.messages) > seen)
        return self.slack.messages[seen]

    async def press_edit(self, made: Message, name: str, **more: Any) -> None:
        """Press the button that opens the form of an alert."""
        click = self.slack.click_on(made, made.buttons[0], **more)
        click["actions"][0] |= {"action_id": "spot_form_0", "value": f"0 alert edit {name}"}
        await self.slack.send(click)

    async def start(self) -> None:
        self.running = asyncio.create_task(self.face.run(self.stop))
        if self.face.line is not None:
            await until(lambda: self.running.done() or self.slack.sockets)  # type: ignore[union-attr]

    async def end(self) -> None:
        self.stop.set()
        if self.running is not None:
            await self.running

    async def idle(self) -> None:
        """Until nothing is under way."""
        await until(lambda: not self.face._tasks._running)


def slack_settings(url: str, **changes: Any) -> Settings:
    """Settings of a face, and nothing from the environment."""
    nothing: dict[str, Any] = dict.fromkeys(
        ("slack_bot_token", "slack_app_token", "slack_signing_secret", "slack_client_id", "slack_client_secret")
    )
    return Settings(_env_file=None, slack_api_url=f"{url}/api", **{**nothing, **changes})


@asynccontextmanager
async def house(
    slack: FakeSlack, dispatcher: Dispatcher, *, http: bool = False, vault: SecretBox | None = None, **changes: Any
) -> AsyncIterator[Home]:
    """A face that runs: over a socket, or as routes that Slack posts to."""
    door = {"slack_signing_secret": SECRET} if http else {"slack_app_token": APP}
    settings = slack_settings(slack.url, **{**(MANY if vault else ONE), **door, **changes})
    gallery, naps = Gallery(), Naps()
    face = build_slack(settings, dispatcher, gallery, vault, sleep=naps)
    assert face is not None
    home = Home(slack, dispatcher, face, gallery, naps)
    app = Starlette(routes=[Route(path, handler, methods=methods) for path, methods, handler in face.routes])
    home.web = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://spotbot.test")
    slack.over_http = home.web if http else None
    try:
        await home.start()
        yield home
        await home.idle()
    finally:
        await home.end()
        await home.web.aclose()
        slack.over_http = None


async def _boom(query: Any) -> Any:
    raise ZeroDivisionError("secret detail")


async def _role(query: Any) -> str:
    return f"done for a {query.asker.role}"


ACT = Command(
    "act now",
    "Acts",
    None,
    (),
    _role,
    lambda answer, words: Card("Act", answer),
    ("act now",),
    role="member",
    method="POST",
)
TELL = Command(
    "tell",
    "Says what can be done",
    None,
    (),
    _role,
    lambda answer, words: Card("Tell", answer, actions=(Action("Act", "act now", "danger"), Action("Look", "tell"))),
    ("tell",),
    role="member",
)
BOOM = Command("boom", "Fails", None, (), _boom, lambda answer, words: answer, ("boom",), role="member")


@pytest.fixture
async def slack_dispatcher(market_file: Path, tmp_path: Path) -> AsyncIterator[Dispatcher]:
    """A dispatcher on a market of its own, which can be written; ``boom`` fails."""
    shutil.copy(market_file, tmp_path / "chat.db")
    store = await open_store(f"sqlite:///{tmp_path / 'chat.db'}", writer=True)
    endpoints = public_endpoints()
    commands = (*COMMANDS, BOOM, ACT, TELL)
    yield Dispatcher(store, commands, lambda: NOW + 60, endpoints=lambda: endpoints, site=lambda: SITE)
    await store.close()


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """A Slack with Ada, an admin, and UP, an admin who speaks Portuguese."""
    async with FakeSlack() as fake:
        fake.people["UA"] = {"is_admin": True, "locale": "en-US", "profile": {"display_name": "Ada"}}
        fake.people["UP"] = {"locale": "pt-BR", "tz": "America/Sao_Paulo", "is_admin": True}
        yield fake


@pytest.fixture
async def chat(slack: FakeSlack, slack_dispatcher: Dispatcher) -> AsyncIterator[Home]:
    """A face over a socket."""
    async with house(slack, slack_dispatcher) as home:
        yield home
    assert slack.refused == []


@pytest.fixture
async def posted(slack: FakeSlack, slack_dispatcher: Dispatcher) -> AsyncIterator[Home]:
    """A face that Slack posts to."""
    async with house(slack, slack_dispatcher, http=True) as home:
        yield home
    assert slack.refused == []


@pytest.fixture
async def many(slack: FakeSlack, slack_dispatcher: Dispatcher) -> AsyncIterator[Home]:
    """A face that workspaces install."""
    async with house(slack, slack_dispatcher, http=True, vault=SecretBox(KEY)) as home:
        yield home
    assert slack.refused == []
