"""Messages on Discord that are edited for months, pinned and removed."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.faces.discord.outcomes import ARCHIVED_THREAD, LOST_EDIT
from bot.outbox.sender import Address, Delivered, Message, Receipt, Rejected, TryLater
from bot.presentation.card import Card, Line, Lines
from tests.fakes.discord import CHANNEL, GUILD, visible
from tests.fakes.discord_house import Guild
from tests.fakes.discord_objects import PEOPLE

TEXT = Card("The market", "RTX 4090 costs $0.34 now.", footer="2 min old")
CARD = dataclasses.replace(TEXT, charts=(Lines("Price", "falls", (Line("4090", (0.0, 1.0), (0.4, 0.35)),)),))
THERE, PERSON = Address("discord", GUILD, CHANNEL), Address("discord", PEOPLE["ana"], person=PEOPLE["ana"])
ONE, POSTS, PINS = r"/messages/\d+$", r"/channels/\d+/messages$", r"/messages/pins/\d+$"


def message(address: Address = THERE, **more: Any) -> Message:
    return Message(**{"id": "m1", "address": address, "card": TEXT, "language": "en", **more})


async def post(server: Guild, **more: Any) -> Receipt:
    delivery = await server.face.sender.send(message(**more))
    assert isinstance(delivery, Delivered), delivery
    return delivery.receipt


def edit(of: Receipt, address: Address = THERE, **more: Any) -> Message:
    return message(address, edit=of, edit_only=True, **more)


def not_pinned(logs: list[Any]) -> list[tuple[str, str]]:
    return [(e["log_level"], e["reason"]) for e in logs if e["event"] == "Discord message not pinned"]


@pytest.mark.parametrize("address", [THERE, PERSON])
async def test_a_message_is_pinned_edited_in_place_and_removed(server: Guild, address: Address) -> None:
    first = await post(server, address=address, card=CARD, pin=True)
    assert server.discord.messages[first.message]["pinned"]
    for n in range(3):
        card = dataclasses.replace(CARD, lead=f"edit {n}")
        delivery = await server.face.sender.send(edit(first, address, id=f"e{n}", card=card, pin=True))
        assert delivery == Delivered(first)
    (there,) = server.discord.messages.values()
    assert "edit 2" in visible(there)
    assert len(there["attachments"]) == 1
    assert len(server.discord.sent(PINS, "PUT")) == 1  # an edited message is pinned already, or somebody unpinned it
    for _ in range(2):  # the second time it is no more
        assert await server.face.sender.send(message(address, remove=first)) == Delivered(first)
    assert server.discord.messages == {}
    assert len(server.discord.sent("/users/@me/channels")) == (1 if address == PERSON else 0)


@pytest.mark.parametrize("address", [THERE, PERSON])
async def test_a_message_that_somebody_deleted_is_said_to_be_missing(server: Guild, address: Address) -> None:
    first = await post(server, address=address)
    server.discord.messages.clear()
    lost = await server.face.sender.send(edit(first, address, thread=first))
    assert lost == Rejected("404 10008 no", edit_refused="missing")
    assert server.discord.messages == {}


@pytest.mark.parametrize("code", sorted(LOST_EDIT - {ARCHIVED_THREAD}))
async def test_what_is_not_ours_to_edit_is_missing_and_nothing_posted(server: Guild, code: int) -> None:
    first = await post(server)
    server.discord.fail(ONE, 403, code=code, method="PATCH")
    assert await server.face.sender.send(edit(first)) == Rejected(f"403 {code} no", edit_refused="missing")
    assert len(server.discord.sent(POSTS, "POST")) == 1


async def test_too_many_edits_of_an_old_message_are_told_from_a_rate_limit(server: Guild) -> None:
    first = await post(server)
    invalid = server.face.sender.invalid
    before = len(invalid._at)
    server.discord.fail(ONE, 429, code=30046, retry_after=3600, method="PATCH")
    assert await server.face.sender.send(edit(first)) == Rejected("rate limited, 30046", edit_refused="too_often")
    server.discord.fail(ONE, 429, code=20028, retry_after=7, method="PATCH")
    assert await server.face.sender.send(edit(first)) == TryLater("rate limited", 7.0)
    assert len(invalid._at) == before + 2
    server.discord.fail(ONE, 429, code=30046, retry_after=60, method="PATCH")
    assert await server.face.sender.send(message(edit=first)) == TryLater("rate limited", 60.0)  # an alert's edit waits
    assert await server.face.sender.send(edit(first)) == Delivered(first)
    assert len(server.discord.messages) == 1


async def test_a_channel_that_is_gone_is_gone_for_edits_and_removals(server: Guild) -> None:
    first = await post(server)
    for code in (10003, 50001):
        server.discord.fail(ONE, 403, code=code, times=2)
        for again in (edit(first), message(remove=first)):
            assert await server.face.sender.send(again) == Rejected(f"403 {code} no", gone=True)


async def test_what_was_in_a_thread_that_is_no_more_is_missing_and_is_removed(server: Guild) -> None:
    in_thread = Receipt("123", "1")
    server.discord.fail(ONE, 404, code=10003, times=2)
    assert await server.face.sender.send(edit(in_thread)) == Rejected("404 10003 no", edit_refused="missing")
    assert await server.face.sender.send(message(remove=in_thread)) == Delivered(in_thread)


async def test_in_a_thread_that_discord_archived_a_new_one_has_to_come(server: Guild) -> None:
    first = await post(server)
    server.discord.fail(ONE, 400, code=ARCHIVED_THREAD, method="PATCH")
    found = await server.face.sender.send(edit(first))
    assert isinstance(found, Rejected)
    assert (found.edit_refused, found.gone) == ("too_often", False)


async def test_an_edit_in_place_calls_nobody(server: Guild) -> None:
    first = await post(server, mentions=("42",))
    assert server.discord.messages[first.message]["content"] == "<@&42>"
    await server.face.sender.send(edit(first, mentions=("42",)))
    assert server.discord.messages[first.message]["content"] == ""
    (sent,) = server.discord.sent(ONE, "PATCH")
    assert sent.body["allowed_mentions"] == {"parse": []}


async def test_without_permission_or_room_nothing_is_pinned_and_the_message_is_there(server: Guild) -> None:
    discord = server.discord
    for n, (may, left, code) in enumerate(((False, 250, 50013), (True, 0, 30003))):
        discord.may_pin, discord.pins_left = may, left
        with capture_logs() as logs:
            first = await post(server, id=f"m{n}", pin=True)
        ((level, reason),) = not_pinned(logs)
        assert level == "info"
        assert str(code) in reason
        assert not discord.messages[first.message]["pinned"]


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 400, "code": 50019},
        {"status": 429, "retry_after": 7},
        {"status": 502},
        {"status": 200, "lost": "before", "times": 2},
        {"status": 200, "lost": "after", "times": 2},
    ],
    ids=str,
)
async def test_a_pin_is_not_asked_for_again_and_counts_as_any_request(server: Guild, fault: dict[str, Any]) -> None:
    server.discord.fail(PINS, **fault)
    with capture_logs() as logs:
        await post(server, pin=True)
    assert [level for level, _ in not_pinned(logs)] == ["info"]
    assert len(server.discord.sent(PINS)) == fault.get("times", 1)  # a PUT that was lost goes twice by aiohttp's hand
    assert len(server.discord.messages) == 1
    assert len(server.face.sender.invalid._at) == (fault["status"] == 429)


async def test_a_pin_that_is_never_answered_does_not_hold_up_the_message(server: Guild) -> None:
    gate = asyncio.Event()
    server.discord.fail(PINS, 200, lost="after", wait=gate)
    server.face.sender.pinned_by = 0.05
    with capture_logs() as logs:
        await post(server, pin=True)
    gate.set()
    assert not_pinned(logs) == [("info", "no time was left")]


async def test_a_fault_of_ours_in_pinning_does_not_send_it_again(
    server: Guild, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    assert server.face.client is not None
    monkeypatch.setattr(server.face.client.http, "pin_message", fails)
    with capture_logs() as logs:
        await post(server, pin=True)
    assert not_pinned(logs) == [("info", "a fault of ours: ZeroDivisionError")]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("fault", [{"status": 502}, {"status": 200, "lost": "after", "times": 2}], ids=str)
async def test_an_edit_or_removal_whose_answer_is_lost_may_go_again(
    server: Guild, method: str, fault: dict[str, Any]
) -> None:
    first = await post(server)
    again = edit(first) if method == "PATCH" else message(remove=first)
    server.discord.fail(ONE, method=method, **fault)
    assert isinstance(await server.face.sender.send(again), TryLater)
    server.discord.faults.clear()  # aiohttp sends a DELETE that was lost again by itself, a PATCH not
    assert await server.face.sender.send(again) == Delivered(first)
    assert len(server.discord.messages) == (1 if method == "PATCH" else 0)
