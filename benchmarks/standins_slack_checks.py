"""Everything that the Slack face must stand against the stand-in; started by benchmarks/standins_slack.py."""

from __future__ import annotations

import asyncio
import json
import math
import re
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import psutil

from benchmarks.processes import ROOT, free_port, running, strain
from benchmarks.standins_senders import on_slack
from benchmarks.standins_slack import APART, APP, BOSS, BOT, MEMBER, STANDIN, TEAM, SlackStandIn, visible
from bot.commands import COMMANDS
from bot.config import Settings
from bot.dispatch.dispatcher import Dispatcher
from bot.faces.slack.face import build_slack
from bot.presentation.gallery import Gallery
from bot.secret_box import SecretBox, new_key
from bot.store.engine import open_store

HOSTILE = (
    *("<!channel>", "<!here>", "<!everyone>", "<@U0BOB>", "<#C0GENERAL>", "<!subteam^S1>", "<https://evil|ok>"),
    *("@everyone", "<@&1>", "[a](http://b)", "```", "*b* _i_ ~s~ `c`", "=HYPERLINK(1)", "+cmd", "../", "%0d%0a"),
    *("{{7*7}}", "{who}", "\u202eRTL", "\x00\x1b[31m", "a\nb", "'\"\\`", "&lt;!channel&gt;", "payload=1", "x" * 10_000),
)
LINES = (
    "monitor",
    "interruptions",
    "status",
    "help",
    "predict 4090",
    "history 3090",
    "windows l40s",
    "savings h100 sxm",
)


failures: list[str] = []


def check(what: str, ok: bool, shown: Any = "") -> None:
    print(f"{'ok  ' if ok else 'FAIL'} {what}{f': {shown}' if shown != '' else ''}", flush=True)
    if not ok:
        failures.append(what)


async def dialogues(slack: SlackStandIn) -> None:
    """What people say and hear, as on all faces."""
    from tests.dialogues import DIALOGUES

    for turn in DIALOGUES:
        locale = "en-US" if turn.language == "en" else turn.language
        text = await slack.say(turn.says, user=BOSS if turn.boss else MEMBER, locale=locale)
        missed = [part for part in turn.hears if part not in text]
        if missed:
            check(f"{turn.language} {turn.says[:60]}", ok=False, shown=(missed, text))
    check("dialogues", len(DIALOGUES) >= 60, len(DIALOGUES))


async def everything(slack: SlackStandIn) -> None:
    """Every example of every command, in both languages, in a channel without the bot; and the App Home."""
    for command in COMMANDS:
        for example in command.examples:
            for locale in ("en-US", "pt-BR"):
                text = await slack.say(example, user=BOSS, locale=locale, channel=APART)
                ours = any(sorry in text for sorry in ("our side", "nosso lado"))
                check(f"{locale} {example}", bool(text.strip()) and not ours, len(text))
    for wrong in ("monitr", "predict", "predict 4091", "predict a100", "llm 1e99B", "savings 4090 hours=x", ""):
        check(f"told about {wrong!r}", bool(await slack.say(wrong)))
    await slack.post("event", type="app_home_opened", user=BOSS, wait=2, duplicate=True)
    await slack.idle()
    check("the home is there", BOSS in await slack.get("homes"))
    files = await slack.get("files")
    check("pictures were uploaded", bool(files) and all(f["state"] == "complete" and f["alt_txt"] for f in files))


async def hostile(slack: SlackStandIn) -> None:
    """The injection list through every text."""
    for text in HOSTILE:
        for line in (text, *(f"{command.name} {text}" for command in COMMANDS)):
            await slack.say(line, user=BOSS)
    sent = [call["args"] for call in await slack.get("calls") if call["method"] == "response_url"]
    marks = [m for body in sent for m in re.findall(r"[<>]|&(?!amp;|lt;|gt;)", body["text"])]
    check("no markup in the texts", not marks, marks[:5])
    blocks = json.dumps([body["blocks"] for body in sent])
    check("no text that is parsed", '"mrkdwn"' not in blocks and '"link"' not in blocks and '"user"' not in blocks)


async def pressing(slack: SlackStandIn) -> None:
    """Share twice, refresh, pages, and the same after a restart."""
    slack.is_known(MEMBER, "en-US")
    message = await slack.ask("predict 4090", channel=APART)
    shares = await asyncio.gather(*(slack.click(message, "spot_share", wait=2) for _ in range(3)))
    posted = {m["ts"]: m for share in shares for m in share["messages"]}
    check("shared once", len(posted) == 1, len(posted))
    check("says who", "shared by Bob" in visible(next(iter(posted.values()))))
    check("for all to see", not any("ephemeral_to" in m for m in posted.values()))
    paged = await slack.ask("help")
    await slack.stop()
    await slack.start()
    slack.is_known(MEMBER, "en-US")
    check("refresh after a restart", bool((await slack.click(message, "spot_refresh"))["edited"]))
    turned = (await slack.click(paged, "spot_page_next"))["edited"]
    check("pages after a restart", "page 2/" in visible(turned[0]), visible(turned[0]).split("\n")[0])


async def trouble(slack: SlackStandIn) -> None:
    """Faults of the network and of Slack."""
    faults: tuple[dict[str, Any], ...] = (
        {"method": "response_url", "ratelimit": 1, "count": 2},
        {"method": "response_url", "status": 503},
        {"method": "users.info", "error": "fatal_error"},
        {"method": "users.info", "delay": 5},
        {"method": "users.info", "drop": True},
        {"method": "files.getUploadURLExternal", "status": 500},
        {"method": "upload", "drop": True},
        {"method": "upload", "delay": 15},
        {"method": "files.completeUploadExternal", "error": "fatal_error"},
        {"method": "files.getUploadURLExternal", "ratelimit": 30},
        {"method": "users.info", "ratelimit": 30},
    )
    assert slack.face is not None
    for n, fault in enumerate(faults):
        slack.face.answers.people.forget(TEAM)
        slack.face.answers.pictures.forget(TEAM)
        await slack.post("fault", **fault)
        begun = time.monotonic()
        text = visible(await slack.ask(f"history 4090 days={n + 2}"))
        check(f"answered in spite of {fault}", "our side" not in text, f"{time.monotonic() - begun:.1f} s")
        await slack.post("fault", clear=True)


async def lost(slack: SlackStandIn) -> None:
    """Connections that break off on the way of an answer."""
    await slack.post("fault", method="response_url", count=1, drop=True)
    answer = await slack.ask("monitor 4090")
    check("a lost answer is sent again", "Spot prices" in visible(answer))
    for before, there in ((True, 0), (False, 1)):
        answer = await slack.ask("monitor 4090")
        await slack.post("fault", method="response_url", count=1, drop=True, before=before)
        shared = (
            await slack.post(
                "block_action",
                action_id="spot_share",
                wait=5,
                until_messages=there + 1,
                channel=answer["channel"],
                ts=answer["ts"],
                user=MEMBER,
            )
        )["messages"]
        told = [message for message in shared if "not known whether" in visible(message)]
        check("a lost share is told and not doubled", (len(told), len(shared)) == (1, there + 1), len(shared))


async def drops(slack: SlackStandIn) -> None:
    """The socket ends in every way while a command is under way."""
    ways: tuple[dict[str, Any], ...] = ({"abrupt": True}, {"reason": "refresh_requested"}, {"reason": "warning"})
    for way in (*ways, {"abrupt": True, "refuse": 2}):
        asking = asyncio.create_task(slack.ask("monitor"))
        await asyncio.sleep(0.05)
        await slack.post("disconnect", **way)
        check(f"answered across {way}", bool((await asking)["blocks"]))
        begun = time.monotonic()
        await asyncio.sleep(0.3)  # until the end of the connection is seen
        await asyncio.wait_for(_heard(slack), 30)
        check(f"back after {way}", bool(await slack.ask("status")), f"{time.monotonic() - begun:.2f} s")


async def _heard(slack: SlackStandIn) -> None:
    assert slack.face is not None
    assert slack.face.line is not None
    await slack.face.line.connected.wait()


async def forged(slack: SlackStandIn) -> None:
    """Requests that Slack did not sign, or not now."""
    before = len(await slack.get("messages"))
    for spoilt in ({"bad_signature": True}, {"timestamp_skew": -301}, {"timestamp_skew": 302}):
        found = await slack.post("slash", text="status", **spoilt)
        check(f"refused: {spoilt}", found["delivery"]["status"] == 401, found["delivery"]["status"])
    found = await slack.post("event", type="app_home_opened", bad_signature=True, retry=False)
    check("a forged event is refused", found["delivery"]["status"] == 401)
    check("none of it had an effect", len(await slack.get("messages")) == before)
    check("the address is verified", (await slack.post("url_verification"))["ok"])


async def at_once(slack: SlackStandIn, count: int, *, strained: bool = False) -> None:
    """Many people at the same instant; strained: forecasts are refreshed, and another program locks the database."""
    before, begun = len(await slack.get("deliveries")), time.monotonic()
    work = [asyncio.create_task(strain(slack.dispatcher))] if strained else []
    command = [sys.executable, "-m", "benchmarks.standins_slack", "--load", slack.url, "--at-once", str(count)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    await process.wait()
    await slack.idle()
    took = sorted(d["ms"] if d["ok"] else math.inf for d in (await slack.get("deliveries"))[before:])
    p50, p99 = took[len(took) // 2], took[min(len(took) - 1, math.ceil(0.99 * len(took)) - 1)]
    under = " under strain" if strained else ""
    check(
        f"{slack.mode}: {count} at once{under} acknowledged, p99 below 500 ms",
        p99 < 500 and len(took) == count,
        f"p50 {p50} ms, p99 {p99} ms, longest {took[-1]} ms; all answered in {time.monotonic() - begun:.1f} s",
    )
    answers = [m for m in await slack.get("messages") if m["via"] == "response_url"][-count:]
    check("each was answered", len(answers) == count and all(m["blocks"] for m in answers), len(answers))
    await asyncio.gather(*work)


async def load(url: str, count: int) -> None:
    """Ask many things at once, from a process of its own."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def one(n: int) -> None:
            line = "settings me language=en" if n % 20 == 0 else LINES[n % len(LINES)]
            body = {"text": line, "wait": 0, "user": (BOSS, MEMBER)[n % 2]}
            async with http.post(f"{url}/_control/slash", json=body) as answer:
                await answer.read()

        await asyncio.gather(*(one(n) for n in range(count)))


async def installs(slack: SlackStandIn) -> None:
    """A workspace installs the app, asks, removes it, and installs it again."""
    check("unknown workspace is told", "not installed" in visible(await slack.ask("status")))
    for _ in range(2):
        check("installed once", await consented(slack) == (200, 401))
        check("answered", "Price forecast" in await slack.say("predict 4090"))
        await in_organisation(slack)
        await slack.post("event", type="app_uninstalled", event_time=1)  # by far older than the installation
        await slack.idle()
        check("a late removal removes nothing", "Price forecast" in await slack.say("predict 4090"))
        before = len(await slack.get("messages"))
        asking = asyncio.create_task(slack.post("slash", text="history 3090", wait=3))
        await asyncio.sleep(0.01)
        await slack.post("event", type="app_uninstalled", retry=False)
        await slack.idle()
        told = await slack.post("slash", text="status", wait=30, until_messages=1)
        await asking
        check("told after its removal", "not installed" in visible(told["messages"][0]))
        check("and no more than that", len(await slack.get("messages")) <= before + 2)
        async with slack.dispatcher.store.reader() as reader:
            check("nothing is kept", await reader.installations() == [])


async def consented(slack: SlackStandIn) -> tuple[int, int]:
    """Go through the pages of an installation; the statuses of its end, and of the same once more."""
    page = await slack.http.get(f"{slack.web}/slack/install", allow_redirects=False)
    consent = await slack.http.get(page.headers["Location"], allow_redirects=False)
    back = parse_qs(urlsplit(consent.headers["Location"]).query)
    cookie = page.headers["Set-Cookie"].split(";")[0]
    query = urlencode({"code": back["code"][0], "state": back["state"][0]})
    done = await slack.http.get(f"{slack.web}/slack/oauth_redirect?{query}", headers={"Cookie": cookie})
    again = await slack.http.get(f"{slack.web}/slack/oauth_redirect?{query}", headers={"Cookie": cookie})
    return done.status, again.status


async def in_organisation(slack: SlackStandIn) -> None:
    """Commands and clicks that carry an organisation, here or there; and an installation in all of it."""
    found = await slack.post("slash", text="monitor 4090", user=MEMBER, enterprise="E0ABC", wait=30, until_messages=1)
    message = found["messages"][0]
    check("a command in an organisation", "Spot prices" in visible(message))
    where = {"channel": message["channel"], "ts": message["ts"], "user": MEMBER, "enterprise": "E0ABC", "wait": 5}
    for place in ("team", "top"):
        clicked = await slack.post("block_action", action_id="spot_refresh", where=place, **where)
        check(f"a click in an organisation ({place})", len(clicked["edited"]) == 1)
    await slack.post("oauth", enterprise="E0ABC", org_wide=True, count=1)
    check("an organisation is told to choose", (await consented(slack))[0] == 400)


async def unreachable(dispatcher: Dispatcher, folder: Path) -> None:
    """Slack is away when the face starts."""
    port, stop = free_port(), asyncio.Event()
    url = f"http://127.0.0.1:{port}"
    said: dict[str, Any] = {"slack_bot_token": BOT, "slack_app_token": APP, "slack_api_url": f"{url}/api"}
    face = build_slack(Settings(_env_file=None, **said), dispatcher, Gallery())  # type: ignore[call-arg]
    assert face is not None
    assert face.line is not None
    run = asyncio.create_task(face.run(stop))
    await asyncio.sleep(2)
    with running([sys.executable, str(STANDIN), "--port", str(port)], port, {}, folder / "late.log"):
        await asyncio.wait_for(face.line.connected.wait(), 60)
        check("connected once Slack is there", not run.done())
        stop.set()
        await run


@asynccontextmanager
async def opened(folder: Path, name: str) -> AsyncIterator[tuple[Dispatcher, Gallery]]:
    """A counter on a copy of the market in a folder, where nobody has said a wish yet, and pictures."""
    from tests.fakes.stored import NOW

    file = shutil.copy(folder / "spotbot.db", folder / f"{name}.db")
    store, gallery = await open_store(f"sqlite:///{file}", writer=True), Gallery()
    try:
        yield Dispatcher(store, COMMANDS, lambda: NOW + 60, home="Sao Paulo, BR"), gallery
    finally:
        await gallery.close()
        await store.close()


async def run_mode(mode: str, dispatcher: Dispatcher, gallery: Gallery, folder: Path, count: int) -> None:
    async with SlackStandIn(dispatcher, gallery, folder, mode=mode) as slack:
        print(f"resident memory of the idle face: {psutil.Process().memory_info().rss / 2**20:.0f} MiB")
        parts = [dialogues, everything, pressing, hostile, on_slack, *([forged] if mode == "http" else [])]
        for part in parts:
            print(f"== {mode} {part.__name__}: {(part.__doc__ or '').strip()}", flush=True)
            await part(slack)
        await at_once(slack, count)
        await at_once(slack, count, strained=True)
        found = await slack.violations()
        check("no violation", not found, found[:3])
        for part in (trouble, lost, *([drops] if mode == "socket" else [])):
            print(f"== {mode} {part.__name__}: {(part.__doc__ or '').strip()}", flush=True)
            await part(slack)
        found = [v for v in await slack.violations() if v["level"] == "error" and not _provoked(v)]
        check("no error in trouble either", not found, found[:3])


def _provoked(violation: dict[str, Any]) -> bool:
    """Refusals that the stand-in was asked for, and uploads of an answer under way when the app was removed."""
    asked_for = ("apps.connections.open", "api_error:internal_error")
    return (violation["where"], violation["rule"]) == asked_for or violation["rule"] == "api_error:token_revoked"


async def run(file: Path | None, count: int, only: list[str]) -> None:
    from tests.fakes.stored import fill

    with tempfile.TemporaryDirectory(prefix="spotbot-slack-") as name:
        folder = Path(name)
        if file is None:
            await fill(folder / "spotbot.db")
        else:
            shutil.copy(file, folder / "spotbot.db")
        for mode in ("socket", "http"):
            if mode in only:
                async with opened(folder, mode) as (dispatcher, gallery):
                    await run_mode(mode, dispatcher, gallery, folder, count)
        async with opened(folder, "rest") as (dispatcher, gallery):
            if "installs" in only:
                vault = SecretBox(new_key())
                async with SlackStandIn(dispatcher, gallery, folder, mode="http", vault=vault) as slack:
                    await installs(slack)
                    found = [v for v in await slack.violations() if v["level"] == "error" and not _provoked(v)]
                    check("no violation", not found, found[:3])
            if "unreachable" in only:
                await unreachable(dispatcher, folder)
