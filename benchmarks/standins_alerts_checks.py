"""What becomes of four alerts while the market moves and the program is killed.

Started by benchmarks/standins_alerts.py.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence

from analytics.market import Quality
from benchmarks.acceptance import LIES, check, inject, polls, query, wait_until
from benchmarks.processes import get, run
from benchmarks.standins_alerts import FALLEN, SOON, Person, Post, Stage, people
from bot.polling.budget import KEPT_BACK
from bot.sources.vast_client import RETRIES

RETRIED = ("empty", "no_offers", "500", "429?retry_after=1", "html")
READ = ("drift_nan", "drift_null", *LIES)
"""Answers of the market that say nothing of it: asked for anew by the same poll, and taken as they are."""

IN_A_ROW = 2
"""As many readings as a rule wants before it fires: so many polls in a row meet the same. After five that failed the
poller would rest."""

TROUBLE = {**dict.fromkeys(RETRIED, 1 + RETRIES + IN_A_ROW - 1), **dict.fromkeys(READ, IN_A_ROW)}
"""How often the market answers so."""

BUTTONS = 7
"""Of a fire: seen, four times of snooze, edit and delete."""

FEW_ROWS = 10
"""Rows left of the day when polls are to be capped; the model has more."""

BETWEEN_TWO = 400.0
"""Seconds waited at most for a second message of a rule: 300 s lie between two."""

SILENCE = 120.0
"""Seconds waited at most for the word on silence: time alone is looked at every 30 s."""

Told = Mapping[str, list[Post]]
"""What is told of each person's alert, the oldest first."""


def play(stage: Stage) -> None:
    """All of it, in order."""
    with stage.runs() as process:
        check("polls the market", stage.polled())
        everybody = people(stage.chats["slack"], stage.chats["discord"], stage.current())
        names = {one.name: add(one) for one in everybody}
        check("polls of the usual price", stage.polled(3))
        check("nothing is told of them", not stage.posts(), stage.posts())
        fire(stage, everybody, names)
        trouble(stage, names, "while it fires")
        process.kill()
        process.wait()
    capped(stage, names, "while it fires")
    with stage.runs():
        snooze(stage, everybody, names)
        resolve(stage, everybody, names, 0)
        trouble(stage, names, "while nothing fires")
        shorten(everybody, names)
        silence(stage, everybody, names)
    with stage.runs():  # the one before rests after so many failures
        check("the market is heard again", stage.polled())
        again(stage, everybody, names)
        resolve(stage, everybody, names, -1)
    violations(stage)


def add(person: Person) -> str:
    """Say the settings, make the alert; gives its name."""
    if person.settings:
        check(f"{person.name}: {person.settings}", bool(person.chat.say(person.settings, person.user, person.language)))
    answer = person.chat.say(person.line, person.user, person.language)
    found = re.search(r"Alert[a]? (\w{6})\b", answer)
    check(f"{person.name}: {person.line}", found is not None, answer.replace("\n", " | ")[:300])
    return found[1] if found else "no alert"


def told(stage: Stage, names: Mapping[str, str]) -> Told:
    """By person."""
    known = stage.posts()
    return {who: [one for one in known if name in one.text] for who, name in names.items()}


def fires(known: Told) -> dict[str, int]:
    """How many messages began as a fire: notices of silence are apart."""
    return {who: sum(not _is_notice(one) for one in some) for who, some in known.items()}


def ends(known: Told) -> dict[str, int]:
    """How many edits there were."""
    return {who: sum(one.edits for one in some) for who, some in known.items()}


def _is_notice(one: Post) -> bool:
    return one.says("no data", "en") or one.says("no data", "pt-BR")


def fire(stage: Stage, everybody: Sequence[Person], names: Mapping[str, str]) -> None:
    """The price falls, and each is told once, with offers, chart and buttons, in their language."""
    stage.price(FALLEN)
    moved = time.monotonic()
    wait_until(lambda: set(fires(told(stage, names)).values()) == {1}, SOON)
    took = time.monotonic() - moved
    known = told(stage, names)
    check("each is told once", set(fires(known).values()) == {1}, f"{took:.1f} s after the market moved")
    for person in everybody:
        (one, *_) = known[person.name] or [Post("", "", "", (), picture=False, table=False, answers="", edits=0)]
        language = person.language
        check(f"{person.name}: told in {language}", one.says("fire", language), one.text.split("\n")[0])
        check(f"{person.name}: offers", one.table and one.says("offers", language), one.text.replace("\n", " | ")[:600])
        check(f"{person.name}: a chart", one.picture)
        check(f"{person.name}: buttons", len(one.buttons) == BUTTONS, one.buttons)


def trouble(stage: Stage, names: Mapping[str, str], when: str) -> None:
    """The market says what cannot be: nothing fires and nothing ends."""
    before = told(stage, names)
    seen = polls(stage.folder)
    for fault, times in TROUBLE.items():
        for _ in range(times):
            inject(stage.vast, fault)
        empty = wait_until(lambda: not get(f"{stage.vast}/_control/status")[1]["faults"], SOON)
        check(f"{fault} {when}: polls go on", empty and stage.polled(), polls(stage.folder))
    now = told(stage, names)
    met = {code: n - seen.get(code, 0) for code, n in polls(stage.folder).items()}
    check(f"faults were met {when}", sum(n for code, n in met.items() if code) >= len(TROUBLE) * IN_A_ROW, met)
    check(f"0 fires {when}", fires(now) == fires(before), fires(now))
    check(f"0 resolves {when}", ends(now) == ends(before), ends(now))


def capped(stage: Stage, names: Mapping[str, str], when: str) -> None:
    """The day's rows end within a poll, at the price that would end the alerts."""
    before = told(stage, names)
    stage.price(1.0)
    for _ in range(IN_A_ROW):
        spent = query(stage.folder, "SELECT rows FROM quota ORDER BY day DESC LIMIT 1")[0][0]
        budget = (spent + FEW_ROWS) * KEPT_BACK // (KEPT_BACK - 1) + 1
        said = run(["poll", "--once"], {**stage.env, "SPOTBOT_ROW_BUDGET": str(budget)})
        check(f"a capped poll {when}", Quality.CAPPED.value in said, said.strip())
    stage.price(FALLEN)
    now = told(stage, names)
    queued = query(stage.folder, "SELECT count(*) FROM message WHERE kind = 'resolve'")[0][0]
    check(f"0 fires and 0 resolves of it {when}", (fires(now), ends(now), queued) == (fires(before), ends(before), 0))


def snooze(stage: Stage, everybody: Sequence[Person], names: Mapping[str, str]) -> None:
    """The buttons of messages from before the program was killed."""
    known = told(stage, names)
    for person in everybody:
        (first, *_) = [one for one in known[person.name] if not _is_notice(one)]
        answer = person.chat.press(first, first.buttons[1], person.user)
        shown = answer.replace("\n", " | ")[:200]
        check(f"{person.name}: Snooze after kill -9", _either(answer, "snooze"), shown)


def _either(text: str, what: str) -> bool:
    one = Post("", "", text, (), picture=False, table=False, answers="", edits=0)
    return one.says(what, "en") or one.says(what, "pt-BR")


def resolve(stage: Stage, everybody: Sequence[Person], names: Mapping[str, str], which: int) -> None:
    """The price is back: the message that told of it is edited, and has no buttons any more."""
    before = fires(told(stage, names))

    def over(person: Person, known: Told) -> bool:
        one = [post for post in known[person.name] if not _is_notice(post)][which]
        return one.edits > 0 and one.says("resolve", person.language) and not one.buttons

    stage.price(1.0)
    moved = time.monotonic()
    wait_until(lambda: all(over(one, told(stage, names)) for one in everybody), SOON)
    took = time.monotonic() - moved
    known = told(stage, names)
    for person in everybody:
        check(f"{person.name}: the message says that it is over", over(person, known), f"{took:.1f} s")
    check("and nothing new is posted", fires(known) == before, fires(known))


def silence(stage: Stage, everybody: Sequence[Person], names: Mapping[str, str]) -> None:
    """The market answers no more: one notice each, and no more of them."""

    def notices() -> dict[str, int]:
        return {who: sum(map(_is_notice, some)) for who, some in told(stage, names).items()}

    def more(n: int) -> bool:
        if not get(f"{stage.vast}/_control/status")[1]["faults"]:
            inject(stage.vast, "500")
        return all(now - before[who] >= n for who, now in notices().items())

    before = notices()
    began = time.monotonic()
    check("silence is told", wait_until(lambda: more(1), SILENCE), f"{time.monotonic() - began:.0f} s")
    wait_until(lambda: more(2), SOON + 10)
    check("once each", all(n - before[who] == 1 for who, n in notices().items()), (before, notices()))
    known = told(stage, names)
    spoken = [any(one.says("no data", person.language) for one in known[person.name]) for person in everybody]
    check("in their languages", all(spoken), spoken)
    reset(stage)


def reset(stage: Stage) -> None:
    """Nothing is wrong with the market any more."""
    assert get(f"{stage.vast}/_control/reset", method="POST")[0] == 200


def shorten(everybody: Sequence[Person], names: Mapping[str, str]) -> None:
    """Nothing is told of a snoozed alert, no silence either: let a minute more be enough."""
    for person in everybody:
        line = person.snooze.format(names[person.name])
        answer = person.chat.say(line, person.user, person.language)
        check(f"{person.name}: {line}", _either(answer, "snooze"), answer.replace("\n", " | ")[:200])


def again(stage: Stage, everybody: Sequence[Person], names: Mapping[str, str]) -> None:
    """The price falls again: the second episode answers the message of the first."""
    before = told(stage, names)
    stage.price(FALLEN)
    moved = time.monotonic()
    wait_until(lambda: set(fires(told(stage, names)).values()) == {2}, BETWEEN_TWO)
    took = time.monotonic() - moved
    known = told(stage, names)
    check("a second episode is told once each", set(fires(known).values()) == {2}, f"{fires(known)}, {took:.0f} s")
    for person in everybody:
        first, *_, last = [one for one in known[person.name] if not _is_notice(one)]
        there = (last.answers, last.says("fire", person.language), bool(last.buttons))
        check(f"{person.name}: in the thread of the first, or as a reply", there == (first.key, True, True), there)
    check("the first message stays as it was", ends(known) == ends(before), ends(known))


def violations(stage: Stage) -> None:
    """What the stand-ins found wrong; a rate above what Slack promises is only a hint."""
    for name, chat in stage.chats.items():
        found = get(f"{chat.url}/_control/violations{'?pending=1' if name == 'discord' else ''}")[1]
        wrong = [one for one in found if (one["rule"], one["level"]) != ("rate_limit", "warning")]
        check(f"{name}: no violation", not wrong, wrong[:3] if wrong else "")
    log = "".join(file.read_text() for file in stage.folder.glob("spotbot-*.log"))
    check("no traceback in the logs", "Traceback" not in log, len(log.splitlines()))
