"""Whatever people type, are called or sell: on Slack it is letters, never a mention, a link or a format."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence

import pytest

from analytics.market import WORLD, Poll, Quality, Quote, Scope, micro
from bot.commands import COMMANDS
from bot.dispatch.dispatcher import Dispatcher
from bot.store.writer import Entry
from tests.fakes.slack import FakeSlack, until
from tests.fakes.slack_blocks import markup
from tests.fakes.slack_house import Home, house
from tests.fakes.stored import NOW

HOSTILE = (
    "<!channel>", "<!here>", "<!everyone>", "<@U1>", "<#C1>", "<!subteam^S1>", "<https://evil|ok>", "@everyone",
    "<@&1>", "[a](http://b)", "```", "*b* _i_ ~s~ `c`", '=HYPERLINK("http://e")', "+cmd", "-1", "@cell", "../../etc",
    "%0d%0a", "{{7*7}}", "{0.__class__}", "{who}", "%(name)s", "\u202e4090", "\u2066x\u2069", "&lt;!channel&gt;",
    "a\x00b\ud800c", "\x1b[31mred", "a\tb\nc", "'\"\\", "“‘", "payload=1", ":tada:", "<!date^1^{date}|x>", "http://evil",
    "x" * 10_000, "10" * 5000, "<" * 3000, "&" * 900,
)  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda text: ascii(text)[:20])
async def test_nothing_that_anybody_types_is_markup(chat: Home, hostile: str) -> None:
    await all_plain(chat, [hostile, *(f"{command.name} {hostile}" for command in COMMANDS)], name=hostile)


async def test_nothing_that_anybody_gives_by_name_or_after_an_example_is_markup(chat: Home) -> None:
    hostile = " ".join(text for text in HOSTILE if len(text) < 10 and "'" not in text)
    lines = [f"{command.name} {param.name}='{hostile}'" for command in COMMANDS for param in command.params]
    await all_plain(chat, [*lines, *(f"{command.examples[0]} {hostile}" for command in COMMANDS)])


async def all_plain(chat: Home, lines: Sequence[str], *, name: str = "ada") -> None:
    """Ask all of these; no answer has markup, and none is for anybody else."""
    for line in lines:
        await chat.slack.say(line, person="UA", user_name=name)
    await until(lambda: len(chat.slack.messages) == len(lines), 60)
    for message in chat.slack.messages:
        assert markup(message.body) == [], message.text[:200]
        assert message.only == "UA"


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda text: ascii(text)[:20])
async def test_neither_names_nor_forged_buttons_are_markup(chat: Home, hostile: str) -> None:
    chat.slack.people["UX"] = {"profile": {"display_name": hostile.encode("utf-8", "replace").decode()}}
    answer = await chat.hear("monitor", person="UX")
    await chat.slack.click(answer, "spot_share", person="UX")
    await until(lambda: len(chat.slack.messages) == 2)
    assert "shared by" in chat.slack.messages[1].text
    for line in (hostile, f"predict {hostile}", f"0 {hostile}", f"9 help {hostile}"):
        seen, edits = len(chat.slack.messages), answer.edits
        click = chat.slack.click_on(answer, "spot_refresh", person="UX")
        click["actions"][0]["value"] = line
        await chat.slack.send(click)
        await until(lambda seen=seen, edits=edits: len(chat.slack.messages) > seen or answer.edits > edits)
    for message in chat.slack.messages:
        assert markup(message.body) == []


@pytest.fixture
async def sold(slack: FakeSlack, slack_dispatcher: Dispatcher) -> AsyncIterator[Home]:
    """A face whose market sells models that are named to do harm."""
    entries = []
    for n, name in enumerate(text for text in HOSTILE if text.isprintable() and len(text) < 60):
        cost = micro(0.1 + n / 100)
        quote = Quote(NOW, cost, cost, cost, cost, 2 * cost, offers=3, gpus=5, machines=3)
        poll = Poll(name, NOW, Quality.COMPLETE, interval=300)
        entries.append(Entry(poll, quotes={(WORLD, Scope.VERIFIED): quote}, rows=3))
    async with slack_dispatcher.store.writer() as writer:
        await writer.save_round(NOW, entries)
    async with house(slack, slack_dispatcher) as home:
        yield home
    assert slack.refused == []


@pytest.mark.parametrize("person", ["UA", "UP"])
async def test_nothing_that_the_market_sells_is_markup(sold: Home, person: str) -> None:
    for line in (
        "monitor gpu=all",
        "monitor <!channel>",
        "predict <!channel>",
        "history <@U1>",
        "status",
        "interruptions",
    ):
        answer = await sold.hear(line, person=person)
        while "spot_page_next" in answer.buttons:
            edits = answer.edits
            await sold.slack.click(answer, "spot_page_next", person=person)
            await until(lambda answer=answer, edits=edits: answer.edits > edits)
            assert markup(answer.body) == []
    for message in sold.slack.messages:
        assert markup(message.body) == []
    assert any("<!channel>" in message.text for message in sold.slack.messages)
    await sold.slack.event("app_home_opened", user=person, tab="home")
    await until(lambda: sold.slack.homes)
    assert '"mrkdwn"' not in json.dumps(sold.slack.homes[person])
