"""The Slack face against the stand-in beside the checkout: a driver to talk through.

    python -m benchmarks.standins_slack [--store FILE] [--at-once 200] [--only socket,http,installs,unreachable]

runs everything that the face must stand (benchmarks/standins_slack_checks.py). Skipped with a message where the
stand-in is absent. Traffic stays on loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from benchmarks.processes import ROOT, TOOLS, free_port, running
from bot.config import Settings
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.slack.chart_uploads import Draws
from bot.faces.slack.face import SlackFace, build_slack
from bot.faces.slack.web_api import Member
from bot.secret_box import SecretBox

STANDIN = TOOLS / "fake_slack.py"
TEAM, BOT, APP, SECRET = "T0FAKE", "xoxb-test-token", "xapp-test-token", "test-signing-secret"
BOSS, MEMBER = "U0ALICE", "U0BOB"
"""An admin of the stand-in's workspace, and somebody else."""

GENERAL, APART = "C0GENERAL", "C0RANDOM"
"""Channels with the bot, and without."""


class SlackStandIn:
    """``async with SlackStandIn(counter, gallery, folder) as slack: await slack.say("predict RTX 4090")``.

    ``mode``: ``socket`` or ``http``; ``vault``: workspaces install the app instead of having a token set.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        pictures: Draws,
        folder: Path,
        *,
        mode: str = "socket",
        vault: SecretBox | None = None,
    ) -> None:
        self.dispatcher, self.pictures, self.folder, self.mode, self.vault = dispatcher, pictures, folder, mode, vault
        self.face: SlackFace | None = None
        self.url = self.web = ""
        self._stack = ExitStack()
        self._stop = asyncio.Event()
        self._run: asyncio.Task[None] | None = None
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> SlackStandIn:
        port, web = free_port(), free_port()
        self.url, self.web = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{web}"
        command = [sys.executable, str(STANDIN), "--port", str(port), "--mode", self.mode]
        command += ["--request-url", f"{self.web}/slack/events", "--manifest", str(self._manifest())]
        self._stack.enter_context(running(command, port, {}, self.folder / f"slack-{port}.log"))
        self.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        await self.http.close()
        self._stack.close()

    def _manifest(self) -> Path:
        text = (ROOT / "manifest.yml").read_text(encoding="utf-8")
        if self.mode == "http":
            text = text.replace("socket_mode_enabled: true", "socket_mode_enabled: false")
        file = self.folder / f"manifest-{self.mode}.yml"
        file.write_text(text, encoding="utf-8")
        return file

    async def start(self) -> None:
        """Start the face, and wait until it hears."""
        said: dict[str, Any] = {"slack_app_token": APP} if self.mode == "socket" else {"slack_signing_secret": SECRET}
        said |= {"slack_client_id": "1.2", "slack_client_secret": "shh"} if self.vault else {"slack_bot_token": BOT}
        settings = Settings(_env_file=None, slack_api_url=f"{self.url}/api", **said)  # type: ignore[call-arg]
        self.face = build_slack(settings, self.dispatcher, self.pictures, self.vault)
        assert self.face is not None
        self._stop = asyncio.Event()
        self._run = asyncio.create_task(self.face.run(self._stop))
        if self.face.routes:
            await self._serve(self.face)
        if self.face.line is not None:
            await asyncio.wait_for(self.face.line.connected.wait(), 30)

    async def _serve(self, face: SlackFace) -> None:
        app = Starlette(routes=[Route(path, handler, methods=methods) for path, methods, handler in face.routes])
        port = urlsplit(self.web).port or 0
        config = uvicorn.Config(app, port=port, http="h11", log_config=None, access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._serving = asyncio.create_task(self._server.serve())
        await until(lambda: self._server is not None and self._server.started)

    async def stop(self) -> None:
        """Stop the face."""
        self._stop.set()
        if self._run is not None:
            await self._run
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
            self._server = None

    async def get(self, what: str) -> Any:
        async with self.http.get(f"{self.url}/_control/{what}") as answer:
            return await answer.json()

    async def post(self, what: str, **body: Any) -> Any:
        """A control request."""
        async with self.http.post(f"{self.url}/_control/{what}", json=body) as answer:
            if answer.status == 400:
                raise ValueError(await answer.text())
            return await answer.json()

    async def violations(self) -> list[dict[str, Any]]:
        """What the stand-in found wrong so far; a rate above what Slack promises is only a hint."""
        return [v for v in await self.get("violations") if (v["rule"], v["level"]) != ("rate_limit", "warning")]

    def is_known(self, user: str, locale: str) -> None:
        """The stand-in knows neither languages nor admins: what users.info would say is said here."""
        assert self.face is not None
        role: Any = "admin" if user == BOSS else "member"
        self.face.answers.people.remember(TEAM, user, Member(role, locale, None, user.removeprefix("U0").title()))

    async def say(self, text: str, *, user: str = MEMBER, channel: str = GENERAL, locale: str = "en-US") -> str:
        """Ask as somebody; everything that the answer shows, on all its pages."""
        self.is_known(user, locale)
        message = await self.ask(text, user=user, channel=channel)
        shown = [visible(message)]
        while "spot_page_next" in buttons(message):
            message = (await self.click(message, "spot_page_next", user=user))["edited"][0]
            shown.append(visible(message))
        return "\n".join(shown)

    async def ask(self, text: str, *, user: str = MEMBER, channel: str = GENERAL) -> dict[str, Any]:
        """The message that answers."""
        found = await self.post("slash", text=text, user=user, channel=channel, wait=60, until_messages=1)
        if not found["messages"]:
            raise TimeoutError(f"no answer to {text!r}: {found['delivery']}")
        return dict(found["messages"][0])

    async def click(self, message: dict[str, Any], action: str, *, user: str = MEMBER, wait: float = 0.4) -> Any:
        where = {"channel": message["channel"], "ts": message["ts"], "user": user}
        seen = len(message["edits"])
        answer = await self.post("block_action", action_id=action, wait=wait, **where)
        if not answer["edited"] and action != "spot_share":  # it takes longer than the stand-in waits
            end = time.monotonic() + 60
            while not answer["edited"] and time.monotonic() < end:
                await asyncio.sleep(0.02)
                found = [m for m in await self.get("messages") if m["ts"] == message["ts"] and len(m["edits"]) > seen]
                answer["edited"] = found
        return answer

    async def idle(self) -> None:
        """Until the face has nothing under way."""
        face = self.face
        assert face is not None
        await until(lambda: not face._tasks._running, 300)


async def until(condition: Callable[[], Any], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("it did not come about")
        await asyncio.sleep(0.02)


def buttons(message: dict[str, Any]) -> list[str]:
    """The action ids of a message's buttons."""
    rows = [block for block in message["blocks"] if block["type"] == "actions"]
    return [element["action_id"] for row in rows for element in row["elements"]]


def visible(message: dict[str, Any]) -> str:
    """What a person reads of a message, its buttons left out."""
    return "\n".join(line for block in message["blocks"] if block["type"] != "actions" for line in _texts(block))


def _texts(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for item in part:
            yield from _texts(item)
    elif isinstance(part, dict) and part.get("type") == "table":
        yield from ("  ".join(cell["text"] for cell in row) for row in part["rows"])
    elif isinstance(part, dict):
        if isinstance(part.get("text"), str):
            yield part["text"]
        for key in ("text", "elements"):
            if not isinstance(part.get(key), str):
                yield from _texts(part.get(key))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, help="a database of the time that the driver's clock shows")
    parser.add_argument("--at-once", type=int, default=200)
    parser.add_argument("--only", default="socket,http,installs,unreachable")
    parser.add_argument("--load", help=argparse.SUPPRESS)
    args = parser.parse_args()
    from benchmarks.standins_slack_checks import failures, load, run

    if args.load:
        asyncio.run(load(args.load, args.at_once))
        return
    if not STANDIN.exists():
        print("skipped, there is no stand-in for Slack beside this checkout")
        return
    asyncio.run(run(args.store, args.at_once, args.only.split(",")))
    print(f"{len(failures)} failed" if failures else "all passed")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
