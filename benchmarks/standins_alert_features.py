"""Alerts on offers, on what is foretold, forms and mentions against the stand-ins, through the running program.

    python -m benchmarks.standins_alert_features

On each platform an admin watches for machines to rent, and lets an alert call a group; both alerts are told, changed on
their form, and the program is killed in between. Skipped with a message where the stand-ins are absent. Traffic stays
on loopback.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

from analytics.market import MICRO
from benchmarks import standins_discord, standins_slack
from benchmarks.acceptance import check, failures, query, wait_until
from benchmarks.processes import TOOLS, get
from benchmarks.standins_alerts import MODEL, SOON, Chat, DiscordChat, Post, SlackChat, Stage, post, stage
from benchmarks.standins_alerts_checks import BETWEEN_TWO, violations
from benchmarks.standins_slack_admins import with_admin

SOME, MORE = 0.15, 0.6
"""Shares of the machines that get cheaper: too few to move the price, and more than half."""

FALLEN = 0.25
LIMIT, WATCHED, CHANGED = 0.9, 0.9, 0.2
"""Parts of the lowest bid and of the usual price at which alerts fire, and of the price once one was changed."""

NEVER = 0.02
"""A part of the usual price that no machine falls to."""

PROBED_TWICE = 200.0
"""Seconds waited at most until two equal probes were made: 90 s lie between them."""

RENT = re.compile(r"vastai create instance \d+ --image IMAGE --disk GB --bid_price \d+\.\d{4}")
COST = re.compile(r"probes today, requests: ([1-9]\d*); rows: (\d+) of (\d+)")
MACHINE = re.compile(r"(?<=\s)\d{4,6}\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A form that is open: its fields, and what names it."""

    key: str
    texts: Mapping[str, str]


class Forms(Protocol):
    """What a platform's stand-in does with forms and mentions."""

    def open(self, message: Post, user: str) -> Sheet:
        """Press the button of the form."""

    def send(self, sheet: Sheet, user: str, **texts: str) -> tuple[str, str]:
        """Send it back: what is wrong with it, and what is answered."""

    def called(self, message: Post) -> list[str]:
        """Whom a message calls."""


@dataclass(frozen=True, slots=True)
class SlackForms:
    """Slack's modals."""

    url: str

    def open(self, message: Post, user: str) -> Sheet:
        """A block action, and the modal that it opened."""
        button = next(one for one in message.buttons if one.startswith("spot_form"))
        body = {"channel": message.place, "ts": message.key, "action_id": button, "user": user, "wait": 5}
        known = {view["id"] for view in self._views()}
        post(f"{self.url}/_control/block_action", **body)
        view = next(view for view in self._views() if view["id"] not in known)
        fields = [block for block in view["blocks"] if block["type"] == "input"]
        return Sheet(view["id"], {one["block_id"]: one["element"].get("initial_value", "") for one in fields})

    def _views(self) -> list[Any]:
        return [one["view"] for one in get(f"{self.url}/_control/views")[1]]

    def send(self, sheet: Sheet, user: str, **texts: str) -> tuple[str, str]:
        """A submission; an error keeps the modal open."""
        values = {name: {"text": text} for name, text in texts.items()}
        body = {"view_id": sheet.key, "user": user, "values": values, "wait": 5}
        found = post(f"{self.url}/_control/view_submit", **body)
        wrong = " ".join((found.get("form_errors") or {}).values())
        return wrong, "\n".join(standins_slack.visible(one) for one in found["messages"])

    def called(self, message: Post) -> list[str]:
        """User groups, people and channels that its blocks or its text name."""
        (one,) = [one for one in get(f"{self.url}/_control/messages")[1] if one["ts"] == message.key]
        parts = [part for part in _parts(one["blocks"]) if part.get("type") in ("usergroup", "user", "broadcast")]
        marks = re.findall(r"<[!@][^>]*>", json.dumps([one.get("text"), *_strings(one["blocks"])]))
        return [str(part.get("usergroup_id", part)) for part in parts] + marks


@dataclass(frozen=True, slots=True)
class DiscordForms:
    """Discord's modals."""

    url: str

    def open(self, message: Post, user: str) -> Sheet:
        """A click, and the modal that it was answered with."""
        button = next(one for one in message.buttons if one.startswith("spot:form"))
        found = post(f"{self.url}/_control/click", message_id=message.key, custom_id=button, user=user, wait=1)
        fields = [part for part in _parts(found["modal"]["components"]) if part.get("type") == 4]
        texts = {one["custom_id"]: one.get("value") or "" for one in fields}
        return Sheet(found["interaction"]["id"], texts)

    def send(self, sheet: Sheet, user: str, **texts: str) -> tuple[str, str]:
        """A submission; it is answered with a message, whatever comes of it."""
        found = post(f"{self.url}/_control/modal_submit", interaction_id=sheet.key, values=texts, wait=1, deadline=30)
        answer = "\n".join(standins_discord.visible(one) for one in found["messages"])
        return answer, answer

    def called(self, message: Post) -> list[str]:
        """Mentions that the message may make: those that stand in it and that its request permits."""
        (message_,) = [one for one in get(f"{self.url}/_control/messages")[1] if one["id"] == message.key]
        bodies = [part for call in get(f"{self.url}/_control/calls")[1] for part in _parts(call["body"])]
        permitted = [one["allowed_mentions"] for one in bodies if _says(one) == _says(message_)]
        marks = re.findall(r"<@[&!]?(\d+)>|(@everyone|@here)", json.dumps([message_["content"], message_["embeds"]]))
        named = [str(role) for some in permitted for role in some.get("roles") or ()]
        wide = [name for some in permitted for name in some.get("parse") or ()]
        return sorted({*(role or word for role, word in marks), *named, *wide})


def _says(body: Mapping[str, Any]) -> list[Any]:
    """What tells a message from others, in what is sent and in what is there."""
    return [(one.get("title"), one.get("description")) for one in body.get("embeds") or () if isinstance(one, dict)]


def _parts(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object within."""
    if isinstance(tree, dict):
        yield tree
    inside = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    for one in inside:
        yield from _parts(one)


def _strings(tree: Any) -> Iterator[str]:
    for part in _parts(tree):
        yield from (text for text in part.values() if isinstance(text, str))


@dataclass(frozen=True, slots=True)
class Side:
    """A platform with its people, and how a line is typed there."""

    name: str
    chat: Chat
    forms: Forms
    boss: str
    member: str
    group: str
    fields: bool
    """whether each part of a line has a field of its own"""

    def add(self, condition: str, user: str, **options: str) -> str:
        """Make an alert; the answer."""
        if self.fields:
            more = "".join(f" | {name}={text}" for name, text in options.items())
            return self.chat.say(f"alert add | gpu={MODEL} | condition={condition}{more}", user, "en")
        more = "".join(f" {name}={text}" for name, text in options.items())
        return self.chat.say(f"alert 4090 {condition}{more}", user, "en")

    def show(self, alert: str) -> str:
        """What is known of an alert."""
        return self.chat.say(f"alert show | id={alert}" if self.fields else f"alert show {alert}", self.boss, "en")


def sides(built: Stage) -> list[Side]:
    """Both platforms."""
    slack, discord = built.chats["slack"], built.chats["discord"]
    assert isinstance(slack, SlackChat)
    assert isinstance(discord, DiscordChat)
    boss, member = standins_slack.BOSS, standins_slack.MEMBER
    owner, other = standins_discord.BOSS, standins_discord.MEMBER
    return [
        Side("Slack", slack, SlackForms(slack.url), boss, member, "S0ONCALL", fields=False),
        Side("Discord", discord, DiscordForms(discord.url), owner, other, "700000000000000099", fields=True),
    ]


@dataclass(frozen=True, slots=True)
class Watching:
    """An alert on a platform."""

    side: Side
    alert: str

    def told(self) -> list[Post]:
        """What is told of it, the oldest first."""
        return [one for one in self.side.chat.posts() if self.alert in one.text]


def watch(side: Side, condition: str, **options: str) -> Watching:
    """An admin's alert."""
    answer = side.add(condition, side.boss, **options)
    found = re.search(r"Alert (\w{6})\b", answer)
    check(f"{side.name}: alert {condition} {options or ''}", found is not None, _line(answer))
    return Watching(side, found[1] if found else "no alert")


def _line(text: str) -> str:
    return text.replace("\n", " | ")[:400]


def cheaper(built: Stage, share: float) -> None:
    """So many machines at a quarter of their price, the others as they were."""
    asked = urlencode({"gpu_name": MODEL, "factor": FALLEN, "share": share})
    assert get(f"{built.vast}/_control/price?{asked}", method="POST")[0] == 200


def lowest(built: Stage) -> float:
    """The lowest stored price in USD."""
    newest = "SELECT floor FROM quote JOIN poll USING (gpu_id, at) WHERE quality = 0 AND region_id = 0 AND scope = 0"
    return float(query(built.folder, f"{newest} ORDER BY at DESC LIMIT 1")[0][0]) / MICRO


def play(built: Stage) -> None:
    """All of it, in order."""
    with built.runs() as process:
        check("polls the market", built.polled())
        usual, everywhere = built.current(), sides(built)
        silent = [one for side in everywhere for one in foretold(side, usual)]
        silent += [watch(side, f"floor < {usual * NEVER:.4f}") for side in everywhere]
        for side in everywhere:
            refuse(side, usual)
        limit = f"{lowest(built) * LIMIT:.4f}"
        offers = [watch(side, f"offer < {limit} gpus>=1") for side in everywhere]
        callers = [watch(side, f"< {usual * WATCHED:.4f}", mention=side.group) for side in everywhere]
        check("nothing is told yet", built.polled(3) and not built.posts(), built.posts())
        began = machines(built, offers)
        mentions(built, callers)
        for one in callers:
            change(one, f"< {usual * CHANGED:.3f}")
        process.kill()
        process.wait()
    with built.runs():
        check("polls after kill -9", built.polled())
        for one in callers:
            remind(one, f"< {usual * CHANGED:.3f}")
        for side in everywhere:
            costs(side)
        more_machines(offers, began)
        over(built, offers)
        check("no fire of what is foretold, or never met", not any(one.told() for one in silent))
        check("what was changed is told once", [len(one.told()) for one in callers] == [1, 1])
    violations(built)


def foretold(side: Side, usual: float) -> list[Watching]:
    """There are no hours of history, so there is no value, and that is said."""
    some = []
    for condition in (f"predicted < {usual:.3f} in 24h with 80%", "risk > 1% in 24h"):
        answer = side.add(condition, side.boss)
        told = "no value now" in answer and "Needed" in answer and "Now:" not in answer
        check(f"{side.name}: {condition}: says why there is no value", told, _line(answer))
        found = re.search(r"Alert (\w{6})\b", answer)
        some.append(Watching(side, found[1] if found else "no alert"))
    return some


def refuse(side: Side, usual: float) -> None:
    """Who may not call a group cannot let an alert do it, and nobody calls everybody."""
    for user, group, why in (
        (side.member, side.group, "may not call"),
        (side.boss, "@everyone", "named by its id"),
    ):
        answer = side.add(f"< {usual * WATCHED:.4f}", user, mention=group)
        check(f"{side.name}: mention={group} is refused to {user}", why in answer, _line(answer))


def machines(built: Stage, offers: Sequence[Watching]) -> float:
    """Some machines get cheaper: one message with a list and a line to rent the cheapest; when that was seen."""
    cheaper(built, SOME)
    moved = time.monotonic()
    wait_until(lambda: all(one.told() for one in offers), SOON)
    took = time.monotonic() - moved
    built.polled(3)
    for one in offers:
        told = one.told()
        check(f"{one.side.name}: machines are told once", len(told) == 1, f"{len(told)} within {took:.1f} s")
        for message in told[:1]:
            check(f"{one.side.name}: a line to rent one", bool(RENT.search(message.text)), _line(message.text))
            check(f"{one.side.name}: a table with machines", message.table and bool(listed(message)), listed(message))
            check(f"{one.side.name}: nobody is called", not one.side.forms.called(message))
    return time.monotonic()


def listed(message: Post) -> set[str]:
    """The machines that a message lists: they stand at the end of its table's rows."""
    return {one.strip() for one in MACHINE.findall(message.text)}


def mentions(built: Stage, callers: Sequence[Watching]) -> None:
    """The price falls: the message calls that group and nobody else."""
    cheaper(built, MORE)
    wait_until(lambda: all(one.told() for one in callers), SOON)
    for one in callers:
        told = one.told()
        check(f"{one.side.name}: the fall is told once", len(told) == 1, len(told))
        for message in told[:1]:
            called = one.side.forms.called(message)
            check(f"{one.side.name}: it calls the group alone", called == [one.side.group], called)


def change(one: Watching, condition: str) -> None:
    """The form refuses what cannot be read, and takes what can."""
    (message, *_), side = one.told(), one.side
    sheet = side.forms.open(message, side.boss)
    check(f"{side.name}: the form shows the rule", sheet.texts["condition"].startswith("< "), dict(sheet.texts))
    wrong, _ = side.forms.send(sheet, side.boss, condition="cheap please")
    check(f"{side.name}: a wrong condition is told", "no condition that can be watched" in wrong, _line(wrong))
    _, answer = side.forms.send(sheet, side.boss, condition=condition)
    check(f"{side.name}: a right one is taken", "It is changed" in answer, _line(answer))
    shown, price = side.show(one.alert), condition.removeprefix("< ")
    check(f"{side.name}: the rule says it", f"${float(price):g}" in shown, _line(shown))


def remind(one: Watching, condition: str) -> None:
    """The button of before the program was killed, and the form of what was changed."""
    (message, *_), side = one.told(), one.side
    sheet = side.forms.open(message, side.boss)
    texts = dict(sheet.texts)
    check(f"{side.name}: after kill -9 the form shows what was changed", texts["condition"] == condition, texts)
    _, answer = side.forms.send(sheet, side.boss, repeat="4h")
    check(f"{side.name}: and takes a change", "It is changed" in answer, _line(answer))
    again = side.forms.open(message, side.boss).texts
    check(f"{side.name}: which holds", (again["repeat"], again["condition"]) == ("4h", condition), dict(again))


def costs(side: Side) -> None:
    """What probes cost, and how soon they notice, once two equal ones were made."""
    texts: list[str] = []

    def known() -> bool:
        texts.append(side.chat.say("status", side.boss, "en"))
        return "alerts on the floor are looked at every" in texts[-1]

    end = time.monotonic() + PROBED_TWICE
    while not known() and time.monotonic() < end:
        time.sleep(5)
    said = COST.search(texts[-1])
    check(f"{side.name}: status says what probes cost", said is not None, said[0] if said else _line(texts[-1]))
    every = re.findall(r"alerts? on [a-z ]+ are looked at every [^\n]+", texts[-1])
    check(f"{side.name}: status says how soon rules notice", bool(every), every or _line(texts[-1]))


def more_machines(offers: Sequence[Watching], began: float) -> None:
    """The machines that came later are told once, in the thread of the first, with none that was told before."""
    wait_until(lambda: all(len(one.told()) > 1 for one in offers), BETWEEN_TWO - (time.monotonic() - began))
    for one in offers:
        first, *later = one.told()
        check(f"{one.side.name}: more machines are told once", len(later) == 1, len(later))
        for message in later[:1]:
            check(f"{one.side.name}: in the thread, or as a reply", message.answers == first.key, message.answers)
            new = listed(message)
            check(f"{one.side.name}: none of before", bool(new) and not new & listed(first), (new, listed(first)))


def over(built: Stage, offers: Sequence[Watching]) -> None:
    """The machines are dear again: the first message says so, and nothing is posted."""
    built.price(1.0)
    wait_until(lambda: all(one.told()[0].says("resolve", "en") for one in offers), SOON)
    built.polled(3)
    for one in offers:
        first, *later = one.told()
        there = (first.says("resolve", "en"), first.edits, first.buttons, len(later))
        check(f"{one.side.name}: the message says that it is over", there == (True, 1, (), 1), there)


def main() -> None:
    """Play it, and tell what failed."""
    if not TOOLS.exists():
        print("skipped, there are no stand-in services beside this checkout")
        return
    with (
        tempfile.TemporaryDirectory(prefix="spotbot-features-") as folder,
        stage(Path(folder)) as built,
        with_admin(built.chats["slack"].url, standins_slack.BOSS) as slack,
    ):
        play(replace(built, env={**built.env, "SLACK_API_URL": f"{slack}/api"}))
    print(f"{len(failures)} failed" if failures else "all passed")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
