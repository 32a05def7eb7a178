"""What the Discord face sends of its own accord, and what it says became of it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from typing import Any

import pytest
from discord.http import Route
from structlog.testing import capture_logs

from bot.faces.discord.attempts import InvalidRequests
from bot.outbox.sender import Address, Ambiguous, Delivered, Message, Receipt, Rejected, Sender, TryLater
from bot.presentation.card import Action, Card, Chart, Column, Line, Lines, Spark, Table
from tests.fakes.discord import CHANNEL, GUILD, FakeDiscord, visible
from tests.fakes.discord_house import Guild, new_face, plain
from tests.fakes.discord_objects import PEOPLE
from tests.fakes.slack_house import Gallery

THERE, PERSON = Address("discord", GUILD, CHANNEL), Address("discord", PEOPLE["ana"], person=PEOPLE["ana"])
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
TEXT = dataclasses.replace(CARD, charts=())
POSTS = r"^/channels/\d+/messages$"
NOBODY: dict[str, Any] = {"parse": []}


def message(address: Address = THERE, **more: Any) -> Message:
    return Message(**{"id": "m1", "address": address, "card": CARD, "language": "en", **more})


async def delivered(server: Guild, **more: Any) -> Receipt:
    delivery = await server.face.sender.send(message(**more))
    assert isinstance(delivery, Delivered), delivery
    return delivery.receipt


def shown(server: Guild, receipt: Receipt) -> dict[str, Any]:
    found = server.discord.messages[receipt.message]
    assert found["channel_id"] == receipt.channel
    return found


async def test_a_channel_gets_the_card_with_its_picture_once_for_each_id(server: Guild) -> None:
    sender: Sender = server.face.sender
    assert server.face.platform == "discord"
    receipt = await delivered(server)
    assert await sender.send(message()) == Delivered(receipt)
    assert [m["id"] for m in server.discord.messages.values()] == [receipt.message]
    found = shown(server, receipt)
    assert CARD.lead in visible(found)
    assert found["attachments"][0]["description"] == CHART.alt
    body = server.discord.sent(POSTS)[0].body
    assert (body["nonce"], body["enforce_nonce"]) == ("m1", True)
    assert body["allowed_mentions"] == NOBODY


async def test_a_long_id_becomes_a_nonce_that_discord_takes(server: Guild) -> None:
    first = await delivered(server, id="a" * 36)
    assert await delivered(server, id="a" * 36) == first
    assert await delivered(server, id="a" * 35 + "b") != first


async def test_an_edit_replaces_what_is_there(server: Guild) -> None:
    first = await delivered(server)
    resolved = dataclasses.replace(TEXT, title="Resolved")
    assert await delivered(server, id="m2", card=resolved, edit=first) == first
    assert "Resolved" in visible(shown(server, first))
    assert shown(server, first)["attachments"] == []


async def test_actions_are_buttons_and_an_edit_takes_them_away(server: Guild) -> None:
    first = await delivered(server, card=dataclasses.replace(TEXT, actions=(Action("Status", "status"),)))
    sent = server.discord.sent(POSTS)[0].body
    assert sent["components"][0]["components"][0]["custom_id"] == "spot:run:status"
    await delivered(server, id="m2", card=TEXT, edit=first)
    assert server.discord.sent(r"/messages/\d+$", "PATCH")[0].body["components"] == []


@pytest.mark.parametrize("code", [10008, 50005, 50083])
async def test_where_the_message_to_edit_is_gone_there_is_a_new_one(server: Guild, code: int) -> None:
    server.discord.fail(r"/messages/\d+$", 404 if code == 10008 else 403, code=code, method="PATCH")
    receipt = await delivered(server, edit=Receipt(CHANNEL, "1"))
    assert shown(server, receipt)["channel_id"] == CHANNEL


async def test_an_edit_in_a_thread_that_was_deleted_becomes_a_message_in_the_channel(server: Guild) -> None:
    server.discord.fail(r"/messages/\d+$", 404, code=10003, method="PATCH")
    assert (await delivered(server, edit=Receipt("123", "1"))).channel == CHANNEL
    server.discord.fail(r"/messages/\d+$", 404, code=10003, method="PATCH")
    gone = await server.face.sender.send(message(id="m2", edit=Receipt(CHANNEL, "1")))
    assert isinstance(gone, Rejected)
    assert gone.gone


async def test_a_thread_begins_with_the_message_and_goes_on(server: Guild) -> None:
    first = await delivered(server)
    for key in ("m2", "m3"):
        again = await delivered(server, id=key, thread=first)
        assert again.channel == first.message
    assert len(server.discord.sent("/threads$")) == 2
    edited = await delivered(server, id="m4", edit=again)
    assert edited == again


@pytest.mark.parametrize("code", [50013, 50001, 50024])
async def test_where_threads_are_not_permitted_there_is_a_reply(server: Guild, code: int) -> None:
    first = await delivered(server)
    server.discord.fail("/threads$", 403, code=code)
    again = await delivered(server, id="m2", thread=first)
    assert again.channel == CHANNEL
    assert shown(server, again)["answers"] == first.message


async def test_where_neither_threads_nor_replies_are_permitted_there_is_a_message(server: Guild) -> None:
    first = await delivered(server)
    server.discord.fail("/threads$", 403, code=50013)
    server.discord.fail(POSTS, 400, code=160002)
    again = await delivered(server, id="m2", card=TEXT, thread=first)
    assert again.channel == CHANNEL
    assert shown(server, again)["answers"] == ""


@pytest.mark.parametrize("code", [50013, 160005, 10003])
async def test_a_thread_that_takes_nothing_any_more_becomes_a_reply(server: Guild, code: int) -> None:
    first = await delivered(server)
    await delivered(server, id="m2", thread=first)
    server.discord.fail(f"/channels/{first.message}/messages", 403, code=code, times=2)
    again = await delivered(server, id="m3", thread=first)
    assert again.channel == CHANNEL


async def test_an_answer_to_a_deleted_message_goes_out(server: Guild) -> None:
    assert (await delivered(server, thread=Receipt(CHANNEL, "1"))).channel == CHANNEL


async def test_a_person_gets_it_directly_and_answers_are_replies(server: Guild) -> None:
    first = await delivered(server, address=PERSON)
    assert first.channel != CHANNEL
    again = await delivered(server, address=PERSON, id="m2", thread=first)
    assert again.channel == first.channel
    assert shown(server, again)["answers"] == first.message
    assert await delivered(server, address=PERSON, id="m3", edit=again) == again


@pytest.mark.parametrize("way", ["/users/@me/channels", "/threads$"])
async def test_trouble_before_posting_means_that_nothing_was_sent(server: Guild, way: str) -> None:
    more: dict[str, Any] = {"thread": Receipt(CHANNEL, "1")} if way == "/threads$" else {"address": PERSON}
    for fault in ({"status": 502}, {"status": 200, "lost": "before"}):
        server.discord.fail(way, **fault)
        assert isinstance(await server.face.sender.send(message(**more)), TryLater)
    assert server.discord.messages == {}


async def test_somebody_unknown_is_gone(server: Guild) -> None:
    delivery = await server.face.sender.send(message(Address("discord", "1", person="1")))
    assert isinstance(delivery, Rejected)
    assert delivery.gone


ROWS = [
    *(
        ({"status": status, "code": code}, Rejected(f"{status} {code} no", gone=True))
        for status, code in ((404, 10003), (403, 50001), (403, 50013), (403, 50007), (404, 10004))
    ),
    ({"status": 400, "code": 200000}, Rejected("400 200000 no")),
    ({"status": 404, "code": 10008}, Rejected("404 10008 no")),
    ({"status": 403, "code": 40003}, TryLater("403 40003 no", 300.0)),
    ({"status": 401}, TryLater("DISCORD_TOKEN is refused: 401 0 no", 600.0, "platform")),
    ({"status": 429, "retry_after": 7, "scope": "user"}, TryLater("rate limited", 7.0)),
    ({"status": 429, "retry_after": 7, "scope": "shared"}, TryLater("rate limited", 7.0)),
    ({"status": 429, "retry_after": 7, "scope": "global"}, TryLater("rate limited, globally", 7.0, "platform")),
    ({"status": 429, "retry_after": 7, "via": False}, TryLater("refused at Discord's edge", 600.0, "platform")),
    ({"status": 429}, TryLater("rate limited", 5.0)),
    ({"status": 503, "code": 130000}, TryLater("status 503", 10.0, "team")),
    ({"status": 500}, Ambiguous("status 500")),
    ({"status": 502}, Ambiguous("status 502")),
    ({"status": 200, "lost": "before"}, Ambiguous("the answer was lost: ServerDisconnectedError")),
    ({"status": 200, "lost": "after"}, Ambiguous("the answer was lost: ServerDisconnectedError")),
]


@pytest.mark.parametrize(("fault", "outcome"), ROWS, ids=lambda value: str(value)[:60])
async def test_what_discord_says_decides_what_became_of_it(
    server: Guild, fault: dict[str, Any], outcome: object
) -> None:
    server.discord.fail(POSTS, **fault)
    with capture_logs():
        assert await server.face.sender.send(message(card=TEXT)) == outcome
    assert len(server.discord.sent(POSTS)) == 1  # no attempt but this
    assert await delivered(server, card=TEXT)  # nothing of it holds up the next
    assert len(server.discord.messages) == 1  # the nonce makes a lost answer harmless


async def test_a_refused_token_is_told(server: Guild) -> None:
    server.discord.fail(POSTS, 401)
    with capture_logs() as logs:
        await server.face.sender.send(message(card=TEXT))
    assert any(entry["log_level"] == "error" and "DISCORD_TOKEN" in entry["event"] for entry in logs)


async def test_a_discord_that_is_not_reached_was_sent_nothing(server: Guild, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Route, "BASE", "http://127.0.0.1:9/api/v10")
    delivery = await server.face.sender.send(message())
    assert delivery == TryLater("not reached: ClientConnectorError", 5.0, "platform")


async def test_an_answer_that_never_comes_leaves_it_open(server: Guild) -> None:
    server.face.sender.seconds = 0.05
    gate = asyncio.Event()
    server.discord.fail(POSTS, 200, lost="after", wait=gate)
    delivery = await server.face.sender.send(message(card=TEXT))
    gate.set()
    assert delivery == Ambiguous("the answer was lost: TimeoutError")


async def test_while_not_connected_nothing_is_sent(discord: FakeDiscord, discord_dispatcher: Any) -> None:
    face = new_face(discord_dispatcher, Gallery(), discord.token)
    assert await face.sender.send(message()) == TryLater("not connected to Discord", 5.0, "platform")


async def test_after_the_end_of_a_connection_nothing_is_sent(server: Guild) -> None:
    await server.end()
    assert await server.face.sender.send(message()) == TryLater("not connected to Discord", 5.0, "platform")
    server.running = None


async def test_a_server_that_removed_the_app_is_gone_at_once(server: Guild) -> None:
    async def is_member() -> bool:
        return False

    await server.face.answers.forget(int(GUILD), is_member)
    calls = len(server.discord.calls)
    assert await server.face.sender.send(message()) == Rejected("the app was removed", gone=True)
    assert len(server.discord.calls) == calls


async def test_too_many_refusals_stop_everything_for_a_while(server: Guild) -> None:
    now = 0.0
    invalid = server.face.sender.invalid
    invalid._timer = lambda: now
    invalid._at = type(invalid._at)(maxlen=3)
    for n, scope in enumerate(("user", "shared", "user", "user")):
        now = float(n)
        server.discord.fail(POSTS, 429, retry_after=1, scope=scope)
        assert isinstance(await server.face.sender.send(message()), TryLater)
    calls = len(server.discord.calls)
    assert await server.face.sender.send(message()) == TryLater("too many requests were refused", 597.0, "platform")
    assert len(server.discord.calls) == calls
    now = 600.0
    assert await delivered(server)


def test_refusals_are_counted_and_forgotten() -> None:
    now = 0.0
    invalid = InvalidRequests(timer=lambda: now)
    for status in (401, 403, 429, 404, 200, 500):
        for _ in range(1666):
            invalid.count(status, {})
    assert invalid.pause() == 0.0
    invalid.count(403, {})
    assert invalid.pause() == 0.0
    invalid.count(403, {})
    assert invalid.pause() == 600.0
    now = 600.0
    assert invalid.pause() == 0.0


async def test_without_its_picture_the_text_goes_out(server: Guild) -> None:
    async def fails(chart: Chart, **more: Any) -> bytes:
        raise ZeroDivisionError

    server.gallery.png = fails  # type: ignore[method-assign, assignment]
    with capture_logs():
        found = shown(server, await delivered(server))
    assert found["attachments"] == []
    assert "▁" in visible(found)


@pytest.mark.parametrize(("status", "code"), [(403, 50013), (413, 40005), (400, 50035)])
async def test_where_files_are_not_taken_the_text_goes_out(server: Guild, status: int, code: int) -> None:
    server.discord.fail(POSTS, status, code=code)
    with capture_logs():
        found = shown(server, await delivered(server))
    assert found["attachments"] == []
    assert CARD.lead in visible(found)


@pytest.mark.parametrize(("language", "shortened"), [("en", "Shortened"), ("pt-BR", "Resumido")])
async def test_what_discord_refuses_as_it_is_becomes_brief(server: Guild, language: str, shortened: str) -> None:
    server.discord.fail(POSTS, 400, code=50035, times=2)
    with capture_logs():
        text = visible(shown(server, await delivered(server, language=language)))
    assert shortened in text
    assert "since 14:05" not in text
    server.discord.fail(POSTS, 400, code=50035, times=3)
    with capture_logs():
        assert await server.face.sender.send(message(id="m2")) == Rejected("400 50035 no")


async def test_a_card_of_any_length_fits(server: Guild) -> None:
    rows = tuple((f"GPU {n} " + "x" * 300, "1") for n in range(500))
    long = Card("t" * 999, "l" * 9999, (Table("c", CARD.tables[0].columns, rows),), (), ("n" * 999,) * 60, "f" * 9999)
    first = await delivered(server, card=long)
    await delivered(server, card=long, id="m2", edit=first)
    await delivered(server, card=long, id="m3", thread=first)
    assert server.discord.broken == []


HOSTILE = (
    "@everyone",
    "<@1>",
    "<@&1>",
    "<#1>",
    "[a](http://b)",
    "``` @here ```",
    "</spot:1>",
    "# h",
    "\u202eRTL",
    "\x00a",
)
MARKS = re.compile(r"@everyone|@here|(?<!\\)<(?:@|#|t:|/|:)[^>]*>|(?<!\\)\[[^]]*\]\(")


@pytest.mark.parametrize("text", HOSTILE)
async def test_nothing_in_a_card_is_markup(server: Guild, text: str) -> None:
    card = Card(text, text, (Table(text, (Column(text), Column(text)), ((text, text),)),), (), (text,), "footer")
    found = shown(server, await delivered(server, card=card))
    readable = re.sub(r"```.*?```", "", visible(found), flags=re.DOTALL)
    assert MARKS.findall(readable) == []
    assert {json.dumps(call.body["allowed_mentions"]) for call in server.discord.sent(POSTS)} == {json.dumps(NOBODY)}


@pytest.mark.parametrize(("role", "called"), [("42", True), ("", False), ("@everyone", False), ("1><@2", False)])
async def test_only_the_one_role_is_called(server: Guild, role: str, called: bool) -> None:
    found = shown(server, await delivered(server, mentions=(role,)))
    assert found["content"] == (f"<@&{role}>" if called else "")
    allowed = server.discord.sent(POSTS)[0].body["allowed_mentions"]
    assert allowed == ({**NOBODY, "roles": [int(role)]} if called else NOBODY)


async def test_a_fault_of_ours_is_an_outcome_too(server: Guild) -> None:
    broken: Any = None
    with capture_logs() as logs:
        assert await server.face.sender.send(message(card=broken)) == Rejected("a fault of ours: AttributeError")
    assert logs[-1]["event"] == "Discord message failed"


async def test_questions_are_answered_beside_it(server: Guild) -> None:
    """What interrupts an attempt leaves the SDK's own waiting for answers as it is."""
    server.discord.fail("@original", 502, method="PATCH")
    server.discord.fail(POSTS, 502)
    assert await server.face.sender.send(message(card=TEXT)) == Ambiguous("status 502")
    asked = await server.ask("monitor 4090")
    assert asked.original is not None
    assert "RTX 4090" in plain(asked.original)
