"""What the Slack face sends of its own accord, and what it says became of it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.faces.slack.outcomes import LOST_EARLIER
from bot.outbox.sender import Address, Ambiguous, Delivered, Message, Receipt, Rejected, Sender, TryLater
from bot.presentation.card import Card, Chart, Column, Line, Lines, Spark, Table
from tests.fakes.slack import BOT, FakeSlack, Trouble
from tests.fakes.slack_blocks import markup
from tests.fakes.slack_house import Home, house

CHANNEL, PERSON = Address("slack", "T1", "C1"), Address("slack", "T1", person="U1")
CHART = Lines("Price", "falls from 0.40 to 0.35", (Line("4090", (0.0, 1.0), (0.4, 0.35)),))
CARD = Card(
    "RTX 4090 below $0.35",
    "It costs $0.34 now.",
    (Table("Offers", (Column("GPU"), Column("USD", "right")), (("RTX 4090", "0.34"),)),),
    (Spark("RTX 4090", (0.4, 0.35, 0.34)),),
    ("since 14:05",),
    "2 min old",
    (CHART,),
)
HOSTILE = (
    "<!channel>",
    "<@U1>",
    "<!subteam^S1>",
    "<https://evil|ok>",
    "&lt;!here&gt;",
    "*b* `c` ~s~",
    "\u202eRTL",
    "\x00\x1b[31m",
)


def message(address: Address = CHANNEL, **more: Any) -> Message:
    return Message(**{"id": "m1", "address": address, "card": CARD, "language": "en", **more})


def kinds(body: dict[str, Any]) -> set[str]:
    return {block["type"] for block in body["blocks"]}


async def test_a_channel_gets_the_card_with_its_picture_and_the_id_of_the_message(chat: Home) -> None:
    sender: Sender = chat.face.sender
    assert chat.face.platform == "slack"
    delivered = await sender.send(message())
    (posted,) = chat.slack.messages
    assert delivered == Delivered(Receipt("C1", posted.ts))
    assert {"header", "table", "image"} <= kinds(posted.body)
    assert CARD.title in posted.body["text"]
    assert posted.body["metadata"] == {"event_type": "spotbot_message", "event_payload": {"id": "m1"}}
    assert "token" not in posted.body
    assert markup(posted.body) == []


async def test_an_edit_replaces_what_is_there(chat: Home) -> None:
    first = await chat.face.sender.send(message())
    assert isinstance(first, Delivered)
    resolved = dataclasses.replace(CARD, title="Resolved", charts=())
    assert await chat.face.sender.send(message(id="m2", card=resolved, edit=first.receipt)) == first
    (posted,) = chat.slack.messages
    assert posted.edits == 1
    assert "Resolved" in posted.text
    assert "image" not in kinds(posted.body)


async def test_a_thread_is_answered_in_it_and_not_in_the_channel(chat: Home) -> None:
    first = await chat.face.sender.send(message())
    assert isinstance(first, Delivered)
    again = await chat.face.sender.send(message(id="m2", thread=first.receipt))
    assert isinstance(again, Delivered)
    answer = chat.slack.messages[1]
    assert answer.body["thread_ts"] == first.receipt.message
    assert answer.body["reply_broadcast"] is False
    assert again.receipt == Receipt("C1", answer.ts)


@pytest.mark.parametrize("earlier", ["edit", "thread"])
async def test_where_the_earlier_message_is_gone_there_is_a_new_one(
    slack: FakeSlack, slack_dispatcher: Any, earlier: str
) -> None:
    async with house(slack, slack_dispatcher) as home:
        lost: dict[str, Any] = {earlier: Receipt("C1", "gone")}
        delivered = await home.face.sender.send(message(**lost))
    (posted,) = slack.messages
    assert delivered == Delivered(Receipt("C1", posted.ts))
    assert "thread_ts" not in posted.body


@pytest.mark.parametrize("name", sorted(LOST_EARLIER))
async def test_every_name_for_an_earlier_message_that_is_no_more_leads_to_a_new_one(chat: Home, name: str) -> None:
    chat.slack.troubles["chat.update"].append(Trouble(200, name))
    delivered = await chat.face.sender.send(message(edit=Receipt("C1", "ts0")))
    assert isinstance(delivered, Delivered)


async def test_a_person_gets_it_directly_and_an_edit_goes_where_it_was(chat: Home) -> None:
    first = await chat.face.sender.send(message(PERSON))
    assert isinstance(first, Delivered)
    assert first.receipt.channel == "D1"
    await chat.face.sender.send(message(PERSON, id="m2", edit=first.receipt))
    assert [m.edits for m in chat.slack.messages] == [1]
    assert chat.slack.calls.count("conversations.open") == 1


async def test_without_the_scope_for_direct_messages_slack_opens_them_itself(chat: Home) -> None:
    chat.slack.troubles["conversations.open"].append(Trouble(200, "missing_scope"))
    delivered = await chat.face.sender.send(message(PERSON))
    assert isinstance(delivered, Delivered)
    assert delivered.receipt.channel == "D1"


async def test_a_person_who_left_cannot_be_reached(chat: Home) -> None:
    chat.slack.closed["U1"] = "user_disabled"
    assert await chat.face.sender.send(message(PERSON)) == Rejected("user_disabled", gone=True)


ROWS = [
    *(
        (Trouble(200, name), Rejected(name, gone=True))
        for name in (
            *("channel_not_found", "is_archived", "not_in_channel", "account_inactive", "token_revoked"),
            *("invalid_auth", "restricted_action", "restricted_action_read_only_channel", "messages_tab_disabled"),
        )
    ),
    (Trouble(200, "as_user_not_supported"), Rejected("as_user_not_supported")),
    (Trouble(429, "ratelimited", {"Retry-After": "7"}), TryLater("ratelimited", 7.0, "destination")),
    (Trouble(200, "rate_limited"), TryLater("rate_limited", 5.0, "destination")),
    (Trouble(200, "message_limit_exceeded"), TryLater("message_limit_exceeded", 60.0, "team")),
    (Trouble(200, "team_added_to_org"), TryLater("team_added_to_org", 300.0, "team")),
    (Trouble(200, "service_unavailable"), TryLater("service_unavailable", 10.0, "platform")),
    (Trouble(503, "service_unavailable"), TryLater("service_unavailable", 10.0, "platform")),
    (Trouble(503, "maintenance"), TryLater("maintenance", 10.0, "destination")),
    (Trouble(200, "fatal_error"), Ambiguous("fatal_error")),
    (Trouble(500, "internal_error"), Ambiguous("internal_error")),
    (Trouble(502, "bad_gateway"), Ambiguous("bad_gateway")),
]


@pytest.mark.parametrize(("trouble", "outcome"), ROWS, ids=lambda value: str(value)[:60])
async def test_what_slack_says_decides_what_became_of_it(chat: Home, trouble: Trouble, outcome: object) -> None:
    chat.slack.troubles["chat.postMessage"].append(trouble)
    assert await chat.face.sender.send(message(card=dataclasses.replace(CARD, charts=()))) == outcome
    assert chat.slack.calls.count("chat.postMessage") == 1  # no attempt but this
    assert chat.naps.taken == []


@pytest.mark.parametrize(("lost", "there"), [("before", 0), ("after", 1)])
async def test_an_answer_that_is_lost_leaves_it_open(chat: Home, lost: str, there: int) -> None:
    chat.slack.troubles["chat.postMessage"].append(Trouble(lost=lost))
    delivery = await chat.face.sender.send(message())
    assert isinstance(delivery, Ambiguous)
    assert len(chat.slack.messages) == there
    assert chat.slack.calls.count("chat.postMessage") == 1


async def test_an_answer_that_never_comes_leaves_it_open(chat: Home) -> None:
    gate = asyncio.Event()
    chat.slack.troubles["chat.postMessage"].append(Trouble(wait=gate))
    chat.face.sender.posting = 0.05
    assert await chat.face.sender.send(message()) == Ambiguous("posting took too long")
    gate.set()


async def test_what_is_slow_before_posting_was_certainly_not_sent(chat: Home) -> None:
    gate = asyncio.Event()
    chat.slack.troubles["conversations.open"].append(Trouble(wait=gate))
    chat.face.sender.preparing = 0.05
    assert await chat.face.sender.send(message(PERSON)) == TryLater("preparing took too long", 5.0)
    gate.set()
    chat.face.sender.preparing = 20.0
    chat.slack.troubles["conversations.open"].append(Trouble(lost="before"))
    assert isinstance(await chat.face.sender.send(message(PERSON)), TryLater)
    assert chat.slack.messages == []


async def test_a_slack_that_is_not_reached_was_sent_nothing(slack: FakeSlack, slack_dispatcher: Any) -> None:
    async with house(slack, slack_dispatcher) as home:
        await slack.hang_up()
        with capture_logs():
            delivery = await home.face.sender.send(message())
    assert delivery == TryLater("not reached: ClientConnectorError", 5.0, "platform")


async def test_limits_of_two_channels_at_once_are_the_workspaces(chat: Home) -> None:
    limited = Trouble(429, "ratelimited", {"Retry-After": "7"})
    chat.slack.troubles["chat.postMessage"].extend([limited] * 4)
    now = 0.0
    sender = chat.face.sender
    sender.timer = lambda: now
    scopes = []
    for channel, moment in (("C1", 0.0), ("C1", 1.0), ("C2", 2.0), ("C3", 60.0)):
        now = moment
        delivery = await sender.send(message(Address("slack", "T1", channel)))
        assert isinstance(delivery, TryLater)
        scopes.append(delivery.scope)
    assert scopes == ["destination", "destination", "team", "destination"]


async def test_a_limit_of_opening_direct_messages_is_the_workspaces(chat: Home) -> None:
    chat.slack.troubles["conversations.open"].append(Trouble(429, "ratelimited", {"Retry-After": "9"}))
    assert await chat.face.sender.send(message(PERSON)) == TryLater("ratelimited", 9.0, "team")


async def test_blocks_that_slack_refuses_become_simpler_ones(chat: Home) -> None:
    chat.slack.troubles["chat.postMessage"].extend([Trouble(200, "invalid_blocks")] * 2)
    assert isinstance(await chat.face.sender.send(message()), Delivered)
    (posted,) = chat.slack.messages
    assert not {"table", "image"} & kinds(posted.body)
    assert "RTX 4090" in posted.text
    assert chat.naps.taken == [1.5]  # the picture was new


async def test_blocks_refused_in_every_form_are_rejected_as_they_are(chat: Home) -> None:
    chat.slack.troubles["chat.postMessage"].extend([Trouble(200, "invalid_blocks")] * 4)
    assert await chat.face.sender.send(message()) == Rejected("invalid_blocks")


@pytest.mark.parametrize(("language", "shortened"), [("en", "Shortened"), ("pt-BR", "Resumido")])
async def test_what_slack_finds_too_long_is_clamped(chat: Home, language: str, shortened: str) -> None:
    chat.slack.troubles["chat.postMessage"].append(Trouble(200, "msg_too_long"))
    assert isinstance(await chat.face.sender.send(message(language=language)), Delivered)
    (posted,) = chat.slack.messages
    assert chat.slack.calls.count("chat.postMessage") == 2
    assert CARD.lead in posted.text
    assert shortened in posted.text
    assert "since 14:05" not in posted.text


@pytest.mark.parametrize("edited", [False, True])
async def test_a_card_of_any_length_fits(chat: Home, *, edited: bool) -> None:
    rows = tuple((f"GPU {n} " + "x" * 300, "1") for n in range(500))
    long = Card(
        "t" * 999, "l" * 9999, (Table("c" * 9999, CARD.tables[0].columns, rows),), (), ("n" * 9999,) * 60, "f" * 9999
    )
    first = await chat.face.sender.send(message())
    assert isinstance(first, Delivered)
    more: dict[str, Any] = {"edit": first.receipt} if edited else {}
    assert isinstance(await chat.face.sender.send(message(card=long, **more)), Delivered)
    assert "Shortened" in chat.slack.messages[-1].text


@pytest.mark.parametrize("text", HOSTILE)
async def test_nothing_in_a_card_is_markup(chat: Home, text: str) -> None:
    card = Card(text, text, (Table(text, (Column(text), Column(text)), ((text, text),)),), (), (text,), text)
    assert isinstance(await chat.face.sender.send(message(card=card)), Delivered)
    assert markup(chat.slack.messages[0].body) == []


@pytest.mark.parametrize(("group", "called"), [("S0AB", True), ("", False), ("!channel", False), ("S1><!here", False)])
async def test_only_the_one_group_is_called(chat: Home, group: str, called: bool) -> None:
    await chat.face.sender.send(message(mentions=(group,)))
    (posted,) = chat.slack.messages
    assert (f'"usergroup_id": "{group}"' in json.dumps(posted.body)) is called
    assert markup(posted.body) == (["usergroup"] if called else [])


@pytest.mark.parametrize("method", ["files.getUploadURLExternal", "upload", "files.completeUploadExternal"])
async def test_without_its_picture_the_text_goes_out(chat: Home, method: str) -> None:
    chat.slack.troubles[method].append(Trouble(500, "fatal_error"))
    with capture_logs():
        assert isinstance(await chat.face.sender.send(message()), Delivered)
    assert "image" not in kinds(chat.slack.messages[0].body)
    assert "▁" in chat.slack.messages[0].text


async def test_a_chart_that_cannot_be_drawn_costs_the_picture_only(chat: Home) -> None:
    async def fails(chart: Chart, **more: Any) -> bytes:
        raise ZeroDivisionError

    chat.gallery.png = fails  # type: ignore[method-assign, assignment]
    with capture_logs():
        assert isinstance(await chat.face.sender.send(message()), Delivered)
    assert "image" not in kinds(chat.slack.messages[0].body)


async def test_a_fault_of_ours_is_an_outcome_too(chat: Home) -> None:
    broken: Any = None
    with capture_logs() as logs:
        assert await chat.face.sender.send(message(card=broken)) == Rejected("a fault of ours: AttributeError")
    assert logs[-1]["event"] == "slack_message_failed"
    assert BOT not in json.dumps(logs, default=str)


async def test_a_workspace_without_the_app_is_gone(many: Home) -> None:
    assert await many.face.sender.send(message()) == Rejected("the app is not installed", gone=True)


async def test_each_workspace_is_sent_to_with_its_own_token(chat: Home) -> None:
    chat.slack.teams.clear()
    assert await chat.face.sender.send(message()) == Rejected("invalid_auth", gone=True)
