"""From ``/spot alert`` to the message in the channel, its buttons and its end, on Slack through the real face."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from analytics.market import Poll, Quality
from bot.accounts import Asker
from bot.alerts.engine import pass_time
from bot.presentation.words import Words
from tests.fakes.alert_market import Market, alert_in, alert_market
from tests.fakes.slack import FakeSlack, until
from tests.fakes.slack_channels import Message
from tests.fakes.slack_house import Home, house, slack  # noqa: F401  a fixture
from tests.fakes.stored import NOW


@dataclass
class Chat:
    """A Slack that hears of the market."""

    market: Market
    home: Home

    async def hear(self, text: str, **who: Any) -> Message:
        """Ask, and wait for the answer."""
        return await self.home.hear(text, **who)

    @property
    def posts(self) -> list[Message]:
        """What everybody sees."""
        return [message for message in self.home.slack.messages if not message.only]


@pytest.fixture
async def chat(slack: FakeSlack, market_file: Path, tmp_path: Path) -> AsyncIterator[Chat]:  # noqa: F811
    async with alert_market(market_file, tmp_path) as market, house(slack, market.dispatcher) as home:
        market.send_through(home.face.platform, home.face.sender)
        yield Chat(market, home)
    assert slack.refused == []


@pytest.mark.parametrize("person", ["UA", "UP"])
async def test_a_price_that_falls_is_told_once_with_offers_and_buttons(chat: Chat, person: str) -> None:
    confirmed = await chat.hear(f"alert 4090 < {chat.market.mark(0.9)}", person=person)
    assert (confirmed.only, "spot_run_1" in confirmed.buttons) == (person, True)
    await chat.market.poll(1.0, times=2)
    assert chat.posts == []
    await chat.market.poll(0.85)
    assert chat.posts == []  # one reading may be a slip
    await chat.market.poll(0.85)
    (told,) = chat.posts
    assert (told.channel, alert_in(confirmed.text) in told.text) == ("C1", True)
    assert chat.market.mark(0.9) in told.text.replace(",", ".")
    assert {"table", "image"} <= {block["type"] for block in told.blocks}
    assert told.buttons == [*(f"spot_run_{n}" for n in range(5)), "spot_form_5", "spot_run_6"]
    await chat.market.poll(0.8, times=3)
    assert chat.posts == [told]


async def test_its_message_counts_offers_as_answers_do(chat: Chat) -> None:
    await chat.hear(f"alert 4090 < {chat.market.mark(0.9)}", person="UA")
    async with chat.market.store.reader() as reader:
        book = await reader.book(["RTX 4090"])
    cheap = [replace(offer, min_bid=(offer.min_bid or 0) * 2 // 3) for offer in book]
    whole = (*cheap, *(replace(cheap[0], machine_id=10**6 + n, rentable=False) for n in range(3)))
    for _ in range(2):
        chat.market.clock.pass_(300)
        poll = Poll("RTX 4090", chat.market.clock(), Quality.COMPLETE, whole, 300)
        assert (await chat.market.collector.record(chat.market.clock(), [poll])).quotes
    await chat.market.send()
    async with chat.market.store.reader() as reader:
        counted = (await reader.quotes(["RTX 4090"]))["RTX 4090"].offers
    assert counted < len(whole)
    assert f"{counted} offers" in chat.posts[0].text


async def test_its_end_edits_the_message_and_a_second_episode_answers_in_the_thread(chat: Chat) -> None:
    await chat.hear(f"alert 4090 < {chat.market.mark(0.9)}", person="UA")
    await chat.market.poll(1.0)
    await chat.market.poll(0.85, times=2)
    await chat.market.poll(0.91)  # back, but not by the margin
    assert chat.posts[0].edits == 0
    await chat.market.poll(1.0)
    (told,) = chat.posts
    assert (told.edits, told.text.startswith("Over: RTX 4090"), told.buttons) == (1, True, [])
    await chat.market.poll(0.85, times=2)
    again = chat.posts[-1]
    assert (len(chat.posts), again.body["thread_ts"]) == (2, told.ts)


async def test_a_snooze_from_the_button_keeps_it_silent_and_then_says_so_once(chat: Chat) -> None:
    await chat.hear(f"alert 4090 < {chat.market.mark(0.9)} repeat=10m", person="UA")
    await chat.market.poll(1.0)
    await chat.market.poll(0.85, times=2)
    (told,) = chat.posts
    seen = len(chat.home.slack.messages)
    await chat.home.slack.click(told, "spot_run_2", person="UP")  # 1 h, by somebody else of the channel
    await until(lambda: len(chat.home.slack.messages) > seen)
    assert chat.home.slack.messages[-1].only == "UP"
    await chat.market.poll(0.85, times=10)
    assert chat.posts == [told]
    await chat.market.poll(0.85, times=4)
    assert [post.body.get("thread_ts") for post in chat.posts] == [None, told.ts]


async def test_what_is_deleted_is_silent_and_gone(chat: Chat) -> None:
    confirmed = await chat.hear(f"alert 4090 < {chat.market.mark(0.9)}", person="UA")
    await chat.hear(f"alert delete {alert_in(confirmed.text)}", person="UA")
    await chat.market.poll(1.0)
    await chat.market.poll(0.85, times=3)
    assert chat.posts == []
    assert "none yet" in (await chat.hear("alert list", person="UA")).text


async def test_a_test_message_comes_at_once(chat: Chat) -> None:
    confirmed = await chat.hear(f"alert 4090 < {chat.market.mark(0.9)}", person="UA")
    await chat.hear(f"alert test {alert_in(confirmed.text)}", person="UA")
    await chat.market.send()
    (told,) = chat.posts
    assert told.text.startswith("Test: RTX 4090")


async def test_silence_of_the_market_is_told_once(chat: Chat) -> None:
    await chat.hear(f"alert 4090 < {chat.market.mark(0.9)}", person="UA")
    await chat.market.poll(1.0)
    for _ in range(5):
        chat.market.clock.pass_(600)
        async with chat.market.store.writer() as writer:
            await pass_time(writer, chat.market.clock())
        await chat.market.send()
    (told,) = chat.posts
    assert told.text.startswith("No data: RTX 4090")


async def test_alert_show_tells_why(chat: Chat) -> None:
    confirmed = await chat.hear(f"alert 4090 < {chat.market.mark(0.5)}", person="UA")
    shown = await chat.hear(f"alert show {alert_in(confirmed.text)}", person="UP")
    assert "waiting:" in shown.text or "aguardando" in shown.text, shown.text
    assert "create" in shown.text or "criou" in shown.text


async def test_only_who_made_it_or_a_manager_may_change_it(chat: Chat) -> None:
    confirmed = await chat.hear(f"alert 4090 < {chat.market.mark(0.9)}", person="UA")
    for verb in ("delete {}", "edit {} < 0.2", "test {}"):
        refused = await chat.hear("alert " + verb.format(alert_in(confirmed.text)), person="U7")
        assert "only who made this alert" in refused.text


async def closed(chat: Chat, *, times: int = 4) -> None:
    """The channel is archived, and messages to it have been refused so often that it is given up."""
    chat.home.slack.closed["C1"] = "is_archived"
    for _ in range(times):
        chat.market.clock.pass_(61)
        await chat.market.send()


async def test_when_a_channel_dies_the_makers_of_its_alerts_are_told_once_each(chat: Chat) -> None:
    for person in ("UA", "UA", "UP"):
        await chat.hear(f"alert 4090 < {chat.market.mark(0.9)}", person=person)
    program = Asker("slack", "T1", "key:spot_abcdef", "C1", "manager")  # which reads no direct messages
    await chat.market.dispatcher.answer(f"alert 4090 < {chat.market.mark(0.9)}", program)
    await chat.market.poll(1.0)
    chat.home.slack.closed["C1"] = "is_archived"
    await chat.market.poll(0.85, times=2)
    await closed(chat)
    told = chat.posts
    assert sorted(message.channel for message in told) == ["DA", "DP"]
    english = next(message for message in told if message.channel == "DA")
    assert "Stopped: C1" in english.text
    assert "is_archived" in english.text
    assert any(block["type"] == "table" for block in english.blocks)
    await closed(chat)
    assert chat.posts == told
    listed = await chat.hear("alert list", person="UA")
    assert "4 cannot be delivered" in listed.text
    shown = await chat.hear("alert show last", person="UA")
    assert "Nothing is sent any more: is_archived" in shown.text


@pytest.mark.parametrize("again", ["alert test last", "alert 3090 < 0.01", "alert edit last < 0.02"])
async def test_a_test_an_edit_or_a_new_alert_there_makes_a_dead_channel_a_living_one(chat: Chat, again: str) -> None:
    await chat.hear(f"alert 4090 < {chat.market.mark(0.9)}", person="UA")
    await chat.hear("alert test last", person="UA")
    await closed(chat)
    assert [message.channel for message in chat.posts] == ["DA"]
    name = alert_in((await chat.hear("alert show last", person="UA")).text)
    del chat.home.slack.closed["C1"]
    assert "cannot be delivered" in (await chat.hear("alert list", person="UA")).text
    await chat.hear(again, person="UA")
    assert "cannot be delivered" not in (await chat.hear("alert list", person="UA")).text
    await chat.hear("alert test last", person="UA")
    await chat.market.send()
    await chat.market.send()
    assert "C1" in [message.channel for message in chat.posts]
    shown = str((await chat.hear(f"alert show {name}", person="UA")).blocks)
    assert all(act in shown for act in ("stopped: Nothing is sent any more: is_archived", "spotbot", "resume"))


async def test_who_did_what_says_what_was_changed(chat: Chat) -> None:
    await chat.hear("alert 4090 < 0.2 for=1h", person="UA")
    for line in (
        "snooze last 2h",
        "edit last < 0.1",
        "edit last for=0h repeat=4h quiet=22:00-08:00",
        "edit last mention=S012 expires=48h",
        "edit last mention=off quiet=off",
        "edit last mention=off",
    ):
        assert "It " in str((await chat.hear(f"alert {line}", person="UA")).blocks) or "off" in line
    shown = await chat.market.dispatcher.answer("alert show last", Asker("slack", "T1", "UA", "C1", "admin"))
    acts = [(act.action, [str(note) for note in act.details]) for act in shown.answer.history]
    assert acts[0] == ("create", [])
    assert acts[1][1][0].startswith("until 20")
    assert acts[2] == ("edit", ["RTX 4090: spot price (median) below $0.1"])
    assert acts[3][1] == [
        "It reminds every 4 h while it holds",
        "Quiet hours: 22:00–08:00 (UTC)",
        "it need not hold for a time any more",
    ]
    assert acts[4][1][0] == "It calls the role or user group S012"
    assert acts[4][1][1].startswith("It holds until 20")
    assert acts[5][1] == ["no quiet hours any more", "it calls nobody any more"]
    assert len(acts) == 6, "what changed nothing is no act"


@pytest.mark.parametrize(
    ("line", "threshold", "charts"),
    [
        ("alert 4090 < 0.2", 0.2, 1),
        ("alert 4090 available >= 8", 8, 0),
        ("alert 4090 drops 10% in 24h", -10, 0),
    ],
)
async def test_a_threshold_is_a_number_of_its_own_unit(chat: Chat, line: str, threshold: float, charts: int) -> None:
    asker = Asker("slack", "T1", "UA", "C1", "admin")
    answered = await chat.market.dispatcher.answer(line, asker)
    assert (answered.answer.threshold, bool(answered.answer.points)) == (threshold, bool(charts))
    card = answered.command.card(answered.answer, Words("en", NOW))
    assert len(card.charts) == charts


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("alert 4090 < 0.01", "spot price (median): $"),
        ("alert 4090 predicted < 0.01 in 24h with 99.9%", "with 99.9%: there is no value now."),
    ],
)
async def test_a_test_tells_the_value_of_now_and_not_that_the_condition_held(chat: Chat, line: str, says: str) -> None:
    await chat.hear(line, person="UA")
    await chat.hear("alert test last", person="UA")
    await chat.market.send()
    (told,) = chat.posts
    body = told.text + str(told.blocks)
    assert says in body
    assert ("It has been so since" in body, "–." in body) == (False, False)
