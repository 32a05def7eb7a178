"""Messages on Slack that are edited for months, pinned and removed."""

from __future__ import annotations

import asyncio
import dataclasses
import io
from typing import Any

import pytest
from rich.console import Console
from structlog.testing import capture_logs

from bot.faces.console.sender import ConsoleSender
from bot.faces.slack.outcomes import LOST_EARLIER
from bot.outbox.sender import Address, Delivered, Message, Receipt, Rejected, TryLater
from bot.presentation.card import Card, Line, Lines
from tests.fakes.slack import LIMITED, Trouble
from tests.fakes.slack_house import Home

TEXT = Card("The market", "RTX 4090 costs $0.34 now.", footer="2 min old")
CARD = dataclasses.replace(TEXT, charts=(Lines("Price", "falls", (Line("4090", (0.0, 1.0), (0.4, 0.35)),)),))
CHANNEL, PERSON = Address("slack", "T1", "C1"), Address("slack", "T1", person="U1")
RESTS = TryLater("ratelimited", 7.0, ours=True, alone=True)


def message(address: Address = CHANNEL, **more: Any) -> Message:
    return Message(**{"id": "m1", "address": address, "card": TEXT, "language": "en", **more})


async def post(chat: Home, **more: Any) -> Receipt:
    delivery = await chat.face.sender.send(message(**more))
    assert isinstance(delivery, Delivered), delivery
    return delivery.receipt


def edit(of: Receipt, address: Address = CHANNEL, **more: Any) -> Message:
    return message(address, edit=of, edit_only=True, **more)


def not_pinned(logs: list[Any]) -> list[tuple[str, str]]:
    return [(e["log_level"], e["reason"]) for e in logs if e["event"] == "slack_message_not_pinned"]


@pytest.mark.parametrize("address", [CHANNEL, PERSON])
async def test_a_message_is_pinned_edited_in_place_and_removed(chat: Home, address: Address) -> None:
    first = await post(chat, address=address, card=CARD, pin=True)
    (there,) = chat.slack.messages
    assert there.pinned
    for n in range(3):
        card = dataclasses.replace(CARD, lead=f"edit {n}")
        delivery = await chat.face.sender.send(edit(first, address, id=f"e{n}", card=card, pin=True))
        assert delivery == Delivered(first)
    assert chat.slack.messages == [there]
    assert there.edits == 3
    assert "edit 2" in there.text
    assert chat.slack.calls.count("pins.add") == 1  # an edited message is pinned already, or somebody unpinned it
    assert await chat.face.sender.send(message(address, remove=first)) == Delivered(first)
    assert chat.slack.messages == []
    assert await chat.face.sender.send(message(address, remove=first)) == Delivered(first)
    assert chat.slack.calls.count("conversations.open") == (1 if address == PERSON else 0)


@pytest.mark.parametrize("address", [CHANNEL, PERSON])
async def test_a_message_that_somebody_deleted_is_said_to_be_missing(chat: Home, address: Address) -> None:
    first = await post(chat, address=address)
    chat.slack.messages.clear()
    lost = await chat.face.sender.send(edit(first, address, thread=first))
    assert lost == Rejected("message_not_found", edit_refused="missing")
    assert chat.slack.messages == []


@pytest.mark.parametrize("name", sorted(LOST_EARLIER))
async def test_what_cannot_be_edited_any_more_is_told_and_nothing_posted(chat: Home, name: str) -> None:
    first = await post(chat)
    chat.slack.troubles["chat.update"].append(Trouble(200, name))
    why = "too_often" if name == "edit_window_closed" else "missing"
    assert await chat.face.sender.send(edit(first)) == Rejected(name, edit_refused=why)  # type: ignore[arg-type]
    assert len(chat.slack.messages) == 1


@pytest.mark.parametrize("name", ["channel_not_found", "is_archived", "is_inactive"])
async def test_a_channel_that_is_gone_is_gone_for_edits_and_removals(chat: Home, name: str) -> None:
    first = await post(chat)
    chat.slack.closed["C1"] = name
    assert await chat.face.sender.send(edit(first)) == Rejected(name, gone=True)
    assert await chat.face.sender.send(message(remove=first)) == Rejected(name, gone=True)


async def test_an_edit_in_place_calls_nobody(chat: Home) -> None:
    first = await post(chat, mentions=("S0AB",))
    assert "usergroup" in str(chat.slack.messages[0].body)
    await chat.face.sender.send(edit(first, mentions=("S0AB",)))
    assert "usergroup" not in str(chat.slack.messages[0].body)


@pytest.mark.parametrize(
    "trouble",
    [
        *(Trouble(200, name) for name in ("missing_scope", "already_pinned", "not_pinnable", "no_permission")),
        LIMITED,
        Trouble(500, "internal_error"),
        Trouble(lost="before"),
        Trouble(lost="after"),
    ],
    ids=lambda trouble: trouble.error or trouble.lost,
)
async def test_a_pin_that_is_not_taken_is_logged_once_and_the_message_delivered(chat: Home, trouble: Trouble) -> None:
    chat.slack.troubles["pins.add"].append(trouble)
    with capture_logs() as logs:
        await post(chat, pin=True)
    assert [level for level, _ in not_pinned(logs)] == ["info"]
    assert [chat.slack.calls.count(method) for method in ("pins.add", "chat.postMessage")] == [1, 1]


async def test_a_pin_that_is_never_answered_does_not_hold_up_the_message(chat: Home) -> None:
    gate = asyncio.Event()
    chat.slack.troubles["pins.add"].append(Trouble(wait=gate))
    chat.face.sender.pinned_by = 0.05
    with capture_logs() as logs:
        await post(chat, pin=True)
    gate.set()
    assert not_pinned(logs) == [("info", "no time was left")]


async def test_a_fault_of_ours_in_pinning_does_not_send_it_again(chat: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    call = chat.face.sender.client.api_call

    async def fails(method: str, **more: Any) -> Any:
        if method == "pins.add":
            raise ZeroDivisionError
        return await call(method, **more)

    monkeypatch.setattr(chat.face.sender.client, "api_call", fails)
    with capture_logs() as logs:
        await post(chat, pin=True)
    assert not_pinned(logs) == [("info", "a fault of ours: ZeroDivisionError")]


@pytest.mark.parametrize("method", ["chat.update", "chat.delete"])
@pytest.mark.parametrize("lost", ["before", "after"])
async def test_an_edit_or_removal_whose_answer_is_lost_may_go_again(chat: Home, method: str, lost: str) -> None:
    first = await post(chat)
    again = edit(first) if method == "chat.update" else message(remove=first)
    chat.slack.troubles[method].append(Trouble(lost=lost))
    delivery = await chat.face.sender.send(again)
    assert isinstance(delivery, TryLater)
    assert delivery.scope == "destination"
    assert await chat.face.sender.send(again) == Delivered(first)
    assert len(chat.slack.messages) == (1 if method == "chat.update" else 0)


@pytest.mark.parametrize("only", [True, False])
async def test_a_limit_of_edits_holds_up_the_edits_of_the_workspace_and_nothing_else(chat: Home, *, only: bool) -> None:
    now = 0.0
    sender = chat.face.sender
    sender.timer = lambda: now
    first, second = await post(chat), await post(chat, address=Address("slack", "T1", "C2"))
    chat.slack.troubles["chat.update"].append(LIMITED)
    assert await sender.send(message(edit=first, edit_only=only)) == RESTS
    now = 2.0
    calls = len(chat.slack.calls)
    edit_there = edit(second, Address("slack", "T1", "C2"), card=CARD)
    assert await sender.send(edit_there) == dataclasses.replace(RESTS, seconds=5.0)
    assert len(chat.slack.calls) == calls  # nor was a picture uploaded
    await post(chat, id="alert")
    assert await sender.send(message(remove=first)) == Delivered(first)
    now = 7.0
    assert await sender.send(edit_there) == Delivered(second)


async def test_a_limit_of_removals_is_theirs(chat: Home) -> None:
    first = await post(chat)
    chat.slack.troubles["chat.delete"].append(LIMITED)
    assert await chat.face.sender.send(message(remove=first)) == RESTS
    assert await chat.face.sender.send(edit(first)) == Delivered(first)


async def test_a_message_of_another_is_not_removed(chat: Home) -> None:
    first = await post(chat)
    chat.slack.troubles["chat.delete"].append(Trouble(200, "cant_delete_message"))
    assert await chat.face.sender.send(message(remove=first)) == Rejected("cant_delete_message")


async def test_the_prompt_prints_edits_anew_and_removes_in_silence() -> None:
    out = io.StringIO()
    sender, here = ConsoleSender(Console(file=out)), Address("console", "local", person="you")
    first = await sender.send(message(here, pin=True))
    assert isinstance(first, Delivered)
    assert isinstance(await sender.send(edit(first.receipt, here)), Delivered)
    shown = out.getvalue()
    assert shown.count(TEXT.lead) == 2
    assert await sender.send(message(here, remove=first.receipt)) == first
    assert out.getvalue() == shown
