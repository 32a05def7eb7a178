"""The Discord face against the stand-in beside the checkout: a driver to talk through, and everything it must stand.

    python -m benchmarks.standins_discord [--store FILE] [--at-once 200]

Skipped with a message where the stand-in is absent. Traffic stays on loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from analytics.errors import AskError
from analytics.quantities import ENGLISH, quantity
from benchmarks.processes import ROOT, TOOLS, free_port, running, strain
from benchmarks.standins_senders import on_discord
from bot.commands import COMMANDS
from bot.config import Settings
from bot.dispatch.command import Command
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.kinds import KINDS
from bot.faces.discord.command_tree import valid_name
from bot.faces.discord.face import DiscordFace, build_discord
from bot.faces.discord.responder import ChartRenderer
from bot.presentation.gallery import Gallery
from bot.store.engine import open_store
from tests.dialogues import DIALOGUES
from tests.fakes.stored import NAMES, NOW, fill

STANDIN = TOOLS / "fake_discord.py"
TOKEN = "fake.discord.token"
BOSS, MEMBER = "alice", "bob"
"""The owner of the stand-in's server, and somebody else."""

HOSTILE = (
    *("<!channel>", "<!here>", "<@U1>", "<!subteam^S1>", "<https://evil|ok>", "@everyone", "@here", "<@&1>", "<@1>"),
    *("<#1>", "[a](http://b)", "```", "``` @everyone ```", "**b** __u__ ~~s~~ ||x||", "# h", "> q", "<t:1:R>"),
    *("</spot:1>", "<:e:1>", "=HYPERLINK(1)", "+cmd", "../", "%0d%0a", "{{7*7}}", "{who}", "\u202eRTL", "\x00\x1b[31m"),
    *("a\nb", "'\"\\`", "x" * 5000),
)


MARKS = re.compile(r"@everyone|@here|(?<!\\)<(?:@|#|t:|/|:)[^>]*>")
"""What Discord would make a mention, a time or a command of."""

MOST_DIALOGUES = 60
"""Of the dialogues; the others are of words that Discord's fields do not let through."""

AT_ONCE = 50
"""Connections of one session of the load."""


class CannotBeTyped(Exception):
    """Discord's own fields do not let a person send this."""


class DiscordStandIn:
    """``async with DiscordStandIn(counter, pictures, folder) as discord: await discord.say("predict RTX 4090")``."""

    def __init__(self, dispatcher: Dispatcher, pictures: ChartRenderer, folder: Path, *options: str) -> None:
        self.dispatcher, self.pictures, self.folder, self.options = dispatcher, pictures, folder, options
        self.face: DiscordFace | None = None
        self.run: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._stack = ExitStack()

    async def __aenter__(self) -> DiscordStandIn:
        port = free_port()
        command = [sys.executable, str(STANDIN), "--port", str(port), "--token", TOKEN, *self.options]
        self._stack.enter_context(running(command, port, {}, self.folder / "discord.log"))
        self.url = f"http://127.0.0.1:{port}"
        self.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        await self.http.close()
        self._stack.close()

    async def start(self) -> None:
        """Start the face, and wait until it is there."""
        settings = Settings(_env_file=None, discord_token=TOKEN, discord_api_url=self.url)  # type: ignore[call-arg]
        self._stop = asyncio.Event()
        self.face = build_discord(settings, self.dispatcher, self.pictures)
        assert self.face is not None
        self.run = asyncio.create_task(self.face.run(self._stop))
        await self.until(self.ready)

    async def stop(self) -> None:
        """Stop the face."""
        self._stop.set()
        if self.run is not None:
            await self.run

    async def ready(self) -> bool:
        """Whether the face is connected and its commands are known."""
        if self.run is not None and self.run.done():
            self.run.result()
        commands = await self.get("commands")
        return bool(commands["global"]) and bool((await self.get("health"))["ready"])

    async def until(self, condition: Callable[[], Any], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not await condition():
            if time.monotonic() > end:
                raise TimeoutError("it did not come about")
            await asyncio.sleep(0.05)

    async def get(self, what: str) -> Any:
        async with self.http.get(f"{self.url}/_control/{what}") as answer:
            return await answer.json()

    async def post(self, what: str, **body: Any) -> Any:
        """A control request; CannotBeTyped where the stand-in says that Discord's client would not let it through."""
        async with self.http.post(f"{self.url}/_control/{what}", json=body) as answer:
            if answer.status == 400:
                raise CannotBeTyped(await answer.text())
            return await answer.json()

    async def violations(self) -> list[dict[str, Any]]:
        """What the stand-in found wrong so far; unanswered questions too."""
        return list(await self.get("violations?pending=1"))

    async def say(self, text: str, *, user: str = MEMBER, channel: str = "general", locale: str = "en-US") -> str:
        """Ask as somebody who typed this into Discord's fields; everything that the answer shows, on all its pages."""
        message = (await self.ask(text, user=user, channel=channel, locale=locale))["response"]
        texts = [visible(message)]
        while following := [button for button in buttons(message) if button == f"spot:page:{len(texts)}"]:
            clicked = await self.post("click", message_id=message["id"], custom_id=following[0], user=user, wait=0.4)
            message = clicked["edited"][-1]
            texts.append(visible(message))
        return "\n".join(texts)

    async def ask(self, text: str, **who: Any) -> dict[str, Any]:
        """The same, with all that the stand-in saw."""
        try:
            command, given = await self.dispatcher.read(text)
        except AskError as error:
            raise CannotBeTyped(str(error)) from error
        return await self.call(command, given, **who)

    async def call(self, command: Command, given: Mapping[str, str], **who: Any) -> dict[str, Any]:
        """A command with the texts of its parameters."""
        options = {valid_name(name): _typed(command, name, text) for name, text in given.items()}
        return dict(await self.post("slash", name=f"spot {command.name}", options=options, wait=0.05, **who))


def _typed(command: Command, name: str, text: str) -> Any:
    """The value that Discord sends for a text."""
    kinds = {param.name: param.kind for param in command.params}
    kind = kinds.get(name)
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


def buttons(message: Mapping[str, Any]) -> list[str]:
    """The names of the buttons that can be pressed."""
    items = [item for row in message["components"] for item in row["components"]]
    return [item["custom_id"] for item in items if not item.get("disabled")]


def visible(message: Mapping[str, Any]) -> str:
    """What a person reads of a message: without the marks of its layout."""
    parts = [message["content"]]
    for embed in message["embeds"]:
        parts += [embed.get("title"), embed.get("description"), (embed.get("footer") or {}).get("text")]
    text = "\n".join(part for part in parts if part)
    text = re.sub(r"^(-# |```)|\*\*(?=\S)|(?<=\S)\*\*", "", text, flags=re.MULTILINE)
    return re.sub(r"\\([^A-Za-z0-9\s])", r"\1", text).replace("\u200b", "")


failures: list[str] = []


def check(what: str, ok: bool, shown: Any = "") -> None:
    print(f"{'ok  ' if ok else 'FAIL'} {what}{f': {shown}' if shown != '' else ''}", flush=True)
    if not ok:
        failures.append(what)


async def everything(discord: DiscordStandIn) -> None:
    """Every example of every command, in both languages, and what is offered while typing."""
    for command in COMMANDS:
        for example in command.examples:
            for locale in ("en-US", "pt-BR"):
                text = await discord.say(example, user=BOSS, locale=locale)
                check(f"{locale} {example}", bool(text.strip()) and "our side" not in text, len(text))
        for param in command.params:
            if param.kind in ("gpu", "gpus") or param.suggest:
                offered = await discord.post(
                    "autocomplete", name=f"spot {command.name}", focused=param.name, value="", user=MEMBER
                )
                check(f"offers for {command.name} {param.name}", bool(offered["choices"]))


async def hostile(discord: DiscordStandIn) -> None:
    """The injection list through every text that Discord takes."""
    for command in COMMANDS:
        for param in command.params:
            if param.kind in ("gpu", "gpus", "text", "hours", "gigabytes"):
                for text in HOSTILE:
                    needed = {other.name: "4090" for other in command.params if other.required}
                    with contextlib.suppress(CannotBeTyped):
                        await discord.call(command, {**needed, param.name: text}, user=BOSS)
    bodies = [call["body"] for call in await discord.get("calls") if call["body"]]
    sent = json.dumps(bodies)
    marks = [mark for body in bodies for text in read_as_markdown(body) for mark in MARKS.findall(text)]
    check("no mention left in what Discord reads as markdown", not marks, marks[:5])
    allowed = re.findall(r'"allowed_mentions": \{[^}]*\}', sent)
    check("no mention allowed", set(allowed) <= {'"allowed_mentions": {"parse": []}'}, set(allowed))


def read_as_markdown(body: Any) -> Iterator[str]:
    """The texts of a message in which Discord looks for mentions and links: no names, footers or code blocks."""
    if isinstance(body, Mapping):
        texts = [body.get("content"), *(e.get(k) for e in body.get("embeds") or () for k in ("title", "description"))]
        yield from (re.sub(r"```.*?```", "", text, flags=re.DOTALL) for text in texts if text)


async def dialogues(discord: DiscordStandIn) -> None:
    """What people say and hear, where it can be typed into Discord's fields."""
    said = 0
    for turn in DIALOGUES:
        locale = "pt-BR" if turn.language == "pt-BR" else "en-US"
        with contextlib.suppress(CannotBeTyped):
            text = await discord.say(turn.says, user=BOSS if turn.boss else MEMBER, locale=locale)
            missing = [part for part in turn.hears if part not in text]
            check(f"{turn.language} {turn.says}", not missing, missing or "")
            said += 1
    check("most dialogues can be typed", said >= MOST_DIALOGUES, f"{said} of {len(DIALOGUES)}")


async def pressing(discord: DiscordStandIn) -> None:
    """Share twice, refresh, pages, and the same after a restart."""
    message = (await discord.ask("predict 4090", user=MEMBER))["response"]
    click = {"message_id": message["id"], "user": MEMBER}
    shares = await asyncio.gather(*(discord.post("click", custom_id="spot:share", **click) for _ in range(2)))
    posted = {m["id"]: m for share in shares for m in share["messages"] if not m["flags"] & 64}
    check("shared once", len(posted) == 1, len(posted))
    ((key, public),) = posted.items()
    check("says who", "shared by Bob" in public["content"], public["content"])
    again = await discord.post("click", message_id=key, custom_id="spot:refresh", user=BOSS)
    check("anybody refreshes what is public", [m["id"] for m in again["edited"]] == [key])
    puts = len([c for c in await discord.get("calls?path=/commands") if c["method"] == "PUT"])
    await discord.stop()
    await discord.start()
    after = await discord.post("click", custom_id="spot:refresh", **click)
    check("buttons work after a restart", after["ok"] and bool(after["edited"]))
    await asyncio.sleep(1)
    now = len([c for c in await discord.get("calls?path=/commands") if c["method"] == "PUT"])
    check("commands are told only when they changed", puts == now == 1, now)


async def trouble(discord: DiscordStandIn) -> None:
    """Faults of the network and of Discord; what the stand-in counts as violations here, it made itself."""
    faults: tuple[dict[str, Any], ...] = (
        {"method": "POST", "path": "callback", "status": 503, "count": 3},
        {"method": "POST", "path": "callback", "status": 429, "retry_after": 0.5},
        {"method": "POST", "path": "callback", "drop": True},
        {"method": "PATCH", "path": "@original", "status": 429, "retry_after": 1},
        {"method": "PATCH", "path": "@original", "status": 500},
        {"method": "PATCH", "path": "@original", "drop": True},
        {"method": "PATCH", "path": "@original", "code": 50013},
    )
    for fault in faults:
        await discord.post("fault", **fault)
        shown = await discord.ask("savings 4090 100h")
        check(f"answered in spite of {fault}", shown["ok"], shown["interaction"]["acked_ms"])
        await discord.post("fault", clear=True)
    for action in ("drop", "reconnect", "invalid_session"):
        asking = asyncio.create_task(discord.ask("monitor"))
        await asyncio.sleep(0.01)
        await discord.post("gateway", action=action, resumable=True)
        check(f"answered across a {action}", (await asking)["ok"])
        await discord.until(lambda: discord.ready())
    lost = await discord.get("violations?pending=1")
    check("nobody is left waiting", not [v for v in lost if v["rule"] == "deferred_never_answered"])


async def at_once(discord: DiscordStandIn, count: int, *, strained: bool = False) -> None:
    """Many people at the same instant; strained: forecasts are refreshed, and another program locks the database."""
    begun = time.monotonic()
    work = [asyncio.create_task(strain(discord.dispatcher))] if strained else []
    load = [sys.executable, "-m", "benchmarks.standins_discord", "--load", discord.url, "--at-once", str(count)]
    process = await asyncio.create_subprocess_exec(*load, cwd=ROOT)
    await process.wait()

    async def all_answered() -> bool:
        rules = {v["rule"] for v in await discord.get("violations?pending=1")}
        return "deferred_never_answered" not in rules

    await discord.until(all_answered, 300)
    asked = (await discord.get("interactions"))[-count:]
    took = sorted(one["acked_ms"] if one["acked_ms"] is not None else math.inf for one in asked)
    p50, p99 = took[len(took) // 2], took[min(len(took) - 1, math.ceil(0.99 * len(took)) - 1)]
    under = " under strain" if strained else ""
    check(
        f"{count} at once{under} acknowledged, p99 below 500 ms",
        p99 < 500 and len(took) == count,
        f"p50 {p50} ms, p99 {p99} ms, longest {took[-1]} ms; all answered in {time.monotonic() - begun:.1f} s",
    )
    await asyncio.gather(*work)


async def load(url: str, count: int) -> None:
    """Ask many things at once, from a process of its own."""
    lines: list[tuple[str, dict[str, Any]]] = [("monitor", {}), ("interruptions", {}), ("status", {}), ("help", {})]
    lines += [(verb, {"gpu_name": gpu}) for verb in ("predict", "history", "windows") for gpu in NAMES]
    async with contextlib.AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(aiohttp.ClientSession()) for _ in range(-(-count // AT_ONCE))]

        async def one(n: int) -> None:
            name, options = lines[n % len(lines)]
            # it tells all that happened since, which takes it longer than what is measured here: let it tell that later
            body = {"name": f"spot {name}", "options": options, "wait": 3, "user": (BOSS, MEMBER)[n % 2]}
            async with sessions[n // AT_ONCE].post(f"{url}/_control/slash", json=body) as answer:
                await answer.read()

        async def warm(http: aiohttp.ClientSession) -> None:
            async with http.get(f"{url}/_control/health") as answer:
                await answer.read()

        for http in sessions:  # connections are opened before, a few at a time: a full backlog would cost a second
            await asyncio.gather(*(warm(http) for _ in range(AT_ONCE)))
        await asyncio.gather(*(one(n) for n in range(count)))


async def run(file: Path | None, count: int, only: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="spotbot-discord-") as name:
        folder = Path(name)
        if file is None:
            await fill(folder / "spotbot.db")
        else:
            shutil.copy(file, folder / "spotbot.db")
        store, gallery = await open_store(f"sqlite:///{folder / 'spotbot.db'}", writer=True), Gallery()
        dispatcher = Dispatcher(store, COMMANDS, lambda: NOW + 60, home="Sao Paulo, BR")
        try:
            async with DiscordStandIn(dispatcher, gallery, folder) as discord:
                print(f"resident memory of the idle face: {psutil.Process().memory_info().rss / 2**20:.0f} MiB")
                for part in (dialogues, everything, pressing, hostile, on_discord):
                    if part.__name__ in only:
                        print(f"== {part.__name__}: {(part.__doc__ or '').strip()}", flush=True)
                        await part(discord)
                if "at_once" in only:
                    for strained in (False, True):
                        await at_once(discord, count, strained=strained)
                found = await discord.violations()
                check("no violation", not found, found[:3])
                if "trouble" in only:
                    print(f"== trouble: {(trouble.__doc__ or '').strip()}", flush=True)
                    await trouble(discord)
        finally:
            await gallery.close()
            await store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, help="a database of the time that the driver's clock shows")
    parser.add_argument("--at-once", type=int, default=200)
    parser.add_argument("--only", default="dialogues,everything,pressing,hostile,on_discord,at_once,trouble")
    parser.add_argument("--load", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.load:
        asyncio.run(load(args.load, args.at_once))
        return
    if not STANDIN.exists():
        print("skipped, there is no stand-in for Discord beside this checkout")
        return
    asyncio.run(run(args.store, args.at_once, args.only.split(",")))
    print(f"{len(failures)} failed" if failures else "all passed")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
