"""Alerts against the stand-ins, from the line that is typed to the message, its buttons and its end.

    python -m benchmarks.standins_alerts

`spotbot run` polls the stand-in market and speaks on both platforms. Each of four people makes an alert: in a channel
and directly, in English and in Portuguese. Then the market falls, says false things, comes back, falls silent and falls
again, and the program is killed in between. Skipped with a message where the stand-ins are absent. Traffic stays on
loopback.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any, Protocol
from urllib.parse import urlencode

from analytics.market import MICRO
from benchmarks import standins_discord, standins_slack
from benchmarks.acceptance import failures, polls, query, wait_until
from benchmarks.processes import ROOT, SPOTBOT, TOOLS, environment, fake_vast, free_port, get, running

MODEL = "RTX 4090"
MARKET = ("--machines", "300", "--speedup", "0", "--quota", "0", "--seed", "7")
POLL_SECONDS = 2
FALLEN, THRESHOLD = 0.8, 0.9
"""Parts of the usual price."""

SOON = 60.0
"""Seconds waited at most for what comes with the next polls."""

WORDS: Mapping[str, tuple[str, str]] = {
    "fire": ("Alert: RTX 4090", "Alerta: RTX 4090"),
    "resolve": ("Over: RTX 4090", "Terminou: RTX 4090"),
    "no data": ("No data: RTX 4090", "Sem dados: RTX 4090"),
    "offers": ("Cheapest to rent now", "As mais baratas para alugar agora"),
    "snooze": ("It is silent until", "Fica em silêncio até"),
}
"""How each is told in English and in Portuguese."""


@dataclass(frozen=True, slots=True)
class Post:
    """A message that nobody asked for, as it looks now."""

    place: str
    key: str
    text: str
    buttons: tuple[str, ...]
    picture: bool
    table: bool
    answers: str
    """the message in whose thread it stands, or to which it replies"""
    edits: int

    def says(self, what: str, language: str) -> bool:
        """Whether it tells this in that language."""
        return WORDS[what][language == "pt-BR"] in self.text


class Chat(Protocol):
    """A platform's stand-in."""

    @property
    def url(self) -> str:
        """Its address."""

    def say(self, line: str, user: str, language: str) -> str:
        """A line typed in the channel; what the answer shows."""

    def posts(self) -> list[Post]:
        """What stands there that nobody asked for."""

    def press(self, post: Post, button: str, user: str) -> str:
        """A button; what its answer shows."""


def post(url: str, **body: Any) -> Any:
    """A control request with a body, to loopback."""
    assert url.startswith("http://127.0.0.1:"), url
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=90) as answer:
        return json.loads(answer.read())


@dataclass(frozen=True, slots=True)
class SlackChat:
    """Slack's stand-in."""

    url: str

    def say(self, line: str, user: str, language: str) -> str:
        """A slash command; the stand-in's people have no languages."""
        body = {"text": line, "user": user, "channel": standins_slack.GENERAL, "wait": 30, "until_messages": 1}
        found = post(f"{self.url}/_control/slash", **body)
        return standins_slack.visible(found["messages"][0]) if found["messages"] else ""

    def posts(self) -> list[Post]:
        """Messages that were posted without a ``response_url``."""
        return [
            Post(
                place=one["channel"],
                key=one["ts"],
                text=standins_slack.visible(one),
                buttons=tuple(standins_slack.buttons(one)),
                picture=any(block["type"] == "image" for block in one["blocks"]),
                table=any(block["type"] == "table" for block in one["blocks"]),
                answers=one.get("thread_ts", "") if one.get("thread_ts") != one["ts"] else "",
                edits=len(one["edits"]),
            )
            for one in get(f"{self.url}/_control/messages")[1]
            if one["via"] == "chat.postMessage"
        ]

    def press(self, post_: Post, button: str, user: str) -> str:
        """A block action."""
        body = {"channel": post_.place, "ts": post_.key, "action_id": button, "user": user, "wait": 15}
        found = post(f"{self.url}/_control/block_action", **body, until_messages=1)
        return "\n".join(standins_slack.visible(one) for one in found["messages"])


@dataclass(frozen=True, slots=True)
class DiscordChat:
    """Discord's stand-in. A line is split where its fields begin."""

    url: str

    def say(self, line: str, user: str, language: str) -> str:
        """A slash command: ``name | field=value | field=value``."""
        name, *fields = line.split(" | ")
        options = dict(field_.split("=", 1) for field_ in fields)
        body = {"name": f"spot {name}", "options": options, "user": user, "deadline": 30}
        found = post(f"{self.url}/_control/slash", **body, locale={"en": "en-US"}.get(language, language))
        return standins_discord.visible(found["response"] or {"content": "", "embeds": []})

    def posts(self) -> list[Post]:
        """Messages with an embed that answer no interaction."""
        return [
            Post(
                place=one["channel_id"],
                key=one["id"],
                text=standins_discord.visible(one),
                buttons=tuple(standins_discord.buttons(one)),
                picture=bool(one["attachments"]),
                table="```" in json.dumps(one["embeds"]),
                answers=self._root(one),
                edits=len(one["_edits"]),
            )
            for one in get(f"{self.url}/_control/messages")[1]
            if one["embeds"] and "_interaction" not in one
        ]

    def _root(self, one: Mapping[str, Any]) -> str:
        """A thread has the id of the message that it begins with."""
        replied = (one.get("message_reference") or {}).get("message_id", "")
        begun = {each["id"] for each in get(f"{self.url}/_control/messages")[1]}
        return str(replied or (one["channel_id"] if one["channel_id"] in begun else ""))

    def press(self, post_: Post, button: str, user: str) -> str:
        """A click."""
        found = post(f"{self.url}/_control/click", message_id=post_.key, custom_id=button, user=user, wait=3)
        return "\n".join(standins_discord.visible(one) for one in found["messages"])


@dataclass(frozen=True, slots=True)
class Person:
    """Who makes an alert, where it is told, and in which language."""

    name: str
    chat: Chat
    user: str
    language: str
    settings: str
    """what is typed first"""
    line: str
    snooze: str


def people(slack: Chat, discord: Chat, usual: float) -> list[Person]:
    """Four alerts: in a channel and directly, in English and in Portuguese."""
    english, portuguese = f"{usual * THRESHOLD:.3f}", f"{usual * THRESHOLD:.3f}".replace(".", ",")
    boss, member = standins_slack.BOSS, standins_slack.MEMBER
    owner, other = standins_discord.BOSS, standins_discord.MEMBER
    fields = f"alert add | gpu={MODEL} | condition=< "
    short, field_ = "alert snooze {} 1m", "alert snooze | id={} | time=1m"
    mine = "settings me language=pt-BR"
    team, me = "settings team | language=pt-BR", "settings me | language=en"
    direct = f"alert 4090 < {portuguese} to=dm"
    return [
        Person("Slack, channel, en", slack, boss, "en", "", f"alert 4090 < {english}", short),
        Person("Slack, direct, pt-BR", slack, member, "pt-BR", mine, direct, short),
        Person("Discord, channel, pt-BR", discord, owner, "pt-BR", team, f"{fields}{portuguese}", field_),
        Person("Discord, direct, en", discord, other, "en", me, f"{fields}{english} | to=dm", field_),
    ]


@dataclass(slots=True)
class Stage:
    """The stand-ins and the program."""

    folder: Path
    vast: str
    chats: Mapping[str, Chat]
    env: Mapping[str, str]
    port: int

    def price(self, factor: float) -> None:
        """From now on the model costs that part of what it did."""
        asked = urlencode({"gpu_name": MODEL, "factor": factor})
        assert get(f"{self.vast}/_control/price?{asked}", method="POST")[0] == 200

    def posts(self) -> list[Post]:
        """On both platforms."""
        return [one for chat in self.chats.values() for one in chat.posts()]

    def complete(self) -> int:
        """Polls that told something."""
        return polls(self.folder).get(0, 0)

    def polled(self, more: int = 2) -> bool:
        """Wait for so many polls that tell something."""
        seen = self.complete()
        return wait_until(lambda: self.complete() >= seen + more, SOON)

    def current(self) -> float:
        """The stored price in USD."""
        newest = (
            "SELECT price FROM quote JOIN poll USING (gpu_id, at) WHERE quality = 0 AND region_id = 0 AND scope = 0"
        )
        return float(query(self.folder, f"{newest} ORDER BY at DESC LIMIT 1")[0][0]) / MICRO

    @contextmanager
    def runs(self) -> Iterator[Popen[bytes]]:
        """The program until the end of the block; it may be killed before."""
        log = self.folder / f"spotbot-{time.monotonic_ns()}.log"
        with running([*SPOTBOT, "run"], self.port, self.env, log) as process:
            assert wait_until(self.connected, SOON), log.read_text()[-2000:]
            yield process

    def connected(self) -> bool:
        """Whether both platforms have the program on the line."""
        slack = get(f"{self.env['SLACK_API_URL'].removesuffix('/api')}/_control/connections")[1]["open"]
        return bool(slack) and bool(get(f"{self.env['DISCORD_API_URL']}/_control/health")[1]["ready"])


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """The three stand-ins, and a place for the program."""
    slack, discord, port = free_port(), free_port(), free_port()
    with ExitStack() as stack:
        vast = stack.enter_context(fake_vast(folder, *MARKET))
        options = {
            slack: [str(standins_slack.STANDIN), "--manifest", str(ROOT / "manifest.yml")],
            discord: [str(standins_discord.STANDIN), "--token", standins_discord.TOKEN],
        }
        for at, command in options.items():
            log = folder / f"standin-{at}.log"
            stack.enter_context(running([sys.executable, *command, "--port", str(at)], at, {}, log))
        urls = {"slack": f"http://127.0.0.1:{slack}", "discord": f"http://127.0.0.1:{discord}"}
        env = environment(
            folder,
            VAST_URL=vast,
            PORT=str(port),
            SPOTBOT_GPUS=MODEL,
            SPOTBOT_POLL_SECONDS=str(POLL_SECONDS),
            SPOTBOT_ROW_BUDGET="100000000",
            SLACK_BOT_TOKEN=standins_slack.BOT,
            SLACK_APP_TOKEN=standins_slack.APP,
            SLACK_API_URL=f"{urls['slack']}/api",
            DISCORD_TOKEN=standins_discord.TOKEN,
            DISCORD_API_URL=urls["discord"],
        )
        chats: dict[str, Chat] = {"slack": SlackChat(urls["slack"]), "discord": DiscordChat(urls["discord"])}
        yield Stage(folder, vast, chats, env, port)


def main() -> None:
    from benchmarks.standins_alerts_checks import play

    if not TOOLS.exists():
        print("skipped, there are no stand-in services beside this checkout")
        return
    with tempfile.TemporaryDirectory(prefix="spotbot-alerts-") as folder, stage(Path(folder)) as built:
        play(built)
    print(f"{len(failures)} failed" if failures else "all passed")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
