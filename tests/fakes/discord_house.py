"""A Discord face to test with: on a store of its own, at the fake Discord, with one-pixel pictures."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from analytics.quantities import ENGLISH, quantity
from bot.commands import COMMANDS
from bot.dispatch.command import Command
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.kinds import KINDS
from bot.faces.discord import replies, responder
from bot.faces.discord.command_tree import valid_name
from bot.faces.discord.face import DiscordFace
from bot.faces.discord.responder import DiscordResponder
from bot.faces.discord.sdk import point_sdk, quiet_sdk
from bot.store.engine import open_store
from tests.fakes.discord import Asked, FakeDiscord, buttons, until, visible
from tests.fakes.endpoints import SITE, public_endpoints
from tests.fakes.slack_house import ACT, BOOM, TELL, Gallery
from tests.fakes.stored import NOW

FIRST_PAUSE = 0.01
"""Seconds before a lost connection is made again; a person's would be longer."""

SERVERS_WAIT = 0.05
"""Seconds that the SDK waits for one more server: the fake tells of all at once."""


class CannotBeTyped(Exception):
    """Discord's own fields do not let a person send this."""


@dataclass
class Guild:
    """A running face and the Discord it serves."""

    discord: FakeDiscord
    dispatcher: Dispatcher
    face: DiscordFace
    gallery: Gallery
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    running: asyncio.Task[None] | None = None

    async def ask(self, line: str, **who: Any) -> Asked:
        """Fill the fields of a command with what a line says, and wait for the answer."""
        command, given = await self.dispatcher.read(line)
        options = {valid_name(name): _typed(command, name, text) for name, text in given.items()}
        if any(param.required and not given.get(param.name, "").strip() for param in command.params):
            raise CannotBeTyped("Discord's client insists on what is required")
        return await self.discord.slash(command.name, options, **who)

    async def say(self, line: str, **who: Any) -> str:
        """All that the answer shows, on all its pages."""
        asked = await self.ask(line, **who)
        assert asked.original is not None
        texts = [plain(asked.original)]
        while f"spot:page:{len(texts)}" in names(asked.original):
            await self.discord.click(asked.original, f"spot:page:{len(texts)}", **who)
            await self.idle()
            texts.append(plain(asked.original))
        return "\n".join(texts)

    async def press(self, message: Mapping[str, Any], button: str, **who: Any) -> Asked:
        """Press a button, and wait until all is done."""
        clicked = await self.discord.click(message, button, **who)
        await self.idle()
        return clicked

    async def idle(self) -> None:
        """Until nothing is under way."""
        await until(lambda: not self.face.answers._under_way)

    async def start(self) -> None:
        self.running = asyncio.create_task(self.face.run(self.stop))
        await until(self._ready)

    async def end(self) -> None:
        self.stop.set()
        if self.running is not None:
            await self.running

    def _ready(self) -> bool:
        assert self.running is not None
        if self.running.done():
            self.running.result()
        client = self.face.client
        return bool(
            self.discord.commands
            and self.discord.connected
            and client is not None
            and client.was_ready
            and not any(server.unavailable for server in client.guilds)
        )


def new_face(dispatcher: Dispatcher, gallery: Gallery, token: str) -> DiscordFace:
    """A face as a process that has just begun has it."""
    answers = DiscordResponder(dispatcher, gallery, "en")
    return DiscordFace(token, dispatcher, answers, first_pause=FIRST_PAUSE, servers_wait=SERVERS_WAIT)


@asynccontextmanager
async def guild(discord: FakeDiscord, dispatcher: Dispatcher, **changes: Any) -> AsyncIterator[Guild]:
    """A face that is connected."""
    point_sdk(discord.url)
    quiet_sdk()
    gallery = Gallery()
    home = Guild(discord, dispatcher, new_face(dispatcher, gallery, changes.get("token", discord.token)), gallery)
    try:
        await home.start()
        yield home
        await home.idle()
    finally:
        await home.end()


def names(message: Mapping[str, Any]) -> list[str]:
    """The buttons of a message that can be pressed."""
    return [item["custom_id"] for item in buttons(message)]


def plain(message: Mapping[str, Any]) -> str:
    """What a person reads of a message: without the marks of its layout."""
    text = re.sub(r"^(-# |```)|\*\*(?=\S)|(?<=\S)\*\*", "", visible(message), flags=re.MULTILINE)
    return re.sub(r"\\([^A-Za-z0-9\s])", r"\1", text).replace("\u200b", "")


def mentions(discord: FakeDiscord) -> list[Any]:
    """What every request that shows something allows to be mentioned."""
    shown = [call for call in discord.calls if "/webhooks/" in call.path and call.method in ("POST", "PATCH")]
    return [json.dumps(call.body.get("allowed_mentions")) for call in shown]


def _typed(command: Command, name: str, text: str) -> Any:
    kind = {param.name: param.kind for param in command.params}.get(name)
    if kind is None:
        raise CannotBeTyped(f"there is no field {name}")
    if kind == "flag":
        return text.lower() in ("yes", "true", "1", "on", "sim")
    spec = KINDS[kind]
    if spec.primitive == "text" or spec.units is None:
        return text
    value = quantity(text, spec.units, ENGLISH, spec.before)
    if value is None:
        raise CannotBeTyped(f"{name} takes a number")
    return int(value) if spec.primitive == "integer" else value


@pytest.fixture
async def discord_dispatcher(market_file: Path, tmp_path: Path) -> AsyncIterator[Dispatcher]:
    """A dispatcher on a market of its own, which can be written; ``boom`` fails."""
    shutil.copy(market_file, tmp_path / "discord.db")
    store = await open_store(f"sqlite:///{tmp_path / 'discord.db'}", writer=True)
    endpoints = public_endpoints()
    commands = (*COMMANDS, BOOM, ACT, TELL)
    yield Dispatcher(store, commands, lambda: NOW + 60, endpoints=lambda: endpoints, site=lambda: SITE)
    await store.close()


@pytest.fixture
async def discord(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeDiscord]:
    """A Discord; what the network loses is sent again at once."""
    monkeypatch.setattr(replies, "PAUSES", (0.01, 0.01))
    monkeypatch.setattr(responder, "FORGET_PAUSES", (0.01, 0.01))
    async with FakeDiscord() as fake:
        yield fake


@pytest.fixture
async def server(discord: FakeDiscord, discord_dispatcher: Dispatcher) -> AsyncIterator[Guild]:
    """A face that serves one server."""
    async with guild(discord, discord_dispatcher) as home:
        yield home
    assert set(mentions(discord)) <= {json.dumps({"parse": []})}
